// What a visitor does in the figure "Bend it", and how it begins. Read after bend.js, in one scope with it.
const asNumber = ["group", "parent", "child"];

function turn(changes) {
  Object.assign(now, {pass: null, ...changes});
  ask();
}

function put(knob, value) {
  if (knob === "machine") return open(value);
  if (knob === "operator") return turn({...fresh(about(now), value), transform: now.transform, amount: now.amount, channels: now.channels});
  if (knob === "transform") return turn({transform: value, amount: amounts[value].map(([, , , , often]) => often)});
  turn({[knob]: asNumber.includes(knob) ? Number(value) : value});
}

async function open(machine) {  // what is stored with a machine is there at once
  const of = machines.find(({name}) => name === machine);
  if (machine !== now.machine) Object.assign(now, {...start, seed: now.seed, chance: now.chance, pass: null, ...fresh(of, of.operators.includes(now.operator) ? now.operator : "bend")});
  if (of.sheet && !film) await paper(of);
  ask();
}

async function paper(of) {  // of a decoder every other picture, of a kaleidoscope one row, of a run the first ones
  const image = make("img", {src: of.sheet});
  await image.decode();
  const decoder = of.kind === "decoder", columns = decoder ? 16 : of.kind === "kaleidoscope" ? image.naturalWidth / of.size : 10;
  const {light, side, channels} = await decode(of.sheet, columns), size = channels * side * side;
  const first = of.kind === "kaleidoscope" ? Math.min(4, Math.floor(light.length / size / columns) - 1) * columns : 0;
  if (film || light.length < ((decoder ? 2 : 1) * SYMBOLS + first) * size) return;
  const before = Uint8ClampedArray.from({length: SYMBOLS * size}, (_, i) => light[(first + Math.floor(i / size) * (decoder ? 2 : 1)) * size + (i % size)]);
  show({shape: [channels, side, side], order: {...now, seed: 0}, before, frames: []});
}

function sow(text, knob = "seed") {
  const most = knob === "seed" ? 2 ** 32 - SYMBOLS : 2 ** 32 - 1;
  if (!/^\d{1,19}$/.test(text) || Number(text) > most) return complain(`“${text.slice(0, 40)}” is no seed: give a whole number from 0 to ${most}.`);
  if (knob === "seed") address.sow(text);
  turn({[knob]: Number(text)});
}

const roll = () => Math.floor(Math.random() * 2 ** 31);
const any = (choices) => choices[Math.floor(Math.random() * choices.length)];

function surprise() {
  const of = about(now), operator = any(of.operators), changes = {...fresh(of, operator), chance: roll(), kind: any(kinds)};
  const names = Object.keys(amounts).filter((name) => (of.kind !== "decoder" && of.kind !== "kaleidoscope") || !MAPS.includes(name));
  const transform = any(names.filter((name) => name !== "ablate")), amount = amounts[transform].map(([, low, high, step, often]) => (often ? Number((Math.round((often * (0.5 + Math.random())) / step) * step).toFixed(2)) : often));
  const classes = known()?.classes ?? [], rest = operator === "rewrite" && classes.length > 1 ? {one: any(classes)} : {};
  if (rest.one) rest.another = any(classes.filter((name) => name !== rest.one));
  const fits = amount.map((value, i) => clamp(value, amounts[transform][i][1], amounts[transform][i][2]));
  turn({...changes, ...rest, ...(operator === "bend" ? {transform, amount: fits, channels: any(["all", "random", "cluster"]), share: any([0.25, 0.5, 0.75]), group: any([0, 1, 2, 3, 4])} : {})});
}

function undo() {
  if (now.strength === 0 && undone) return turn({strength: undone.operator === now.operator ? undone.strength : usual[now.operator].strength});
  undone = {operator: now.operator, strength: now.strength};
  turn({strength: 0});
}

function give(to, which) {  // one picture of the pair, with the settings it was drawn by
  const [channels, side] = film.shape, size = channels * side * side, from = now.cell * size, after = which !== "before", {order} = film;
  const light = after ? film.frames[at()] : film.before, own = Object.entries(whose({...order, ...named(film.known)})).map(([key, value]) => `${key} ${value}`);
  const how = after ? [order.operator, `strength ${order.strength}`, ...own, ...(film.frames.length > 1 ? [`pass ${at()}`] : [])] : ["before"];
  if (light) offer(to, {light: light.subarray(from, from + size), side, channels, caption: [order.machine, ...how, `seed ${seed(now.cell)}`].join(", ")});
}

const doing = {
  undo, surprise,
  keep: () => give("keep"), keepBefore: () => give("keep", "before"), ask: () => give("ask"),
  dice: () => sow(String(roll())), toss: () => sow(String(roll()), "chance"),
  reset: () => { complain(""); undone = null; turn({...start, ...fresh(machines[0], machines[0].operators[0])}); },
  picture: () => print(stacked(), `${name()}.png`, ACROSS),
};
const name = () => `${film.order.machine}_${film.order.operator}_seed-${film.order.seed}`;

function stacked() {  // a row before, a row after, and so on
  const rows = Array.from({length: SYMBOLS / ACROSS}, (_, row) => cells.slice(row * ACROSS, (row + 1) * ACROSS));
  return [rows.flatMap((row) => [0, 1].flatMap((which) => row.map((cell) => cell.children[which])))];
}

$(".couples").replaceChildren(...cells);
$(".couples").onclick = (event) => pick(cells.indexOf(event.target.closest(".cell")));
$(".couples").onkeydown = (event) => {
  const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -ACROSS, ArrowDown: ACROSS}[event.key];
  if (!step) return;
  event.preventDefault();
  event.stopPropagation();
  cells[clamp(cells.indexOf(event.target.closest(".cell")) + step, 0, SYMBOLS - 1)].focus();
};

function pick(cell) {
  if (cell < 0 || !film) return;
  now.cell = cell;
  address.sow(seed(cell));
  show(film);
  tell();
  if ($(".one").getBoundingClientRect().top > innerHeight) $(".one").scrollIntoView({behavior: "smooth"});
}

element.addEventListener("click", (event) => {
  const button = event.target.closest("button"), knob = button?.closest(".options")?.dataset.knob;
  if (knob) put(knob, button.value);
  else if (film) doing[button?.dataset.do]?.();
});
element.addEventListener("input", ({target}) => {
  const {knob, amount} = target.dataset, value = Number(target.value);
  if (target.type !== "range") return;
  if (knob === "frame") { now.pass = value >= film.frames.length - 1 ? null : value; return show(film); }
  if (amount) now.amount = now.amount.map((was, i) => (i === Number(amount) ? value : was));
  else now[knob] = knob === "strength" ? SCALE[now.operator][0](value) : value;
  if (drawn() && now.operator !== "chain") turn({});
  else knobs();  // passes take a while: they are asked for when the handle is let go
});
element.addEventListener("change", ({target}) => {
  if (target.matches("select")) put(target.dataset.knob, target.value);
  else if (target.name) sow(target.value.trim(), target.name);
  else if (target.dataset.knob !== "frame") turn({});
});
$(".knobs").onsubmit = (event) => { event.preventDefault(); const field = document.activeElement; if (field.name) sow(field.value.trim(), field.name); };
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input:not([type=range]), select, textarea")) return;
  const act = {k: "keep", u: "undo"}[event.key];
  if (act && film && article.offsetParent) doing[act]();
});
window.addEventListener("that-are-not-bent", hear);
redip(() => film && show(film));
$(".tune").open = !matchMedia("(max-width: 639px)").matches;  // on a phone the pictures come first
dip();
knobs();
footer(name, settings);
address.shown(() => { const chosen = address.seed(2 ** 32 - SYMBOLS); if (chosen !== undefined && chosen !== now.seed) turn({seed: chosen}); });
open(now.machine);
