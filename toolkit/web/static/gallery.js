// What the tabs of many pictures share: their course, a grid of the pictures, one of them large; strips of thumbnails.
import {blankCanvas, loadSheet, onThemeChange, paint, paintAdded} from "./canvas.js";
import {Controls, figureOf, html, keyboardGrid, make, markSelected, onActions, randomSeed, reveal, seedField}
  from "./controls.js";
import {addShareButtons, saveSheet} from "./download.js";
import {Request} from "./request.js";
import {offerPicture} from "./tabs.js";
import {LARGEST_SEED, UrlState} from "./url_state.js";

/** Picture number `index` of a batch. */
export function pictureAt(pixels, [channels, height, width], index) {
  const size = channels * height * width;
  return pixels.subarray(index * size, (index + 1) * size);
}

/** A strip of thumbnails, each a button with a canvas and a text. onPick(index). */
export class Strip {
  constructor(container, onPick) {
    this.container = container;
    container.onclick = ({target}) => {
      const i = [...container.children].indexOf(target.closest("button"));
      if (i >= 0) onPick(i);
    };
  }

  /** items: {pixels, index, text, label, isPressed, isReady} each, of pictures of a shape [C, H, W]. */
  show(shape, items) {
    const {container} = this, thumb = () => make("button", {type: "button"}, blankCanvas(shape[2]), make("span"));
    if (container.children.length !== items.length) container.replaceChildren(...items.map(thumb));
    items.forEach(({pixels, index = 0, text, label, isPressed, isReady = true}, i) => {
      const button = container.children[i], [canvas, words] = button.children;
      paint(canvas, shape, isReady ? pixels : null, index);
      words.textContent = text;
      Object.assign(button, {disabled: !isReady, ariaLabel: label, ariaPressed: isPressed});
    });
  }
}

/**
 * The course of a tab of many pictures of one model: settings are turned, pictures by the newest of them are asked for,
 * one picture is selected, kept, saved. A tab declares what is its own:
 * tab: its name in the address. count: of its pictures. grid: where they are; canvases, extra(): of each.
 * models: {name, title, sheet, ...} each; modelKey: the setting that names one; nameOf(model, isShown): in a sentence.
 * read(url): its settings at first; initial(): those that a reset brings back. ask(): sends the settings.
 * event, channel, onResponse, options: of its request.
 * fromSheet(sheet, model): what a stored sheet shows; across(model): its columns; show(that).
 * takesSheet(): whether it is wanted though pictures are on show.
 * showControls(), redraw(): all that is said of the settings, of the pictures; onKnob: see `Controls`.
 * picture(which): {pixels, facts} of a batch, as it is offered to other tabs. savedCanvases(), columns: of a picture.
 * fileName(), settings(), actions, keys: see `addShareButtons`, `onActions`. onHide(): another tab comes on show.
 */
export class GalleryTab {
  shown = null;  // the newest pictures, {order, shape, ...}; order: the settings that they were drawn by

  constructor(given, its) {
    const {tab, count, event, channel, onResponse, options, fileName} = its, {version} = given.props.value;
    const figure = figureOf(given), {$} = figure, url = new UrlState(tab, LARGEST_SEED + 1 - count);
    const setSeed = (seed) => this.change({seed: url.chooseSeed(seed)});
    Object.assign(this, {its, figure, url, now: {cell: 0, ...its.read(url)}});
    this.request = new Request(figure, event, {channel, onResponse, advice: "turn a knob to ask it again", ...options});
    this.controls = new Controls(given.element, its.onKnob);
    this.#fillGrid(its);
    onActions(figure, {
      keep: () => this.offer("keep"), ask: () => this.offer("ask"), dream: () => this.offer("dream"),
      dice: () => setSeed(randomSeed()),
      reset: () => this.change(its.initial()),
      picture: () => saveSheet(figure, [its.savedCanvases()], `${fileName()}.png`, its.columns), ...its.actions,
    }, {k: "keep", ...its.keys}, () => this.shown);
    seedField($("[name=seed]"), url.largestSeed, setSeed, figure.showProblem);
    onThemeChange(() => this.shown && its.redraw());
    addShareButtons(figure, fileName, () => ({tab, version, ...its.settings()}));
    url.followSeed(() => this.now.seed, setSeed, its.onHide);
  }

  #fillGrid({grid, count, canvases = 1, extra = () => []}) {
    const pictures = () => Array.from({length: canvases}, () => blankCanvas());
    const cell = () => make("button", {type: "button", className: "cell"}, ...pictures(), ...extra());
    const columns = () => getComputedStyle(this.grid).gridTemplateColumns.split(" ").length;
    this.grid = this.figure.$(grid);
    this.cells = Array.from({length: count}, cell);
    this.grid.replaceChildren(...this.cells);
    keyboardGrid(this.grid, this.cells, columns, (k) => this.select(k));
  }

  get seed() {  // of the first picture on show
    return this.shown?.order.seed ?? this.now.seed;
  }

  get selectedSeed() {
    return this.seed + this.now.cell;
  }

  modelOf(order) {
    return this.its.models.find(({name}) => name === order[this.its.modelKey]);
  }

  // ---- requests
  update(changes = {}) {
    Object.assign(this.now, changes);
    this.its.showControls();
    this.its.ask();
    this.#showWaking();
  }

  /** A visitor turned something: a problem with what was before is over. */
  change(changes) {
    this.figure.showProblem("");
    this.update(changes);
  }

  /** Show the stored sheet of the model, where it is of use until pictures come, and ask for these. */
  async open() {
    const {its} = this, model = this.modelOf(this.now), isWanted = its.takesSheet?.() || !this.shown;
    its.showControls();
    if (model.sheet && isWanted) await this.figure.during(this.#openSheet(model));
    this.update();
  }

  async #openSheet(model) {
    const sheet = await loadSheet(model.sheet, this.its.across(model));
    const shown = model === this.modelOf(this.now) && this.its.fromSheet(sheet, model);
    if (shown) this.its.show(shown);
  }

  /** A request is over. */
  onEnd(error) {
    this.figure.showProblem(error);
    this.grid.classList.toggle("stale", Boolean(error));  // these are not what was asked for
    this.figure.article.dataset.ready = "true";
    this.#showWaking();
  }

  #showWaking() {  // whose the pictures are while another model wakes up
    const {shown, now, request, its: {modelKey, nameOf}} = this;
    const isOther = Boolean(shown) && request.busy && shown.order[modelKey] !== now[modelKey];
    const name = (order, isShown) => nameOf(this.modelOf(order), isShown);
    const text = isOther && `Waking ${name(now, false)} up; until then, these are ${name(shown.order, true)}.`;
    this.figure.write({".awaited": text || ""});
    this.grid.classList.toggle("former", isOther);
  }

  // ---- the pictures
  /** Batches of pictures, one for each canvas of a cell; label: cell, its seed -> what it is, in words. */
  paint(batches, label) {
    this.cells.forEach((cell, k) => {
      batches.forEach((pixels, i) => paint(cell.children[i], this.shown.shape, pixels, k));
      cell.setAttribute("aria-label", label(k, this.seed + k));
    });
    markSelected(this.cells, this.now.cell);
    this.figure.article.dataset.ready = "true";
  }

  /** The selected pair, large: before, after, and of grey pictures what was added. captions: text or markup of both. */
  showPair([before, after], captions) {
    const {figure: {$$, write}, selectedSeed: seed, now: {cell}, shown: {shape}} = this, isGrey = shape[0] === 1;
    const canvases = $$(".trio canvas"), texts = $$(".trio figcaption");
    write({".one .seed": seed});
    paint(canvases[0], shape, before, cell);
    paint(canvases[1], shape, after, cell);
    $$(".trio figure")[2].hidden = !isGrey;
    if (isGrey) paintAdded(canvases[2], shape, before, after ?? before, cell);
    [...captions, "what was added"].forEach((caption, i) => {
      texts[i].innerHTML = html`${caption}`;
      canvases[i].setAttribute("aria-label", `Seed ${seed}: ${texts[i].textContent}`);
    });
  }

  select(cell) {
    if (!this.shown) return;
    this.now.cell = cell;
    this.url.chooseSeed(this.selectedSeed);
    this.its.redraw();
    reveal(this.figure.$(".one"));
  }

  /** Offer the selected picture to the tray or to another tab, with what it was drawn by. */
  offer(to, which) {
    const {shape} = this.shown, [channels, side] = shape, {pixels, facts} = this.its.picture(which);
    if (!pixels) return;
    const caption = [...facts, `seed ${this.selectedSeed}`].join(", ");
    offerPicture(to, {pixels: pictureAt(pixels, shape, this.now.cell), side, channels, caption});
  }
}
