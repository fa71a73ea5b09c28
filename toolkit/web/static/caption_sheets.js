// Two sheets side by side, of one experiment or of two; and what is said of what is on show: in words, in the address, and
// as plain values. Read before iterations.js, in one scope with it.
function compare(on) {
  now.compare = on;
  article.classList.toggle("comparing", on);
  $("[data-do=compare]").setAttribute("aria-pressed", on);
  panels.b.root.hidden = !on;
  go("b", now.b);
}

async function face(experiment) {  // another experiment beside, at the same iteration
  const found = await fetched(experiment).catch(() => null);
  if (!found) return complain(`${experiment} could not be fetched: choose it again.`);
  other = found;
  panels.b = panel($("[data-panel=b]"), "b");
  panels.b.mark();
  go("b", rowAt(other, number(now.a), last(other)));
}

function caption() {  // the exact settings, in words and in the address
  const said = (at, its = run) => (number(at, its) ? `iteration ${number(at, its)} of ${number(last(its), its)}` : "the training data (iteration 0)");
  const beside = now.compare ? `, beside ${other === run ? "" : `${other.experiment} (${other.title}), `}${said(now.b, other)}` : "";
  const what = `${said(now.a)}${beside}: cell k grew from the noise of seed k, 0 to 99`;
  const facts = [`${run.experiment}: ${run.title}`, what[0].toUpperCase() + what.slice(1), `Selected: seed ${now.seed}`, run.sampling, ...(now.map ? [projection(run)] : [])];
  const names = $$(".card:not([hidden])").map((card) => card.dataset.experiment).join(", ");
  $(".caption").textContent = all.open ? `${names}: iteration ${all.at} of each, or its last. Seeds 0 to ${FEW - 1}. That Are Not ${run.version}.` : `${facts.join(". ")}. That Are Not ${run.version}.`;
  const size = run.iterations[now.a].bytes;
  $("[data-do=checkpoint]").disabled = $("[data-do=growth]").disabled = !size;
  $(".size").textContent = size ? `safetensors, ${(size / 1e6).toFixed(1)} MB` : number(now.a) ? "none, its model is not here" : "none, this is the data";
  address.tell({experiment: run.experiment, iteration: all.open ? all.at : number(now.a), seed: now.seed, ...extra()});
}

const extra = () => ({
  ...(now.compare ? {beside: number(now.b, other)} : {}),
  ...(now.compare && other !== run ? {against: other.experiment} : {}),
  ...(all.open ? {view: "all"} : now.map ? {view: "map"} : {}),
});

function settings() {  // the same as plain values
  const {sheet, ...entry} = run.iterations[now.a];
  if (all.open) return {tab: "iterations", version: run.version, view: "all", iteration: all.at, seeds: [0, FEW - 1], experiments: [...strips.keys()]};
  return {tab: "iterations", version: run.version, experiment: run.experiment, title: run.title, ...entry, seed: Number(now.seed), sheet_seeds: [0, 99], sampling: run.settings, ...extra()};
}
