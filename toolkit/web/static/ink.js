// What the scripts of all tabs share: elements, ink, pictures to keep. Read before each of them, in one scope with it.
const $ = (query, root = element) => root.querySelector(query);
const $$ = (query, root = element) => [...root.querySelectorAll(query)];
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const article = $(".figure-page");

function make(tag, props, ...inside) {
  const made = Object.assign(document.createElement(tag), props);
  made.append(...inside);
  return made;
}

// ---- pixels: a byte of light is the alpha of a pixel of ink; colours are as they are, plane by plane
let ink = [0, 0, 0];
const stamps = new Map();  // by size, in the ink of the day
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const blank = (side = 28) => make("canvas", {width: side, height: side});

function dip() {
  ink = getComputedStyle(article).color.match(/[\d.]+/g).slice(0, 3).map(Number);
  stamps.clear();
}

function redip(redraw) {  // light or dark: other ink
  new MutationObserver(() => { dip(); redraw(); }).observe(document.body, {attributeFilter: ["class"]});
}

function stampOf(width, height) {
  const key = `${width}x${height}`;
  if (!stamps.has(key)) {
    const stamp = new ImageData(width, height);
    for (let i = 0; i < width * height; i++) stamp.data.set(ink, 4 * i);
    stamps.set(key, stamp);
  }
  return stamps.get(key);
}

function paint(canvas, light, at = 0) {  // small pictures, put and never drawn: they are better off a graphics card
  const stamp = stampOf(canvas.width, canvas.height), area = canvas.width * canvas.height;
  for (let i = 0; i < area; i++) stamp.data[4 * i + 3] = light ? light[at + i] : 0;
  canvas.getContext("2d", {willReadFrequently: true}).putImageData(stamp, 0, 0);
}

function paintColours(canvas, light, at = 0) {
  const {width, height} = canvas, area = width * height, picture = new ImageData(width, height);
  for (let i = 0; i < area; i++) for (let c = 0; c < 4; c++) picture.data[4 * i + c] = c < 3 ? light[at + c * area + i] : 255;
  canvas.getContext("2d", {willReadFrequently: true}).putImageData(picture, 0, 0);
}

async function decode(url, columns) {  // a gapless sheet -> its light, one picture after the other, plane by plane
  const image = make("img", {src: url});
  await image.decode();
  const {naturalWidth: width, naturalHeight: height} = image, side = width / columns, area = side * side;
  const context = make("canvas", {width, height}).getContext("2d", {willReadFrequently: true});
  context.drawImage(image, 0, 0);
  const rgba = context.getImageData(0, 0, width, height).data, count = columns * Math.floor(height / side);
  const channels = rgba.some((value, i) => i % 4 === 1 && value !== rgba[i - 1]) ? 3 : 1;
  const light = new Uint8ClampedArray(count * channels * area);
  for (let i = 0; i < light.length; i++) {
    const cell = Math.floor(i / area / channels), plane = Math.floor(i / area) % channels;
    const y = Math.floor(i / side) % side, x = i % side;
    light[i] = rgba[4 * ((Math.floor(cell / columns) * side + y) * width + (cell % columns) * side + x) + plane];
  }
  return {light, side, channels};
}

// ---- from tab to tab: a picture into the tray ("keep"), or before the judges ("ask")
function offer(to, {light, side, channels = 1, caption}) {  // light: bytes 0 to 255 (channels x side x side); caption: what it is, as "fig2, iteration 7, seed 12"
  window.dispatchEvent(new CustomEvent(`that-are-not-${to}`, {detail: {light: Uint8Array.from(light), side, channels, caption}}));
}

function offering(light) {  // whether there is a picture yet; such a button may have the focus, so it is not disabled
  $$("[data-do=keep], [data-do=ask]").forEach((button) => button.setAttribute("aria-disabled", !light));
}

const openTab = (name) => thatAreNot.open(name);

// ---- waiting for an answer. Gradio's server ends the stream of answers with the last one, and a question that joins it
// just then is left without, until another one opens the stream again: "stir", which asks for nothing
const STEP = 4_000, STIRS = [4_000, 12_000, 28_000], PATIENCE = 60_000;  // milliseconds of silence

function awaiting(lost) {  // heard() with every part of the answer, over() with the last; lost() where none comes
  let silent = 0;
  const timer = setInterval(() => {
    if (document.querySelector("#in-line:not([hidden])")) return;  // of those who wait, some are before us
    silent += STEP;
    if (STIRS.includes(silent)) trigger("stir");
    if (silent >= PATIENCE) lost();
  }, STEP);
  return {heard() { silent = 0; }, over: () => clearInterval(timer)};
}

// ---- beside the files of a tab: the exact settings of what is on show, and a link to it
function footer(name, settings, root = $(".save")) {  // name: () => of the file; settings: () => plain values
  const json = make("button", {type: "button", className: "link", innerHTML: "settings <i>json</i>"});
  const copy = make("button", {type: "button", className: "link", textContent: "Copy link"});
  const field = make("input", {className: "address", readOnly: true, hidden: true, ariaLabel: "Link to what is on show"});
  json.dataset.do = "settings";
  copy.dataset.do = "link";
  copy.setAttribute("aria-live", "polite");
  json.onclick = () => deliver(`${name()}.json`, new Blob([`${JSON.stringify({...settings(), link: thatAreNot.link()}, null, 2)}\n`], {type: "application/json"}));
  copy.onclick = async () => {
    field.value = thatAreNot.link();
    const copied = await navigator.clipboard?.writeText(field.value).then(() => true, () => false);
    field.hidden = Boolean(copied);
    if (!copied) field.select();  // in a frame that may not write there, the visitor can
    copy.textContent = copied || document.execCommand("copy") ? "Copied" : "Copy it here:";
    setTimeout(() => { copy.textContent = "Copy link"; }, 4000);
  };
  root.append(...(settings ? [json] : []), copy, field);
}

function deliver(name, blob) {
  const link = make("a", {href: URL.createObjectURL(blob), download: name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// ---- pictures are made here, as they stand on the screen
function print(groups, name, columns = 10, maps = []) {  // each group so many canvases wide, or its k-th at maps[group](k); groups side by side, the caption beneath
  const side = groups[0][0].width, scale = Math.max(1, Math.round(112 / side)), step = side * scale + 12, edge = 48, line = 30;
  const width = columns * step - 12, bottom = edge + (maps[0] ? columns : Math.ceil(groups[0].length / columns)) * step;
  const canvas = make("canvas", {width: edge + groups.length * (width + edge)}), context = canvas.getContext("2d");
  const font = `20px ${getComputedStyle($(".caption")).fontFamily}`, lines = [""];
  context.font = font;
  for (const word of $(".caption").textContent.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (context.measureText(longer).width > canvas.width - 2 * edge) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  canvas.height = bottom + lines.length * line + edge;  // which also resets the context
  Object.assign(context, {font, imageSmoothingEnabled: false, fillStyle: getComputedStyle(article).getPropertyValue("--paper")});
  context.fillRect(0, 0, canvas.width, canvas.height);
  groups.forEach((group, g) => group.forEach((cell, k) => {
    const [x, y] = maps[g] ? maps[g](k) : [k % columns, Math.floor(k / columns)], size = maps[g] ? (side * scale) / 2 : side * scale;
    context.drawImage(cell, edge + g * (width + edge) + x * step, edge + y * step, size, size);
  }));
  context.fillStyle = `rgb(${ink})`;
  lines.forEach((text, i) => context.fillText(text, edge, bottom + line * (i + 1)));
  canvas.toBlob((blob) => deliver(name, blob));
}
