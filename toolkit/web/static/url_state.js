// What a link says of a tab, declared: name -> a parser of its text, which gives a value or undefined.
import {onTab, setAddress} from "./tabs.js";

const LONGEST = 100;  // characters of a value, unless its parser takes longer ones
export const LARGEST_SEED = 2 ** 32 - 1;

// ---- parsers
export const decimal = (low, high) => (text) => {
  const value = /^-?\d{1,12}(\.\d{1,6})?$/.test(text) ? Number(text) : NaN;
  return value >= low && value <= high ? value : undefined;
};

export const whole = (low, high) => (text) => {
  const value = decimal(low, high)(text);
  return Number.isInteger(value) ? value : undefined;
};

/** One of a list of values, which come from elsewhere and may be numbers. */
export const oneOf = (choices) => (text) => choices.find((choice) => String(choice) === text);

/** "20-40" -> [20, 40]. */
export const interval = (high) => (text) => {
  const [from, to] = (/^(\d{1,3})-(\d{1,3})$/.exec(text) ?? []).slice(1).map(Number);
  return from < to && to <= high ? [from, to] : undefined;
};

export const matching = (pattern) => (text) => (pattern.test(text) ? text : undefined);

/** Any text of at most so many characters; whoever takes it checks it. */
export const anyText = (longest) => Object.assign((text) => text, {longest});

/** The values of a query that its schema takes; a name that is there twice, or too long, is as if it were not. */
export function parseQuery(query, schema) {
  const params = new URLSearchParams(query), values = {};
  for (const [name, parse] of Object.entries(schema)) {
    const all = params.getAll(name);
    const isShort = all.length === 1 && all[0].length <= (parse.longest ?? LONGEST);
    const value = isShort ? parse(all[0]) : undefined;
    if (value !== undefined) values[name] = value;
  }
  return values;
}

// ---- the page
const page = globalThis.location;
const shared = {seed: parseQuery(page?.search, {seed: whole(0, LARGEST_SEED)}).seed, age: 1};  // chosen last, anywhere

/** The part of a tab in the address, and the seed that it shares with the others. */
export class UrlState {
  #seen = 0;  // the age of the shared seed when it was looked at last

  /** largestSeed: that this tab can take. */
  constructor(tab, largestSeed = LARGEST_SEED) {
    Object.assign(this, {tab, largestSeed});
  }

  /** What the link that opened the page says of this tab, if it is the tab that it opens; and a seed chosen before. */
  read(schema) {
    const values = this.tab === window.thatAreNot.linked ? parseQuery(page.search, schema) : {};
    const seed = this.newSeed();
    return seed === undefined ? values : {...values, seed};
  }

  write(settings) {
    setAddress(this.tab, settings);
  }

  /** The seed chosen in another tab since the last time, if this one can take it. */
  newSeed() {
    const isNew = this.#seen < shared.age && shared.seed <= this.largestSeed;
    this.#seen = shared.age;
    return isNew ? shared.seed : undefined;
  }

  /** A seed is chosen here; the other tabs will follow. Returns it. */
  chooseSeed(seed) {
    const isNew = Number(seed) <= LARGEST_SEED && Number(seed) !== shared.seed;
    if (isNew) Object.assign(shared, {seed: Number(seed), age: this.#seen = shared.age + 1});
    return seed;
  }

  /** When the tab comes on show, onSeed(seed) if another one was chosen elsewhere. current: () => the one here. */
  followSeed(current, onSeed, onHide) {
    onTab(this.tab, () => {
      const seed = this.newSeed();
      if (seed !== undefined && seed !== current()) onSeed(seed);
    }, onHide);
  }
}
