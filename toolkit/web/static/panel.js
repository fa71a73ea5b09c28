// A sheet of one hundred symbols with its slider; as a map, every symbol goes to its place among those that look alike
// to a classifier, and moves with the iterations.
import {Melt, blankCanvas, paint} from "./canvas.js";
import {REDUCED_MOTION, keyboardGrid, make, markSelected, setSlider} from "./controls.js";
import {isOnSheet, iterationAt, lastIteration, lastRow, placesAt, rowOf} from "./runs.js";

const TWEEN = 220, FLIGHT = 450, FAINT = 0.3;  // milliseconds; the data beneath a map
export const COLUMNS = 10, CELLS = 100;

/** Say in a bar which iteration is on show. at: the place of its slider. atEnd: its end. */
export function showPosition(root, {iteration, at, end, atEnd, most = ""}) {
  const find = (query) => root.querySelector(query), isData = !iteration;
  setSlider(find(".scrub"), at, {max: atEnd, text: isData ? "the data" : `iteration ${iteration} of ${end}`});
  root.dataset.iteration = find(".numeral").textContent = iteration;
  find(".where b").textContent = isData ? "the data" : "iteration";
  find(".where span").textContent = isData ? "no dream yet" : `of ${most}${end}`;
}

/** The numbers under a slider, every fifth of them. */
export function showIterations(ticks, iterations) {
  ticks.replaceChildren(...iterations.map((each) => make("span", {textContent: each % 5 ? "" : each})));
}

function setPlace(picture, [x, y]) {
  picture.style.setProperty("--x", x / 1000);
  picture.style.setProperty("--y", y / 1000);
}

/** What lies under the symbols of a map: the data, faint, or dots where they may not be shown; the way of a seed. */
class Ground {
  constructor(run) {
    const area = run.side ** 2, middle = (area + run.side) / 2, row = rowOf(run, 0);
    this.run = run;
    this.row = row;  // of the data, or -1
    this.dot = new Uint8ClampedArray(area).fill(255, middle - 1, middle + 1);
    this.places = row < 0 ? run.map?.places[0] ?? [] : placesAt(run, row);
    this.pictures = this.places.map((place) => {
      const picture = blankCanvas(run.side);
      setPlace(picture, place);
      return picture;
    });
    this.way = make("div", {className: "way", ariaHidden: "true"});
    this.parts = [make("div", {className: "ground", ariaHidden: "true"}, ...this.pictures), this.way];
    this.draw();
  }

  draw() {
    const isData = this.row >= 0, {side} = this.run;
    const pixels = isData ? this.run.sheets[this.row]?.map((value) => value * FAINT) : this.dot;
    this.pictures.forEach((picture, k) => paint(picture, [1, side, side], pixels, isData ? k : 0));
  }

  trace(seed, until) {  // from the first iteration
    const placeAt = ({iteration}, row) => iteration && row <= until && placesAt(this.run, row)[seed];
    const points = this.run.iterations.map(placeAt).filter(Boolean).map((place) => place.join()).join(" ");
    const open = '<svg viewBox="0 0 1000 1000" preserveAspectRatio="none">';
    this.way.innerHTML = `${open}<polyline points="${points}"/></svg>`;
  }
}

export class Panel {
  #row = 0;

  /** onRow(row) when the slider moves; onMissing(run, row) where its sheet is not there yet; onSelect(seed);
   *  onHover(cell, or -1). */
  constructor({$}, root, run, {onRow, onMissing, onSelect, onHover}) {
    Object.assign(this, {find: (query) => $(query, root), root, run, onMissing});
    this.cells = Array.from({length: CELLS}, () =>
      make("button", {type: "button", className: "cell"}, blankCanvas(run.side)));
    this.ground = new Ground(run);
    this.melt = new Melt(TWEEN, () => this.#drawCells());  // one sheet into the next
    const scrub = this.find(".scrub"), sheet = this.find(".sheet");
    showIterations(this.find(".ticks"), run.iterations.map(({iteration}) => iteration));
    sheet.replaceChildren(...this.cells, ...this.ground.parts);
    scrub.oninput = () => onRow(Number(scrub.value));
    keyboardGrid(sheet, this.cells, () => COLUMNS, (k) => onSelect(String(k)));
    sheet.onpointerover = ({target}) => onHover(this.cells.indexOf(target.closest(".cell")));
    sheet.onpointerout = () => onHover(-1);
  }

  get isMap() {
    return this.root.classList.contains("mapped");
  }

  set isMap(on) {
    this.root.classList.toggle("mapped", on && Boolean(this.run.map));
  }

  show(row, seed) {
    this.#row = row;
    this.melt.show(this.run.sheets[this.#row] ?? null);
    placesAt(this.run, row).forEach((place, k) => setPlace(this.cells[k], place));
    this.ground.trace(seed, row);
    this.#describe(row);
    if (!this.run.sheets[row]) this.onMissing(this.run, row);
  }

  onSheet(run, row) {
    if (run !== this.run) return;
    if (row === this.#row) this.melt.show(this.run.sheets[this.#row] ?? null);
    if (row === this.ground.row) this.ground.draw();
  }

  #drawCells() {
    const {side} = this.run;
    this.cells.forEach((cell, k) => paint(cell.firstChild, [1, side, side], this.melt.shown, k));
  }

  draw() {
    this.#drawCells();
    this.ground.draw();
  }

  #describe(row) {
    const iteration = iterationAt(this.run, row), isData = !iteration;
    showPosition(this.root, {iteration, at: row, end: lastIteration(this.run), atEnd: lastRow(this.run)});
    const what = isData ? "images of the training data" : `symbols of iteration ${iteration}, seeds 0 to 99`;
    this.find(".sheet").setAttribute("aria-label", `One hundred ${what}. Arrow keys move, Enter selects.`);
    this.cells.forEach((cell, k) => {
      cell.setAttribute("aria-label", isData ? `Training image ${k}` : `Symbol of seed ${k}, iteration ${iteration}`);
    });
  }

  mark(seed) {
    const cell = isOnSheet(seed) ? Number(seed) : -1;
    markSelected(this.cells, cell, Math.max(0, cell));
    this.ground.trace(seed, this.#row);
    this.find(".legend").textContent = this.run.map ? legend(this.run.map, seed) : "";
  }

  // ---- what a saved picture takes of it: its pictures, and where they lie on its map, in cells
  get pictures() {
    return [...(this.isMap ? this.ground.pictures : []), ...this.cells.map((cell) => cell.firstChild)];
  }

  get placement() {
    const places = [...this.ground.places, ...placesAt(this.run, this.#row)];
    return this.isMap ? (k) => places[k].map((each) => (each / 1000) * (COLUMNS - 0.5)) : null;
  }
}

function legend({judge, places}, seed) {
  const faint = places[0] ? ". Faint: the data" : "";
  return `Near is alike, to ${judge}${faint}${isOnSheet(seed) ? `. Line: the way of seed ${seed} so far` : ""}.`;
}

/** Turn panels into maps, or back; every symbol flies to its place. */
export function turnIntoMaps(panels, on) {
  const cells = panels.flatMap((panel) => panel.cells), before = cells.map((cell) => cell.getBoundingClientRect());
  for (const panel of panels) panel.isMap = on;
  if (REDUCED_MOTION.matches) return;
  cells.forEach((cell, i) => {
    const after = cell.getBoundingClientRect(), from = before[i];
    if (!after.width || !from.width) return;
    const move = `translate(${from.left - after.left}px, ${from.top - after.top}px)`;
    const frames = [`${move} scale(${from.width / after.width})`, "none"];
    const keyframes = frames.map((transform) => ({transform, transformOrigin: "0 0"}));
    cell.animate(keyframes, {duration: FLIGHT, easing: "ease-in-out"});
  });
}
