// Elements of a figure and its controls: sliders, choices, the seed field, grids that arrow keys move in, playback.

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
export const REDUCED_MOTION = globalThis.matchMedia?.("(prefers-reduced-motion: reduce)");

export function make(tag, props, ...children) {
  const made = Object.assign(document.createElement(tag), props);
  made.append(...children);
  return made;
}

class Markup {
  constructor(text) {
    this.text = text;
  }

  toString() {
    return this.text;
  }
}

function markupOf(value) {
  if (value instanceof Markup) return value.text;
  if (Array.isArray(value)) return value.map(markupOf).join("");
  return String(value === false ? "" : value ?? "").replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/** A template of markup: text that is put into it is escaped, other markup is not; what is missing or false is nothing.
 *  Its lines are joined without spaces. */
export function html(strings, ...values) {
  const parts = strings.map((part) => part.replace(/\n\s*/g, ""));
  return new Markup(parts.reduce((text, part, i) => text + markupOf(values[i - 1]) + part));
}

export function elementOf(markup) {
  return make("template", {innerHTML: markup}).content.firstElementChild;
}

/** The elements of a figure: $ (the first that a query finds), $$ (all), its article, and its line for problems. */
export function figureOf(element) {
  const $ = (query, root = element) => root.querySelector(query);
  const $$ = (query, root = element) => [...root.querySelectorAll(query)];
  const showProblem = (text) => Object.assign($(".problem"), {textContent: text || "", hidden: !text});
  const knobs = $(".tune");
  if (knobs) knobs.open = !matchMedia("(max-width: 639px)").matches;  // on a phone the pictures come first
  return {$, $$, article: $(".figure-page"), showProblem};
}

// ---- sliders and choices
/** Set a slider. max: another end of it. text: what a screen reader says instead of the number. */
export function setSlider(input, value, {max, text} = {}) {
  if (max !== undefined) input.max = max;
  input.value = value;
  input.style.setProperty("--at", (value - input.min) / Math.max(1e-9, input.max - input.min));
  if (text !== undefined) input.setAttribute("aria-valuetext", text);
}

function fill(container, choices, tag) {  // only when they are others, so that the focus stays
  const key = JSON.stringify(choices);
  if (container.dataset.choices === key) return;
  container.dataset.choices = key;
  const type = tag === "button" ? {type: "button"} : {};
  container.replaceChildren(...choices.map(([value, textContent]) => make(tag, {value, textContent, ...type})));
}

/** A row of buttons, [value, text] each, one of them pressed. */
function setChoice(group, choices, value) {
  fill(group, choices, "button");
  for (const button of group.children) button.setAttribute("aria-pressed", button.value === String(value));
}

function setSelect(select, choices, value) {
  fill(select, choices, "option");
  select.value = String(value);
}

/** Clicks on buttons with `data-do`: name -> function of the button. */
export function onActions(element, actions) {
  element.addEventListener("click", ({target}) => {
    const button = target.closest("[data-do]");
    if (button) actions[button.dataset.do]?.(button);
  });
}

/** The controls of a figure by their names: rows of buttons, lists and sliders by `data-knob`, fields by `name`. */
export class Controls {
  #settings = {};

  /** onKnob(name, value, isFinal) when a visitor turns one; isFinal once a slider is let go, and for all others. */
  constructor(element, onKnob) {
    this.element = element;
    const turn = (knob, value, isFinal) =>
      onKnob(knob, typeof this.#settings[knob] === "string" ? value : Number(value), isFinal);
    element.addEventListener("click", ({target}) => {
      const button = target.closest(".options[data-knob] button");
      if (button) turn(button.parentElement.dataset.knob, button.value, true);
    });
    for (const event of ["input", "change"]) {
      element.addEventListener(event, ({target}) => {
        if (target.matches("select[data-knob]") && event === "change") turn(target.dataset.knob, target.value, true);
        if (target.matches("[type=range][data-knob]")) turn(target.dataset.knob, target.value, event === "change");
      });
    }
  }

  /** choices: name -> [value, text] each; outputs: `data-of` -> text. Controls without a setting stay as they are. */
  show(settings, choices, outputs) {
    this.#settings = settings;
    const all = (query) => this.element.querySelectorAll(query);
    for (const control of all("[data-knob]")) {
      const {knob} = control.dataset, value = settings[knob];
      if (control.matches(".options")) setChoice(control, choices[knob], value);
      else if (control.matches("select")) setSelect(control, choices[knob], value);
      else if (value !== undefined) setSlider(control, value);
    }
    for (const output of all("[data-of]")) output.textContent = outputs[output.dataset.of];
    for (const field of all(".knobs input[name]")) setField(field, settings[field.name]);
  }
}

// ---- seeds
export const randomSeed = () => Math.floor(Math.random() * 2 ** 31);

/** {seed}, or {problem} in words. most: the largest one. */
export function parseSeed(text, most) {
  if (/^\d{1,19}$/.test(text) && Number(text) <= most) return {seed: Number(text)};
  return {problem: `“${text.slice(0, 40)}” is no seed: give a whole number from 0 to ${most}.`};
}

/** A field for a seed: onSeed(seed) when a good one is entered, onProblem(text) otherwise. */
export function seedField(input, most, onSeed, onProblem) {
  input.onchange = () => {
    const {seed, problem} = parseSeed(input.value.trim(), most);
    if (problem) onProblem(problem);
    else onSeed(seed);
  };
  input.form?.addEventListener("submit", (event) => event.preventDefault());  // Enter changes the field as well
}

function setField(input, value) {  // not while it is typed in
  if (document.activeElement !== input) input.value = value;
}

// ---- the keyboard
/** A grid of cells: a click or Enter selects, arrow keys move the focus. columns: () => how many. */
export function keyboardGrid(container, cells, columns, onSelect) {
  const indexOf = ({target}) => cells.indexOf(target.closest(".cell"));
  container.onclick = (event) => { if (indexOf(event) >= 0) onSelect(indexOf(event)); };
  container.onkeydown = (event) => {
    const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns(), ArrowDown: columns()}[event.key];
    if (!step || indexOf(event) < 0) return;
    event.preventDefault();
    event.stopPropagation();
    cells[clamp(indexOf(event) + step, 0, cells.length - 1)].focus();
  };
}

/** Mark the selected cell; the tab key reaches it alone. */
export function markSelected(cells, selected, reachable = selected) {
  cells.forEach((cell, k) => {
    cell.setAttribute("aria-pressed", k === selected);
    cell.tabIndex = k === reachable ? 0 : -1;
  });
}

/** Keys that act while the figure is on show and nothing is typed: name of the key -> function. */
export function onKeys(article, keys) {
  document.addEventListener("keydown", (event) => {
    const busy = event.target.closest("input:not([type=range]), select, textarea");
    const moving = event.key.startsWith("Arrow") && event.target.closest("input, [role=tab]");
    const pressing = event.key === " " && event.target.closest("button, summary, input, [role=tab]");
    if (event.altKey || event.ctrlKey || event.metaKey || busy || moving || pressing) return;
    const act = keys[event.key];
    if (!act || !article.offsetParent) return;
    event.preventDefault();
    act();
  });
}

/** Bring a part of the page on screen if it begins below it. */
export function reveal(part) {
  if (part.getBoundingClientRect().top > innerHeight) part.scrollIntoView({behavior: "smooth"});
}

// ---- playback
/** Calls `advance` at a beat between start() and stop(); the play buttons of the article say which. */
export class Player {
  #clock = null;

  constructor(article, milliseconds, advance) {
    Object.assign(this, {article, milliseconds, advance});
  }

  get playing() {
    return this.#clock !== null;
  }

  start() {
    this.#clock ??= setInterval(this.advance, this.milliseconds);
    this.#show();
  }

  stop() {
    clearInterval(this.#clock);
    this.#clock = null;
    this.#show();
  }

  #show() {
    this.article.classList.toggle("playing", this.playing);
    for (const button of this.article.querySelectorAll("[data-do=play]")) {
      button.setAttribute("aria-label", this.playing ? "Pause" : "Play");
    }
  }
}
