// The tab "Is it new?": one symbol, drawn, uploaded, grown or sent from another tab, and what is known of it.
import {blankCanvas, fromBase64, luminance, onThemeChange, paint, rgbaOf, toBase64} from "./canvas.js";
import {clamp, elementOf, figureOf, html, onActions, randomSeed} from "./controls.js";
import {addShareButtons, saveSheet} from "./download.js";
import {Request} from "./request.js";
import {Sketchpad} from "./sketchpad.js";
import {offerPicture, takeOver} from "./tabs.js";
import {percentOf, short} from "./text.js";
import {UrlState} from "./url_state.js";

const SIDE = 28, UNDO_STEPS = 50;  // pixels
let figure, $, $$, article, url, request, pad;
let run, iteration;           // of the page's first message
const now = {source: "", seed: null, drawnOver: false};  // source: where the symbol comes from, in words
const past = [];              // what was on the pad before
let shown = null;             // the newest response

const seedIn = (caption) => Number(caption.match(/seed (\d+)$/)?.[1] ?? NaN);
const sourceOf = (seed) => `${run}, iteration ${iteration}, seed ${seed}`;

function describe() {
  if (!pad.pixels) return "An empty pad";
  return now.source ? `${now.source}${now.drawnOver ? ", drawn over" : ""}` : "Your drawing";
}

// ---- requests
const growSeed = (seed) => request.send({seed});

function onResponse(response) {
  if (request.superseded) return;
  const {error, caption, light} = response;
  figure.showProblem(error);
  article.classList.toggle("stale", Boolean(error));  // what is said is of another symbol
  if (error) return;
  if (caption) put(fromBase64(light), caption, seedIn(caption));
  shown = response;
  show();
}

function judge() {  // what is on the pad
  figure.showProblem("");
  if (pad.pixels?.some(Boolean)) request.send({image: toBase64(pad.pixels)});
  else showEmpty();
  showLabel();
}

function showEmpty() {
  request.cancel();
  article.classList.add("stale");
  figure.write({".verdict h2": "Draw something", ".says": "The judges answer when you let go."});
}

// ---- the symbol
function remember() {
  past.push({...now, pixels: pad.pixels?.slice() ?? null});
  if (past.length > UNDO_STEPS) past.shift();
}

function put(pixels, source, seed = null) {
  remember();
  pad.set(pixels);
  Object.assign(now, {source, seed: Number.isSafeInteger(seed) ? seed : null, drawnOver: false});
  showLabel();
}

function receive({light: pixels, side, channels, caption}) {  // from another tab, in any size and colour
  const fits = side === SIDE && channels === 1, source = `${caption}${fits ? "" : `, in grey at ${SIDE} pixels`}`;
  put(fits ? pixels : resized({pixels, side, channels}), source, seedIn(caption));
  judge();
}

function resized(picture) {  // in grey
  const {side} = picture, third = 1 / 3, from = blankCanvas(side), image = new ImageData(side, side);
  luminance(picture, [third, third, third]).forEach((grey, i) => image.data.set([grey, grey, grey, 255], 4 * i));
  from.getContext("2d").putImageData(image, 0, 0);
  const rgba = rgbaOf(SIDE, SIDE, (context) => {
    context.imageSmoothingQuality = "high";
    context.drawImage(from, 0, 0, SIDE, SIDE);
  });
  return rgba.filter((_, i) => i % 4 === 0);
}

function showLabel() {  // what is on the pad, in words; the address says a seed, if it is one
  const empty = !pad.pixels, tip = `${pad.note}Draw on it: they judge again when you let go.`;
  figure.write({".of": describe(), ".tip": empty ? "Draw here with pointer or finger." : tip});
  $("[data-do=undo]").disabled = !past.length;
  $("[data-do=keep]").disabled = $("[data-do=picture]").disabled = empty;
  const isSeed = now.seed !== null && !now.drawnOver && now.source === sourceOf(now.seed);
  url.write(isSeed ? {seed: now.seed} : {});
  if (isSeed) url.chooseSeed(now.seed);
}

// ---- what is known of it
function show() {
  article.classList.remove("stale");
  figure.write({".verdict h2": `${shown.title}.`});
  $(".says").innerHTML = html`${shown.says.map((text) => html`<span>${text} </span>`)}`;
  $(".known").replaceChildren(...shown.known.map(nearestImages));
  $(".judges").innerHTML = html`${shown.judges.map(classification)}`;
  $(".measures").innerHTML = html`${shown.measures.map(measure)}`;
  const far = shown.known.map(({kind, distances: [first]}) => `${first.toFixed(3)} from the nearest of ${kind}`);
  const named = shown.judges.map(({title, likeliest: [[name, share]]}) =>
    `${title.toLowerCase()}: ${name} ${percentOf(share)}`).join(", ");
  figure.writeCaption(`${describe()}. ${shown.title}: ${far.join(", ")} (root of the mean squared difference). `
    + `Judges of ${named}`);
  article.dataset.ready = "true";
}

/** A histogram as the points of an SVG polygon, 100 wide and 40 high, each bar two points. */
export function histogramPoints(counts) {
  const tallest = Math.max(...counts), x = (i) => (i * 100) / counts.length;
  const y = (count) => (40 - (36 * count) / tallest).toFixed(1);
  return `0,40 ${counts.map((count, i) => `${x(i)},${y(count)} ${x(i + 1)},${y(count)}`).join(" ")} 100,40`;
}

function nearestImages({kind, light, names, distances, counts, end, usual, most, share, images}) {
  const pixels = fromBase64(light), far = distances[0], all = images.toLocaleString("en");
  const at = (value) => `left: ${(100 * clamp(value / end, 0, 1)).toFixed(1)}%`;
  const tick = (value) => html`<span style="${at(value)}">${short(value)}</span>`;
  const scale = `How far ${kind} are from their nearest: usually ${short(usual)}, at most ${short(most)}. `
    + `This symbol: ${short(far)}.`;
  const made = elementOf(html`
    <div class="near"><h3>Nearest of ${all} ${kind}, and how far these are from theirs</h3>
    <div class="faces">${names.map((name, k) => html`
      <figure><canvas width="${SIDE}" height="${SIDE}" role="img" aria-label="One of the ${kind}: ${name}"></canvas>
      <figcaption><b>${name}</b><span>${distances[k].toFixed(2)}</span></figcaption></figure>`)}</div>
    <div class="where-it-lies"><p class="about"><b>this symbol ${short(far)}</b>
    <span>${share ? `${percentOf(share)} of ${kind} lie` : `none of ${all} ${kind} lies`} as far out</span></p>
    <div class="scale" role="img" aria-label="${scale}">
    <svg viewBox="0 0 100 40" preserveAspectRatio="none" aria-hidden="true">
    <polygon points="${histogramPoints(counts)}"/></svg>
    <i class="mark${far > end ? " beyond" : ""}" style="${at(far)}"></i>
    <p class="ticks">${tick(0)}${tick(usual)}${tick(most)}</p></div></div></div>`);
  $$("canvas", made).forEach((canvas, k) => paint(canvas, [1, SIDE, SIDE], pixels, k));
  return made;
}

/** What a classifier takes the symbol for. */
export function classification({title, of, accuracy, likeliest, entropy}) {
  const right = Number.isFinite(accuracy) && `right on ${percentOf(accuracy)} of the unseen`;
  const row = ([name, share]) =>
    html`<li><b>${name}</b><i style="--long: ${share}"></i><span>${percentOf(share)}</span></li>`;
  return html`
    <div class="judge"><h3><b>Judge of ${title.toLowerCase()}</b><span>of ${of}</span></h3>
    <ol>${likeliest.map(row)}</ol>
    <p class="doubt" title="Entropy of its answer over the largest there is: 0 is sure, 1 has no idea">
    <span>${right}</span><span>doubt ${entropy.toFixed(2)}</span></p></div>`;
}

/** A measure of the symbol among those of digits. */
export function measure({name, value, within: [low, middle, high], span: [first, last], says}) {
  const from = Math.min(first, value), width = Math.max(1e-9, Math.max(last, value) - from);
  const at = (place) => `${(100 * (place - from) / width).toFixed(1)}%`;
  const range = (left, right) => `left: ${at(left)}; right: calc(100% - ${at(right)})`;
  const digits = `Digits: from ${short(first)} to ${short(last)}, usually ${short(middle)}. `
    + `This symbol: ${short(value)}.`;
  return html`
    <div class="measure"><p><span>${name}</span><b>${short(value)}</b></p>
    <div class="strip" role="img" aria-label="${digits}">
    <i class="all" style="${range(first, last)}"></i><i class="most" style="${range(low, high)}"></i>
    <i class="mid" style="left: ${at(middle)}"></i><i class="mark" style="left: ${at(value)}"></i></div>
    <p class="note">${says}</p></div>`;
}

// ---- what a visitor does
const fileName = () => `is-it-new_${describe().replace(/\W+/g, "-").toLowerCase()}`;

function settings() {
  const known = shown?.known.map(({kind, names, distances, share}) => ({kind, names, distances, share}));
  const light = pad.pixels && toBase64(pad.pixels);
  return {symbol: describe(), light, title: shown?.title, known, judges: shown?.judges, measures: shown?.measures};
}

function clear() {
  remember();
  Object.assign(now, {source: "", seed: null, drawnOver: false});
  pad.set(null);
  judge();
}

function undo() {
  const {pixels, ...before} = past.pop();
  pad.set(pixels);
  Object.assign(now, before);
  judge();
}

export default function start(given) {
  const {example, last: largestSeed} = given.props.value;
  ({run, iteration} = given.props.value);
  figure = figureOf(given);
  ({$, $$, article} = figure);
  url = new UrlState("is-it-new", largestSeed);
  request = new Request(figure, "ask", {
    channel: "that-are-not-verdict", onResponse, advice: "change the symbol to ask it again", slow: () => true,
  });
  const onStart = () => { remember(); now.drawnOver = Boolean(pad.pixels); };
  pad = new Sketchpad($(".canvas"), {onStart, onDone: judge});
  pad.resize(SIDE, 1);
  pad.upload(figure, (name) => {
    Object.assign(now, {source: `Your picture ${name}`, seed: null, drawnOver: false});
    judge();
  });
  onActions(figure, {
    undo, wipe: clear,
    dice: () => growSeed(randomSeed()),
    keep: () => pad.pixels && offerPicture("keep", {pixels: pad.pixels, side: SIDE, caption: describe()}),
    picture: () => saveSheet(figure, [[$(".canvas"), ...$$(".faces canvas")]], `${fileName()}.png`, 11),
  }, {k: "keep"});
  onThemeChange(() => { pad.paint(); if (shown) show(); });
  $("[data-do=dice]").hidden = !run;
  addShareButtons(figure, fileName, settings);

  const {seed} = url.read({});
  url.followSeed(() => now.seed, (chosen) => { if (run && now.seed !== null) growSeed(chosen); });
  article.dataset.ready = "true";  // the symbol is there at once; what is said of it comes
  if (takeOver("Is it new?", receive)) { /* from another tab */ }
  else if (run && seed) growSeed(seed);
  else if (example) receive({...example, light: fromBase64(example.light)});
  else judge();
  past.length = 0;  // nothing to undo yet
  showLabel();
}
