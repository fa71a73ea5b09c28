// The page as one: which tab is on show, what the address says of it, and what one tab hands to another.
// What a link says is checked in url_state.js and is taken or not; it is never shown.

const PAUSE = 400;  // milliseconds between changes of the address

const settingsOf = {};  // tab -> what its address says
let current = globalThis.thatAreNot?.linked, timer = null, written = 0, goingBack = false;
let handedOver = null;  // the picture that another tab sent to "Is it new?", until that tab takes it

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

/** Send a picture into the tray ("keep") or before the classifiers ("ask").
 *  pixels: bytes 0 to 255, channels x side x side; caption: what it is, as "fig2, iteration 7, seed 12". */
export function offerPicture(to, {pixels, side, channels = 1, caption}) {
  const detail = {light: Uint8Array.from(pixels), side, channels, caption};
  window.dispatchEvent(new CustomEvent(`that-are-not-${to}`, {detail}));
}

/** The picture that was sent to "Is it new?", once. */
export function takeHandedOver() {
  const taken = handedOver;
  handedOver = null;
  return taken;
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
  window.addEventListener("that-are-not-ask", ({detail}) => {
    handedOver = detail;  // for a tab that is drawn only now; one that is there takes it next
    openTab("Is it new?");
  });
  Object.assign(page(), {open: openTab, link: pageLink});
  onTabChange();
}
