// The tab "Raise your own": trees of generations, small sheets, drawings of two bits, what distances say.
import assert from "node:assert/strict";
import test from "node:test";

const {comparison, miniature} = await import("../../toolkit/web/static/raising.js");
const {Families, layOutTree, lineage, packed, recipeOf, unpacked} =
  await import("../../toolkit/web/static/families.js");
const nodes = (...parents) => [null, ...parents].map((parent) => ({parent}));

test("a lineage goes from the first model to a generation, whatever was raised beside it", () => {
  assert.deepEqual(lineage(nodes(0, 1, 1, 3, 0), 4), [0, 1, 3, 4]);
  assert.deepEqual(lineage(nodes(0), 0), [0]);
});

test("a generation stands in the column of its depth, a first child beside its parent, no two in one place", () => {
  assert.deepEqual(layOutTree(nodes(0, 1, 2)), [[0, 0], [1, 0], [2, 0], [3, 0]]);
  const branched = nodes(0, 1, 1, 0, 4, 3, 1), places = layOutTree(branched);
  branched.forEach(({parent}, k) => {
    assert.equal(places[k][0], lineage(branched, k).length - 1);
    if (parent !== null) assert.ok(places[k][1] >= places[parent][1]);
  });
  assert.equal(new Set(places.map(String)).size, branched.length);
});

test("a small sheet shows what was picked, and the rest faint; all of it before anything is picked", () => {
  const pixels = new Uint8ClampedArray(12 * 784).fill(200), at = (k) => 31 * Math.floor(k / 4) * 121 + 31 * (k % 4);
  const whole = miniature(pixels, []), some = miniature(pixels, [0, 6]);
  assert.equal(whole.length, 121 * 90);
  assert.deepEqual([0, 6, 11].map((k) => whole[at(k)]), [200, 200, 200]);
  assert.deepEqual([0, 6, 11].map((k) => some[at(k)]), [200, 200, 60]);
  assert.equal(whole[28], 0);  // the air between
});

test("a family grows by what is picked, and each change can be undone", () => {
  const families = new Families({weight: 0.5, all: 60});
  families.add({ancestor: {sha256: "a"}});
  families.open(0);
  families.mark({picks: [3]});
  families.grow(0.7);
  families.fill(families.family.id, 1, {light: "AA=="});
  families.go(0);
  families.mark({picks: [3, 5]});
  families.grow(0.5);
  assert.deepEqual(families.family.nodes.slice(1).map(({parent, picks}) => [parent, picks]), [[0, [3]], [0, [3, 5]]]);
  assert.deepEqual(recipeOf(families.family, 1).generations, [{parent: 0, picks: [3], drawings: [], weight: 0.7}]);
  assert.equal(families.lit(2), 0);
  families.undo();
  families.undo();
  assert.deepEqual([families.family.nodes.length, families.family.nodes[1].light], [2, "AA=="]);  // what came stays
  families.undo();
  families.undo();
  assert.deepEqual([families.family.nodes.length, families.canUndo], [1, false]);
});

test("a recipe is found again where it is, and else becomes a family of its own", () => {
  const families = new Families({weight: 0.5, all: 60});
  const generations = [{parent: 0, picks: [1]}, {parent: 1, picks: [2]}];
  families.add({ancestor: {sha256: "a"}, generations, name: "Mine"});
  assert.deepEqual(families.find({ancestor: {sha256: "a"}, generations: generations.slice(0, 1)}), [0, 1]);
  assert.equal(families.find({ancestor: {sha256: "b"}, generations}), undefined);
  assert.deepEqual(families.family.nodes.map(({marks}) => marks.picks), [[1], [2], []]);
  const {id} = families.family, found = [0, 1, 2, undefined].map((k) => {
    const lacking = families.lacking;
    families.fill(id, k, {light: "AA=="});
    return lacking;
  });
  assert.deepEqual(found, [0, 1, 2, undefined]);  // what is lacking is asked for from the first on
});

test("a drawing becomes four levels of grey in 196 bytes, and comes back as these", () => {
  const drawing = Uint8ClampedArray.from({length: 784}, (_, i) => [0, 85, 170, 255, 30, 250][i % 6]);
  const text = packed(drawing);
  assert.equal(atob(text).length, 196);
  assert.deepEqual([...unpacked(text)], [...drawing].map((value) => 85 * Math.round(value / 85)));
  assert.equal(atob(packed(Uint8ClampedArray.of(255, 0, 170, 85))).charCodeAt(0), 0b11001001);
});

test("a drawing of one bit a pixel can be shown too", () => {
  const text = btoa(String.fromCharCode(0b10100000, ...Array(97).fill(0)));
  assert.deepEqual([...unpacked(text).subarray(0, 4)], [255, 0, 255, 0]);
});

test("distances are told as nearer, farther, or as before", () => {
  const words = {nearer: "nearer", farther: "farther", same: "same"};
  assert.equal(comparison([0.3, 0.2], words), "nearer");
  assert.equal(comparison([0.2, 0.3], words), "farther");
  assert.equal(comparison([0.3, 0.302], words), "same");
});

test("a recipe that was shared shows its sheet until it is raised, and hands it on", () => {
  const families = new Families({weight: 0.5, all: 60, symbols: 12}), pixels = new Uint8ClampedArray(12 * 784);
  pixels.set([85, 255], 784);
  const recipe = {ancestor: {sha256: "a"}, generations: [{parent: 0, picks: [1]}], sheet: packed(pixels)};
  families.add(recipe);
  const shown = () => [families.lit(1), families.lacking, ...families.pixelsOf(families.node).subarray(784, 786)];
  assert.deepEqual(shown(), [1, 0, 85, 255]);
  families.fill(families.family.id, 0, {light: btoa("\0".repeat(12 * 784))});
  families.fill(families.family.id, 1, {light: btoa("\x07".repeat(12 * 784))});
  assert.deepEqual(shown(), [1, undefined, 7, 7]);
  assert.equal(families.recipe.sheet, recipe.sheet);
  families.mark({picks: [2]});
  families.grow(0.5);
  assert.equal(families.recipe.sheet, undefined);
  families.fill(families.family.id, 2, {light: btoa("\xff".repeat(12 * 784))});
  assert.deepEqual([...unpacked(families.recipe.sheet, 12)], Array(12 * 784).fill(255));
});
