// Elements of a figure and its controls: sliders, choices, the seed field, grids that arrow keys move in, playback.

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
export const REDUCED_MOTION = globalThis.matchMedia?.("(prefers-reduced-motion: reduce)");

export function make(tag, props, ...children) {
  const made = Object.assign(document.createElement(tag), props);
  made.append(...children);
  return made;
}

/** A button that acts by its `data-do`. */
export function actionButton(action, props, ...children) {
  const button = make("button", {type: "button", ...props}, ...children);
  button.dataset.do = action;
  return button;
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
  const option = ([value, textContent]) => make(tag, {value, textContent, ...(tag === "button" ? {type: "button"} : {})});
  container.replaceChildren(...choices.map(option));
}

/** A row of buttons, [value, text] each, one of them pressed. */
export function setChoice(group, choices, value) {
  fill(group, choices, "button");
  for (const button of group.children) button.setAttribute("aria-pressed", button.value === String(value));
}

export function setSelect(select, choices, value) {
  fill(select, choices, "option");
  select.value = String(value);
}

/** Clicks in a figure: on a choice of a row, onChoice(knob, value); on a button with `data-do`, that action. */
export function onClicks(element, actions, onChoice) {
  element.addEventListener("click", ({target}) => {
    const button = target.closest("button"), knob = button?.closest(".options")?.dataset.knob;
    if (knob) onChoice(knob, button.value);
    else actions[button?.dataset.do]?.(button);
  });
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
  const read = () => {
    const {seed, problem} = parseSeed(input.value.trim(), most);
    if (problem) onProblem(problem);
    else onSeed(seed);
  };
  input.onchange = read;
  input.form?.addEventListener("submit", (event) => {
    event.preventDefault();
    if (document.activeElement === input) read();
  });
}

export function setField(input, value) {  // not while it is typed in
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
