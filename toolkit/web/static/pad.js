// A start of one's own: drawn with pointer or finger, taken from a file, or from the cell that is chosen.
// Read before kaleidoscope.js, in one scope with it. `drawing` is its light, plane by plane, or null.
const BRUSH = 0.045;  // the radius of the brush, of the side
let drawing = null, pen = null, note = "";  // note: what became of an uploaded picture

const side = () => network().size;
const channels = () => network().channels;

function easel() {
  const canvas = $(".canvas"), size = side();
  if (canvas.width !== size) Object.assign(canvas, {width: size, height: size});
  if (drawing && drawing.length !== size * size * channels()) drawing = null;
  (channels() === 1 ? paint : paintColours)(canvas, drawing || new Uint8ClampedArray(size * size * channels()));
  $(".pad").hidden = now.start !== "drawing";
  $(".hint").textContent = drawing ? `${note}The first row starts from it as it is; each row below, from more noise over it.` : "Draw here with pointer or finger. The network answers when you let go.";
  $("[data-do=wipe]").disabled = !drawing;
}

function stroke(from, to) {  // a soft line of light
  const size = side(), radius = Math.max(1, BRUSH * size), plane = size * size;
  drawing ||= new Uint8ClampedArray(plane * channels());
  const [dx, dy] = [to.x - from.x, to.y - from.y], long = dx * dx + dy * dy;
  for (let i = 0; i < plane; i++) {
    const [x, y] = [(i % size) + 0.5 - from.x, Math.floor(i / size) + 0.5 - from.y];
    const t = long ? clamp((x * dx + y * dy) / long, 0, 1) : 0;
    const light = 255 * clamp(radius + 0.5 - Math.hypot(x - t * dx, y - t * dy), 0, 1);
    for (let c = 0; c < channels(); c++) drawing[c * plane + i] = Math.max(drawing[c * plane + i], light);
  }
  easel();
}

async function upload(file) {
  const size = side(), url = URL.createObjectURL(file), image = make("img", {src: url});
  try {
    await image.decode();
  } catch {
    return complain(`“${file.name.slice(0, 60)}” is no picture that a browser reads: give a PNG or JPEG.`);
  } finally {
    URL.revokeObjectURL(url);
  }
  const edge = Math.min(image.naturalWidth, image.naturalHeight), left = (image.naturalWidth - edge) / 2, top = (image.naturalHeight - edge) / 2;
  const context = make("canvas", {width: size, height: size}).getContext("2d", {willReadFrequently: true});
  Object.assign(context, {fillStyle: "#fff", imageSmoothingQuality: "high"});
  context.fillRect(0, 0, size, size);
  context.drawImage(image, left, top, edge, edge, 0, 0, size, size);
  const rgba = context.getImageData(0, 0, size, size).data, plane = size * size;
  const colour = (c) => Array.from({length: plane}, (_, i) => rgba[4 * i + c]);
  const grey = () => {  // these networks know light on dark
    const light = Array.from({length: plane}, (_, i) => 0.299 * rgba[4 * i] + 0.587 * rgba[4 * i + 1] + 0.114 * rgba[4 * i + 2]);
    const dark = darkOnLight(light, size);
    note = dark ? "It is dark ink on light paper, and was inverted. " : "";
    return light.map((value) => (dark ? 255 - value : value));
  };
  drawn(Uint8ClampedArray.from(channels() === 1 ? grey() : [0, 1, 2].flatMap(colour)));
}

function darkOnLight(light, size) {  // the rule of toolkit/data: an even, light border, and ink that is darker
  const rising = (values) => values.sort((a, b) => a - b), at = (values, share) => values[Math.round(share * (values.length - 1))] / 255;
  const border = rising(light.filter((_, i) => Math.min(i % size, Math.floor(i / size), size - 1 - (i % size), size - 1 - Math.floor(i / size)) === 0));
  const all = rising([...light]), paper = at(border, 0.5), dark = paper - at(all, 0.02), bright = at(all, 0.98) - paper;
  const even = border.filter((value) => Math.abs(value / 255 - paper) < 0.15).length >= 0.75 * border.length;
  return even && paper > 0.5 && dark > 0.2 && dark > 2 * bright;
}

function drawn(light) {
  drawing = light;
  easel();
  turn({});
}

function borrow() {  // the chosen cell, as it is now
  const at = now.cell * area(film);
  note = "";
  drawn(Uint8ClampedArray.from(film.frames[now.frame].subarray(at, at + area(film))));
}

function wipe() {
  drawing = null;
  note = "";
  easel();
}

function hold(canvas) {  // let a canvas be drawn on
  const at = (event) => {
    const box = canvas.getBoundingClientRect(), scale = canvas.width / box.width;
    return {x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale};
  };
  canvas.onpointerdown = (event) => {
    canvas.setPointerCapture(event.pointerId);
    pen = at(event);
    stroke(pen, pen);
  };
  canvas.onpointermove = (event) => {
    if (!pen) return;
    const to = at(event);
    stroke(pen, to);
    pen = to;
  };
  canvas.onpointerup = canvas.onpointercancel = () => {
    if (!pen) return;
    pen = null;
    turn({});
  };
}
