// Runs before Gradio draws anything: finds the tab that a link names, so that no other is drawn before, and the page's
// modules, which lie below the path at which a proxy shows the page. Python sets thatAreNot.space and .modules.
{
  const {root, components = []} = window.gradio_config ?? {}, {thatAreNot} = window;
  const asked = new URLSearchParams(location.search).getAll("tab");
  const tabs = components.filter(({type}) => type === "tabitem").map(({props}) => String(props.id));
  const named = asked.length === 1 && tabs.includes(asked[0]), row = components.find(({type}) => type === "tabs");
  if (row && named) row.props.selected = asked[0];
  const home = location.origin + new URL(root ?? ".", location.href).pathname.replace(/\/?$/, "/");
  const load = (name) => import(`${home}${thatAreNot.modules}${name}.js`);
  const start = (name, given) => load(name).then((module) => module.default(given)).catch((error) => {
    const article = given.element.querySelector(".figure-page"), problem = article.querySelector(".problem");
    Object.assign(problem, {hidden: false, textContent: "This could not be loaded: open the page again."});
    article.dataset.ready = "true";
    throw error;
  });
  Object.assign(thatAreNot, {tabs, linked: named ? asked[0] : tabs[0], start});
  const shared = ["url_state", "request", "download", "gallery", "text"];  // with tabs.js, which follows from the first
  [...shared, ...(thatAreNot.linked === "iterations" ? ["iterations"] : [])].forEach(load);  // while Gradio comes up
}
