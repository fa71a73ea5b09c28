// Put beside the body, which the page fills, before there is one; taken away when a figure is ready, or nothing comes.
const theme = new URLSearchParams(location.search).get("__theme");
const isDark = theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
const splash = Object.assign(document.createElement("div"), {className: isDark ? "splash night" : "splash"});
const alt = `${known.title}: one hundred symbols`;
const image = Object.assign(document.createElement("img"), {src: known.sheet, alt});
image.setAttribute("elementtiming", "splash");
const words = document.createElement("p"), name = document.createElement("b");
name.textContent = "That Are Not";
words.append(name, "A machine that had only seen digits drew these. The page is on its way.");
splash.append(words, image);
splash.role = "status";
document.documentElement.append(splash);

const over = () => {
  if (!splash.isConnected) return;
  waiting.disconnect();
  splash.classList.add("over");
  setTimeout(() => splash.remove(), matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 250);
};
const there = '.figure-page[data-ready="true"]';
const waiting = new MutationObserver(() => document.querySelector(there) && over());
waiting.observe(document, {subtree: true, childList: true, attributeFilter: ["data-ready"]});
setTimeout(over, 20000);  // whatever is behind it then is better than a picture that stays
