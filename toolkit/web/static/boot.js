// Runs before Gradio draws anything: where the page's modules are, below the path at which a proxy shows the page.
window.thatAreNot.load = (name) => {
  const root = new URL(window.gradio_config?.root ?? ".", location.href).pathname.replace(/\/?$/, "/");
  return import(`${location.origin}${root}${window.thatAreNot.modules}${name}.js`);
};
