// The figure "Bend it": 32 pictures of a machine before and after it was altered, knobs over what is altered, one pair large.
// trigger("bend") asks the server; `hear` gets the answers, pass by pass. Until the first comes, the sheet stored with
// the machine shows. Read after ink.js and caption_bend.js, in one scope with them.
const ACROSS = 8;  // pairs in a row
const {machines, start, amounts, kinds, usual, groups, symbols: SYMBOLS, version} = props.value;
const address = thatAreNot.address("bend-it"), visitor = crypto.randomUUID?.() ?? String(Math.random());
const about = ({machine}) => machines.find(({name}) => name === machine);
const now = {cell: 0, pass: null, ...linked()};
let film = null;    // the newest answer, its pictures as light: what stands on the screen
let flight = null;  // the request that is under way
let asked = false;  // whether something changed since it left
let ticket = 0, undone = null;

const seed = (cell) => (film?.order.seed ?? now.seed) + cell;
const drawn = () => (film?.known && film.order.machine === now.machine ? film.known.drawn : about(now).kind === "decoder");
const known = () => (film?.known && film.order.machine === now.machine ? film.known : null);
const at = () => Math.min(now.pass ?? Infinity, film.frames.length - 1);

function fresh(of, operator) {  // how an operator is at first on a machine
  const {strength, start: from, passes} = usual[operator], numbers = of.iterations, middle = numbers[Math.floor((numbers.length - 1) / 2)];
  const looks = of.kind === "decoder" ? {} : of.kind === "kaleidoscope" ? {transform: "noise", amount: [2], channels: "all"} : {transform: "rotate", amount: [45], channels: "all"};
  const other = machines.find(({name, kind}) => name !== of.name && kind === "iterations") ?? machines.find(({name}) => name !== of.name);
  const often = operator === "glitch" && of.kind !== "decoder" ? 0.02 : strength;  // from pass to pass it adds up
  return {machine: of.name, operator, strength: often, start: from, passes, layer: "", ...looks, one: "", another: "", parent: middle, child: numbers.at(-1), other: other?.name ?? ""};
}

// ---- asking: one request at a time; the server ends it when it hears of a newer one
function ask() {
  asked = true;
  article.dataset.state = "asked";
  knobs();
  awaited();
  if (flight) server.note({visitor, ticket: ++ticket});
  fly();
}

function fly() {
  if (flight || !asked) return;
  asked = false;
  const {cell, pass, ...order} = now, mine = ++ticket;
  const lost = () => hear({detail: {ticket: mine, done: true, error: "The server does not answer: turn a knob to ask it again."}});
  flight = {ticket: mine, order, film: {order, frames: []}, answer: awaiting(lost)};
  trigger("bend", {visitor, ticket: mine, ...order});
}

function hear({detail}) {
  if (!detail || detail.ticket !== flight?.ticket) return;
  const {film: mine, order, answer} = flight, news = (detail.frames ?? []).slice(mine.frames.length);
  if (detail.before) Object.assign(mine, {shape: detail.shape, known: detail.known, before: mine.before ?? bytes(detail.before)});
  mine.frames.push(...news.map(bytes));
  if (mine.frames.length && (news.length || film !== mine)) show(mine);
  answer.heard();
  if (!detail.done) return;
  answer.over();
  flight = null;
  const named = order.layer || order.one || order.another;
  if (detail.error && !film?.known && named) return turn({layer: "", one: "", another: ""});  // a link named what is not there
  if (!asked) {
    complain(detail.error);
    $(".couples").classList.toggle("stale", Boolean(detail.error));  // they are not what was asked for
    article.dataset.state = "drawn";
    awaited();
    knobs();
  }
  fly();
}

function complain(text) {
  $(".problem").textContent = text || "";
  $(".problem").hidden = !text;
}

function awaited() {  // another machine wakes up: whose pictures are these?
  const other = film && article.dataset.state === "asked" && film.order.machine !== now.machine;
  $(".awaited").textContent = other ? `Waking ${brief(about(now))} up; until then, these are of ${brief(about(film.order))}.` : "";
  $(".couples").classList.toggle("former", Boolean(other));
}

// ---- the pairs
const cells = Array.from({length: SYMBOLS}, () => make("button", {type: "button", className: "cell"}, blank(), blank()));

function draw(canvas, light, cell) {
  const [channels, height, width] = film.shape;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
  if (light) (channels === 1 ? paint : paintColours)(canvas, light, cell * channels * height * width);
  else paint(canvas, null);
}

function show(newer) {
  film = newer;
  const after = film.frames[at()], marked = film.known?.marked ?? [];
  cells.forEach((cell, k) => {
    draw(cell.children[0], film.before, k);
    draw(cell.children[1], after, k);
    cell.classList.toggle("marked", Boolean(marked[k]));
    cell.setAttribute("aria-label", `Seed ${seed(k)}, before and after${marked[k] ? ", rewritten" : ""}`);
    cell.setAttribute("aria-pressed", k === now.cell);
    cell.tabIndex = k === now.cell ? 0 : -1;
  });
  article.dataset.ready = "true";
  $(".legend .marks").hidden = !marked.length;
  $(".legend .marks").textContent = `framed: “${film.known?.one}” to a judge`;
  passing();
  sums(after);
  one(after);
  if (film.known) caption();
}

function passing() {  // the way through the passes
  const last = film.frames.length - 1, input = $("[data-knob=frame]"), end = film.order.operator === "chain" ? film.order.strength : film.order.passes;
  $(".passing").hidden = last < 1;
  input.max = Math.max(1, last);
  slide(input, Math.max(0, at()));
  $(".passing output").textContent = `pass ${Math.max(0, at())} of ${Math.max(last, end)}`;
}

function sums(after) {
  const size = film.before.length / SYMBOLS, moved = (cell) => Math.sqrt(film.before.subarray(cell * size, (cell + 1) * size).reduce((sum, light, i) => sum + ((light - after[cell * size + i]) / 255) ** 2, 0) / size);
  const mean = after && cells.reduce((sum, _, cell) => sum + moved(cell), 0) / SYMBOLS;
  $(".sums").innerHTML = after ? `<p>changed by <b>${mean.toFixed(2)}</b> on average: 0 is the same picture, 1 black against white (root of the mean squared difference).</p>` : "";
}

function one(after) {
  const [before, now_, added] = $$(".trio canvas"), words = ["before", "after", "what was added"];
  $(".one .seed").textContent = seed(now.cell);
  draw(before, film.before, now.cell);
  draw(now_, after, now.cell);
  offering(after);
  $$(".trio figure")[2].hidden = film.shape[0] !== 1;
  if (film.shape[0] === 1) overlay(added, after ?? film.before);
  $$(".trio figcaption").forEach((each, i) => { each.textContent = words[i]; });
  [before, now_, added].forEach((canvas, i) => canvas.setAttribute("aria-label", `Seed ${seed(now.cell)}: ${words[i]}`));
}

function overlay(canvas, after) {  // the picture before pale, and over it what is new, in the one colour
  const [, height, width] = film.shape, area = height * width, from = now.cell * area, picture = new ImageData(width, height);
  const here = getComputedStyle(article).getPropertyValue("--here").match(/[\da-f]{2}/gi).map((two) => parseInt(two, 16));
  for (let i = 0; i < area; i++) {
    const was = film.before[from + i] / 255, over = Math.max(0, after[from + i] / 255 - was), under = 0.3 * was * (1 - over), alpha = over + under;
    for (let c = 0; c < 3; c++) picture.data[4 * i + c] = alpha ? (here[c] * over + ink[c] * under) / alpha : 0;
    picture.data[4 * i + 3] = 255 * alpha;
  }
  Object.assign(canvas, {width, height}).getContext("2d").putImageData(picture, 0, 0);
}

// ---- the knobs, and all that is said of them in words
const SCALE = {glitch: [(at) => Number((at ** 3).toPrecision(2)), Math.cbrt, 0, 1, 0.005], bend: [Number, Number, 0, 1, 0.01], blend: [Number, Number, -0.5, 2, 0.05], rewrite: [Number, Number, 0, 3, 0.05], chain: [Number, Number, 0, 30, 1]};  // handle to strength and back, and where it goes
const ENDS = {glitch: ["untouched", "all weights"], bend: ["untouched", "all the way"], blend: ["before the first", "beyond the second"], rewrite: ["untouched", "three times over"], chain: ["untouched", "30 passes"]};

function knobs() {
  const {operator, strength, layer, channels} = now, of = about(now), its = known(), said = {...now, ...(layer ? {} : named(its && film.order.operator === operator ? its : null))};
  const bend = operator === "bend", maps = its ? its.layers.find(([name]) => name === said.layer)?.[2] : of.kind !== "decoder" && of.kind !== "kaleidoscope";
  $(".numeral").textContent = operator === "glitch" ? part(strength).replace(" ", "\u2009") : operator === "chain" ? strength : signed(strength.toFixed(2));
  $(".where b").textContent = {glitch: "of the weights", blend: "of the way", chain: strength === 1 ? "pass" : "passes"}[operator] ?? "strength";
  $(".where span").textContent = brief(of);
  $(".says").textContent = strength === 0 && operator !== "blend" ? "Nothing is altered: both pictures are the same." : SAYS[operator](said, its);
  const shown = {passes: !drawn(), chance: chanced(now), random: channels === "random", cluster: channels === "cluster"};
  $$("[data-for]").forEach((knob) => { knob.hidden = !knob.dataset.for.split(" ").includes(operator) || shown[knob.dataset.with] === false; });
  press("operator", of.operators.map((name) => [name, OPERATORS[name]]));
  press("channels", [["all", "all"], ["random", "by chance"], ["cluster", "alike"]]);
  press("group", Array.from({length: groups}, (_, i) => [i, String(i + 1)]));
  press("start", [["symbols", "its symbols"], ["noise", "noise"]]);
  list("machine", machines.map((each) => [each.name, titled(each)]));
  list("transform", Object.keys(amounts).filter((name) => maps || !MAPS.includes(name) || name === now.transform).map((name) => [name, TRANSFORMS[name][0]]));
  list("kind", kinds.map((name) => [name, KINDS[name]]));
  list("parent", of.iterations.map((number) => [number, number]));
  list("child", of.iterations.map((number) => [number, number]));
  list("other", machines.filter(({name, kind}) => name !== now.machine && NOUNS[kind]).map((each) => [each.name, titled(each)]));
  const names = {bend: its?.layers.map(([name]) => name), glitch: its && ["", ...its.weights], rewrite: its?.memories}[operator] ?? [said.layer];
  list("layer", names.map((name) => [name, name ? wheres(name, its).long : operator === "glitch" ? "all layers" : "the usual one"]), said.layer);
  ["one", "another"].forEach((knob) => list(knob, (its?.classes ?? [said[knob]]).map((name) => [name, name || "…"]), said[knob]));
  $(".channel").textContent = maps ? "maps" : "neurons";
  if (bend) sliders();
  const [, back, low, high, step] = SCALE[operator], bar = $("[data-knob=strength]");
  Object.assign(bar, {min: low, max: high, step});
  slide(bar, back(strength));
  bar.setAttribute("aria-valuetext", $(".numeral").textContent);
  $$(".ends span").forEach((end, i) => { end.textContent = ENDS[operator][i]; });
  ["share", "passes"].forEach((knob) => slide($(`[data-knob=${knob}]`), now[knob]));
  const texts = {share: part(now.share), passes: String(now.passes), seed: `${now.seed} to ${now.seed + SYMBOLS - 1}`};
  $$("[data-of]").forEach((output) => { output.textContent = texts[output.dataset.of]; });
  ["seed", "chance"].forEach((name) => { if (document.activeElement !== $(`[name=${name}]`)) $(`[name=${name}]`).value = now[name]; });
  $("[data-do=undo]").textContent = strength === 0 && undone ? "Redo" : "Undo";
  $("[data-do=undo]").setAttribute("aria-pressed", strength === 0);
  tell();
}

function sliders() {  // how much, as the transform takes it
  const box = $(".amounts"), wanted = amounts[now.transform];
  if (box.dataset.choices !== now.transform) {
    box.dataset.choices = now.transform;
    box.replaceChildren(...wanted.map(([unit, min, max, step], i) => {
      const input = make("input", {type: "range", min, max, step, ariaLabel: `Amount, ${unit}`});
      input.dataset.amount = i;
      return make("label", {}, make("span", {textContent: unit}), make("output", {}), input);
    }));
  }
  $$("input", box).forEach((input, i) => slide(input, now.amount[i]));
  $$("output", box).forEach((output, i) => { output.textContent = signed(now.amount[i]); });
  box.hidden = !wanted.length;
}

function slide(input, value) {
  input.value = value;
  input.style.setProperty("--at", (input.value - input.min) / Math.max(1e-9, input.max - input.min));
}

function press(knob, choices) {
  const group = $(`[data-knob=${knob}]`), key = JSON.stringify(choices);
  if (group.dataset.choices !== key) group.replaceChildren(...choices.map(([value, textContent]) => make("button", {type: "button", value, textContent})));
  group.dataset.choices = key;
  $$("button", group).forEach((button) => button.setAttribute("aria-pressed", button.value === String(now[knob])));
}

function list(knob, choices, value = now[knob]) {
  const box = $(`select[data-knob=${knob}]`), key = JSON.stringify(choices);
  if (box.dataset.choices !== key) box.replaceChildren(...choices.map(([value, textContent]) => make("option", {value, textContent})));
  box.dataset.choices = key;
  box.value = String(value);
}
