// The line below the kaleidoscope: points, a small network that learns them while one looks on, and samples that fall
// through it. Responses hold the moments of the training, each as text, with the function and the runs of the samples.
import {Controls, REDUCED_MOTION, clamp, figureOf, html, onActions, parseSeed, placeOn, plainChoices, randomSeed,
  scrollTo, setSlider} from "./controls.js";
import {Request} from "./request.js";
import {short} from "./text.js";

const WIDE = 560, PLANE = {top: 10, bottom: 350}, LOSS = {top: 424, bottom: 504}, EDGE = 14;  // of the picture
const FALL = 3200, NEAR = 0.03, SAME = 0.025;  // milliseconds; how near to a point a sample is at it, a click is on it
let figure, $, article, request, controls;
let examples, limits, most;  // of the page's first message
let now;             // points and settings; the moment and the run on show
let learned = null;  // {points, steps, moments}: the training on show
let animation = 0;

const x = (value) => EDGE + value * (WIDE - 2 * EDGE);
const y = (value) => PLANE.bottom - value * (PLANE.bottom - PLANE.top);
const moment = () => learned?.moments[Math.min(now.moment, learned.moments.length - 1)];
const runCount = () => (moment() ? moment().falls.length - 1 : 0);

// ---- requests
function train() {
  const {points, depth, width, output, steps, seed} = now;
  figure.showProblem("");
  if ($(".plane").getBoundingClientRect().top < 0) scrollTo($(".plane"));
  request.send({points, depth, width, output, steps, seed}, {points: [...points], steps, moments: []});
  draw();
}

function onResponse(response, training) {
  const {moments} = training;
  moments.push(...(response.moments ?? []).slice(moments.length).map((text) => JSON.parse(text)));
  if (moments.length) {
    cancelAnimationFrame(animation);
    learned = training;
    Object.assign(now, {moment: moments.length - 1, run: moments[0].falls.length - 1});
  }
  if (response.done) figure.showProblem(response.error);
  draw();
  if (response.done && !request.superseded && !response.error) letFall();
}

// ---- the picture: above, x and what the network makes of it; below, how far that is off
/** The value at a place from 0 to 1 of a function that is known at evenly spaced places. */
export function interpolate(values, place) {
  const spot = clamp(place, 0, 1) * (values.length - 1), left = Math.min(Math.floor(spot), values.length - 2);
  return values[left] + (values[left + 1] - values[left]) * (spot - left);
}

/** How many samples end at each point, the nearest if they are near it at all; the others are astray. */
export function countEnds(ends, points, near = NEAR) {
  const distance = (end, point) => Math.abs(end - point);
  const isAt = (end, point) => distance(end, point) < near
    && points.every((other) => distance(end, point) <= distance(end, other));
  const counts = points.map((point) => ends.filter((end) => isAt(end, point)).length);
  return {counts, astray: ends.length - counts.reduce((sum, count) => sum + count, 0)};
}

function samplesAt(run) {  // between two runs they are on their way
  const {falls} = moment(), before = falls[Math.floor(run)], after = falls[Math.min(Math.ceil(run), falls.length - 1)];
  return before.map((value, i) => value + (after[i] - value) * (run % 1));
}

function draw() {
  const {land, samples} = moment() ? landscape(moment()) : {};
  const line = (kind, x2, y2) => html`<line class="${kind}" x1="${x(0)}" y1="${y(0)}" x2="${x2}" y2="${y2}"/>`;
  const label = (value) => html`<text x="${x(value)}" y="${y(0) + 27}" text-anchor="middle">${value}</text>`;
  const diamond = (px, py) => html`
    <rect class="point" x="${px - 4.5}" y="${py - 4.5}" width="9" height="9" transform="rotate(45 ${px} ${py})"/>`;
  const points = now.points.map((point) => [diamond(x(point), y(point)), diamond(x(point), y(0))]);
  $(".axes g").innerHTML = html`${line("same", x(1), y(1))}${land}${line("rule", x(1), y(0))}${[0, 0.5, 1].map(label)}
    ${points}${samples}`;
  const where = `training points at ${now.points.join(", ")}`;
  $(".axes").setAttribute("aria-label", `The function on the line from 0 to 1, ${where}. ${verdict()}`);
  showTimes();
}

function landscape({function: values, falls}) {  // what lies under the points, and the samples over them
  const loss = values.map((value, i) => (value - i / (values.length - 1)) ** 2), largest = Math.max(...loss);
  const low = (value) => LOSS.bottom - (value / Math.max(0.01, largest)) * (LOSS.bottom - LOSS.top);
  const polyline = (numbers, scale) => numbers.map((value, i) =>
    `${x(i / (numbers.length - 1)).toFixed(1)},${scale(value).toFixed(1)}`).join(" ");
  const circle = (value, cy, r) => html`
    <circle class="sample" cx="${x(value).toFixed(1)}" cy="${cy.toFixed(1)}" r="${r}"/>`;
  const samples = samplesAt(now.run).map((value) => [
    circle(value, y(interpolate(values, value)), 5), circle(value, low(interpolate(loss, value)) - 3, 4),
  ]);
  const starts = falls[0].map((value) => html`
    <line class="drop" x1="${x(value)}" x2="${x(value)}" y1="${y(0)}" y2="${y(interpolate(values, value))}"/>
    <circle class="began" cx="${x(value)}" cy="${y(0)}" r="3.5"/>`);
  const land = html`
    <polygon class="loss" points="${x(0)},${LOSS.bottom} ${polyline(loss, low)} ${x(1)},${LOSS.bottom}"/>
    <text x="${x(0)}" y="${LOSS.top - 10}">how far off, squared (most: ${short(largest, 2)})</text>${starts}
    <polyline class="function" points="${polyline(values, y)}"/>`;
  return {land, samples};
}

function verdict() {
  if (!moment()) return "Press Train: it takes a second or two.";
  const {step, loss, falls} = moment(), ends = falls.at(-1), {points} = learned;
  const {counts, astray} = countEnds(ends, points);
  const where = points.map((point, i) => `${counts[i]} at ${point}`).join(", ");
  const how = loss === undefined ? "" : ` (loss ${short(loss, 2)})`, others = astray ? `, ${astray} elsewhere` : "";
  return `After ${step.toLocaleString("en")} steps${how}, ${ends.length} samples end after ${runCount()} runs: `
    + `${where}${others}.`;
}

function showTimes() {
  const its = moment(), run = Math.round(now.run), steps = (count) => count.toLocaleString("en");
  const [step, fall] = [$("[data-time=moment]"), $("[data-time=run]")];
  setSlider(step, Math.round(now.moment), {max: (learned?.moments.length || 1) - 1, text: `step ${its?.step ?? 0}`});
  setSlider(fall, run, {max: runCount(), text: `run ${run}`});
  step.disabled = fall.disabled = !its;
  $("[data-do=fall]").disabled = !its || request.busy;
  figure.write({
    "[data-of=step]": its ? `${steps(its.step)} of ${steps(learned.steps)}` : "",
    "[data-of=run]": its ? `${run} of ${runCount()}` : "",
    ".train": request.busy ? "Training" : "Train", ".verdict": verdict(),
  });
  article.dataset.ready = "true";
}

function letFall() {  // the samples of the moment on show, from where they began
  cancelAnimationFrame(animation);
  if (REDUCED_MOTION.matches) return draw();
  const begun = performance.now();
  (function drop(time) {
    now.run = clamp((time - begun) / FALL, 0, 1) * runCount();
    draw();
    if (now.run < runCount()) animation = requestAnimationFrame(drop);
  })(begun);
}

// ---- the knobs
function showControls() {
  const isLike = ({title, ...its}) => Object.keys(its).every((key) => String(its[key]) === String(now[key]));
  const {points, depth, width, steps} = now, number = (value) => value.toLocaleString("en");
  controls.show({...now, example: examples.find(isLike)?.title ?? "", points: points.join(", ")}, {
    example: plainChoices(examples.map(({title}) => title)), output: plainChoices(["sigmoid", "tanh"]),
  }, {
    depth: number(depth), width: number(width), steps: number(steps), points: `${points.length} of at most ${most}`,
  });
  draw();
}

function update(changes) {
  Object.assign(now, changes);
  figure.showProblem("");
  showControls();
}

function togglePoint(value) {  // a point more, or one less
  const near = now.points.find((point) => Math.abs(point - value) < SAME);
  if (near !== undefined) return update({points: now.points.filter((point) => point !== near)});
  if (now.points.length >= most) {
    return figure.showProblem(`${most} points are there already: click one to take it away.`);
  }
  update({points: [...now.points, Number(value.toFixed(2))].sort((a, b) => a - b)});
}

/** {points}, or {problem} in words. */
export function parsePoints(text) {
  const words = text.split(/[,;\s]+/).filter(Boolean), odd = words.find((word) => !Number.isFinite(Number(word)));
  if (odd === undefined) return {points: words.map(Number)};
  return {problem: `“${odd.slice(0, 40)}” is no point: give numbers from 0 to 1, such as 0.2, 0.8.`};
}

function readFields() {  // -> whether what is written in them can be used
  const {points, problem} = parsePoints($("[name=points]").value);
  const {seed, problem: other} = parseSeed($("[name=seed]").value.trim(), limits.seed[1]);
  if (problem || other) figure.showProblem(problem || other);
  else update({points, seed});
  return !problem && !other;
}

function onKnob(knob, value) {
  if (knob !== "example") return update({[knob]: value});
  update(examples.find(({title}) => title === value));
  train();
}

export default function start(given) {
  const {start: defaults} = given.props.value;
  ({examples, limits, most} = given.props.value);
  figure = figureOf(given);
  ({$, article} = figure);
  controls = new Controls(given.element, onKnob);
  now = {...examples[0], ...defaults, moment: 0, run: 0};
  request = new Request(figure, "train", {
    channel: "that-are-not-line", onResponse, advice: "press Train to ask it again", cancels: true,
  });
  const height = LOSS.bottom;
  $(".axes").innerHTML = html`
    <svg viewBox="0 0 ${WIDE} ${height + 4}"><g></g><rect class="ground" width="${WIDE}" height="${height}"/></svg>`;
  $(".axes").onclick = (event) => {
    const place = placeOn($(".axes svg"), event) * WIDE - EDGE;
    if (event.target.closest(".ground")) togglePoint(clamp(place / (WIDE - 2 * EDGE), 0, 1));
  };
  onActions(figure, {fall: letFall, dice: () => { update({seed: randomSeed()}); train(); }});
  given.element.addEventListener("input", ({target: {dataset: {time}, value}}) => {
    cancelAnimationFrame(animation);
    if (!time) return;
    now[time] = Number(value);
    draw();
  });
  $("[name=points]").onchange = $("[name=seed]").onchange = readFields;
  $(".knobs").onsubmit = (event) => {
    event.preventDefault();
    if (readFields()) train();
  };
  for (const knob of ["depth", "width", "steps"]) {
    const [low, high] = limits[knob];
    Object.assign($(`[data-knob=${knob}]`), {min: knob === "steps" ? 100 : low, max: high});
  }
  showControls();
  new IntersectionObserver((seen, observer) => {  // the first time it is looked at, something happens by itself
    if (!seen.some(({isIntersecting}) => isIntersecting)) return;
    observer.disconnect();
    if (!learned && !request.busy) train();
  }, {threshold: 0.6}).observe($(".plane"));
}
