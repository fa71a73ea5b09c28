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

export const elementOf = (markup) => make("template", {innerHTML: markup}).content.firstElementChild;

// ---- short forms in a figure's markup
const icon = (parts) => html`<svg viewBox="0 0 20 20">${parts}</svg>`;
const DICE = icon(html`<rect class="edge" x="2.5" y="2.5" width="15" height="15" rx="2.5"/>
  ${[6.7, 10, 13.3].map((at) => html`<circle cx="${at}" cy="${at}" r="1.6"/>`)}`);
const BACK = icon(html`<path d="M13 4 6 10l7 6z"/>`), ON = icon(html`<path d="m7 4 7 6-7 6z"/>`);
const PLAY = icon(html`<path class="go" d="M5 3l12 7-12 7z"/><path class="halt" d="M5 3h4v14H5zM11 3h4v14h-4z"/>`);

/** A control with `data-legend` as a knob: in a fieldset with that legend and, for a slider or a seed, an output.
 *  data-kind: more classes of the fieldset. data-for, data-with, data-net: where there is such a knob. */
function wrapKnob(control) {
  const {legend, kind = "", knob, seed} = control.dataset, of = control.type === "range" ? knob : seed && "seed";
  const fieldset = elementOf(html`<fieldset class="${`knob ${kind}`.trim()}"><legend>${legend}
    ${of && html` <output data-of="${of}"></output>`}</legend></fieldset>`);
  for (const name of ["data-for", "data-with", "data-net"]) {
    if (control.hasAttribute(name)) fieldset.setAttribute(name, control.getAttribute(name));
    control.removeAttribute(name);
  }
  control.replaceWith(fieldset);
  fieldset.append(control);
}

/** The buttons of playback. each: what it goes on by, such as a frame. */
function frameButtons(each) {
  const button = (action, label, more, drawing) => elementOf(html`<button type="button" data-do="${action}"
    aria-label="${label}" title="${label} ${more}">${drawing}</button>`);
  return [button("back", `One ${each} back`, "(←)", BACK), button("play", "Play", "or pause (space)", PLAY),
    button("on", `One ${each} on`, "(→)", ON)];
}

/** What short forms stand for: knobs, rows of options, a seed with its dice, playback, three pictures of a seed, fields
 *  for picture files, places to draw with their tools. */
function expand($$) {
  for (const row of $$(".options")) row.setAttribute("role", "group");
  for (const row of $$(".choose[data-seed]")) {
    const {seed, dice} = row.dataset;
    row.innerHTML = html`<input name="seed" inputmode="numeric" autocomplete="off" maxlength="19" spellcheck="false"
      aria-label="${seed}"><button type="button" data-do="dice" aria-label="${dice}" title="${dice}"></button>
      <button type="button" class="word" data-do="reset">Reset</button>`;
  }
  for (const button of $$("[data-do=dice]")) button.prepend(elementOf(DICE));
  for (const row of $$(".transport[data-each]")) row.prepend(...frameButtons(row.dataset.each));
  for (const trio of $$(".trio")) {
    trio.innerHTML = "<figure><canvas role=img></canvas><figcaption></figcaption></figure>".repeat(3);
  }
  for (const label of $$("[data-picture]")) {
    label.append(elementOf(html`<input type="file" accept="image/*" class="visually-hidden"
      aria-label="${label.dataset.picture}">`));
  }
  for (const easel of $$(".easel")) {
    const tools = make("p", {className: "tools"}, ...easel.childNodes), words = easel.dataset.words;
    easel.append(elementOf(html`<canvas class="canvas" role="img"
      aria-label="A place to draw with pointer or finger"></canvas>`));
    easel.append(make("div", {}, make("p", {className: words}), tools));
  }
  $$("[data-legend]").forEach(wrapKnob);
}

/** A figure, from what Gradio gives: {element, props, server, trigger}. Beside these it has $ (the first element that a
 *  query finds), $$ (all), its article, and functions that work without `this`. */
export function figureOf(given) {
  const {element} = given, works = new Set();
  const $ = (query, root = element) => root.querySelector(query);
  const $$ = (query, root = element) => [...root.querySelectorAll(query)];
  const article = $(".figure-page"), knobs = $(".tune");
  expand($$);
  for (const offer of $$("[data-do=dream]")) offer.hidden = !window.thatAreNot.tabs.includes("dream");
  if (knobs) knobs.open = !matchMedia("(max-width: 639px)").matches;  // on a phone the pictures come first

  /** Texts of the elements that queries find: {query: text}. One that stays is not said again. */
  const write = (texts) => Object.entries(texts).forEach(([query, text]) => {
    if ($(query).textContent !== String(text)) $(query).textContent = text;
  });
  const writeCaption = (text) => write({".caption": `${text}. That Are Not ${given.props.value.version}.`});
  const showProblem = (text) => Object.assign($(".problem"), {textContent: text || "", hidden: !text});
  /** Whether some work is under way: while any is, what the figure shows is about to change. */
  const setBusy = (work, isBusy) => {
    works[isBusy ? "add" : "delete"](work);
    article.toggleAttribute("data-busy", works.size);
  };
  /** Be busy until a promise is settled, and return it. */
  const during = (promise) => {
    setBusy(promise, true);
    return promise.finally(() => setBusy(promise, false));
  };
  return {...given, $, $$, article, write, writeCaption, showProblem, setBusy, during};
}

// ---- sliders and choices
/** Set a slider. max: another end of it. text: what a screen reader says instead of the number. */
export function setSlider(input, value, {max, text} = {}) {
  if (max !== undefined) input.max = max;
  input.value = value;
  input.style.setProperty("--at", (value - input.min) / Math.max(1e-9, input.max - input.min));
  if (text !== undefined) input.setAttribute("aria-valuetext", text);
}

/** Set a row of buttons or a list, [value, text] each; made anew only when they are others, so that the focus stays. */
function setChoice(container, choices, value) {
  const key = JSON.stringify(choices), isList = container.matches("select");
  if (container.dataset.choices !== key) {
    const props = isList ? {} : {type: "button"}, tag = isList ? "option" : "button";
    container.replaceChildren(...choices.map(([its, textContent]) => make(tag, {...props, value: its, textContent})));
    container.dataset.choices = key;
  }
  if (isList) container.value = String(value);
  else for (const button of container.children) button.setAttribute("aria-pressed", button.value === String(value));
}

/** Names as choices whose texts they are. */
export const plainChoices = (names) => names.map((name) => [name, String(name)]);

/** Clicks on buttons with `data-do`, name -> function of the button; and keys that act while the figure is on show and
 *  nothing is typed, key -> name. isReady: () => whether they act. */
export function onActions({element, article}, actions, keys = {}, isReady = () => true) {
  element.addEventListener("click", ({target}) => {
    const button = target.closest("[data-do]");
    if (button && isReady()) actions[button.dataset.do]?.(button);
  });
  document.addEventListener("keydown", (event) => {
    const {key, target} = event, busy = target.closest("input:not([type=range]), select, textarea");
    const moving = key.startsWith("Arrow") && target.closest("input, [role=tab]");
    const pressing = key === " " && target.closest("button, summary, input, [role=tab]");
    if (event.altKey || event.ctrlKey || event.metaKey || busy || moving || pressing) return;
    if (!keys[key] || !article.checkVisibility()) return;
    event.preventDefault();
    if (isReady()) actions[keys[key]]();
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
      if (control.matches("select, .options")) setChoice(control, choices[knob], value);
      else if (value !== undefined) setSlider(control, value);
    }
    for (const output of all("[data-of]")) output.textContent = outputs[output.dataset.of];
    for (const field of all(".knobs input[name]")) {  // not while it is typed in
      if (document.activeElement !== field) field.value = settings[field.name];
    }
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

// ---- grids
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

/** Where on an element a pointer is, from 0 at its left to 1 at its right. */
export function placeOn(element, {clientX}) {
  const {left, width} = element.getBoundingClientRect();
  return clamp((clientX - left) / width, 0, 1);
}

/** Bring a part of the page on screen if it begins below it. */
export function reveal(part) {
  if (part.getBoundingClientRect().top > innerHeight) scrollTo(part);
}

export const scrollTo = (part) => part.scrollIntoView({behavior: REDUCED_MOTION.matches ? "instant" : "smooth"});

// ---- playback
/** Goes on at a beat, step by step, until the end; the play buttons of the article say whether it does. */
export class Player {
  #clock = null;

  /** position: () => {at, end, go(place)}, and at the end whether it waits for more, or loops. */
  constructor(article, milliseconds, position) {
    Object.assign(this, {article, milliseconds, position});
  }

  start() {
    this.#clock ??= setInterval(() => this.#advance(), this.milliseconds);
    this.#show();
  }

  stop() {
    clearInterval(this.#clock);
    this.#clock = null;
    this.#show();
  }

  toggle() {
    if (this.#clock) return this.stop();
    const {at, end, go} = this.position();
    if (at >= end) go(0);
    this.start();
  }

  /** Stop, and go so many steps. */
  step(by) {
    this.stop();
    const {at, go} = this.position();
    go(at + by);
  }

  #advance() {
    const {at, end, go, waits, loops} = this.position();
    if (at < end) go(at + 1);
    else if (loops && !waits) go(0);
    else if (!waits) this.stop();
  }

  #show() {
    const isPlaying = this.#clock !== null;
    this.article.classList.toggle("playing", isPlaying);
    const label = isPlaying ? "Pause" : "Play";
    for (const button of this.article.querySelectorAll("[data-do=play]")) button.ariaLabel = label;
  }
}
