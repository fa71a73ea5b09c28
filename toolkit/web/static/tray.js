// The tray: pictures kept from any tab, in a bar at the foot of the page, where a reload finds them again; opened, each
// of them large with its key. Read after ink.js and alphabet.js, in one scope with them.
const {most: MOST, largest: LARGEST, version} = props.value;
const STORE = "that-are-not-tray", SMALL = 36, LARGE = 96, HUSH = 6000;  // pixels; milliseconds
let silence = 0;

// ---- what is in it
const sound = ({light, side, channels}) => Number.isInteger(side) && side >= 1 && side <= LARGEST && [1, 3].includes(channels)
  && light instanceof Uint8Array && light.length === channels * side * side;
const same = (one, other) => one.caption === other.caption && one.light.join() === other.light.join();
const brief = (text, most) => (typeof text === "string" ? text.slice(0, most) : "");

function recall() {  // what is stored may be anything
  try {
    const {kept, name, line} = JSON.parse(sessionStorage.getItem(STORE));
    const read = kept.slice(0, MOST).map((each) => ({...each, light: bytes(each.light), caption: brief(each.caption, 400), key: visible(each.key) ? each.key : ""}));
    Object.assign(tray, {kept: read.filter(sound), name: brief(name, 40), line: brief(line, 200)});
  } catch { /* nothing was kept, or nothing of use */ }
}

function remember() {
  const {kept, name, line} = tray;
  try {
    sessionStorage.setItem(STORE, JSON.stringify({kept: kept.map((one) => ({...one, light: encoded(one.light)})), name, line}));
  } catch { /* a browser that stores nothing: the tray lasts until the page is left */ }
}

function keep({detail: {light, side, channels, caption}}) {
  const one = {light: Uint8Array.from(light), side, channels, caption: brief(caption, 400), key: unused()};
  if (!sound(one)) return say(`This picture is too large: the tray takes up to ${LARGEST} by ${LARGEST} pixels.`, true);
  if (tray.kept.some((each) => same(each, one))) return say("This one is in the tray already.");
  if (tray.kept.length === MOST) return say(`The tray is full with ${MOST} symbols: remove one to keep another.`, true);
  tray.kept.push(one);
  show();
  $(".strip").scrollLeft = $(".strip").scrollWidth;
  say(`Kept: ${one.caption}`);
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
  clearTimeout(silence);
  $(".said").textContent = text;
  $(".said").classList.toggle("alarming", alarming);
  silence = setTimeout(() => { $(".said").textContent = ""; }, HUSH);
}

// ---- drawing all of it
function sized(one, extent) {  // by a whole factor, so that pixels stay pixels
  const canvas = drawn(one), shown = `${one.side * whole(one.side, extent)}px`;
  Object.assign(canvas.style, {width: shown, height: shown, imageRendering: one.side > extent ? "auto" : ""});
  return canvas;
}

function control(act, label, inside, props = {}) {
  const made = make("button", {type: "button", className: act, title: label, innerHTML: inside, ...props});
  made.setAttribute("aria-label", label);
  return made;
}

function show() {
  const count = tray.kept.length, top = $(".opened").scrollTop;
  article.hidden = !count;
  tray.at = clamp(tray.at, 0, Math.max(0, count - 1));
  $(".where b").textContent = count;
  lay();
  if (!count) open(false);
  if (!$(".opened").hidden) spread();
  $(".opened").scrollTop = top;
  remember();
}

const lay = () => $(".strip").replaceChildren(...tray.kept.map(thumb));

function thumb(one, i) {
  const kept = control("kept", `${one.key || "no key"}: ${one.caption}`, "", {tabIndex: i === tray.at ? 0 : -1});
  kept.append(sized(one, SMALL));
  return make("li", {draggable: true}, kept, control("remove", `Remove ${one.caption}`, "×", {tabIndex: -1}));
}

function spread() {
  $(".glyphs").replaceChildren(...tray.kept.map(glyph));
  keyed();
}

function glyph(one, i) {
  const picture = sized(one, LARGE), arrow = (path) => `<svg viewBox="0 0 20 20"><path d="${path}"/></svg>`;
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", one.caption);
  const field = make("input", {value: one.key, autocomplete: "off", autocapitalize: "none", spellcheck: false});
  field.setAttribute("aria-label", `Key of ${one.caption}`);
  const before = control("before", `One place forward: ${one.caption}`, arrow("M13 4 6 10l7 6z"), {disabled: i === 0});
  const after = control("after", `One place back: ${one.caption}`, arrow("m7 4 7 6-7 6z"), {disabled: i === tray.kept.length - 1});
  const figure = make("figure", {title: one.caption}, picture), key = make("div", {className: "key"}, before, field, after);
  return make("li", {}, figure, key, make("p", {className: "amiss"}), control("remove", `Remove ${one.caption}`, "×"));
}

function keyed() {  // what depends on the keys
  $$(".glyphs li").forEach((each, i) => {
    const wrong = amiss(tray.kept[i]);
    $(".amiss", each).textContent = wrong;
    $("input", each).setAttribute("aria-invalid", Boolean(wrong));
  });
  $(".caption").textContent = `${facts().join("; ")}. That Are Not ${version}.`;
  busy();
  write();
}

function facts() {  // what symbols have in common is said once: "fig2, iteration 20: a seed 2, b seed 9"
  const groups = new Map();
  for (const {key, caption} of tray.kept) {
    const [, what, own] = caption.match(/^(.*), (.*)$/) ?? [null, caption, ""];
    groups.set(what, [...(groups.get(what) ?? []), `${key || "no key"} ${own}`.trim()]);
  }
  return [...groups].map(([what, those]) => `${what}: ${those.join(", ")}`);
}

// ---- what a visitor does
function open(on) {
  const was = !$(".opened").hidden, button = $("[data-do=open]");
  $(".opened").hidden = !on;
  button.setAttribute("aria-expanded", on);
  button.textContent = on ? "Close" : "Take away";
  complain("");
  if (on) spread();
  if (on && !was) (matchMedia("(hover: none)").matches ? $(".opened") : $("[name=line]")).focus({preventScroll: true});  // no keyboard over a phone's screen
  if (!on && was) button.focus();
}

function empty() {  // twice, to be sure
  const button = $("[data-do=empty]"), calm = () => { button.textContent = "Empty the tray"; };
  if (button.textContent.endsWith("?")) {
    calm();
    tray.kept = [];
    return show();
  }
  button.textContent = "Really empty it?";
  setTimeout(calm, HUSH);
}

function deal() {
  tray.kept.forEach((one, i) => { one.key = LETTERS[i]; });
  show();
}

const doing = {
  deal, empty, sheet, settings,
  open: () => open($(".opened").hidden),
  font: () => take("font"), outlines: () => take("outlines"),
};
const acting = {  // on the symbol at place i; then where the focus goes
  kept: (i) => { tray.at = i; open(true); $$(".glyphs input")[i].focus(); },
  remove: (i, list) => { remove(i); ($$(list === "strip" ? ".strip .kept" : ".glyphs input")[tray.at])?.focus(); },
  before: (i) => { move(i, i - 1); $$(".glyphs .before")[tray.at].focus(); },
  after: (i) => { move(i, i + 1); $$(".glyphs .after")[tray.at].focus(); },
};
const place = ({target}) => { const item = target.closest("li"); return item ? [...item.parentElement.children].indexOf(item) : -1; };

element.addEventListener("click", (event) => {
  const button = event.target.closest("button"), i = place(event);
  if (button && i >= 0) acting[button.className]?.(i, button.closest("ol").className);
  else doing[button?.dataset.do]?.();
});
element.addEventListener("input", (event) => {
  const {target} = event, i = place(event);
  if (i >= 0) tray.kept[i].key = target.value = [...target.value].filter(visible).at(-1) ?? "";  // the last one typed
  else tray[target.name] = target.value;
  if (i >= 0) keyed();
  else if (target.name === "name") busy();
  else write();
  remember();
});
element.addEventListener("change", (event) => { if (place(event) >= 0) lay(); });
element.addEventListener("focusin", ({target}) => { if (target.closest(".glyphs input")) target.select(); });
element.addEventListener("keydown", (event) => {
  const {key, target, shiftKey} = event, i = target.matches(".kept") ? place(event) : -1, step = {ArrowLeft: -1, ArrowRight: 1}[key];
  if (key === "Escape") open(false);
  else if (i >= 0 && step && shiftKey) move(i, i + step);
  else if (i >= 0 && step) tray.at = clamp(i + step, 0, tray.kept.length - 1);
  else if (i >= 0 && (key === "Delete" || key === "Backspace")) remove(i);
  else return key.startsWith("Arrow") || key === " " ? event.stopPropagation() : null;  // they are for what has the focus
  event.preventDefault();
  event.stopPropagation();
  if (i < 0) return;
  $$(".strip .kept").forEach((kept, k) => { kept.tabIndex = k === tray.at ? 0 : -1; });
  $$(".strip .kept")[tray.at]?.focus();
});
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, select, textarea")) return;
  if (event.key === "t" && tray.kept.length) { event.preventDefault(); doing.open(); }
});

let dragged = -1;
const strip = $(".strip"), over = (event) => [...strip.children].forEach((item, i) => item.classList.toggle("over", event.type === "dragover" && i === place(event)));
strip.ondragstart = (event) => { dragged = place(event); };
strip.ondragover = (event) => { if (dragged >= 0) event.preventDefault(); over(event); };
strip.ondrop = (event) => { event.preventDefault(); if (place(event) >= 0) move(dragged, place(event)); };
strip.ondragend = (event) => { dragged = -1; over(event); };

window.addEventListener("that-are-not-keep", keep);
window.addEventListener("that-are-not-taken", hear);
new ResizeObserver(([{target}]) => {  // the page ends above the bar
  document.documentElement.style.setProperty("--tray", `${target.offsetHeight}px`);
  if (!$(".opened").hidden) write();
}).observe($(".dock"));
recall();
redip(show);
dip();
["name", "line"].forEach((field) => { $(`[name=${field}]`).value = tray[field]; });
show();
