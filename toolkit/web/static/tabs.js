// The page as one: which tab is on show, what the address says of it, and what one tab hands to another.
// What a link says is checked in url_state.js and is taken or not; it is never shown.

const PAUSE = 400;  // milliseconds between changes of the address

const settingsOf = {};  // tab -> what its address says
let current = globalThis.thatAreNot?.linked, timer = null, written = 0, goingBack = false;
const handed = {};      // name of a tab -> what another one hands over to it, until it takes that

const page = () => window.thatAreNot;
const buttons = () => [...document.querySelectorAll("[role=tab]")];
const query = () => new URLSearchParams({tab: current, ...settingsOf[current]});

/** A link to what is on show. On a Space the page is in a frame, so that the link names the Space. */
export function pageLink() {
  const {space} = page();
  const home = space ? `https://huggingface.co/spaces/${space}` : location.origin + location.pathname;
  return `${home}?${query()}`;
}

function writeAddress(how) {
  clearTimeout(timer);
  timer = null;
  written = performance.now();
  if (`?${query()}` !== location.search) history[how](history.state, "", `?${query()}`);
}

/** The address says these settings of a tab: at once, but not so often that a browser refuses. */
export function setAddress(tab, settings) {
  settingsOf[tab] = settings;
  if (tab !== current) return;
  const wait = written + PAUSE - performance.now();
  if (wait <= 0) writeAddress("replaceState");
  else timer ??= setTimeout(writeAddress, wait, "replaceState");
}

/** Open a tab by its name or id; whether there is one. */
export function openTab(name) {
  const wanted = buttons().find((button) => [button.textContent.trim(), button.dataset.tabId].includes(name));
  wanted?.click();
  return Boolean(wanted);
}

/** Call `onShow` when a tab comes on show, and `onHide` when another does. */
export function onTab(tab, onShow, onHide = () => {}) {
  window.addEventListener("that-are-not-tab", ({detail}) => (detail === tab ? onShow() : onHide()));
}

/** Send a picture into the tray ("keep"), before the classifiers ("ask"), or where a network changes it ("dream").
 *  pixels: bytes 0 to 255, channels x side x side; caption: what it is, as "fig2, iteration 7, seed 12". */
export function offerPicture(to, {pixels, side, channels = 1, caption}) {
  const detail = {light: Uint8Array.from(pixels), side, channels, caption};
  window.dispatchEvent(new CustomEvent(`that-are-not-${to}`, {detail}));
}

/** Open a tab by its name and hand something over to it, which it takes now or once it is drawn. */
export function handOver(name, what) {
  handed[name] = what;
  if (openTab(name)) window.dispatchEvent(new CustomEvent("that-are-not-handed"));
}

/** use(what) of that which is handed over to a tab, from now on. Returns whether something is there already. */
export function takeOver(name, use) {
  const take = () => {
    const what = handed[name];
    delete handed[name];
    if (what) use(what);
    return Boolean(what);
  };
  window.addEventListener("that-are-not-handed", take);
  return take();
}

function onTabChange() {  // a step of the browser's history
  const id = buttons().find((each) => each.getAttribute("aria-selected") === "true")?.dataset.tabId;
  if (!id || id === current) return;
  if (timer) writeAddress("replaceState");
  current = id;
  writeAddress(goingBack ? "replaceState" : "pushState");
  goingBack = false;
  window.dispatchEvent(new CustomEvent("that-are-not-tab", {detail: id}));
}

if (globalThis.document) {  // not where tests import it
  new MutationObserver(onTabChange).observe(document, {subtree: true, attributeFilter: ["aria-selected"]});
  window.addEventListener("popstate", () => {
    const id = new URLSearchParams(location.search).get("tab") ?? page().tabs[0];
    goingBack = id !== current && openTab(id);
  });
  window.addEventListener("that-are-not-ask", ({detail}) => handOver("Is it new?", detail));
  window.addEventListener("that-are-not-dream", ({detail}) => handOver("Dream", detail));
  Object.assign(page(), {open: openTab, link: pageLink});
  onTabChange();
}
