// The tab "Kaleidoscope": 64 starts through one network, run after run; a slider over the runs, play, knobs, one cell.
// A film comes part by part and is played here. Until the first comes, the stored sheet shows.
import {blankCanvas, fromBase64, loadSheet, paint, toBase64} from "./canvas.js";
import {Player, REDUCED_MOTION, clamp, elementOf, html, make, placeOn, plainChoices, setSlider} from "./controls.js";
import {GalleryTab, Strip, pictureAt} from "./gallery.js";
import {Sketchpad} from "./sketchpad.js";
import {short} from "./text.js";
import {decimal, oneOf, whole} from "./url_state.js";

const STARTS = ["uniform", "normal", "drawing"], MODES = ["centred", "published", "none"], COLUMNS = 8;
const BEAT = 110, LABELLED = [0, 1, 2, 5, 10, 20, 50, 100, 200, 300];  // milliseconds; runs
const ONE = 65535, THUMBS = 12;    // a distance of 1 in the facts; frames of the strip of one cell
const references = new Map();      // data set -> its images as pixels, once they are asked for
let tab, now, $, $$, write;        // tab.shown: a film, {order, shape, runs, neighbours, frames, facts, distinct, done}
let article, player, pad, strip;
let networks, defaults, cellCount;  // of the page's first message
let wanted = null;       // the film asked for last
let linkedRun;           // the run that a link names, until it is on show
let unpacking = Promise.resolve();

const frameOf = (thumb) => Math.round((thumb * (tab.shown.runs.length - 1)) / (THUMBS - 1));
const lastFrame = () => tab.shown.frames.length - 1;
const runWord = (run) => (run === 1 ? "run" : "runs");
const notStirred = ({mode, perturbation}) => mode === "none" || !perturbation;

// ---- requests
function ask() {
  if (now.start === "drawing" && !pad.pixels) {  // nothing to ask for: stay at what is on show
    if (tab.request.superseded) wanted = null;
    return tab.request.forget();
  }
  const {experiment, start, runs, perturbation, mode, seed} = now;
  const image = start === "drawing" ? toBase64(pad.pixels) : null;
  const order = {experiment, start, runs, perturbation, mode, seed, image}, key = JSON.stringify(order);
  if (key === wanted?.key) return;  // it is there, or on its way
  wanted = {order, key, frames: [], facts: [], distinct: [], received: 0, done: false};
  tab.request.send(order, wanted);
}

function onResponse({shape, runs, neighbours, parts = [], done, error}, film) {
  Object.assign(film, {shape, runs, neighbours});
  for (const part of parts.slice(film.received)) {
    unpacking = unpacking.then(() => unpack(film, part)).then(() => showFrames(film));
  }
  film.received = parts.length;
  if (done) tab.figure.during(unpacking = unpacking.then(() => onFilmEnd(film, error)));
}

function onFilmEnd(film, error) {
  film.done = true;
  if (error) film.key = null;
  if (film === wanted) tab.onEnd(error);
}

// ---- a film
async function inflate(text) {
  const stream = new Blob([fromBase64(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Frames of `size` bytes from what changed since the frame before; those of a film begin from nothing. */
export function addFrames(frames, changes, size) {
  for (let start = 0; start < changes.length; start += size) {
    const pixels = changes.slice(start, start + size), before = frames.at(-1);
    if (before) for (let i = 0; i < size; i++) pixels[i] += before[i];
    frames.push(pixels);
  }
  return frames;
}

async function unpack(film, part) {
  const {frames, shape, neighbours, facts, distinct} = film, [channels, height, width] = shape;
  addFrames(frames, await inflate(part.light), cellCount * channels * height * width);
  const all = new Uint16Array(fromBase64(part.facts).buffer), each = cellCount * (1 + 2 * neighbours);
  for (let at = 0; at < all.length; at += each) facts.push(all.subarray(at, at + each));
  distinct.push(...part.distinct);
}

// kind: 0 is how far the cell moved; then the distances of its neighbours; then their rows in the training data
const fact = (frame, kind, cell) => tab.shown.facts[frame][kind * cellCount + cell];
const distance = (frame, kind, cell) => fact(frame, kind, cell) / ONE;

function meanDistance(frame, kind) {
  const values = tab.shown.facts[frame].subarray(kind * cellCount, (kind + 1) * cellCount);
  return values.reduce((sum, value) => sum + value, 0) / cellCount / ONE;
}

function showFrames(newer) {  // another film begins at its start; the first, where the eye is
  if (newer !== wanted) return;
  if (newer !== tab.shown) {
    const stay = !tab.shown?.facts.length || REDUCED_MOTION.matches || linkedRun !== undefined;
    const run = linkedRun ?? tab.shown?.runs[now.frame] ?? 0;
    const from = stay ? Math.max(0, newer.runs.findIndex((its) => its >= run)) : 0;
    if (newer.frames.length <= from) return;
    linkedRun = undefined;
    openFilm(newer, from);
    if (!stay) player.start();
  }
  showFrame(now.frame);
}

function openFilm(film, frame) {
  tab.shown = film;
  const tick = ([run, place, room]) => make("span", {textContent: room ? run : "", style: `left: ${100 * place}%`});
  $(".ticks").replaceChildren(...tickPlaces(film.runs).map(tick));
  now.frame = frame;
  showPad();
}

function fromSheet({pixels, side, channels, columns}, {name: experiment, runs}) {
  const length = columns * side * side * channels;
  const frames = runs.map((_, i) => pixels.subarray(i * length, (i + 1) * length));
  const order = {...defaults, experiment}, shape = [channels, side, side];
  return {order, shape, runs, neighbours: 0, frames, facts: [], distinct: [], done: true};
}

// ---- the grid
function showFrame(frame) {
  now.frame = clamp(frame, 0, lastFrame());
  const {frames, runs, order} = tab.shown, run = runs[now.frame], end = runs.at(-1);
  tab.paint([frames[now.frame]], (_, seed) => `Seed ${seed} after ${run} runs`);
  setSlider($(".scrub"), now.frame, {max: runs.length - 1, text: `run ${run} of ${end}`});
  article.dataset.run = run;
  write({
    ".numeral": run, ".where span": run ? `of ${end}` : "no run yet",
    ".where b": run ? runWord(run) : order.start === "drawing" ? "your start" : "the noise",
  });
  $(".grid").setAttribute("aria-label", `${cellCount} pictures after ${run} runs. Arrow keys move, Enter selects.`);
  showCurves();
  showCell();
  showCaption();
}

/** Where labels of runs stand below the slider, from 0 to 1: [run, place, whether there is room for it] each. */
export function tickPlaces(runs, labelled = LABELLED) {
  let edge = -1;
  return labelled.filter((run) => run <= runs.at(-1)).map((run) => {
    const after = runs.findIndex((its) => its >= run), over = after && runs[after] - run;  // it may lie between two
    const place = (after - (over ? over / (runs[after] - runs[after - 1]) : 0)) / (runs.length - 1);
    const room = place - edge > 0.035;
    if (room) edge = place;
    return [run, place, room];
  });
}

// ---- curves over the runs, on the scale of the slider
const linear = (value, top) => value / top;
export const decades = (value) => clamp(1 + Math.log10(value) / 4, 0, 1);

function showCurves() {
  const {facts, distinct, neighbours} = tab.shown, count = facts.length;
  const panels = [{
    name: "movement", all: (frame) => meanDistance(frame, 0), one: (frame) => distance(frame, 0, now.cell),
    title: "How far the pictures moved in this run: 1 is black against white; a quarter of the height is a factor of "
      + "ten", scale: decades,
  }, {
    name: "distance to data", all: (frame) => meanDistance(frame, 1), one: (frame) => distance(frame, 1, now.cell),
    title: "How far the pictures are from the nearest of 1,000 training images: 0 is a copy, 1 black against white",
  }, {
    name: "pictures left", all: (frame) => distinct[frame],
    title: "How many different pictures are left among the 64",
  }];
  $(".curves").hidden = count < 2;
  if (count < 2) return;
  const shown = panels.filter(({name}) => name !== "distance to data" || neighbours);
  $(".curves").replaceChildren(...shown.map((panel) => curve(panel, count, Math.min(now.frame, count - 1))));
}

function curve({name, all, one, title, scale = linear}, count, here) {  // the mean of all cells, and the one selected
  const frames = Array.from({length: count}, (_, frame) => frame).slice(one ? 1 : 0);  // the start has not moved
  const values = frames.map(all), own = one ? frames.map(one) : [], last = tab.shown.runs.length - 1;
  const top = Math.max(...values, ...own, 1e-6), x = (frame) => (3 + (194 * frame) / Math.max(1, last)).toFixed(1);
  const line = (numbers, kind) => {
    const points = numbers.map((value, i) => `${x(frames[i])},${(61 - 58 * scale(value, top)).toFixed(1)}`);
    return html`<polyline class="${kind}" points="${points.join(" ")}"/>`;
  };
  const say = (value) => (one ? short(value, 2) : String(value)), mean = say(all(here));
  const label = `${name}: ${mean} at run ${tab.shown.runs[here]}`;
  const made = elementOf(html`
    <div class="curve" title="${title}"><p><span>${name}</span></p>
    <p><b class="mean">${mean}</b>${one && here ? html`<b>${say(one(here))}</b>` : ""}</p><div>
    <svg viewBox="0 0 200 64" preserveAspectRatio="none" role="img" aria-label="${label}">
    <line x1="${x(here)}" x2="${x(here)}" y1="0" y2="64"/>${one && line(own, "mine")}${line(values, "")}
    </svg></div></div>`);
  made.lastChild.onclick = (event) => goTo(Math.round(placeOn(made.lastChild, event) * last));
  return made;
}

// ---- one cell, with its own film and the training images nearest to it
function showCell() {
  const {cell, frame} = now, {shape, frames, runs} = tab.shown, run = runs[frame], seed = tab.selectedSeed;
  write({".one .seed": seed, ".one .note": run ? `after ${run} ${runWord(run)}` : "the start"});
  paint($(".big"), shape, frames[frame], cell);
  $(".big").setAttribute("aria-label", `Picture of seed ${seed} after ${run} runs`);
  strip.show(shape, Array.from({length: THUMBS}, (_, i) => {
    const its = frameOf(i), isReady = its <= lastFrame(), label = isReady ? `After ${runs[its]} runs` : "Not there yet";
    return {pixels: frames[its], index: cell, text: runs[its], label, isPressed: its === frame, isReady};
  }));
  showNeighbours();
}

function showNeighbours() {
  const {cell, frame} = now, {order, facts, neighbours} = tab.shown, {data} = tab.modelOf(order);
  const count = frame < facts.length ? neighbours : 0, images = references.get(data);
  $(".near").hidden = !count || !images;
  if (count && !images) tab.figure.during(fetchReferences(data));
  if (!count || !images) return;
  const side = Math.sqrt(images.length / 1000);
  $$(".neighbours figure").forEach((each, i) => {
    const row = fact(frame, 1 + neighbours + i, cell), far = distance(frame, 1 + i, cell).toFixed(3);
    paint(each.firstChild, [1, side, side], images, row);
    each.firstChild.setAttribute("aria-label", `Training image ${row}, ${far} away`);
    each.lastChild.textContent = far;
  });
}

async function fetchReferences(data) {
  if (!data || references.has(data)) return;
  references.set(data, null);  // it is on its way
  const {sheet, columns} = await tab.figure.server.known(data);
  references.set(data, (await loadSheet(sheet, columns)).pixels);
  showCell();
}

const selectedPixels = () => pictureAt(tab.shown.frames[now.frame], tab.shown.shape, now.cell);

function picture() {  // of the selected cell, as it stands there
  const {order, runs, frames} = tab.shown, {experiment, start, perturbation, mode} = order;
  const stirred = notStirred(order) ? "not stirred" : `stirred by ${perturbation} (${mode})`;
  return {pixels: frames[now.frame], facts: [experiment, `run ${runs[now.frame]}`, `${start} start`, stirred]};
}

// ---- the knobs, and all that is said of them in words
function showControls() {
  const {mode, runs, perturbation, seed} = now;
  tab.controls.show(now, {
    experiment: networks.map(({name, title}) => [name, title]), start: plainChoices(STARTS), mode: plainChoices(MODES),
  }, {
    runs: String(runs), perturbation: mode === "none" ? "nothing" : perturbation.toFixed(3),
    seed: `${seed} to ${seed + cellCount - 1}`,
  });
  $("[data-knob=perturbation]").disabled = mode === "none";
  showPad();
}

function showPad() {
  const {size, channels} = tab.modelOf(now);
  pad.resize(size, channels);  // which wipes a drawing of another size
  $(".pad").hidden = now.start !== "drawing";
  write({
    ".hint": pad.pixels ? `${pad.note}The first row starts from it as it is; each row below, from more noise over it.`
      : "Draw here with pointer or finger. The network answers when you let go.",
  });
  $("[data-do=wipe]").disabled = !pad.pixels;
}

function showCaption() {
  const {order, runs} = tab.shown, {experiment, start, mode, perturbation} = order, {title} = tab.modelOf(order);
  const noise = start === "drawing" ? "a drawing, under more noise from row to row" : `${start} noise`;
  const stirred = notStirred(order) ? "not stirred"
    : `stirred by ${perturbation} (${mode}) before each run but the first`;
  const run = `Run ${runs[now.frame]} of ${runs.at(-1)} from ${noise}, ${stirred}`;
  tab.figure.writeCaption(`${experiment}: ${title}. ${run}. Seeds ${tab.seed} to ${tab.seed + cellCount - 1}`);
  const origin = now.start === "drawing" ? {} : {start: now.start};
  const rest = {...(now.cell ? {cell: now.cell} : {}), run: linkedRun ?? runs[now.frame]};
  const asked = {runs: now.runs, stirred: now.perturbation, mode: now.mode, seed: now.seed};
  tab.url.write({experiment: now.experiment, ...origin, ...asked, ...rest});
}

function settings() {  // of the pictures on show
  const {order: {image, ...order}, runs} = tab.shown, {name: experiment, title, sha256} = tab.modelOf(order);
  const selected = {run: runs[now.frame], cells: cellCount, selected_seed: tab.selectedSeed};
  return {...order, ...(order.start === "drawing" ? {image} : {}), experiment, title, sha256, ...selected};
}

// ---- what a visitor does
function goTo(frame) {
  player.stop();
  showFrame(frame);
}

function onKnob(knob, value, isFinal) {
  now[knob] = value;
  if (knob === "experiment") tab.open();
  else if (isFinal) tab.change();
  else showControls();  // a film takes a second or two: ask when the handle is let go
}

function read(url) {
  const {run, stirred: perturbation = defaults.perturbation, ...linked} = url.read({  // a drawing is in no link
    experiment: oneOf(networks.map(({name}) => name)), start: oneOf(["uniform", "normal"]), runs: whole(1, 300),
    stirred: decimal(0, 0.1), mode: oneOf(MODES), cell: whole(0, cellCount - 1), run: whole(0, 300),
  });
  linkedRun = run;
  return {...defaults, experiment: networks[0].name, frame: 0, loop: false, ...linked, perturbation};
}

export default function start(given) {
  ({networks, start: defaults, cells: cellCount} = given.props.value);
  const wipe = () => { pad.set(null); showPad(); };
  tab = new GalleryTab(given, {
    tab: "kaleidoscope", models: networks, modelKey: "experiment", nameOf: ({title}) => title, read,
    initial: () => { wipe(); return defaults; },
    count: cellCount, grid: ".grid", columns: COLUMNS, savedCanvases: () => tab.cells.map((cell) => cell.firstChild),
    event: "film", channel: "that-are-not-runs", onResponse, options: {cancels: true}, ask,
    across: ({size}) => (width) => width / size, fromSheet,
    show: (film) => { openFilm(film, 0); showFrame(Math.max(0, film.runs.indexOf(10))); },
    showControls, redraw: () => { showFrame(now.frame); pad.paint(); }, onKnob, picture, settings,
    fileName: () => `${tab.shown.order.experiment}_run-${article.dataset.run}_seed-${tab.seed}`,
    actions: {
      play: () => player.toggle(), back: () => player.step(-1), on: () => player.step(1), wipe,
      borrow: () => { pad.set(selectedPixels()); tab.change(); },
      loop: (button) => { now.loop = !now.loop; button.setAttribute("aria-pressed", now.loop); },
    },
    keys: {" ": "play", ArrowLeft: "back", ArrowRight: "on"}, onHide: () => player.stop(),
  });
  ({now, figure: {$, $$, write, article}} = tab);
  player = new Player(article, BEAT, () =>
    ({at: now.frame, end: lastFrame(), go: showFrame, waits: !tab.shown.done, loops: now.loop}));
  pad = new Sketchpad($(".canvas"), {onStroke: showPad, onDone: () => tab.change()});
  pad.upload(tab.figure, () => tab.change());
  const neighbour = () => make("figure", {}, Object.assign(blankCanvas(), {role: "img"}), make("figcaption"));
  strip = new Strip($(".film"), (thumb) => goTo(frameOf(thumb)));
  $(".neighbours").replaceChildren(...Array.from({length: 3}, neighbour));
  $(".scrub").oninput = ({target}) => goTo(Number(target.value));
  tab.open();
}
