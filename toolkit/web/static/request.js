// Requests of a figure to the server: one under way, the newest of the others next. Gradio's `trigger` sends; what the
// server yields comes as a window event, the channel, which the hidden component beside the figure dispatches.

const TICK = 4_000, NUDGES = [4_000, 12_000, 28_000], PATIENCE = 60_000;  // milliseconds of silence
const SLOW = 500;  // milliseconds until a figure says that it waits

const someoneIsBefore = () => document.querySelector("#in-line:not([hidden])");

/** Gradio's server ends the stream of responses with the last one; a request that joins it just then is left without,
 *  until another one opens the stream again: "stir", which asks for nothing. */
export const nudge = (trigger) => trigger("stir");

/** Show how many come before the visitor: Gradio writes "queue: 3/5" where the responses go, and nobody looks there. */
function showPlaceInLine(channel) {
  const block = document.querySelector(`[data-channel="${channel}"]`)?.closest(".block");
  if (!block || block.dataset.watched) return;
  block.dataset.watched = true;
  let line = document.querySelector("#in-line");
  if (!line) {
    line = Object.assign(document.createElement("p"), {id: "in-line", hidden: true, role: "status"});
    document.querySelector(".gradio-container").append(line);
  }
  new MutationObserver(() => {
    const text = placeInLine(block.textContent);
    if (text ? line.textContent === text : line.owner !== block) return;
    Object.assign(line, {textContent: text, hidden: !text, owner: block});
  }).observe(block, {childList: true, characterData: true, subtree: true});
}

export function placeInLine(text) {
  const place = /queue: (\d+)\//.exec(text)?.[1];
  return place ? `In line: ${place} before you` : "";
}

export class Request {
  #visitor = crypto.randomUUID?.() ?? String(Math.random());
  #ticket = 0;
  #next = null;
  #flight = null;  // {ticket, context, silent, timer, slow}

  /**
   * figure: {article, trigger, server, setBusy} of the figure.
   * event: what is triggered. channel: where responses come.
   * onResponse(response, context): each message; the last has `done`, one without is the only one. context: see `send`.
   * advice: what a visitor may do where no response comes.
   * cancels: whether the server is told of a newer request, and ends the one under way.
   * waits: whether a newer request waits for the one under way; else the responses to that one are dropped.
   * slow: () => whether the figure says that it waits, after a while (class "waiting").
   */
  constructor(figure, event, {channel, onResponse, advice, cancels = false, waits = true, slow = () => false}) {
    Object.assign(this, {figure, event, channel, onResponse, advice, cancels, waits, slow});
    window.addEventListener(channel, ({detail}) => this.#receive(detail));
  }

  /** Whether a newer request waits to be sent: what comes now is not what the visitor asked for last. */
  get superseded() {
    return this.#next !== null;
  }

  get busy() {
    return this.#flight !== null || this.superseded;
  }

  /** context: what `onResponse` is given beside the response; by default the payload. */
  send(payload, context = payload) {
    this.#next = {payload, context};
    if (this.#flight && this.cancels) this.figure.server.note({visitor: this.#visitor, ticket: ++this.#ticket});
    if (!this.waits) this.#end();
    this.#depart();
  }

  /** Send nothing else after the request under way. */
  forget() {
    this.#next = null;
    this.#depart();
  }

  /** Have the server, by one of its functions, end the request under way early; the response is what it has. */
  hurry(stop) {
    if (this.#flight) stop({visitor: this.#visitor, ticket: this.#flight.ticket + 1});
  }

  /** Have the server end the request under way: what there is by then is the response. */
  stop() {
    this.#next = null;
    if (this.#flight) this.figure.server.note({visitor: this.#visitor, ticket: ++this.#ticket});
  }

  /** Wait for no response any more. */
  cancel() {
    if (this.#flight && this.cancels) this.figure.server.note({visitor: this.#visitor, ticket: ++this.#ticket});
    this.#end();
    this.forget();
  }

  #end() {
    clearInterval(this.#flight?.timer);
    clearTimeout(this.#flight?.slow);
    this.#flight = null;
    this.figure.article.classList.remove("waiting");
  }

  #depart() {  // if one waits to be sent, and none is under way
    if (!this.#flight && this.#next) {
      const {payload, context} = this.#next, ticket = ++this.#ticket;
      const timer = setInterval(() => this.#listen(), TICK);
      const slow = setTimeout(() => this.figure.article.classList.toggle("waiting", this.slow()), SLOW);
      this.#next = null;
      this.#flight = {ticket, context, silent: 0, timer, slow};
      showPlaceInLine(this.channel);
      this.figure.trigger(this.event, {...(this.cancels ? {visitor: this.#visitor} : {}), ticket, ...payload});
    }
    this.figure.setBusy(this, this.busy);
  }

  #listen() {
    const flight = this.#flight;
    if (someoneIsBefore()) return;
    flight.silent += TICK;
    if (NUDGES.includes(flight.silent)) nudge(this.figure.trigger);
    if (flight.silent < PATIENCE) return;
    const error = `The server does not answer: ${this.advice}.`;
    this.#receive({ticket: flight.ticket, done: true, lost: true, error});
  }

  #receive(response) {
    const flight = this.#flight;
    if (!response || response.ticket !== flight?.ticket) return;
    flight.silent = 0;
    const done = response.done ?? true;
    if (done) this.#end();
    this.onResponse({...response, done}, flight.context);
    if (done) this.#depart();
  }
}
