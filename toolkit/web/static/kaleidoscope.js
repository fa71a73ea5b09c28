// The figure "Kaleidoscope": 64 starts through one network, run after run; a slider over the runs, play, knobs, one cell.
// trigger("film") asks the server; `hear` gets the film, part by part, and it is played here. Until the first comes, the
// sheet stored with the network shows. Read after ink.js, film.js and pad.js, in one scope with them.
const STARTS = ["uniform", "normal", "drawing"], MODES = ["centred", "published", "none"], SIDE = 8;
const BEAT = 110, LABELLED = [0, 1, 2, 5, 10, 20, 50, 100, 200, 300];  // milliseconds; runs
const {networks, start: START, cells: CELLS, version} = props.value;
const still = matchMedia("(prefers-reduced-motion: reduce)"), visitor = crypto.randomUUID?.() ?? String(Math.random());
const address = thatAreNot.address("kaleidoscope");
const now = {...START, experiment: networks[0].name, frame: 0, cell: 0, loop: false, ...linked()};
let first = address.whole("run", 0, 300);  // the run that a link names, until it is on show
let flight = null;  // {ticket, answer, film, heard}: the request that is under way
let wanted = null;  // the newest film that was asked for
let asked = false;  // whether something changed since
let ticket = 0, clock = null, unpacking = Promise.resolve();

const network = () => networks.find(({name}) => name === now.experiment);
const seed = (cell) => film.order.seed + cell;
const undrawn = () => now.start === "drawing" && !drawing;

// ---- asking: one request at a time; the server ends it when it hears of a newer one
const order = () => {
  const {experiment, start, runs, perturbation, mode, seed} = now;
  return {experiment, start, runs, perturbation, mode, seed, image: start === "drawing" ? btoa(String.fromCharCode(...drawing)) : null};
};

function ask() {
  knobs();  // which wipes a drawing of another size
  asked = !undrawn() && JSON.stringify(order()) !== wanted?.key;  // what is there, or on its way, is not asked for again
  if (!asked) return;
  article.dataset.state = "asked";
  awaited();
  if (flight) Object.assign(wanted, {key: null}) && server.note({visitor, ticket: ++ticket});
  fly();
}

function fly() {
  if (flight || !asked) return;
  asked = false;
  const mine = ++ticket, its = order();
  const lost = () => hear({detail: {ticket: mine, done: true, parts: [], error: "The server does not answer: turn a knob to ask it again."}});
  wanted = {order: its, key: JSON.stringify(its), frames: [], facts: [], distinct: [], done: false};
  flight = {ticket: mine, answer: awaiting(lost), film: wanted, heard: 0};
  trigger("film", {visitor, ticket: mine, ...its});
}

function hear({detail}) {
  if (!detail || detail.ticket !== flight?.ticket) return;
  const mine = flight, {shape, runs, neighbours, parts} = detail;
  Object.assign(mine.film, {shape, runs, neighbours});
  for (const part of parts.slice(mine.heard)) unpacking = unpacking.then(() => unpack(mine.film, part)).then(() => show(mine.film));
  mine.heard = parts.length;
  mine.answer.heard();
  if (!detail.done) return;
  mine.answer.over();
  flight = null;
  unpacking = unpacking.then(() => ended(mine.film, detail.error));
  fly();
}

function ended(its, error) {
  its.done = true;
  if (error) its.key = null;
  if (asked || its !== wanted) return;
  complain(error);
  $(".grid").classList.toggle("stale", Boolean(error));  // it is not what was asked for
  article.dataset.state = "drawn";
  awaited();
}

function complain(text) {
  $(".problem").textContent = text || "";
  $(".problem").hidden = !text;
}

function awaited() {  // another network wakes up: whose pictures are these?
  const title = (experiment) => networks.find(({name}) => name === experiment).title;
  const other = film && article.dataset.state === "asked" && film.order.experiment !== now.experiment;
  $(".awaited").textContent = other ? `Waking ${title(now.experiment)} up; until then, these are ${title(film.order.experiment)}.` : "";
  $(".grid").classList.toggle("former", Boolean(other));
}

// ---- the grid
const cells = Array.from({length: CELLS}, () => make("button", {type: "button", className: "cell"}, blank()));

function show(newer) {  // frames came: of the film on show, or of another, which begins at its start, the first where the eye is
  if (asked || newer !== wanted) return;
  if (newer !== film) {
    const stay = !film?.facts.length || still.matches || first !== undefined, run = first ?? film?.runs[now.frame] ?? 0;
    const from = stay ? Math.max(0, newer.runs.findIndex((its) => its >= run)) : 0;
    if (newer.frames.length <= from) return;
    film = newer;
    first = undefined;
    now.frame = from;
    awaited();
    ticks();
    easel();
    if (!stay) resume();
  }
  go(now.frame);
}

function go(frame) {
  now.frame = clamp(frame, 0, frames() - 1);
  const here = now.frame, run = film.runs[here], count = film.frames[here].length / area(film);
  cells.forEach((cell, k) => {
    if (k < count) draw(cell.firstChild, film.frames[here], k);
    else paint(cell.firstChild, null);
    cell.setAttribute("aria-label", `Seed ${seed(k)} after ${run} runs`);
    cell.setAttribute("aria-pressed", k === now.cell);
    cell.tabIndex = k === now.cell ? 0 : -1;
  });
  const scrub = $(".scrub"), end = film.runs.at(-1);
  scrub.max = film.runs.length - 1;
  slide(scrub, here);
  scrub.setAttribute("aria-valuetext", `run ${run} of ${end}`);
  article.dataset.run = $(".numeral").textContent = run;
  $(".where b").textContent = run ? (run === 1 ? "run" : "runs") : film.order.start === "drawing" ? "your start" : "the noise";
  $(".where span").textContent = run ? `of ${end}` : "no run yet";
  $(".grid").setAttribute("aria-label", `${CELLS} pictures after ${run} runs. Arrow keys move, Enter selects.`);
  article.dataset.ready = "true";
  curves();
  one();
  caption();
}

// ---- the knobs, and all that is said of them in words
function knobs() {
  press("experiment", networks.map(({name, title}) => [name, title]));
  press("start", STARTS.map((name) => [name, name]));
  press("mode", MODES.map((name) => [name, name]));
  $("[data-knob=perturbation]").disabled = now.mode === "none";
  ["runs", "perturbation"].forEach((knob) => slide($(`[data-knob=${knob}]`), now[knob]));
  const said = {runs: String(now.runs), perturbation: now.mode === "none" ? "nothing" : now.perturbation.toFixed(3), seed: `${now.seed} to ${now.seed + CELLS - 1}`};
  $$("[data-of]").forEach((output) => { output.textContent = said[output.dataset.of]; });
  if (document.activeElement !== $("[name=seed]")) $("[name=seed]").value = now.seed;
  easel();
}

function slide(input, value) {
  input.value = value;
  input.style.setProperty("--at", (value - input.min) / Math.max(1e-9, input.max - input.min));
}

function press(knob, choices) {
  const group = $(`[data-knob=${knob}]`);
  if (!group.children.length) group.replaceChildren(...choices.map(([value, textContent]) => make("button", {type: "button", value, textContent})));
  $$("button", group).forEach((button) => button.setAttribute("aria-pressed", button.value === now[knob]));
}

// ---- what a visitor does
function turn(changes) {
  Object.assign(now, changes);
  complain("");
  ask();
}

function sow(text) {
  const most = 2 ** 32 - CELLS;
  if (!/^\d{1,19}$/.test(text) || Number(text) > most) return complain(`“${text.slice(0, 40)}” is no seed: give a whole number from 0 to ${most}.`);
  address.sow(text);
  turn({seed: Number(text)});
}

async function open(experiment) {  // what is stored with a network is there at once
  Object.assign(now, {experiment});
  const {sheet, size, runs} = network();
  if (sheet && !film) {
    const image = make("img", {src: sheet});
    await image.decode();
    const columns = image.naturalWidth / size, {light, channels} = await decode(sheet, columns), each = columns * size * size * channels;
    const frames = runs.map((_, i) => light.subarray(i * each, (i + 1) * each));
    film = {order: {...START, experiment}, shape: [channels, size, size], runs, neighbours: 0, frames, facts: [], distinct: [], done: true};
    ticks();
    go(Math.max(0, runs.indexOf(10)));
  }
  ask();
}

const doing = {
  play, wipe, borrow,
  keep: () => give("keep"), ask: () => give("ask"),
  back: () => { pause(); go(now.frame - 1); },
  on: () => { pause(); go(now.frame + 1); },
  loop: () => { now.loop = !now.loop; $("[data-do=loop]").setAttribute("aria-pressed", now.loop); },
  dice: () => sow(String(Math.floor(Math.random() * 2 ** 31))),
  reset: () => { wipe(); turn({...START}); },
  picture: () => print([cells.map((cell) => cell.firstChild)], `${film.order.experiment}_run-${article.dataset.run}_seed-${seed(0)}.png`, SIDE),
};

const thumb = () => make("button", {type: "button"}, blank(), make("span"));
$(".grid").replaceChildren(...cells);
$(".film").replaceChildren(...Array.from({length: THUMBS}, thumb));
$(".neighbours").replaceChildren(...Array.from({length: 3}, () => make("figure", {}, make("canvas", {width: 28, height: 28, role: "img"}), make("figcaption"))));
$(".grid").onclick = (event) => choose(cells.indexOf(event.target.closest(".cell")));
$(".grid").onkeydown = (event) => {
  const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -SIDE, ArrowDown: SIDE}[event.key];
  if (!step) return;
  event.preventDefault();
  event.stopPropagation();
  cells[clamp(cells.indexOf(event.target.closest(".cell")) + step, 0, CELLS - 1)].focus();
};

function choose(cell) {
  if (cell < 0 || !film) return;
  now.cell = cell;
  address.sow(seed(cell));
  go(now.frame);
  if ($(".one").getBoundingClientRect().top > innerHeight) $(".one").scrollIntoView({behavior: "smooth"});
}

element.addEventListener("click", (event) => {
  const button = event.target.closest("button"), knob = button?.closest(".options")?.dataset.knob;
  if (knob === "experiment") open(button.value);
  else if (knob) turn({[knob]: button.value});
  else if (button?.dataset.frame) { pause(); go(Number(button.dataset.frame)); }
  else if (film) doing[button?.dataset.do]?.();
});
$(".scrub").oninput = ({target}) => { pause(); go(Number(target.value)); };
$$("input[data-knob]").forEach((input) => {  // a film takes a second or two: ask when the handle is let go
  input.oninput = () => { now[input.dataset.knob] = Number(input.value); knobs(); };
  input.onchange = () => turn({});
});
$("[name=seed]").onchange = ({target}) => sow(target.value.trim());
$(".knobs").onsubmit = (event) => { event.preventDefault(); sow($("[name=seed]").value.trim()); };
$("[type=file]").onchange = ({target}) => { if (target.files[0]) upload(target.files[0]); target.value = ""; };
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, select, textarea, [role=tab]")) return;
  const space = event.key === " " && !event.target.closest("button, summary");
  const act = space ? "play" : {ArrowLeft: "back", ArrowRight: "on", k: "keep"}[event.key];
  if (act && film && article.offsetParent) { event.preventDefault(); doing[act](); }
});
window.addEventListener("that-are-not-runs", hear);
redip(() => { if (film) go(now.frame); easel(); });
hold($(".canvas"));
$(".tune").open = !matchMedia("(max-width: 639px)").matches;  // on a phone the pictures come first
dip();
footer(() => `${film.order.experiment}_run-${article.dataset.run}_seed-${seed(0)}`, settings);
address.shown(() => { const chosen = address.seed(2 ** 32 - CELLS); if (chosen !== undefined && chosen !== now.seed) turn({seed: chosen}); }, pause);
open(now.experiment);
