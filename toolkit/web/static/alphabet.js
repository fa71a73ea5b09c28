// The symbols of the tray as an alphabet: a line of text in them, and the files to take away.
// Sheet and settings are made here; trigger("take") asks the server for the other files, `hear` gets the answer.
// Read after ink.js and before tray.js, in one scope with them.
const LETTERS = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"];
const LUMA = [0.299, 0.587, 0.114];  // of red, green and blue
const HEIGHT = 64, BEARING = 3, SPACE = 22, INKED = 96;  // pixels in a line; light that is ink
const tray = {kept: [], name: "Alphabet", line: "", at: 0};  // kept: {light, side, channels, caption, key}; at: where arrow keys start from
let flight = null, ticket = 0;  // {ticket, answer}: the file that is on its way

const visible = (key) => typeof key === "string" && [...key].length === 1 && !/[\s\p{C}\p{M}]/u.test(key);
const unused = () => LETTERS.find((letter) => tray.kept.every(({key}) => key !== letter)) ?? "";
const amiss = ({key}) => (!key ? "no key" : tray.kept.filter((each) => each.key === key).length > 1 ? `“${key}” twice` : "");
const encoded = (light) => btoa(String.fromCharCode(...light));
const whole = (side, extent) => (side <= extent ? Math.floor(extent / side) : 1 / Math.ceil(side / extent));  // screen pixels per pixel

function drawn({light, side, channels}) {
  const canvas = blank(side);
  (channels === 1 ? paint : paintColours)(canvas, light);
  return canvas;
}

function greyed({light, side, channels}) {  // one ink, as in a font: colours by how bright they are
  const area = side * side, weights = channels === 3 ? LUMA : [1];
  return Uint8Array.from({length: area}, (_, i) => weights.reduce((sum, weight, c) => sum + weight * light[c * area + i], 0));
}

// ---- a line of text in the symbols, set as the font is: by the width of their ink
const lineOf = () => tray.line || tray.kept.map(({key}) => key).join("");
const swapped = (sign) => (sign === sign.toLowerCase() ? sign.toUpperCase() : sign.toLowerCase());
const bySign = (sign) => tray.kept.find(({key}) => key === sign) ?? tray.kept.find(({key}) => key === swapped(sign));

function setting(sign) {  // {advance, draw}: how a character stands in a line, from its left upper corner
  const one = bySign(sign);
  if (!one && !sign.trim()) return {advance: SPACE, draw: () => {}};
  if (!one) return {advance: SPACE + 2 * BEARING, lacking: true, draw: (context, x, y) => context.strokeRect(x + BEARING + 0.5, y + 10.5, SPACE, 40)};
  const {side} = one, grey = greyed(one), scale = whole(side, HEIGHT), picture = drawn({light: grey, side, channels: 1});
  let from = side, to = 0;
  grey.forEach((value, i) => { if (value > INKED) [from, to] = [Math.min(from, i % side), Math.max(to, (i % side) + 1)]; });
  if (!to) [from, to] = [0, side];
  const wide = Math.round((to - from) * scale);
  const draw = (context, x, y) => context.drawImage(picture, from, 0, to - from, side, x + BEARING, y, wide, side * scale);
  return {advance: wide + 2 * BEARING, draw};
}

function write() {  // word by word, a new row where one does not fit
  const canvas = $(".written"), width = Math.max(HEIGHT, Math.floor(canvas.parentElement.clientWidth)), row = HEIGHT + 12;
  const known = new Map([...new Set(lineOf())].map((sign) => [sign, setting(sign)])), placed = [];
  let x = 0, y = 0;
  const set = (its) => {
    if (x && x + its.advance > width) [x, y] = [0, y + row];
    placed.push([its, x, y]);
    x += its.advance;
  };
  for (const word of lineOf().split(/(\s+)/)) {
    const all = [...word].map((sign) => known.get(sign)), long = all.reduce((sum, {advance}) => sum + advance, 0);
    if (x && word.trim() && long <= width && x + long > width) [x, y] = [0, y + row];
    if (word.trim()) all.forEach(set);
    else x += x && long;  // no row begins with a space
  }
  Object.assign(canvas, {width, height: y + row});
  const context = canvas.getContext("2d"), strokeStyle = getComputedStyle(article).getPropertyValue("--quiet");
  Object.assign(context, {imageSmoothingEnabled: false, strokeStyle});
  for (const [its, left, top] of placed) its.draw(context, left, top);
  canvas.setAttribute("aria-label", `“${lineOf()}”, written in the symbols`);
  const lacking = [...known].filter(([, its]) => its.lacking).map(([sign]) => `“${sign}”`);
  $(".lacking").textContent = lacking.length ? `No symbol has the key ${lacking.join(", ")}.` : "";
}

// ---- files
function sheet() {  // symbols of several sizes stand in cells of one size, enlarged by whole factors
  const side = Math.max(...tray.kept.map((one) => one.side));
  const cells = tray.kept.map((one) => {
    const cell = blank(side), context = cell.getContext("2d"), large = one.side * whole(one.side, side), edge = Math.floor((side - large) / 2);
    context.imageSmoothingEnabled = false;
    context.drawImage(drawn(one), edge, edge, large, large);
    return cell;
  });
  print([cells], "alphabet.png", clamp(Math.ceil(1.6 * Math.sqrt(cells.length)), 5, 10));
}

function settings() {
  const symbols = tray.kept.map(({key, caption, side, channels}) => ({key, caption, side, channels}));
  const facts = {made_with: `That Are Not ${version}`, name: tray.name, symbols};
  deliver("alphabet.json", new Blob([`${JSON.stringify(facts, null, 2)}\n`], {type: "application/json"}));
}

function take(kind) {
  const wrong = kind === "font" && tray.kept.find(amiss);
  if (flight) return;
  if (wrong) return complain(wrong.key ? `Two symbols have the key “${wrong.key}”: give one of them another.` : "A symbol has no key: give it one, or remove it.");
  const mine = ++ticket, lost = () => hear({detail: {ticket: mine, error: "The server does not answer: ask it again."}});
  const symbols = tray.kept.map(({light, key, ...rest}, i) => ({...rest, light: encoded(light), key: kind === "font" ? key : LETTERS[i]}));
  flight = {ticket: mine, answer: awaiting(lost)};
  complain("");
  busy();
  trigger("take", {ticket: mine, kind, name: tray.name, symbols});
}

function hear({detail}) {
  if (!detail || detail.ticket !== flight?.ticket) return;
  flight.answer.over();
  flight = null;
  busy();
  complain(detail.error);
  if (!detail.error) setTimeout(() => document.querySelector("#take").click(), 100);  // once the link is drawn
}

function busy() {
  ["font", "outlines"].forEach((kind) => { $(`[data-do=${kind}]`).disabled = Boolean(flight); });
  $(".hint").textContent = flight ? "Drawing its outlines …" : `Install the file, and choose “That Are Not ${tray.name}” where a program asks for a font.`;
}

function complain(text) {
  $(".problem").textContent = text || "";
  $(".problem").hidden = !text;
}
