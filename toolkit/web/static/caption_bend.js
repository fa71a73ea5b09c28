// What is said of the pictures on show: in words, in the address, and as plain values. Read before bend.js, in one scope.
const NOUNS = {decoder: "Decoder", kaleidoscope: "Kaleidoscope", iterations: "Datasets That Are Not"};
const OPERATORS = {bend: "Bend", glitch: "Glitch", blend: "Blend", rewrite: "Rewrite", chain: "Chain"};
const TRANSFORMS = {  // its name, and what happens, as in "some maps are ..."
  translate: ["move", ([x, y]) => `moved by ${part(x)} of their width to the right and ${part(y)} down`],
  rotate: ["rotate", ([by]) => `turned by ${by}°`],
  scale: ["scale", ([by]) => `scaled by ${by}`],
  flip_h: ["mirror, left to right", () => "mirrored from left to right"],
  flip_v: ["mirror, top to bottom", () => "mirrored from top to bottom"],
  erode: ["thin out (erode)", ([by]) => `thinned out by ${counted(by, "position")}`],
  dilate: ["fatten (dilate)", ([by]) => `fattened by ${counted(by, "position")}`],
  threshold: ["all or nothing (threshold)", ([by]) => `set to their peak where they are over ${part(by)} of it, and to nothing elsewhere`],
  invert: ["invert", () => "inverted"],
  multiply: ["multiply", ([by]) => `multiplied by ${signed(by)}`],
  ablate: ["silence (ablate)", () => "silenced"],
  noise: ["add noise", ([by]) => `mixed with noise of ${counted(by, "standard deviation")}`],
};
const KINDS = {
  zero: "deleted", flip: "turned in sign", resample: "drawn anew", scale: "multiplied by −4", swap: "swapped, filter by filter",
  duplicate: "overwritten by other filters", shuffle: "mixed up within filters",
};
const MAPS = ["translate", "rotate", "scale", "flip_h", "flip_v", "erode", "dilate"];
const counted = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
const signed = (value) => String(value).replace("-", "−");
const part = (value) => `${signed(Number((100 * value).toPrecision(3)))} %`;
const titled = ({kind, title, name}) => (kind === "iterations" || !NOUNS[kind] ? `${NOUNS.iterations}, ${name}: ${title}` : `${NOUNS[kind]}: ${title}`);
const brief = ({kind, title, name}) => (kind === "iterations" || !NOUNS[kind] ? `the run ${name}` : `the ${NOUNS[kind].toLowerCase()} of ${title.toLowerCase()}`);

function linked() {  // what a link says of this tab, as far as it can be
  const of = machines.find(({name}) => name === address.says("machine")) ?? machines[0];
  const operator = address.among("operator", of.operators) ?? of.operators[0], {low, high} = usual[operator];
  const number = (name, from, to, text = address.says(name)) => {
    const value = /^-?\d{1,6}(\.\d{1,6})?$/.test(text) ? Number(text) : NaN;
    return value >= from && value <= to ? value : undefined;
  };
  const transform = address.among("transform", Object.keys(amounts)), wanted = amounts[transform] ?? [];
  const amount = transform && (address.says("amount") ?? "").split("_").filter(Boolean).map((text, i) => number("", wanted[i]?.[1], wanted[i]?.[2], text));
  const able = transform && amount.length === wanted.length && !amount.includes(undefined);
  const layer = address.says("layer"), others = machines.map(({name}) => name).filter((name) => name !== of.name);
  const said = {
    strength: operator === "chain" ? address.whole("strength", low, high) : number("strength", low, high),
    chance: address.whole("chance", 0, 2 ** 32 - 1), start: address.among("start", ["symbols", "noise"]), passes: address.whole("passes", 1, 30),
    layer: /^[a-z]+(\.\d{1,3}){0,4}$/.test(layer) ? layer : undefined, transform: able ? transform : undefined, amount: able ? amount : undefined,
    channels: address.among("channels", ["all", "random", "cluster"]), share: number("share", 0, 1), group: address.whole("group", 0, groups - 1),
    kind: address.among("kind", kinds), one: address.says("one")?.slice(0, 40), another: address.says("another")?.slice(0, 40),
    parent: address.among("parent", of.iterations), child: address.among("child", of.iterations), other: address.among("other", others),
    cell: address.whole("cell", 0, SYMBOLS - 1), seed: address.seed(2 ** 32 - SYMBOLS),
  };
  return {...start, ...fresh(of, operator), ...Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined && value !== null))};
}

function whose(order) {  // the settings that count for an operator, as they stand in a link and in a file
  const {operator, start: from, passes, layer, transform, amount, channels, share, group, kind, one, another, parent, child, other, chance} = order;
  const once = film?.known && film.order.machine === order.machine ? film.known.drawn : about(order).kind === "decoder", runs = once || operator === "chain" || operator === "rewrite" ? {} : {start: from, passes};
  const own = {
    bend: {transform, ...(amount.length ? {amount} : {}), layer, channels, ...(channels === "random" ? {share} : channels === "cluster" ? {group} : {}), ...(chanced(order) ? {chance} : {})},
    glitch: {kind, ...(layer ? {layer} : {}), chance}, blend: {parent, child}, rewrite: {one, another, layer}, chain: {other},
  }[operator];
  return {...own, ...runs};
}

const chanced = ({operator, channels, transform}) => operator === "glitch" || (operator === "bend" && (channels === "random" || transform === "noise"));

function wheres(layer, known) {  // a layer in words
  const [, many, side] = (known?.layers ?? []).find(([name]) => name === layer) ?? [];
  const place = layer ? `layer ${layer}` : "one layer";
  return {place, what: side ? "map" : "neuron", many: many ?? 0, long: side ? `${layer}: ${many} maps of ${side} × ${side}` : many ? `${layer}: ${many.toLocaleString("en")} neurons` : layer};
}

const SAYS = {
  bend({layer, transform, amount, channels, share, group}, known) {
    const {place, what, many} = wheres(layer, known), all = `${many ? `${many.toLocaleString("en")} ` : ""}${what}s of ${place}`;
    const which = {all: `all ${all}`, random: `${part(share)} of the ${all}, chosen by chance,`, cluster: `the ${what}s of ${place} that act alike, group ${group + 1},`}[channels];
    return `While it draws, ${which} are ${TRANSFORMS[transform][1](amount)}. Its weights stay as they are.`;
  },
  glitch: ({kind, strength, layer}) => `${part(strength)} of the weights of ${layer ? `layer ${layer}` : "every layer"}, chosen by chance, are ${KINDS[kind]}. Undo brings all of them back.`,
  blend({parent, child, strength}) {
    const far = strength > 1 ? "beyond the second" : strength < 0 ? "before the first" : "between the two";
    return `Every weight lies ${far}: 0 is iteration ${parent}, 1 is iteration ${child}, and this is ${signed(strength)}.`;
  },
  rewrite: ({one, another, layer}) => (one ? `One association is written over in layer ${layer}: where it meant “${one}”, it now finds what belongs to “${another}”. Nothing is trained.` : "One association is written over. Nothing is trained."),
  chain: ({other, strength}) => `What it drew is handed on to ${brief(machines.find(({name}) => name === other) ?? machines[0])}, which sees it again ${counted(strength, "time")}.`,
};

function caption() {  // the exact settings
  const {order, known} = film, {machine, operator, strength} = order, own = whose({...order, ...named(known)}), {kind, title} = about(order);
  const facts = Object.entries(own).map(([key, value]) => `${key} ${Array.isArray(value) ? value.join(", ") : value}`);
  $(".caption").textContent = `${machine}: ${NOUNS[kind] && kind !== "iterations" ? brief({kind, title}) : title}. ${operator}, strength ${signed(strength)}, ${facts.join(", ")}. Seeds ${order.seed} to ${order.seed + SYMBOLS - 1}. That Are Not ${version}.`;
}

function tell() {
  const {machine, operator, strength, seed, cell} = now, {amount, ...own} = whose(now);
  const rest = Object.fromEntries(Object.entries({...own, amount: amount?.join("_")}).filter(([, value]) => value !== "" && value !== undefined));
  address.tell({machine, operator, strength, ...rest, seed, ...(cell ? {cell} : {})});
}

const named = (known) => Object.fromEntries(["layer", "one", "another"].filter((key) => known?.[key] !== undefined).map((key) => [key, known[key]]));

function settings() {  // of the pictures on show, as plain values
  const {order, known} = film, {name, title, sha256} = about(order);
  return {tab: "bend-it", version, machine: name, title, sha256, operator: order.operator, strength: order.strength, ...whose({...order, ...named(known)}), seed: order.seed, symbols: SYMBOLS, pass: at(), selected_seed: order.seed + now.cell};
}
