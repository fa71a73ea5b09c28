// The figure "Claims": every claim with its numbers, each against its bar, and a verdict; a sieve by paper and verdict.
// server.look fetches a picture. All words come from a file and are put as text. Read after ink.js, in one scope with it.
const {claims, counts, problem, version} = props.value;
const SHAPES = {  // a verdict is a word, a shape and a colour
  "holds": '<circle class="full" cx="8" cy="8" r="6"/><path class="on" d="m5 8.2 2.2 2.2L11.2 6"/>',
  "does not": '<path d="M3 3l10 10M13 3 3 13"/>',
  "undecided": '<circle cx="8" cy="8" r="6"/><path class="full" d="M8 2a6 6 0 0 1 0 12z"/>',
  "not run yet": '<circle class="dotted" cx="8" cy="8" r="6"/>',
};
const ALL = "all", link = thatAreNot.address("claims");
const sieve = {verdict: ALL, paper: ALL};
const papers = [...new Set(claims.map(({paper}) => paper))];
const number = (value) => String(Number(value.toPrecision(3)));
const slug = (text) => text.toLowerCase().replace(/\W+/g, "-");

function verdictOf(word, more = "") {
  const shape = make("span", {className: "shape", innerHTML: `<svg viewBox="0 0 16 16" aria-hidden="true">${SHAPES[word]}</svg>`});
  const said = make("span", {className: "verdict", title: more}, shape, make("b", {textContent: word}));
  said.dataset.verdict = word;
  return said;
}

// ---- one claim
function entry(claim) {
  const {key, claim: says, figure, verdict, checks, notes, reason, why_open: open, picture, opens} = claim;
  const of = /^\d{1,2}$/.test(figure) ? `figure ${figure}` : figure;
  const words = make("div", {className: "words"}, make("h3", {textContent: of}), make("p", {className: "says", textContent: says}));
  const told = checks.filter(({number: x}) => x);
  if (open) words.append(make("p", {className: "reason"}, ...coded(open)));
  if (told.length) words.append(make("p", {className: "reason", textContent: reason}));
  for (const note of notes) words.append(make("p", {className: "reason", textContent: note}));
  const buttons = make("p", {className: "ways"});
  if (picture) buttons.append(button("look", "Picture", key));
  if (opens) buttons.append(button("open", "Open it", key));
  words.append(buttons);
  const rows = told.length ? checks.map((each) => check(each, told)) : [];
  if (rows.length > 1) rows.splice(1, 0, make("p", {className: "together", textContent: "The first decides; these are readings of the same words, and decide nothing"}));
  const made = make("section", {className: "claim"}, verdictOf(verdict), words, make("div", {className: "checks"}, ...rows));
  Object.assign(made.dataset, {verdict, paper: claim.paper, key});
  return made;
}

const button = (act, textContent, key) => {
  const made = make("button", {type: "button", className: "link", textContent});
  Object.assign(made.dataset, {do: act, key});
  return made;
};

const coded = (text) => text.split("`").map((part, i) => (i % 2 ? make("code", {textContent: part}) : part));

function check({measure, number: x, says, bar, verdict, note}, told) {
  const head = make("p", {className: "measure", textContent: measure});
  if (!x) return make("div", {className: "check none"}, head, make("p", {className: "value", textContent: "not run yet"}));
  const ends = x.low === null ? [] : [x.low, x.high], size = Math.max(...[x.mean, ...ends].map(Math.abs));
  const exact = (value) => value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);  // as in CLAIMS.md
  const spread = ends.length ? ` [${ends.map(exact).join(", ")}]` : "", runs = `${x.n} run${x.n > 1 ? "s" : ""}`;
  const value = make("p", {className: "value"}, make("b", {textContent: `${exact(x.mean)}${spread}`}), make("span", {textContent: `${says} ${number(bar)}?`}));
  const wrap = make("div", {className: "check"}, head, plot(x, says, bar, told), value, verdictOf(verdict));
  wrap.title = note || runs;
  wrap.dataset.verdict = verdict;
  return wrap;
}

const reach = ({number: {mean, low, high}, bar}) => [Math.min(low ?? mean, bar), Math.max(high ?? mean, bar)];

function plot({mean, low, high, n}, says, bar, told) {  // a dot and its interval; the claimed side of the bar is shaded
  const [from, to] = [low ?? mean, high ?? mean], own = [Math.min(from, bar), Math.max(to, bar)], reaches = told.map(reach);
  const all = [Math.min(...reaches.map(([a]) => a)), Math.max(...reaches.map(([, b]) => b))];
  const ends = own[1] - own[0] < (all[1] - all[0]) / 40 ? own : all;  // one scale for a claim, where all can be seen on it
  const air = 0.18 * (ends[1] - ends[0] || Math.abs(bar) || 1), left = ends[0] - air, wide = ends[1] + air - left;
  const at = (value) => `${(100 * (value - left) / wide).toFixed(1)}%`;
  const words = `${number(mean)}${low === null ? "" : `, from ${number(low)} to ${number(high)}`}, of ${n} ${n > 1 ? "runs" : "run"}; claimed: ${says} ${number(bar)}`;
  const drawn = make("div", {className: "plot", role: "img", ariaLabel: words, innerHTML: "<i class='side'></i><i class='bar'></i><i class='interval'></i><i class='dot'></i>"});
  const [side, line, interval, dot] = drawn.children, up = says === "over" || says === "at least";
  Object.assign(side.style, up ? {left: at(bar), right: "0"} : {left: "0", right: `calc(100% - ${at(bar)})`});
  line.style.left = at(bar);
  Object.assign(interval.style, {left: at(from), right: `calc(100% - ${at(to)})`});
  dot.style.left = at(mean);
  return drawn;
}

// ---- the list, through the sieve
const entries = claims.map(entry);
const open_ = (claim) => claim.verdict === "not run yet";

function show() {
  const kept = (of) => Object.entries(sieve).every(([what, wanted]) => wanted === ALL || of[what] === wanted);
  let count = 0;
  $(".list").replaceChildren(...papers.flatMap((paper) => {
    const rows = claims.map((claim, k) => [claim, entries[k]]).filter(([claim]) => claim.paper === paper && kept(claim));
    rows.sort(([a], [b]) => open_(a) - open_(b));
    count += rows.length;
    return rows.length ? [make("h2", {textContent: paper}), ...rows.map(([, row]) => row)] : [];
  }));
  if (!count) $(".list").append(make("p", {className: "nothing", textContent: "No claim is of this kind: choose another."}));
  for (const [what, wanted] of Object.entries(sieve)) $$(`[data-sieve=${what}] button`).forEach((each) => each.setAttribute("aria-pressed", each.value === wanted));
  article.dataset.shown = count;
  $(".caption").textContent = `${count} of ${claims.length} claims. A dot is a mean over training runs, a line its interval, the upright the bar, the shade the claimed side. That Are Not ${version}.`;
  link.tell(Object.fromEntries(Object.entries(sieve).filter(([, wanted]) => wanted !== ALL).map(([what, wanted]) => [what, slug(wanted)])));
}

function choices(what, names) {
  const amount = (name) => claims.filter((claim) => name === ALL || claim[what] === name).length;
  $(`[data-sieve=${what}]`).replaceChildren(...names.map((name) => {
    const made = make("button", {type: "button", value: name});
    if (SHAPES[name]) made.append(verdictOf(name));
    else made.append(name === ALL ? `All ${what}s` : name);
    made.append(make("span", {className: "amount", textContent: amount(name)}));
    return made;
  }));
  sieve[what] = names.find((name) => slug(name) === link.says(what)) ?? ALL;
}

// ---- what a visitor does
async function look(button) {
  const row = button.closest(".claim"), there = $(".shown", row);
  if (there) return there.remove();
  button.disabled = true;
  const answer = await server.look(button.dataset.key).catch(() => ({error: "The server does not answer: try again."}));
  button.disabled = false;
  const {picture, name, error} = answer;
  const enlarge = ({target: image}) => { if (image.naturalWidth < 420) image.style.width = `${2 * image.naturalWidth}px`; };  // a sheet as it is stored
  row.append(make("figure", {className: "shown"}, picture ? make("img", {src: picture, onload: enlarge, alt: `The picture of this claim: ${name}`}) : make("p", {className: "problem", textContent: error})));
}

async function open({opens: {tab, experiment}}) {
  if (!openTab(tab) || !experiment) return;
  for (let tries = 0; tries < 100; tries++) {  // the tab may be drawn only now
    const choice = document.querySelector(".iterations[data-ready=true] .experiments select");
    if (choice) {
      choice.value = experiment;
      return choice.dispatchEvent(new Event("change"));
    }
    await new Promise((done) => setTimeout(done, 100));
  }
}

element.addEventListener("click", (event) => {
  const button = event.target.closest("button"), what = button?.closest("[data-sieve]")?.dataset.sieve;
  if (what) { sieve[what] = button.value; show(); }
  else if (button?.dataset.do === "look") look(button);
  else if (button?.dataset.do === "open") open(claims.find(({key}) => key === button.dataset.key));
});

$(".counts").textContent = counts;
$(".problem").textContent = problem ?? "";
$(".problem").hidden = !problem;
choices("verdict", [ALL, ...Object.keys(SHAPES)]);
choices("paper", [ALL, ...papers]);
footer(null, null);
show();
article.dataset.ready = "true";
