// What a visitor takes along: pictures made in the browser, the exact settings, a link to what is on show.
import {elementOf, html, make} from "./controls.js";
import {cssValue, fromBase64, readTheme} from "./canvas.js";
import {pageLink} from "./tabs.js";

const EDGE = 48, GAP = 12, LINE = 30, CELL = 112;  // pixels of a saved sheet

function saveFile(name, blob) {
  const link = make("a", {href: URL.createObjectURL(blob), download: name});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

export function saveJson(name, value) {
  saveFile(name, new Blob([`${JSON.stringify(value, null, 2)}\n`], {type: "application/json"}));
}

export const saveCanvas = (canvas, name) => canvas.toBlob((blob) => saveFile(name, blob));

// ---- animations
const littleEndian = (value, count) => Uint8Array.from({length: count}, (_, i) => value >>> (8 * i));
const letters = (text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

function joined(...parts) {
  const all = new Uint8Array(parts.reduce((sum, {length}) => sum + length, 0));
  parts.reduce((at, part) => {
    all.set(part, at);
    return at + part.length;
  }, 0);
  return all;
}

function chunk(name, ...parts) {
  const data = joined(...parts);
  return joined(letters(name), littleEndian(data.length, 4), data, new Uint8Array(data.length % 2));
}

/** The chunks of a WebP that are its picture, without those that are about it. */
function pictureChunks(webp) {
  const found = [], view = new DataView(webp.buffer, webp.byteOffset);
  for (let at = 12; at + 8 <= webp.length;) {
    const name = String.fromCharCode(...webp.subarray(at, at + 4)), size = view.getUint32(at + 4, true);
    const end = at + 8 + size + (size % 2);
    if (["ALPH", "VP8 ", "VP8L"].includes(name)) found.push(webp.subarray(at, end));
    at = end;
  }
  return found;
}

/** An endless animation, as the bytes of a WebP. frames: [bytes of a WebP, milliseconds] each, of one size. */
export function animatedWebp(frames, width, height) {
  const size = [littleEndian(width - 1, 3), littleEndian(height - 1, 3)];
  const frame = ([webp, milliseconds]) => {  // at the left upper corner; it replaces the one before
    const about = [littleEndian(0, 6), ...size, littleEndian(milliseconds, 3), littleEndian(2, 1)];
    return chunk("ANMF", ...about, ...pictureChunks(webp));
  };
  const head = [chunk("VP8X", littleEndian(2, 4), ...size), chunk("ANIM", littleEndian(0, 6))];
  return chunk("RIFF", letters("WEBP"), ...head, ...frames.map(frame));
}

/** Save canvases of one size as an animation, [canvas, milliseconds] each. Returns what is wrong, in words. */
export function saveAnimation(name, frames) {
  const [[{width, height}]] = frames, urls = frames.map(([canvas]) => canvas.toDataURL("image/webp", 0.92));
  if (!urls[0].startsWith("data:image/webp")) return "This browser writes no WebP: save the picture instead.";
  const stills = urls.map((url, i) => [fromBase64(url.split(",")[1]), frames[i][1]]);
  saveFile(name, new Blob([animatedWebp(stills, width, height)], {type: "image/webp"}));
  return "";
}

export function saveText(name, lines) {
  saveFile(name, new Blob(lines.map((line) => `${line}\n`), {type: "text/plain"}));
}

/** Words on lines that are at most `width` wide. measure: text -> its width. */
export function wrapLines(text, width, measure) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (measure(longer) > width) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

/**
 * Save canvases as one PNG, as they stand on the screen, over the caption of the figure.
 * groups: lists of canvases, side by side, each `columns` wide; maps: of a group, k -> [column, row] of its k-th.
 */
export function saveSheet({$, $$}, groups, name, columns = 10, maps = []) {
  const side = groups[0][0].width, scale = Math.max(1, Math.round(CELL / side)), step = side * scale + GAP;
  const rows = maps[0] ? columns : Math.ceil(groups[0].length / columns);
  const width = columns * step - GAP, bottom = EDGE + rows * step;
  const canvas = make("canvas", {width: EDGE + groups.length * (width + EDGE)}), context = canvas.getContext("2d");
  const font = `20px ${getComputedStyle($(".caption")).fontFamily}`;
  context.font = font;
  const measure = (text) => context.measureText(text).width;
  const lines = wrapLines($(".caption").textContent, canvas.width - 2 * EDGE, measure);
  canvas.height = bottom + lines.length * LINE + EDGE;  // which also resets the context
  Object.assign(context, {font, imageSmoothingEnabled: false, fillStyle: cssValue("--paper")});
  context.fillRect(0, 0, canvas.width, canvas.height);
  groups.forEach((group, g) => group.forEach((cell, k) => {
    const [x, y] = maps[g] ? maps[g](k) : [k % columns, Math.floor(k / columns)];
    const size = maps[g] ? (side * scale) / 2 : side * scale;
    context.drawImage(cell, EDGE + g * (width + EDGE) + x * step, EDGE + y * step, size, size);
  }));
  context.fillStyle = `rgb(${readTheme()})`;
  lines.forEach((text, i) => context.fillText(text, EDGE, bottom + LINE * (i + 1)));
  canvas.toBlob((blob) => saveFile(name, blob));
}

/** Buttons for the settings, if there are any, and for the link. name: () => of the file; settings: () => values;
 *  called: what the button calls them. */
export function addShareButtons({$}, name, settings, called = "settings") {
  const button = (action, content) =>
    elementOf(html`<button type="button" class="link" data-do="${action}">${content}</button>`);
  const json = button("settings", html`${called} <i>json</i>`), copy = button("link", "Copy link");
  const ariaLabel = "Link to what is on show";
  const field = make("input", {className: "address", readOnly: true, hidden: true, ariaLabel});
  copy.setAttribute("aria-live", "polite");
  json.onclick = () => saveJson(`${name()}.json`, {...settings(), link: pageLink()});
  copy.onclick = async () => {
    field.value = pageLink();
    const copied = await navigator.clipboard?.writeText(field.value).then(() => true, () => false);
    field.hidden = Boolean(copied);
    if (!copied) field.select();  // in a frame that may not write there, the visitor can
    copy.textContent = copied || document.execCommand("copy") ? "Copied" : "Copy it here:";
    setTimeout(() => { copy.textContent = "Copy link"; }, 4000);
  };
  $(".save").append(...(settings ? [json] : []), copy, field);
}
