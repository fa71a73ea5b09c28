// The tab "Raise your own": twelve symbols of a model; those that a visitor picks; the symbols of the model that has
// learned from them, and so on. What it takes to make the models of a family again is its recipe, which is in the link;
// one with many drawings is a file.
import {Melt, blankCanvas, loadSheet, onThemeChange, paint, toBase64} from "./canvas.js";
import {Controls, figureOf, html, keyboardGrid, make, markSelected, onActions} from "./controls.js";
import {addShareButtons, saveSheet} from "./download.js";
import {AREA, Families, SIDE, layOutTree, lineage, packed, pickedFor, recipeOf, unpacked} from "./families.js";
import {Request} from "./request.js";
import {Sketchpad} from "./sketchpad.js";
import {offerPicture} from "./tabs.js";
import {counted} from "./text.js";
import {UrlState, anyText} from "./url_state.js";

const SHAPE = [1, SIDE, SIDE], COLUMNS = 4, FAINT = 0.3, MELT = 700;       // of a sheet; milliseconds
const MINI = {width: 121, height: 90, step: 31}, STEP = {x: 157, y: 126};  // a generation in the tree, and to the next
const LONGEST_LINK = 2000, LARGEST_FILE = 200_000;                         // letters; bytes
let figure, $, $$, article, url, request, packing, controls, pad, families;
let ancestors, limits;   // of the page's first message
let cells, melt, weight;
let at = 0;              // the symbol from which arrow keys go on
let inTree = null;       // the generation to which the tree is scrolled
let addressed = "";      // the recipe that the address says
const learning = {begun: false, isNew: false};  // whether it has begun, or waits in line; whether nobody had it before

const family = () => families.family;
const generationOf = (k) => (families.depth(k) ? `generation ${families.depth(k)}` : "the first model");

/** Small symbols as one picture: those that were not picked faint, if any were. */
export function miniature(pixels, picks, {width, height, step} = MINI) {
  const picture = new Uint8ClampedArray(width * height);
  pixels.forEach((value, i) => {
    const k = Math.floor(i / AREA), x = (k % COLUMNS) * step + i % SIDE;
    const y = Math.floor(k / COLUMNS) * step + Math.floor((i % AREA) / SIDE);
    picture[y * width + x] = value * (picks.length && !picks.includes(k) ? FAINT : 1);
  });
  return picture;
}

/** What the distances of children and parents from the same pictures say. words: for nearer, farther, neither. */
export function comparison([parents, children], words) {
  const change = children / parents - 1;
  return words[Math.abs(change) < 0.02 ? "same" : change < 0 ? "nearer" : "farther"];
}

// ---- families
async function open(k) {
  if (request.busy) request.cancel();
  families.open(k);
  inTree = null;
  weight = families.node.weight ?? limits.weight;
  await figure.during(fetchAncestor(family()));
  showOrAsk();
}

function openNew(recipe) {
  families.add(recipe);
  return open(families.all.length - 1);
}

/** The symbols of the first model, out of its stored sheet. */
async function fetchAncestor({id, ancestor, nodes}) {
  const known = ancestors.find(({sha256}) => sha256 === ancestor.sha256);
  if (nodes[0].light || !known) return;
  const {pixels} = await loadSheet(known.sheet, 10);
  families.fill(id, 0, {light: toBase64(pixels.subarray(0, limits.symbols * AREA))});
}

// ---- requests: one for each generation that the server has not in mind, so that others have their turn between them
function ask(isNew = false, then = null) {
  const {id, nodes, now} = family(), wanted = then ? now : families.lacking ?? now;
  Object.assign(learning, {begun: false, isNew});
  request.send({recipe: recipeOf(family(), wanted)}, {id, path: lineage(nodes, wanted), isNew, then});
  show();
}

function onResponse({error, done, step, of, generation, light, learned, facts, cousins}, context) {
  const {id, path, isNew, then} = context, last = families.depth(family().now);
  learning.begun = true;
  $(".learning progress").value = of ? step / of : 0;
  if (!done) {
    const again = generation < last ? `Generation ${generation} of ${last} comes first: ` : "";
    return figure.write({".hint": `${again}it learns from the picks, ${step} of ${of} steps.`});
  }
  if (error) return giveUp(error, isNew);
  families.fill(id, path[generation], {light, facts, cousins, ...(learned < of ? {steps: learned} : {})});
  if (then && generation < path.length - 1) return ask(false, then);
  then?.();
  showOrAsk(isNew);  // for the next of its line
}

function showOrAsk(isNew = false) {
  if (families.lacking === undefined) show();
  else ask(isNew);
}

/** Back to the last generation that there is; one that was to come is gone. */
function giveUp(problem = "", isNew = false) {
  const {nodes, now} = family(), isLacking = !nodes[now].light;
  if (isLacking && isNew && now === nodes.length - 1) families.undo();
  else if (isLacking) families.go(families.lit(now));
  show();
  figure.showProblem(problem);
}

function stop() {  // a new generation ends with what it has learned; one that waits, or that was shared, is given up
  if (learning.begun && !families.node.shared) return request.hurry(figure.server.stop);
  request.cancel();
  giveUp("", learning.isNew);
}

// ---- what a visitor does
function toggle(k) {
  const {light, marks: {picks}} = families.node, others = picks.filter((seed) => seed !== k);
  if (!light) return;
  at = k;
  mark({picks: others.length < picks.length ? others : [...picks, k].sort((a, b) => a - b)});
}

function raise() {
  const isNew = Boolean(families.node.light);
  figure.showProblem("");
  if (isNew) families.grow(weight);
  ask(isNew);
}

function go(k) {
  families.go(k);
  figure.showProblem("");
  showOrAsk();
}

function undo() {
  if (!families.node.light) request.cancel();
  families.undo();
  figure.showProblem("");
  showOrAsk();
}

function mark(marks) {
  families.mark(marks);
  figure.showProblem("");
  show();
}

function addDrawing() {
  const {drawings} = families.node.marks;
  if (!pad.pixels?.some(Boolean)) return figure.showProblem("The pad is empty: draw something, or give a photo.");
  if (drawings.length === limits.drawings) {
    return figure.showProblem(`${limits.drawings} drawings are picked already: let go of one to add another.`);
  }
  mark({drawings: [...drawings, packed(pad.pixels)]});
  pad.set(null);
  showPad();
}

const letGoOfDrawing = (i) => mark({drawings: families.node.marks.drawings.filter((_, k) => k !== i)});

// ---- all of it, from the family on show
function show() {
  const {nodes, now} = family(), node = nodes[now], isThere = Boolean(node.light), count = families.depth(now);
  figure.write({
    ".numeral": count, ".where b": count ? "generation" : "the first model",
    ".where span": count ? `of at most ${limits.generations}` : "before any pick",
  });
  showSymbols(families.lit(now), !isThere && !node.shared);
  showPicks(isThere || node.shared ? node.marks : pickedFor(node));
  showShared(node);
  showButton(node, count);
  showParents(node);
  showTree();
  showControls();
  showCaption();
  showAddress();
  article.dataset.ready = "true";
}

function showSymbols(k, isFormer) {
  const node = family().nodes[k], pixels = families.pixelsOf(node), {picks} = node.marks;
  const which = generationOf(k);
  $(".symbols").classList.toggle("former", isFormer);
  $(".symbols").setAttribute("aria-label", `Twelve symbols of ${which}. Arrow keys move, Enter picks or lets go.`);
  cells.forEach((cell, k) => {
    cell.setAttribute("aria-label", `Symbol of seed ${k}, ${which}`);
    cell.setAttribute("aria-pressed", picks.includes(k));
    cell.tabIndex = k === at ? 0 : -1;
  });
  if (pixels !== melt.shown) melt.show(pixels);
}

function showPicks({picks, drawings}) {
  const count = picks.length + drawings.length, pixels = families.pixelsOf(family().nodes[families.lit(family().now)]);
  figure.write({".kept h3": count ? `${counted(count, "pick")}` : "no picks yet"});
  $(".picks").innerHTML = html`
    ${picks.map((seed) => html`<li><button type="button" data-seed="${seed}" title="Let go of it"
     aria-label="Let go of the symbol of seed ${seed}"><canvas></canvas></button></li>`)}
    ${drawings.map((_, i) => html`<li><button type="button" data-drawing="${i}" title="Let go of it"
     aria-label="Let go of drawing ${i + 1}"><canvas></canvas></button></li>`)}`;
  $$(".picks canvas").forEach((canvas, i) => {
    if (i < picks.length) paint(canvas, SHAPE, pixels, picks[i]);
    else paint(canvas, SHAPE, unpacked(drawings[i - picks.length]));
  });
}

/** What came with a link: it is on show until the family is raised again, and beside that if they are not alike. */
function showShared({light, shared, cousins}) {
  const isTold = shared && (!light || cousins), canvas = $(".shared canvas");
  $(".shared").hidden = !isTold;
  canvas.hidden = !light;
  if (!isTold) return;
  if (light) paint(canvas, [1, MINI.height, MINI.width], miniature(families.sharedOf(shared), []));
  figure.write({".shared p": light ? cousins
    : "These symbols were shared. Once their family is raised again, you can go on from them."});
}

function showButton({light, marks: {picks, drawings}}, count) {
  const isBusy = request.busy, isLast = count >= limits.generations, isFull = family().nodes.length > limits.all;
  const isEmpty = !picks.length && !drawings.length;
  const hadFocus = document.activeElement, stopper = $("[data-do=stop]");
  $(".learning").hidden = !isBusy;
  $(".main").hidden = isBusy;
  if (isBusy && hadFocus === $(".main")) stopper.focus();
  if (!isBusy && hadFocus === stopper) cells[at].focus();
  $(".main").disabled = Boolean(light) && (isLast || isFull || isEmpty);
  const invites = isEmpty && !isLast && !isFull;
  figure.write({".main": !light ? "Go on" : invites ? "Tap the symbols you like" : "Next generation"});
  if (isBusy) return learning.begun || figure.write({".hint": "One model learns at a time: it waits for its turn."});
  const hint = isLast ? `This line has its ${limits.generations} generations: go back in the tree to branch from one.`
    : isFull ? `This family has its ${limits.all} generations: begin a new one.`
    : isEmpty ? "" : "The model learns for a few seconds from what you picked, and draws again from the same noise.";
  figure.write({".hint": light ? hint : "This generation is still to be raised."});
}

function showParents({parent, picks, drawings, facts}) {
  const parents = parent === null ? null : family().nodes[parent];
  $(".before").hidden = !parents?.light;
  if (!parents?.light) return;
  figure.write({".before h3": `the parents: ${generationOf(parent)}, from the same noise`});
  const label = `The parents: you picked those of seeds ${picks.join(", ") || "none"}`
    + (drawings.length ? `, and ${counted(drawings.length, "drawing")}` : "");
  $(".ancestors").setAttribute("aria-label", label);
  $$(".ancestors canvas").forEach((canvas, k) => {
    paint(canvas, SHAPE, families.pixelsOf(parents), k);
    canvas.className = picks.includes(k) ? "picked" : "unpicked";
  });
  const items = Object.entries(facts ? DISTANCES : {}).map(([key, words]) => distanceItem(facts[key], words));
  $(".distances").innerHTML = String(html`${items}`).replaceAll("DATA", dataInWords());
}

const dataInWords = () => ancestors.find(({name}) => name === family().ancestor.experiment)?.data ?? "the data";

const DISTANCES = {
  picks: {
    nearer: "They came nearer to your picks.", farther: "They went away from your picks.",
    same: "They are as near to your picks as before.", title: "Mean distance to the nearest pick",
  },
  data: {
    nearer: "They came nearer to DATA.", farther: "They went away from DATA.",
    same: "They are as near to DATA as before.", title: "Mean distance to the nearest of 1,000 DATA",
  },
};

function distanceItem(values, words) {
  const [parents, children] = values, most = Math.max(...values, 1e-9);
  const row = (name, value, kind) => html`
    <div class="${kind}"><span>${name}</span><i style="--long: ${value / most}"></i><b>${value.toFixed(3)}</b></div>`;
  return html`<li title="${words.title}"><p>${comparison(values, words)}</p>
    ${row("parents", parents, "parents")}${row("children", children, "children")}</li>`;
}

// ---- the tree
function showTree() {
  const {nodes, now} = family(), places = layOutTree(nodes), way = lineage(nodes, now), container = $(".branches");
  const x = (k) => places[k][0] * STEP.x, y = (k) => places[k][1] * STEP.y, middle = MINI.height / 2;
  const curve = (from, to, half) => `M${from[0]} ${from[1]} C${half} ${from[1]} ${half} ${to[1]} ${to[0]} ${to[1]}`;
  const link = ({parent}, k) => parent !== null && html`<path class="${way.includes(k) && "mine"}" d="${
    curve([x(parent) + MINI.width, y(parent) + middle], [x(k), y(k) + middle], x(k) - (STEP.x - MINI.width) / 2)}"/>`;
  const words = (k) => `${generationOf(k)}${nodes[k].light ? "" : ", to be raised"}`;
  const node = (_, k) => html`<button type="button" class="cell" style="left: ${x(k)}px; top: ${y(k)}px"
    aria-label="${words(k)}"><canvas></canvas>${families.depth(k) || "first"}</button>`;
  const hadFocus = container.contains(document.activeElement);
  container.innerHTML = html`<svg aria-hidden="true">${nodes.map(link)}</svg>${nodes.map(node)}`;
  const [wide, high] = [0, 1].map((i) => Math.max(...places.map((place) => place[i])));
  Object.assign(container.style, {width: `${wide * STEP.x + MINI.width}px`, height: `${high * STEP.y + 106}px`});
  const those = $$(".cell", container);
  nodes.forEach((each, k) => {
    const pixels = families.pixelsOf(each), picks = families.hasChild(k) || k === now ? each.marks.picks : [];
    paint(those[k].firstChild, [1, MINI.height, MINI.width], pixels && miniature(pixels, picks));
  });
  markSelected(those, now);
  keyboardGrid(container, those, () => 1, go);
  if (hadFocus) those[now].focus({preventScroll: true});
  if (now !== inTree) $(".tree").scrollLeft = x(now) + (MINI.width - $(".tree").clientWidth) / 2;
  inTree = now;
}

// ---- settings, in words and in the address
function showControls() {
  const {all, shown} = families, named = ({name, nodes}, i) => `${name || `family ${i + 1}`} (${nodes.length})`;
  controls.show({weight: Math.round(100 * weight), ancestor: family().ancestor.experiment}, {
    ancestor: ancestors.map(({name, title}) => [name, title]),
  }, {weight: `${Math.round(100 * weight)} %`});
  if (document.activeElement !== $("[name=name]")) $("[name=name]").value = family().name;
  $(".families").innerHTML = html`${all.map((each, i) => html`<option value="${i}">${named(each, i)}</option>`)}`;
  $(".families").value = shown;
  $(".families").hidden = all.length < 2;
  $("[data-do=undo]").disabled = !families.canUndo;
  showPad();
}

function showPad() {
  pad.paint();
  $("[data-do=add]").disabled = $("[data-do=wipe]").disabled = !pad.pixels;
  figure.write({".tip": pad.pixels ? `${pad.note}Add it, and the next generation learns from it too.`
    : "Draw here with pointer or finger, or give a photo: it is fitted into 28 by 28 pixels."});
}

function showCaption() {
  const {name, ancestor: {experiment, iteration}, nodes, now} = family();
  const steps = lineage(nodes, now).slice(1).map((k, i) => {
    const {picks, drawings, weight: share} = nodes[k], own = drawings.length && counted(drawings.length, "drawing");
    const from = [picks.length && `seeds ${picks.join(", ")}`, own].filter(Boolean).join(" and ");
    return `${i + 1} from ${from}, picks counting for ${Math.round(100 * share)} %`;
  });
  const title = name ? `${name}. ` : "";
  figure.writeCaption(`${title}Raised from ${experiment}, iteration ${iteration}; seeds 0 to ${limits.symbols - 1}`
    + `${steps.length ? `. Generation ${steps.join("; ")}` : ""}`);
}

// ---- the recipe, in a link or a file
async function showAddress() {  // the server writes it short; meanwhile another may be on show
  const its = families.recipe, key = JSON.stringify(its), {server, during} = figure;
  if (key === addressed) return;
  addressed = key;
  const {text} = its.generations.length ? await during(server.recipe(its)).catch(() => ({})) : {text: ""};
  if (key !== addressed) return;
  url.write(text ? {recipe: text} : {});
  const isLong = "With so many drawings it is too long for a link: save the recipe, a file that can be opened here.";
  figure.write({".long": text === null ? isLong : ""});
}

/** Open the family of a recipe, or of its text in a link; one that is here already is only shown. */
async function openRecipe(given) {
  const {recipe: found, error} = await figure.during(figure.server.recipe(given)).catch(() =>
    ({error: "The server does not answer: open it again."}));
  if (error) return figure.showProblem(error);
  const [number, k] = families.find(found) ?? [];
  if (number === undefined) return openNew(found);
  await open(number);
  go(k);
}

async function openFile(file) {
  if (!file) return;
  if (file.size > LARGEST_FILE) return figure.showProblem("This file is too large for a recipe: give one saved here.");
  try {
    const content = JSON.parse(await file.text());
    await openRecipe(content.recipe ?? content);
  } catch {
    figure.showProblem("This file is no recipe: give one that was saved here, it ends in .json.");
  }
}

function onDrop(event) {  // a recipe, or a picture for the pad
  event.preventDefault();
  article.classList.remove("dropping");
  const [file] = event.dataTransfer.files, field = $("[type=file][accept='image/*']");
  if (!file) return;
  if (/json/.test(file.type) || file.name.endsWith(".json")) return openFile(file);
  field.files = event.dataTransfer.files;
  field.dispatchEvent(new Event("change"));
}

// ---- what a visitor takes along
function posterCanvases() {  // a row for each generation: what was picked, the rest faint; of the last, all
  const {nodes, now} = family(), way = lineage(nodes, now);
  return way.flatMap((k, row) => {
    const pixels = families.pixelsOf(nodes[k]), picks = nodes[way[row + 1]]?.picks ?? [];
    return cells.map((_, seed) => {
      const canvas = blankCanvas(SIDE), faint = picks.length && !picks.includes(seed) ? FAINT : 1;
      paint(canvas, SHAPE, pixels?.subarray(seed * AREA, (seed + 1) * AREA).map((value) => value * faint));
      return canvas;
    });
  });
}

function fileName() {
  const {name, now} = family();
  return `${name.replace(/\W+/g, "-").toLowerCase() || "family"}_generation-${families.depth(now)}`;
}

function pack() {  // once the server has all models of the line
  figure.showProblem("");
  if (family().now) ask(false, () => packing.send({recipe: families.recipe}));
  else figure.showProblem("There is no generation yet: pick some symbols, and raise one.");
}

function onPacked({error}) {
  figure.showProblem(error);
  if (!error) setTimeout(() => document.querySelector("#packed").click(), 100);  // once the link is drawn
}

function keepAlphabet() {  // the picked symbols, or all of them, go into the tray, which makes a font
  const {name, ancestor: {experiment}, now} = family(), {light, marks: {picks}} = families.node;
  if (!light) return;
  const whose = `${name || "a family"} from ${experiment}, ${generationOf(now)}`;
  const pixels = families.pixelsOf(families.node);
  for (const k of picks.length ? picks : cells.keys()) {
    const of = pixels.subarray(k * AREA, (k + 1) * AREA);
    offerPicture("keep", {pixels: of, side: SIDE, caption: `${whose}, seed ${k}`});
  }
}

export default function start(given) {
  ({ancestors, limits} = given.props.value);
  figure = figureOf(given);
  ({$, $$, article} = figure);
  url = new UrlState("raise-your-own");
  families = new Families(limits);
  weight = limits.weight;
  request = new Request(figure, "raise", {
    channel: "that-are-not-raised", onResponse, advice: "press the button to ask it again", cancels: true,
  });
  packing = new Request(figure, "pack", {
    channel: "that-are-not-packed", onResponse: onPacked, advice: "ask for them again",
  });
  controls = new Controls(given.element, onKnob);
  const newCell = () => make("button", {type: "button", className: "cell"}, blankCanvas());
  cells = Array.from({length: limits.symbols}, newCell);
  $(".symbols").replaceChildren(...cells);
  $(".ancestors").replaceChildren(...cells.map(() => blankCanvas()));
  melt = new Melt(MELT, () => cells.forEach((cell, k) => paint(cell.firstChild, SHAPE, melt.shown, k)));
  const columns = () => getComputedStyle($(".symbols")).gridTemplateColumns.split(" ").length;
  keyboardGrid($(".symbols"), cells, columns, toggle);
  pad = new Sketchpad($(".canvas"), {onDone: showPad});
  pad.resize(SIDE, 1);
  pad.upload(figure, showPad);
  onActions(figure, {
    raise, stop, undo, pack, add: addDrawing, alphabet: keepAlphabet,
    wipe: () => { pad.set(null); showPad(); },
    renew: () => begin(family().ancestor.experiment),
    poster: () => saveSheet(figure, [posterCanvases()], `${fileName()}.png`, limits.symbols),
  }, {k: "alphabet"}, () => family());
  listen();
  addShareButtons(figure, fileName, () => ({tab: "raise-your-own", recipe: families.recipe}), "recipe");
  onThemeChange(() => { if (family()) { melt.draw(); show(); } });
  openFirst();
}

function listen() {  // to what is no button of a fixed name
  $(".picks").onclick = ({target}) => {
    const {seed, drawing} = target.closest("button")?.dataset ?? {};
    if (seed !== undefined) toggle(Number(seed));
    if (drawing !== undefined) letGoOfDrawing(Number(drawing));
    ($(".picks button") ?? cells[at]).focus({preventScroll: true});
  };
  $("[name=name]").onchange = ({target}) => { families.change({name: target.value.trim()}); show(); };
  $(".families").onchange = ({target}) => open(Number(target.value));
  $("[name=recipe]").onchange = ({target}) => { openFile(target.files[0]); target.value = ""; };
  article.ondragover = (event) => { event.preventDefault(); article.classList.add("dropping"); };
  article.ondragleave = () => article.classList.remove("dropping");
  article.ondrop = onDrop;
}

function onKnob(knob, value, isFinal) {
  if (knob === "ancestor") return isFinal && begin(value);
  weight = value / 100;
  showControls();
}

function begin(name) {  // a new family
  const {name: experiment, iteration, sha256} = ancestors.find((each) => each.name === name);
  return openNew({ancestor: {experiment, iteration, sha256}});
}

async function openFirst() {  // what a link says, or else the family that was last on show; both may be damaged
  const {recipe: text} = url.read({recipe: anyText(LONGEST_LINK)});
  const first = () => begin(ancestors[0].name);
  families.recall();
  if (text) await openRecipe(text).catch(() => {});
  if (article.dataset.ready === "true") return;
  if (families.all.length) await open(families.shown).catch(first);
  else await first();
}
