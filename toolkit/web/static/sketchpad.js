// A canvas to draw on with pointer or finger, and pictures from files, as the networks take them: light on dark.
import {loadImage, luminance, paint, rgbaOf} from "./canvas.js";
import {clamp} from "./controls.js";

const BRUSH = 0.045, LARGEST = 10_000_000;  // the radius of the brush, of the side; bytes of a file

/** Draw a soft line of light from one point to another into (C, side, side) pixels. */
export function strokeLine(pixels, side, from, to, radius = Math.max(1, BRUSH * side)) {
  const area = side * side, [dx, dy] = [to.x - from.x, to.y - from.y], long = dx * dx + dy * dy;
  for (let i = 0; i < area; i++) {
    const x = (i % side) + 0.5 - from.x, y = Math.floor(i / side) + 0.5 - from.y;
    const t = long ? clamp((x * dx + y * dy) / long, 0, 1) : 0;
    const light = 255 * clamp(radius + 0.5 - Math.hypot(x - t * dx, y - t * dy), 0, 1);
    for (let at = i; at < pixels.length; at += area) pixels[at] = Math.max(pixels[at], light);
  }
}

/** Whether grey pixels are dark ink on light paper, by the rule of toolkit/data: an even, light border, darker ink. */
export function isDarkOnLight(grey, side) {
  const sorted = (values) => [...values].sort((a, b) => a - b);
  const quantile = (values, share) => values[Math.round(share * (values.length - 1))] / 255;
  const isEdge = (_, i) => [i % side, Math.floor(i / side)].some((place) => place === 0 || place === side - 1);
  const border = sorted(grey.filter(isEdge)), all = sorted(grey), paper = quantile(border, 0.5);
  const even = border.filter((value) => Math.abs(value / 255 - paper) < 0.15).length >= 0.75 * border.length;
  const darker = paper - quantile(all, 0.02), lighter = quantile(all, 0.98) - paper;
  return even && paper > 0.5 && darker > 0.2 && darker > 2 * lighter;
}

/** The planes of an RGBA picture; of one channel grey, and inverted if it is dark ink on light paper. */
export function pixelsOf(rgba, side, channels) {
  const area = side * side, valueAt = (_, i) => rgba[4 * (i % area) + Math.floor(i / area)];
  const pixels = Uint8ClampedArray.from({length: 3 * area}, valueAt);
  if (channels === 3) return {pixels, isInverted: false};
  const grey = luminance({pixels, side, channels: 3}), isInverted = isDarkOnLight(grey, side);
  return {pixels: isInverted ? grey.map((value) => 255 - value) : grey, isInverted};
}

export class Sketchpad {
  pixels = null;  // of the drawing, plane by plane, if there is one
  note = "";      // what became of a picture from a file, in words
  side = 28;
  channels = 1;
  #pen = null;

  /** onStart() before the drawing is another, onStroke() while it is drawn, onDone() after a stroke. */
  constructor(canvas, {onStart = () => {}, onStroke = () => {}, onDone}) {
    Object.assign(this, {canvas, onStart, onStroke});
    const at = (event) => {
      const box = canvas.getBoundingClientRect(), scale = canvas.width / box.width;
      return {x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale};
    };
    canvas.onpointerdown = (event) => {
      canvas.setPointerCapture(event.pointerId);
      onStart();
      this.#pen = at(event);
      this.#stroke(this.#pen);
    };
    canvas.onpointermove = (event) => { if (this.#pen) this.#stroke(at(event)); };
    canvas.onpointerup = canvas.onpointercancel = () => {
      if (this.#pen) onDone();
      this.#pen = null;
    };
  }

  #stroke(to) {
    this.pixels ??= new Uint8ClampedArray(this.channels * this.side ** 2);
    strokeLine(this.pixels, this.side, this.#pen, to);
    this.#pen = to;
    this.paint();
    this.onStroke();
  }

  /** Another size: a drawing that does not fit is gone. */
  resize(side, channels) {
    Object.assign(this, {side, channels});
    if (this.pixels?.length !== channels * side * side) this.pixels = null;
    this.paint();
  }

  set(pixels, note = "") {
    this.note = note;
    this.pixels = pixels && Uint8ClampedArray.from(pixels);
    this.paint();
  }

  paint() {
    const {channels, side} = this, pixels = this.pixels ?? new Uint8ClampedArray(channels * side * side);
    paint(this.canvas, [channels, side, side], pixels);
  }

  /** A field for files: onFile(its name) once its picture is on the pad. */
  upload(figure, onFile) {
    const field = figure.$("[type=file]");
    field.onchange = async () => {
      const [file] = field.files;
      field.value = "";
      if (!file) return;
      const name = file.name.slice(0, 60), problem = await figure.during(this.#read(file));
      figure.showProblem(problem && `“${name}” ${problem}`);
      if (!problem) onFile(name);
    };
  }

  /** Take the middle square of a picture in a file. Returns what is wrong with it, in words, or nothing. */
  async #read(file) {
    if (file.size > LARGEST) return `is too large: give a picture of at most ${LARGEST / 1e6} MB.`;
    const address = URL.createObjectURL(file), {side} = this;
    try {
      const image = await loadImage(address), {naturalWidth: width, naturalHeight: height} = image;
      const edge = Math.min(width, height);
      const rgba = rgbaOf(side, side, (context) => {
        Object.assign(context, {fillStyle: "#fff", imageSmoothingQuality: "high"});
        context.fillRect(0, 0, side, side);
        context.drawImage(image, (width - edge) / 2, (height - edge) / 2, edge, edge, 0, 0, side, side);
      });
      const {pixels, isInverted} = pixelsOf(rgba, side, this.channels);
      this.onStart();
      this.set(pixels, isInverted ? "It is dark ink on light paper, and was inverted. " : "");
    } catch {
      return "is no picture that a browser reads: give a PNG or JPEG.";
    } finally {
      URL.revokeObjectURL(address);
    }
  }
}
