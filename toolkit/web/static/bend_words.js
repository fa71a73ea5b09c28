// What the tab "Bend it" says of machines, operators and settings. Pure.
import {counted, percent, signed} from "./text.js";

const NAMES = {decoder: "Decoder", kaleidoscope: "Kaleidoscope", iterations: "Datasets That Are Not"};
export const OPERATORS = {bend: "Bend", glitch: "Glitch", blend: "Blend", rewrite: "Rewrite", chain: "Chain"};
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
  operator === "glitch" || (operator === "bend" && (channels === "random" || transform === "noise"));

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
  }[operator]();
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
  const {kind, one, another, parent, child, other, chance} = order;
  const runs = once || operator === "chain" || operator === "rewrite" ? {} : {start, passes};
  const which = channels === "random" ? {share} : channels === "cluster" ? {group} : {};
  const byChance = usesChance(order) ? {chance} : {};
  const own = {
    bend: {transform, ...(amount.length ? {amount} : {}), layer, channels, ...which, ...byChance},
    glitch: {kind, ...(layer ? {layer} : {}), chance},
    blend: {parent, child}, rewrite: {one, another, layer}, chain: {other},
  }[operator];
  return {...own, ...runs};
}
