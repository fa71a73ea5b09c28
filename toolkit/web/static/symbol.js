// One symbol: its life across the iterations, how it grew out of noise pass by pass, and the pictures one can keep.
// Read before iterations.js, in one scope with it. trigger("grow") and trigger("save") ask the server; `hear` gets the answers.
const FILM = [0, 1, 2, 3, 4, 6, 9, 13, 19, 28, 41];  // the passes shown as a strip, and the last one
let ticket = 0;        // of the newest request: answers to older ones are dropped
let asking = null;     // the newest request, while it waits for its answer
let life = new Map();  // iteration -> the light of this seed's symbol
let grown = null;      // {iteration, states, head, held, done}: how it grew at one iteration, and the state on show

const onSheet = () => /^\d{1,2}$/.test(now.seed);
const taught = () => run.iterations.filter((entry) => entry.bytes);  // those whose model is here
const lived = () => (onSheet() ? run.iterations.filter(({iteration}) => iteration) : taught());  // a sheet needs no model
const gap = (entry, iteration) => Math.abs(entry.iteration - iteration);
const nearest = (iteration) => taught().reduce((best, entry) => (best && gap(best, iteration) <= gap(entry, iteration) ? best : entry), null)?.iteration;
const dream = () => number(now.a) || lived()[0].iteration;  // the data have no dream: the first that is here

function complain(text) {
  $(".problem").textContent = text || "";
  $(".problem").hidden = !text;
}

function select(seed) {
  if (!/^\d{1,19}$/.test(seed)) return complain(`“${seed.slice(0, 40)}” is no seed: give a whole number, such as 7 or 1234567.`);
  const able = taught().length || BigInt(seed) < CELLS;
  now.seed = able ? String(BigInt(seed)) : "0";
  life = new Map();
  address.sow(now.seed);
  const size = run.side ** 2, start = Number(now.seed) * size;
  if (onSheet()) lived().forEach(({iteration}) => life.set(iteration, run.sheets[rowOf(iteration)].slice(start, start + size)));
  if ($$(".life button").length !== lived().length) $(".life").replaceChildren(...thumbs(lived().length));
  $(".symbol .seed").textContent = $(".choose [name=seed]").value = now.seed;
  Object.values(panels).forEach((each) => each.mark());
  grow();
  caption();
  if (!able) complain(`No model of ${run.experiment} is here to grow seed ${seed}: choose one of its sheets, 0 to ${CELLS - 1}.`);
}

function grow() {
  const iteration = nearest(dream());
  const able = iteration !== undefined;
  grown = able ? {iteration, states: [], head: -1, held: false, done: false} : null;
  asking?.over();
  asking = null;
  ticket++;
  complain("");
  if (able) ask(iteration, false);
  specimen();
}

function ask(iteration, final) {
  asking = awaiting(lost);
  trigger("grow", {ticket, experiment: run.experiment, iteration, seed: now.seed, final});
}

function lost() {
  asking = asking.over();
  if (!grown.done) Object.assign(grown, {states: [], head: -1, done: true});
  complain("The server does not answer: choose a seed to ask it again.");
  specimen();
}

function live() {  // its life one by one, so that a new seed need not wait, and only while one looks on
  const missing = lived().find(({iteration}) => !life.has(iteration));
  if (missing && !asking && article.offsetParent) ask(missing.iteration, true);
}

function hear({detail}) {
  if (!detail || detail.ticket !== ticket) return;
  const states = detail.states.map(bytes);
  asking?.heard();
  complain(detail.error);
  if (!detail.final) Object.assign(grown, {states, done: detail.done});
  if (grown.head < 0) unroll();  // the noise at once
  if (detail.done && states.length && !life.has(detail.iteration)) life.set(detail.iteration, states.at(-1));
  if (detail.done) asking = asking?.over();
  if (detail.done && !detail.error) live();
  specimen();
}

function unroll() {  // states come in bursts; show them at a speed that an eye can follow, long growths faster
  if (!grown || grown.held || grown.head >= grown.states.length - 1) return;
  grown.head = Math.min(grown.states.length - 1, grown.head + 1 + Math.floor((grown.head + 1) / 20));
  specimen();
}

function hold(pass) {
  Object.assign(grown, {head: pass, held: true});
  specimen();
}

function again() {
  const able = nearest(dream());
  if (dream() !== able) go("a", rowOf(able));
  if (!(grown?.done && grown.states.length && grown.iteration === able)) return grow();
  Object.assign(grown, {head: 0, held: false});
  specimen();
}

function specimen() {  // draw all of it from the state above
  const iteration = dream();
  const here = grown?.iteration === iteration ? grown : null;
  const count = here ? here.states.length - 1 : -1, atEnd = !here || (here.done && here.head === count);
  paint($(".big"), here?.states[here.head] || life.get(iteration));
  $(".big").setAttribute("aria-label", `Symbol of seed ${now.seed}, iteration ${iteration}`);
  $(".note").textContent = `iteration ${iteration}${number(now.a) ? (nearest(iteration) === iteration ? "" : onSheet() ? ": its sheet" : ": no model") : iteration === 1 ? ": the first dream" : ": the first model here"}`;
  film(here, count);
  const slider = $(".pass");
  slider.disabled = count < 1;
  slider.max = Math.max(count, 1);
  slider.value = Math.max(here?.head ?? 0, 0);
  slider.style.setProperty("--at", count > 0 ? here.head / count : 0);
  $(".count").textContent = here && here.head >= 0 ? `pass ${here.head} of ${here.done ? count : "…"}` : "";
  $("[data-do=grow]").textContent = !here ? `Grow at ${nearest(iteration)}` : here.done && atEnd ? "Again" : "Growing";
  biography(iteration);
  offering(standing().light);
}

function film(here, count) {
  const passes = [...FILM.filter((pass) => pass < count), Math.max(count, 0)];
  $$(".film button").forEach((frame, i) => {
    const pass = passes[i], ready = Boolean(here) && pass <= here.head;
    paint(frame.firstChild, ready ? here.states[pass] : null);
    frame.disabled = !ready;
    frame.dataset.pass = pass;
    frame.lastChild.textContent = ready ? pass : "";
    frame.setAttribute("aria-label", ready ? `After ${pass} passes` : "Not grown yet");
    frame.setAttribute("aria-pressed", ready && pass === here.head);
  });
}

function biography(iteration) {
  const whole = lived(), known = whole.filter((entry) => life.has(entry.iteration)).length;
  $(".progress").textContent = known < whole.length && !$(".problem").textContent ? `${known} of ${whole.length} iterations` : "";
  $$(".life button").forEach((button, i) => {
    const its = whole[i].iteration;
    paint(button.firstChild, life.get(its));
    button.lastChild.textContent = its;
    button.setAttribute("aria-pressed", its === iteration);
    button.setAttribute("aria-label", `Iteration ${its}`);
  });
}

function standing() {  // the symbol at the end of its growth, or at the pass that is held, if it has begun to grow
  const iteration = dream(), here = grown?.iteration === iteration && grown.head >= 0 ? grown : null;
  const end = here?.done ? here.states.length - 1 : -1, held = here && here.head !== end && (here.held || !life.has(iteration));
  const light = held ? here.states[here.head] : end < 0 ? life.get(iteration) : here.states[end];
  return {light, side: run.side, caption: `${run.experiment}, iteration ${iteration}, seed ${now.seed}${held ? `, pass ${here.head}` : ""}`};
}

function give(to) {
  const symbol = standing();
  if (symbol.light) offer(to, symbol);
}

// ---- files: pictures are made here, as they stand on the screen; other files come from the server
function picture() {
  if (all.open) return print($$(".card:not([hidden])").map((card) => $$("canvas", card)), `all_iteration-${all.at}.png`, 5);
  const beside = now.compare ? `-beside-${other === run ? "" : `${other.experiment}-`}${number(now.b, other)}` : "";
  const both = now.compare ? ["a", "b"] : ["a"];
  print(both.map(pictures), `${run.experiment}_iteration-${number(now.a)}${beside}${now.map ? "_map" : ""}.png`, COLUMNS, both.map(spread));
}

function save(kind) {
  trigger("save", {kind, experiment: run.experiment, iteration: number(now.a), seed: now.seed});
  setTimeout(() => trigger("stir"), STIRS[0]);  // that the file has come is not heard here
}
