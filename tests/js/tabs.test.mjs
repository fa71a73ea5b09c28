// What each tab computes by itself.
import assert from "node:assert/strict";
import test from "node:test";

const from = (name) => import(`../../toolkit/web/static/${name}.js`);
const {addFrames, decades, tickPlaces} = await from("kaleidoscope");
const {countEnds, interpolate, parsePoints} = await from("playground");
const {briefName, layerWords, longName, meanDistance, ownSettings, randomAmount, sentence, usesChance}
  = await from("bend");
const {figureName, isOnSheet, lifeOf, nearestModel, placesAt, rowOf, stripPasses, titleOf} = await from("runs");
const {claimRow, decimals, plotRange} = await from("claims");
const {histogramPoints, measure} = await from("novel");
const {inkedColumns, isVisible, layOut, summarise, wholeScale} = await from("tray");
const {chosenNeurons, explanation, neuronRows, summary} = await from("creative");
const {brightest, memoryText} = await from("latent");

// ---- Iterations

const entry = (iteration, bytes) => ({iteration, bytes, metrics: {}});
const thinned = {
  iterations: [entry(0, 0), entry(1, 0), entry(2, 9), entry(3, 0), entry(4, 9)], map: {places: {2: [[1, 2]]}},
};

test("a symbol of the sheets lives at every iteration, any other where there is a model", () => {
  assert.deepEqual(lifeOf(thinned, "99"), [1, 2, 3, 4]);
  assert.deepEqual(lifeOf(thinned, "100"), [2, 4]);
  assert.deepEqual([isOnSheet("0"), isOnSheet("007"), isOnSheet("100")], [true, false, false]);
});

test("the nearest model is the earlier of two that are as near, and none where there is none", () => {
  assert.deepEqual([0, 1, 2, 3, 4].map((iteration) => nearestModel(thinned, iteration)), [2, 2, 2, 2, 4]);
  assert.equal(nearestModel({iterations: [entry(1, 0)]}, 1), undefined);
});

test("rows, places and passes are found, or another is taken", () => {
  assert.deepEqual([rowOf(thinned, 3), rowOf(thinned, 9), rowOf(thinned, undefined, 4)], [3, -1, 4]);
  assert.deepEqual([placesAt(thinned, 2), placesAt(thinned, 3), placesAt({iterations: []}, 0)], [[[1, 2]], [], []]);
  assert.deepEqual([stripPasses(-1), stripPasses(3), stripPasses(20)],
    [[0], [0, 1, 2, 3], [0, 1, 2, 3, 4, 6, 9, 13, 19, 20]]);
});

test("a card says which figure or year, and which of its runs it is", () => {
  assert.deepEqual([figureName("3", "fig3"), figureName("2016", "digits-2016"), figureName(null, "mine")],
    ["Figure 3", "2016", "mine"]);
  assert.deepEqual([titleOf("fig3-seed1", "A run"), titleOf("fig3-linear", "A run"), titleOf("fig3", "A run")],
    ["seed 1: A run", "linear: A run", "A run"]);
});

// ---- Creative decoder

test("the neurons of a pair are listed with how they are by themselves, or it is said why there are none", () => {
  const layer = {neurons: 30}, known = {4: [0.01, 2, 0.5, 1]};
  const rows = (shown, method) => String(neuronRows(shown, {method, cell: 0}));
  assert.match(rows({layer, neurons: [[4, -1]], known}, "low-active"), /Neuron 4 fires for 1 % of the training images/);
  assert.match(rows({layer, neurons: [[-1]], known}, "random"), /No neuron is switched on/);
  assert.match(rows({layer, touched: 3}, "noisy"), /Noise falls on 3 neurons of 30/);
  assert.match(rows({layer}, "regular"), /Nothing is touched/);
  assert.match(rows({}, "low-active"), /waking up/);
});

test("a neuron is said with how many images fire it, or that none does", () => {
  const text = String(memoryText({neuron: 4, count: 9, fires: 0.05, of: 1000}));
  assert.match(text, /Neuron <b>4<\/b>, on for 5 % of the 1,000 built-in images.*the 9 that fire it most/);
  assert.deepEqual([...brightest([10, 30, 60], [10, 10, 80])], [0, 255, 0]);
  assert.match(memoryText({neuron: 4, count: 0, fires: 0, of: 1000}), /None of the 1,000 built-in images/);
});

test("what is under the pairs says mean distances, lacking neurons and dead ones", () => {
  const text = String(summary({distances: [[1, 2], [3, 4]], neurons: [[1, -1], [2, 3]],
    layer: {neurons: 30, number: 2, dead: 4}}));
  for (const part of ["<b>2.00</b>", "<b>3.00</b>", "1 pair has fewer", "4 of the 30 neurons in layer 2 never fire"]) {
    assert.ok(text.includes(part), part);
  }
  assert.ok(String(summary({layer: {neurons: 30, number: 2, dead: 0}})).includes("None of the 30 neurons"));
  assert.equal(String(summary({})), "<p></p>");
});

test("one neuron is said in the singular, and nothing added is said so", () => {
  const order = {method: "random", neurons: 1, gain: 1, band: [1, 15]};
  assert.match(explanation(order), /1 neuron that was silent for this drawing is switched on/);
  assert.match(explanation({...order, gain: 0}), /Nothing is added/);
  assert.match(explanation({...order, method: "noisy"}, 0.2), /20 % of the neurons/);
  assert.deepEqual(chosenNeurons({...order, method: "low-active"}), ["1 neurons of percentiles 1 to 15"]);
});

// ---- Kaleidoscope and its line

test("frames are unpacked from what changed, around 256, part after part", () => {
  const frames = addFrames([], Uint8Array.from([250, 1, 10, 255]), 2);
  addFrames(frames, Uint8Array.from([1, 1]), 2);
  assert.deepEqual(frames.map((frame) => [...frame]), [[250, 1], [4, 0], [5, 1]]);
});

test("labels of runs stand where they are on the slider, between two frames too, and where there is room", () => {
  const places = tickPlaces([0, 1, 2, 4, 8, 300], [0, 1, 3, 300, 301]);
  const found = places.map(([run, place]) => [run, Number(place.toFixed(3))]);
  assert.deepEqual(found, [[0, 0], [1, 0.2], [3, 0.5], [300, 1]]);
  assert.deepEqual(tickPlaces([...Array(101).keys()], [0, 1, 50]).map(([, , room]) => room), [true, false, true]);
  assert.deepEqual([1, 0.1, 1e-4, 1e-9].map(decades), [1, 0.75, 0, 0]);
});

test("a function is known between its places and flat beyond them", () => {
  assert.deepEqual([-1, 0, 0.25, 1, 2].map((place) => interpolate([0, 1, 4], place)), [0, 0, 0.5, 4, 4]);
});

test("samples end at the nearest point, or elsewhere", () => {
  assert.deepEqual(countEnds([0.2, 0.21, 0.79, 0.5], [0.2, 0.8]), {counts: [2, 1], astray: 1});
});

test("points are read with commas or spaces, and what is none is named", () => {
  assert.deepEqual(parsePoints(" 0.2, 0.8;1 ").points, [0.2, 0.8, 1]);
  assert.match(parsePoints("0.2 left").problem, /“left” is no point/);
});

// ---- Bend it

const order = {
  operator: "bend", strength: 1, layer: "decoder.1", transform: "multiply", amount: [-1.5], channels: "random",
  share: 0.25, group: 0, kind: "flip", one: "7", another: "3", parent: 2, child: 4, other: "fig2", chance: 5,
  start: "noise", passes: 3, styles: "coarse", psi: 1, noise: "on",
};
const digits = {name: "creative-mnist", kind: "decoder", title: "Digits"};
const run = {name: "fig2", kind: "iterations", title: "A"};

test("each operator is a sentence with its settings", () => {
  const say = (changes) => sentence({...order, ...changes}, [["decoder.1", 20, 0]], run);
  assert.equal(say({}), "While it draws, 25 % of the 20 neurons of layer decoder.1, chosen by chance, are multiplied by "
    + "−1.5. Its weights stay as they are.");
  assert.match(say({operator: "glitch", strength: 0.02}), /^2 % of the weights of layer decoder\.1, chosen by chance, are/);
  assert.match(say({operator: "blend", strength: 1.5}), /second: 0 is iteration 2, 1 is iteration 4, and this is 1\.5/);
  assert.match(say({operator: "rewrite"}), /where it meant “7”, it now finds what belongs to “3”/);
  assert.match(say({operator: "chain", strength: 1}), /handed on to the run fig2, which sees it again 1 time\./);
  const mix = (changes) => say({operator: "mix", ...changes});
  assert.equal(mix({}), "In the coarse layers, where the shape is, every picture takes the style of seed 5.");
  assert.match(mix({strength: 0.5, styles: "all", noise: "off"}), /^In all layers, .* 50 % of the way to .* silent\.$/);
  assert.equal(mix({strength: 0, psi: 0.7}), "With ψ 0.7 every style is nearer to the mean.");
});

test("a link and a file say the settings that count for an operator, and no others", () => {
  const keys = (changes, once) => Object.keys(ownSettings({...order, ...changes}, once)).join();
  assert.equal(keys({}, true), "transform,amount,layer,channels,share,chance");
  assert.equal(keys({channels: "all"}, false), "transform,amount,layer,channels,start,passes");
  assert.equal(keys({operator: "glitch", layer: ""}, true), "kind,chance");
  assert.equal(keys({operator: "blend"}, false), "parent,child,start,passes");
  assert.equal(keys({operator: "rewrite"}, false), "one,another,layer");
  assert.equal(keys({operator: "chain"}, false), "other");
  assert.equal(keys({operator: "mix"}, true), "styles,chance,psi,noise");
  assert.deepEqual([usesChance(order), usesChance({...order, channels: "all"}),
    usesChance({...order, channels: "all", transform: "noise"})], [true, false, true]);
});

test("machines and layers have a name in a list and one in a sentence", () => {
  assert.deepEqual([longName(digits), briefName(digits)], ["Decoder: Digits", "the decoder of digits"]);
  assert.deepEqual([longName(run), briefName(run)], ["Datasets That Are Not, fig2: A", "the run fig2"]);
  assert.equal(layerWords("conv", [["conv", 8, 14]]).long, "conv: 8 maps of 14 × 14");
  assert.equal(layerWords("", []).place, "one layer");
});

test("the same picture is 0 away, black from white 1", () => {
  const black = new Uint8ClampedArray(8), white = black.map(() => 255);
  assert.deepEqual([meanDistance(black, black, 2), meanDistance(black, white, 2)], [0, 1]);
});

test("an amount by chance is on the scale of its slider", () => {
  assert.equal(randomAmount(["degrees", -180, 180, 5, 45], () => 0.99), 65);
  assert.equal(randomAmount(["times", 0, 3, 0.1, 2.9], () => 0.99), 3);
  assert.equal(randomAmount(["down", -1, 1, 0.1, 0]), 0);
});

// ---- Is it new?, Claims

test("a histogram is a polygon of two points a bar, and a measure stands on the scale of digits", () => {
  assert.equal(histogramPoints([1, 2]), "0,40 0,22.0 50,22.0 50,4.0 100,4.0 100,40");
  const markup = String(measure({name: "ink", value: 5, within: [1, 2, 3], span: [0, 4], says: "more than any digit"}));
  assert.match(markup, /class="mark" style="left: 100\.0%"/);
});

const number = {mean: 1.5, low: 1, high: 2, n: 3};
const check = {measure: "distance", number, says: "over", bar: 1.1, verdict: "undecided", note: ""};

test("numbers of a check are as exact as in CLAIMS.md", () => {
  assert.deepEqual([123, 12, 1.2, 0.12].map((mean) => decimals({mean, low: null, high: null})), [0, 1, 2, 3]);
});

test("checks of a claim share a scale where all can be seen on it", () => {
  const far = {number: {mean: 1000, low: null, high: null}, bar: 900};
  const near = {number: {mean: 1.4, low: null, high: null}, bar: 1};
  assert.deepEqual(plotRange(check, [check, near]), plotRange(near, [check, near]));
  assert.ok(plotRange(check, [check, far]).width < 2);
});

test("a claim's words are text, its first check decides, and what was not run says so", () => {
  const claim = {
    key: "a", claim: "<img src=x>", paper: "P", figure: "2", verdict: "undecided", reason: "r", notes: ["n"],
    why_open: "run `toolkit`", picture: true, opens: null, checks: [check, {...check, number: null}],
  };
  const markup = String(claimRow(claim));
  assert.ok(!markup.includes("<img") && markup.includes("figure 2") && markup.includes("<code>toolkit</code>"));
  assert.ok(markup.indexOf("over 1.1?") < markup.indexOf("The first decides"));
  assert.ok(markup.includes("not run yet") && markup.includes('data-do="look"') && !markup.includes('data-do="open"'));
});

// ---- the tray

test("a key is one character that can be seen", () => {
  assert.deepEqual(["a", "ß", "𝔸", "", "ab", " ", "\u0301", "\u0007", 7].map(isVisible),
    [true, true, true, false, false, false, false, false, false]);
});

test("pixels stay pixels: symbols are scaled by whole factors", () => {
  assert.deepEqual([wholeScale(28, 64), wholeScale(64, 64), wholeScale(100, 64)], [2, 1, 0.5]);
});

test("a symbol is as wide as its ink, and one without ink as its square", () => {
  assert.deepEqual(inkedColumns([0, 200, 0, 0, 0, 0, 200, 0, 0], 3), [0, 2]);
  assert.deepEqual(inkedColumns(Array(9).fill(50), 3), [0, 3]);
});

test("a line breaks between words, within a word that is too long, and no row begins with a space", () => {
  const glyph = {advance: 10}, word = (count) => ({glyphs: Array(count).fill(glyph), isSpace: false});
  const space = {glyphs: [glyph], isSpace: true};
  const at = (words) => layOut(words, 35, 20).placed.map(({x, y}) => `${x},${y}`).join(" ");
  assert.equal(at([word(2), space, word(2)]), "0,0 10,0 0,20 10,20");
  assert.equal(at([space, word(4)]), "0,0 10,0 20,0 0,20");
});

test("what symbols have in common is said once", () => {
  const kept = [{key: "a", caption: "fig2, seed 1"}, {key: "", caption: "fig2, seed 2"}, {key: "b", caption: "drawn"}];
  assert.equal(summarise(kept), "fig2: a seed 1, no key seed 2; drawn: b");
});
