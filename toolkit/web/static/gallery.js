// What the figures of many pictures share: a grid of them, one pair large, and whose they are while a model wakes up.
import {blankCanvas, paint, paintAdded} from "./canvas.js";
import {html, keyboardGrid, make, markSelected} from "./controls.js";

/** A grid of buttons, each with one canvas or more. columns: () => how many; onSelect(index). */
export class Gallery {
  constructor(container, {count, canvases = 1, columns, onSelect, extra = () => []}) {
    const cell = () => {
      const pictures = Array.from({length: canvases}, () => blankCanvas());
      return make("button", {type: "button", className: "cell"}, ...pictures, ...extra());
    };
    this.container = container;
    this.cells = Array.from({length: count}, cell);
    container.replaceChildren(...this.cells);
    keyboardGrid(container, this.cells, columns, onSelect);
  }

  /** Batches of pictures of a shape [C, H, W], one for each canvas of a cell; label: index -> what it is, in words. */
  paint(shape, batches, label) {
    this.cells.forEach((cell, k) => {
      batches.forEach((pixels, i) => paint(cell.children[i], shape, pixels, k));
      cell.setAttribute("aria-label", label(k));
    });
  }

  select(index) {
    markSelected(this.cells, index);
  }

  canvases(which) {
    return this.cells.map((cell) => cell.children[which]);
  }

  /** Its pictures are not, or no longer, what was asked for. */
  markStale(on) {
    this.container.classList.toggle("stale", Boolean(on));
  }

  /** Say whose these are while another model, `waking`, wakes up; if one does. */
  showWaking({$}, waking, until) {
    $(".awaited").textContent = waking ? `Waking ${waking} up; until then, these are ${until}.` : "";
    this.container.classList.toggle("former", Boolean(waking));
  }
}

/** A pair, large: before, after, and what was added, of grey pictures. captions: text or markup of each. */
export function showPair({$, $$}, seed, shape, [before, after], index, captions) {
  const canvases = $$(".trio canvas"), texts = $$(".trio figcaption"), isGrey = shape[0] === 1;
  $(".one .seed").textContent = seed;
  paint(canvases[0], shape, before, index);
  paint(canvases[1], shape, after, index);
  $$(".trio figure")[2].hidden = !isGrey;
  if (isGrey) paintAdded(canvases[2], shape, before, after ?? before, index);
  captions.forEach((caption, i) => {
    texts[i].innerHTML = html`${caption}`;
    canvases[i].setAttribute("aria-label", `Seed ${seed}: ${texts[i].textContent}`);
  });
}

/** Picture number `index` of a batch. */
export function pictureAt(pixels, [channels, height, width], index) {
  const size = channels * height * width;
  return pixels.subarray(index * size, (index + 1) * size);
}

// ---- strips of thumbnails, each a button with a canvas and a text
export function newThumbs(count, side) {
  return Array.from({length: count}, () => make("button", {type: "button"}, blankCanvas(side), make("span")));
}

export function showThumb(button, {shape, pixels, index = 0, text, label, isPressed, isReady = true}) {
  paint(button.firstChild, shape, isReady ? pixels : null, index);
  button.lastChild.textContent = text;
  Object.assign(button, {disabled: !isReady, ariaLabel: label, ariaPressed: isPressed});
}
