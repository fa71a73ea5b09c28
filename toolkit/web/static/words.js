// The tab "Words": a page of words that one iteration invented, as a specimen; one of them large, beside the nearest
// word of the list; curves over the iterations. Until the first response comes, the stored words stand there.
import {
  Controls, Player, clamp, figureOf, html, keyboardGrid, make, markSelected, onActions, randomSeed, seedField,
} from "./controls.js";
import {addShareButtons, saveText} from "./download.js";
import {showIterations, showPosition} from "./panel.js";
import {Request} from "./request.js";
import {iterationAt, lastIteration, lastRow, rowOf} from "./runs.js";
import {counted, short} from "./text.js";
import {UrlState, decimal, matching, oneOf, whole} from "./url_state.js";

const BEAT = 1_600, LARGEST = 2 ** 32 - 61;  // milliseconds; of the first word's seed
let figure, $, $$, url, request, controls, player, cells;
let runs, defaults, measures;     // of the page's first message
let now;                          // {experiment, row, temperature, seed, start, cell}
let shown = {words: [], of: ""};  // the newest words, each [word, nearest, distance, bits]; and of what they are
const known = new Map();          // what was asked for -> its words

const runOf = ({experiment}) => runs.find(({name}) => name === experiment);
const entryOf = (state) => runOf(state).iterations[state.row];
const isSame = (one, other) => ["temperature", "seed", "start"].every((name) => one[name] === other[name]);

/** Which letters of a word are not those of another, where both are put side by side as alike as they can be. */
export function changedLetters(word, other) {
  const best = Array.from({length: word.length + 1}, () => new Array(other.length + 1).fill(0));  // letters in common
  for (let i = word.length - 1; i >= 0; i -= 1) {
    for (let j = other.length - 1; j >= 0; j -= 1) {
      best[i][j] = word[i] === other[j] ? 1 + best[i + 1][j + 1] : Math.max(best[i + 1][j], best[i][j + 1]);
    }
  }
  const changed = [];
  for (let i = 0, j = 0; i < word.length;) {
    if (j < other.length && word[i] === other[j] && best[i][j] === 1 + best[i + 1][j + 1]) {
      changed.push(false);
      i += 1;
      j += 1;
    } else if (j < other.length && best[i][j + 1] > best[i + 1][j]) j += 1;
    else {
      changed.push(true);
      i += 1;
    }
  }
  return changed;
}

/** How far a word is from the nearest of the list, in words. */
export function besideIt([, nearest, distance, bits]) {
  if (nearest === null) return html`There is no list to compare it with.`;
  if (!distance) return html`It is in the list: the network remembered it, or found it by itself.`;
  return html`${counted(distance, "letter")} from <b lang="en">${nearest}</b>, the nearest word of the list; `
    + html`<b>${short(bits, 2)}</b> bits a letter`;
}

// ---- requests
function ask() {
  const {experiment, temperature, seed, start} = now, {iteration, model} = entryOf(now);
  const settings = model ? {temperature, seed, start} : defaults;  // what was stored is all that there is
  const asked = {experiment, iteration, ...settings}, key = JSON.stringify(asked);
  show();
  if (known.has(key)) put(key);
  else request.send(asked, key);
}

function onResponse({error, words}, key) {
  if (words) known.set(key, words);
  if (request.superseded) return;
  figure.showProblem(error);
  if (words) put(key);
}

function put(key) {
  figure.showProblem("");
  shown = {words: known.get(key), of: key};
  showWords();
}

// ---- the page of words
function showWords() {
  cells.forEach((cell, k) => {
    const [word, nearest, distance] = shown.words[k] ?? ["", null, null];
    cell.textContent = word;
    cell.hidden = !word;
    cell.classList.toggle("known", distance === 0);
    const beside = nearest === null ? "" : distance ? `, ${counted(distance, "letter")} from ${nearest}` : ", a word";
    cell.setAttribute("aria-label", `${word}${beside}`);
  });
  showChosen();
}

function showChosen(k = now.cell) {
  const found = shown.words[k];
  if (!found) return;
  const [word, nearest] = found, changed = nearest === null ? [] : changedLetters(word, nearest);
  const letters = [...word].map((letter, i) => (changed[i] ? html`<em>${letter}</em>` : letter));
  $(".big-word").innerHTML = html`${letters}`;
  $(".beside-word").innerHTML = besideIt(found);
}

function select(k) {
  now.cell = clamp(k, 0, cells.length - 1);
  markSelected(cells, now.cell);
  showChosen();
  showAddress();
}

// ---- knobs, curves, captions
function show() {
  const run = runOf(now), {iteration, model} = entryOf(now), {temperature, seed, start} = model ? now : defaults;
  const choices = runs.map(({name, label}) => [name, label]);
  showPosition($(".watched"), {iteration, at: now.row, end: lastIteration(run), atEnd: lastRow(run)});
  controls.show({...now, temperature, seed, start}, {experiment: choices}, {
    temperature: temperature.toFixed(1), seed: `seeds ${seed} to ${seed + cells.length - 1}`,
  });
  $$(".knobs .drawn").forEach((knob) => { knob.disabled = !model; });
  Object.assign($(".untaught"), {
    hidden: model, textContent: "The model of this iteration is not here: these are the words it wrote when it was trained.",
  });
  markSelected(cells, now.cell);
  $(".curves").innerHTML = html`${Object.entries(measures).map(curve)}`;
  showAddress();
}

function showAddress() {
  const {experiment, temperature, seed, start, cell} = now, iteration = iterationAt(runOf(now), now.row);
  const chosen = isSame(now, defaults) ? {} : {temperature, seed, ...(start ? {start} : {})};
  url.write({experiment, iteration, ...chosen, ...(cell ? {cell} : {})});
  const from = start ? `, beginning with ${start}` : "";
  figure.writeCaption(`${experiment}: ${runOf(now).title}. Iteration ${iteration}, temperature ${temperature}${from}: `
    + `word k is that of seed ${seed} + k. Those in grey are in the list`);
}

/** One measure of all runs over their iterations, that of the run on show in ink. */
function curve([key, name]) {
  const all = runs.map((run) => run.iterations.map(({iteration, metrics}) => [iteration, metrics[key]])
    .filter(([, value]) => Number.isFinite(value)));
  const values = all.flat().map(([, value]) => value), last = Math.max(...all.flat().map(([iteration]) => iteration));
  const low = Math.min(...values), high = Math.max(...values), iteration = iterationAt(runOf(now), now.row);
  const x = (at) => (4 + (192 * (at - 1)) / Math.max(1, last - 1)).toFixed(1);
  const y = (value) => (60 - 54 * (high > low ? (value - low) / (high - low) : 0.5)).toFixed(1);
  const mine = runs.indexOf(runOf(now)), value = all[mine].find(([at]) => at === iteration)?.[1];
  const line = (points, k) => html`
    <polyline class="${k === mine ? "" : "other"}" points="${points.map(([at, its]) => `${x(at)},${y(its)}`).join(" ")}"/>`;
  const label = `${name}: ${short(value)} at iteration ${iteration}, between ${short(low)} and ${short(high)} in all runs`;
  return html`
    <div class="curve" title="${label}"><p><span>${name}</span><b>${short(value)}</b></p>
    <svg viewBox="0 0 200 64" role="img" aria-label="${label}">${all.map((points, k) => k !== mine && line(points, k))}
    ${line(all[mine], mine)}
    ${value !== undefined && html`<circle cx="${x(iteration)}" cy="${y(value)}" r="3.5"/>`}</svg></div>`;
}

// ---- what a visitor does
function goTo(row) {
  now.row = clamp(row, 0, lastRow(runOf(now)));
  ask();
}

function update(changes) {
  player.stop();
  const iteration = iterationAt(runOf(now), now.row);
  Object.assign(now, changes);
  if (changes.experiment) now.row = rowOf(runOf(now), iteration, lastRow(runOf(now)));
  if (changes.seed !== undefined) url.chooseSeed(changes.seed);
  ask();
}

function settings() {
  const {experiment, temperature, seed, start} = now;
  return {experiment, iteration: iterationAt(runOf(now), now.row), temperature, seed, start, words: shown.words};
}

const fileName = () => `${now.experiment}_iteration-${iterationAt(runOf(now), now.row)}_seed-${now.seed}`;

export default function start(given) {
  const {start: first, count, curves, words, runs: all} = given.props.value;
  [runs, defaults, measures] = [all, first, curves];
  figure = figureOf(given);
  ({$, $$} = figure);
  figure.write({".learned": given.props.value.learned});
  url = new UrlState("words", LARGEST);
  request = new Request(figure, "write", {
    channel: "that-are-not-words", onResponse, advice: "choose an iteration to ask again", slow: () => true,
  });
  player = new Player(figure.article, BEAT, () => ({at: now.row, end: lastRow(runOf(now)), go: goTo}));
  cells = Array.from({length: count}, () => make("button", {type: "button", className: "cell"}));
  $(".specimens").replaceChildren(...cells);
  const columns = () => getComputedStyle($(".specimens")).gridTemplateColumns.split(" ").length;
  keyboardGrid($(".specimens"), cells, columns, select);
  $(".specimens").onpointerover = ({target}) => showChosen(Math.max(0, cells.indexOf(target.closest(".cell"))));
  $(".specimens").onpointerout = () => showChosen();
  $(".scrub").oninput = ({target}) => { player.stop(); goTo(Number(target.value)); };
  controls = new Controls(figure.element, (name, value, isFinal) => {
    if (isFinal) update({[name]: value});
    else $(`[data-of=${name}]`).textContent = value.toFixed(1);
  });
  seedField($("[name=seed]"), LARGEST, (seed) => update({seed}), (problem) => figure.showProblem(problem));
  $("[name=start]").onchange = ({target}) => update({start: target.value.trim().toLowerCase()});
  onActions(figure, {
    play: () => player.toggle(), back: () => player.step(-1), on: () => player.step(1),
    dice: () => update({seed: randomSeed()}), reset: () => update({...defaults}),
    text: () => saveText(`${fileName()}.txt`, shown.words.map(([word]) => word)),
  }, {" ": "play", ArrowLeft: "back", ArrowRight: "on"});
  addShareButtons(figure, fileName, settings);

  const {iteration, ...linked} = url.read({
    experiment: oneOf(runs.map(({name}) => name)), iteration: whole(1, 999), temperature: decimal(0.2, 2),
    start: matching(/^[a-z]{0,12}$/), cell: whole(0, count - 1),
  });
  now = {...defaults, experiment: runs[0].name, cell: 0, ...linked};
  now.row = rowOf(runOf(now), iteration, lastRow(runOf(now)));
  showIterations($(".ticks"), runOf(now).iterations.map((each) => each.iteration));
  shown = {words, of: ""};
  showWords();
  url.followSeed(() => now.seed, (seed) => update({seed}), () => player.stop());
  ask();
  figure.article.dataset.ready = "true";
}
