// A film of runs as it comes from the server: unpacked part by part, and drawn as curves over the runs; one cell of it,
// large, with its own film and the training images nearest to it; and the way through the runs. Read before kaleidoscope.js, in one scope with it.
const UNIT = 65535, THUMBS = 12;  // a distance of 1; frames of the strip of one cell
const references = new Map();     // data set -> its images as light, once they are asked for
let film = null;                  // {order, shape, runs, neighbours, frames, facts, distinct, done}: the runs on show

async function inflate(text) {
  const stream = new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function unpack(into, part) {  // what changed since the frame before -> frames
  const changes = await inflate(part.light), size = CELLS * area(into), count = changes.length / size;
  for (let frame = 0; frame < count; frame++) {
    const light = changes.slice(frame * size, (frame + 1) * size), before = into.frames.at(-1);
    if (before) for (let i = 0; i < size; i++) light[i] += before[i];
    into.frames.push(light);
  }
  const facts = new Uint16Array(bytes(part.facts).buffer), each = CELLS * (1 + 2 * into.neighbours);
  for (let at = 0; at < facts.length; at += each) into.facts.push(facts.subarray(at, at + each));
  into.distinct.push(...part.distinct);
}

const data = () => networks.find(({name}) => name === film.order.experiment).data;
const area = ({shape}) => shape[0] * shape[1] * shape[2];
const frames = () => film.frames.length;
const fact = (frame, kind, cell) => film.facts[frame][kind * CELLS + cell];  // kind: moved, then distances, then rows
const distance = (frame, kind, cell) => fact(frame, kind, cell) / UNIT;
const mean = (frame, kind) => film.facts[frame].subarray(kind * CELLS, (kind + 1) * CELLS).reduce((sum, value) => sum + value, 0) / CELLS / UNIT;

function draw(canvas, light, cell) {
  const [channels, height, width] = film.shape;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
  (channels === 1 ? paint : paintColours)(canvas, light, cell * area(film));
}

// ---- curves over the runs, on the scale of the slider
function curves() {
  const count = film.facts.length, here = Math.min(now.frame, count - 1);
  const far = ["distance to data", (frame) => mean(frame, 1), (frame) => distance(frame, 1, now.cell), linear, "How far the pictures are from the nearest of 1,000 training images: 0 is a copy, 1 black against white"];
  const panels = [
    ["movement", (frame) => mean(frame, 0), (frame) => distance(frame, 0, now.cell), decades, "How far the pictures moved in this run: 1 is black against white; a quarter of the height is a factor of ten"],
    ...(film.neighbours ? [far] : []),
    ["pictures left", (frame) => film.distinct[frame], null, linear, "How many different pictures are left among the 64"],
  ];
  $(".curves").hidden = count < 2;
  if (count > 1) $(".curves").replaceChildren(...panels.map((panel) => curve(panel, count, here)));
}

const linear = (value, top) => value / top;
const decades = (value) => clamp(1 + Math.log10(value) / 4, 0, 1);

function curve([name, all, one, scale, hint], count, here) {  // the mean of all cells, and the one that is chosen
  const at = Array.from({length: count}, (_, frame) => frame).slice(one ? 1 : 0);  // the start has not moved
  const values = at.map(all), own = one ? at.map(one) : [];
  const top = Math.max(...values, ...own, 1e-6), x = (frame) => (3 + (194 * frame) / Math.max(1, film.runs.length - 1)).toFixed(1);
  const y = (value) => (61 - 58 * scale(value, top)).toFixed(1);
  const line = (numbers, kind) => `<polyline class="${kind}" points="${numbers.map((value, i) => `${x(at[i])},${y(value)}`).join(" ")}"/>`;
  const say = (value) => (one ? String(Number(value.toPrecision(2))) : String(value)), label = `${name}: ${say(all(here))} at run ${film.runs[here]}`;
  const rule = `<line x1="${x(here)}" x2="${x(here)}" y1="0" y2="64"/>`;
  const plot = make("div", {innerHTML: `<svg viewBox="0 0 200 64" preserveAspectRatio="none" role="img" aria-label="${label}">${rule}${own.length ? line(own, "mine") : ""}${line(values, "")}</svg>`});
  plot.onclick = (event) => {
    const box = plot.getBoundingClientRect();
    pause();
    go(Math.round(((event.clientX - box.left) / box.width) * (film.runs.length - 1)));
  };
  const both = [make("b", {className: "mean", textContent: say(all(here))}), ...(one && here ? [make("b", {textContent: say(one(here))})] : [])];
  return make("div", {className: "curve", title: hint}, make("p", {}, make("span", {textContent: name})), make("p", {}, ...both), plot);
}

// ---- one cell
function one() {
  const {cell} = now, here = now.frame, run = film.runs[here];
  $(".one .seed").textContent = seed(cell);
  draw($(".big"), film.frames[here], cell);
  $(".big").setAttribute("aria-label", `Picture of seed ${seed(cell)} after ${run} runs`);
  $(".one .note").textContent = run ? `after ${run} ${run === 1 ? "run" : "runs"}` : "the start";
  strip(cell, here);
  near(cell, here);
}

function give(to) {  // the picture of the chosen cell, as it stands there
  const {experiment, start, perturbation, mode} = film.order, [channels, side] = film.shape, from = now.cell * area(film);
  const stirred = mode === "none" || !perturbation ? "not stirred" : `stirred by ${perturbation} (${mode})`;
  const caption = `${experiment}, run ${film.runs[now.frame]}, ${start} start, ${stirred}, seed ${seed(now.cell)}`;
  offer(to, {light: film.frames[now.frame].subarray(from, from + area(film)), side, channels, caption});
}

function strip(cell, here) {
  const last = film.runs.length - 1, buttons = $$(".film button");
  buttons.forEach((button, i) => {
    const frame = Math.round((i * last) / (buttons.length - 1)), ready = frame < frames();
    if (ready) draw(button.firstChild, film.frames[frame], cell);
    else paint(button.firstChild, null);
    button.disabled = !ready;
    button.dataset.frame = frame;
    button.lastChild.textContent = film.runs[frame];
    button.setAttribute("aria-label", ready ? `After ${film.runs[frame]} runs` : "Not there yet");
    button.setAttribute("aria-pressed", frame === here);
  });
}

function near(cell, here) {
  const count = here < film.facts.length ? film.neighbours : 0, images = references.get(data());
  $(".near").hidden = !count || !images;
  if (!count || !images) return count && fetchReference();
  const size = images.length / 1000;
  $$(".neighbours figure").forEach((figure, i) => {
    const row = fact(here, 1 + film.neighbours + i, cell), far = distance(here, 1 + i, cell).toFixed(3);
    paint(figure.firstChild, images, row * size);
    figure.firstChild.setAttribute("aria-label", `Training image ${row}, ${far} away`);
    figure.lastChild.textContent = far;
  });
}

async function fetchReference() {
  const name = data();
  if (!name || references.has(name)) return;
  references.set(name, null);  // it is on its way
  const {sheet, columns} = await server.known(name);
  references.set(name, (await decode(sheet, columns)).light);
  one();
}

// ---- moving through the runs
function ticks() {
  const last = film.runs.length - 1;
  let edge = -1;
  const marks = LABELLED.filter((run) => run <= film.runs.at(-1)).map((run) => {
    const after = film.runs.findIndex((its) => its >= run), over = after && film.runs[after] - run;  // it may be between two frames
    const at = (after - (over ? over / (film.runs[after] - film.runs[after - 1]) : 0)) / last, room = at - edge > 0.035;
    if (room) edge = at;
    return make("span", {textContent: room ? run : "", style: `left: ${100 * at}%`});
  });
  $(".ticks").replaceChildren(...marks);
}

function pause() {
  clearInterval(clock);
  clock = null;
  article.classList.remove("playing");
  $("[data-do=play]").setAttribute("aria-label", "Play");
}

function resume() {
  if (!clock) clock = setInterval(beat, BEAT);
  article.classList.add("playing");
  $("[data-do=play]").setAttribute("aria-label", "Pause");
}

function beat() {
  if (now.frame < frames() - 1) go(now.frame + 1);
  else if (film.done) now.loop ? go(0) : pause();  // else the next frames are on their way
}

function play() {
  if (clock) return pause();
  if (now.frame >= frames() - 1) go(0);
  resume();
}
