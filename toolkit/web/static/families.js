// Families, trees of generations, as the browser keeps them: what was picked where, what came of it, undo, recipes.
// A family: {id, name, ancestor, nodes, now}; now: the node on show. A node: {parent, picks, drawings, weight, steps,
// facts, light, shared, cousins, marks}: how it was raised and how far it is from that; its sheet in base64, once there
// is one; the sheet that came with its recipe, packed, and what to say if the two are not alike; what the visitor picks
// of it. Node 0 is the first model.
import {fromBase64, toBase64} from "./canvas.js";
import {clamp} from "./controls.js";

const STORE = "that-are-not-families", FAMILIES = 8, UNDO_STEPS = 50;  // families that are kept
const NOTHING = {picks: [], drawings: []};
export const SIDE = 28, AREA = SIDE * SIDE;

/** The nodes from the first to number k, as numbers. */
export function lineage(nodes, k) {
  return k ? [...lineage(nodes, nodes[k].parent), k] : [0];
}

/** Where generations stand, [column, row] each: one in the column of its depth; a first child in its parent's row. */
export function layOutTree(nodes) {
  const places = [], childrenOf = (k) => [...nodes.keys()].filter((i) => i && nodes[i].parent === k);
  let rows = 0;
  (function place(k, column, row) {
    places[k] = [column, row];
    childrenOf(k).forEach((each, i) => place(each, column + 1, i ? rows++ : row));
  })(0, 0, rows++);
  return places;
}

/** What a node learned from, as marks of its parent. */
export const pickedFor = ({picks, drawings}) => ({picks, drawings});

// ---- drawings and sheets: two bits a pixel, the first four from the left in the first byte
export function packed(pixels) {
  const bytes = new Uint8Array(pixels.length / 4);
  pixels.forEach((value, i) => { bytes[i >> 2] |= Math.round((3 * value) / 255) << (6 - 2 * (i & 3)); });
  return toBase64(bytes);
}

/** So many pictures of 1, 2, 4 or 8 bits a pixel, as its length tells. */
export function unpacked(text, count = 1) {
  const bytes = fromBase64(text), length = count * AREA, bits = (8 * bytes.length) / length;
  const most = 2 ** bits - 1, each = 8 / bits;
  const level = (i) => (bytes[Math.floor(i / each)] >> (8 - bits - bits * (i % each))) & most;
  return Uint8ClampedArray.from({length}, (_, i) => Math.floor((255 * level(i)) / most));
}

// ---- recipes
/** The recipe of a node of a family, which is that of its line; and the sheet that it was shared with, if it was. */
export function recipeOf({name, ancestor, nodes}, k) {
  const generations = lineage(nodes, k).slice(1).map((i, parent) => {
    const {picks, drawings, weight, steps} = nodes[i];
    return {parent, picks, drawings, weight, ...(steps ? {steps} : {})};
  });
  return {schema: 1, name, ancestor, generations, ...(nodes[k].shared ? {sheet: nodes[k].shared} : {})};
}

/** What tells recipes apart: all but names, and what is left out as usual. */
function keyOf({ancestor, generations}, usual) {
  const plain = ({picks = [], drawings = [], weight = usual, steps = 0}) => [picks, drawings, weight, steps];
  return JSON.stringify([ancestor.sha256, ...generations.map(plain)]);
}

/** Whether what was stored is a family of at most so many nodes. */
function isSound({id, name, nodes, now, ancestor}, most) {
  const areLists = ({picks, drawings}) => Array.isArray(picks) && Array.isArray(drawings);
  const isNode = (node, k) => areLists(node.marks) && (k ? areLists(node) && node.parent < k : node.parent === null);
  return [id, name, ancestor.sha256].every((text) => typeof text === "string")
    && nodes.length <= most && Boolean(nodes[now]) && nodes.every(isNode);
}

export class Families {
  all = [];
  shown = 0;     // which is on show
  #past = [];    // what the family on show was before
  #sheets = new WeakMap();

  /** limits: of the page's first message. */
  constructor(limits) {
    this.limits = limits;
  }

  get family() {
    return this.all[this.shown];
  }

  get node() {
    return this.family.nodes[this.family.now];
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  /** To be shared: with the sheet that it came with, or else its own. */
  get recipe() {
    const own = this.node.light ? {sheet: packed(this.pixelsOf(this.node))} : {};
    return {...own, ...recipeOf(this.family, this.family.now)};
  }

  depth(k) {
    return lineage(this.family.nodes, k).length - 1;
  }

  /** The nearest node that has a sheet, be it as it was shared, of this one and those before it. */
  lit(k) {
    const {light, shared, parent} = this.family.nodes[k];
    return light || shared || !k ? k : this.lit(parent);
  }

  /** The first node of the line on show that has no sheet; undefined where all have one. */
  get lacking() {
    const {nodes, now} = this.family;
    return lineage(nodes, now).find((k) => !nodes[k].light);
  }

  hasChild(k) {
    return this.family.nodes.some(({parent}) => parent === k);
  }

  /** The pixels of a node's sheet, before there is one as it was shared; or nothing. */
  pixelsOf(node) {
    const {light, shared} = node;
    if (!this.#sheets.has(node)) this.#sheets.set(node, light ? fromBase64(light) : this.sharedOf(shared));
    return this.#sheets.get(node);
  }

  sharedOf(shared) {
    return shared ? unpacked(shared, this.limits.symbols) : null;
  }

  // ---- changes of the family on show
  change(changes) {
    this.#past = [...this.#past.slice(-UNDO_STEPS), this.family];
    this.#replace({...this.family, ...changes});
  }

  /** Pick or let go of something on the sheet on show. */
  mark(marks) {
    const {nodes, now} = this.family;
    this.change({nodes: nodes.with(now, {...this.node, marks: {...this.node.marks, ...marks}})});
  }

  /** A generation to be raised from what is picked. */
  grow(weight) {
    const {nodes, now} = this.family;
    this.change({nodes: [...nodes, {parent: now, ...this.node.marks, weight, marks: NOTHING}], now: nodes.length});
  }

  /** Show another generation, which nobody wants to be undone. */
  go(now) {
    this.#replace({...this.family, now});
  }

  undo() {
    this.#replace(this.#past.pop());
  }

  #replace(family) {
    this.all[this.shown] = family;
    this.#remember();
  }

  /** What a node of a family draws has come; it is so in the past too. */
  fill(id, k, found) {
    const old = this.all.find((each) => each.id === id)?.nodes[k];
    if (!old) return;
    const filled = {...old, ...found}, inFamily = (its) =>
      ({...its, nodes: its.nodes.map((node) => (node === old ? filled : node))});
    this.all = this.all.map(inFamily);
    this.#past = this.#past.map(inFamily);
    this.#remember();
  }

  // ---- families
  open(k) {
    this.shown = k;
    this.#past = [];
    this.#remember();
  }

  /** A family of a recipe, which is then the last. The oldest goes; so do those in which nothing was raised. */
  add({ancestor, generations = [], name = "", sheet}) {
    const raised = generations.map((its) => ({...NOTHING, weight: this.limits.weight, ...its}));
    const marks = [...raised.map(pickedFor), NOTHING], first = {parent: null, marks: marks[0]};
    const nodes = [first, ...raised.map((node, i) => ({...node, marks: marks[i + 1]}))];
    if (sheet) nodes.at(-1).shared = sheet;
    const family = {id: `${Date.now()}-${Math.random()}`, name, ancestor, nodes, now: nodes.length - 1};
    this.all = [...this.all.filter(({nodes: {length}}) => length > 1), family].slice(-FAMILIES);
  }

  /** The family and the node of a recipe that is here already, [number, k]; undefined where there is none. */
  find(recipe) {
    const key = keyOf(recipe, this.limits.weight);
    const keys = this.all.map((its) => its.nodes.map((_, k) => keyOf(recipeOf(its, k), this.limits.weight)));
    const number = keys.findIndex((its) => its.includes(key));
    return number < 0 ? undefined : [number, keys[number].indexOf(key)];
  }

  // ---- the browser's storage
  #remember() {
    try {
      localStorage.setItem(STORE, JSON.stringify({families: this.all, shown: this.shown}));
    } catch { /* a browser that stores nothing: the families last until the page is left */ }
  }

  recall() {  // what is stored may be anything
    try {
      const {families, shown} = JSON.parse(localStorage.getItem(STORE));
      this.all = families.slice(-FAMILIES).filter((its) => isSound(its, this.limits.all + 1));
      this.shown = clamp(shown, 0, this.all.length - 1);
    } catch { /* nothing was kept, or nothing of use */ }
  }
}
