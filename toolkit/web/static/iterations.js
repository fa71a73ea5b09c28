// The figure "Iterations": sheets of symbols, a slider over them, play, compare, small curves.
// The sheets come once, as data; everything in this file happens in the browser. The files read before
// it hold the rest.
const COLUMNS = 10, CELLS = 100, TWEEN = 220, BEAT = 480;  // pixels, cells, milliseconds
const still = matchMedia("(prefers-reduced-motion: reduce)");

let run, other, panels, clock = null;  // the experiment on show, and the one beside it: mostly the same
const now = {a: 0, b: 0, seed: "0", compare: false, map: false};  // a, b: rows of the iterations of run and of other
const known = new Map();  // experiment -> a promise of what the server says of it, with its sheets as light
const address = thatAreNot.address("iterations");
const of = (key) => (key === "a" ? run : other);
const last = (its = run) => its.iterations.length - 1;
const number = (row, its = run) => its.iterations[row].iteration;
const rowOf = (iteration, its = run) => its.iterations.findIndex((entry) => entry.iteration === iteration);

// ---- a panel: one sheet and its slider
function panel(root, key) {
  const scrub = $(".scrub", root), sheet = $(".sheet", root), its = of(key);
  const cells = Array.from({length: CELLS}, () => make("button", {type: "button", className: "cell"}, blank(its.side)));
  const under = land(its);
  let shown = null, frame = 0;
  const at = (event) => cells.indexOf(event.target.closest(".cell"));
  const draw = () => cells.forEach((cell, k) => paint(cell.firstChild, shown, k * its.side ** 2));

  function show(row) {  // one sheet melts into the next; the first is there at once
    const from = shown, to = its.sheets[row], start = performance.now();
    cancelAnimationFrame(frame);
    (function melt(time) {
      const t = !from || still.matches || document.hidden ? 1 : clamp((time - start) / TWEEN, 0, 1);
      shown = t < 1 ? from.map((light, i) => light + (to[i] - light) * t) : to;
      draw();
      if (t < 1) frame = requestAnimationFrame(melt);
    })(start);
    placesOf(its, row).forEach((spot, k) => put(cells[k], spot));
    under.trace(now.seed, row);
    name(row, number(row, its));
  }

  function name(row, iteration) {  // all that is said of it in words
    scrub.value = row;
    scrub.style.setProperty("--at", row / Math.max(1, last(its)));
    scrub.setAttribute("aria-valuetext", iteration ? `iteration ${iteration} of ${number(last(its), its)}` : "the data");
    root.dataset.iteration = $(".numeral", root).textContent = iteration;
    $(".where b", root).textContent = iteration ? "iteration" : "the data";
    $(".where span", root).textContent = iteration ? `of ${number(last(its), its)}` : "no dream yet";
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
    under.trace(now.seed, now[key]);
    $(".legend", root).textContent = its.map ? legend(its) : "";
  }

  scrub.max = last(its);
  const tick = ({iteration}) => make("span", {textContent: iteration % 5 ? "" : iteration});
  $(".ticks", root).replaceChildren(...its.iterations.map(tick));
  sheet.replaceChildren(...cells, ...under.parts);
  root.classList.toggle("mapped", now.map && Boolean(its.map));
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
  return {show, mark, redraw: () => { draw(); under.draw(); }, cells, under, root};
}

// ---- moving through the iterations
function go(key, row) {
  now[key] = clamp(row, 0, last(of(key)));
  panels[key].show(now[key]);
  if (key === "a") { specimen(); curves(); }
  caption();
}

const row = () => (all.open ? {at: all.at, end: longest(), go: look} : {at: now.a, end: last(), go: (to) => go("a", to)});  // what play and step move

function step(by) {
  pause();
  row().go(row().at + by);
}

function pause() {
  clearInterval(clock);
  clock = null;
  article.classList.remove("playing");
  $$("[data-do=play]").forEach((button) => button.setAttribute("aria-label", "Play"));
}

function play() {
  if (clock) return pause();
  if (row().at === row().end) row().go(0);
  clock = setInterval(() => (row().at < row().end ? row().go(row().at + 1) : pause()), BEAT);
  article.classList.add("playing");
  $$("[data-do=play]").forEach((button) => button.setAttribute("aria-label", "Pause"));
}

// ---- small curves of the measures
function curves() {
  $(".measures h3").hidden = !run.measures.length;  // a run that dreams once does not drift
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
    const plot = make("div", {innerHTML: `<svg viewBox="0 0 200 48" role="img" aria-label="${label}">${here}${line}${dot}<circle class="hover" r="3.5" transform="scale(0)"/></svg>`});
    const head = make("p", {}, make("span", {textContent: name}), make("b", {textContent: say(value)}));
    const under = ({clientX}) => {
      const box = plot.getBoundingClientRect();
      return clamp(Math.round((((clientX - box.left) / box.width) * 200 - 4) / 192 * last()), 0, last());
    };
    plot.onclick = (event) => { pause(); go("a", under(event)); };
    plot.onpointermove = (event) => {  // what it is there, without going there
      const at = under(event), there = run.iterations[at].metrics[key];
      head.lastChild.textContent = `${number(at)}: ${say(there)}`;
      $(".hover", plot).setAttribute("transform", there === undefined ? "scale(0)" : `translate(${x(at)} ${y(there)})`);
    };
    plot.onpointerleave = () => {
      head.lastChild.textContent = say(value);
      $(".hover", plot).setAttribute("transform", "scale(0)");
    };
    return make("div", {className: "curve", title: hint}, head, plot);
  }));
}

// ---- set up
const rowAt = (its, iteration, otherwise) => (rowOf(iteration, its) < 0 ? otherwise : rowOf(iteration, its));

function fetched(name) {  // an experiment comes once
  const asked = () => (name === props.value.experiment ? Promise.resolve(props.value) : server.experiment(name));
  if (!known.has(name)) known.set(name, asked().then(unfold));
  known.get(name).catch(() => known.delete(name));
  return known.get(name);
}

async function unfold(payload) {
  const sheets = await Promise.all(payload.iterations.map(({sheet}) => decode(sheet, COLUMNS)));
  return {...payload, side: sheets[0].side, sheets: sheets.map(({light}) => light)};
}

const thumbs = (count) => Array.from({length: count}, () => make("button", {type: "button"}, blank(run.side), make("span")));

async function open(name, {iteration, beside, against, seed = now.seed} = {}) {
  const found = await fetched(name).catch(() => null), facing = against && await fetched(against).catch(() => null);
  if (!found) return complain(`${name} could not be fetched: choose it again.`);
  other = facing || (other === run ? found : other);
  run = found;
  now.map = now.map && Boolean(run.map);
  $(".experiments select").value = run.experiment;
  $(".learned").textContent = run.learned;
  $(".again").hidden = number(last()) < 2;
  $(".against").value = other.experiment;
  dip();
  $(".untaught").hidden = taught().length > 0;
  $(".film").hidden = $(".passes").hidden = !taught().length;
  panels = {a: panel($("[data-panel=a]"), "a"), b: panel($("[data-panel=b]"), "b")};
  $(".film").replaceChildren(...thumbs(FILM.length + 1));
  $(".life").replaceChildren();
  Object.assign($(".big"), {width: run.side, height: run.side});
  Object.assign(now, {a: rowAt(run, iteration, last()), b: rowAt(other, beside, Math.min(1, last(other)))});
  Object.assign($("[data-do=map]"), {hidden: !run.map, ariaPressed: now.map});
  go("a", now.a);
  compare(now.compare || rowOf(beside, other) >= 0);
  select(seed);
  article.dataset.ready = "true";
}

const doing = {
  play, picture,
  keep: () => give("keep"), ask: () => give("ask"),
  back: () => step(-1),
  on: () => step(1),
  all: () => survey(!all.open),
  compare: () => compare(!now.compare),
  map: () => run.map && !all.open && chart(!now.map),
  dice: () => select(String(taught().length ? CELLS + Math.floor(Math.random() * 2 ** 31) : Math.floor(Math.random() * CELLS))),
  grow: again,
  life: () => print([$$(".life canvas")], `${run.experiment}_seed-${now.seed}_life.png`),
  animation: () => save("animation"), growth: () => save("growth"), checkpoint: () => save("checkpoint"),
};

const beside = $("[data-panel=a]").cloneNode(true);
beside.dataset.panel = "b";
$(".transport", beside).remove();
$(".scrub", beside).setAttribute("aria-label", "Iteration beside");
const options = () => props.value.experiments.map(([value, title]) => make("option", {value, textContent: `${value}: ${title}`}));
const against = make("select", {className: "against", ariaLabel: "Experiment beside", hidden: props.value.experiments.length < 2}, ...options());
against.onchange = () => face(against.value);
$(".bar", beside).append(against);
hang(props.value.experiments);
$("[data-panel=a]").after(beside);

element.addEventListener("click", (event) => doing[event.target.closest("[data-do]")?.dataset.do]?.());
$(".film").onclick = (event) => { const frame = event.target.closest("button"); if (frame) hold(Number(frame.dataset.pass)); };
$(".life").onclick = (event) => {
  const i = $$(".life button").indexOf(event.target.closest("button"));
  if (i >= 0) { pause(); go("a", rowOf(lived()[i].iteration)); }
};
$(".pass").oninput = (event) => hold(Number(event.target.value));
$(".choose").onsubmit = (event) => { event.preventDefault(); select($(".choose [name=seed]").value.trim()); };
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, select, textarea, [role=tab]")) return;
  const space = event.key === " " && !event.target.closest("button");
  const act = space ? "play" : {ArrowLeft: "back", ArrowRight: "on", k: "keep", m: "map"}[event.key];
  if (act && article.offsetParent) { event.preventDefault(); doing[act](); }
});
window.addEventListener("that-are-not-symbol", hear);
redip(() => {
  Object.values(panels || {}).forEach((each) => each.redraw());
  $$(".card").forEach(deal);
  if (panels) specimen();
});
setInterval(unroll, 110);

const choice = $(".experiments select"), names = props.value.experiments.map(([name]) => name);
choice.replaceChildren(...options());
$(".experiments").hidden = names.length < 2;
choice.onchange = () => {
  const iteration = all.open ? all.at : number(now.a);
  if (all.open) survey(false);
  open(choice.value, {iteration});
};
footer(() => `${run.experiment}_iteration-${all.open ? all.at : number(now.a)}`, settings);
address.shown(() => {
  const seed = address.seed();
  if (!panels) return;
  if (seed === undefined || String(seed) === now.seed) live();
  else select(String(seed));
}, pause);

const linked = {seed: String(address.seed() ?? 0), against: address.among("against", names)};
for (const key of ["iteration", "beside"]) linked[key] = address.whole(key, 0, 9999);
open(address.among("experiment", names) ?? props.value.experiment, linked).then(() => {
  if (address.says("view") === "map" && run?.map) chart(true);
  if (address.says("view") === "all" && names.length > 1) survey(true, linked.iteration);
});
