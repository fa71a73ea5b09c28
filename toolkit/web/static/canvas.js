// Pictures as bytes on canvases. Grey pixels, 0 to 255, are the opacity of the text colour, so that light and dark
// pages both read well; colour pictures, plane by plane (C, H, W), are shown as they are.
import {REDUCED_MOTION, clamp, make} from "./controls.js";

const stamps = new Map();  // "width x height" -> ImageData filled with the text colour
const redraws = [];
let ink = null;

const page = () => document.querySelector(".figure-page");

/** A CSS property of the page, such as "--paper". */
export const cssValue = (name) => getComputedStyle(page()).getPropertyValue(name);

/** The text colour, [red, green, blue]. */
export function readTheme() {
  ink ??= getComputedStyle(page()).color.match(/[\d.]+/g).slice(0, 3).map(Number);
  return ink;
}

/** Call `redraw` whenever the page turns light or dark. */
export function onThemeChange(redraw) {
  if (!redraws.length) {
    new MutationObserver(() => {
      ink = null;
      stamps.clear();
      redraws.forEach((each) => each());
    }).observe(document.body, {attributeFilter: ["class"]});
  }
  redraws.push(redraw);
}

// ---- bytes
export const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
export const toBase64 = (pixels) => btoa(String.fromCharCode(...pixels));

/** Weighted sum of colour planes, or the grey plane itself: (side * side) bytes. */
export function luminance({pixels, side, channels}, weights = [0.299, 0.587, 0.114]) {
  const area = side * side, used = channels === 1 ? [1] : weights;
  const sum = (_, i) => used.reduce((total, weight, c) => total + weight * pixels[c * area + i], 0);
  return Uint8ClampedArray.from({length: area}, sum);
}

// ---- drawing
export const blankCanvas = (side = 28) => make("canvas", {width: side, height: side});

// Small pictures that are put and never drawn upon are better kept off a graphics card.
const put = (canvas, picture) => canvas.getContext("2d", {willReadFrequently: true}).putImageData(picture, 0, 0);

function stampOf(width, height) {
  const key = `${width}x${height}`;
  if (!stamps.has(key)) {
    const stamp = new ImageData(width, height);
    for (let i = 0; i < width * height; i++) stamp.data.set(readTheme(), 4 * i);
    stamps.set(key, stamp);
  }
  return stamps.get(key);
}

function colourPicture(width, height, pixels, start, channels = 3) {
  const area = width * height, picture = new ImageData(width, height);
  for (let i = 0; i < area; i++) {
    for (let c = 0; c < 3; c++) picture.data[4 * i + c] = pixels[start + (c % channels) * area + i];
    picture.data[4 * i + 3] = 255;
  }
  return picture;
}

/** Picture number `index` of a batch of `shape` [C, H, W]; nothing where there is none. */
export function paint(canvas, [channels, height, width], pixels, index = 0) {
  const area = height * width, start = index * channels * area, isThere = pixels && start < pixels.length;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
  if (isThere && channels === 3) return put(canvas, colourPicture(width, height, pixels, start));
  const stamp = stampOf(width, height);
  for (let i = 0; i < area; i++) stamp.data[4 * i + 3] = isThere ? pixels[start + i] : 0;
  put(canvas, stamp);
}

/** A picture as it is, whatever the theme, as the address of a PNG. */
export function pngUrl(pixels, side, channels) {
  const canvas = blankCanvas(side);
  put(canvas, colourPicture(side, side, pixels, 0, channels));
  return canvas.toDataURL();
}

/** A grey picture pale, and over it, in the accent colour, what another one has more. */
export function paintAdded(canvas, [, height, width], before, after, index) {
  const area = height * width, start = index * area, picture = new ImageData(width, height);
  const accent = cssValue("--here").match(/[\da-f]{2}/gi).map((two) => parseInt(two, 16)), pale = readTheme();
  for (let i = 0; i < area; i++) {
    const was = before[start + i] / 255, over = Math.max(0, after[start + i] / 255 - was);
    const under = 0.3 * was * (1 - over), alpha = over + under;
    for (let c = 0; c < 3; c++) picture.data[4 * i + c] = alpha ? (accent[c] * over + pale[c] * under) / alpha : 0;
    picture.data[4 * i + 3] = 255 * alpha;
  }
  Object.assign(canvas, {width, height});
  put(canvas, picture);
}

/** Pictures that melt one into the next; at once for whoever wants less motion. draw(): draws `shown`, their pixels. */
export class Melt {
  shown = null;
  #frame = 0;

  constructor(milliseconds, draw) {
    Object.assign(this, {milliseconds, draw});
  }

  show(to) {  // the first is there at once
    const from = to && this.shown, begun = performance.now();
    cancelAnimationFrame(this.#frame);
    const step = (time) => {
      const still = !from || REDUCED_MOTION.matches || document.hidden;
      const t = still ? 1 : clamp((time - begun) / this.milliseconds, 0, 1);
      this.shown = t < 1 ? from.map((value, i) => value + (to[i] - value) * t) : to;
      this.draw();
      if (t < 1) this.#frame = requestAnimationFrame(step);
    };
    step(begun);
  }
}

// ---- sheets
/** The cells of a gapless sheet, from its RGBA bytes: one picture after the other, plane by plane.
 *  planes: how many, where a picture in colour may happen to be grey. */
export function cutSheet(rgba, width, height, columns, planes) {
  const side = width / columns, area = side * side, count = columns * Math.floor(height / side);
  const channels = planes ?? (rgba.some((value, i) => i % 4 === 1 && value !== rgba[i - 1]) ? 3 : 1);
  const pixels = new Uint8ClampedArray(count * channels * area);
  for (let i = 0; i < pixels.length; i++) {
    const cell = Math.floor(i / area / channels), plane = Math.floor(i / area) % channels;
    const y = Math.floor(cell / columns) * side + Math.floor(i / side) % side, x = (cell % columns) * side + i % side;
    pixels[i] = rgba[4 * (y * width + x) + plane];
  }
  return {pixels, side, channels};
}

export async function loadImage(src) {
  const image = make("img", {src});
  await image.decode();
  return image;
}

/** An image's RGBA bytes. draw: how it is put on a context of this size. */
export function rgbaOf(width, height, draw) {
  const context = make("canvas", {width, height}).getContext("2d", {willReadFrequently: true});
  draw(context);
  return context.getImageData(0, 0, width, height).data;
}

/** Fetch a gapless sheet and cut it. columns: how many, or a function of the width of the sheet. planes: as there. */
export async function loadSheet(src, columns, planes) {
  const image = await loadImage(src), {naturalWidth: width, naturalHeight: height} = image;
  const across = typeof columns === "function" ? columns(width) : columns;
  const rgba = rgbaOf(width, height, (context) => context.drawImage(image, 0, 0));
  return {...cutSheet(rgba, width, height, across, planes), columns: across};
}
