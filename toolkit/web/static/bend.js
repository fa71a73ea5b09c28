// The tab "Bend it": 32 pictures of a machine before and after it was altered, knobs over what is altered, one pair
// large. Responses come pass by pass. Until the first comes, the sheet stored with the machine shows.
import {GLITCHES, NEEDS_MAPS, OPERATORS, TRANSFORMS, briefName, canChain, isRun, layerWords, longName, ownSettings,
  part, sentence, usesChance} from "./bend_words.js";
import {fromBase64, loadSheet, onThemeChange} from "./canvas.js";
import {Controls, clamp, figureOf, html, onActions, onKeys, randomSeed, reveal, seedField, setSlider}
  from "./controls.js";
import {addShareButtons, saveSheet} from "./download.js";
import {Gallery, pictureAt, showPair} from "./gallery.js";
import {Request} from "./request.js";
import {LARGEST_SEED, offerPicture} from "./tabs.js";
import {signed} from "./text.js";
import {UrlState, decimal, matching, oneOf, whole} from "./url_state.js";

const COLUMNS = 8, CHANNELS = {all: "all", random: "by chance", cluster: "alike"};
const plain = (low, high, step) => ({low, high, step, toStrength: Number, toHandle: Number});
const SCALES = {  // of the strength: where its handle goes, from handle to strength and back, what stands at its ends
  bend: {...plain(0, 1, 0.01), ends: ["untouched", "all the way"]},
  glitch: {
    ...plain(0, 1, 0.005), toStrength: (at) => Number((at ** 3).toPrecision(2)), toHandle: Math.cbrt,
    ends: ["untouched", "all weights"],
  },
  blend: {...plain(-0.5, 2, 0.05), ends: ["before the first", "beyond the second"]},
  rewrite: {...plain(0, 3, 0.05), ends: ["untouched", "three times over"]},
  chain: {...plain(0, 30, 1), ends: ["untouched", "30 passes"]},
};
const MEANING = "on average: 0 is the same picture, 1 black against white (root of the mean squared difference).";
let figure, $, $$, url, request, controls, gallery;
let machines, defaults, amounts, kinds, usual, groups, count, version;  // of the page's first message
let now;            // the settings asked for; the cell and the pass on show, null for the last
let shown = null;   // the newest response, its pictures as pixels, with the settings it was asked by
let undone = null;  // {operator, strength} before an undo

const machineOf = (name) => machines.find((each) => each.name === name);
const seedOf = (cell) => (shown?.order.seed ?? now.seed) + cell;
const known = () => (shown?.order.machine === now.machine ? shown.known : undefined);
const drawsOnce = (name) =>
  (shown?.known && shown.order.machine === name ? shown.known.drawn : machineOf(name).kind === "decoder");
const pass = () => Math.min(now.pass ?? Infinity, shown.frames.length - 1);

/** What the server chose for a setting that was left open. */
const chosen = (its) => Object.fromEntries(
  ["layer", "one", "another"].filter((key) => its?.[key] !== undefined).map((key) => [key, its[key]]));
const shownSettings = () => ownSettings({...shown.order, ...chosen(shown.known)}, drawsOnce(shown.order.machine));

/** The settings of an operator at first on a machine. */
function initial(machine, operator) {
  const {strength, start, passes} = usual[operator], {name, kind, iterations} = machine;
  const parent = iterations[Math.floor((iterations.length - 1) / 2)];
  const others = machines.filter((each) => each !== machine);
  const other = others.find((each) => each.kind === "iterations") ?? others[0];
  const bent = {
    decoder: {}, kaleidoscope: {transform: "noise", amount: [2], channels: "all"},
  }[kind] ?? {transform: "rotate", amount: [45], channels: "all"};
  const weaker = operator === "glitch" && kind !== "decoder";  // from pass to pass it adds up
  return {
    machine: name, operator, strength: weaker ? 0.02 : strength, start, passes, layer: "", ...bent,
    one: "", another: "", parent, child: iterations.at(-1), other: other?.name ?? "",
  };
}

/** The settings that a link names, as far as they can be; the others as they are at first. */
function readUrl() {
  const names = machines.map(({name}) => name), {seed} = url.read({});
  const {machine = names[0]} = url.read({machine: oneOf(names)}), of = machineOf(machine);
  const {operator = of.operators[0]} = url.read({operator: oneOf(of.operators)}), {low, high} = usual[operator];
  const text = matching(/^.{1,40}$/);
  const {transform, amount, ...linked} = url.read({
    strength: (operator === "chain" ? whole : decimal)(low, high), chance: whole(0, LARGEST_SEED),
    start: oneOf(["symbols", "noise"]), passes: whole(1, 30), layer: matching(/^[a-z]+(\.\d{1,3}){0,4}$/),
    transform: oneOf(Object.keys(amounts)), amount: matching(/./), channels: oneOf(Object.keys(CHANNELS)),
    share: decimal(0, 1), group: whole(0, groups - 1), kind: oneOf(kinds), one: text, another: text,
    parent: oneOf(of.iterations), child: oneOf(of.iterations), other: oneOf(names.filter((name) => name !== machine)),
    cell: whole(0, count - 1),
  });
  const bent = readAmount(transform, amount);
  return {...defaults, ...initial(of, operator), ...linked, ...bent, ...(seed === undefined ? {} : {seed})};
}

function readAmount(transform, amount = "") {  // both, or neither
  const wanted = amounts[transform] ?? [], words = amount.split("_").filter(Boolean);
  const values = words.map((word, i) => (wanted[i] ? decimal(wanted[i][1], wanted[i][2])(word) : undefined));
  const able = transform && values.length === wanted.length && !values.includes(undefined);
  return able ? {transform, amount: values} : {};
}

// ---- requests
function update(changes) {
  Object.assign(now, {pass: null, ...changes});
  const {cell, pass: _, ...order} = now;
  request.send(order, {order, frames: []});
  showControls();
  showWaking();
}

function onResponse({done, error, before, shape, known: facts, frames = []}, its) {
  const news = frames.slice(its.frames.length), {layer, one, another} = its.order;
  if (before) Object.assign(its, {shape, known: facts, before: its.before ?? fromBase64(before)});
  its.frames.push(...news.map(fromBase64));
  if (its.frames.length && (news.length || shown !== its)) show(its);
  if (!done) return;
  if (error && !shown?.known && (layer || one || another)) {  // a link named what is not there
    return update({layer: "", one: "", another: ""});
  }
  if (request.superseded) return;
  figure.showProblem(error);
  gallery.markStale(error);
  showWaking();
  showControls();
}

function showWaking() {
  const other = shown && request.busy && shown.order.machine !== now.machine;
  const [waking, until] = other ? [now.machine, shown.order.machine].map((name) => briefName(machineOf(name))) : [];
  gallery.showWaking(figure, waking, `of ${until}`);
}

async function open(name) {
  const machine = machineOf(name), operator = machine.operators.includes(now.operator) ? now.operator : "bend";
  const {seed, chance} = now;
  if (name !== now.machine) Object.assign(now, {...defaults, seed, chance, pass: null, ...initial(machine, operator)});
  if (machine.sheet && !shown) await showSheet(machine);
  update({});
}

async function showSheet({kind, size, sheet}) {  // of a decoder every other picture, of a kaleidoscope one row
  const isDecoder = kind === "decoder", isKaleidoscope = kind === "kaleidoscope", every = isDecoder ? 2 : 1;
  const across = isDecoder ? 16 : isKaleidoscope ? (width) => width / size : 10;
  const {pixels, side, channels, columns} = await loadSheet(sheet, across), length = channels * side * side;
  const rows = Math.floor(pixels.length / length / columns);
  const first = isKaleidoscope ? Math.min(4, rows - 1) * columns : 0;
  if (shown || pixels.length < (every * count + first) * length) return;
  const before = new Uint8ClampedArray(count * length), shape = [channels, side, side];
  for (let k = 0; k < count; k++) before.set(pictureAt(pixels, shape, first + every * k), k * length);
  show({shape, order: {...now, seed: 0}, before, frames: []});
}

// ---- the pairs
function show(newer) {
  shown = newer;
  const {shape, before, known: facts} = shown, after = shown.frames[pass()], marked = facts?.marked ?? [];
  gallery.paint(shape, [before, after], (k) => `Seed ${seedOf(k)}, before and after${marked[k] ? ", rewritten" : ""}`);
  gallery.cells.forEach((cell, k) => cell.classList.toggle("marked", Boolean(marked[k])));
  gallery.select(now.cell);
  figure.article.dataset.ready = "true";
  $(".legend .marks").hidden = !marked.length;
  $(".legend .marks").textContent = `framed: “${facts?.one}” to a judge`;
  showPass();
  const change = after && meanDistance(before, after, count).toFixed(2);
  $(".sums").innerHTML = html`${after && html`<p>changed by <b>${change}</b> ${MEANING}</p>`}`;
  showPair(figure, seedOf(now.cell), shape, [before, after], now.cell, ["before", "after", "what was added"]);
  ["keep", "ask"].forEach((action) => $(`[data-do=${action}]`).setAttribute("aria-disabled", !after));
  if (facts) showCaption();
}

/** The mean over `count` pictures of the root of the mean squared difference of each, of pixels from 0 to 1. */
export function meanDistance(before, after, count) {
  const size = before.length / count;
  let sum = 0;
  for (let start = 0; start < before.length; start += size) {
    let squares = 0;
    for (let i = start; i < start + size; i++) squares += ((before[i] - after[i]) / 255) ** 2;
    sum += Math.sqrt(squares / size);
  }
  return sum / count;
}

function showPass() {
  const {order, frames} = shown, last = frames.length - 1, at = Math.max(0, pass());
  const end = order.operator === "chain" ? order.strength : order.passes;
  $(".passing").hidden = last < 1;
  setSlider($("[data-knob=frame]"), at, {max: Math.max(1, last)});
  $(".passing output").textContent = `pass ${at} of ${Math.max(last, end)}`;
}

function select(cell) {
  if (!shown) return;
  now.cell = cell;
  url.chooseSeed(seedOf(cell));
  show(shown);
  writeUrl();
  reveal($(".one"));
}

// ---- the knobs, and all that is said of them in words
function showControls() {
  const {operator, strength, channels, transform, seed} = now, machine = machineOf(now.machine), facts = known();
  const order = now.layer || shown?.order.operator !== operator ? now : {...now, ...chosen(facts)};
  const hasMaps = facts ? facts.layers.find(([name]) => name === order.layer)?.[2] : isRun(machine);
  const visible = {
    passes: !drawsOnce(now.machine), chance: usesChance(now),
    random: channels === "random", cluster: channels === "cluster",
  };
  for (const knob of $$("[data-for]")) {
    knob.hidden = !knob.dataset.for.split(" ").includes(operator) || visible[knob.dataset.with] === false;
  }
  const named = (each) => [each.name, longName(each)], fits = (name) => hasMaps || !NEEDS_MAPS.includes(name);
  const bendable = facts?.layers.map(([name]) => name);
  const layers = {bend: bendable, glitch: facts && ["", ...facts.weights], rewrite: facts?.memories};
  const open = operator === "glitch" ? "all layers" : "the usual one", numbers = machine.iterations.map((n) => [n, n]);
  const {toHandle} = showStrength(machine, sentence(order, facts?.layers, machineOf(now.other) ?? machines[0]));
  controls.show({...order, strength: toHandle(strength)}, {
    operator: machine.operators.map((name) => [name, OPERATORS[name]]), channels: Object.entries(CHANNELS),
    group: Array.from({length: groups}, (_, i) => [i, String(i + 1)]),
    start: [["symbols", "its symbols"], ["noise", "noise"]],
    machine: machines.map(named), other: machines.filter((each) => each !== machine && canChain(each)).map(named),
    transform: Object.keys(amounts).filter((name) => fits(name) || name === transform)
      .map((name) => [name, TRANSFORMS[name][0]]),
    kind: kinds.map((name) => [name, GLITCHES[name]]), parent: numbers, child: numbers,
    layer: (layers[operator] ?? [order.layer]).map((name) => [name, name ? layerWords(name, facts?.layers).long : open]),
    one: (facts?.classes ?? [order.one]).map((name) => [name, name || "…"]),
    another: (facts?.classes ?? [order.another]).map((name) => [name, name || "…"]),
  }, {share: part(now.share), passes: String(now.passes), seed: `${seed} to ${seed + count - 1}`});
  $("[data-knob=strength]").setAttribute("aria-valuetext", $(".numeral").textContent);
  $(".channel").textContent = hasMaps ? "maps" : "neurons";
  if (operator === "bend") showAmounts();
  const undo = strength === 0 && undone ? "Redo" : "Undo";
  Object.assign($("[data-do=undo]"), {textContent: undo, ariaPressed: strength === 0});
  writeUrl();
}

function showStrength(machine, says) {
  const {operator, strength} = now, scale = SCALES[operator], {low: min, high: max, step, ends} = scale;
  const number = {glitch: part(strength).replace(" ", "\u2009"), chain: strength}[operator]
    ?? signed(strength.toFixed(2));
  const unit = {glitch: "of the weights", blend: "of the way", chain: strength === 1 ? "pass" : "passes"}[operator];
  const isIdle = strength === 0 && operator !== "blend";
  $(".numeral").textContent = number;
  $(".where b").textContent = unit ?? "strength";
  $(".where span").textContent = briefName(machine);
  $(".says").textContent = isIdle ? "Nothing is altered: both pictures are the same." : says;
  Object.assign($("[data-knob=strength]"), {min, max, step});
  $$(".ends span").forEach((end, i) => { end.textContent = ends[i]; });
  return scale;
}

function showAmounts() {  // how much, as the transform takes it
  const box = $(".amounts"), wanted = amounts[now.transform];
  if (box.dataset.choices !== now.transform) {
    box.dataset.choices = now.transform;
    box.innerHTML = html`${wanted.map(([unit, min, max, step], i) => html`<label><span>${unit}</span><output></output>
      <input type="range" min="${min}" max="${max}" step="${step}" aria-label="Amount, ${unit}" data-amount="${i}">
      </label>`)}`;
  }
  $$("input", box).forEach((input, i) => setSlider(input, now.amount[i]));
  $$("output", box).forEach((output, i) => { output.textContent = signed(now.amount[i]); });
  box.hidden = !wanted.length;
}

function showCaption() {
  const {machine, operator, strength, seed} = shown.order, {kind, title} = machineOf(machine);
  const facts = Object.entries(shownSettings()).map(([key, value]) => `${key} ${[value].flat().join(", ")}`);
  const what = isRun({kind}) ? title : briefName({kind, title});
  $(".caption").textContent = `${machine}: ${what}. ${operator}, strength ${signed(strength)}, ${facts.join(", ")}. `
    + `Seeds ${seed} to ${seed + count - 1}. That Are Not ${version}.`;
}

function writeUrl() {
  const {machine, operator, strength, seed, cell} = now, {amount, ...own} = ownSettings(now, drawsOnce(machine));
  const all = Object.entries({...own, amount: amount?.join("_")});
  const rest = Object.fromEntries(all.filter(([, value]) => value !== "" && value !== undefined));
  url.write({machine, operator, strength, ...rest, seed, ...(cell ? {cell} : {})});
}

function settings() {  // of the pictures on show
  const {machine, operator, strength, seed} = shown.order, {title, sha256} = machineOf(machine);
  return {tab: "bend-it", version, machine, title, sha256, operator, strength, ...shownSettings(), seed, symbols: count,
    pass: pass(), selected_seed: seed + now.cell};
}

// ---- what a visitor does
function choose(knob, value) {
  const {transform, amount, channels} = now;
  if (knob === "machine") return open(value);
  if (knob === "operator") return update({...initial(machineOf(now.machine), value), transform, amount, channels});
  if (knob === "transform") return update({transform: value, amount: amounts[value].map(([, , , , often]) => often)});
  update({[knob]: value});
}

function onKnob(knob, value, isFinal) {
  if (knob === "frame") {
    now.pass = value >= shown.frames.length - 1 ? null : value;
    return show(shown);
  }
  if (knob === "strength") setAmount({strength: SCALES[now.operator].toStrength(value)}, isFinal);
  else if (["share", "passes"].includes(knob)) setAmount({[knob]: value}, isFinal);
  else choose(knob, value);
}

function setAmount(changes, isFinal) {  // passes take a while: they are asked for when the handle is let go
  Object.assign(now, changes);
  if (isFinal || (drawsOnce(now.machine) && now.operator !== "chain")) update({});
  else showControls();
}

const setSeed = (seed) => update({seed: url.chooseSeed(seed)});

/** An amount by chance, around the usual one: [unit, from, to, in steps of, usually]. */
export function randomAmount([, low, high, step, often], random = Math.random) {
  if (!often) return often;
  return clamp(Number((Math.round((often * (0.5 + random())) / step) * step).toFixed(2)), low, high);
}

function surprise() {
  const any = (choices) => choices[Math.floor(Math.random() * choices.length)];
  const machine = machineOf(now.machine), operator = any(machine.operators), classes = known()?.classes ?? [];
  const fits = (name) => name !== "ablate" && (isRun(machine) || !NEEDS_MAPS.includes(name));
  const changes = {...initial(machine, operator), chance: randomSeed(), kind: any(kinds)};
  if (operator === "rewrite" && classes.length > 1) {
    changes.one = any(classes);
    changes.another = any(classes.filter((name) => name !== changes.one));
  }
  if (operator === "bend") {
    const transform = any(Object.keys(amounts).filter(fits));
    const amount = amounts[transform].map((each) => randomAmount(each));
    const group = any(Array.from({length: groups}, (_, i) => i));
    const channels = any(Object.keys(CHANNELS)), share = any([0.25, 0.5, 0.75]);
    Object.assign(changes, {transform, amount, channels, share, group});
  }
  update(changes);
}

function undo() {
  const {operator, strength} = now;
  if (strength === 0 && undone) {
    return update({strength: undone.operator === operator ? undone.strength : usual[operator].strength});
  }
  undone = {operator, strength};
  update({strength: 0});
}

function offer(to, isBefore) {  // one picture of the pair, with the settings it was drawn by
  const {shape, order, frames, before} = shown, pixels = isBefore ? before : frames[pass()], [channels, side] = shape;
  if (!pixels) return;
  const own = Object.entries(shownSettings()).map(([key, value]) => `${key} ${value}`);
  const how = isBefore ? ["before"]
    : [order.operator, `strength ${order.strength}`, ...own, ...(frames.length > 1 ? [`pass ${pass()}`] : [])];
  const caption = [order.machine, ...how, `seed ${seedOf(now.cell)}`].join(", ");
  offerPicture(to, {pixels: pictureAt(pixels, shape, now.cell), side, channels, caption});
}

export default function start({element, props, server, trigger}) {
  ({machines, start: defaults, amounts, kinds, usual, groups, symbols: count, version} = props.value);
  figure = {...figureOf(element), server, trigger};
  ({$, $$} = figure);
  const largestSeed = LARGEST_SEED + 1 - count;
  const fileName = () => `${shown.order.machine}_${shown.order.operator}_seed-${shown.order.seed}`;
  url = new UrlState("bend-it", largestSeed);
  now = {cell: 0, pass: null, ...readUrl()};
  request = new Request(figure, "bend", {
    channel: "that-are-not-bent", onResponse, advice: "turn a knob to ask it again", state: "drawn", cancels: true,
  });
  controls = new Controls(element, onKnob);
  gallery = new Gallery($(".couples"), {count, canvases: 2, columns: () => COLUMNS, onSelect: select});
  const savePicture = () => {  // a row before, a row after, and so on
    const rows = Array.from({length: count / COLUMNS}, (_, row) =>
      gallery.cells.slice(row * COLUMNS, (row + 1) * COLUMNS));
    const canvases = rows.flatMap((row) => [0, 1].flatMap((which) => row.map((cell) => cell.children[which])));
    saveSheet(figure, [canvases], `${fileName()}.png`, COLUMNS);
  };
  const reset = () => {
    figure.showProblem("");
    undone = null;
    update({...defaults, ...initial(machines[0], machines[0].operators[0])});
  };
  const actions = {
    undo, surprise, reset, keep: () => offer("keep"), keepBefore: () => offer("keep", true), ask: () => offer("ask"),
    dice: () => setSeed(randomSeed()), toss: () => update({chance: randomSeed()}), picture: savePicture,
  };
  const guarded = Object.fromEntries(Object.entries(actions).map(([name, act]) => [name, () => shown && act()]));
  onActions(element, guarded);
  onKeys(figure.article, {k: guarded.keep, u: guarded.undo});
  for (const event of ["input", "change"]) {
    $(".amounts").addEventListener(event, ({target: {value, dataset}}) => {
      const amount = now.amount.with(Number(dataset.amount), Number(value));
      setAmount({amount}, event === "change");
    });
  }
  seedField($("[name=seed]"), largestSeed, setSeed, figure.showProblem);
  seedField($("[name=chance]"), LARGEST_SEED, (chance) => update({chance}), figure.showProblem);
  onThemeChange(() => shown && show(shown));
  showControls();
  addShareButtons(figure, fileName, settings);
  url.followSeed(() => now.seed, (seed) => update({seed}));
  open(now.machine);
}
