// The tab "Claims": every claim with its numbers, each against its bar, and a verdict; filtered by paper and verdict.
// All words come from a file and are put as text; server.look fetches a picture.
import {elementOf, figureOf, html, onActions} from "./controls.js";
import {addShareButtons} from "./download.js";
import {handOver} from "./tabs.js";
import {short} from "./text.js";
import {UrlState} from "./url_state.js";

export const SHAPES = {  // a verdict is a word, a shape and a colour
  "holds": html`<circle class="full" cx="8" cy="8" r="6"/><path class="on" d="m5 8.2 2.2 2.2L11.2 6"/>`,
  "does not": html`<path d="M3 3l10 10M13 3 3 13"/>`,
  "undecided": html`<circle cx="8" cy="8" r="6"/><path class="full" d="M8 2a6 6 0 0 1 0 12z"/>`,
  "not run yet": html`<circle class="dotted" cx="8" cy="8" r="6"/>`,
};
const ALL = "all", OPEN = "not run yet";

const slug = (text) => text.toLowerCase().replace(/\W+/g, "-");

const verdictMark = (word) => html`<span class="verdict" data-verdict="${word}"><span class="shape">
  <svg viewBox="0 0 16 16" aria-hidden="true">${SHAPES[word]}</svg></span><b>${word}</b></span>`;

/** Text with `code` in backticks. */
const withCode = (text) => text.split("`").map((part, i) => (i % 2 ? html`<code>${part}</code>` : part));

/** A claim as markup. */
export function claimRow({key, claim, figure, verdict, checks, notes, reason, picture, opens, paper, ...rest}) {
  const button = (action, text) => html`
    <button type="button" class="link" data-do="${action}" data-key="${key}">${text}</button>`;
  const measured = checks.filter(({number}) => number), {why_open: whyOpen} = rest;
  const rows = measured.length ? checks.map((each) => checkRow(each, measured)) : [];
  const readings = html`
    <p class="together">The first decides; these are readings of the same words, and decide nothing</p>`;
  const reasons = [whyOpen && withCode(whyOpen), measured.length && reason, ...notes].filter(Boolean);
  return html`
    <section class="claim" data-verdict="${verdict}" data-paper="${paper}" data-key="${key}">${verdictMark(verdict)}
    <div class="words"><h3>${/^\d{1,2}$/.test(figure) ? `figure ${figure}` : figure}</h3><p class="says">${claim}</p>
    ${reasons.map((text) => html`<p class="reason">${text}</p>`)}
    <p class="ways">${picture && button("look", "Picture")}${opens && button("open", "Open it")}</p></div>
    <div class="checks">${rows.slice(0, 1)}${rows.length > 1 && readings}${rows.slice(1)}</div></section>`;
}

// ---- a number against its bar
/** How many decimals the numbers of a check have, as in CLAIMS.md. */
export function decimals({mean, low, high}) {
  const size = Math.max(...[mean, low ?? mean, high ?? mean].map(Math.abs));
  return size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
}

/** The part of the number line that a check's plot shows, {left, width}: its own, or that of all checks of its claim if
 *  all can be seen on it. check, all: {number: {mean, low, high}, bar}. */
export function plotRange(check, all) {
  const reach = ({number: {mean, low, high}, bar}) => [Math.min(low ?? mean, bar), Math.max(high ?? mean, bar)];
  const own = reach(check), reaches = all.map(reach);
  const common = [Math.min(...reaches.map(([low]) => low)), Math.max(...reaches.map(([, high]) => high))];
  const [low, high] = own[1] - own[0] < (common[1] - common[0]) / 40 ? own : common;
  const margin = 0.18 * (high - low || Math.abs(check.bar) || 1);
  return {left: low - margin, width: high - low + 2 * margin};
}

function checkRow(check, measured) {
  const {measure, number, says, bar, verdict, note} = check, head = html`<p class="measure">${measure}</p>`;
  if (!number) return html`<div class="check none">${head}<p class="value">${OPEN}</p></div>`;
  const {mean, low, high, n} = number, exact = (value) => value.toFixed(decimals(number));
  const interval = low === null ? "" : ` [${exact(low)}, ${exact(high)}]`;
  return html`
    <div class="check" data-verdict="${verdict}" title="${note || `${n} run${n > 1 ? "s" : ""}`}">${head}
    ${plot(check, measured)}<p class="value"><b>${exact(mean)}${interval}</b><span>${says} ${short(bar)}?</span></p>
    ${verdictMark(verdict)}</div>`;
}

function plot(check, measured) {  // a dot and its interval; the claimed side of the bar is shaded
  const {number: {mean, low, high, n}, says, bar} = check, {left, width} = plotRange(check, measured);
  const at = (value) => `${(100 * (value - left) / width).toFixed(1)}%`, isAbove = ["over", "at least"].includes(says);
  const ends = low === null ? "" : `, from ${short(low)} to ${short(high)}`;
  const words = `${short(mean)}${ends}, of ${n} ${n > 1 ? "runs" : "run"}; claimed: ${says} ${short(bar)}`;
  const side = isAbove ? `left: ${at(bar)}; right: 0` : `left: 0; right: calc(100% - ${at(bar)})`;
  return html`
    <div class="plot" role="img" aria-label="${words}"><i class="side" style="${side}"></i>
    <i class="bar" style="left: ${at(bar)}"></i>
    <i class="interval" style="left: ${at(low ?? mean)}; right: calc(100% - ${at(high ?? mean)})"></i>
    <i class="dot" style="left: ${at(mean)}"></i></div>`;
}

// ---- the figure
async function togglePicture(button, {during, server}) {
  const row = button.closest(".claim"), there = row.querySelector(".shown");
  if (there) return there.remove();
  button.disabled = true;
  const unreachable = {error: "The server does not answer: try again."};
  const {picture, name, error} = await during(server.look(button.dataset.key).catch(() => unreachable));
  button.disabled = false;
  const shown = elementOf(html`<figure class="shown">${picture
    ? html`<img src="${picture}" alt="The picture of this claim: ${name}">` : html`<p class="problem">${error}</p>`}
    </figure>`);
  row.append(shown);
  shown.querySelector("img")?.addEventListener("load", ({target}) => {  // a sheet as it is stored
    if (target.naturalWidth < 420) target.style.width = `${2 * target.naturalWidth}px`;
  });
}

export default function start(given) {
  const {claims, counts, problem} = given.props.value, figure = figureOf(given), {$, $$, article} = figure;
  const url = new UrlState("claims"), papers = [...new Set(claims.map(({paper}) => paper))];
  const sorted = papers.flatMap((paper) => claims.filter((claim) => claim.paper === paper)
    .sort((a, b) => (a.verdict === OPEN) - (b.verdict === OPEN)));
  const rows = new Map(sorted.map((claim) => [claim, elementOf(claimRow(claim))]));
  const heads = new Map(papers.map((paper) => [paper, elementOf(html`<h2>${paper}</h2>`)]));
  const matches = (claim, key, value) => value === ALL || claim[key] === value;
  const filters = {};

  function show() {
    const kept = sorted.filter((claim) => Object.entries(filters).every((filter) => matches(claim, ...filter)));
    const nothing = html`<p class="nothing">No claim is of this kind: choose another.</p>`;
    $(".list").replaceChildren(...new Set(kept.flatMap((claim) => [heads.get(claim.paper), rows.get(claim)])),
      ...(kept.length ? [] : [elementOf(nothing)]));
    for (const [key, value] of Object.entries(filters)) {
      $$(`[data-sieve=${key}] button`).forEach((each) => each.setAttribute("aria-pressed", each.value === value));
    }
    article.dataset.shown = kept.length;
    figure.writeCaption(`${kept.length} of ${claims.length} claims. A dot is a mean over training runs, a line its `
      + "interval, the upright the bar, the shade the claimed side");
    const chosen = Object.entries(filters).filter(([, value]) => value !== ALL);
    url.write(Object.fromEntries(chosen.map(([key, value]) => [key, slug(value)])));
  }

  for (const [key, values] of Object.entries({verdict: [ALL, ...Object.keys(SHAPES)], paper: [ALL, ...papers]})) {
    const count = (value) => claims.filter((claim) => matches(claim, key, value)).length;
    const label = (value) => (SHAPES[value] ? verdictMark(value) : value === ALL ? `All ${key}s` : value);
    $(`[data-sieve=${key}]`).innerHTML = html`${values.map((value) => html`
      <button type="button" value="${value}" data-do="filter">${label(value)}
      <span class="amount">${count(value)}</span></button>`)}`;
    filters[key] = url.read({[key]: (text) => values.find((value) => slug(value) === text)})[key] ?? ALL;
  }
  onActions(figure, {
    look: (button) => togglePicture(button, figure),
    open: ({dataset: {key}}) => {
      const {tab, experiment} = claims.find((claim) => claim.key === key).opens;
      handOver(tab, experiment);
    },
    filter: (button) => {
      filters[button.parentElement.dataset.sieve] = button.value;
      show();
    },
  });
  figure.write({".counts": counts});
  figure.showProblem(problem);
  addShareButtons(figure);
  show();
  article.dataset.ready = "true";
}
