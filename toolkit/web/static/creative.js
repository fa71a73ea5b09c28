// The tab "Creative decoder": pairs of pictures, each of one code, drawn by itself and with silent neurons switched on;
// knobs over them, one pair large with its neurons. Until the first response comes, the stored sheet shows.
import {fromBase64, onThemeChange} from "./canvas.js";
import {html, make, plainChoices, setSlider} from "./controls.js";
import {GalleryTab} from "./gallery.js";
import {Memory, Way} from "./latent.js";
import {counted, percent, short} from "./text.js";
import {decimal, interval, oneOf, whole} from "./url_state.js";

const METHODS = ["low-active", "random", "noisy", "regular"], ACROSS = 4;
const METER = "The bar under a picture, and its mean above: how far the picture is from what the network makes of it "
  + "when it looks at it. ";
let tab, now, way, memory, $, $$, write;
let decoders, defaults, pairs;  // of the page's first message
let looked;  // what the link that opened the page says of the way and of a neuron

const layerCount = () => tab.shown?.layer?.of ?? 3;
const layerOf = ({layer}) => (layer > 0 ? layer : layerCount());

// ---- requests
function onResponse({error, ...response}, order) {
  if (error && !tab.shown?.layer && now.layer > 0) return tab.update({layer: -1});  // of a link: it is not there
  const [regular, images] = [response.regular, response.images].map((text) => text && fromBase64(text));
  if (!error) showPairs({...response, order, regular, images});
  tab.onEnd(error);
}

function fromSheet({pixels, side, channels}, {name: experiment}) {  // which has them in turn
  const area = channels * side * side, shape = [channels, side, side], order = {...defaults, experiment};
  const half = (odd) => Uint8ClampedArray.from({length: pairs * area}, (_, i) =>
    pixels[(2 * Math.floor(i / area) + odd) * area + (i % area)]);
  return {shape, order, regular: half(0), images: half(1)};
}

// ---- the pairs
function showPairs(response) {
  tab.shown = response;
  const {regular, images, distances} = response, longest = Math.max(8, ...(distances || []).flat());
  tab.paint([regular, images], (pair, seed) => {
    const [near, far] = distances?.[pair] || [];
    return `Pair of seed ${seed}${far ? `, distance ${short(near)} and ${short(far)}` : ""}`;
  });
  tab.cells.forEach(({children: [, , ...bars]}, pair) => {
    bars.forEach((bar, i) => bar.style.setProperty("--long", (distances?.[pair][i] ?? 0) / longest));
  });
  showControls();
  const far = distances?.[now.cell] ?? [];
  tab.showPair([regular, images], ["regular", now.method].map((name, i) =>
    html`${name} ${far[i] !== undefined && html`<b>${far[i].toFixed(2)}</b>`}`));
  $(".sums").innerHTML = summary(response);
  $(".neurons").innerHTML = neuronRows(response, now, memory.neuron);
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

// ---- the neurons of one pair
/** The neurons that were switched on in a pair, and how they are by themselves; or why there are none. */
export function neuronRows({layer, touched, neurons, known}, {method, cell}, selected = null) {
  const say = (text) => html`<p class="none">${text}</p>`;
  if (!layer) return say("The network is waking up; which neurons they are will stand here.");
  if (method === "regular") return say("Nothing is touched: both pictures are the same.");
  if (method === "noisy") {
    const all = layer.neurons.toLocaleString("en");
    return say(`Noise falls on ${counted(touched, "neuron")} of ${all}, on others in each pair.`);
  }
  const chosen = neurons[cell].filter((neuron) => neuron >= 0);
  if (!chosen.length) return say("No neuron is switched on: both pictures are the same.");
  const top = Math.max(...chosen.flatMap((neuron) => known[neuron].slice(1)), 1e-9);
  return html`
    <div class="row head"><span>neuron</span><span>fires for</span>
    <span><i class="dot"></i> switched on at <i class="bar-of"></i> by itself</span>
    <span>×<em> its most</em></span></div>
    ${chosen.map((neuron) => neuronRow(neuron, known[neuron], top, neuron === selected))}`;
}

function neuronRow(neuron, [often, value, mean, peak], top, isSelected) {
  const x = (activation) => (98 * activation) / top + 1;
  const title = `Neuron ${neuron} fires for ${percent(often)} of the training images, at ${short(mean)} on average and `
    + `${short(peak)} at most; here it is at ${short(value)}`;
  return html`
    <button type="button" class="row" data-neuron="${neuron}" aria-pressed="${isSelected}" title="${title}">
    <span>${neuron}</span><span>${percent(often)}</span><span class="scale">
    <svg viewBox="0 0 100 16" preserveAspectRatio="none" role="img" aria-label="${title}">
    <rect x="1" y="6" width="${x(peak) - 1}" height="4"/><line x1="${x(mean)}" x2="${x(mean)}" y1="3" y2="13"/></svg>
    ${value ? html`<i class="dot" style="left: ${x(value)}%"></i>` : ""}</span>
    <span>${value ? (value / peak).toFixed(1) : "–"}</span></button>`;
}

/** The neurons of an order in words: "5 neurons of percentiles 1 to 15"; nothing where it chooses none. */
export function chosenNeurons({method, band, neurons}) {
  if (method === "low-active") return [`${neurons} neurons of percentiles ${band.join(" to ")}`];
  return method === "random" ? [`${neurons} neurons`] : [];
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
  const {method, band, neurons, gain, seed} = now, layer = tab.shown?.layer, share = tab.shown?.noise?.[0];
  const disturbed = share && layer ? Math.round(share * layer.neurons) : "";
  write({
    ".numeral": {noisy: disturbed, regular: 0}[method] ?? neurons,
    ".where b": {noisy: "neurons disturbed", regular: "neurons touched"}[method]
      ?? `${neurons === 1 ? "neuron" : "neurons"} switched on`,
    ".where span": `${layer ? `of ${layer.neurons.toLocaleString("en")} in ` : ""}layer ${layerOf(now)}`,
    ".says": explanation(now, share),
  });
  $$("[data-for]").forEach((knob) => { knob.disabled = !knob.dataset.for.split(" ").includes(method); });
  tab.controls.show({...now, layer: layerOf(now)}, {
    experiment: decoders.map(({name, title}) => [name, title]), method: plainChoices(METHODS),
    layer: plainChoices(Array.from({length: layerCount()}, (_, i) => i + 1)),
  }, {
    band: `percentiles ${band.join(" to ")}`, neurons: String(neurons), gain: `× ${gain.toFixed(2)}`,
    seed: `${seed} to ${seed + pairs - 1}`,
  });
  $$(".options").forEach((group) => { group.hidden = group.children.length < 2; });
  $$("[data-edge]").forEach((edge, i) => {
    setSlider(edge, band[i], {text: `percentile ${band[i]}`});
    edge.style.zIndex = i === 0 && band[0] > 50 ? 2 : 1;
    $(".band").style.setProperty(["--from", "--to"][i], band[i] / 100);
  });
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
  const {experiment, method, band, neurons, gain, layer, seed, cell} = now, {title} = tab.modelOf(now);
  const exact = tab.shown?.gain ? ` (${short(tab.shown.gain)})` : "";
  const amount = `${short(gain)} times the calibrated gain${exact}`;
  const how = method === "regular" ? [] : [...chosenNeurons(now), amount, `hidden layer ${layerOf(now)}`];
  const facts = [method, ...how, `seeds ${seed} to ${seed + pairs - 1}`].join(", ");
  tab.figure.writeCaption(`${experiment}: ${title}. ${facts}`);
  const {from, to, step} = way.state, {neuron} = memory;
  const asked = {...(tab.modelOf(now).kinds.length ? {from, to, step} : {}), ...(neuron === null ? {} : {neuron})};
  const rest = {...(layer > 0 ? {layer} : {}), seed, ...(cell ? {pair: cell} : {}), ...asked};
  tab.url.write({experiment, method, band: band.join("-"), neurons, gain, ...rest});
}

function settings() {  // of the pictures on show
  const {order, gain} = tab.shown, {name: experiment, title, sha256} = tab.modelOf(order);
  const calibrated = gain && order.gain ? gain / order.gain : null;
  return {...order, experiment, title, sha256, layer: layerOf(order), calibrated_gain: calibrated, pairs,
    selected_seed: tab.selectedSeed};
}

function picture(which = "images") {  // one of a pair, with the settings it was drawn by
  const {order} = tab.shown, name = which === "regular" ? "regular" : order.method;
  const how = name === "regular" ? [] : [...chosenNeurons(order), `gain ${order.gain}`, `layer ${layerOf(order)}`];
  return {pixels: tab.shown[which], facts: [order.experiment, name, ...how]};
}

// ---- what a visitor does
function setEdge(input) {  // a handle stops before the other
  const edge = Number(input.dataset.edge), value = Number(input.value), band = [...now.band];
  band[edge] = edge ? Math.max(value, band[0] + 1) : Math.min(value, band[1] - 1);
  input.value = band[edge];
  tab.update({band});
}

function onKnob(knob, value, isFinal) {
  if (isFinal && knob in {neurons: 1, gain: 1}) return;  // they have been asked for while they moved
  if (knob in {layer: 1, experiment: 1}) memory.close();
  if (knob !== "experiment") return tab.update({[knob]: value});
  now.experiment = value;
  openDecoder();
}

function openDecoder() {
  way.open(tab.modelOf(now));
  tab.open();
}

/** Ask what fires a neuron most; of a decoder without built-in images nothing can. */
function recall(neuron) {
  if (tab.modelOf(now).kinds.length) memory.ask({experiment: now.experiment, layer: now.layer, neuron});
}

function read(url) {
  const {pair: cell = 0, from, to, step, neuron, ...linked} = url.read({
    experiment: oneOf(decoders.map(({name}) => name)), method: oneOf(METHODS), band: interval(100),
    neurons: whole(0, 50), gain: decimal(0, 3), layer: whole(1, 9), pair: whole(0, pairs - 1),
    from: whole(0, 99), to: whole(0, 99), step: whole(0, 20), neuron: whole(0, 9999),
  });
  looked = {way: {...(from !== undefined && {from}), ...(to !== undefined && {to}), ...(step !== undefined && {step})},
    neuron};
  return {...defaults, experiment: decoders[0].name, cell, ...linked};
}

export default function start(given) {
  ({decoders, start: defaults, pairs} = given.props.value);
  tab = new GalleryTab(given, {
    tab: "creative-decoder", models: decoders, modelKey: "experiment", nameOf: ({title}) => title, read,
    initial: () => defaults,
    count: pairs, grid: ".pairs", canvases: 2, extra: () => [make("i"), make("i")], columns: 2 * ACROSS,
    event: "draw", channel: "that-are-not-pairs", onResponse, options: {slow: () => Boolean(tab.shown?.layer)},
    ask: () => {
      const {cell, ...order} = now;
      tab.request.send(order);
    },
    across: () => 16, fromSheet, show: showPairs,
    takesSheet: () => Object.keys(defaults).every((key) => String(now[key]) === String(defaults[key])),
    showControls, redraw: () => showPairs(tab.shown), onKnob, picture, settings,
    fileName: () => `${now.experiment}_${now.method}_seed-${now.seed}`,
    savedCanvases: () => tab.cells.flatMap(({children}) => [children[0], children[1]]),
    actions: {keepRegular: () => tab.offer("keep", "regular")},
  });
  ({now, figure: {$, $$, write}} = tab);
  way = new Way(tab.figure, showCaption);
  memory = new Memory(tab.figure, () => {
    $(".neurons").innerHTML = neuronRows(tab.shown ?? {}, now, memory.neuron);
    showCaption();
  });
  Object.assign(way.state, looked.way);
  $(".heads").innerHTML = html`${Array(ACROSS).fill(html`<p><span>regular</span><span>modified</span></p>`)}`;
  given.element.addEventListener("input", ({target}) => { if (target.dataset.edge) setEdge(target); });
  $(".neurons").addEventListener("click", ({target}) => {
    const row = target.closest("[data-neuron]");
    if (row) recall(Number(row.dataset.neuron));
  });
  onThemeChange(() => [way, memory].forEach((look) => look.draw()));
  openDecoder();
  if (looked.neuron !== undefined) recall(looked.neuron);
}
