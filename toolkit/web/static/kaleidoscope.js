// The tab "Kaleidoscope": 64 starts through one network, run after run; a slider over the runs, play, knobs, one cell.
// A film comes part by part and is played here. Until the first comes, the stored sheet shows.
import {blankCanvas, fromBase64, loadSheet, onThemeChange, paint, paintGrey, toBase64} from "./canvas.js";
import {Controls, Player, REDUCED_MOTION, clamp, elementOf, figureOf, html, make, onActions, onKeys, randomSeed, reveal,
  seedField, setSlider} from "./controls.js";
import {addShareButtons, saveSheet} from "./download.js";
import {Gallery, newThumbs, pictureAt, showThumb} from "./gallery.js";
import {Request} from "./request.js";
import {Sketchpad} from "./sketchpad.js";
import {offerPicture} from "./tabs.js";
import {short} from "./text.js";
import {UrlState, decimal, oneOf, whole} from "./url_state.js";

const STARTS = ["uniform", "normal", "drawing"], MODES = ["centred", "published", "none"], COLUMNS = 8;
const BEAT = 110, LABELLED = [0, 1, 2, 5, 10, 20, 50, 100, 200, 300];  // milliseconds; runs
const ONE = 65535, THUMBS = 12;    // a distance of 1 in the facts; frames of the strip of one cell
const references = new Map();      // data set -> its images as pixels, once they are asked for
let figure, $, $$, article, url, request, controls, player, pad, gallery;
let networks, defaults, cellCount, version;  // of the page's first message
let now;                 // the settings asked for, the frame and the cell on show
let film = null;         // the one on show: {order, shape, runs, neighbours, frames, facts, distinct, done}
let wanted = null;       // the one asked for last
let linkedRun;           // the run that a link names, until it is on show
let unpacking = Promise.resolve();

const network = (name = now.experiment) => networks.find((each) => each.name === name);
const seedOf = (cell) => film.order.seed + cell;
const sizeOf = ({shape}) => shape[0] * shape[1] * shape[2];
const lastFrame = () => film.frames.length - 1;

// ---- requests
function currentOrder() {
  const {experiment, start, runs, perturbation, mode, seed} = now;
  return {experiment, start, runs, perturbation, mode, seed, image: start === "drawing" ? toBase64(pad.pixels) : null};
}

function update(changes) {
  Object.assign(now, changes);
  showControls();  // which wipes a drawing of another size
  if (now.start === "drawing" && !pad.pixels) return stay();
  const order = currentOrder(), key = JSON.stringify(order);
  if (key === wanted?.key) return;  // it is there, or on its way
  wanted = {order, key, frames: [], facts: [], distinct: [], received: 0, done: false};
  article.dataset.state = "asked";
  request.send(order, wanted);
  showWaking();
}

function stay() {  // at what is on show; there is nothing to ask for
  if (!request.superseded) return;
  request.forget();
  wanted = null;
  article.dataset.state = "drawn";
  showWaking();
}

function change(changes) {  // of a knob; a problem with the one before is over
  figure.showProblem("");
  update(changes);
}

function onResponse({shape, runs, neighbours, parts = [], done, error}, its) {
  Object.assign(its, {shape, runs, neighbours});
  for (const part of parts.slice(its.received)) {
    unpacking = unpacking.then(() => unpack(its, part)).then(() => showFrames(its));
  }
  its.received = parts.length;
  if (done) unpacking = unpacking.then(() => onEnd(its, error));
}

function onEnd(its, error) {
  its.done = true;
  if (error) its.key = null;
  if (its !== wanted) return;
  figure.showProblem(error);
  gallery.markStale(error);
  article.dataset.state = "drawn";
  showWaking();
}

function showWaking() {
  const other = film && article.dataset.state === "asked" && film.order.experiment !== now.experiment;
  gallery.showWaking(figure, other && network().title, network(film?.order.experiment)?.title);
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

async function unpack(into, part) {
  addFrames(into.frames, await inflate(part.light), cellCount * sizeOf(into));
  const facts = new Uint16Array(fromBase64(part.facts).buffer), each = cellCount * (1 + 2 * into.neighbours);
  for (let at = 0; at < facts.length; at += each) into.facts.push(facts.subarray(at, at + each));
  into.distinct.push(...part.distinct);
}

// kind: 0 is how far the cell moved; then the distances of its neighbours; then their rows in the training data
const fact = (frame, kind, cell) => film.facts[frame][kind * cellCount + cell];
const distance = (frame, kind, cell) => fact(frame, kind, cell) / ONE;

function meanDistance(frame, kind) {
  const values = film.facts[frame].subarray(kind * cellCount, (kind + 1) * cellCount);
  return values.reduce((sum, value) => sum + value, 0) / cellCount / ONE;
}

function showFrames(newer) {  // another film begins at its start; the first, where the eye is
  if (newer !== wanted) return;
  if (newer !== film) {
    const stay = !film?.facts.length || REDUCED_MOTION.matches || linkedRun !== undefined;
    const run = linkedRun ?? film?.runs[now.frame] ?? 0;
    const from = stay ? Math.max(0, newer.runs.findIndex((its) => its >= run)) : 0;
    if (newer.frames.length <= from) return;
    film = newer;
    linkedRun = undefined;
    now.frame = from;
    showWaking();
    showTicks();
    showPad();
    if (!stay) player.start();
  }
  showFrame(now.frame);
}

async function open(experiment) {
  now.experiment = experiment;
  const {sheet, size, runs} = network();
  if (sheet && !film) {
    const {pixels, channels, columns} = await loadSheet(sheet, (width) => width / size);
    const length = columns * size * size * channels;
    const frames = runs.map((_, i) => pixels.subarray(i * length, (i + 1) * length));
    const order = {...defaults, experiment}, shape = [channels, size, size];
    film = {order, shape, runs, neighbours: 0, frames, facts: [], distinct: [], done: true};
    showTicks();
    showFrame(Math.max(0, runs.indexOf(10)));
  }
  update({});
}

// ---- the grid
function showFrame(frame) {
  now.frame = clamp(frame, 0, lastFrame());
  const pixels = film.frames[now.frame], run = film.runs[now.frame], end = film.runs.at(-1);
  gallery.paint(film.shape, [pixels], (k) => `Seed ${seedOf(k)} after ${run} runs`);
  gallery.select(now.cell);
  setSlider($(".scrub"), now.frame, {max: film.runs.length - 1, text: `run ${run} of ${end}`});
  article.dataset.run = $(".numeral").textContent = run;
  const origin = film.order.start === "drawing" ? "your start" : "the noise";
  $(".where b").textContent = run ? (run === 1 ? "run" : "runs") : origin;
  $(".where span").textContent = run ? `of ${end}` : "no run yet";
  $(".grid").setAttribute("aria-label", `${cellCount} pictures after ${run} runs. Arrow keys move, Enter selects.`);
  article.dataset.ready = "true";
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

function showTicks() {
  const tick = ([run, place, room]) => make("span", {textContent: room ? run : "", style: `left: ${100 * place}%`});
  $(".ticks").replaceChildren(...tickPlaces(film.runs).map(tick));
}

function select(cell) {
  if (!film) return;
  now.cell = cell;
  url.chooseSeed(seedOf(cell));
  showFrame(now.frame);
  reveal($(".one"));
}

// ---- curves over the runs, on the scale of the slider
const linear = (value, top) => value / top;
export const decades = (value) => clamp(1 + Math.log10(value) / 4, 0, 1);

function showCurves() {
  const count = film.facts.length;
  const panels = [{
    name: "movement", all: (frame) => meanDistance(frame, 0), one: (frame) => distance(frame, 0, now.cell),
    title: "How far the pictures moved in this run: 1 is black against white; a quarter of the height is a factor of "
      + "ten", scale: decades,
  }, {
    name: "distance to data", all: (frame) => meanDistance(frame, 1), one: (frame) => distance(frame, 1, now.cell),
    title: "How far the pictures are from the nearest of 1,000 training images: 0 is a copy, 1 black against white",
  }, {
    name: "pictures left", all: (frame) => film.distinct[frame],
    title: "How many different pictures are left among the 64",
  }];
  $(".curves").hidden = count < 2;
  if (count < 2) return;
  const shown = panels.filter(({name}) => name !== "distance to data" || film.neighbours);
  $(".curves").replaceChildren(...shown.map((panel) => curve(panel, count, Math.min(now.frame, count - 1))));
}

function curve({name, all, one, title, scale = linear}, count, here) {  // the mean of all cells, and the one selected
  const frames = Array.from({length: count}, (_, frame) => frame).slice(one ? 1 : 0);  // the start has not moved
  const values = frames.map(all), own = one ? frames.map(one) : [], last = film.runs.length - 1;
  const top = Math.max(...values, ...own, 1e-6), x = (frame) => (3 + (194 * frame) / Math.max(1, last)).toFixed(1);
  const line = (numbers, kind) => {
    const points = numbers.map((value, i) => `${x(frames[i])},${(61 - 58 * scale(value, top)).toFixed(1)}`);
    return html`<polyline class="${kind}" points="${points.join(" ")}"/>`;
  };
  const say = (value) => (one ? short(value, 2) : String(value)), mean = say(all(here));
  const label = `${name}: ${mean} at run ${film.runs[here]}`;
  const made = elementOf(html`
    <div class="curve" title="${title}"><p><span>${name}</span></p>
    <p><b class="mean">${mean}</b>${one && here ? html`<b>${say(one(here))}</b>` : ""}</p><div>
    <svg viewBox="0 0 200 64" preserveAspectRatio="none" role="img" aria-label="${label}">
    <line x1="${x(here)}" x2="${x(here)}" y1="0" y2="64"/>${one && line(own, "mine")}${line(values, "")}
    </svg></div></div>`);
  made.lastChild.onclick = ({clientX}) => {
    const box = made.lastChild.getBoundingClientRect();
    goTo(Math.round(((clientX - box.left) / box.width) * last));
  };
  return made;
}

// ---- one cell, with its own film and the training images nearest to it
function showCell() {
  const {cell, frame} = now, run = film.runs[frame];
  $(".one .seed").textContent = seedOf(cell);
  paint($(".big"), film.shape, film.frames[frame], cell);
  $(".big").setAttribute("aria-label", `Picture of seed ${seedOf(cell)} after ${run} runs`);
  $(".one .note").textContent = run ? `after ${run} ${run === 1 ? "run" : "runs"}` : "the start";
  $$(".film button").forEach((button, i) => {
    const its = Math.round((i * (film.runs.length - 1)) / (THUMBS - 1)), isReady = its <= lastFrame();
    const {shape, frames, runs} = film, label = isReady ? `After ${runs[its]} runs` : "Not there yet";
    const what = {shape, pixels: frames[its], index: cell, text: runs[its]};
    showThumb(button, {...what, label, isPressed: its === frame, isReady});
    button.dataset.frame = its;
  });
  showNeighbours();
}

function showNeighbours() {
  const {cell, frame} = now, {data} = network(film.order.experiment);
  const count = frame < film.facts.length ? film.neighbours : 0, images = references.get(data);
  $(".near").hidden = !count || !images;
  if (count && !images) fetchReferences(data);
  if (!count || !images) return;
  const size = images.length / 1000;
  $$(".neighbours figure").forEach((each, i) => {
    const row = fact(frame, 1 + film.neighbours + i, cell), far = distance(frame, 1 + i, cell).toFixed(3);
    paintGrey(each.firstChild, images, row * size);
    each.firstChild.setAttribute("aria-label", `Training image ${row}, ${far} away`);
    each.lastChild.textContent = far;
  });
}

async function fetchReferences(data) {
  if (!data || references.has(data)) return;
  references.set(data, null);  // it is on its way
  const {sheet, columns} = await figure.server.known(data);
  references.set(data, (await loadSheet(sheet, columns)).pixels);
  showCell();
}

function offer(to) {  // the picture of the selected cell, as it stands there
  const {experiment, start, perturbation, mode} = film.order, [channels, side] = film.shape, run = film.runs[now.frame];
  const stirred = mode === "none" || !perturbation ? "not stirred" : `stirred by ${perturbation} (${mode})`;
  const caption = `${experiment}, run ${run}, ${start} start, ${stirred}, seed ${seedOf(now.cell)}`;
  offerPicture(to, {pixels: selectedPixels(), side, channels, caption});
}

const selectedPixels = () => pictureAt(film.frames[now.frame], film.shape, now.cell);

// ---- the knobs, and all that is said of them in words
function showControls() {
  const {mode, runs, perturbation, seed} = now, same = (name) => [name, name];
  controls.show(now, {
    experiment: networks.map(({name, title}) => [name, title]), start: STARTS.map(same), mode: MODES.map(same),
  }, {
    runs: String(runs), perturbation: mode === "none" ? "nothing" : perturbation.toFixed(3),
    seed: `${seed} to ${seed + cellCount - 1}`,
  });
  $("[data-knob=perturbation]").disabled = mode === "none";
  showPad();
}

function showPad() {
  pad.resize(network().size, network().channels);
  $(".pad").hidden = now.start !== "drawing";
  $(".hint").textContent = pad.pixels
    ? `${pad.note}The first row starts from it as it is; each row below, from more noise over it.`
    : "Draw here with pointer or finger. The network answers when you let go.";
  $("[data-do=wipe]").disabled = !pad.pixels;
}

function showCaption() {
  const {experiment, start, mode, perturbation} = film.order;
  const noise = start === "drawing" ? "a drawing, under more noise from row to row" : `${start} noise`;
  const stirred = mode === "none" || !perturbation ? "not stirred"
    : `stirred by ${perturbation} (${mode}) before each run but the first`;
  const run = `Run ${film.runs[now.frame]} of ${film.runs.at(-1)} from ${noise}, ${stirred}`;
  const seeds = `Seeds ${seedOf(0)} to ${seedOf(cellCount - 1)}`;
  $(".caption").textContent = `${experiment}: ${network(experiment).title}. ${run}. ${seeds}. That Are Not ${version}.`;
  const {experiment: asked, start: from, runs, perturbation: stir, mode: how, seed, cell} = now;
  const rest = {...(cell ? {cell} : {}), run: linkedRun ?? film.runs[now.frame]};
  const origin = from === "drawing" ? {} : {start: from};
  url.write({experiment: asked, ...origin, runs, stirred: stir, mode: how, seed, ...rest});
}

function settings() {  // of the pictures on show
  const {order: {image, ...order}} = film, {name: experiment, title, sha256} = network(order.experiment);
  const selected = {run: film.runs[now.frame], cells: cellCount, selected_seed: seedOf(now.cell)};
  const drawing = order.start === "drawing" ? {image} : {};
  return {tab: "kaleidoscope", version, ...order, ...drawing, experiment, title, sha256, ...selected};
}

// ---- what a visitor does
function goTo(frame) {
  player.stop();
  showFrame(frame);
}

function advance() {
  if (now.frame < lastFrame()) showFrame(now.frame + 1);
  else if (film.done) now.loop ? showFrame(0) : player.stop();  // else the next frames are on their way
}

function togglePlay() {
  if (player.playing) return player.stop();
  if (now.frame >= lastFrame()) showFrame(0);
  player.start();
}

function onKnob(knob, value, isFinal) {
  if (knob === "experiment") return open(value);
  now[knob] = value;
  if (isFinal) change({});
  else showControls();  // a film takes a second or two: ask when the handle is let go
}

const setSeed = (seed) => change({seed: url.chooseSeed(seed)});

export default function start({element, props, server, trigger}) {
  ({networks, start: defaults, cells: cellCount, version} = props.value);
  figure = {...figureOf(element), server, trigger};
  ({$, $$, article} = figure);
  const largestSeed = 2 ** 32 - cellCount;
  const fileName = () => `${film.order.experiment}_run-${article.dataset.run}_seed-${seedOf(0)}`;
  url = new UrlState("kaleidoscope", largestSeed);
  const {run, stirred, ...linked} = url.read({  // a drawing is in no link
    experiment: oneOf(networks.map(({name}) => name)), start: oneOf(["uniform", "normal"]), runs: whole(1, 300),
    stirred: decimal(0, 0.1), mode: oneOf(MODES), cell: whole(0, cellCount - 1), run: whole(0, 300),
  });
  linkedRun = run;
  now = {...defaults, experiment: networks[0].name, frame: 0, cell: 0, loop: false, ...linked};
  now.perturbation = stirred ?? defaults.perturbation;
  request = new Request(figure, "film", {
    channel: "that-are-not-runs", onResponse, advice: "turn a knob to ask it again", cancels: true,
  });
  player = new Player(article, BEAT, advance);
  pad = new Sketchpad($(".canvas"), {onStroke: showPad, onDone: () => change({})});

  controls = new Controls(element, onKnob);
  gallery = new Gallery($(".grid"), {count: cellCount, columns: () => COLUMNS, onSelect: select});
  const neighbour = () => make("figure", {}, Object.assign(blankCanvas(), {role: "img"}), make("figcaption"));
  $(".film").replaceChildren(...newThumbs(THUMBS));
  $(".neighbours").replaceChildren(...Array.from({length: 3}, neighbour));

  const actions = {
    play: togglePlay,
    back: () => goTo(now.frame - 1), on: () => goTo(now.frame + 1),
    keep: () => offer("keep"), ask: () => offer("ask"),
    borrow: () => { pad.set(selectedPixels()); change({}); },
    wipe: () => { pad.set(null); showPad(); },
    loop: () => { now.loop = !now.loop; $("[data-do=loop]").setAttribute("aria-pressed", now.loop); },
    dice: () => setSeed(randomSeed()),
    reset: () => { actions.wipe(); change({...defaults}); },
    picture: () => saveSheet(figure, [gallery.canvases(0)], `${fileName()}.png`, COLUMNS),
  };
  const whenThere = (act) => () => film && act();
  const guarded = Object.fromEntries(Object.entries(actions).map(([name, act]) => [name, whenThere(act)]));
  onActions(element, guarded);
  onKeys(article, {" ": guarded.play, ArrowLeft: guarded.back, ArrowRight: guarded.on, k: guarded.keep});
  $(".film").onclick = ({target}) => {
    const button = target.closest("button");
    if (button) goTo(Number(button.dataset.frame));
  };
  $(".scrub").oninput = ({target}) => goTo(Number(target.value));
  seedField($("[name=seed]"), largestSeed, setSeed, figure.showProblem);
  $("[type=file]").onchange = async ({target}) => {
    const [file] = target.files;
    target.value = "";
    if (!file) return;
    const problem = await pad.read(file);
    if (problem) figure.showProblem(problem);
    else change({});
  };
  onThemeChange(() => { if (film) showFrame(now.frame); pad.paint(); });
  addShareButtons(figure, fileName, settings);
  url.followSeed(() => now.seed, (seed) => change({seed}), () => player.stop());
  open(now.experiment);
}
