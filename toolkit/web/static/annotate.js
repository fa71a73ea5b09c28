// The tab "Annotate": training images first, then one picture at a time, and nothing that tells how it was made.
// The next picture is there at once; a label counts when the server has stored it, and until then waits in line here.
import {loadImage} from "./canvas.js";
import {figureOf, html, make, onActions} from "./controls.js";
import {addShareButtons} from "./download.js";
import {UrlState, oneOf} from "./url_state.js";

const MOMENT = 250, LARGEST = 480, CELL = 56;  // milliseconds that a picture must have been seen; pixels on the screen
const PAUSES = [500, 1000, 2000, 4000, 8000], PATIENCE = 15000;  // milliseconds between attempts to store; for one
const AWAY = "The server does not answer";
const STAGES = {choose: ".enter", learn: ".learn", judge: ".judge", done: ".done"};
const FOCUS = {choose: "[name=annotator]", learn: "[data-do=start]", judge: ".seen", done: ".thanks"};
const STORE = "annotate";
let figure, $, $$, article, server, write, url;
let names = [], pool = null, sheets = {};  // the labels there are; the pool on show, and its two sheets
let labels = new Map();        // picture -> label, in the order they were given, whether stored or not
const queue = [];               // {image, label} to be stored, oldest first; label null: take it back
let returned = null;           // the picture that came back by an undo, and its label then
let shownAt = 0, sending = false, stuck = false, retryNow = () => {};

const sleep = (time) => new Promise((done) => setTimeout(done, time));
const currentImage = () => returned?.image ?? pool.order.find((image) => !labels.has(image));
const isLabelling = () => ["judge", "done"].includes(article.dataset.stage);

function showStage(stage) {
  article.dataset.stage = stage;
  for (const [name, part] of Object.entries(STAGES)) $(part).hidden = name !== stage;
  $(".intro").hidden = stage !== "choose";
  $(FOCUS[stage]).focus({preventScroll: true});
  article.closest(".gradio-container")?.scrollIntoView();
}

// ---- pictures: as they are, the same in the light and in the dark
function drawImage({image, columns}, k, canvas) {
  const [, height, width] = pool.shape, x = (k % columns) * width, y = Math.floor(k / columns) * height;
  Object.assign(canvas, {width, height});
  canvas.getContext("2d").drawImage(image, x, y, width, height, 0, 0, width, height);
  return canvas;
}

function fitPictures() {  // whole pixels, as large as there is room
  if (!pool) return;
  const [, height, width] = pool.shape, isWide = innerWidth > 639;
  const room = Math.min(article.clientWidth - 32, LARGEST, Math.max(224, innerHeight - (isWide ? 320 : 430)));
  const large = Math.max(1, Math.floor(room / Math.max(height, width)));
  const small = Math.max(1, Math.floor((isWide ? CELL : CELL / 2) / width));
  Object.assign($(".seen").style, {width: `${large * width}px`, height: `${large * height}px`});
  $(".lesson").style.setProperty("--cell", `${small * width}px`);
}

// ---- labels: given here, stored there
function label(number) {
  const image = currentImage(), seen = performance.now() - shownAt >= MOMENT;
  if (article.dataset.stage !== "judge" || image === undefined || stuck || !seen) return;
  const button = $$(".verdicts button")[number - 1];
  button.classList.add("given");
  setTimeout(() => button.classList.remove("given"), MOMENT);
  labels.set(image, number);
  returned = null;
  store(image, number);
}

function undo() {
  const image = [...labels.keys()].at(-1);
  if (!isLabelling() || image === undefined || stuck) return;
  returned = {image, label: labels.get(image)};
  labels.delete(image);
  store(image, null);
}

function store(image, number) {
  queue.push({image, label: number});
  shownAt = performance.now();
  draw();
  sendQueue();
}

async function sendQueue() {  // one after the other, each until it is stored: to store twice is to store once
  if (sending) return;
  sending = true;
  for (let attempt = 0; queue.length; draw()) {
    const asked = server.label({pool: pool.name, annotator: pool.annotator, ...queue[0]});
    const answer = await Promise.race([asked, sleep(PATIENCE)]);
    stuck = !answer?.stored;
    if (!stuck) {
      queue.shift();
      attempt = 0;
      continue;
    }
    draw(answer?.error || `${AWAY}.`);
    const pause = PAUSES[Math.min(attempt++, PAUSES.length - 1)];
    await Promise.race([sleep(pause), new Promise((done) => { retryNow = done; })]);
  }
  sending = false;
}

function draw(trouble) {
  const image = currentImage(), total = pool.order.length, waiting = queue.length;
  const unstored = new Set(queue.map((each) => each.image).filter((each) => labels.has(each))).size;
  const stored = labels.size - unstored;
  const last = waiting === 1 ? "Your last label is" : `Your last ${waiting} labels are`;
  figure.setBusy(queue, waiting > 0);
  figure.showProblem(trouble && `${trouble} ${last} not stored yet and will be sent again: keep this page open.`);
  write({".kept": `${stored} stored`});
  $("[role=progressbar]").setAttribute("aria-valuenow", stored);
  $("[role=progressbar] i").style.width = `${(100 * stored) / total}%`;
  if (image === undefined && !waiting) return showEnd();
  if (article.dataset.stage === "done") showStage("judge");
  if (image !== undefined) drawImage(sheets.images, image, $(".seen"));
  const place = image === undefined ? "The last one" : `Picture ${labels.size + 1} of ${total}`;
  write({".place": place});
  $(".seen").setAttribute("aria-label", place);
  $$(".verdicts button").forEach((button, i) => {
    button.disabled = stuck || image === undefined;
    button.setAttribute("aria-pressed", returned?.label === i + 1);
  });
  $$("[data-do=undo]").forEach((button) => { button.disabled = stuck || !labels.size; });
}

function showEnd() {
  const given = [...labels.values()], count = (i) => given.filter((each) => each === i + 1).length;
  $(".sums").innerHTML = html`${names.map((name, i) => html`<li><b>${count(i)}</b> ${name}</li>`)}`;
  if (article.dataset.stage !== "done") showStage("done");
}

// ---- the pools
async function enter() {
  const choice = {pool: $("[name=pool]").value, annotator: $("[name=annotator]").value};
  const answer = await server.begin(choice);
  if (!answer || answer.error) return figure.showProblem(answer?.error || `${AWAY}: try again.`);
  figure.showProblem("");
  pool = {...answer, name: choice.pool};
  const load = async ({sheet, columns}) => ({image: await loadImage(sheet), columns});
  sheets = {images: await load(pool.images), training: await load(pool.training)};
  labels = new Map(pool.said);
  returned = null;
  const cells = Array.from({length: pool.training.count}, (_, k) => drawImage(sheets.training, k, make("canvas")));
  $(".lesson").replaceChildren(...cells);
  $("[role=progressbar]").setAttribute("aria-valuemax", pool.order.length);
  $("[data-do=start]").textContent = labels.size ? `Go on at picture ${labels.size + 1}` : "Start";
  fitPictures();
  remember(choice);
  if (labels.size === pool.order.length) draw();
  else showStage("learn");
}

function remember(choice) {  // in this browser alone
  try { localStorage.setItem(STORE, JSON.stringify(choice)); } catch { /* it forgets */ }
}

function remembered() {
  try { return JSON.parse(localStorage.getItem(STORE)) || {}; } catch { return {}; }
}

const writeUrl = () => url.write($("[name=pool]").value ? {pool: $("[name=pool]").value} : {});

async function findPools() {
  const answer = await server.find();
  if (!answer) {
    figure.showProblem(`${AWAY} yet.`);
    return setTimeout(findPools, PAUSES[2]);
  }
  const {error, pools = []} = answer, before = remembered(), poolNames = pools.map(({name}) => name);
  figure.showProblem(error);
  names = answer.labels || [];
  $("[name=pool]").innerHTML = html`${pools.map(({name, title, images}) =>
    html`<option value="${name}">${title}, ${images} pictures</option>`)}`;
  const {pool: wanted = before.pool} = url.read({pool: oneOf(poolNames)});
  if (poolNames.includes(wanted)) $("[name=pool]").value = wanted;
  writeUrl();
  $("[name=annotator]").value = before.annotator || "";
  $(".which").hidden = pools.length < 2;
  $(".no-pool").hidden = pools.length > 0 || Boolean(error);
  $(".enter").hidden = pools.length < 1;
  $(".verdicts").innerHTML = html`${names.map((name, i) => html`
    <button type="button" value="${i + 1}"><kbd>${i + 1}</kbd><span>${name}</span></button>`)}`;
  article.dataset.ready = "true";
}

export default function start(given) {
  figure = figureOf(given);
  ({$, $$, article, server, write} = figure);
  url = new UrlState("annotate");
  const lookAgain = () => {
    $("[data-do=start]").textContent = "Back to the pictures";
    showStage("learn");
  };
  const begin = () => {
    showStage("judge");
    shownAt = performance.now();
    draw();
  };
  onActions(figure, {undo, start: begin, look: lookAgain});
  $(".verdicts").onclick = ({target}) => {
    const button = target.closest("button");
    if (button) label(Number(button.value));
  };
  $(".enter").onsubmit = (event) => { event.preventDefault(); figure.during(enter()); };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, select, textarea, [contenteditable]");
    if (!article.offsetParent || typing || event.altKey || event.ctrlKey || event.metaKey) return;
    const key = event.key.toLowerCase(), number = Number(key), isLabel = number >= 1 && number <= names.length;
    const act = isLabel ? () => label(number) : {u: undo, backspace: undo, t: lookAgain}[key];
    if (!act || !isLabelling()) return;
    event.preventDefault();
    if (!event.repeat) act();  // a key held down is one label
  });
  $("[name=pool]").onchange = writeUrl;
  addShareButtons(figure);
  window.addEventListener("online", () => retryNow());
  window.addEventListener("resize", fitPictures);
  window.addEventListener("beforeunload", (event) => { if (queue.length) event.preventDefault(); });
  findPools();
}
