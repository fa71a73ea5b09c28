// The figure "Creative decoder": pairs of pictures of one code each, knobs over them, one pair large with its neurons.
// trigger("draw") asks the server; `hear` gets the answers. Until the first comes, the sheet stored with the decoder shows.
// Read after ink.js and pair.js, in one scope with them.
const METHODS = ["low-active", "random", "noisy", "regular"], ACROSS = 4;
const {decoders, start, pairs: PAIRS, version} = props.value;
const names = decoders.map(({name}) => name), address = thatAreNot.address("creative-decoder");
const now = {...start, band: [...start.band], experiment: decoders[0].name, pair: 0, ...linked()};
let shown = null;   // the newest answer, its pictures as light: what stands on the screen
let flight = null;  // the request that is under way
let asked = false;  // whether something changed since it left
let ticket = 0;

const switches = () => now.method === "low-active" || now.method === "random";
const idle = () => now.method === "regular" || now.gain === 0 || (switches() && now.neurons === 0);
const layers = () => shown?.layer?.of ?? 3;
const layer = () => (now.layer > 0 ? now.layer : layers());
const seed = (pair) => now.seed + pair;

// ---- asking: one request at a time; what changes meanwhile waits, and only the newest of it is asked for
function ask() {
  asked = true;
  article.dataset.state = "asked";
  knobs();
  awaited();
  fly();
}

function fly() {
  if (flight || !asked) return;
  asked = false;
  const {pair, ...order} = now, mine = ++ticket;
  const lost = () => hear({detail: {ticket: mine, error: "The server does not answer: turn a knob to ask it again."}});
  flight = {ticket: mine, order, answer: awaiting(lost), slow: setTimeout(() => article.classList.toggle("waiting", Boolean(shown?.layer)), 500)};
  trigger("draw", {ticket: mine, ...order});
}

function hear({detail}) {
  if (!detail || detail.ticket !== flight?.ticket) return;
  flight.answer.over();
  clearTimeout(flight.slow);
  const {order} = flight;
  flight = null;
  article.classList.remove("waiting");
  if (detail.error && !shown?.layer && now.layer > 0) return turn({layer: -1});  // a link named a layer that is not there
  complain(detail.error);
  $(".pairs").classList.toggle("stale", Boolean(detail.error));  // they are not what was asked for
  if (!detail.error) show({...detail, order, regular: bytes(detail.regular), images: bytes(detail.images)});
  if (!asked) article.dataset.state = "drawn";
  awaited();
  fly();
}

function complain(text) {
  $(".problem").textContent = text || "";
  $(".problem").hidden = !text;
}

function awaited() {  // another decoder wakes up: whose pictures are these?
  const title = (experiment) => decoders.find(({name}) => name === experiment).title;
  const other = shown && article.dataset.state === "asked" && shown.order.experiment !== now.experiment;
  $(".awaited").textContent = other ? `Waking ${title(now.experiment)} up; until then, these are ${title(shown.order.experiment)}.` : "";
  $(".pairs").classList.toggle("former", Boolean(other));
}

// ---- the pairs
const cells = Array.from({length: PAIRS}, () =>
  make("button", {type: "button", className: "cell"}, blank(), blank(), make("i"), make("i")));

function draw(canvas, light, pair) {
  const [channels, height, width] = shown.shape;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
  (channels === 1 ? paint : paintColours)(canvas, light, pair * channels * height * width);
}

function show(answer) {
  shown = answer;
  const most = Math.max(8, ...(shown.distances || []).flat());
  cells.forEach((cell, pair) => {
    const [regular, modified, a, b] = cell.children, [near, far] = shown.distances?.[pair] || [0, 0];
    draw(regular, shown.regular, pair);
    draw(modified, shown.images, pair);
    a.style.setProperty("--long", near / most);
    b.style.setProperty("--long", far / most);
    cell.setAttribute("aria-label", `Pair of seed ${seed(pair)}${far ? `, distance ${short(near)} and ${short(far)}` : ""}`);
  });
  knobs();
  sums();
  one();
}

function sums() {
  const mean = (side) => shown.distances.reduce((sum, pair) => sum + pair[side], 0) / PAIRS;
  const row = (what, side) => `<span class="${what}">${what} <b>${mean(side).toFixed(2)}</b></span>`;
  const dead = shown.layer?.dead, all = shown.layer?.neurons;
  const means = shown.distances ? `<p class="means">distance ${row("regular", 0)} ${row("modified", 1)}</p>` : "";
  const what = shown.distances ? "The bar under a picture, and its mean above: how far the picture is from what the network makes of it when it looks at it. " : "";
  const lacking = shown.neurons ? shown.neurons.filter((chosen) => chosen.includes(-1)).length : 0;
  const fewer = lacking ? `${counted(lacking, "pair has", "pairs have")} fewer neurons to switch on than asked for. ` : "";
  const never = !shown.layer ? "" : dead ? `${dead.toLocaleString("en")} of the ${counted(all, "neuron")} in layer ${shown.layer.number} never fire, and are left out.` : `None of the ${counted(all, "neuron")} in layer ${shown.layer.number} is dead.`;
  $(".sums").innerHTML = `${means}<p>${what}${fewer}${never}</p>`;
}

// ---- the knobs, and all that is said of them in words
const SAYS = {  // one: whether it is a single neuron
  "low-active": (count, one) => `In each pair, ${count} that ${one ? "seldom fires, and was" : "seldom fire, and were"} silent for this drawing, ${one ? "is switched on" : "are switched on: one by chance, the others because they mostly fire along with it"}.`,
  random: (count, one) => `In each pair, ${count} that ${one ? "was" : "were"} silent for this drawing ${one ? "is" : "are"} switched on, drawn by chance among all, however often ${one ? "it fires" : "they fire"}.`,
  noisy: () => `In each pair, random noise falls on ${shown?.noise ? percent(shown.noise[0]) : "a tenth"} of the neurons of the layer, drawn by chance.`,
  regular: () => "Nothing is touched: both pictures are what the network draws by itself.",
};

function knobs() {
  const {method, band, neurons, gain} = now, [low, high] = band, known = shown?.layer;
  const count = {noisy: shown?.noise && known ? Math.round(shown.noise[0] * known.neurons) : "", regular: 0}[method] ?? neurons;
  $(".numeral").textContent = count;
  $(".where b").textContent = {noisy: "neurons disturbed", regular: "neurons touched"}[method] ?? (neurons === 1 ? "neuron switched on" : "neurons switched on");
  $(".where span").textContent = `${known ? `of ${known.neurons.toLocaleString("en")} in ` : ""}layer ${layer()}`;
  $(".says").textContent = idle() && method !== "regular" ? "Nothing is added, so that both pictures are the same." : SAYS[method](counted(neurons, "neuron"), neurons === 1);
  $$("[data-for]").forEach((knob) => { knob.disabled = !knob.dataset.for.split(" ").includes(method); });
  press("experiment", decoders.map(({name, title}) => [name, title]));
  press("method", METHODS.map((name) => [name, name]));
  press("layer", Array.from({length: layers()}, (_, i) => [i + 1, String(i + 1)]), layer());
  slide($("[data-knob=neurons]"), neurons);
  slide($("[data-knob=gain]"), gain);
  edges().forEach((edge, i) => {
    slide(edge, band[i]);
    edge.setAttribute("aria-valuetext", `percentile ${band[i]}`);
    edge.style.zIndex = i === 0 && band[0] > 50 ? 2 : 1;
  });
  $(".band").style.setProperty("--from", low / 100);
  $(".band").style.setProperty("--to", high / 100);
  const said = {band: `percentiles ${low} to ${high}`, neurons: String(neurons), gain: `× ${gain.toFixed(2)}`, seed: `${now.seed} to ${seed(PAIRS - 1)}`};
  $$("[data-of]").forEach((output) => { output.textContent = said[output.dataset.of]; });
  if (document.activeElement !== $("[name=seed]")) $("[name=seed]").value = now.seed;
  plot(known?.often || [], low, high);
  caption();
}

const edges = () => $$("[data-edge]");

function slide(input, value) {
  input.value = value;
  input.style.setProperty("--at", (value - input.min) / (input.max - input.min));
}

function press(knob, choices, value = now[knob]) {
  const group = $(`[data-knob=${knob}]`);
  const same = group.children.length === choices.length;
  if (!same) group.replaceChildren(...choices.map(([key, textContent]) => make("button", {type: "button", value: key, textContent})));
  $$("button", group).forEach((button) => button.setAttribute("aria-pressed", button.value === String(value)));
  group.hidden = choices.length < 2;
}

function plot(often, low, high) {  // how often the living neurons fire, the least active first; the band filled
  const height = (share) => 40 - 38 * Math.sqrt(share), points = often.map((share, i) => `${i},${height(share).toFixed(2)}`);
  const area = (from, to) => `<polygon points="${from},40 ${points.slice(from, to + 1).join(" ")} ${to},40"/>`;
  const filled = points.length ? `${area(0, 100)}<g>${area(low, high)}</g>` : "";
  $(".plot").innerHTML = `<svg viewBox="0 0 100 40" preserveAspectRatio="none">${filled}</svg>`;
  const many = shown?.layer?.band, fire = points.length ? `in this band, which fire for ${percent(often[low])} to ${percent(often[high])} of the training images` : "";
  $(".within").textContent = !points.length ? "" : now.method === "low-active" && many !== null ? `${counted(many, "neuron")} ${fire}` : "";
}

// ---- what a visitor does
function turn(changes) {
  Object.assign(now, changes);
  ask();
}

function sow(text) {
  const most = 2 ** 32 - PAIRS;
  if (!/^\d{1,19}$/.test(text) || Number(text) > most) return complain(`“${text.slice(0, 40)}” is no seed: give a whole number from 0 to ${most}.`);
  address.sow(text);
  turn({seed: Number(text)});
}

async function open(experiment) {  // what is stored with a decoder is there at once
  const {sheet} = decoders.find(({name}) => name === experiment);
  Object.assign(now, {experiment});
  const usual = Object.keys(start).every((key) => String(now[key]) === String(start[key]));
  if (sheet && (usual || !shown)) {
    const {light, side, channels} = await decode(sheet, 16), area = channels * side * side;
    const half = (odd) => Uint8ClampedArray.from({length: PAIRS * area}, (_, i) => light[(2 * Math.floor(i / area) + odd) * area + (i % area)]);
    if (now.experiment === experiment) show({shape: [channels, side, side], order: {...start, experiment}, regular: half(0), images: half(1)});
    article.dataset.ready = "true";
  }
  ask();
}

const doing = {
  keep: () => give("keep"), keepRegular: () => give("keep", "regular"), ask: () => give("ask"),
  dice: () => sow(String(Math.floor(Math.random() * 2 ** 31))),
  reset: () => { complain(""); turn({...start, band: [...start.band]}); },
  picture: () => print([cells.flatMap((cell) => [...cell.children].slice(0, 2))], `${now.experiment}_${now.method}_seed-${now.seed}.png`, 2 * ACROSS),
};

$(".heads").replaceChildren(...Array.from({length: ACROSS}, () => make("p", {innerHTML: "<span>regular</span><span>modified</span>"})));
$(".pairs").replaceChildren(...cells);
$(".pairs").onclick = (event) => pick(cells.indexOf(event.target.closest(".cell")));
$(".pairs").onkeydown = (event) => {
  const across = getComputedStyle($(".pairs")).gridTemplateColumns.split(" ").length;
  const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across}[event.key];
  if (!step) return;
  event.preventDefault();
  event.stopPropagation();
  cells[clamp(cells.indexOf(event.target.closest(".cell")) + step, 0, PAIRS - 1)].focus();
};

function pick(pair) {
  if (pair < 0 || !shown) return;
  now.pair = pair;
  address.sow(seed(pair));
  one();
  caption();
  if ($(".one").getBoundingClientRect().top > innerHeight) $(".one").scrollIntoView({behavior: "smooth"});
}

element.addEventListener("click", (event) => {
  const button = event.target.closest("button"), knob = button?.closest(".options")?.dataset.knob;
  if (knob === "experiment") open(button.value);
  else if (knob) turn({[knob]: knob === "layer" ? Number(button.value) : button.value});
  else doing[button?.dataset.do]?.();
});
element.addEventListener("input", ({target}) => {
  if (target.dataset.knob) turn({[target.dataset.knob]: Number(target.value)});
  if (!target.dataset.edge) return;
  const edge = Number(target.dataset.edge), band = [...now.band];
  band[edge] = edge ? Math.max(Number(target.value), band[0] + 1) : Math.min(Number(target.value), band[1] - 1);
  target.value = band[edge];  // a handle stops before the other
  turn({band});
});
$("[name=seed]").onchange = ({target}) => sow(target.value.trim());
$(".knobs").onsubmit = (event) => { event.preventDefault(); sow($("[name=seed]").value.trim()); };
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input:not([type=range]), select, textarea")) return;
  if (event.key === "k" && shown && article.offsetParent) give("keep");
});
window.addEventListener("that-are-not-pairs", hear);
redip(() => shown && show(shown));
$(".tune").open = !matchMedia("(max-width: 639px)").matches;  // on a phone the pictures come first
dip();
knobs();
footer(() => `${now.experiment}_${now.method}_seed-${now.seed}`, settings);
address.shown(() => { const chosen = address.seed(2 ** 32 - PAIRS); if (chosen !== undefined && chosen !== now.seed) turn({seed: chosen}); });
open(now.experiment);
