// The figure "Is it new?": one symbol, drawn, uploaded, grown or sent from another tab, and what is known of it.
// trigger("ask") asks the server; `hear` gets the verdict. Read after ink.js and pad.js, in one scope with them.
const SIDE = 28, LARGEST = 10_000_000, PAST = 50;  // pixels; bytes of a picture; steps one can undo
const {example, run, iteration, last, version} = props.value;
const now = {start: "drawing", of: "", seed: null, drawnOver: false};  // of: where the symbol comes from
const past = [];  // what was on the pad before: {light, of, seed, drawnOver}
const link = thatAreNot.address("is-it-new");
let flight = null;  // {ticket, answer, slow}: the request that is under way
let asked = null;   // the newest order that is still to be sent
let ticket = 0, shown = null;

const network = () => ({size: SIDE, channels: 1});  // what pad.js asks of the tab it serves
const encoded = (light) => btoa(String.fromCharCode(...light));
const said = () => (drawing ? (now.of ? `${now.of}${now.drawnOver ? ", drawn over" : ""}` : "Your drawing") : "An empty pad");
const number = (value) => String(Number(value.toPrecision(3)));
const percent = (share) => `${(100 * share).toFixed((share > 0.99 && share < 1) || (share > 0 && share < 0.01) ? 1 : 0)} %`;

// ---- asking: one request at a time, the newest next
function ask(order) {
  asked = order;
  article.dataset.state = "asked";
  fly();
}

function fly() {
  if (flight || !asked) return;
  const mine = ++ticket, lost = () => hear({detail: {ticket: mine, error: "The server does not answer: change the symbol to ask it again."}});
  flight = {ticket: mine, answer: awaiting(lost), slow: setTimeout(() => article.classList.add("waiting"), 400)};
  trigger("ask", {ticket: mine, ...asked});
  asked = null;
}

function hear({detail}) {
  if (!detail || detail.ticket !== flight?.ticket) return;
  flight.answer.over();
  clearTimeout(flight.slow);
  flight = null;
  article.classList.remove("waiting");
  if (!asked) told(detail);
  fly();
}

function told(detail) {
  complain(detail.error);
  article.classList.toggle("stale", Boolean(detail.error));  // what is said is of another symbol
  article.dataset.state = "told";
  if (detail.error) return;
  if (detail.caption) put(bytes(detail.light), detail.caption, Number(detail.caption.match(/seed (\d+)$/)?.[1] ?? NaN));
  shown = detail;
  show();
}

function turn() {  // pad.js: a stroke, or a picture, is done
  complain("");
  if (drawing?.some(Boolean)) ask({image: encoded(drawing)});
  else empty();
  label();
}

function complain(text) {
  $(".problem").textContent = text || "";
  $(".problem").hidden = !text;
}

// ---- the symbol
function remember() {
  past.push({light: drawing && drawing.slice(), of: now.of, seed: now.seed, drawnOver: now.drawnOver});
  if (past.length > PAST) past.shift();
}

function put(light, of, seed = null) {
  remember();
  note = "";
  drawing = Uint8ClampedArray.from(light);
  Object.assign(now, {of, seed: Number.isSafeInteger(seed) ? seed : null, drawnOver: false});
  easel();
  label();
}

function receive({light, side, channels, caption}) {  // from another tab, in any size and colour
  const fits = side === SIDE && channels === 1;
  put(fits ? light : fitted(light, side, channels), `${caption}${fits ? "" : `, in grey at ${SIDE} pixels`}`, Number(caption.match(/seed (\d+)$/)?.[1] ?? NaN));
  turn();
}

function fitted(light, side, channels) {
  const plane = side * side, rgba = new ImageData(side, side), from = blank(side), to = blank(SIDE);
  for (let i = 0; i < plane; i++) {
    let grey = 0;
    for (let c = 0; c < channels; c++) grey += light[c * plane + i] / channels;
    rgba.data.set([grey, grey, grey, 255], 4 * i);
  }
  from.getContext("2d").putImageData(rgba, 0, 0);
  const context = to.getContext("2d", {willReadFrequently: true});
  Object.assign(context, {imageSmoothingQuality: "high"});
  context.drawImage(from, 0, 0, SIDE, SIDE);
  return context.getImageData(0, 0, SIDE, SIDE).data.filter((_, i) => i % 4 === 0);
}

function empty() {
  asked = null;
  article.dataset.state = "told";
  article.classList.add("stale");
  $(".verdict h2").textContent = "Draw something";
  $(".says").textContent = "The judges answer when you let go.";
}

function label() {  // what is on the pad, in words; the address says a seed, if it is one
  $(".of").textContent = said();
  $(".tip").textContent = drawing ? `${note}Draw on it: they judge again when you let go.` : "Draw here with pointer or finger.";
  $("[data-do=undo]").disabled = !past.length;
  $("[data-do=keep]").disabled = $("[data-do=picture]").disabled = !drawing;
  const seeded = now.seed !== null && !now.drawnOver && now.of === named(now.seed);
  link.tell(seeded ? {seed: now.seed} : {});
  if (seeded) link.sow(now.seed);
}

const named = (seed) => `${run}, iteration ${iteration}, seed ${seed}`;

// ---- what is known of it
function show() {
  article.classList.remove("stale");
  $(".verdict h2").textContent = `${shown.title}.`;
  $(".says").replaceChildren(...shown.says.map((text) => make("span", {textContent: `${text} `})));
  $(".known").replaceChildren(...shown.known.map(nearby));
  $(".judges").replaceChildren(...shown.judges.map(opinion));
  $(".measures").replaceChildren(...shown.measures.map(measure));
  caption();
  article.dataset.ready = "true";
}

function nearby({kind, light, names, distances, counts, end, usual, most, share, images}) {
  const pixels = bytes(light), far = distances[0], tallest = Math.max(...counts);
  const faces = names.map((name, k) => {
    const canvas = Object.assign(blank(), {role: "img", ariaLabel: `One of the ${kind}: ${name}`});
    paint(canvas, pixels, k * SIDE * SIDE);
    return make("figure", {}, canvas, make("figcaption", {}, make("b", {textContent: name}), make("span", {textContent: distances[k].toFixed(2)})));
  });
  const steps = counts.map((count, i) => `${(i * 100) / counts.length},${(40 - 36 * count / tallest).toFixed(1)} ${((i + 1) * 100) / counts.length},${(40 - 36 * count / tallest).toFixed(1)}`);
  const scale = make("div", {className: "scale", role: "img", ariaLabel: `How far ${kind} are from their nearest: usually ${number(usual)}, at most ${number(most)}. This symbol: ${number(far)}.`});
  scale.innerHTML = `<svg viewBox="0 0 100 40" preserveAspectRatio="none" aria-hidden="true"><polygon points="0,40 ${steps.join(" ")} 100,40"/></svg><i class="mark"></i><p class="ticks"></p>`;
  const at = (value) => `${(100 * clamp(value / end, 0, 1)).toFixed(1)}%`;
  $(".mark", scale).style.left = at(far);
  $(".mark", scale).classList.toggle("beyond", far > end);
  const tick = (value, textContent) => Object.assign(make("span", {textContent}), {style: `left: ${at(value)}`});
  $(".ticks", scale).append(tick(0, "0"), tick(usual, number(usual)), tick(most, number(most)));
  const farther = share ? `${percent(share)} of ${kind} lie as far out` : `none of ${images.toLocaleString("en")} ${kind} lies as far out`;
  const about = make("p", {className: "about"}, make("b", {textContent: `this symbol ${number(far)}`}), make("span", {textContent: farther}));
  return make("div", {className: "near"}, make("h3", {textContent: `Nearest of ${images.toLocaleString("en")} ${kind}, and how far these are from theirs`}), make("div", {className: "faces"}, ...faces), make("div", {className: "where-it-lies"}, about, scale));
}

function opinion({title, of, accuracy, likeliest, entropy}) {
  const rows = likeliest.map(([name, share]) => {
    const bar = make("i", {});
    bar.style.setProperty("--long", share);
    return make("li", {}, make("b", {textContent: name}), bar, make("span", {textContent: percent(share)}));
  });
  const right = Number.isFinite(accuracy) ? `right on ${percent(accuracy)} of the unseen` : "";
  const head = make("h3", {}, make("b", {textContent: `Judge of ${title.toLowerCase()}`}), make("span", {textContent: `of ${of}`}));
  const doubt = make("p", {className: "doubt", title: "Entropy of its answer over the largest there is: 0 is sure, 1 has no idea"}, make("span", {textContent: right}), make("span", {textContent: `doubt ${entropy.toFixed(2)}`}));
  return make("div", {className: "judge"}, head, make("ol", {}, ...rows), doubt);
}

function measure({name, value, within: [low, middle, high], span, says}) {
  const from = Math.min(span[0], value), to = Math.max(span[1], value), at = (x) => `${(100 * (x - from) / Math.max(1e-9, to - from)).toFixed(1)}%`;
  const strip = make("div", {className: "strip", role: "img", ariaLabel: `Digits: from ${number(span[0])} to ${number(span[1])}, usually ${number(middle)}. This symbol: ${number(value)}.`});
  strip.innerHTML = "<i class='all'></i><i class='most'></i><i class='mid'></i><i class='mark'></i>";
  const [all, most, mid, mark] = strip.children;
  Object.assign(all.style, {left: at(span[0]), right: `calc(100% - ${at(span[1])})`});
  Object.assign(most.style, {left: at(low), right: `calc(100% - ${at(high)})`});
  mid.style.left = at(middle);
  mark.style.left = at(value);
  return make("div", {className: "measure"}, make("p", {}, make("span", {textContent: name}), make("b", {textContent: number(value)})), strip, make("p", {className: "note", textContent: says}));
}

function caption() {
  const far = shown.known.map(({kind, distances}) => `${distances[0].toFixed(3)} from the nearest of ${kind}`);
  const told = shown.judges.map(({title, likeliest: [[name, share]]}) => `${title.toLowerCase()}: ${name} ${percent(share)}`);
  $(".caption").textContent = `${said()}. ${shown.title}: ${far.join(", ")} (root of the mean squared difference). Judges of ${told.join(", ")}. That Are Not ${version}.`;
}

const file = () => `is-it-new_${said().replace(/\W+/g, "-").toLowerCase()}`;
const settings = () => ({symbol: said(), light: drawing && encoded(drawing), title: shown?.title, known: shown?.known.map(({kind, names, distances, share}) => ({kind, names, distances, share})), judges: shown?.judges, measures: shown?.measures});

// ---- what a visitor does
const doing = {
  wipe: () => { remember(); Object.assign(now, {of: "", seed: null, drawnOver: false}); wipe(); turn(); },
  undo: () => {
    const {light, ...before} = past.pop();
    drawing = light;
    note = "";
    Object.assign(now, before);
    easel();
    turn();
  },
  dice: () => grow(Math.floor(Math.random() * 2 ** 31)),
  keep: () => offer("keep", {light: drawing, side: SIDE, channels: 1, caption: said()}),
  picture: () => print([[$(".canvas"), ...$$(".faces canvas")]], `${file()}.png`, 11),
};

const grow = (seed) => ask({seed});

async function given(file) {
  if (file.size > LARGEST) return complain(`“${file.name.slice(0, 60)}” is too large: give a picture of at most ${LARGEST / 1e6} MB.`);
  const before = {...now}, pad = drawing;
  remember();
  Object.assign(now, {of: `Your picture ${file.name.slice(0, 60)}`, seed: null, drawnOver: false});
  await upload(file);
  if (drawing === pad) { past.pop(); Object.assign(now, before); }  // it was no picture
}

element.addEventListener("click", (event) => {
  const act = event.target.closest("[data-do]")?.dataset.do;
  if (act) doing[act]?.();
});
$("[type=file]").onchange = ({target}) => { if (target.files[0]) given(target.files[0]); target.value = ""; };
$(".canvas").addEventListener("pointerdown", () => { remember(); now.drawnOver = Boolean(drawing); });
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, select, textarea")) return;
  if (event.key === "k" && drawing && article.offsetParent) doing.keep();
});
window.addEventListener("that-are-not-verdict", hear);
window.addEventListener("that-are-not-ask", heard);
redip(() => { easel(); if (shown) show(); });
link.shown(() => { const seed = link.seed(last); if (seed !== undefined && run && now.seed !== null) grow(seed); });
$("[data-do=dice]").hidden = !run;
footer(file, settings);
hold($(".canvas"));
dip();

function heard() {  // what the page kept for this tab
  const detail = thatAreNot.asked;
  thatAreNot.asked = null;
  if (detail) receive(detail);
  return Boolean(detail);
}

function begin() {
  if (heard()) return;
  const seed = link.whole("seed", 0, last) ?? link.seed(last);
  if (run && seed) grow(seed);
  else if (example) receive({...example, light: bytes(example.light)});
  else turn();
}

article.dataset.ready = "true";  // the symbol is there at once; what is said of it comes
begin();
past.length = 0;  // nothing to undo yet
label();
