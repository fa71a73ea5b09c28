// The tab "Bend it": 32 pictures of a machine before and after it was altered, knobs over what is altered, one pair
// large. Responses come pass by pass. Until the first comes, the sheet stored with the machine shows.
import {fromBase64} from "./canvas.js";
import {clamp, html, plainChoices, randomSeed, seedField, setSlider} from "./controls.js";
import {GalleryTab, pictureAt} from "./gallery.js";
import {counted, percent, signed} from "./text.js";
import {LARGEST_SEED, decimal, matching, oneOf, whole} from "./url_state.js";

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
  mix: {...plain(0, 1, 0.01), ends: ["its own style", "the other's"]},
};
const MEANING = "on average: 0 is the same picture, 1 black against white (root of the mean squared difference).";
let tab, now, $, $$, write;  // now.pass: the pass on show, null for the last
let machines, defaults, amounts, kinds, usual, groups, count;  // of the page's first message
let undone = null;           // {operator, strength} before an undo

const machineOf = (name) => machines.find((each) => each.name === name);
const known = () => (tab.shown?.order.machine === now.machine ? tab.shown.known : undefined);
const drawsOnce = (name) => (tab.shown?.known && tab.shown.order.machine === name ? tab.shown.known.drawn
  : machineOf(name).kind === "decoder");
const passOnShow = () => Math.min(now.pass ?? Infinity, tab.shown.frames.length - 1);

/** What the server chose for a setting that was left open. */
const chosen = (its) => Object.fromEntries(
  ["layer", "one", "another"].filter((key) => its?.[key] !== undefined).map((key) => [key, its[key]]));

function shownSettings() {
  const {order, known: facts} = tab.shown;
  return ownSettings({...order, ...chosen(facts)}, drawsOnce(order.machine));
}

// ---- what is said of machines, operators and settings. Pure.
const NAMES = {decoder: "Decoder", kaleidoscope: "Kaleidoscope", iterations: "Datasets That Are Not"};
export const OPERATORS = {
  bend: "Bend", glitch: "Glitch", blend: "Blend", rewrite: "Rewrite", chain: "Chain", mix: "Mix styles",
};
export const STYLES = {  // layers of a StyleGAN by the size of their maps, and in a sentence
  coarse: "the coarse layers, where the shape is", middle: "the layers in the middle, where strokes close",
  fine: "the fine layers, where little is left to decide", all: "all layers",
};
export const TRANSFORMS = {  // its name, and what happens, as in "some maps are ..."
  translate: ["move", ([x, y]) => `moved by ${part(x)} of their width to the right and ${part(y)} down`],
  rotate: ["rotate", ([by]) => `turned by ${by}°`],
  scale: ["scale", ([by]) => `scaled by ${by}`],
  flip_h: ["mirror, left to right", () => "mirrored from left to right"],
  flip_v: ["mirror, top to bottom", () => "mirrored from top to bottom"],
  erode: ["thin out (erode)", ([by]) => `thinned out by ${counted(by, "position")}`],
  dilate: ["fatten (dilate)", ([by]) => `fattened by ${counted(by, "position")}`],
  threshold: ["all or nothing (threshold)", ([by]) =>
    `set to their peak where they are over ${part(by)} of it, and to nothing elsewhere`],
  invert: ["invert", () => "inverted"],
  multiply: ["multiply", ([by]) => `multiplied by ${signed(by)}`],
  ablate: ["silence (ablate)", () => "silenced"],
  noise: ["add noise", ([by]) => `mixed with noise of ${counted(by, "standard deviation")}`],
};
export const NEEDS_MAPS = ["translate", "rotate", "scale", "flip_h", "flip_v", "erode", "dilate"];
export const GLITCHES = {
  zero: "deleted", flip: "turned in sign", resample: "drawn anew", scale: "multiplied by −4",
  swap: "swapped, filter by filter", duplicate: "overwritten by other filters", shuffle: "mixed up within filters",
};

export const part = (share) => signed(percent(share, 3));

/** Whether a machine is a run of iterations, or of another kind that is drawn from as a run is. */
export const isRun = ({kind}) => kind === "iterations" || !NAMES[kind];

/** A machine in a list, and in a sentence. */
export const longName = (machine) => (isRun(machine) ? `${NAMES.iterations}, ${machine.name}: ${machine.title}`
  : `${NAMES[machine.kind]}: ${machine.title}`);
export const briefName = (machine) => (isRun(machine) ? `the run ${machine.name}`
  : `the ${NAMES[machine.kind].toLowerCase()} of ${machine.title.toLowerCase()}`);

/** Whether a machine can go on in a chain. */
export const canChain = ({kind}) => Boolean(NAMES[kind]);

export const usesChance = ({operator, channels, transform}) =>
  operator === "glitch" || operator === "mix" || (operator === "bend" && (channels === "random" || transform === "noise"));

/** A layer in words. layers: [name, channels, side of a map or 0] each, if they are known. */
export function layerWords(layer, layers = []) {
  const [, count, side] = layers.find(([name]) => name === layer) ?? [];
  const many = count?.toLocaleString("en"), maps = `${layer}: ${count} maps of ${side} × ${side}`;
  const long = side ? maps : count ? `${layer}: ${many} neurons` : layer;
  return {place: layer ? `layer ${layer}` : "one layer", unit: side ? "map" : "neuron", count: many ?? "", long};
}

/** What an operator does, as a sentence. other: the machine that goes on in a chain. */
export function sentence(order, layers, other) {
  const {operator, layer, strength, kind, one, another, parent, child} = order;
  const far = strength > 1 ? "beyond the second" : strength < 0 ? "before the first" : "between the two";
  return {
    bend: () => bendSentence(order, layers),
    glitch: () => `${part(strength)} of the weights of ${layer ? `layer ${layer}` : "every layer"}, chosen by chance, `
      + `are ${GLITCHES[kind]}. Undo brings all of them back.`,
    blend: () => `Every weight lies ${far}: 0 is iteration ${parent}, 1 is iteration ${child}, and this is `
      + `${signed(strength)}.`,
    rewrite: () => (one ? `One association is written over in layer ${layer}: where it meant “${one}”, it now finds `
      + `what belongs to “${another}”. Nothing is trained.` : "One association is written over. Nothing is trained."),
    chain: () => `What it drew is handed on to ${briefName(other)}, which sees it again ${counted(strength, "time")}.`,
    mix: () => mixSentence(order),
  }[operator]();
}

function mixSentence({strength, styles, chance, psi, noise}) {
  const far = strength === 1 ? "" : `${part(strength)} of the way to `;
  const taken = strength ? `In ${STYLES[styles]}, every picture takes ${far}the style of seed ${chance}. ` : "";
  const near = psi > 1 ? "farther from the mean than it learned" : psi ? "nearer to the mean" : "the mean of all";
  const cut = psi === 1 ? "" : `With ψ ${psi} every style is ${near}. `;
  return `${taken}${cut}${noise === "off" ? "Its noise is silent." : ""}`.trim();
}

function bendSentence({layer, transform, amount, channels, share, group}, layers) {
  const {place, unit, count} = layerWords(layer, layers), all = `${count ? `${count} ` : ""}${unit}s of ${place}`;
  const which = {
    all: `all ${all}`,
    random: `${part(share)} of the ${all}, chosen by chance,`,
    cluster: `the ${unit}s of ${place} that act alike, group ${group + 1},`,
  }[channels];
  return `While it draws, ${which} are ${TRANSFORMS[transform][1](amount)}. Its weights stay as they are.`;
}

/** The settings that count for an operator, as they stand in a link, a caption and a file. once: whether the machine
 *  draws in one go instead of pass by pass. */
export function ownSettings(order, once) {
  const {operator, start, passes, layer, transform, amount, channels, share, group} = order;
  const {kind, one, another, parent, child, other, chance, styles, psi, noise} = order;
  const runs = once || ["chain", "rewrite", "mix"].includes(operator) ? {} : {start, passes};
  const which = channels === "random" ? {share} : channels === "cluster" ? {group} : {};
  const byChance = usesChance(order) ? {chance} : {};
  const own = {
    bend: {transform, ...(amount.length ? {amount} : {}), layer, channels, ...which, ...byChance},
    glitch: {kind, ...(layer ? {layer} : {}), chance},
    blend: {parent, child}, rewrite: {one, another, layer}, chain: {other}, mix: {styles, chance, psi, noise},
  }[operator];
  return {...own, ...runs};
}

// ---- the settings at first
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
    styles: defaults.styles, psi: defaults.psi, noise: defaults.noise,
  };
}

/** The settings that a link names, as far as they can be; the others as they are at first. */
function read(url) {
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
    styles: oneOf(Object.keys(STYLES)), psi: decimal(0, 1.5), noise: oneOf(["on", "off"]), cell: whole(0, count - 1),
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
function ask() {
  now.pass = null;
  const {cell, pass, ...order} = now;
  tab.request.send(order, {order, frames: []});
}

function onResponse({done, error, before, shape, known: facts, frames = []}, its) {
  const news = frames.slice(its.frames.length), {layer, one, another} = its.order;
  if (before) Object.assign(its, {shape, known: facts, before: its.before ?? fromBase64(before)});
  its.frames.push(...news.map(fromBase64));
  if (its.frames.length && (news.length || tab.shown !== its)) showPairs(its);
  if (!done) return;
  if (error && !tab.shown?.known && (layer || one || another)) {  // a link named what is not there
    return tab.update({layer: "", one: "", another: ""});
  }
  if (tab.request.superseded) return;
  tab.onEnd(error);
  showControls();
}

function openMachine(name) {
  const machine = machineOf(name), operator = machine.operators.includes(now.operator) ? now.operator : "bend";
  const {seed, chance} = now;
  Object.assign(now, {...defaults, seed, chance, ...initial(machine, operator)});
  tab.open();
}

function fromSheet({pixels, side, channels, columns}, {kind}) {  // of a decoder every other, of a kaleidoscope one row
  const shape = [channels, side, side], length = channels * side * side, every = kind === "decoder" ? 2 : 1;
  const rows = Math.floor(pixels.length / length / columns);
  const first = kind === "kaleidoscope" ? Math.min(4, rows - 1) * columns : 0;
  if (pixels.length < (every * count + first) * length) return null;
  const before = new Uint8ClampedArray(count * length);
  for (let k = 0; k < count; k++) before.set(pictureAt(pixels, shape, first + every * k), k * length);
  return {shape, order: {...now, seed: 0}, before, frames: []};
}

// ---- the pairs
function showPairs(newer) {
  tab.shown = newer;
  const {before, known: facts, frames} = newer, after = frames[passOnShow()], marked = facts?.marked ?? [];
  tab.paint([before, after], (k, seed) => `Seed ${seed}, before and after${marked[k] ? ", rewritten" : ""}`);
  tab.cells.forEach((cell, k) => cell.classList.toggle("marked", Boolean(marked[k])));
  $(".legend .marks").hidden = !marked.length;
  write({".legend .marks": `framed: “${facts?.one}” to a judge`});
  showPass();
  const change = after && meanDistance(before, after, count).toFixed(2);
  $(".sums").innerHTML = html`${after && html`<p>changed by <b>${change}</b> ${MEANING}</p>`}`;
  tab.showPair([before, after], ["before", "after"]);
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
  const {order, frames} = tab.shown, last = frames.length - 1, at = Math.max(0, passOnShow());
  const end = order.operator === "chain" ? order.strength : order.passes;
  $(".passing").hidden = last < 1;
  setSlider($("[data-knob=frame]"), at, {max: Math.max(1, last)});
  write({".passing output": `pass ${at} of ${Math.max(last, end)}`});
}

// ---- the knobs, and all that is said of them in words
function showControls() {
  const {operator, strength, channels, transform, seed} = now, machine = machineOf(now.machine), facts = known();
  const order = now.layer || tab.shown?.order.operator !== operator ? now : {...now, ...chosen(facts)};
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
  const open = operator === "glitch" ? "all layers" : "the usual one", numbers = plainChoices(machine.iterations);
  const classes = (own) => (facts?.classes ?? [own]).map((name) => [name, name || "…"]);
  showStrength(machine, sentence(order, facts?.layers, machineOf(now.other) ?? machines[0]));
  tab.controls.show({...order, strength: SCALES[operator].toHandle(strength)}, {
    operator: machine.operators.map((name) => [name, OPERATORS[name]]), channels: Object.entries(CHANNELS),
    group: Array.from({length: groups}, (_, i) => [i, String(i + 1)]),
    start: [["symbols", "its symbols"], ["noise", "noise"]],
    machine: machines.map(named), other: machines.filter((each) => each !== machine && canChain(each)).map(named),
    transform: Object.keys(amounts).filter((name) => fits(name) || name === transform)
      .map((name) => [name, TRANSFORMS[name][0]]),
    kind: kinds.map((name) => [name, GLITCHES[name]]), parent: numbers, child: numbers,
    styles: plainChoices(Object.keys(STYLES)), noise: plainChoices(["on", "off"]),
    layer: (layers[operator] ?? [order.layer])
      .map((name) => [name, name ? layerWords(name, facts?.layers).long : open]),
    one: classes(order.one), another: classes(order.another),
  }, {share: part(now.share), passes: String(now.passes), psi: String(now.psi), seed: `${seed} to ${seed + count - 1}`});
  $("[data-knob=strength]").setAttribute("aria-valuetext", $(".numeral").textContent);
  write({".channel": hasMaps ? "maps" : "neurons", ".chance": operator === "mix" ? "style of seed" : "chance"});
  if (operator === "bend") showAmounts();
  const undo = strength === 0 && undone ? "Redo" : "Undo";
  Object.assign($("[data-do=undo]"), {textContent: undo, ariaPressed: strength === 0});
  writeUrl();
}

function showStrength(machine, says) {
  const {operator, strength} = now, {low: min, high: max, step, ends} = SCALES[operator];
  const isIdle = strength === 0 && operator !== "blend" && !(operator === "mix" && isRestyled());
  write({
    ".numeral": {glitch: part(strength).replace(" ", "\u2009"), chain: strength}[operator]
      ?? signed(strength.toFixed(2)),
    ".where b": {
      glitch: "of the weights", blend: "of the way", chain: strength === 1 ? "pass" : "passes",
    }[operator] ?? "strength",
    ".where span": briefName(machine),
    ".says": isIdle ? "Nothing is altered: both pictures are the same." : says,
  });
  Object.assign($("[data-knob=strength]"), {min, max, step});
  $$(".ends span").forEach((end, i) => { end.textContent = ends[i]; });
}

const isRestyled = () => now.psi !== 1 || now.noise === "off";  // beside what is mixed

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
  const {machine, operator, strength, seed} = tab.shown.order, {kind, title} = machineOf(machine);
  const facts = Object.entries(shownSettings()).map(([key, value]) => `${key} ${[value].flat().join(", ")}`);
  const what = isRun({kind}) ? title : briefName({kind, title}), how = `${operator}, strength ${signed(strength)}`;
  tab.figure.writeCaption(`${machine}: ${what}. ${[how, ...facts].join(", ")}. Seeds ${seed} to ${seed + count - 1}`);
}

function writeUrl() {
  const {machine, operator, strength, seed, cell} = now, {amount, ...own} = ownSettings(now, drawsOnce(machine));
  const all = Object.entries({...own, amount: amount?.join("_")});
  const rest = Object.fromEntries(all.filter(([, value]) => value !== "" && value !== undefined));
  tab.url.write({machine, operator, strength, ...rest, seed, ...(cell ? {cell} : {})});
}

function settings() {  // of the pictures on show
  const {machine, operator, strength, seed} = tab.shown.order, {title, sha256} = machineOf(machine);
  return {machine, title, sha256, operator, strength, ...shownSettings(), seed, symbols: count, pass: passOnShow(),
    selected_seed: tab.selectedSeed};
}

function picture(which) {  // one of a pair, with the settings it was drawn by
  const {order, frames, before} = tab.shown, pass = frames.length > 1 ? [`pass ${passOnShow()}`] : [];
  if (which === "before") return {pixels: before, facts: [order.machine, "before"]};
  const own = Object.entries(shownSettings()).map(([key, value]) => `${key} ${value}`);
  const facts = [order.machine, order.operator, `strength ${order.strength}`, ...own, ...pass];
  return {pixels: frames[passOnShow()], facts};
}

// ---- what a visitor does
const onKnobs = {  // what is more than a setting
  machine: openMachine,
  operator: (operator) => {
    const {transform, amount, channels} = now;
    tab.update({...initial(machineOf(now.machine), operator), transform, amount, channels});
  },
  transform: (transform) => tab.update({transform, amount: amounts[transform].map(([, , , , often]) => often)}),
  frame: (pass) => {
    now.pass = pass >= tab.shown.frames.length - 1 ? null : pass;
    showPairs(tab.shown);
  },
  strength: (at, isFinal) => setAmount({strength: SCALES[now.operator].toStrength(at)}, isFinal),
};

function setAmount(changes, isFinal) {  // passes take a while: they are asked for when the handle is let go
  Object.assign(now, changes);
  if (isFinal || (drawsOnce(now.machine) && now.operator !== "chain")) tab.update();
  else showControls();
}

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
  if (operator === "mix") changes.styles = any(Object.keys(STYLES));
  tab.update(changes);
}

function undo() {
  const {operator, strength} = now;
  if (strength === 0 && undone) {
    return tab.update({strength: undone.operator === operator ? undone.strength : usual[operator].strength});
  }
  undone = {operator, strength};
  tab.update({strength: 0});
}

function savedCanvases() {  // a row before, a row after, and so on
  const rows = Array.from({length: count / COLUMNS}, (_, row) => tab.cells.slice(row * COLUMNS, (row + 1) * COLUMNS));
  return rows.flatMap((row) => [0, 1].flatMap((which) => row.map((cell) => cell.children[which])));
}

export default function start(given) {
  ({machines, start: defaults, amounts, kinds, usual, groups, symbols: count} = given.props.value);
  tab = new GalleryTab(given, {
    tab: "bend-it", models: machines, modelKey: "machine", read,
    initial: () => {
      undone = null;
      return {...defaults, ...initial(machines[0], machines[0].operators[0])};
    },
    nameOf: (machine, isShown) => `${isShown ? "of " : ""}${briefName(machine)}`,
    count, grid: ".couples", canvases: 2, columns: COLUMNS, savedCanvases,
    event: "bend", channel: "that-are-not-bent", onResponse, options: {cancels: true}, ask, fromSheet, show: showPairs,
    across: ({kind, size}) => ({decoder: 16, kaleidoscope: (width) => width / size}[kind] ?? 10),
    showControls, redraw: () => { showPairs(tab.shown); writeUrl(); }, picture, settings,
    onKnob: (knob, value, isFinal) =>
      (onKnobs[knob] ?? ((own) => setAmount({[knob]: own}, isFinal)))(value, isFinal),
    fileName: () => `${tab.shown.order.machine}_${tab.shown.order.operator}_seed-${tab.shown.order.seed}`,
    actions: {
      undo, surprise, keepBefore: () => tab.offer("keep", "before"), toss: () => tab.update({chance: randomSeed()}),
    },
    keys: {u: "undo"},
  });
  ({now, figure: {$, $$, write}} = tab);
  for (const event of ["input", "change"]) {
    $(".amounts").addEventListener(event, ({target: {value, dataset}}) => {
      const amount = now.amount.with(Number(dataset.amount), Number(value));
      setAmount({amount}, event === "change");
    });
  }
  seedField($("[name=chance]"), LARGEST_SEED, (chance) => tab.update({chance}), tab.figure.showProblem);
  tab.open();
}
