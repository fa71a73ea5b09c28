// The figure "Iterations": sheets of symbols, a slider over them, play, compare, small curves.
// The sheets come once, as data; everything in this file happens in the browser. ink.js and symbol.js hold the rest.
const SIDE = 28, AREA = SIDE * SIDE, COLUMNS = 10, CELLS = 100, TWEEN = 220, BEAT = 480;  // pixels, cells, milliseconds
const still = matchMedia("(prefers-reduced-motion: reduce)");

let run, sheets, panels, clock = null;
const now = {a: 0, b: 0, seed: "0", compare: false};  // a, b: rows of run.iterations
const last = () => run.iterations.length - 1;
const number = (row) => run.iterations[row].iteration;
const rowOf = (iteration) => run.iterations.findIndex((entry) => entry.iteration === iteration);

// ---- a panel: one sheet and its slider
function panel(root, key) {
  const scrub = $(".scrub", root), sheet = $(".sheet", root);
  const cells = Array.from({length: CELLS}, () => make("button", {type: "button", className: "cell"}, blank()));
  let shown = null, frame = 0;
  const at = (event) => cells.indexOf(event.target.closest(".cell"));
  const draw = () => cells.forEach((cell, k) => paint(cell.firstChild, shown, k * AREA));

  function show(row) {  // one sheet melts into the next; the first is there at once
    const from = shown, to = sheets[row], start = performance.now();
    cancelAnimationFrame(frame);
    (function melt(time) {
      const t = !from || still.matches || document.hidden ? 1 : clamp((time - start) / TWEEN, 0, 1);
      shown = t < 1 ? from.map((light, i) => light + (to[i] - light) * t) : to;
      draw();
      if (t < 1) frame = requestAnimationFrame(melt);
    })(start);
    name(row, number(row));
  }

  function name(row, iteration) {  // all that is said of it in words
    scrub.value = row;
    scrub.style.setProperty("--at", row / Math.max(1, last()));
    scrub.setAttribute("aria-valuetext", iteration ? `iteration ${iteration} of ${number(last())}` : "the data");
    root.dataset.iteration = $(".numeral", root).textContent = iteration;
    $(".where b", root).textContent = iteration ? "iteration" : "the data";
    $(".where span", root).textContent = iteration ? `of ${number(last())}` : "no dream yet";
    const what = iteration ? `symbols of iteration ${iteration}, seeds 0 to 99` : "images of the training data";
    sheet.setAttribute("aria-label", `One hundred ${what}. Arrow keys move, Enter selects.`);
    const each = iteration ? (k) => `Symbol of seed ${k}, iteration ${iteration}` : (k) => `Training image ${k}`;
    cells.forEach((cell, k) => cell.setAttribute("aria-label", each(k)));
  }

  function mark() {
    cells.forEach((cell, k) => {
      cell.setAttribute("aria-pressed", String(k) === now.seed);
      cell.tabIndex = String(k) === now.seed || (!onSheet() && k === 0) ? 0 : -1;
    });
  }

  scrub.max = last();
  const tick = ({iteration}) => make("span", {textContent: iteration % 5 ? "" : iteration});
  $(".ticks", root).replaceChildren(...run.iterations.map(tick));
  sheet.replaceChildren(...cells);
  scrub.oninput = () => { pause(); go(key, Number(scrub.value)); };
  sheet.onclick = (event) => at(event) >= 0 && select(String(at(event)));
  sheet.onpointerover = sheet.onpointerout = (event) => {  // the same seed on the other sheet
    const over = event.type === "pointerover" ? at(event) : -1;
    Object.values(panels).forEach((each) => each.cells.forEach((cell, k) => cell.classList.toggle("twin", k === over)));
  };
  sheet.onkeydown = (event) => {
    const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -COLUMNS, ArrowDown: COLUMNS}[event.key];
    if (!step || at(event) < 0) return;
    event.preventDefault();
    event.stopPropagation();
    cells[clamp(at(event) + step, 0, CELLS - 1)].focus();
  };
  return {show, mark, draw, cells, root};
}

// ---- moving through the iterations
function go(key, row) {
  now[key] = clamp(row, 0, last());
  panels[key].show(now[key]);
  if (key === "a") { specimen(); curves(); }
  caption();
}

function pause() {
  clearInterval(clock);
  clock = null;
  article.classList.remove("playing");
  $("[data-do=play]").setAttribute("aria-label", "Play");
}

function play() {
  if (clock) return pause();
  if (now.a === last()) go("a", 0);
  clock = setInterval(() => (now.a < last() ? go("a", now.a + 1) : pause()), BEAT);
  article.classList.add("playing");
  $("[data-do=play]").setAttribute("aria-label", "Pause");
}

function compare(on) {
  now.compare = on;
  article.classList.toggle("comparing", on);
  $("[data-do=compare]").setAttribute("aria-pressed", on);
  panels.b.root.hidden = !on;
  go("b", now.b);
}

function caption() {  // the exact settings, in words and in the address
  const of = (row) => (number(row) ? `iteration ${number(row)} of ${number(last())}` : "the training data (iteration 0)");
  const what = `${of(now.a)}${now.compare ? `, beside ${of(now.b)}` : ""}: cell k grew from the noise of seed k, 0 to 99`;
  const facts = [`${run.experiment}: ${run.title}`, what[0].toUpperCase() + what.slice(1), `Selected: seed ${now.seed}`, run.sampling];
  $(".caption").textContent = `${facts.join(". ")}. That Are Not ${run.version}.`;
  const size = run.iterations[now.a].bytes;
  $("[data-do=checkpoint]").disabled = $("[data-do=growth]").disabled = !size;
  $(".size").textContent = size ? `safetensors, ${(size / 1e6).toFixed(1)} MB` : "none, this is the data";
  const beside = now.compare ? {beside: number(now.b)} : {};
  const query = new URLSearchParams({experiment: run.experiment, iteration: number(now.a), seed: now.seed, ...beside});
  history.replaceState(history.state, "", `?${query}`);
}

// ---- small curves of the measures
function curves() {
  $(".curves").replaceChildren(...run.measures.map(([key, name, hint]) => {
    const points = run.iterations.map((entry, row) => [row, entry.metrics[key]]).filter(([, value]) => Number.isFinite(value));
    const values = points.map(([, value]) => value), low = Math.min(...values), high = Math.max(...values);
    const x = (row) => (4 + (192 * row) / Math.max(1, last())).toFixed(1);
    const y = (value) => (44 - 38 * (high > low ? (value - low) / (high - low) : 0.5)).toFixed(1);
    const say = (value) => (value === undefined ? "–" : String(Number(value.toPrecision(3))));
    const value = run.iterations[now.a].metrics[key];
    const label = `${name}: ${say(value)} at iteration ${number(now.a)}, between ${say(low)} and ${say(high)}`;
    const dot = value === undefined ? "" : `<circle cx="${x(now.a)}" cy="${y(value)}" r="3.5"/>`;
    const line = `<polyline points="${points.map(([row, each]) => `${x(row)},${y(each)}`).join(" ")}"/>`;
    const here = `<line x1="${x(now.a)}" x2="${x(now.a)}" y1="0" y2="48"/>`;
    const plot = make("div", {innerHTML: `<svg viewBox="0 0 200 48" role="img" aria-label="${label}">${here}${line}${dot}</svg>`});
    plot.onclick = (event) => {
      const box = plot.getBoundingClientRect();
      pause();
      go("a", Math.round((((event.clientX - box.left) / box.width) * 200 - 4) / 192 * last()));
    };
    const head = make("p", {}, make("span", {textContent: name}), make("b", {textContent: say(value)}));
    return make("div", {className: "curve", title: hint}, head, plot);
  }));
}

// ---- set up
async function open(payload, query = new URLSearchParams()) {
  const asked = (name, otherwise) => {
    const row = run.iterations.findIndex((entry) => String(entry.iteration) === query.get(name));
    return row < 0 ? otherwise : row;
  };
  const thumbs = (count) => Array.from({length: count}, () => make("button", {type: "button"}, blank(), make("span")));
  run = payload;
  sheets = await Promise.all(run.iterations.map((entry) => decode(entry.sheet, COLUMNS).then(({light}) => light)));
  dip();
  panels = {a: panel($("[data-panel=a]"), "a"), b: panel($("[data-panel=b]"), "b")};
  $(".film").replaceChildren(...thumbs(FILM.length + 1));
  $(".life").replaceChildren(...thumbs(taught().length));
  Object.assign(now, {a: asked("iteration", last()), b: asked("beside", Math.min(1, last()))});
  go("a", now.a);
  compare(asked("beside", -1) >= 0);
  select(/^\d{1,19}$/.test(query.get("seed")) ? query.get("seed") : "0");
  article.dataset.ready = "true";
}

const doing = {
  play, picture,
  back: () => { pause(); go("a", now.a - 1); },
  on: () => { pause(); go("a", now.a + 1); },
  compare: () => compare(!now.compare),
  dice: () => select(String(CELLS + Math.floor(Math.random() * 2 ** 31))),
  grow: again,
  life: () => print([$$(".life canvas")], `${run.experiment}_seed-${now.seed}_life.png`),
  animation: () => save("animation"), growth: () => save("growth"), checkpoint: () => save("checkpoint"),
};

const beside = $("[data-panel=a]").cloneNode(true);
beside.dataset.panel = "b";
$(".transport", beside).remove();
$(".scrub", beside).setAttribute("aria-label", "Iteration beside");
$("[data-panel=a]").after(beside);

element.addEventListener("click", (event) => doing[event.target.closest("[data-do]")?.dataset.do]?.());
$(".film").onclick = (event) => { const frame = event.target.closest("button"); if (frame) hold(Number(frame.dataset.pass)); };
$(".life").onclick = (event) => {
  const i = $$(".life button").indexOf(event.target.closest("button"));
  if (i >= 0) { pause(); go("a", rowOf(taught()[i].iteration)); }
};
$(".pass").oninput = (event) => hold(Number(event.target.value));
$(".choose").onsubmit = (event) => { event.preventDefault(); select($(".choose [name=seed]").value.trim()); };
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, select, textarea, [role=tab]")) return;
  const space = event.key === " " && !event.target.closest("button");
  const act = space ? "play" : {ArrowLeft: "back", ArrowRight: "on"}[event.key];
  if (act && article.offsetParent) { event.preventDefault(); doing[act](); }
});
window.addEventListener("that-are-not-symbol", hear);
redip(() => {
  Object.values(panels || {}).forEach((each) => each.draw());
  if (panels) specimen();
});
setInterval(unroll, 110);

const choice = $(".experiments select");
choice.replaceChildren(...props.value.experiments.map(([value, title]) => make("option", {value, textContent: `${value}: ${title}`})));
choice.parentElement.hidden = choice.options.length < 2;
choice.onchange = async () => { pause(); open(await server.experiment(choice.value)); };

const address = new URLSearchParams(location.search), other = address.get("experiment");
choice.value = $$("option", choice).some(({value}) => value === other) ? other : props.value.experiment;
Promise.resolve(choice.value === props.value.experiment ? props.value : server.experiment(choice.value)).then((payload) => open(payload, address));
