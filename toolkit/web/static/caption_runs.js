// What is said of the runs on show: in words, in the address, and as plain values. Read before kaleidoscope.js, in one scope.
function linked() {  // what a link says of this tab, as far as it can be; a drawing is in none
  const said = {
    experiment: address.among("experiment", networks.map(({name}) => name)), start: address.among("start", ["uniform", "normal"]),
    runs: address.whole("runs", 1, 300), perturbation: address.number("stirred", 0, 0.1), mode: address.among("mode", MODES),
    cell: address.whole("cell", 0, CELLS - 1), seed: address.seed(2 ** 32 - CELLS),
  };
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
}

function caption() {
  const {experiment, start, mode, perturbation} = film.order, {title} = networks.find(({name}) => name === experiment);
  const noise = start === "drawing" ? "a drawing, under more noise from row to row" : `${start} noise`;
  const stirred = mode === "none" || !perturbation ? "not stirred" : `stirred by ${perturbation} (${mode}) before each run but the first`;
  const facts = [`${experiment}: ${title}`, `Run ${film.runs[now.frame]} of ${film.runs.at(-1)} from ${noise}, ${stirred}`, `Seeds ${seed(0)} to ${seed(CELLS - 1)}`];
  $(".caption").textContent = `${facts.join(". ")}. That Are Not ${version}.`;
  tell();
}

function tell() {
  const {experiment, start, runs, perturbation, mode, seed: of, cell} = now, run = first ?? film?.runs[now.frame];
  address.tell({experiment, ...(start === "drawing" ? {} : {start}), runs, stirred: perturbation, mode, seed: of, ...(cell ? {cell} : {}), ...(run === undefined ? {} : {run})});
}

function settings() {  // of the pictures on show, as plain values
  const {name: experiment, title, sha256} = networks.find(({name}) => name === film.order.experiment), {image, ...order} = film.order;
  return {tab: "kaleidoscope", version, ...order, ...(order.start === "drawing" ? {image} : {}), experiment, title, sha256, run: film.runs[now.frame], cells: CELLS, selected_seed: seed(now.cell)};
}
