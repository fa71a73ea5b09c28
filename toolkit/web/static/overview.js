// All experiments side by side: the symbols of the same seeds at the same iteration, under one slider. Each experiment
// comes once, as one picture, when this is opened first. Read before iterations.js, in one scope with it.
const strips = new Map();          // experiment -> what the server says of it, and its light
const all = {open: false, at: 0};  // at: the iteration on show
let marks = -1;                    // how far the ticks reach
const FEW = 20;                    // symbols of a card

const longest = () => Math.max(number(last()), ...[...strips.values()].map(({iterations}) => iterations.at(-1)));
const figureOf = (name) => {  // of a paper that has no figure of it, its year
  const figure = strips.get(name)?.figure;
  return figure ? `${/^\d\d?$/.test(figure) ? "Figure " : ""}${figure}` : name;
};
const titleOf = (name, title) => {  // and which of a figure's runs it is
  const run = name.match(/^fig\d+-(.+)$/)?.[1].replace(/^seed(?=\d)/, "seed ");
  return run ? `${run}: ${title}` : title;
};

async function survey(on, iteration = number(now.a)) {
  pause();
  all.open = on;
  article.classList.toggle("surveying", on);
  $(".overview").hidden = !on;
  $(".experiments [data-do=all]").setAttribute("aria-pressed", on);
  if (!on) return caption();
  look(iteration);
  await Promise.all($$(".card:not([hidden])").filter((card) => !strips.has(card.dataset.experiment)).map(fill));
}

async function fill(card) {
  const said = await server.strip(card.dataset.experiment).catch(() => null);
  if (said?.sheet) strips.set(card.dataset.experiment, {...said, ...(await decode(said.sheet, COLUMNS))});
  card.hidden = Boolean(said) && !said.sheet;  // it has drawn nothing yet
  if (all.open) look(all.at);
}

function look(iteration) {  // every card picks its symbols of that iteration, or its last if it ended before
  const end = longest(), bar = $(".overview .scrub");
  all.at = clamp(iteration, 0, end);
  bar.max = end;
  bar.value = all.at;
  bar.style.setProperty("--at", all.at / Math.max(1, end));
  bar.setAttribute("aria-valuetext", all.at ? `iteration ${all.at} of ${end}` : "the data");
  $(".overview .numeral").textContent = $(".overview").dataset.iteration = all.at;
  $(".overview .where b").textContent = all.at ? "iteration" : "the data";
  $(".overview .where span").textContent = all.at ? `of at most ${end}` : "no dream yet";
  if (marks !== end) $(".overview .ticks").replaceChildren(...Array.from({length: (marks = end) + 1}, (_, i) => make("span", {textContent: i % 5 ? "" : i})));
  $$(".card").forEach(deal);
  caption();
}

function deal(card) {
  const name = card.dataset.experiment, its = strips.get(name);
  if (!its) return;
  const row = Math.max(0, its.iterations.findLastIndex((each) => each <= all.at)), size = its.side * its.side;
  $$("canvas", card).forEach((canvas, seed) => {
    if (canvas.width !== its.side) Object.assign(canvas, {width: its.side, height: its.side});
    paint(canvas, its.light, (row * its.symbols + seed) * size);
  });
  const ended = its.iterations[row] < all.at ? `ended at ${its.iterations[row]}` : "";
  $(".figure", card).textContent = figureOf(name);
  $(".until", card).textContent = ended;
  card.setAttribute("aria-label", `${figureOf(name)}: ${card.title}, ${ended || `iteration ${all.at}`}. Open it`);
}

function hang(experiments) {  // the cards, empty at first, and a bar like the one over a sheet
  const bar = $("[data-panel=a]").cloneNode(true);
  $$(".sheet, .legend", bar).forEach((each) => each.remove());
  $$("[data-do=compare], [data-do=map]", bar).forEach((button) => button.remove());
  $(".scrub", bar).setAttribute("aria-label", "Iteration of all experiments");
  $(".overview").prepend(...bar.children);
  $(".overview .scrub").oninput = ({target}) => { pause(); look(Number(target.value)); };
  $(".cards").replaceChildren(...experiments.map(([name, plain]) => {
    const title = titleOf(name, plain);
    const head = make("span", {className: "head"}, make("b", {className: "figure", textContent: name}), make("i", {className: "until"}));
    const few = make("span", {className: "few"}, ...Array.from({length: FEW}, () => blank()));
    const card = make("button", {type: "button", className: "card", title}, head, make("span", {className: "title", textContent: title}), few);
    card.dataset.experiment = name;
    card.onclick = () => { survey(false); open(name, {iteration: all.at}); };
    return card;
  }));
}
