// The tab "Iterations": sheets of symbols, a slider over them, play, compare, map, small curves; one symbol; all
// experiments side by side. The sheets come once, as data.
import {loadSheet, onThemeChange, paint} from "./canvas.js";
import {Player, clamp, figureOf, elementOf, html, make, onActions, placeOn, randomSeed} from "./controls.js";
import {addShareButtons, saveSheet} from "./download.js";
import {CELLS, COLUMNS, Panel, showIterations, showPosition, turnIntoMaps} from "./panel.js";
import {nudge} from "./request.js";
import {figureName, isOnSheet, iterationAt, lastIteration, lastRow, rowOf, titleOf, withModel} from "./runs.js";
import {SymbolView} from "./symbol.js";
import {offerPicture, onTab, takeOver} from "./tabs.js";
import {capitalised, short} from "./text.js";
import {UrlState, matching, oneOf, whole} from "./url_state.js";

const BEAT = 480, NUDGE = 4_000, CARD = 20;  // milliseconds; symbols of a card
let figure, $, $$, article, url, player, symbol;
let runs, panels;                 // {a, b}: the run on show and the one beside it, mostly the same; their sheets
const overview = {isOpen: false, iteration: 0, strips: new Map()};  // experiment -> its symbols, as one picture
const now = {a: 0, b: 0, compare: false, map: false};  // a, b: rows of the iterations of the two
const fetched = new Map();        // experiment -> a promise of what the server says of it; sheets come later, as pixels
const lacking = new Set();        // runs of which not all sheets are here

const iterationOf = (key) => iterationAt(runs[key], now[key]);

// ---- moving through the iterations
function goTo(key, row) {
  now[key] = clamp(row, 0, lastRow(runs[key]));
  panels[key].show(now[key], symbol.seed);
  if (key === "a") {
    symbol.show(iterationOf("a"));
    showCurves();
  }
  showCaption();
}

function goToIteration(iteration) {
  player.stop();
  goTo("a", rowOf(runs.a, iteration));
}

/** What play and step move: the panel, or the overview. */
function position() {
  if (overview.isOpen) return {at: overview.iteration, end: lastOfAll(), go: showOverview};
  return {at: now.a, end: lastRow(runs.a), go: (to) => goTo("a", to)};
}

// ---- all experiments side by side: the symbols of the same seeds at the same iteration, under one slider
const cards = () => $$(".card:not([hidden])");  // of those that have drawn something, or may have
const lastOfAll = () =>
  Math.max(lastIteration(runs.a), ...[...overview.strips.values()].map(({iterations}) => iterations.at(-1)));

function newCard([experiment, title]) {
  return html`
    <button type="button" class="card" title="${titleOf(experiment, title)}" data-experiment="${experiment}">
    <span class="head"><b class="figure">${experiment}</b><i class="until"></i></span>
    <span class="title">${titleOf(experiment, title)}</span>
    <span class="few">${Array(CARD).fill(html`<canvas width="28" height="28"></canvas>`)}</span></button>`;
}

function toggleOverview(on, iteration = overview.iteration) {
  player.stop();
  overview.isOpen = on;
  article.classList.toggle("surveying", on);
  $(".overview").hidden = !on;
  $(".experiments [data-do=all]").setAttribute("aria-pressed", on);
  if (!on) return showCaption();
  showOverview(iteration);
  const lacking = cards().filter(({dataset}) => !overview.strips.has(dataset.experiment));
  figure.during(Promise.all(lacking.map(fillCard)));
}

async function fillCard(card) {
  const {experiment} = card.dataset, strip = await figure.server.strip(experiment).catch(() => null);
  if (strip?.sheet) overview.strips.set(experiment, {...strip, ...(await loadSheet(strip.sheet, COLUMNS))});
  card.hidden = Boolean(strip) && !strip.sheet;  // it has drawn nothing yet
  if (overview.isOpen) showOverview(overview.iteration);
}

function showOverview(iteration) {
  const end = lastOfAll(), at = overview.iteration = clamp(iteration, 0, end), ticks = $(".overview .ticks");
  showPosition($(".overview"), {iteration: at, at, end, atEnd: end, most: "at most "});
  if (ticks.children.length !== end + 1) showIterations(ticks, [...Array(end + 1).keys()]);
  cards().forEach(drawCard);
  showCaption();
}

function drawCard(card) {  // at that iteration, or at its last if it ended before
  const {experiment} = card.dataset, strip = overview.strips.get(experiment);
  if (!strip) return;
  const row = Math.max(0, strip.iterations.findLastIndex((each) => each <= overview.iteration));
  const {iterations, pixels, side, symbols} = strip, name = figureName(strip.figure, experiment);
  const ended = iterations[row] < overview.iteration ? `ended at ${iterations[row]}` : "";
  $$("canvas", card).forEach((canvas, seed) => paint(canvas, [1, side, side], pixels, row * symbols + seed));
  $(".figure", card).textContent = name;
  $(".until", card).textContent = ended;
  card.ariaLabel = `${name}: ${card.title}, ${ended || `iteration ${overview.iteration}`}. Open it`;
}

function addOverview(experiments, openNamed) {
  const bar = $("[data-panel=a]").cloneNode(true);  // a bar like the one over a sheet
  $$(".sheet, .legend, [data-do=compare], [data-do=map]", bar).forEach((each) => each.remove());
  $(".scrub", bar).setAttribute("aria-label", "Iteration of all experiments");
  $(".scrub", bar).oninput = ({target}) => { player.stop(); showOverview(Number(target.value)); };
  $(".overview").prepend(...bar.children);
  $(".cards").innerHTML = html`${experiments.map(newCard)}`;
  $(".cards").onclick = ({target}) => {
    const card = target.closest(".card");
    if (!card) return;
    toggleOverview(false);
    openNamed(card.dataset.experiment, {iteration: overview.iteration});
  };
}

// ---- small curves of the measures
function showCurves() {
  $(".measures h3").hidden = !runs.a.measures.length;  // a run of one iteration does not drift
  $(".curves").replaceChildren(...runs.a.measures.map(curve));
}

function curve([key, name, title]) {
  const run = runs.a, last = lastRow(run), values = run.iterations.map(({metrics}) => metrics[key]);
  const known = values.filter(Number.isFinite), low = Math.min(...known), high = Math.max(...known);
  const value = values[now.a], x = (row) => (4 + (192 * row) / Math.max(1, last)).toFixed(1);
  const y = (its) => (44 - 38 * (high > low ? (its - low) / (high - low) : 0.5)).toFixed(1);
  const points = values.map((each, row) => Number.isFinite(each) && `${x(row)},${y(each)}`).filter(Boolean);
  const label = `${name}: ${short(value)} at iteration ${iterationOf("a")}, between ${short(low)} and ${short(high)}`;
  const made = elementOf(html`
    <div class="curve" title="${title}"><p><span>${name}</span><b>${short(value)}</b></p><div>
    <svg viewBox="0 0 200 48" role="img" aria-label="${label}"><line x1="${x(now.a)}" x2="${x(now.a)}" y1="0" y2="48"/>
    <polyline points="${points.join(" ")}"/>
    ${value !== undefined && html`<circle cx="${x(now.a)}" cy="${y(value)}" r="3.5"/>`}
    <circle class="hover" r="3.5" transform="scale(0)"/></svg></div></div>`);
  const plot = made.lastChild;
  const rowUnder = (event) => clamp(Math.round((placeOn(plot, event) * 200 - 4) / 192 * last), 0, last);
  const say = (text, there, row) => {
    $("b", made).textContent = text;
    const place = there === undefined ? "scale(0)" : `translate(${x(row)} ${y(there)})`;
    $(".hover", plot).setAttribute("transform", place);
  };
  plot.onclick = (event) => { player.stop(); goTo("a", rowUnder(event)); };
  plot.onpointermove = (event) => {  // what it is there, without going there
    const row = rowUnder(event);
    say(`${iterationAt(run, row)}: ${short(values[row])}`, values[row], row);
  };
  plot.onpointerleave = () => say(short(value));
  return made;
}

// ---- what is on show, in words, in the address and as plain values
function describe(key) {
  const run = runs[key], iteration = iterationOf(key);
  return iteration ? `iteration ${iteration} of ${lastIteration(run)}` : "the training data (iteration 0)";
}

function caption() {
  const {a: run, b: other} = runs;
  if (overview.isOpen) {
    const names = cards().map((card) => card.dataset.experiment).join(", ");
    return `${names}: iteration ${overview.iteration} of each, or its last. Seeds 0 to ${CARD - 1}`;
  }
  const whose = other === run ? "" : `${other.experiment} (${other.title}), `;
  const beside = now.compare ? `, beside ${whose}${describe("b")}` : "";
  const facts = [
    `${run.experiment}: ${run.title}`,
    capitalised(`${describe("a")}${beside}: cell k grew from the noise of seed k, 0 to 99`),
    `Selected: seed ${symbol.seed}`, run.sampling,
  ];
  if (now.map) {
    facts.push(`Map: the two directions in which the first and last symbols and the data differ most to `
      + `${run.map.judge}, ${Math.round(100 * run.map.explained)} % of their spread`);
  }
  return facts.join(". ");
}

function showCaption() {
  const {a: run} = runs, {bytes} = run.iterations[now.a], iteration = iterationOf("a");
  figure.writeCaption(caption());
  $("[data-do=checkpoint]").disabled = $("[data-do=growth]").disabled = !bytes;
  const lacking = iteration ? "none, its model is not here" : "none, this is the data";
  $(".size").textContent = bytes ? `safetensors, ${(bytes / 1e6).toFixed(1)} MB` : lacking;
  const shown = overview.isOpen ? overview.iteration : iteration;
  url.write({experiment: run.experiment, iteration: shown, seed: symbol.seed, ...view()});
}

function view() {
  const beside = now.compare ? {beside: iterationOf("b")} : {};
  const against = now.compare && runs.b !== runs.a ? {against: runs.b.experiment} : {};
  return {...beside, ...against, ...(overview.isOpen ? {view: "all"} : now.map ? {view: "map"} : {})};
}

function settings() {
  const {version, experiment, title, iterations, settings: sampling} = runs.a, {sheet, ...entry} = iterations[now.a];
  const common = {tab: "iterations", version};
  if (overview.isOpen) {
    const {iteration, strips} = overview;
    return {...common, view: "all", iteration, seeds: [0, CARD - 1], experiments: [...strips.keys()]};
  }
  const seed = Number(symbol.seed);
  return {...common, experiment, title, ...entry, seed, sheet_seeds: [0, CELLS - 1], sampling, ...view()};
}

// ---- experiments
function fetchRun(experiment, page, server) {  // an experiment comes once
  if (!fetched.has(experiment)) {
    const payload = experiment === page.experiment ? Promise.resolve(page) : server.experiment(experiment);
    fetched.set(experiment, payload.then((run) => ({...run, sheets: [], loading: []})));
    fetched.get(experiment).catch(() => fetched.delete(experiment));
  }
  return fetched.get(experiment);
}

/** Fetch the sheet of a row, once, and show it where it lacks. */
function loadRow(run, row) {
  run.loading[row] ??= loadSheet(run.iterations[row].sheet, COLUMNS).then(({pixels, side}) => {
    run.side = side;
    run.sheets[row] = pixels;
    if (panels) [...Object.values(panels), symbol].forEach((each) => each.onSheet(run, row));
  });
  run.loading[row].catch(() => { run.loading[row] = null; });  // it is asked for again when it is to be shown
  return run.loading[row];
}

async function loadRest(run) {  // one after the other, when there is nothing else to do
  article.toggleAttribute("data-lacking", lacking.add(run).size);
  for (const row of run.iterations.keys()) {
    await new Promise((done) => (window.requestIdleCallback ?? setTimeout)(done));
    await loadRow(run, row).catch(() => {});
  }
  lacking.delete(run);
  article.toggleAttribute("data-lacking", lacking.size);
}

function newPanel(key) {
  const panel = new Panel(figure, $(`[data-panel=${key}]`), runs[key], {
    onRow: (row) => { player.stop(); goTo(key, row); },
    onMissing: (run, row) => loadRow(run, row).catch(() => {}),
    onSelect: selectSeed,
    onHover: (over) => Object.values(panels).forEach(({cells}) =>  // the same seed on the other sheet
      cells.forEach((cell, k) => cell.classList.toggle("twin", k === over))),
  });
  panel.isMap = now.map;
  return panel;
}

async function open(run, {iteration, beside, against, seed = symbol.seed} = {}) {
  const other = against ?? (!runs || runs.b === runs.a ? run : runs.b);
  const rows = {a: rowOf(run, iteration, lastRow(run)), b: rowOf(other, beside, Math.min(1, lastRow(other)))};
  await Promise.all([loadRow(run, rows.a), other !== run && loadRow(other, rows.b)]);
  runs = {a: run, b: other};
  now.map = now.map && Boolean(run.map);
  $(".experiments select").value = run.experiment;
  $(".learned").textContent = run.learned;
  $(".again").hidden = lastIteration(run) < 2;
  $(".against").value = runs.b.experiment;
  panels = {a: newPanel("a"), b: newPanel("b")};
  symbol.open(run);
  Object.assign(now, rows);
  Object.assign($("[data-do=map]"), {hidden: !run.map, ariaPressed: now.map});
  goTo("a", now.a);
  compare(now.compare || rowOf(runs.b, beside) >= 0);
  selectSeed(seed);
  article.dataset.ready = "true";
  loadRest(run);
  if (other !== run) loadRest(other);
}

async function openBeside(run) {  // another experiment, at the same iteration
  await loadRow(run, rowOf(run, iterationOf("a"), lastRow(run)));
  runs.b = run;
  panels.b = newPanel("b");
  panels.b.mark(symbol.seed);
  goTo("b", rowOf(run, iterationOf("a"), lastRow(run)));
  loadRest(run);
}

function compare(on) {
  now.compare = on;
  article.classList.toggle("comparing", on);
  $("[data-do=compare]").setAttribute("aria-pressed", on);
  panels.b.root.hidden = !on;
  goTo("b", now.b);
}

function showMap(on) {
  now.map = on && Boolean(runs.a.map);
  turnIntoMaps(Object.values(panels), now.map);
  $("[data-do=map]").setAttribute("aria-pressed", now.map);
  showCaption();
}

function selectSeed(text) {
  if (!/^\d{1,19}$/.test(text)) {
    return figure.showProblem(`“${text.slice(0, 40)}” is no seed: give a whole number, such as 7 or 1234567.`);
  }
  const plain = String(BigInt(text)), able = withModel(runs.a).length || isOnSheet(plain);
  symbol.select(able ? plain : "0");
  url.chooseSeed(symbol.seed);
  Object.values(panels).forEach((panel) => panel.mark(symbol.seed));
  showCaption();
  if (able) return;
  const where = `choose one of its sheets, 0 to ${CELLS - 1}.`;
  figure.showProblem(`No model of ${runs.a.experiment} is here to grow seed ${text}: ${where}`);
}

// ---- files: pictures are made here, as they stand on the screen; other files come from the server
function savePicture() {
  if (overview.isOpen) {
    const canvases = cards().map((card) => $$("canvas", card));
    return saveSheet(figure, canvases, `all_iteration-${overview.iteration}.png`, 5);
  }
  const whose = runs.b === runs.a ? "" : `${runs.b.experiment}-`;
  const beside = now.compare ? `-beside-${whose}${iterationOf("b")}` : "";
  const shown = now.compare ? [panels.a, panels.b] : [panels.a];
  const name = `${runs.a.experiment}_iteration-${iterationOf("a")}${beside}${now.map ? "_map" : ""}.png`;
  saveSheet(figure, shown.map(({pictures}) => pictures), name, COLUMNS, shown.map(({placement}) => placement));
}

function saveFromServer({dataset}, trigger) {
  trigger("save", {kind: dataset.do, experiment: runs.a.experiment, iteration: iterationOf("a"), seed: symbol.seed});
  setTimeout(nudge, NUDGE, trigger);  // that the file has come is not heard here
}

function offer(to) {
  if (symbol.picture.pixels) offerPicture(to, symbol.picture);
}

// ---- what a visitor does
function addPanelBeside(options, onExperiment) {
  const beside = $("[data-panel=a]").cloneNode(true);
  beside.dataset.panel = "b";
  $(".transport", beside).remove();
  $(".scrub", beside).setAttribute("aria-label", "Iteration beside");
  const select = make("select", {className: "against", ariaLabel: "Experiment beside", innerHTML: options});
  select.hidden = select.options.length < 2;
  select.onchange = () => onExperiment(select.value);
  $(".bar", beside).append(select);
  $("[data-panel=a]").after(beside);
}

export default function start(given) {
  const {server, trigger, props: {value: page}} = given, {experiments} = page;
  const names = experiments.map(([name]) => name);
  figure = figureOf(given);
  ({$, $$, article} = figure);
  url = new UrlState("iterations");
  player = new Player(article, BEAT, position);
  symbol = new SymbolView(figure, goToIteration);
  const select = $(".experiments select"), runNamed = (name) => fetchRun(name, page, server);
  const fetchThen = (name, use) => figure.during(runNamed(name).then(use).catch((error) => {
    console.error(error);
    figure.showProblem(`${name} could not be fetched: choose it again.`);
  }));
  const openNamed = (name, how) => { player.stop(); fetchThen(name, (run) => open(run, how)); };
  const options = html`${experiments.map(([name, title]) => html`<option value="${name}">${name}: ${title}</option>`)}`;
  const shownIteration = () => (overview.isOpen ? overview.iteration : iterationOf("a"));
  addOverview(experiments, openNamed);
  addPanelBeside(options, (name) => fetchThen(name, openBeside));
  select.innerHTML = options;
  $(".experiments").hidden = names.length < 2;
  const openHere = (name) => {
    const iteration = shownIteration();
    if (overview.isOpen) toggleOverview(false);
    openNamed(name, {iteration});
  };
  select.onchange = () => openHere(select.value);

  const random = () => (withModel(runs.a).length ? CELLS + randomSeed() : Math.floor(Math.random() * CELLS));
  const save = (button) => saveFromServer(button, trigger);
  onActions(figure, {
    play: () => player.toggle(), back: () => player.step(-1), on: () => player.step(1),
    picture: savePicture, animation: save, growth: save, checkpoint: save,
    life: () => saveSheet(figure, [$$(".life canvas")], `${runs.a.experiment}_seed-${symbol.seed}_life.png`),
    keep: () => offer("keep"), ask: () => offer("ask"), dream: () => offer("dream"),
    all: () => toggleOverview(!overview.isOpen, iterationOf("a")),
    compare: () => compare(!now.compare),
    map: () => runs.a.map && !overview.isOpen && showMap(!now.map),
    dice: () => selectSeed(String(random())),
    grow: () => symbol.growAgain(),
  }, {" ": "play", ArrowLeft: "back", ArrowRight: "on", k: "keep", m: "map"}, () => panels);
  $(".choose").onsubmit = (event) => {
    event.preventDefault();
    selectSeed($(".choose [name=seed]").value.trim());
  };
  onThemeChange(() => {
    if (!panels) return;
    [panels.a, panels.b, symbol].forEach((each) => each.draw());
    cards().forEach(drawCard);
  });
  addShareButtons(figure, () => `${runs.a.experiment}_iteration-${shownIteration()}`, settings);

  const {experiment = page.experiment, against, view: linkedView, seed = 0, ...rows} = url.read({
    experiment: oneOf(names), against: oneOf(names), iteration: whole(0, 9999), beside: whole(0, 9999),
    view: matching(/^(map|all)$/),
  });
  onTab("iterations", () => {
    const chosen = url.newSeed();
    if (!panels) return;
    if (chosen === undefined || String(chosen) === symbol.seed) symbol.askForLife();
    else selectSeed(String(chosen));
  }, () => player.stop());
  const facing = against && runNamed(against).catch(() => undefined);
  fetchThen(experiment, async (run) => {
    await open(run, {...rows, seed: String(seed), against: await facing});
    if (linkedView === "map" && run.map) showMap(true);
    if (linkedView === "all" && names.length > 1) toggleOverview(true, rows.iteration ?? iterationOf("a"));
  }).then(() => takeOver("Iterations", openHere));
}
