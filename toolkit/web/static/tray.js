// The tray: pictures kept from any tab, in a bar at the foot of the page, where a reload finds them again; opened, each
// of them large with its key, a line of text written in them, and the files to take away.
import {blankCanvas, cssValue, fromBase64, luminance, onThemeChange, paint, toBase64} from "./canvas.js";
import {clamp, figureOf, html, onActions} from "./controls.js";
import {saveJson, saveSheet} from "./download.js";
import {Request} from "./request.js";

const STORE = "that-are-not-tray", SMALL = 36, LARGE = 96, HUSH = 6000;  // pixels; milliseconds
const LETTERS = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"];
const HEIGHT = 64, BEARING = 3, SPACE = 22, INKED = 96;  // pixels in a line; light that is ink
const tray = {kept: [], name: "Alphabet", line: "", at: 0};  // at: where arrow keys start from
let figure, $, $$, article, request, hush = 0;
let most, largest, version;  // of the page's first message

// ---- symbols: {light, side, channels, caption, key}; light: bytes, plane by plane
/** Whether a key can be seen: one character that is no space, control or mark. */
export const isVisible = (key) => typeof key === "string" && [...key].length === 1 && !/[\s\p{C}\p{M}]/u.test(key);

/** How many screen pixels a pixel takes, so that it stays one: a whole number, or one over it. */
export const wholeScale = (side, extent) => (side <= extent ? Math.floor(extent / side) : 1 / Math.ceil(side / extent));

/** The columns of ink in a grey picture, [first, last + 1]; all of them where there is none. */
export function inkedColumns(grey, side, threshold = INKED) {
  const columns = Array.from({length: side}, (_, x) => x);
  const inked = columns.filter((x) => columns.some((y) => grey[y * side + x] > threshold));
  return inked.length ? [inked[0], inked.at(-1) + 1] : [0, side];
}

/** Where the glyphs of a line stand, {placed: [{glyph, x, y}], height}. words: {glyphs: [{advance}], isSpace} each. */
export function layOut(words, width, height) {
  const placed = [];
  let x = 0, y = 0;
  const newRow = () => [x, y] = [0, y + height];
  for (const {glyphs, isSpace} of words) {
    const long = glyphs.reduce((sum, {advance}) => sum + advance, 0);
    if (isSpace) {
      x += x && long;  // no row begins with a space
      continue;
    }
    if (x && long <= width && x + long > width) newRow();
    for (const glyph of glyphs) {
      if (x && x + glyph.advance > width) newRow();
      placed.push({glyph, x, y});
      x += glyph.advance;
    }
  }
  return {placed, height: y + height};
}

/** What symbols have in common is said once: "fig2, iteration 20: a seed 2, b seed 9". */
export function summarise(kept) {
  const groups = new Map();
  for (const {key, caption} of kept) {
    const [, what, own] = caption.match(/^(.*), (.*)$/) ?? [null, caption, ""];
    groups.set(what, [...(groups.get(what) ?? []), `${key || "no key"} ${own}`.trim()]);
  }
  return [...groups].map(([what, those]) => `${what}: ${those.join(", ")}`).join("; ");
}

const isSound = ({light, side, channels}) => Number.isInteger(side) && side >= 1 && side <= largest
  && [1, 3].includes(channels) && light instanceof Uint8Array && light.length === channels * side * side;
const isSame = (one, other) => one.caption === other.caption && one.light.join() === other.light.join();
const unusedKey = () => LETTERS.find((letter) => tray.kept.every(({key}) => key !== letter)) ?? "";
const limited = (text, length) => (typeof text === "string" ? text.slice(0, length) : "");

function keyProblem({key}) {
  if (!key) return "no key";
  return tray.kept.filter((each) => each.key === key).length > 1 ? `“${key}” twice` : "";
}

function canvasOf({light, side, channels}) {
  const canvas = blankCanvas(side);
  paint(canvas, [channels, side, side], light);
  return canvas;
}

// ---- what is kept
function recall() {  // what is stored may be anything
  try {
    const {kept, name, line} = JSON.parse(sessionStorage.getItem(STORE));
    const symbols = kept.slice(0, most).map(({light, side, channels, caption, key}) => ({
      light: fromBase64(light), side, channels, caption: limited(caption, 400), key: isVisible(key) ? key : "",
    }));
    Object.assign(tray, {kept: symbols.filter(isSound), name: limited(name, 40), line: limited(line, 200)});
  } catch { /* nothing was kept, or nothing of use */ }
}

function remember() {
  const {name, line} = tray, kept = tray.kept.map((symbol) => ({...symbol, light: toBase64(symbol.light)}));
  try {
    sessionStorage.setItem(STORE, JSON.stringify({kept, name, line}));
  } catch { /* a browser that stores nothing: the tray lasts until the page is left */ }
}

function keep({detail: {light, side, channels, caption}}) {
  const symbol = {light: Uint8Array.from(light), side, channels, caption: limited(caption, 400), key: unusedKey()};
  const size = `${largest} by ${largest} pixels`;
  if (!isSound(symbol)) return say(`This picture is too large: the tray takes up to ${size}.`, true);
  if (tray.kept.some((each) => isSame(each, symbol))) return say("This one is in the tray already.");
  if (tray.kept.length === most) return say(`The tray is full with ${most} symbols: remove one to keep another.`, true);
  tray.kept.push(symbol);
  show();
  $(".strip").scrollLeft = $(".strip").scrollWidth;
  say(`Kept: ${symbol.caption}`);
}

function remove(i) {
  const [{caption}] = tray.kept.splice(i, 1);
  tray.at = i;
  show();
  say(`Removed: ${caption}`);
}

function move(from, to) {
  if (to < 0 || to >= tray.kept.length) return;
  tray.kept.splice(to, 0, ...tray.kept.splice(from, 1));
  tray.at = to;
  show();
}

function say(text, alarming = false) {  // a word in the bar, for a while
  clearTimeout(hush);
  figure.write({".said": text});
  $(".said").classList.toggle("alarming", alarming);
  hush = setTimeout(figure.write, HUSH, {".said": ""});
}

// ---- drawing all of it
function drawLarge(canvas, symbol, extent) {
  const {light, side, channels} = symbol, size = `${side * wholeScale(side, extent)}px`;
  paint(canvas, [channels, side, side], light);
  Object.assign(canvas.style, {width: size, height: size, imageRendering: side > extent ? "auto" : ""});
}

const button = (className, title, content, {tabIndex = 0, disabled = false} = {}) => html`
  <button type="button" class="${className}" title="${title}" aria-label="${title}" tabindex="${tabIndex}"
   ${disabled ? html` disabled` : ""}>${content}</button>`;
const arrow = (path) => html`<svg viewBox="0 0 20 20"><path d="${path}"/></svg>`;

function show() {
  const count = tray.kept.length, top = $(".opened").scrollTop;
  article.hidden = !count;
  tray.at = clamp(tray.at, 0, Math.max(0, count - 1));
  $(".where b").textContent = count;
  showStrip();
  if (!count) toggle(false);
  if (!$(".opened").hidden) showGlyphs();
  $(".opened").scrollTop = top;
  remember();
}

function showStrip() {
  $(".strip").innerHTML = html`${tray.kept.map(({key, caption}, i) => html`<li draggable="true">
    ${button("kept", `${key || "no key"}: ${caption}`, html`<canvas></canvas>`, {tabIndex: i === tray.at ? 0 : -1})}
    ${button("remove", `Remove ${caption}`, "×", {tabIndex: -1})}</li>`)}`;
  $$(".strip canvas").forEach((canvas, i) => drawLarge(canvas, tray.kept[i], SMALL));
}

function showGlyphs() {
  const last = tray.kept.length - 1;
  $(".glyphs").innerHTML = html`${tray.kept.map(({key, caption}, i) => html`<li>
    <figure title="${caption}"><canvas role="img" aria-label="${caption}"></canvas></figure>
    <div class="key">
    ${button("before", `One place forward: ${caption}`, arrow("M13 4 6 10l7 6z"), {disabled: i === 0})}
    <input value="${key}" autocomplete="off" autocapitalize="none" spellcheck="false" aria-label="Key of ${caption}">
    ${button("after", `One place back: ${caption}`, arrow("m7 4 7 6-7 6z"), {disabled: i === last})}</div>
    <p class="amiss"></p>${button("remove", `Remove ${caption}`, "×")}</li>`)}`;
  $$(".glyphs canvas").forEach((canvas, i) => drawLarge(canvas, tray.kept[i], LARGE));
  showKeys();
}

function showKeys() {  // what depends on the keys
  $$(".glyphs li").forEach((item, i) => {
    const problem = $(".amiss", item).textContent = keyProblem(tray.kept[i]);
    $("input", item).ariaInvalid = Boolean(problem);
  });
  figure.writeCaption(summarise(tray.kept));
  showBusy();
  writeLine();
}

// ---- a line of text in the symbols, set as the font is: by the width of their ink
function glyphOf(sign) {  // {advance, draw}: draw(context, x, y) from its left upper corner
  const other = sign === sign.toLowerCase() ? sign.toUpperCase() : sign.toLowerCase();
  const symbol = tray.kept.find(({key}) => key === sign) ?? tray.kept.find(({key}) => key === other);
  if (!symbol && !sign.trim()) return {advance: SPACE, draw: () => {}};
  if (!symbol) {
    const draw = (context, x, y) => context.strokeRect(x + BEARING + 0.5, y + 10.5, SPACE, 40);
    return {advance: SPACE + 2 * BEARING, isLacking: true, draw};
  }
  const {side} = symbol, grey = luminance({...symbol, pixels: symbol.light}), scale = wholeScale(side, HEIGHT);
  const picture = canvasOf({light: grey, side, channels: 1}), [from, to] = inkedColumns(grey, side);
  const width = Math.round((to - from) * scale), height = side * scale;
  const draw = (context, x, y) => context.drawImage(picture, from, 0, to - from, side, x + BEARING, y, width, height);
  return {advance: width + 2 * BEARING, draw};
}

function writeLine() {  // word by word, a new row where one does not fit
  const line = tray.line || tray.kept.map(({key}) => key).join(""), canvas = $(".written");
  const glyphs = new Map([...new Set(line)].map((sign) => [sign, glyphOf(sign)]));
  const words = line.split(/(\s+)/).map((word) =>
    ({glyphs: [...word].map((sign) => glyphs.get(sign)), isSpace: !word.trim()}));
  const width = Math.max(HEIGHT, Math.floor(canvas.parentElement.clientWidth));
  const {placed, height} = layOut(words, width, HEIGHT + 12);
  Object.assign(canvas, {width, height, ariaLabel: `“${line}”, written in the symbols`});
  const context = canvas.getContext("2d");
  Object.assign(context, {imageSmoothingEnabled: false, strokeStyle: cssValue("--quiet")});
  for (const {glyph, x, y} of placed) glyph.draw(context, x, y);
  const lacking = [...glyphs].filter(([, {isLacking}]) => isLacking).map(([sign]) => `“${sign}”`);
  figure.write({".lacking": lacking.length ? `No symbol has the key ${lacking.join(", ")}.` : ""});
}

// ---- files: sheet and settings are made here, font and outlines by the server
function savePicture() {  // symbols of several sizes stand in cells of one size, enlarged by whole factors
  const side = Math.max(...tray.kept.map((symbol) => symbol.side));
  const cells = tray.kept.map((symbol) => {
    const cell = blankCanvas(side), context = cell.getContext("2d"), size = symbol.side * wholeScale(symbol.side, side);
    const edge = Math.floor((side - size) / 2);
    context.imageSmoothingEnabled = false;
    context.drawImage(canvasOf(symbol), edge, edge, size, size);
    return cell;
  });
  saveSheet(figure, [cells], "alphabet.png", clamp(Math.ceil(1.6 * Math.sqrt(cells.length)), 5, 10));
}

function saveSettings() {
  const symbols = tray.kept.map(({key, caption, side, channels}) => ({key, caption, side, channels}));
  saveJson("alphabet.json", {made_with: `That Are Not ${version}`, name: tray.name, symbols});
}

function take(kind) {
  const wrong = kind === "font" && tray.kept.find(keyProblem);
  if (request.busy) return;
  if (wrong) {
    return figure.showProblem(wrong.key ? `Two symbols have the key “${wrong.key}”: give one of them another.`
      : "A symbol has no key: give it one, or remove it.");
  }
  const symbols = tray.kept.map(({light, key, ...rest}, i) =>
    ({...rest, light: toBase64(light), key: kind === "font" ? key : LETTERS[i]}));
  request.send({kind, name: tray.name, symbols});
  figure.showProblem("");
  showBusy();
}

function onResponse({error}) {
  showBusy();
  figure.showProblem(error);
  if (!error) setTimeout(() => document.querySelector("#take").click(), 100);  // once the link is drawn
}

function showBusy() {
  ["font", "outlines"].forEach((kind) => { $(`[data-do=${kind}]`).disabled = request.busy; });
  figure.write({
    ".hint": request.busy ? "Drawing its outlines …"
      : `Install the file, and choose “That Are Not ${tray.name}” where a program asks for a font.`,
  });
}

// ---- what a visitor does
function toggle(on) {
  const wasOpen = !$(".opened").hidden, opener = $("[data-do=open]");
  $(".opened").hidden = !on;
  Object.assign(opener, {ariaExpanded: on, textContent: on ? "Close" : "Take away"});
  figure.showProblem("");
  if (on) showGlyphs();
  const isTouch = matchMedia("(hover: none)").matches;  // whose keyboard would cover the screen
  const first = isTouch ? $(".opened") : $("[name=line]");
  if (on && !wasOpen) first.focus({preventScroll: true});
  if (!on && wasOpen) opener.focus();
}

function empty() {  // twice, to be sure
  const opener = $("[data-do=empty]"), reset = () => { opener.textContent = "Empty the tray"; };
  if (opener.textContent.endsWith("?")) {
    reset();
    tray.kept = [];
    return show();
  }
  opener.textContent = "Really empty it?";
  setTimeout(reset, HUSH);
}

function newKeys() {
  tray.kept.forEach((symbol, i) => { symbol.key = LETTERS[i]; });
  show();
}

const onSymbol = {  // on the symbol at place i; then where the focus goes
  kept: (i) => { tray.at = i; toggle(true); $$(".glyphs input")[i].focus(); },
  remove: (i, list) => { remove(i); $$(list === "strip" ? ".strip .kept" : ".glyphs input")[tray.at]?.focus(); },
  before: (i) => { move(i, i - 1); $$(".glyphs .before")[tray.at].focus(); },
  after: (i) => { move(i, i + 1); $$(".glyphs .after")[tray.at].focus(); },
};

function placeOf({target}) {
  const item = target.closest("li");
  return item ? [...item.parentElement.children].indexOf(item) : -1;
}

function onInput(event) {
  const {target} = event, i = placeOf(event);
  if (i >= 0) tray.kept[i].key = target.value = [...target.value].filter(isVisible).at(-1) ?? "";  // the last one typed
  else tray[target.name] = target.value;
  if (i >= 0) showKeys();
  else if (target.name === "name") showBusy();
  else writeLine();
  remember();
}

function onKeydown(event) {
  const {key, target, shiftKey} = event, i = target.matches(".kept") ? placeOf(event) : -1;
  const step = {ArrowLeft: -1, ArrowRight: 1}[key], onStrip = i >= 0;
  if (key === "Escape") toggle(false);
  else if (onStrip && step && shiftKey) move(i, i + step);
  else if (onStrip && step) tray.at = clamp(i + step, 0, tray.kept.length - 1);
  else if (onStrip && (key === "Delete" || key === "Backspace")) remove(i);
  else {  // other keys are for what has the focus
    if (key.startsWith("Arrow") || key === " ") event.stopPropagation();
    return;
  }
  event.preventDefault();
  event.stopPropagation();
  if (!onStrip) return;
  $$(".strip .kept").forEach((kept, k) => { kept.tabIndex = k === tray.at ? 0 : -1; });
  $$(".strip .kept")[tray.at]?.focus();
}

function letDrag(strip) {
  let dragged = -1;
  const markOver = (event) => [...strip.children].forEach((item, i) =>
    item.classList.toggle("over", event.type === "dragover" && i === placeOf(event)));
  strip.ondragstart = (event) => { dragged = placeOf(event); };
  strip.ondragover = (event) => { if (dragged >= 0) event.preventDefault(); markOver(event); };
  strip.ondrop = (event) => { event.preventDefault(); if (placeOf(event) >= 0) move(dragged, placeOf(event)); };
  strip.ondragend = (event) => { dragged = -1; markOver(event); };
}

export default function start(given) {
  const {element} = given;
  ({most, largest, version} = given.props.value);
  figure = figureOf(given);
  ({$, $$, article} = figure);
  request = new Request(figure, "take", {channel: "that-are-not-taken", onResponse, advice: "ask it again"});
  onActions(figure, {
    empty, deal: newKeys, sheet: savePicture, settings: saveSettings, open: () => toggle($(".opened").hidden),
    font: () => take("font"), outlines: () => take("outlines"),
  }, {t: "open"});
  element.addEventListener("click", (event) => {
    const pressed = event.target.closest("li button");
    if (pressed) onSymbol[pressed.className]?.(placeOf(event), pressed.closest("ol").className);
  });
  element.addEventListener("input", onInput);
  element.addEventListener("change", (event) => { if (placeOf(event) >= 0) showStrip(); });
  element.addEventListener("focusin", ({target}) => { if (target.closest(".glyphs input")) target.select(); });
  element.addEventListener("keydown", onKeydown);
  letDrag($(".strip"));
  window.addEventListener("that-are-not-keep", keep);
  new ResizeObserver(([{target}]) => {  // the page ends above the bar
    document.documentElement.style.setProperty("--tray", `${target.offsetHeight}px`);
    if (!$(".opened").hidden) writeLine();
  }).observe($(".dock"));
  recall();
  onThemeChange(show);
  ["name", "line"].forEach((field) => { $(`[name=${field}]`).value = tray[field]; });
  show();
}
