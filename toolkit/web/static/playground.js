// The playground: points on a line, a small network that learns them while one looks on, and samples that fall through it.
// trigger("train") asks the server; `hear` gets the moments of the training, each as text, with the function and the samples' runs.
// Read after ink.js, in one scope with it.
const {examples, start: START, limits, most: MOST} = props.value;
const WIDE = 560, PLANE = {top: 10, bottom: 350}, LOSS = {top: 424, bottom: 504}, EDGE = 14;  // of the picture
const FALL = 3200, NEAR = 0.03;  // milliseconds; how near to a point a sample is at it
const still = matchMedia("(prefers-reduced-motion: reduce)"), visitor = crypto.randomUUID?.() ?? String(Math.random());
const now = {...examples[0], ...START, moment: 0, run: 0};
let learned = null;  // {points, moments, steps}: the training on show
let flight = null, asked = false, ticket = 0, frame = 0;

$(".axes").innerHTML = `<svg viewBox="0 0 ${WIDE} ${LOSS.bottom + 4}"><g></g><rect class="ground" width="${WIDE}" height="${LOSS.bottom}"/></svg>`;
const x = (value) => EDGE + value * (WIDE - 2 * EDGE);
const y = (value) => PLANE.bottom - value * (PLANE.bottom - PLANE.top);
const at = () => learned?.moments[Math.min(now.moment, learned.moments.length - 1)];
const runs = () => (at() ? at().falls.length - 1 : 0);

// ---- asking: one training at a time; the server ends it when it hears of a newer one
function ask() {
  asked = true;
  article.dataset.state = "asked";
  complain("");
  if (flight) server.note({visitor, ticket: ++ticket});
  if ($(".plane").getBoundingClientRect().top < 0) $(".plane").scrollIntoView({behavior: "smooth"});
  fly();
}

function fly() {
  if (flight || !asked) return;
  asked = false;
  const {points, depth, width, output, steps, seed} = now, mine = ++ticket;
  const lost = () => hear({detail: {ticket: mine, done: true, moments: [], error: "The server does not answer: press Train to ask it again."}});
  flight = {ticket: mine, answer: awaiting(lost), points: [...points], steps, moments: []};
  trigger("train", {visitor, ticket: mine, points, depth, width, output, steps, seed});
}

function hear({detail}) {
  if (!detail || detail.ticket !== flight?.ticket) return;
  const {points, steps, moments, answer} = flight;
  answer.heard();
  moments.push(...detail.moments.slice(moments.length).map((text) => JSON.parse(text)));
  if (moments.length) {
    cancelAnimationFrame(frame);
    learned = {points, steps, moments};
    Object.assign(now, {moment: moments.length - 1, run: moments[0].falls.length - 1});
  }
  if (detail.done) {
    answer.over();
    flight = null;
    complain(detail.error);
    if (!asked) article.dataset.state = "learned";
    if (!asked && !detail.error) fall();
    fly();
  }
  picture();
}

function complain(text) {
  $(".problem").textContent = text || "";
  $(".problem").hidden = !text;
}

// ---- the picture: above, x and what the network makes of it; below, how far that is off
function height(values, place) {  // of a function that is known at evenly spaced places
  const spot = clamp(place, 0, 1) * (values.length - 1), left = Math.min(Math.floor(spot), values.length - 2);
  return values[left] + (values[left + 1] - values[left]) * (spot - left);
}

function samples(run) {  // between two runs they are on their way
  const {falls} = at(), before = falls[Math.floor(run)], after = falls[Math.min(Math.ceil(run), falls.length - 1)];
  return before.map((value, i) => value + (after[i] - value) * (run % 1));
}

function picture() {
  const [land, balls] = at() ? landscape(at()) : [[], []];
  const parts = [`<line class="same" x1="${x(0)}" y1="${y(0)}" x2="${x(1)}" y2="${y(1)}"/>`, ...land];
  parts.push(`<line class="rule" x1="${x(0)}" y1="${y(0)}" x2="${x(1)}" y2="${y(0)}"/>`);
  for (const value of [0, 0.5, 1]) parts.push(`<text x="${x(value)}" y="${y(0) + 27}" text-anchor="middle">${value}</text>`);
  const diamond = (px, py) => `<rect class="point" x="${px - 4.5}" y="${py - 4.5}" width="9" height="9" transform="rotate(45 ${px} ${py})"/>`;
  for (const point of now.points) parts.push(diamond(x(point), y(point)), diamond(x(point), y(0)));
  $(".axes g").innerHTML = [...parts, ...balls].join("");
  $(".axes").setAttribute("aria-label", `The function on the line from 0 to 1, training points at ${now.points.join(", ")}. ${verdict()}`);
  times();
}

function landscape({function: values, falls}) {
  const loss = values.map((value, i) => (value - i / (values.length - 1)) ** 2), top = Math.max(0.01, ...loss);
  const low = (value) => LOSS.bottom - (value / top) * (LOSS.bottom - LOSS.top), place = (i) => x(i / (values.length - 1)).toFixed(1);
  const line = values.map((value, i) => `${place(i)},${y(value).toFixed(1)}`).join(" ");
  const hills = loss.map((value, i) => `${place(i)},${low(value).toFixed(1)}`).join(" ");
  const began = falls[0].flatMap((value) => [
    `<line class="drop" x1="${x(value)}" x2="${x(value)}" y1="${y(0)}" y2="${y(height(values, value))}"/>`,
    `<circle class="began" cx="${x(value)}" cy="${y(0)}" r="3.5"/>`,
  ]);
  const balls = samples(now.run).flatMap((value) => [[height(values, value), y], [height(loss, value), low]].map(([its, scale], i) =>
    `<circle class="sample" cx="${x(value).toFixed(1)}" cy="${(scale(its) - 3 * i).toFixed(1)}" r="${5 - i}"/>`));
  const caption = `<text x="${x(0)}" y="${LOSS.top - 10}">how far off, squared (most: ${Number(Math.max(...loss).toPrecision(2))})</text>`;
  return [[`<polygon class="loss" points="${x(0)},${LOSS.bottom} ${hills} ${x(1)},${LOSS.bottom}"/>`, caption, ...began, `<polyline class="function" points="${line}"/>`], balls];
}

function verdict() {
  if (!at()) return "Press Train: it takes a second or two.";
  const {step, loss} = at(), ends = at().falls.at(-1), {points} = learned;
  const by = points.map((point) => ends.filter((end) => Math.abs(end - point) < NEAR && points.every((other) => Math.abs(end - point) <= Math.abs(end - other))).length);
  const astray = ends.length - by.reduce((sum, count) => sum + count, 0);
  const where = points.map((point, i) => `${by[i]} at ${point}`).join(", ");
  return `After ${step.toLocaleString("en")} steps${loss === undefined ? "" : ` (loss ${Number(loss.toPrecision(2))})`}, ${ends.length} samples end after ${runs()} runs: ${where}${astray ? `, ${astray} elsewhere` : ""}.`;
}

function times() {
  const moment = at(), bars = {moment: (learned?.moments.length || 1) - 1, run: runs()};
  $$("[data-time]").forEach((input) => {
    const what = input.dataset.time, end = bars[what];
    Object.assign(input, {max: end, disabled: !moment});
    slide(input, Math.round(now[what]));
    input.setAttribute("aria-valuetext", what === "run" ? `run ${Math.round(now.run)}` : `step ${moment?.step ?? 0}`);
  });
  $("[data-of=step]").textContent = moment ? `${moment.step.toLocaleString("en")} of ${learned.steps.toLocaleString("en")}` : "";
  $("[data-of=run]").textContent = moment ? `${Math.round(now.run)} of ${runs()}` : "";
  $("[data-do=fall]").disabled = !moment || Boolean(flight);
  $(".train").textContent = flight ? "Training" : "Train";
  $(".verdict").textContent = verdict();
  article.dataset.ready = "true";
}

function fall() {  // the samples of the moment on show, from where they began
  cancelAnimationFrame(frame);
  if (still.matches) return picture();
  const start = performance.now();
  (function drop(time) {
    now.run = clamp((time - start) / FALL, 0, 1) * runs();
    picture();
    if (now.run < runs()) frame = requestAnimationFrame(drop);
  })(start);
}

// ---- the knobs
function slide(input, value) {
  input.value = value;
  input.style.setProperty("--at", (value - input.min) / Math.max(1e-9, input.max - input.min));
}

function press(knob, names, pressed) {
  const group = $(`[data-knob=${knob}]`);
  if (!group.children.length) group.replaceChildren(...names.map((name) => make("button", {type: "button", value: name, textContent: name})));
  $$("button", group).forEach((button) => button.setAttribute("aria-pressed", button.value === pressed));
}

function knobs() {
  const like = examples.find((example) => Object.keys(example).every((key) => String(example[key]) === String({...now, title: example.title}[key])));
  press("example", examples.map(({title}) => title), like?.title);
  press("output", ["sigmoid", "tanh"], now.output);
  ["depth", "width", "steps"].forEach((knob) => {
    slide($(`[data-knob=${knob}]`), now[knob]);
    $(`[data-of=${knob}]`).textContent = now[knob].toLocaleString("en");
  });
  $("[data-of=points]").textContent = `${now.points.length} of at most ${MOST}`;
  for (const [name, value] of [["points", now.points.join(", ")], ["seed", now.seed]]) if (document.activeElement !== $(`[name=${name}]`)) $(`[name=${name}]`).value = value;
  picture();
}

function turn(changes) {
  Object.assign(now, changes);
  complain("");
  knobs();
}

function place(value) {  // a point more, or one less
  const near = now.points.find((point) => Math.abs(point - value) < 0.025);
  if (near !== undefined) return turn({points: now.points.filter((point) => point !== near)});
  if (now.points.length >= MOST) return complain(`${MOST} points are there already: click one to take it away.`);
  turn({points: [...now.points, Number(value.toFixed(2))].sort((a, b) => a - b)});
}

function read() {  // what is written in the boxes -> whether it can be used
  const points = $("[name=points]").value.split(/[,;\s]+/).filter(Boolean), seed = $("[name=seed]").value.trim();
  const odd = points.find((text) => !Number.isFinite(Number(text))), largest = limits.seed[1];
  if (odd !== undefined) return complain(`“${odd.slice(0, 40)}” is no point: give numbers from 0 to 1, such as 0.2, 0.8.`);
  if (!/^\d{1,19}$/.test(seed) || Number(seed) > largest) return complain(`“${seed.slice(0, 40)}” is no seed: give a whole number from 0 to ${largest}.`);
  turn({points: points.map(Number), seed: Number(seed)});
  return true;
}

element.addEventListener("click", (event) => {
  const button = event.target.closest("button"), knob = button?.closest(".options")?.dataset.knob;
  if (knob === "example") { turn({...examples.find(({title}) => title === button.value)}); ask(); picture(); }
  else if (knob) turn({[knob]: button.value});
  else if (button?.dataset.do === "dice") { turn({seed: Math.floor(Math.random() * 2 ** 31)}); ask(); picture(); }
  else if (button?.dataset.do === "fall") fall();
  else if (event.target.closest(".ground")) {
    const box = $(".axes svg").getBoundingClientRect();
    place(clamp((((event.clientX - box.left) / box.width) * WIDE - EDGE) / (WIDE - 2 * EDGE), 0, 1));
  }
});
element.addEventListener("input", ({target}) => {
  cancelAnimationFrame(frame);
  if (target.dataset.knob) turn({[target.dataset.knob]: Number(target.value)});
  if (target.dataset.time) { now[target.dataset.time] = Number(target.value); picture(); }
});
$("[name=points]").onchange = $("[name=seed]").onchange = read;
$(".knobs").onsubmit = (event) => { event.preventDefault(); if (read()) { ask(); picture(); } };
window.addEventListener("that-are-not-line", hear);
for (const knob of ["depth", "width", "steps"]) {
  const [low, high] = limits[knob];
  Object.assign($(`[data-knob=${knob}]`), {min: knob === "steps" ? 100 : low, max: high});
}
knobs();
new IntersectionObserver((seen, observer) => {  // the first time it is looked at, something happens by itself
  if (!seen.some(({isIntersecting}) => isIntersecting)) return;
  observer.disconnect();
  if (article.dataset.state === "idle") { ask(); picture(); }
}, {threshold: 0.6}).observe($(".plane"));
