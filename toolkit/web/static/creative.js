// The tab "Creative decoder": pairs of pictures, each of one code, drawn by itself and with silent neurons switched on;
// knobs over them, one pair large with its neurons. Until the first response comes, the stored sheet shows.
import {fromBase64, loadSheet, onThemeChange} from "./canvas.js";
import {Controls, figureOf, html, make, onActions, onKeys, randomSeed, reveal, seedField, setSlider}
  from "./controls.js";
import {addShareButtons, saveSheet} from "./download.js";
import {Gallery, pictureAt, showPair} from "./gallery.js";
import {Request} from "./request.js";
import {offerPicture} from "./tabs.js";
import {counted, percent, short} from "./text.js";
import {UrlState, decimal, interval, oneOf, whole} from "./url_state.js";

const METHODS = ["low-active", "random", "noisy", "regular"], ACROSS = 4;
const METER = "The bar under a picture, and its mean above: how far the picture is from what the network makes of it "
  + "when it looks at it. ";
let figure, $, $$, url, request, controls, gallery;
let decoders, defaults, pairs, version;  // of the page's first message
let now;           // the settings asked for, and the pair that is selected
let shown = null;  // the newest response, its pictures as pixels, with the settings it was asked by

const decoderOf = (experiment) => decoders.find(({name}) => name === experiment);
const layerCount = () => shown?.layer?.of ?? 3;
const layerOf = ({layer}) => (layer > 0 ? layer : layerCount());
const seedOf = (pair) => now.seed + pair;

// ---- requests
function update(changes) {
  Object.assign(now, changes);
  const {pair, ...order} = now;
  request.send(order);
  showControls();
  showWaking();
}

function onResponse(response, order) {
  const {error, regular, images} = response;
  if (error && !shown?.layer && now.layer > 0) return update({layer: -1});  // a link named a layer that is not there
  figure.showProblem(error);
  gallery.markStale(error);
  if (!error) show({...response, order, regular: fromBase64(regular), images: fromBase64(images)});
  showWaking();
}

function showWaking() {
  const other = shown && shown.order.experiment !== now.experiment && request.busy;
  gallery.showWaking(figure, other && decoderOf(now.experiment).title, decoderOf(shown?.order.experiment)?.title);
}

async function open(experiment) {
  const {sheet} = decoderOf(experiment);
  now.experiment = experiment;
  figure.article.dataset.state = "asked";  // from now on, though its sheet comes before its response
  const usual = Object.keys(defaults).every((key) => String(now[key]) === String(defaults[key]));
  if (sheet && (usual || !shown)) {
    const {pixels, side, channels} = await loadSheet(sheet, 16), area = channels * side * side;
    const half = (odd) => Uint8ClampedArray.from({length: pairs * area}, (_, i) =>
      pixels[(2 * Math.floor(i / area) + odd) * area + (i % area)]);
    const order = {...defaults, experiment};
    if (now.experiment === experiment) show({shape: [channels, side, side], order, regular: half(0), images: half(1)});
    figure.article.dataset.ready = "true";
  }
  update({});
}

// ---- the pairs
function show(response) {
  shown = response;
  const {shape, regular, images, distances} = shown, longest = Math.max(8, ...(distances || []).flat());
  gallery.paint(shape, [regular, images], (pair) => {
    const [near, far] = distances?.[pair] || [];
    return `Pair of seed ${seedOf(pair)}${far ? `, distance ${short(near)} and ${short(far)}` : ""}`;
  });
  gallery.cells.forEach(({children: [, , ...bars]}, pair) => {
    bars.forEach((bar, i) => bar.style.setProperty("--long", (distances?.[pair][i] ?? 0) / longest));
  });
  showControls();
  $(".sums").innerHTML = summary(shown);
  showSelected();
}

/** The lines under the pairs: mean distances, neurons that are lacking, neurons that are dead. */
export function summary({distances, neurons, layer}) {
  const mean = (side) => (distances.reduce((sum, pair) => sum + pair[side], 0) / distances.length).toFixed(2);
  const entry = (name, side) => html`<span class="${name}">${name} <b>${mean(side)}</b></span>`;
  const few = neurons?.filter((chosen) => chosen.includes(-1)).length;
  const lacking = few ? `${counted(few, "pair has", "pairs have")} fewer neurons to switch on than asked for. ` : "";
  const all = layer && `of the ${counted(layer.neurons, "neuron")} in layer ${layer.number}`;
  const dead = layer?.dead ? `${layer.dead.toLocaleString("en")} ${all} never fire, and are left out.`
    : `None ${all} is dead.`;
  const means = distances && html`<p class="means">distance ${entry("regular", 0)} ${entry("modified", 1)}</p>`;
  return html`${means}<p>${distances && METER}${lacking}${layer && dead}</p>`;
}

function select(pair) {
  if (!shown) return;
  now.pair = pair;
  url.chooseSeed(seedOf(pair));
  showSelected();
  showCaption();
  reveal($(".one"));
}

// ---- one pair, large, and the neurons that were switched on in it
function showSelected() {
  const distances = shown.distances?.[now.pair] ?? [];
  const captions = ["regular", now.method].map((name, i) =>
    html`${name} ${distances[i] !== undefined && html`<b>${distances[i].toFixed(2)}</b>`}`);
  const both = [shown.regular, shown.images];
  showPair(figure, seedOf(now.pair), shown.shape, both, now.pair, [...captions, "what was added"]);
  $(".neurons").innerHTML = neuronRows(shown, now);
  gallery.select(now.pair);
}

/** The neurons that were switched on in a pair, and how they are by themselves; or why there are none. */
export function neuronRows({layer, touched, neurons, known}, {method, pair}) {
  const say = (text) => html`<p class="none">${text}</p>`;
  if (!layer) return say("The network is waking up; which neurons they are will stand here.");
  if (method === "regular") return say("Nothing is touched: both pictures are the same.");
  if (method === "noisy") {
    const all = layer.neurons.toLocaleString("en");
    return say(`Noise falls on ${counted(touched, "neuron")} of ${all}, on others in each pair.`);
  }
  const chosen = neurons[pair].filter((neuron) => neuron >= 0);
  if (!chosen.length) return say("No neuron is switched on: both pictures are the same.");
  const top = Math.max(...chosen.flatMap((neuron) => known[neuron].slice(1)), 1e-9);
  return html`
    <div class="row head"><span>neuron</span><span>fires for</span>
    <span><i class="dot"></i> switched on at <i class="bar-of"></i> by itself</span>
    <span>×<em> its most</em></span></div>
    ${chosen.map((neuron) => neuronRow(neuron, known[neuron], top))}`;
}

function neuronRow(neuron, [often, value, mean, peak], top) {
  const x = (activation) => (98 * activation) / top + 1;
  const title = `Neuron ${neuron} fires for ${percent(often)} of the training images, at ${short(mean)} on average and `
    + `${short(peak)} at most; here it is at ${short(value)}`;
  return html`
    <div class="row" title="${title}"><span>${neuron}</span><span>${percent(often)}</span><span class="scale">
    <svg viewBox="0 0 100 16" preserveAspectRatio="none" role="img" aria-label="${title}">
    <rect x="1" y="6" width="${x(peak) - 1}" height="4"/><line x1="${x(mean)}" x2="${x(mean)}" y1="3" y2="13"/></svg>
    ${value ? html`<i class="dot" style="left: ${x(value)}%"></i>` : ""}</span>
    <span>${value ? (value / peak).toFixed(1) : "–"}</span></div>`;
}

/** The neurons of an order in words: "5 neurons of percentiles 1 to 15"; nothing where it chooses none. */
export function chosenNeurons({method, band, neurons}) {
  if (method === "low-active") return [`${neurons} neurons of percentiles ${band.join(" to ")}`];
  return method === "random" ? [`${neurons} neurons`] : [];
}

function offer(to, which = "images") {  // one picture of the pair, with the settings it was drawn by
  const {order, shape} = shown, [channels, side] = shape, name = which === "regular" ? "regular" : order.method;
  const how = name === "regular" ? [] : [...chosenNeurons(order), `gain ${order.gain}`, `layer ${layerOf(order)}`];
  const caption = [order.experiment, name, ...how, `seed ${order.seed + now.pair}`].join(", ");
  offerPicture(to, {pixels: pictureAt(shown[which], shape, now.pair), side, channels, caption});
}

// ---- the knobs, and all that is said of them in words
/** What a method does, in a sentence. */
export function explanation({method, neurons, gain}, noiseShare) {
  const one = neurons === 1, each = `In each pair, ${counted(neurons, "neuron")} that`;
  const others = "are switched on: one by chance, the others because they mostly fire along with it";
  const idle = gain === 0 || (neurons === 0 && ["low-active", "random"].includes(method));
  if (idle && method !== "regular") return "Nothing is added, so that both pictures are the same.";
  return {
    "low-active": `${each} ${one ? "seldom fires, and was" : "seldom fire, and were"} silent for this drawing, `
      + `${one ? "is switched on" : others}.`,
    random: `${each} ${one ? "was" : "were"} silent for this drawing ${one ? "is" : "are"} switched on, drawn by `
      + `chance among all, however often ${one ? "it fires" : "they fire"}.`,
    noisy: `In each pair, random noise falls on ${noiseShare ? percent(noiseShare) : "a tenth"} of the neurons of the `
      + "layer, drawn by chance.",
    regular: "Nothing is touched: both pictures are what the network draws by itself.",
  }[method];
}

function showControls() {
  const {method, band, neurons, gain, seed} = now, layer = shown?.layer, share = shown?.noise?.[0];
  const disturbed = share && layer ? Math.round(share * layer.neurons) : "";
  $(".numeral").textContent = {noisy: disturbed, regular: 0}[method] ?? neurons;
  $(".where b").textContent = {noisy: "neurons disturbed", regular: "neurons touched"}[method]
    ?? `${neurons === 1 ? "neuron" : "neurons"} switched on`;
  $(".where span").textContent = `${layer ? `of ${layer.neurons.toLocaleString("en")} in ` : ""}layer ${layerOf(now)}`;
  $(".says").textContent = explanation(now, share);
  $$("[data-for]").forEach((knob) => { knob.disabled = !knob.dataset.for.split(" ").includes(method); });
  controls.show({...now, layer: layerOf(now)}, {
    experiment: decoders.map(({name, title}) => [name, title]),
    method: METHODS.map((name) => [name, name]),
    layer: Array.from({length: layerCount()}, (_, i) => [i + 1, String(i + 1)]),
  }, {
    band: `percentiles ${band.join(" to ")}`, neurons: String(neurons), gain: `× ${gain.toFixed(2)}`,
    seed: `${seed} to ${seedOf(pairs - 1)}`,
  });
  $$(".options").forEach((group) => { group.hidden = group.children.length < 2; });
  $$("[data-edge]").forEach((edge, i) => {
    setSlider(edge, band[i], {text: `percentile ${band[i]}`});
    edge.style.zIndex = i === 0 && band[0] > 50 ? 2 : 1;
  });
  $(".band").style.setProperty("--from", band[0] / 100);
  $(".band").style.setProperty("--to", band[1] / 100);
  showBand(layer?.often || [], band, layer?.band);
  showCaption();
}

function showBand(often, [low, high], count) {  // how often the living neurons fire, the least active first
  const points = often.map((share, i) => `${i},${(40 - 38 * Math.sqrt(share)).toFixed(2)}`);
  const area = (from, to) => html`<polygon points="${from},40 ${points.slice(from, to + 1).join(" ")} ${to},40"/>`;
  const areas = points.length ? html`${area(0, 100)}<g>${area(low, high)}</g>` : "";
  $(".plot").innerHTML = html`<svg viewBox="0 0 100 40" preserveAspectRatio="none">${areas}</svg>`;
  const known = points.length && now.method === "low-active" && count !== null;
  $(".within").textContent = known ? `${counted(count, "neuron")} in this band, which fire for ${percent(often[low])} `
    + `to ${percent(often[high])} of the training images` : "";
}

function showCaption() {  // the exact settings, in words and in the address
  const {experiment, method, band, neurons, gain, layer, seed, pair} = now;
  const exact = shown?.gain ? ` (${short(shown.gain)})` : "";
  const amount = `${short(gain)} times the calibrated gain${exact}`;
  const how = method === "regular" ? [] : [...chosenNeurons(now), amount, `hidden layer ${layerOf(now)}`];
  const facts = [method, ...how, `seeds ${seed} to ${seedOf(pairs - 1)}`].join(", ");
  $(".caption").textContent = `${experiment}: ${decoderOf(experiment).title}. ${facts}. That Are Not ${version}.`;
  const rest = {...(layer > 0 ? {layer} : {}), seed, ...(pair ? {pair} : {})};
  url.write({experiment, method, band: band.join("-"), neurons, gain, ...rest});
}

function settings() {  // of the pictures on show
  const {order} = shown, {name: experiment, title, sha256} = decoderOf(order.experiment);
  const calibrated = shown.gain && order.gain ? shown.gain / order.gain : null;
  return {tab: "creative-decoder", version, ...order, experiment, title, sha256, layer: layerOf(order),
    calibrated_gain: calibrated, pairs, selected_seed: order.seed + now.pair};
}

// ---- what a visitor does
const setSeed = (seed) => update({seed: url.chooseSeed(seed)});

function setEdge(input) {  // a handle stops before the other
  const edge = Number(input.dataset.edge), value = Number(input.value), band = [...now.band];
  band[edge] = edge ? Math.max(value, band[0] + 1) : Math.min(value, band[1] - 1);
  input.value = band[edge];
  update({band});
}

function onKnob(knob, value, isFinal) {
  if (knob === "experiment") open(value);
  else if (!isFinal || knob === "method" || knob === "layer") update({[knob]: value});
}

export default function start({element, props, trigger}) {
  ({decoders, start: defaults, pairs, version} = props.value);
  figure = {...figureOf(element), trigger};
  ({$, $$} = figure);
  const largestSeed = 2 ** 32 - pairs, fileName = () => `${now.experiment}_${now.method}_seed-${now.seed}`;
  url = new UrlState("creative-decoder", largestSeed);
  now = {...defaults, experiment: decoders[0].name, pair: 0, ...url.read({
    experiment: oneOf(decoders.map(({name}) => name)), method: oneOf(METHODS), band: interval(100),
    neurons: whole(0, 50), gain: decimal(0, 3), layer: whole(1, 9), pair: whole(0, pairs - 1),
  })};
  request = new Request(figure, "draw", {
    channel: "that-are-not-pairs", onResponse, advice: "turn a knob to ask it again", state: "drawn",
    slow: () => Boolean(shown?.layer),
  });
  controls = new Controls(element, onKnob);
  gallery = new Gallery($(".pairs"), {
    count: pairs, canvases: 2, onSelect: select, extra: () => [make("i"), make("i")],
    columns: () => getComputedStyle($(".pairs")).gridTemplateColumns.split(" ").length,
  });
  $(".heads").innerHTML = html`${Array(ACROSS).fill(html`<p><span>regular</span><span>modified</span></p>`)}`;
  onActions(element, {
    keep: () => offer("keep"), keepRegular: () => offer("keep", "regular"), ask: () => offer("ask"),
    dice: () => setSeed(randomSeed()),
    reset: () => { figure.showProblem(""); update(defaults); },
    picture: () => {
      const canvases = gallery.cells.flatMap(({children}) => [children[0], children[1]]);
      saveSheet(figure, [canvases], `${fileName()}.png`, 2 * ACROSS);
    },
  });
  element.addEventListener("input", ({target}) => { if (target.dataset.edge) setEdge(target); });
  seedField($("[name=seed]"), largestSeed, setSeed, figure.showProblem);
  onKeys(figure.article, {k: () => shown && offer("keep")});
  onThemeChange(() => shown && show(shown));
  showControls();
  addShareButtons(figure, fileName, settings);
  url.followSeed(() => now.seed, (seed) => update({seed}));
  open(now.experiment);
}
