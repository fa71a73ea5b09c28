// One pair, large: by itself, switched on, what was added; and the neurons that were switched on in it.
// Read before creative.js, in one scope with it.
const percent = (share) => `${Number((100 * share).toPrecision(share < 0.0995 ? 2 : 3))} %`;
const short = (value) => (value === undefined ? "–" : String(Number(value.toPrecision(3))));
const counted = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

function one() {
  const [regular, modified, added] = $$(".trio canvas"), words = $$(".trio figcaption");
  const [near, far] = shown.distances?.[now.pair] || [], said = (value) => (value === undefined ? "" : `<b>${value.toFixed(2)}</b>`);
  $(".one .seed").textContent = seed(now.pair);
  draw(regular, shown.regular, now.pair);
  draw(modified, shown.images, now.pair);
  $$(".trio figure")[2].hidden = shown.shape[0] !== 1;
  if (shown.shape[0] === 1) overlay(added);
  [`regular ${said(near)}`, `${now.method} ${said(far)}`, "what was added"].forEach((text, i) => { words[i].innerHTML = text; });
  [regular, modified, added].forEach((canvas, i) => canvas.setAttribute("aria-label", `Seed ${seed(now.pair)}: ${words[i].textContent}`));
  $(".neurons").replaceChildren(...rows());
  cells.forEach((cell, pair) => {
    cell.setAttribute("aria-pressed", pair === now.pair);
    cell.tabIndex = pair === now.pair ? 0 : -1;
  });
}

function give(to, which = "images") {  // one picture of the pair, with the settings it was drawn by
  const {experiment, method, band, neurons, gain, layer: at, seed: first} = shown.order, [channels, side] = shown.shape;
  const drawn = which === "regular" ? "regular" : method, size = channels * side * side, from = now.pair * size;
  const many = {"low-active": [`${neurons} neurons of percentiles ${band.join(" to ")}`], random: [`${neurons} neurons`]}[drawn] || [];
  const how = drawn === "regular" ? [] : [...many, `gain ${gain}`, `layer ${at > 0 ? at : layers()}`];
  offer(to, {light: shown[which].subarray(from, from + size), side, channels, caption: [experiment, drawn, ...how, `seed ${first + now.pair}`].join(", ")});
}

function overlay(canvas) {  // the regular picture pale, and over it what is new, in the one colour
  const [, height, width] = shown.shape, area = height * width, at = now.pair * area, picture = new ImageData(width, height);
  const here = getComputedStyle(article).getPropertyValue("--here").match(/[\da-f]{2}/gi).map((two) => parseInt(two, 16));
  for (let i = 0; i < area; i++) {
    const before = shown.regular[at + i] / 255, after = shown.images[at + i] / 255;
    const over = Math.max(0, after - before), under = 0.3 * before * (1 - over), alpha = over + under;
    for (let c = 0; c < 3; c++) picture.data[4 * i + c] = alpha ? (here[c] * over + ink[c] * under) / alpha : 0;
    picture.data[4 * i + 3] = 255 * alpha;
  }
  Object.assign(canvas, {width, height}).getContext("2d").putImageData(picture, 0, 0);
}

function rows() {
  const say = (text) => [make("p", {className: "none", textContent: text})];
  if (!shown.layer) return say("The network is waking up; which neurons they are will stand here.");
  if (now.method === "regular") return say("Nothing is touched: both pictures are the same.");
  if (now.method === "noisy") return say(`Noise falls on ${counted(shown.touched, "neuron")} of ${shown.layer.neurons.toLocaleString("en")}, on others in each pair.`);
  const chosen = shown.neurons[now.pair].filter((neuron) => neuron >= 0), top = Math.max(...chosen.flatMap((k) => shown.known[k].slice(1)), 1e-9);
  if (!chosen.length) return say("No neuron is switched on: both pictures are the same.");
  const x = (value) => (98 * value) / top + 1;
  const head = `<span>neuron</span><span>fires for</span><span><i class="dot"></i> switched on at <i class="bar-of"></i> by itself</span><span>×<em> its most</em></span>`;
  return [make("div", {className: "row head", innerHTML: head}), ...chosen.map((k) => {
    const [often, value, mean, peak] = shown.known[k];
    const label = `Neuron ${k} fires for ${percent(often)} of the training images, at ${short(mean)} on average and ${short(peak)} at most; here it is at ${short(value)}`;
    const line = `<rect x="1" y="6" width="${x(peak) - 1}" height="4"/><line x1="${x(mean)}" x2="${x(mean)}" y1="3" y2="13"/>`;
    const scale = `<svg viewBox="0 0 100 16" preserveAspectRatio="none" role="img" aria-label="${label}">${line}</svg>`;
    const dot = `<i class="dot" style="left: ${x(value)}%"></i>`;
    return make("div", {className: "row", title: label, innerHTML: `<span>${k}</span><span>${percent(often)}</span><span class="scale">${scale}${value ? dot : ""}</span><span>${value ? (value / peak).toFixed(1) : "–"}</span>`});
  })];
}

