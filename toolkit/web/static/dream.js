// The tab "Dream": pictures that are changed until a layer of a network responds, until they have the style of others,
// or until they are read as something else. Frames come while the server works; a slider goes back through them.
import {blankCanvas, cssValue, loadImage, loadSheet, paint, pngUrl, rgbaOf} from "./canvas.js";
import {html, make, onActions, plainChoices, setSlider} from "./controls.js";
import {saveAnimation, saveCanvas, saveSheet} from "./download.js";
import {GalleryTab} from "./gallery.js";
import {Request} from "./request.js";
import {Sketchpad, pixelsOf} from "./sketchpad.js";
import {takeOver} from "./tabs.js";
import {counted, percentOf, short} from "./text.js";
import {decimal, matching, oneOf, whole} from "./url_state.js";

const MODES = [["dream", "Dream"], ["style", "Style"], ["fool", "Fool"]];
const STARTS = {noise: "noise", symbol: "a symbol", digit: "a digit", garment: "a garment", own: "yours"};
const LOOKS = [["symbols", "symbols that are not"], ["clothes", "clothes"], ["digits", "digits"]];
const METHODS = [["fgsm", "one step"], ["pgd", "ten steps"]], SIZES = [128, 224, 320];
const PAD = 224, BEAT = 120, HOLD = 1500;  // pixels; milliseconds of a frame, and of the last one
let tab, now, $, $$, write, pad, fooling;
let networks, runs, classes, defaults, many, across;  // of the page's first message
let wanted = null;      // the pictures asked for last: {order, shape, count, shown, frames, response, received, reads}
let pressed = false;    // whether what takes seconds may be asked for
let decoding = Promise.resolve();

const networkOf = ({network}) => networks.find(({name}) => name === network);
const isSmall = (order) => networkOf(order).small;
const padOf = (order) => ({...networkOf(order), ...(isSmall(order) ? {} : {size: PAD})});
const countOf = (order) => (isSmall(order) && order.start !== "own" ? many : 1);
const wordsOf = ({network, layer}) => networkOf({network}).layers.find(([name]) => name === layer)?.[1] ?? layer;
const frameOnShow = () => Math.min(now.frame ?? Infinity, tab.shown.frames.length - 1);

/** Settings that follow from what is done, and by which network. */
function usualSettings(mode, {name, small, usual}) {
  const fooled = name.includes("fashion") ? "garment" : "digit";
  const dreamt = small && runs.length ? "symbol" : "noise";
  const start = {dream: dreamt, style: small ? "digit" : "garment", fool: fooled}[mode];
  const {layer, octaves} = usual, steps = mode === "style" ? usual.styleSteps : usual.steps;
  return {layer, octaves, steps, start, which: "", strength: 1, weight: 1, channel: -1, cell: 0};
}

// ---- requests
function order() {
  const {mode, frame, cell, method, epsilon, ...rest} = now, image = now.start === "own" ? ownPicture() : null;
  const common = {...rest, image};
  return mode === "fool" ? {...common, method, epsilon} : {...common, mode};
}

function ownPicture() {
  return pad.pixels && pngUrl(pad.pixels, pad.side, pad.channels);
}

function ask() {
  const lacksPicture = now.start === "own" && !pad.pixels, mayAsk = pressed || now.mode === "fool" || isSmall(now);
  if (lacksPicture || !mayAsk) {
    tab.request.forget();
    return showRun();
  }
  const own = {...order(), mode: now.mode};
  wanted = {order: own, key: JSON.stringify(own), frames: [], received: 0};
  now.frame = null;
  if (now.mode === "fool") {
    tab.request.stop();
    fooling.send(order(), wanted);
  } else tab.request.send(order(), wanted);
  showRun();
}

function run() {  // or stop
  if (tab.request.busy && now.mode !== "fool") return tab.request.stop();
  pressed = true;
  tab.change();
  pressed = false;
}

function onResponse({shape, count, shown, frames = [], response, done, error}, pictures) {
  Object.assign(pictures, {shape, count, shown, response});
  frames.slice(pictures.received).forEach((frame) => decode(pictures, frame));
  pictures.received = frames.length;
  if (done) end(pictures, error);
}

function decode(pictures, frame) {  // one after the other
  decoding = decoding.then(() => cut(pictures, frame)).then((pixels) => {
    pictures.frames.push(pixels);
    show(pictures);
  });
}

async function cut({shape, count}, sheet) {
  return (await loadSheet(sheet, Math.min(across, count), shape[0])).pixels;
}

function onFooled({shape, count, before, after, added, reads, error}, pictures) {
  Object.assign(pictures, {shape, count, shown: [0, 1], reads});
  if (!error) {
    const sheets = [before, after, added].map((sheet) => cut(pictures, sheet));
    decoding = decoding.then(() => Promise.all(sheets)).then(([one, other, change]) => {
      Object.assign(pictures, {frames: [one, other], added: change});
      show(pictures);
    });
  }
  end(pictures, error);
}

function end(pictures, error) {
  tab.figure.during(decoding = decoding.then(() => {
    pictures.done = true;
    if (pictures === wanted) {
      tab.onEnd(error);
      if (!error && lost) tab.figure.showProblem(lost);
      lost = "";
    }
    if (tab.shown) redraw();
    showRun();
  }));
}

// ---- the pictures
function show(pictures) {
  if (pictures !== wanted) return;
  tab.shown = pictures;
  redraw();
}

function redraw() {
  const {frames, shown, count, shape, reads} = tab.shown, at = frameOnShow(), small = shape[1] < 64;
  now.cell = Math.min(now.cell, count - 1);
  tab.figure.article.classList.toggle("large", !small);
  tab.cells.forEach((cell, k) => {
    const read = reads?.[k];
    cell.hidden = k >= count;
    cell.lastChild.innerHTML = html`${read?.[0]}${read && read[0] !== read[2] && html` → <b>${read[2]}</b>`}`;
  });
  tab.paint([frames[at]], (k, seed) =>
    `Seed ${seed}, ${reads?.[k] ? `read as ${reads[k][at ? 2 : 0]}` : `step ${shown[at]}`}`);
  showSteps(at);
  showOne(at, small);
  showSums();
  showCaption();
}

function showSteps(at) {
  const {frames, shown, reads} = tab.shown, last = shown.at(-1);
  setSlider($(".passing input"), at, {max: shown.length - 1, text: `step ${shown[at]} of ${last}`});
  $(".passing input").disabled = frames.length < 2;
  write({".passing output": reads ? ["before", "after"][at] : `step ${shown[at]} of ${last}`});
}

function showOne(at, small) {  // one picture, at the start and now; or as it is read
  const {frames, shown, shape, reads, added} = tab.shown;
  $(".one").hidden = !small && !reads;
  if (!reads) return tab.showPair([frames[0], frames[at]], ["the start", `after ${counted(shown[at], "step")}`]);
  const [one, sure, other, surer] = reads[now.cell], third = $$(".trio figure")[2], what = "difference × 10";
  const captions = [["read as", one, sure], ["now as", other, surer]];
  tab.showPair(frames, captions.map(([word, name, share]) => html`${word} <b>${name}</b>, ${percentOf(share)}`));
  third.hidden = false;
  paint(third.firstChild, shape, added, now.cell);
  third.lastChild.textContent = what;
  third.firstChild.setAttribute("aria-label", `Seed ${tab.selectedSeed}: ${what}`);
}

function showSums() {
  const {response, reads, count} = tab.shown, changed = reads?.filter(([one, , other]) => one !== other).length;
  const [before, after] = response?.map((value) => short(value, 2)) ?? [];
  $(".sums").innerHTML = html`
    ${reads && html`<b>${changed}</b> of ${count} ${count === 1 ? "is" : "are"} read as something else`}
    ${response && html`the layer's response: <b>${before}</b> at the start, <b>${after}</b> at the end`}`;
}

// ---- the knobs, and all that is said of them in words
const STARTED = {
  noise: "noise", symbol: "symbols that are not", digit: "digits", garment: "garments", own: "your picture",
};

function explanation() {
  const {mode, strength, epsilon} = now, {title, small} = networkOf(now);
  const each = countOf(now) > 1 ? "each picture" : "the picture";
  const network = `a network that learned ${small ? title.toLowerCase() : "photographs of a thousand things"}`;
  if (mode === "fool") {
    return epsilon ? `Each pixel moves by at most ${short(epsilon)} of the way from black to white, to where it makes `
      + `${network} least sure of what it read.` : "Nothing moves: both pictures are the same.";
  }
  if (!strength) return "Nothing is changed: every step is the start.";
  if (mode === "style") {
    const [, look] = LOOKS.find(([name]) => name === now.look);
    return `From ${STARTED[now.start]}: ${each} keeps its shapes and takes the textures of a sheet of ${look}, both as `
      + `${network} sees them.`;
  }
  return `From ${STARTED[now.start]}: each step changes ${each} a little, so that what answers to ${wordsOf(now)} in `
    + `${network} answers more.`;
}

function showControls() {
  const {mode, start, strength, weight, steps, octaves, epsilon, seed, channel} = now, network = networkOf(now);
  const words = {for: mode, with: start, net: network.small ? "small" : "large"};
  $$(".knob").forEach((knob) => {
    knob.hidden = Object.entries(words).some(([key, word]) => !(knob.dataset[key] ?? word).split(" ").includes(word));
  });
  const run = runs.find(({name}) => name === now.experiment), starts = Object.entries(STARTS);
  tab.controls.show({...now, channel: channel < 0 ? "" : channel}, {
    mode: MODES, network: networks.map(({name, title}) => [name, title]), layer: network.layers, look: LOOKS,
    start: starts.filter(([name]) => runs.length || name !== "symbol"), method: METHODS, size: plainChoices(SIZES),
    which: [["", "any"], ...plainChoices(classes[start] ?? [])],
    experiment: runs.map(({name, title}) => [name, `${name}: ${title}`]),
    iteration: plainChoices(run?.iterations ?? []),
  }, {
    strength: `× ${strength.toFixed(1)}`, weight: `× ${weight.toFixed(2)}`, steps: String(steps),
    octaves: String(octaves), epsilon: epsilon.toFixed(2),
    seed: countOf(now) > 1 ? `${seed} to ${seed + many - 1}` : String(seed),
  });
  write({".says": explanation()});
  showPad();
  showRun();
  writeUrl();
}

function showPad() {
  const {size, channels} = padOf(now);
  pad.resize(size, channels);  // which wipes a drawing of another size
  write({".hint": pad.pixels ? `${pad.note}It is where the first step begins.`
    : "Draw here with pointer or finger, or upload a photograph: its middle square is taken."});
  $("[data-do=wipe]").disabled = !pad.pixels;
}

function showRun() {
  const isBusy = tab.request.busy, isFool = now.mode === "fool", lacks = now.start === "own" && !pad.pixels;
  const isOther = Boolean(tab.shown) && JSON.stringify({...order(), mode: now.mode}) !== wanted?.key;
  write({"[data-do=run]": isBusy ? "Stop" : "Begin"});
  $("[data-do=run]").disabled = !isBusy && lacks;
  $("[data-do=run]").hidden = isFool;
  const isDue = isOther && !isBusy && !isFool;
  $(".grid").classList.toggle("unlike", isDue);
  write({".due": lacks ? "Draw or upload a picture, at the knobs: it begins there."
    : isDue ? "Press Begin to see what the knobs say now." : ""});
}

function facts({network, mode, layer, channel, strength, steps, octaves, look, weight, epsilon, method, size}) {
  if (mode === "fool") return [`epsilon ${epsilon}`, method.toUpperCase()];
  const how = [`strength ${strength}`, counted(steps, "step"), ...(isSmall({network}) ? [] : [`${size} pixels`])];
  if (mode === "style") return [`style of ${look}`, `weight ${weight}`, ...how];
  const one = channel < 0 ? [] : [`channel ${channel}`];
  return [`layer ${layer} (${wordsOf({network, layer})})`, ...one, ...how, counted(octaves, "octave")];
}

function startFacts({start, which, experiment, iteration}) {
  const others = {noise: "noise", own: "a picture of yours", symbol: `${experiment}, iteration ${iteration}`};
  return others[start] ?? `${start} ${which}`.trim();
}

function showCaption() {
  const {order: its, count} = tab.shown, last = its.seed + count - 1;
  const seeds = count > 1 ? `Seeds ${its.seed} to ${last}` : `Seed ${its.seed}`;
  const what = {dream: "dream", style: "style transfer", fool: "adversarial"}[its.mode];
  tab.figure.writeCaption(`${its.network}: ${what}, ${facts(its).join(", ")}. From ${startFacts(its)}. ${seeds}`);
}

function writeUrl() {
  const {mode, network, layer, channel, strength, octaves, steps, start, which, experiment, iteration, size, look,
    weight, epsilon, method, seed, cell} = now;
  const own = {
    dream: {layer, ...(channel < 0 ? {} : {channel}), strength, steps, octaves}, style: {look, weight, strength, steps},
    fool: {epsilon, method},
  }[mode];
  const origin = {own: {}, symbol: {start, run: experiment, iteration}}[start] ?? {start, ...(which ? {which} : {})};
  tab.url.write({mode, network, ...own, ...origin, ...(isSmall(now) ? {} : {size}), seed, ...(cell ? {cell} : {})});
}

function settings() {  // of the pictures on show
  const {order: {image, ...rest}, count, shown} = tab.shown;
  return {...rest, ...(rest.start === "own" ? {image} : {}), pictures: count, step: shown[frameOnShow()],
    selected_seed: tab.selectedSeed};
}

function picture() {
  const {order: its, frames, shown} = tab.shown, at = frameOnShow(), from = `from ${startFacts(its)}`;
  return {pixels: frames[at], facts: [its.network, its.mode, ...facts(its), from, `step ${shown[at]}`]};
}

// ---- files
function canvasesOf(pixels) {
  const {shape, count} = tab.shown;
  return Array.from({length: count}, (_, k) => {
    const canvas = blankCanvas();
    paint(canvas, shape, pixels, k);
    return canvas;
  });
}

function savePicture() {  // small pictures on a sheet with a caption, a large one as it is
  const pictures = canvasesOf(tab.shown.frames[frameOnShow()]), name = `${fileName()}.png`;
  if (isSmall(tab.shown.order)) saveSheet(tab.figure, [pictures], name, Math.min(across, pictures.length));
  else saveCanvas(pictures[0], name);
}

function saveFilm() {
  const {frames, shape, count} = tab.shown, columns = Math.min(across, count), scale = shape[1] < 64 ? 4 : 1;
  const step = shape[1] * scale + (scale > 1 ? 8 : 0), rows = Math.ceil(count / columns);
  const drawn = frames.map((pixels, i) => {
    const sheet = make("canvas", {width: columns * step, height: rows * step}), context = sheet.getContext("2d");
    Object.assign(context, {imageSmoothingEnabled: false, fillStyle: cssValue("--paper")});
    context.fillRect(0, 0, sheet.width, sheet.height);
    canvasesOf(pixels).forEach((one, k) => context.drawImage(
      one, (k % columns) * step, Math.floor(k / columns) * step, shape[2] * scale, shape[1] * scale));
    return [sheet, i === frames.length - 1 ? HOLD : BEAT];
  });
  tab.figure.showProblem(saveAnimation(`${fileName()}.webp`, drawn));
}

const fileName = () => `${tab.shown.order.network}_${tab.shown.order.mode}_seed-${tab.shown.order.seed}`;

// ---- what a visitor does
function onKnob(knob, value, isFinal) {
  if (knob === "frame") {
    now.frame = value >= tab.shown.shown.length - 1 ? null : value;
    return redraw();
  }
  if (now[knob] === value && !isFinal) return;
  now[knob] = value;
  if (knob === "mode" || knob === "network") Object.assign(now, usualSettings(now.mode, networkOf(now)));
  if (knob === "start") now.which = "";
  if (knob === "experiment") now.iteration = runs.find(({name}) => name === value).iterations.at(-1);
  if (isFinal) tab.change();
  else showControls();
}

function setChannel({target}) {
  const text = target.value.trim();
  if (/^\d{0,4}$/.test(text)) return tab.change({channel: text ? Number(text) : -1});
  tab.figure.showProblem(`“${text.slice(0, 40)}” is no channel: give a number from 0, or nothing for all of them.`);
}

/** Begin at a picture from another tab, in any size. */
async function receive({light, side, channels, caption}) {
  const {size, channels: planes} = padOf(now), image = await loadImage(pngUrl(light, side, channels));
  const rgba = rgbaOf(size, size, (context) => {
    context.imageSmoothingQuality = "high";
    context.drawImage(image, 0, 0, size, size);
  });
  pad.resize(size, planes);
  pad.set(pixelsOf(rgba, size, planes).pixels, `It is ${caption}. `);
  pressed = true;
  tab.change({start: "own", which: ""});
  pressed = false;
}

let lost = "";  // what a link names that is not there, in a sentence

function read(url) {
  const names = networks.map(({name}) => name), [run] = runs;
  const linked = url.read({
    mode: oneOf(MODES.map(([name]) => name)), network: oneOf(names), layer: matching(/^[\w.-]{1,40}$/),
    channel: whole(0, 9999), strength: decimal(0, 4), octaves: whole(1, 5), steps: whole(1, 60),
    start: oneOf(Object.keys(STARTED).filter((name) => name !== "own")), which: (text) => text,
    run: oneOf(runs.map(({name}) => name)), iteration: whole(1, 999), size: oneOf(SIZES),
    look: oneOf(LOOKS.map(([name]) => name)), weight: decimal(0, 10),
    epsilon: decimal(0, 0.3), method: oneOf(METHODS.map(([name]) => name)), cell: whole(0, many - 1),
  });
  const {mode = defaults.mode, network = names[0], run: experiment = run?.name ?? "", ...rest} = linked;
  const its = networkOf({network});
  if (rest.layer && !its.layers.some(([name]) => name === rest.layer)) {
    lost = `The network of ${its.title.toLowerCase()} has no layer “${rest.layer}”: choose one of them.`;
    delete rest.layer;
  }
  const {iterations = []} = runs.find(({name}) => name === experiment) ?? {};
  const settings = {...settingsOf(mode, network), experiment, iteration: iterations.at(-1) ?? 0, ...rest};
  if (settings.start === "symbol" && !runs.length) settings.start = "noise";
  if (!iterations.includes(settings.iteration)) settings.iteration = iterations.at(-1) ?? 0;
  if (!classes[settings.start]?.includes(settings.which)) settings.which = "";
  return settings;
}

function settingsOf(mode, network) {  // at first; but for the symbols, which are of one run or another
  const {image, experiment, iteration, ...rest} = {...defaults, ...usualSettings(mode, networkOf({network}))};
  return {...rest, mode, network, frame: null};
}

export default function start(given) {
  const {missing} = given.props.value;
  ({networks, runs, classes, start: defaults, many, across} = given.props.value);
  tab = new GalleryTab(given, {
    tab: "dream", models: networks, modelKey: "network", nameOf: ({title}) => title.toLowerCase(), read,
    initial: () => settingsOf(defaults.mode, networks[0].name),
    count: many, grid: ".grid", extra: () => [make("span")], ask, showControls, redraw, onKnob, picture, settings,
    fileName, event: "dream", channel: "that-are-not-dreamt", onResponse,
    options: {cancels: true, slow: () => !tab.shown}, actions: {picture: savePicture, film: saveFilm},
  });
  ({now, figure: {$, $$, write}} = tab);
  fooling = new Request(tab.figure, "fool", {
    channel: "that-are-not-fooled", onResponse: onFooled, advice: "turn a knob to ask it again", cancels: true,
  });
  pad = new Sketchpad($(".canvas"), {onStroke: showPad, onDone: () => tab.change()});
  pad.upload(tab.figure, () => tab.change());
  onActions(tab.figure, {run, wipe: () => { pad.set(null); tab.change(); }});
  $("[name=channel]").onchange = setChannel;
  write({".missing": missing ?? ""});
  pressed = true;
  if (!takeOver("Dream", (what) => tab.figure.during(receive(what)))) tab.open();
  pressed = false;
}
