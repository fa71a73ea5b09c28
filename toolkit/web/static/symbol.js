// One symbol of the tab "Iterations": how it grew out of noise pass by pass, and its life across the iterations.
import {fromBase64, paint} from "./canvas.js";
import {setSlider} from "./controls.js";
import {Strip, pictureAt} from "./gallery.js";
import {Request} from "./request.js";
import {isOnSheet, lifeOf, nearestModel, rowOf, stripPasses, withModel} from "./runs.js";

const BEAT = 110, FRAMES = 12;  // milliseconds between the states that are shown; pictures of the strip

export class SymbolView {
  seed = "0";
  #run;
  #iteration = 1;      // the one on show
  #grown = new Map();  // iteration -> pixels of this seed's symbol
  #growth = null;      // {iteration, states, head, held, done}: how it grew at one iteration; head: the state on show

  /** onIteration(iteration): the visitor goes there. */
  constructor(figure, onIteration) {
    Object.assign(this, {figure, onIteration});
    const {$} = figure;
    this.request = new Request(figure, "grow", {
      channel: "that-are-not-symbol", advice: "choose a seed to ask it again", waits: false,
      onResponse: (response, context) => this.#onResponse(response, context),
    });
    this.film = new Strip($(".film"), (i) => this.#hold(stripPasses(this.#growth.states.length - 1)[i]));
    this.life = new Strip($(".life"), (i) => onIteration(this.#stages[i]));
    $(".pass").oninput = ({target}) => this.#hold(Number(target.value));
    setInterval(() => this.#advance(), BEAT);
  }

  /** The iterations of its life. */
  get #stages() {
    return lifeOf(this.#run, this.seed);
  }

  get #shape() {
    return [1, this.#run.side, this.#run.side];
  }

  get #shownIteration() {  // the data have no symbol: the first that is here
    return this.#iteration || this.#stages[0];
  }

  open(run) {
    const {$} = this.figure, able = withModel(run).length > 0;
    this.#run = run;
    $(".untaught").hidden = able;
    $(".film").hidden = $(".passes").hidden = !able;
  }

  select(seed) {
    const {$} = this.figure;
    this.seed = seed;
    this.#grown = new Map();
    $(".symbol .seed").textContent = $(".choose [name=seed]").value = seed;
    this.#grow();
  }

  /** The symbol at the end of its growth at an iteration, from its sheet or as it was grown, if it is here. */
  #symbolAt(iteration) {
    const sheet = isOnSheet(this.seed) && this.#run.sheets[rowOf(this.#run, iteration)];
    return sheet ? pictureAt(sheet, this.#shape, Number(this.seed)) : this.#grown.get(iteration);
  }

  onSheet(run) {
    if (run === this.#run) this.draw();
  }

  show(iteration) {
    this.#iteration = iteration;
    this.draw();
  }

  // ---- requests
  #grow() {
    const iteration = nearestModel(this.#run, this.#shownIteration), able = iteration !== undefined;
    this.#growth = able ? {iteration, states: [], head: -1, held: false, done: false} : null;
    this.request.cancel();
    this.figure.showProblem("");
    if (able) this.#send(iteration, false);
    this.draw();
  }

  #send(iteration, final) {
    this.request.send({experiment: this.#run.experiment, iteration, seed: this.seed, final}, {iteration, final});
  }

  #onResponse(response, {iteration, final}) {
    const growth = this.#growth, states = (response.states ?? []).map(fromBase64), {done, error} = response;
    this.figure.showProblem(error);
    if (response.lost && !growth.done) Object.assign(growth, {head: -1});
    if (!final) Object.assign(growth, {states, done});
    if (growth.head < 0) this.#advance();  // the noise at once
    if (done && states.length) this.#grown.set(iteration, states.at(-1));
    if (done && !error) this.askForLife();
    this.draw();
  }

  /** Its life one by one, so that a new seed need not wait, and only while one looks on. */
  askForLife() {
    const missing = this.#stages.find((iteration) => !this.#symbolAt(iteration));
    const isWatched = this.figure.article.offsetParent && !isOnSheet(this.seed);  // sheets come by themselves
    if (missing && isWatched && !this.request.busy) this.#send(missing, true);
  }

  // ---- the growth
  #advance() {  // states come in bursts; show them at a speed that an eye can follow, long growths faster
    const growth = this.#growth;
    if (!growth || growth.held || growth.head >= growth.states.length - 1) return;
    growth.head = Math.min(growth.states.length - 1, growth.head + 1 + Math.floor((growth.head + 1) / 20));
    this.draw();
  }

  #hold(pass) {
    Object.assign(this.#growth, {head: pass, held: true});
    this.draw();
  }

  growAgain() {
    const iteration = nearestModel(this.#run, this.#shownIteration), growth = this.#growth;
    if (this.#shownIteration !== iteration) this.onIteration(iteration);
    if (!(growth?.done && growth.states.length && growth.iteration === iteration)) return this.#grow();
    Object.assign(growth, {head: 0, held: false});
    this.draw();
  }

  // ---- all of it, from the state above
  draw() {
    const {$, write} = this.figure, iteration = this.#shownIteration, model = nearestModel(this.#run, iteration);
    const here = this.#growth?.iteration === iteration ? this.#growth : null;
    const count = here ? here.states.length - 1 : -1, isOver = here?.done && here.head === count;
    paint($(".big"), this.#shape, here?.states[here.head] || this.#symbolAt(iteration));
    $(".big").setAttribute("aria-label", `Symbol of seed ${this.seed}, iteration ${iteration}`);
    const remark = !this.#iteration ? (iteration === 1 ? ": the first dream" : ": the first model here")
      : model === iteration ? "" : isOnSheet(this.seed) ? ": its sheet" : ": no model";
    this.#drawStrips(here, count, iteration);
    setSlider($(".pass"), Math.max(here?.head ?? 0, 0), {max: Math.max(count, 1)});
    $(".pass").disabled = count < 1;
    write({
      ".note": `iteration ${iteration}${remark}`,
      ".count": here && here.head >= 0 ? `pass ${here.head} of ${here.done ? count : "…"}` : "",
      "[data-do=grow]": !here ? `Grow at ${model}` : isOver ? "Again" : "Growing",
    });
    const nothing = !this.picture.pixels;  // such a button may have the focus, so it is not disabled
    for (const offer of this.figure.$$(".symbol .offers button")) offer.setAttribute("aria-disabled", nothing);
  }

  #drawStrips(here, count, iteration) {
    const stages = this.#stages, known = stages.filter((each) => this.#symbolAt(each)).length, {$, write} = this.figure;
    const isGrowing = known < stages.length && !$(".problem").textContent;
    write({".progress": isGrowing ? `${known} of ${stages.length} iterations` : ""});
    this.film.show(this.#shape, Array.from({length: FRAMES}, (_, i) => {
      const pass = stripPasses(count)[i], isReady = Boolean(here) && pass <= here.head;
      const label = isReady ? `After ${pass} passes` : "Not grown yet";
      const isPressed = isReady && pass === here.head;
      return {pixels: here?.states[pass], text: isReady ? pass : "", label, isPressed, isReady};
    }));
    this.life.show(this.#shape, stages.map((its) =>
      ({pixels: this.#symbolAt(its), text: its, label: `Iteration ${its}`, isPressed: its === iteration})));
  }

  /** The symbol at the end of its growth, or at the pass that is held, if it has begun to grow; and what it is. */
  get picture() {
    const iteration = this.#shownIteration, {experiment, side} = this.#run, growth = this.#growth;
    const here = growth?.iteration === iteration && growth.head >= 0 ? growth : null;
    const end = here?.done ? here.states.length - 1 : -1;
    const held = here && here.head !== end && (here.held || !this.#symbolAt(iteration));
    const pixels = held ? here.states[here.head] : end < 0 ? this.#symbolAt(iteration) : here.states[end];
    const pass = held ? `, pass ${here.head}` : "";
    return {pixels, side, caption: `${experiment}, iteration ${iteration}, seed ${this.seed}${pass}`};
  }
}
