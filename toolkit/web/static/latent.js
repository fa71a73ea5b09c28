// Two looks into a decoder: what lies between the codes of two images, and what fires a neuron most.
import {fromBase64, paint, paintAdded} from "./canvas.js";
import {html, setSlider} from "./controls.js";
import {Strip} from "./gallery.js";
import {Request} from "./request.js";
import {percent} from "./text.js";

const STEPS = 20, THUMBS = [0, 4, 7, 10, 13, 16, 20];  // of the way; those in its strip
const ADVICE = "choose something else to ask it again";

/** The way from one image to another through the code, a slider along it. */
export class Way {
  state = {from: 3, to: 8, step: STEPS / 2};
  #model;
  #shown = null;

  /** onMove(): the state is another one. */
  constructor(figure, onMove) {
    const {$, $$} = figure;
    Object.assign(this, {figure, onMove});
    this.request = new Request(figure, "mix", {channel: "that-are-not-mix", advice: ADVICE,
      onResponse: (response) => this.#onResponse(response)});
    this.strip = new Strip($(".way .thumbs"), (i) => this.#move(THUMBS[i]));
    $$(".way select").forEach((select) => {
      select.onchange = () => {
        this.state[select.name] = Number(select.value);
        this.#ask();
      };
    });
    $(".way [type=range]").oninput = ({target}) => this.#move(Number(target.value));
  }

  /** Another decoder. model: {name, kinds}; without kinds there are no images to go between. */
  open(model) {
    const {$, $$} = this.figure, {kinds} = model, last = kinds.length - 1;
    $(".way").hidden = !kinds.length;
    if (!kinds.length || model === this.#model) return;
    this.#model = model;
    Object.assign(this.state, {from: Math.min(this.state.from, last), to: Math.min(this.state.to, last)});
    $$(".way select").forEach((select) => {
      select.innerHTML = html`${kinds.map((kind, i) => html`<option value="${i}">${kind}</option>`)}`;
      select.value = this.state[select.name];
    });
    this.#ask();
  }

  #ask() {
    const {from: start, to: end} = this.state;
    this.request.send({experiment: this.#model.name, start, end});
    this.onMove();
  }

  #move(step) {
    this.state.step = step;
    this.draw();
    this.onMove();
  }

  #onResponse({error, shape, images, distances, regular}) {
    this.figure.showProblem(error);
    if (!error) this.#shown = {shape, images: fromBase64(images), distances, regular};
    this.draw();
  }

  draw() {
    if (!this.#shown) return;
    const {shape, images, distances, regular} = this.#shown, {step} = this.state, {$, write} = this.figure;
    paint($(".mixed > canvas"), shape, images, step);
    $(".mixed > canvas").setAttribute("aria-label", `${percent(step / STEPS)} of the way`);
    const far = distances[step].toFixed(2);
    write({".way .far": far, ".way .usual": regular.toFixed(2), ".way .share": percent(step / STEPS)});
    setSlider($(".way [type=range]"), step, {text: `${percent(step / STEPS)} of the way, distance ${far}`});
    this.strip.show(shape, THUMBS.map((index) => ({
      pixels: images, index, text: "", label: `${percent(index / STEPS)} of the way`, isPressed: index === step,
    })));
  }
}

/** A neuron: what it adds when it alone is on, and the built-in images that fire it most. */
export class Memory {
  neuron = null;
  #shown = null;

  /** onChoose(): another neuron is chosen, or none. */
  constructor(figure, onChoose) {
    Object.assign(this, {figure, onChoose});
    this.request = new Request(figure, "recall", {channel: "that-are-not-memory", advice: ADVICE, waits: false,
      onResponse: (response, context) => this.#onResponse(response, context)});
    this.strip = new Strip(figure.$(".memory .thumbs"), () => {});
  }

  /** order: {experiment, layer, neuron}. */
  ask(order) {
    this.neuron = order.neuron;
    this.request.send(order);
    this.onChoose();
  }

  close() {
    this.neuron = this.#shown = null;
    this.request.cancel();
    this.draw();
  }

  #onResponse({error, ...response}, {neuron}) {
    this.figure.showProblem(error);
    const [alone, rest, images] = error ? [] : ["alone", "rest", "images"].map((key) => fromBase64(response[key]));
    this.#shown = error ? null : {...response, neuron, rest, images, added: brightest(alone, rest)};
    this.draw();
  }

  draw() {
    const {$} = this.figure, it = this.#shown, canvas = $(".memory > .alone canvas");
    $(".memory").hidden = !it;
    if (!it) return;
    paintAdded(canvas, it.shape, new Uint8Array(it.rest.length), it.added, 0);
    canvas.setAttribute("aria-label", `What neuron ${it.neuron} adds when it alone is on`);
    $(".memory .told").innerHTML = memoryText(it);
    this.strip.show(it.shape, Array.from({length: it.count}, (_, index) => (
      {pixels: it.images, index, text: "", label: `Fires it ${index ? `, place ${index + 1}` : "most"}`})));
  }
}

/** What a picture has more than another, so enlarged that the most of it is white. */
export function brightest(alone, rest) {
  const more = Array.from(alone, (value, i) => Math.max(0, value - rest[i])), most = Math.max(1, ...more);
  return Uint8Array.from(more, (value) => (255 * value) / most);
}

/** What a neuron is, in a sentence. */
export function memoryText({neuron, count, fires, of}) {
  const all = of.toLocaleString("en");
  if (!count) return String(html`None of the ${all} built-in images fires neuron <b>${neuron}</b>.`);
  const on = html`Neuron <b>${neuron}</b>, on for ${percent(fires)} of the ${all} built-in images`;
  return String(html`${on}: what it adds when it alone is on, and the ${count} that fire it most.`);
}
