// All experiments side by side: the symbols of the same seeds at the same iteration, under one slider. Each experiment
// comes once, as one picture, when this is opened first.
import {loadSheet, paint} from "./canvas.js";
import {clamp, elementOf, html, setSlider} from "./controls.js";
import {COLUMNS} from "./panel.js";
import {figureName, titleOf} from "./runs.js";

const COUNT = 20;  // symbols of a card
export const SEEDS = [0, COUNT - 1];

export class Overview {
  isOpen = false;
  iteration = 0;       // the one on show
  #strips = new Map();  // experiment -> what the server says of it, and its pixels
  #ticks = -1;          // how far they reach

  /** experiments: [name, title] each. fetchStrip(name); lastOf: () => the last iteration of the run beneath;
   *  onChange() after each change; onMove() before the slider moves; onOpen(experiment, iteration) of a card. */
  constructor(figure, experiments, {fetchStrip, lastOf, onChange, onMove, onOpen}) {
    Object.assign(this, {figure, fetchStrip, lastOf, onChange, onOpen});
    const {$, $$} = figure, bar = $("[data-panel=a]").cloneNode(true);  // a bar like the one over a sheet
    $$(".sheet, .legend, [data-do=compare], [data-do=map]", bar).forEach((each) => each.remove());
    $(".scrub", bar).setAttribute("aria-label", "Iteration of all experiments");
    $(".overview").prepend(...bar.children);
    this.#find(".scrub").oninput = ({target}) => { onMove(); this.show(Number(target.value)); };
    $(".cards").replaceChildren(...experiments.map(([name, title]) => this.#newCard(name, titleOf(name, title))));
  }

  #find(query) {
    return this.figure.$(`.overview ${query}`);
  }

  get cards() {  // those that have drawn something, or may have
    return this.figure.$$(".card:not([hidden])");
  }

  get experiments() {
    return [...this.#strips.keys()];
  }

  get last() {
    return Math.max(this.lastOf(), ...[...this.#strips.values()].map(({iterations}) => iterations.at(-1)));
  }

  #newCard(experiment, title) {
    const card = elementOf(html`
      <button type="button" class="card" title="${title}" data-experiment="${experiment}">
      <span class="head"><b class="figure">${experiment}</b><i class="until"></i></span>
      <span class="title">${title}</span>
      <span class="few">${Array(COUNT).fill(html`<canvas width="28" height="28"></canvas>`)}</span></button>`);
    card.onclick = () => { this.toggle(false); this.onOpen(experiment, this.iteration); };
    return card;
  }

  async toggle(on, iteration = this.iteration) {
    const {$, article} = this.figure;
    this.isOpen = on;
    article.classList.toggle("surveying", on);
    $(".overview").hidden = !on;
    $(".experiments [data-do=all]").setAttribute("aria-pressed", on);
    if (!on) return this.onChange();
    this.show(iteration);
    const lacking = this.cards.filter(({dataset}) => !this.#strips.has(dataset.experiment));
    await Promise.all(lacking.map((card) => this.#fill(card)));
  }

  async #fill(card) {
    const {experiment} = card.dataset, strip = await this.fetchStrip(experiment).catch(() => null);
    if (strip?.sheet) this.#strips.set(experiment, {...strip, ...(await loadSheet(strip.sheet, COLUMNS))});
    card.hidden = Boolean(strip) && !strip.sheet;  // it has drawn nothing yet
    if (this.isOpen) this.show(this.iteration);
  }

  show(iteration) {
    const end = this.last, at = this.iteration = clamp(iteration, 0, end);
    setSlider(this.#find(".scrub"), at, {max: end, text: at ? `iteration ${at} of ${end}` : "the data"});
    this.#find(".numeral").textContent = this.figure.$(".overview").dataset.iteration = at;
    this.#find(".where b").textContent = at ? "iteration" : "the data";
    this.#find(".where span").textContent = at ? `of at most ${end}` : "no dream yet";
    if (this.#ticks !== end) {
      const ticks = Array.from({length: end + 1}, (_, i) => html`<span>${i % 5 ? "" : i}</span>`);
      this.#find(".ticks").innerHTML = html`${ticks}`;
      this.#ticks = end;
    }
    this.draw();
    this.onChange();
  }

  draw() {
    this.figure.$$(".card").forEach((card) => this.#drawCard(card));
  }

  #drawCard(card) {  // at that iteration, or at its last if it ended before
    const {$, $$} = this.figure, {experiment} = card.dataset, strip = this.#strips.get(experiment);
    if (!strip) return;
    const {iterations, pixels, side, symbols, figure} = strip;
    const row = Math.max(0, iterations.findLastIndex((each) => each <= this.iteration));
    $$("canvas", card).forEach((canvas, seed) => paint(canvas, [1, side, side], pixels, row * symbols + seed));
    const ended = iterations[row] < this.iteration ? `ended at ${iterations[row]}` : "";
    const name = $(".figure", card).textContent = figureName(figure, experiment);
    $(".until", card).textContent = ended;
    card.setAttribute("aria-label", `${name}: ${card.title}, ${ended || `iteration ${this.iteration}`}. Open it`);
  }
}
