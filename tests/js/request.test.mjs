// Requests to the server: one under way, the newest next, and what happens where no response comes.
import assert from "node:assert/strict";
import test, {afterEach, beforeEach, mock} from "node:test";

globalThis.window = new EventTarget();
globalThis.document = {querySelector: () => null};  // nobody waits in line
const {Request, placeInLine} = await import("../../toolkit/web/static/request.js");

beforeEach(() => mock.timers.enable({apis: ["setInterval", "setTimeout"]}));
afterEach(() => mock.timers.reset());

let channels = 0;

/** A request of a figure whose server is this list of what was sent. */
function asking(options = {}) {
  const channel = `channel-${channels++}`, sent = [], notes = [], heard = [], classes = new Set();
  const classList = {
    remove: (name) => classes.delete(name), toggle: (name, on) => (on ? classes.add(name) : classes.delete(name)),
  };
  const figure = {
    article: {classList}, trigger: (event, payload) => sent.push({event, ...payload}),
    server: {note: (note) => notes.push(note)}, setBusy: (_, isBusy) => { figure.isBusy = isBusy; },
  };
  const onResponse = (response, context) => heard.push([response, context]);
  const request = new Request(figure, "draw", {channel, onResponse, advice: "turn a knob", ...options});
  const respond = (response) => window.dispatchEvent(Object.assign(new Event(channel), {detail: response}));
  return {request, sent, notes, heard, respond, figure, classes};
}

test("a request is sent with a ticket, and its response comes back with what it was for", () => {
  const {request, sent, heard, respond, figure} = asking();
  request.send({seed: 1}, "context");
  assert.deepEqual(sent, [{event: "draw", ticket: 1, seed: 1}]);
  assert.equal(figure.isBusy, true);
  respond({ticket: 1, images: "x"});
  assert.deepEqual(heard, [[{ticket: 1, images: "x", done: true}, "context"]]);
  assert.deepEqual([request.busy, figure.isBusy], [false, false]);
});

test("one request is under way, and only the newest of the others follows", () => {
  const {request, sent, respond, figure} = asking();
  for (const seed of [1, 2, 3]) request.send({seed});
  assert.deepEqual(sent.map(({seed}) => seed), [1]);
  assert.equal(request.superseded, true);
  respond({ticket: sent[0].ticket});
  assert.deepEqual(sent.map(({seed}) => seed), [1, 3]);
  assert.equal(figure.isBusy, true);
  respond({ticket: sent[1].ticket});
  assert.equal(figure.isBusy, false);
});

test("a stream of responses ends with the one that is done", () => {
  const {request, sent, heard, respond} = asking();
  request.send({});
  for (const done of [false, false, true]) respond({ticket: sent[0].ticket, done});
  respond({ticket: sent[0].ticket, done: true});  // too late
  assert.equal(heard.length, 3);
  assert.equal(request.busy, false);
});

test("responses to others, and to nobody, are dropped", () => {
  const {heard, request, respond} = asking();
  request.send({});
  for (const response of [null, undefined, {}, {ticket: 99}, {ticket: null}]) respond(response);
  assert.equal(heard.length, 0);
});

test("the server is told of a newer request, if it can end the one under way", () => {
  const {request, sent, notes} = asking({cancels: true});
  request.send({seed: 1});
  request.send({seed: 2});
  assert.equal(notes.length, 1);
  assert.equal(notes[0].visitor, sent[0].visitor);
  assert.ok(notes[0].ticket > sent[0].ticket);
});

test("a request that does not wait takes the place of the one under way", () => {
  const {request, sent, heard, respond} = asking({waits: false});
  request.send({seed: 1});
  request.send({seed: 2});
  assert.deepEqual(sent.map(({seed}) => seed), [1, 2]);
  respond({ticket: sent[0].ticket});
  assert.equal(heard.length, 0);
  respond({ticket: sent[1].ticket});
  assert.equal(heard.length, 1);
});

test("a response may ask anew", () => {
  const asked = asking({onResponse: ({error}) => { if (error) asked.request.send({layer: -1}); }});
  asked.request.send({layer: 9});
  asked.respond({ticket: asked.sent[0].ticket, error: "no such layer"});
  assert.deepEqual(asked.sent.map(({layer}) => layer), [9, -1]);
  assert.equal(asked.figure.isBusy, true);
});

test("cancelled is cancelled, forgotten is only what was to follow", () => {
  const {request, sent, heard, respond} = asking();
  request.send({seed: 1});
  request.send({seed: 2});
  request.forget();
  respond({ticket: sent[0].ticket});
  assert.deepEqual([heard.length, sent.length], [1, 1]);
  request.send({seed: 3});
  request.cancel();
  respond({ticket: sent[1].ticket});
  assert.deepEqual([heard.length, request.busy], [1, false]);
});

test("the server is told of what is cancelled, and of what is to end early with what it has", () => {
  const {request, sent, notes, heard, respond} = asking({cancels: true}), hurried = [];
  request.hurry((it) => hurried.push(it));
  assert.equal(hurried.length, 0);  // nothing is under way
  request.send({});
  request.hurry((it) => hurried.push(it));
  assert.deepEqual(hurried.map(({visitor, ticket}) => [visitor, ticket]), [[sent[0].visitor, sent[0].ticket + 1]]);
  respond({ticket: sent[0].ticket, done: true});
  assert.equal(heard.length, 1);
  request.send({});
  request.cancel();
  assert.ok(notes.length === 1 && notes[0].ticket > sent[1].ticket);
});

test("silence is broken three times, and after a minute the visitor is told", () => {
  const {request, sent, heard} = asking({slow: () => true});
  request.send({});
  mock.timers.tick(59_000);
  assert.deepEqual(sent.slice(1), Array(3).fill({event: "stir"}));
  assert.equal(heard.length, 0);
  mock.timers.tick(1_000);
  assert.equal(heard[0][0].error, "The server does not answer: turn a knob.");
  assert.deepEqual([heard[0][0].lost, heard[0][0].done, request.busy], [true, true, false]);
});

test("a part of a response is a sign of life, and a slow one is shown", () => {
  const {request, sent, heard, respond, classes} = asking({slow: () => true});
  request.send({});
  mock.timers.tick(56_000);
  assert.deepEqual([...classes], ["waiting"]);
  respond({ticket: sent[0].ticket, done: false});
  mock.timers.tick(56_000);
  assert.equal(heard.length, 1);
  respond({ticket: sent[0].ticket, done: true});
  assert.equal(classes.size, 0);
});

test("the place in the queue is read from what Gradio writes", () => {
  assert.equal(placeInLine("queue: 3/5 | 2.0s"), "In line: 3 before you");
  assert.equal(placeInLine("processing | 2.0s"), "");
});
