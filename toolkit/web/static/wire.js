// How many come before a visitor: Gradio writes "queue: 3/5" into the block of what waits, where nobody looks.
const block = element.closest(".block"), line = document.querySelector("#in-line") ?? document.createElement("p");
if (!line.isConnected) {
  Object.assign(line, {id: "in-line", hidden: true});
  line.setAttribute("role", "status");
  document.querySelector(".gradio-container").append(line);
}

new MutationObserver(() => {
  const place = /queue: (\d+)\//.exec(block.textContent)?.[1], said = place ? `In line: ${place} before you` : "";
  if (place ? line.textContent === said : line.waits !== block) return;
  Object.assign(line, {textContent: said, hidden: !said, waits: block});
}).observe(block, {childList: true, characterData: true, subtree: true});
