// The page as one: the address says the tab on show and its settings, and the tabs share a seed. Runs once, before any
// tab is drawn. What a link says is checked here and is taken or not; it is never shown.
(() => {
  const LONGEST = 100, PAUSE = 400, MOST = 2 ** 32 - 1;  // characters of a value; milliseconds between changes; the largest seed
  const asked = new URLSearchParams(location.search), told = {};  // told: by tab, what its address says
  const parts = window.gradio_config?.components || [];
  const ids = parts.filter(({type}) => type === "tabitem").map(({props}) => String(props.id));
  const one = (name) => { const all = asked.getAll(name); return all.length === 1 && all[0].length <= LONGEST ? all[0] : null; };
  const linked = ids.includes(one("tab")) ? one("tab") : ids[0];
  const buttons = () => [...document.querySelectorAll("[role=tab]")];
  let current = linked, writing = null, written = 0, back = false;
  let seed = /^\d{1,10}$/.test(one("seed")) && Number(one("seed")) <= MOST ? Number(one("seed")) : null, age = seed === null ? 0 : 1;

  const query = () => new URLSearchParams({tab: current, ...told[current]});
  const link = () => `${thatAreNot.space ? `https://huggingface.co/spaces/${thatAreNot.space}` : location.origin + location.pathname}?${query()}`;

  function write(how) {
    clearTimeout(writing);
    writing = null;
    written = performance.now();
    if (`?${query()}` !== location.search) history[how](history.state, "", `?${query()}`);
  }

  function later() {  // at once, but not so often that a browser refuses
    const wait = written + PAUSE - performance.now();
    if (wait <= 0) write("replaceState");
    else writing ??= setTimeout(write, wait, "replaceState");
  }

  function open(name) {
    const wanted = buttons().find((button) => [button.textContent.trim(), button.dataset.tabId].includes(name));
    wanted?.click();
    return Boolean(wanted);
  }

  function noticed() {  // another tab is on show: a step of the browser's history
    const button = buttons().find((each) => each.getAttribute("aria-selected") === "true"), id = button?.dataset.tabId;
    if (!id || id === current) return;
    if (writing) write("replaceState");
    current = id;
    write(back ? "replaceState" : "pushState");
    back = false;
    window.dispatchEvent(new CustomEvent("that-are-not-tab", {detail: id}));
  }

  function address(tab) {  // one tab's part of it
    let seen = 0;
    const says = (name) => (tab === linked ? one(name) : null);
    return {
      says,
      among: (name, choices) => choices.find((choice) => String(choice) === says(name)),
      number: (name, low, high) => {
        const value = /^\d{1,12}(\.\d{1,6})?$/.test(says(name)) ? Number(says(name)) : NaN;
        return value >= low && value <= high ? value : undefined;
      },
      whole(name, low, high) { return Number.isInteger(this.number(name, low, high)) ? this.number(name, low, high) : undefined; },
      tell(settings) {
        told[tab] = settings;
        if (tab === current) later();
      },
      sow(value) {  // a seed is chosen here
        if (!(Number(value) <= MOST) || Number(value) === seed) return;
        seed = Number(value);
        seen = ++age;
      },
      seed(most = MOST) {  // the one chosen elsewhere since the last time, if this tab can take it
        const news = seen < age;
        seen = age;
        return news && seed <= most ? seed : undefined;
      },
      shown: (act, rest = () => {}) => window.addEventListener("that-are-not-tab", ({detail}) => (detail === tab ? act() : rest())),
    };
  }

  const row = parts.find(({type}) => type === "tabs");
  if (row && linked === one("tab")) row.props.selected = linked;  // so that no other tab is drawn before
  new MutationObserver(noticed).observe(document.documentElement, {subtree: true, attributeFilter: ["aria-selected"]});
  window.addEventListener("popstate", () => {
    const id = new URLSearchParams(location.search).get("tab") ?? ids[0];
    back = id !== current && open(id);
  });
  Object.assign(window.thatAreNot, {open, address, link});
})();
