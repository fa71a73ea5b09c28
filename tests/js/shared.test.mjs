// What the tabs share: links, seeds, markup, pictures, drawings, words.
import assert from "node:assert/strict";
import test, {mock} from "node:test";

const from = (name) => import(`../../toolkit/web/static/${name}.js`);
const {UrlState, anyText, decimal, interval, matching, oneOf, parseQuery, whole} = await from("url_state");
const {Player, html, parseSeed} = await from("controls");
const {cutSheet, fromBase64, luminance, toBase64} = await from("canvas");
const {isDarkOnLight, pixelsOf, strokeLine} = await from("sketchpad");
const {wrapLines} = await from("download");
const {counted, percent, percentOf, short} = await from("text");
const {pictureAt} = await from("gallery");
const {besideIt, changedLetters} = await from("words");

// ---- links

test("a link's numbers are taken if they are plain and within their range", () => {
  assert.equal(decimal(0, 3)("2.5"), 2.5);
  assert.equal(decimal(-1, 3)("-0.5"), -0.5);
  for (const text of ["3.1", "-1", "1e3", "NaN", "", " 2", "+2", "0x1", "2,5", "9".repeat(30), null]) {
    assert.equal(decimal(0, 3)(text), undefined, String(text));
  }
  assert.equal(whole(0, 10)("7"), 7);
  assert.equal(whole(0, 10)("2.5"), undefined);
});

test("a link's choice is one of those there are, whatever their type", () => {
  assert.equal(oneOf([1, 2, 3])("2"), 2);
  assert.equal(oneOf(["fig2"])("fig2"), "fig2");
  for (const text of ["__proto__", "constructor", "toString", ""]) assert.equal(oneOf(["fig2"])(text), undefined);
});

test("an interval rises and ends at the largest value", () => {
  assert.deepEqual(interval(100)("20-40"), [20, 40]);
  for (const text of ["40-20", "20-20", "0-101", "20", "-20-40", "a-b"]) {
    assert.equal(interval(100)(text), undefined, text);
  }
});

test("what a query says twice, or at length, or without being asked, is as if it were not said", () => {
  const schema = {seed: whole(0, 99), name: matching(/^[a-z]+$/)};
  assert.deepEqual(parseQuery("?seed=7&name=abc&other=1", schema), {seed: 7, name: "abc"});
  assert.deepEqual(parseQuery("?seed=1&seed=2&name=<b>", schema), {});
  assert.deepEqual(parseQuery(`?name=${"x".repeat(101)}&seed=${"0".repeat(200)}`, schema), {});
  assert.deepEqual(parseQuery("%ff%fe=%zz&=&&&seed=%00&__proto__=1", schema), {});
});

test("a value may be longer where its parser says so", () => {
  const text = "x".repeat(2000), schema = {recipe: anyText(2000)};
  assert.deepEqual(parseQuery(`?recipe=${text}`, schema), {recipe: text});
  assert.deepEqual(parseQuery(`?recipe=${text}x`, schema), {});
});

test("a seed chosen in one tab is news in the others, once, and not where it was chosen", () => {
  const [one, other, small] = [new UrlState("one"), new UrlState("other"), new UrlState("small", 9)];
  assert.equal(one.newSeed(), undefined);
  assert.equal(one.chooseSeed("17"), "17");
  assert.equal(one.newSeed(), undefined);
  assert.equal(other.newSeed(), 17);
  assert.equal(other.newSeed(), undefined);
  assert.equal(small.newSeed(), undefined);  // which it cannot take
  other.chooseSeed(2 ** 32);  // too large to be shared
  assert.equal(one.newSeed(), undefined);
});

// ---- controls

test("a seed is a whole number that is not too large, and what is none is named", () => {
  assert.deepEqual(parseSeed("007", 99), {seed: 7});
  for (const text of ["seven", "", "-1", "1.5", "100", "1".repeat(40)]) {
    assert.match(parseSeed(text, 99).problem, /is no seed: give a whole number from 0 to 99\.$/);
  }
  assert.ok(parseSeed("x".repeat(1000), 99).problem.length < 120);
});

test("text in markup is text, markup in it is markup, and what is missing is nothing", () => {
  const hostile = '<img src=x onerror="alert(1)">&';
  assert.equal(String(html`<p title="${hostile}">${hostile}</p>`).match(/[<>]/g).length, 4);
  assert.ok(!String(html`<p title="${hostile}"></p>`).includes('" onerror'));
  assert.equal(String(html`<p>${html`<b>${1}</b>`}${[html`<i></i>`, "&"]}</p>`), "<p><b>1</b><i></i>&#38;</p>");
  assert.equal(String(html`a${undefined}${null}${false}${""}${0}`), "a0");
  assert.equal(String(html`<p>
    <b></b></p>`), "<p><b></b></p>");
});

test("what plays goes on to the end, and there begins again, waits for more, or stops", () => {
  mock.timers.enable({apis: ["setInterval"]});
  const place = {at: 2, end: 3, go: (to) => { place.at = to; }, loops: true}, classes = {};
  const classList = {toggle: (name, on) => { classes[name] = on; }};
  const player = new Player({classList, querySelectorAll: () => []}, 100, () => place);
  const after = (beats) => {
    mock.timers.tick(100 * beats);
    return place.at;
  };
  player.toggle();
  assert.deepEqual([after(1), after(1), after(1), classes.playing], [3, 0, 1, true]);
  player.step(1);
  assert.deepEqual([after(5), classes.playing], [2, false]);
  Object.assign(place, {at: 3, loops: false, waits: true});
  player.toggle();
  assert.deepEqual([place.at, after(9), classes.playing], [0, 3, true]);  // from the start
  place.waits = false;
  assert.deepEqual([after(1), classes.playing], [3, false]);
  mock.timers.reset();
});

// ---- pictures

test("a grey sheet is cut into its pictures, row by row", () => {
  const grey = [0, 1, 2, 3, 4, 5, 6, 7], rgba = grey.flatMap((value) => [value, value, value, 255]);  // 4 wide, 2 high
  const {pixels, side, channels} = cutSheet(Uint8ClampedArray.from(rgba), 4, 2, 2);
  assert.deepEqual([side, channels, ...pixels], [2, 1, 0, 1, 4, 5, 2, 3, 6, 7]);
});

test("a sheet in colours is cut into planes", () => {
  const rgba = [10, 20, 30, 255, 11, 21, 31, 255];  // two pictures of one pixel
  const {pixels, channels} = cutSheet(Uint8ClampedArray.from(rgba), 2, 1, 2);
  assert.deepEqual([channels, ...pixels], [3, 10, 20, 30, 11, 21, 31]);
});

test("bytes survive base64, and a picture of a batch is a part of it", () => {
  const pixels = Uint8Array.from({length: 256}, (_, i) => i);
  assert.deepEqual(fromBase64(toBase64(pixels)), pixels);
  assert.deepEqual([...pictureAt(pixels, [1, 2, 2], 3)], [12, 13, 14, 15]);
});

test("colours are as grey as they are bright", () => {
  const grey = luminance({pixels: [255, 0, 0, 255, 0, 0, 255, 255], side: 1, channels: 3});
  assert.deepEqual([...grey], [76]);
  assert.deepEqual([...luminance({pixels: [9], side: 1, channels: 1})], [9]);
});

test("a stroke is light along its line and nowhere else, in every channel", () => {
  const side = 16, pixels = new Uint8ClampedArray(3 * side * side);
  strokeLine(pixels, side, {x: 2, y: 8}, {x: 14, y: 8}, 1);
  for (const plane of [0, 1, 2].map((c) => pixels.subarray(c * 256, (c + 1) * 256))) {
    assert.ok(plane[8 * side + 8] > 200);
    assert.equal(plane[2 * side + 8], 0);
  }
});

test("dark ink on light paper is inverted; light on dark, and colours, stay", () => {
  const square = (ink, paper) => Array.from({length: 256}, (_, i) =>
    (Math.abs((i % 16) - 8) < 3 && Math.abs(Math.floor(i / 16) - 8) < 3 ? ink : paper));
  const rgba = (grey) => Uint8ClampedArray.from(grey.flatMap((value) => [value, value, value, 255]));
  assert.equal(isDarkOnLight(square(0, 255), 16), true);
  assert.equal(isDarkOnLight(square(255, 0), 16), false);
  const inverted = pixelsOf(rgba(square(0, 255)), 16, 1), kept = pixelsOf(rgba(square(255, 0)), 16, 1);
  assert.deepEqual([inverted.isInverted, kept.isInverted], [true, false]);
  assert.deepEqual(inverted.pixels, kept.pixels);
  assert.equal(pixelsOf(rgba(square(0, 255)), 16, 3).pixels[0], 255);
});

// ---- words

test("a caption is broken between words, and a long word stands alone", () => {
  assert.deepEqual(wrapLines("one two three", 7, (text) => text.length), ["one two", "three"]);
  assert.deepEqual(wrapLines("extraordinary", 5, (text) => text.length), ["", "extraordinary"]);
});

test("numbers are said as people say them", () => {
  assert.deepEqual([counted(1, "neuron"), counted(2000, "neuron")], ["1 neuron", "2,000 neurons"]);
  assert.deepEqual([short(0.12345), short(2), short(undefined)], ["0.123", "2", "–"]);
  assert.deepEqual([percent(0.0123), percent(0.5), percent(1)], ["1.2 %", "50 %", "100 %"]);
  assert.deepEqual([0.999, 1, 0.001, 0].map(percentOf), ["99.9 %", "100 %", "0.1 %", "0 %"]);
});

// ---- words

test("the letters that a word does not share with another are found, wherever they stand", () => {
  const marked = (word, other) => changedLetters(word, other).map((on, i) => (on ? word[i] : "-")).join("");
  assert.equal(marked("blorder", "border"), "-l-----");
  assert.equal(marked("cat", "cat"), "---");
  assert.equal(marked("tac", "xyz"), "tac");
  assert.equal(marked("pingore", "pinhole"), "---g-r-");
  assert.equal(marked("", "abc"), "");
  assert.equal(marked("ab", ""), "ab");
});

test("a word is said to be known, near to another, or without a list, and what is said is escaped", () => {
  assert.match(String(besideIt(["cat", "cat", 0, 2])), /is in the list/);
  assert.match(String(besideIt(["cot", "<b>", 1, 2.345])), /1 letter from <b lang="en">&#60;b&#62;<\/b>.*2\.3<\/b> bits/);
  assert.match(String(besideIt(["cot", null, null, null])), /no list/);
});
