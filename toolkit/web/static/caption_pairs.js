// What is said of the pairs on show: in words, in the address, and as plain values. Read before creative.js, in one scope.
function linked() {  // what a link says of this tab, as far as it can be
  const [low, high] = (/^(\d{1,3})-(\d{1,3})$/.exec(address.says("band")) || []).slice(1).map(Number);
  const said = {
    experiment: address.among("experiment", names), method: address.among("method", METHODS), band: low < high && high <= 100 ? [low, high] : undefined,
    neurons: address.whole("neurons", 0, 50), gain: address.number("gain", 0, 3), layer: address.whole("layer", 1, 9),
    pair: address.whole("pair", 0, PAIRS - 1), seed: address.seed(2 ** 32 - PAIRS),
  };
  return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
}

function caption() {  // the exact settings
  const {experiment, method, band, neurons, gain} = now, title = decoders.find(({name}) => name === experiment).title;
  const which = {"low-active": `, ${neurons} neurons of percentiles ${band.join(" to ")}`, random: `, ${neurons} neurons`}[method] || "";
  const exact = shown?.gain ? ` (${short(shown.gain)})` : "";
  const how = method === "regular" ? "" : `${which}, ${short(gain)} times the calibrated gain${exact}, hidden layer ${layer()}`;
  $(".caption").textContent = `${experiment}: ${title}. ${method}${how}, seeds ${now.seed} to ${seed(PAIRS - 1)}. That Are Not ${version}.`;
  address.tell({experiment, method, band: band.join("-"), neurons, gain, ...(now.layer > 0 ? {layer: now.layer} : {}), seed: now.seed, ...(now.pair ? {pair: now.pair} : {})});
}

function settings() {  // the same as plain values: of the pictures on show
  const {name: experiment, title, sha256} = decoders.find(({name}) => name === shown.order.experiment), {layer: its, ...order} = shown.order;
  return {tab: "creative-decoder", version, ...order, experiment, title, sha256, layer: its > 0 ? its : layers(), calibrated_gain: shown.gain && order.gain ? shown.gain / order.gain : null, pairs: PAIRS, selected_seed: order.seed + now.pair};
}
