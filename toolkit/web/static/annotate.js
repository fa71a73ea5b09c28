// The tab "Annotate": training images first, then one picture at a time, and nothing that tells how it was made.
// The next picture is there at once; a label counts when the server has stored it, and until then waits in line here.
const MOMENT = 250, SHOWN = 480, CELL = 56;  // milliseconds that a picture must have been seen; pixels on the screen
const PAUSES = [500, 1000, 2000, 4000, 8000], LONG = 15000;  // milliseconds between attempts to store a label; for one
const AWAY = "The server does not answer";
let labels = [], pool = null, sheets = {};  // what may be said, what is being labelled, and its decoded sheets
let said = new Map();          // picture -> label, in the order they were said, whether stored or not
let waiting = [];              // {image, label}, oldest first; label null: take it back
let again = null;              // the picture that came back by an undo, and its label then
let since = 0, sending = false, stuck = false, hurry = () => {};

const address = thatAreNot.address("annotate");

const sleep = (time) => new Promise((done) => setTimeout(done, time));
const current = () => again?.image ?? pool.order.find((image) => !said.has(image));
const unstored = () => new Set(waiting.map(({image}) => image).filter((image) => said.has(image))).size;

function complain(text) {
  $(".problem").textContent = text || "";
  $(".problem").hidden = !text;
}

function show(stage) {
  article.dataset.stage = stage;
  for (const [name, part] of Object.entries({choose: ".enter", learn: ".learn", judge: ".judge", done: ".done"})) {
    $(part).hidden = name !== stage;
  }
  $(".intro").hidden = stage !== "choose";
  $({choose: "[name=annotator]", learn: "[data-do=start]", judge: ".seen", done: ".thanks"}[stage]).focus({preventScroll: true});
  article.closest(".gradio-container")?.scrollIntoView();
}

// ---- pictures: as they are, the same in the light and in the dark
async function unfold({sheet, columns}) {
  const image = make("img", {src: sheet});
  await image.decode();
  return {image, columns};
}

function cut({image, columns}, k, canvas) {
  const [, height, width] = pool.shape;
  Object.assign(canvas, {width, height});
  canvas.getContext("2d").drawImage(image, (k % columns) * width, Math.floor(k / columns) * height, width, height, 0, 0, width, height);
  return canvas;
}

function fit() {  // whole pixels, as large as there is room
  if (!pool) return;
  const [, height, width] = pool.shape, wide = innerWidth > 639;
  const room = Math.min(article.clientWidth - 32, SHOWN, Math.max(224, innerHeight - (wide ? 320 : 430)));
  const big = Math.max(1, Math.floor(room / Math.max(height, width)));
  const small = Math.max(1, Math.floor((wide ? CELL : CELL / 2) / width));
  Object.assign($(".seen").style, {width: `${big * width}px`, height: `${big * height}px`});
  $(".lesson").style.setProperty("--cell", `${small * width}px`);
}

// ---- labels: said here, stored there
function judge(label) {
  const image = current();
  if (article.dataset.stage !== "judge" || image === undefined || stuck || performance.now() - since < MOMENT) return;
  const button = $$(".verdicts button")[label - 1];
  button.classList.add("given");
  setTimeout(() => button.classList.remove("given"), MOMENT);
  said.set(image, label);
  again = null;
  store(image, label);
}

function undo() {
  const image = [...said.keys()].at(-1);
  if (!["judge", "done"].includes(article.dataset.stage) || image === undefined || stuck) return;
  again = {image, label: said.get(image)};
  said.delete(image);
  store(image, null);
}

function store(image, label) {
  waiting.push({image, label});
  since = performance.now();
  draw();
  send();
}

async function send() {  // one after the other, each until it is stored: to store twice is to store once
  if (sending) return;
  sending = true;
  for (let attempt = 0; waiting.length; draw()) {
    const asked = server.label({pool: pool.name, annotator: pool.annotator, ...waiting[0]});
    const answer = await Promise.race([asked, sleep(LONG)]);
    stuck = !answer?.stored;
    if (!stuck) {
      waiting.shift();
      attempt = 0;
      continue;
    }
    draw(answer?.error || `${AWAY}.`);
    await Promise.race([sleep(PAUSES[Math.min(attempt++, PAUSES.length - 1)]), new Promise((done) => { hurry = done; })]);
  }
  sending = false;
}

function draw(trouble) {
  const image = current(), count = pool.order.length, left = waiting.length;
  const kept = said.size - unstored();
  article.dataset.waiting = left;
  complain(trouble && `${trouble} ${left === 1 ? "Your last label is" : `Your last ${left} labels are`} not stored yet and will be sent again: keep this page open.`);
  if (image === undefined && !left) return finish();
  if (article.dataset.stage === "done") show("judge");
  if (image !== undefined) cut(sheets.images, image, $(".seen"));
  const place = image === undefined ? "The last one" : `Picture ${said.size + 1} of ${count}`;
  if ($(".place").textContent !== place) $(".place").textContent = place;
  $(".seen").setAttribute("aria-label", place);
  $(".kept").textContent = `${kept} stored`;
  $("[role=progressbar]").setAttribute("aria-valuenow", kept);
  $("[role=progressbar] i").style.width = `${(100 * kept) / count}%`;
  $$(".verdicts button").forEach((button, i) => {
    button.disabled = stuck || image === undefined;
    button.setAttribute("aria-pressed", again?.label === i + 1);
  });
  $$("[data-do=undo]").forEach((button) => { button.disabled = stuck || !said.size; });
}

function finish() {
  const sums = labels.map((label, i) => [label, [...said.values()].filter((given) => given === i + 1).length]);
  $(".sums").replaceChildren(...sums.map(([label, sum]) => make("li", {}, make("b", {textContent: sum}), ` ${label}`)));
  if (article.dataset.stage !== "done") show("done");
}

// ---- set up
async function enter() {
  const choice = {pool: $("[name=pool]").value, annotator: $("[name=annotator]").value};
  const answer = await server.begin(choice);
  if (!answer || answer.error) return complain(answer?.error || `${AWAY}: try again.`);
  complain("");
  pool = {...answer, name: choice.pool};
  sheets = {images: await unfold(pool.images), training: await unfold(pool.training)};
  said = new Map(pool.said);
  again = null;
  const lesson = Array.from({length: pool.training.count}, (_, k) => cut(sheets.training, k, make("canvas")));
  $(".lesson").replaceChildren(...lesson);
  $("[role=progressbar]").setAttribute("aria-valuemax", pool.order.length);
  $("[data-do=start]").textContent = said.size ? `Go on at picture ${said.size + 1}` : "Start";
  fit();
  remember(choice);
  if (said.size === pool.order.length) draw();
  else show("learn");
}

function remember(choice) {  // in this browser alone
  try { localStorage.setItem("annotate", JSON.stringify(choice)); } catch { /* it forgets */ }
}

function remembered() {
  try { return JSON.parse(localStorage.getItem("annotate")) || {}; } catch { return {}; }
}

const tell = () => address.tell($("[name=pool]").value ? {pool: $("[name=pool]").value} : {});

async function find() {
  const answer = await server.find();
  if (!answer) return setTimeout(find, PAUSES[2], complain(`${AWAY} yet.`));
  complain(answer.error);
  labels = answer.labels || [];
  const before = remembered(), found = answer.pools || [];
  $("[name=pool]").replaceChildren(...found.map(({name, title, images}) => make("option", {value: name, textContent: `${title}, ${images} pictures`})));
  const wanted = address.among("pool", found.map(({name}) => name)) ?? before.pool;
  if (found.some(({name}) => name === wanted)) $("[name=pool]").value = wanted;
  tell();
  $("[name=annotator]").value = before.annotator || "";
  $(".which").hidden = found.length < 2;
  $(".no-pool").hidden = found.length > 0 || Boolean(answer.error);
  $(".enter").hidden = found.length < 1;
  $(".verdicts").replaceChildren(...labels.map((label, i) => {
    const button = make("button", {type: "button"}, make("kbd", {textContent: i + 1}), make("span", {textContent: label}));
    button.onclick = () => judge(i + 1);
    return button;
  }));
  article.dataset.ready = "true";
}

const doing = {
  undo,
  start: () => { show("judge"); since = performance.now(); draw(); },
  look: () => { $("[data-do=start]").textContent = "Back to the pictures"; show("learn"); },
};

article.addEventListener("click", (event) => doing[event.target.closest("[data-do]")?.dataset.do]?.());
$(".enter").onsubmit = (event) => { event.preventDefault(); enter(); };
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, select, textarea, [contenteditable]");
  if (!article.offsetParent || typing || event.altKey || event.ctrlKey || event.metaKey) return;
  const key = event.key.toLowerCase(), label = Number(key);
  const act = label >= 1 && label <= labels.length ? () => judge(label) : {u: undo, backspace: undo, t: doing.look}[key];
  if (!act || !["judge", "done"].includes(article.dataset.stage)) return;
  event.preventDefault();
  if (!event.repeat) act();  // a key held down is one label
});
$("[name=pool]").onchange = tell;
footer(null, null);
window.addEventListener("online", () => hurry());
window.addEventListener("resize", fit);
window.addEventListener("beforeunload", (event) => { if (waiting.length) event.preventDefault(); });
find();
