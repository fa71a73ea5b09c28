// The map: every symbol of a sheet goes to its place among those that look alike to a judge, and moves with the iterations.
// The places come with the sheets. Read before iterations.js, in one scope with it.
const FAINT = 0.3, FLIGHT = 450;  // of the data beneath; milliseconds from the sheet to the map
const placesOf = (its, row) => its.map?.places[its.iterations[row].iteration] || [];

function put(picture, [x, y]) {
  picture.style.setProperty("--x", x / 1000);
  picture.style.setProperty("--y", y / 1000);
}

function land(its) {  // what lies under the symbols of a panel: the data, faint, or dots where it may not be shown; a seed's way
  const data = rowOf(0, its), spots = data < 0 ? its.map?.places[0] || [] : placesOf(its, data), area = its.side ** 2;
  const dot = new Uint8ClampedArray(area).fill(0).fill(255, (area + its.side) / 2 - 1, (area + its.side) / 2 + 1);
  const light = data < 0 ? dot : its.sheets[data].map((each) => each * FAINT);
  const ground = make("div", {className: "ground", ariaHidden: "true"}, ...spots.map(() => blank(its.side)));
  const way = make("div", {className: "way", ariaHidden: "true"});
  [...ground.children].forEach((picture, k) => put(picture, spots[k]));
  const draw = () => [...ground.children].forEach((picture, k) => paint(picture, light, data < 0 ? 0 : k * area));
  const trace = (seed, until) => {  // from the first dream
    const points = its.iterations.map(({iteration}, row) => (iteration && row <= until ? placesOf(its, row)[seed] : null)).filter(Boolean);
    way.innerHTML = `<svg viewBox="0 0 1000 1000" preserveAspectRatio="none"><polyline points="${points.map((each) => each.join()).join(" ")}"/></svg>`;
  };
  draw();
  return {parts: [ground, way], pictures: [...ground.children], draw, trace, spots};
}

function chart(on) {  // from the sheet to the map and back: every symbol flies to its place
  const cells = Object.values(panels).flatMap((each) => each.cells), before = cells.map((cell) => cell.getBoundingClientRect());
  now.map = on && Boolean(run.map);
  Object.entries(panels).forEach(([key, {root}]) => root.classList.toggle("mapped", isMap(key)));
  $("[data-do=map]").setAttribute("aria-pressed", now.map);
  caption();
  if (still.matches) return;
  cells.forEach((cell, i) => {
    const after = cell.getBoundingClientRect(), from = before[i];
    if (!after.width || !from.width) return;
    const start = `translate(${from.left - after.left}px, ${from.top - after.top}px) scale(${from.width / after.width})`;
    cell.animate([{transform: start, transformOrigin: "0 0"}, {transform: "none", transformOrigin: "0 0"}], {duration: FLIGHT, easing: "ease-in-out"});
  });
}

const legend = (its) => `Near is alike, to ${its.map.judge}${its.map.places[0] ? ". Faint: the data" : ""}${onSheet() ? `. Line: the way of seed ${now.seed} so far` : ""}.`;
const projection = (its) => `Map: the two directions in which the first and last symbols and the data differ most to ${its.map.judge}, ${Math.round(100 * its.map.explained)} % of their spread`;

// what `print` takes of a panel: its pictures, and where they lie on its map, in cells
const isMap = (key) => now.map && Boolean(of(key).map);
const pictures = (key) => [...(isMap(key) ? panels[key].under.pictures : []), ...panels[key].cells.map((cell) => cell.firstChild)];

function spread(key) {
  const spots = [...panels[key].under.spots, ...placesOf(of(key), now[key])];
  return isMap(key) ? (k) => spots[k].map((each) => (each / 1000) * (COLUMNS - 0.5)) : null;
}
