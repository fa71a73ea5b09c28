// A run of iterations as the page has it: {experiment, iterations, side, sheets, map, ...}; a row is an index into
// `iterations`. Pure.

const PASSES = [0, 1, 2, 3, 4, 6, 9, 13, 19, 28, 41];  // shown as a strip, and the last one

export const lastRow = ({iterations}) => iterations.length - 1;
export const iterationAt = ({iterations}, row) => iterations[row].iteration;
export const lastIteration = (run) => iterationAt(run, lastRow(run));

/** The row of an iteration; `otherwise` where the run does not have it. */
export function rowOf({iterations}, iteration, otherwise = -1) {
  const row = iterations.findIndex((entry) => entry.iteration === iteration);
  return row < 0 ? otherwise : row;
}

/** Places on the map at a row, [x, y] from 0 to 1000 each; none where there is no map. */
export const placesAt = ({map, iterations}, row) => map?.places[iterations[row]?.iteration] ?? [];

/** Whether a seed's symbol is on the sheets, which hold seeds 0 to 99. */
export const isOnSheet = (seed) => /^\d{1,2}$/.test(seed);

/** The entries whose model is here. */
export const withModel = ({iterations}) => iterations.filter(({bytes}) => bytes);

/** The iterations at which a seed's symbol can be shown: on a sheet, or grown by a model. */
export function lifeOf(run, seed) {
  const entries = isOnSheet(seed) ? run.iterations.filter(({iteration}) => iteration) : withModel(run);
  return entries.map(({iteration}) => iteration);
}

/** The iteration nearest to this one whose model is here; the earlier of two that are as near. */
export function nearestModel(run, iteration) {
  const gap = (its) => Math.abs(its - iteration);
  return withModel(run).map((entry) => entry.iteration)
    .reduce((best, its) => (best !== undefined && gap(best) <= gap(its) ? best : its), undefined);
}

/** The passes of a growth of `count` that its strip shows. */
export const stripPasses = (count) => [...PASSES.filter((pass) => pass < count), Math.max(count, 0)];

/** "fig2-seed1" is run "seed 1" of its figure: its title says so. */
export function titleOf(experiment, title) {
  const run = experiment.match(/^fig\d+-(.+)$/)?.[1].replace(/^seed(?=\d)/, "seed ");
  return run ? `${run}: ${title}` : title;
}

/** "2" -> "Figure 2"; of a paper that has no figure of it, its year; else the name of the experiment. */
export const figureName = (figure, experiment) =>
  (figure ? `${/^\d\d?$/.test(figure) ? "Figure " : ""}${figure}` : experiment);
