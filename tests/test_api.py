"""The named endpoints: what they draw is what the page draws, and nothing that comes in breaks them."""

import base64
import json
import random
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import gradio as gr
import pytest
from PIL import Image

from tests.test_app import ASKED, ask, build, tiny_run
from tests.test_page_tray import order as kept
from tests.test_page_tray import symbol
from toolkit import plot
from toolkit.experiments.page_benchmark import RefusedError, Visitor, refusal
from toolkit.samplers import to_bytes
from toolkit.seeds import Noise
from toolkit.web import annotate, api, claims, creative, iterations, kaleidoscope, server, tray

CALLS = 300  # of nonsense, of each endpoint
OVER_HTTP = 40
FOREVER = object()


@pytest.fixture(scope="module")
def folder(full: Path) -> Path:
    return full


class Every:
    """The endpoints, each as a client sees it: the last of what it yields."""

    def __init__(self, folder: Path) -> None:
        self.endpoints = api.Endpoints(folder)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*values: Any, **options: Any) -> Any:
            *_, answer = getattr(self.endpoints, name)(*values, **options)
            return answer

        return call


@pytest.fixture(scope="module")
def every(folder: Path) -> Every:
    return Every(folder)


def file(kind: str = "PNG", size: tuple[int, int] = (28, 28), **options: Any) -> bytes:
    buffer = BytesIO()
    Image.linear_gradient("L").resize(size).save(buffer, kind, **options)
    return buffer.getvalue()


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def page_of_zeros(width: int, height: int) -> bytes:
    """A few kilobytes that say they are a picture of so many pixels."""
    return b"GIF89a" + width.to_bytes(2, "little") + height.to_bytes(2, "little") + file("GIF", (5, 5))[10:]


RIGHT: dict[str, tuple[Any, ...]] = {
    "sample": ("fig2", 2, [7, 1]),
    "decode": ("creative-mnist", [0, 5], "low-active", 5, 1.0, 1.0, 15.0, -1),
    "kaleidoscope": ("kaleidoscope-mnist", [0, 9], 5, 0.01, "centred", "uniform"),
    "dream": ("judge-digits", [0, 3], "body.4", 1.0, 1, 2, -1, 224, ""),
    "words": ("words", 3, 7, 0.8, "un"),
    "measure": (text(file()), False),
}
WORDS: list[Any] = [
    "", "x" * 100_000, "fig2\0", "\ud800", "\u202eesrever", "٣", "é" * 70, "../../etc/passwd", "/etc/passwd",
    "file:///etc/passwd", "http://127.0.0.1:1/x.png", "data:image/png;base64,", "<svg onload=alert(1)>", "{}", "%s%n",
    "'; DROP TABLE runs; --", "$(id)", "NaN", "-1", "2", "None", "creative-mnist", "kaleidoscope-1d", "fig2",
]  # fmt: skip
NUMBERS: list[Any] = [
    0, -1, 1, 64, 2**31, 2**32, 2**63, -(2**63), 10**400, 0.5, -0.0, 1e308, -1e308, 1e-320, float("nan"), float("inf"),
    float("-inf"), True, False, None, 2 + 0j,
]  # fmt: skip
PICTURES: list[Any] = [
    text(file()[:60]), text(file("JPEG")[:200]), text(file("WEBP") + b"\0" * 9), text(page_of_zeros(65_535, 65_535)),
    text(page_of_zeros(4000, 4000)), text(file("GIF", (9, 9), save_all=True, append_images=[Image.new("L", (9, 9))])),
    text(file("TIFF")), text(file("BMP")), text(file("PNG", (2100, 1))), text(file("PNG", (1, 2100))),
    text(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), text(b"<html>"), text(b"%!PS"), text(b""), text(file())[:-3],
    "data:image/png;base64," + text(file()), "A" * 1_500_000,
]  # fmt: skip


def nonsense(chance: random.Random, depth: int = 0) -> Any:
    """Anything that could come in, and much that could not."""
    kinds = [lambda: chance.choice(WORDS), lambda: chance.choice(NUMBERS), lambda: chance.choice(PICTURES)]
    kinds += [lambda: {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, lambda: b"bytes", object]
    if depth < 3:
        kinds += [lambda: [nonsense(chance, depth + 1) for _ in range(chance.choice([0, 1, 2, 3 if depth else 70]))]]
        kinds += [lambda: {str(chance.random()): nonsense(chance, depth + 1)}, lambda: nested(chance.choice([40, 900]))]
    return chance.choice(kinds)()


def nested(depth: int) -> Any:
    found: Any = 0
    for _ in range(depth):
        found = [found]
    return found


def fuzzed(chance: random.Random, right: tuple[Any, ...]) -> list[Any]:
    """A right call with one or more of its values replaced."""
    spoilt = chance.sample(range(len(right)), chance.randint(1, len(right)))
    return [nonsense(chance) if place in spoilt else value for place, value in enumerate(right)]


def said(folder: Path, work: Callable[[], Any]) -> str:
    """The sentence that refuses it; nothing if it is answered, with plain JSON."""
    try:
        json.dumps(work(), allow_nan=False)
    except gr.Error as error:
        sentence, quiet = error.message, not error.print_exception
    else:
        return ""
    assert quiet
    return plain(folder, sentence)


def plain(folder: Path, sentence: str) -> str:
    assert sentence.endswith(".") and "\n" not in sentence and len(sentence) < 400, sentence
    assert str(folder) not in sentence and "Traceback" not in sentence
    return sentence


# ---- what they answer


def test_a_symbol_is_the_one_that_grows_on_the_page(folder: Path, every: Every) -> None:
    *_, end = ask("iterations", folder, final=True)
    both, one = every.sample("fig2", 2, [1, 7]), every.sample("fig2", 2, [7])
    assert one["shape"] == [1, 1, 28, 28] and one["images"] == end["states"][0]
    assert base64.b64decode(both["images"])[784:] == base64.b64decode(one["images"])


def test_pairs_are_those_of_the_page(folder: Path, every: Every) -> None:
    (drawn,) = ask("creative", folder, seed=3)
    found = every.decode("creative-mnist", list(range(3, 3 + creative.PAIRS)))
    assert {key: found[key] for key in ("images", "regular", "neurons")} == {
        key: drawn[key] for key in ("images", "regular", "neurons")
    }


def test_no_run_is_the_noise_itself_and_a_sheet_holds_all_pictures(every: Every) -> None:
    found = every.kaleidoscope("kaleidoscope-mnist", [4, 5, 6], runs=0)
    assert base64.b64decode(found["images"]) == to_bytes(Noise([4, 5, 6]).rand(1, 28, 28)).numpy().tobytes()
    assert (found["distinct"], Image.open(BytesIO(base64.b64decode(found["sheet"]))).size) == (3, (56, 56))


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "JPEG"])
def test_a_picture_is_measured_whatever_its_kind(every: Every, kind: str) -> None:
    found = every.measure(text(file(kind, (56, 56))))
    assert found["shape"] == [1, 1, 28, 28] and found["measures"]["ink"] == pytest.approx(0.5, abs=0.01)
    assert set(found["nearest"]) == {"mnist", "fashion"}


def test_a_training_image_is_nearest_to_itself(every: Every) -> None:
    found = every.measure(text(plot.png(kaleidoscope.sample("mnist")[3:4])))
    assert found["nearest"]["mnist"] == {"distance": 0.0, "row": 3}


def test_inverted_the_ink_is_what_was_paper(every: Every) -> None:
    ink, paper = (every.measure(text(file()), invert)["measures"]["ink"] for invert in (False, True))
    assert ink + paper == pytest.approx(1)


# ---- what they refuse


@pytest.mark.parametrize("name", RIGHT)
def test_whatever_comes_in_gets_an_answer_or_one_sentence(folder: Path, every: Every, name: str) -> None:
    chance, endpoint = random.Random(name), getattr(every, name)
    calls = [fuzzed(chance, RIGHT[name]) for _ in range(CALLS)]
    refused = [said(folder, lambda call=call: endpoint(*call)) for call in calls]  # type: ignore[misc]
    assert sum(map(bool, refused)) > CALLS / 2
    assert said(folder, lambda: endpoint(*RIGHT[name])) == ""


@pytest.mark.parametrize(
    ("picture", "named"),
    [
        (text(page_of_zeros(4000, 4000)), "16,000,000 pixels"),
        (text(page_of_zeros(65_535, 65_535)), "the image is too large: give one of at most 4,000,000 pixels"),
        ("A" * 1_500_000, "at most 1400000 letters"),
        (text(file("TIFF")), "cannot be read"),
        (text(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), "cannot be read"),
        ("/etc/passwd", "cannot be read"),
        ({"path": "/etc/passwd"}, "at most 1400000 letters"),
    ],
)
def test_a_picture_that_is_none_or_too_large_is_refused_by_name(
    folder: Path, every: Every, picture: Any, named: str
) -> None:
    assert named in said(folder, lambda: every.measure(picture))


def test_too_many_seeds_are_refused(folder: Path, every: Every) -> None:
    assert "1 to 64" in said(folder, lambda: every.sample("fig2", 2, list(range(65))))


def test_a_lost_file_is_said_without_the_paths_of_the_machine(tmp_path: Path) -> None:
    folder = tiny_run(tmp_path, iterations=1)
    (folder / "fig2/iter_001/model.safetensors").unlink()
    assert "model.safetensors" in said(folder, lambda: Every(folder).sample("fig2", 1, [0]))


def test_the_endpoints_alone_are_public_named_and_described(folder: Path) -> None:
    page = build(folder)
    public = [event for event in page.fns.values() if event.api_visibility == "public"]
    assert [event.api_name for event in public] == ["sample", "decode", "kaleidoscope", "raise_family", "dream",
                                                    "words", "measure"]  # fmt: skip
    assert not page.api_open
    assert all("Args:" in str(event.api_description) and "Returns:" in str(event.api_description) for event in public)


# ---- the private ones


ORDERS: dict[str, dict[str, Any]] = {tab: {"ticket": 1, **usual} for tab, (_, _, usual) in ASKED.items()}
ORDERS["iterations"] |= {"final": True, "kind": "growth"}
ORDERS["kaleidoscope"]["runs"] = 3
ORDERS["playground"] |= {"depth": 2, "width": 4, "steps": 2}
ORDERS["novel"]["image"] = text(bytes(range(196)) * 4)
ORDERS["tray"] = kept()
ORDERS["way"] = {"ticket": 1, "experiment": "creative-mnist", "start": 3, "end": 8}
ORDERS["memory"] = {"ticket": 1, "experiment": "creative-mnist", "layer": -1, "neuron": 0}
KINDS: dict[str, type[server.Request]] = {tab: kind for tab, (kind, _, _) in ASKED.items()}
KINDS |= {"iterations": iterations.FileRequest, "tray": tray.TakeRequest}
KINDS |= {"way": creative.WayRequest, "memory": creative.MemoryRequest}


def unusable(schema: dict[str, Any]) -> list[Any]:
    """Values of another type, out of range, or none of the choices, by the JSON schema of a field."""
    if "enum" in schema:
        return ["loud", "x" * 10**6, None, ["x"]]
    if schema.get("type") in ("integer", "number"):
        beyond = [schema["minimum"] - 1, schema["maximum"] + 1, 10**400] if "minimum" in schema else []
        return [*beyond, *([1.5] if schema["type"] == "integer" else []), float("nan"), "one", True, [1]]
    if schema.get("type") == "string":
        return [5, ["x"], *(["x" * 10**6] if "maxLength" in schema else [])]
    if schema.get("type") == "array":
        return [5, "one", None, [None], *([[0.5] * 100] if "maxItems" in schema else [])]
    return [[0], 1.5, *([{}] if schema.get("type") != "object" else [])]


@pytest.mark.parametrize("tab", KINDS)
def test_every_field_of_a_request_is_held_to_its_type_its_range_and_its_choices(tab: str) -> None:
    kind, right = KINDS[tab], {key: value for key, value in ORDERS[tab].items() if key != "ticket"}
    assert kind.read(right)
    for field, schema in kind.model_json_schema()["properties"].items():
        for value in unusable(schema):
            with pytest.raises(ValueError, match=rf"^{field}\b.* is not usable: give"):
                kind.read({**right, field: value})


def test_a_program_is_refused_in_the_words_of_the_page(folder: Path, every: Every) -> None:
    for calls, kind, right, field in (
        (every.decode, creative.CreativeRequest, ORDERS["creative"], "neurons"),
        (every.decode, creative.CreativeRequest, ORDERS["creative"], "method"),
        (every.kaleidoscope, kaleidoscope.FilmRequest, ORDERS["kaleidoscope"], "perturbation"),
    ):
        with pytest.raises(ValueError, match=f"^{field} 51 is not usable") as refused:
            kind.read({**right, field: 51})
        assert said(folder, partial(calls, right["experiment"], [0], **{field: 51})) == f"{refused.value}."


def spoilt(chance: random.Random, order: dict[str, Any]) -> Any:
    """An order with some of its values replaced; or no order at all."""
    if chance.random() < 0.1:
        return nonsense(chance)
    keys = chance.sample(sorted(order), chance.randint(1, len(order)))
    return {**order, **{key: nonsense(chance) for key in keys}}


def crooked(chance: random.Random) -> Any:
    """A tray of up to three random symbols, with the order or some of the symbols spoilt."""
    keys = [chr(chance.randrange(0x3000)) for _ in range(chance.randint(1, 3))]
    symbols: list[Any] = [symbol(key, light=text(chance.randbytes(784))) for key in keys]
    if chance.random() < 0.5:
        return spoilt(chance, kept(*symbols))
    return kept(*[spoilt(chance, one) if chance.random() < 0.7 else one for one in symbols])


def first(messages: Iterator[dict[str, Any]], count: int = 1) -> dict[str, Any]:
    """The last of the first few, or of as many as there are."""
    *_, message = islice(messages, count)
    messages.close()  # type: ignore[attr-defined]
    return message


@pytest.mark.parametrize("tab", ASKED)
def test_whatever_a_tab_is_asked_it_answers_or_says_one_sentence(folder: Path, tab: str) -> None:
    kind, respond, _ = ASKED[tab]
    chance, parts = random.Random(tab), 2 if tab == "bend" else 1  # the pictures before, and one after
    for _ in range(CALLS):
        asked = spoilt(chance, ORDERS[tab])
        message = first(server.responses(kind, partial(respond, folder), asked), parts)
        assert json.dumps(message, ensure_ascii=False, allow_nan=False).encode()
        assert message["error"] is None or plain(folder, message["error"])


def saved(folder: Path, data: Any) -> str:
    """The sentence that refuses a file of the iterations; nothing if there is one."""
    try:
        return "" if iterations.save(folder, data).is_file() else "no file."
    except ValueError as error:
        return f"{error}."


@pytest.mark.parametrize("what", ["file", "tray", "claim", "pool", "label"])
def test_whatever_is_asked_beside_the_queue_is_answered_or_refused_in_a_sentence(folder: Path, what: str) -> None:
    chance, right = random.Random(what), {"pool": "x", "annotator": "me", "image": 0, "label": "digit"}
    answers: dict[str, Callable[[], str | None]] = {
        "file": lambda: saved(folder, spoilt(chance, ORDERS["iterations"])),
        "tray": lambda: tray.take(crooked(chance))[1]["error"],
        "claim": lambda: server.answer(claims.picture, folder, nonsense(chance)).get("error"),
        "pool": lambda: server.answer(annotate.open_pool, folder, spoilt(chance, right)).get("error"),
        "label": lambda: server.answer(annotate.store_label, folder, spoilt(chance, right)).get("error"),
    }
    refused = [plain(folder, sentence) for _ in range(CALLS) if (sentence := answers[what]())]
    assert len(refused) > CALLS / 2


# ---- over HTTP

EVENTS = {  # the events of the scripts, and whose they are
    "grow": "iterations", "save": "iterations", "draw": "creative", "film": "kaleidoscope", "train": "playground",
    "bend": "bend", "dream": "dream", "fool": "fool", "ask": "novel", "raise": "raising", "pack": "raising",
    "write": "words", "take": "tray", "stir": "iterations", "mix": "way", "recall": "memory",
}  # fmt: skip
SERVED = {"figure": ["experiment", "strip"], "kaleidoscope": ["known"], "claims": ["look"], "bend": [], "dream": [],
          "pairs": [], "annotate": ["find", "begin", "label"], "playground": [], "words": [], "novel": [], "tray": [],
          "raising": ["recipe", "stop"]}  # fmt: skip
SERVED = {figure: [*functions, "note"] for figure, functions in SERVED.items()}


@pytest.fixture
def visitor(address: str) -> Visitor:
    return Visitor(address)


def survives(visitor: Visitor) -> bool:
    return visitor.call("sample", *RIGHT["sample"])["shape"] == [2, 1, 28, 28]


def refused(folder: Path, work: Callable[[], Any]) -> None:
    """It is answered, or refused in a sentence that tells nothing of the machine, or hung up on while it sends."""
    try:
        work()
    except (RefusedError, HTTPError) as error:
        sentence = refusal(error)
        assert sentence and sentence != "None" and "Traceback" not in sentence and str(folder) not in sentence
        assert "site-packages" not in sentence and 'File "' not in sentence
    except URLError as error:
        assert isinstance(error.reason, (BrokenPipeError, ConnectionResetError))  # noqa: PT017


def sendable(value: Any) -> bool:
    try:
        return len(json.dumps(value)) < server.LARGEST
    except (TypeError, ValueError, RecursionError):
        return False


WAYS = [*(("call", name) for name in RIGHT), *(("order", name) for name in EVENTS), *(("serve", it) for it in SERVED)]


@pytest.mark.slow
@pytest.mark.parametrize(("way", "name"), WAYS)
def test_a_client_gets_an_answer_or_a_sentence_and_the_page_lives_on(
    folder: Path, visitor: Visitor, way: str, name: str
) -> None:
    chance = random.Random(name)
    figures = {it["props"].get("elem_id"): it["id"] for it in visitor.config["components"]}
    makers: dict[str, Callable[[], Any]] = {
        "call": lambda: fuzzed(chance, RIGHT[name]),
        "order": lambda: spoilt(chance, ORDERS[EVENTS[name]]),
        "serve": lambda: nonsense(chance),
    }
    senders: dict[str, Callable[[Any], Any]] = {
        "call": lambda values: visitor.call(name, *values),
        "order": lambda data: visitor.trigger(name, data),
        "serve": lambda data: visitor.serve(figures[name], chance.choice(SERVED[name]), data),
    }
    values = filter(sendable, iter(makers[way], FOREVER))
    for value in islice(values, OVER_HTTP):
        refused(folder, partial(senders[way], value))
    assert survives(visitor)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("call/nothing", b'{"data": []}'),
        ("call/sample", b'{"data": []}'),
        ("call/sample", b'{"data": 7}'),
        ("call/sample", b"\xff\xfe"),
        ("call/sample", b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        ("call/sample", b'{"data": ["' + b"x" * 3_000_000 + b'"]}'),
        ("call/v2/sample", b"{}"),
        ("call/v2/nothing", b"{}"),
        ("call/sample/nothing", None),
        ("run/sample", b'{"data": ["fig2", 2, [1]]}'),
        ("run/nothing", b'{"data": []}'),
        ("queue/join", b'{"data": [], "fn_index": 999, "session_hash": "x"}'),
        ("queue/join", b'{"data": [], "fn_index": "x", "session_hash": ["x"]}'),
        ("queue/data?session_hash=nobody", None),
        ("component_server", b'{"data": "x", "component_id": 9999, "fn_name": "note", "session_hash": "x"}'),
        ("component_server", b'{"data": 1, "component_id": 3, "fn_name": "__class__", "session_hash": "x"}'),
        ("component_server", b"{}"),
        ("file=/etc/passwd", None),
        ("upload", b"x"),
    ],
)
def test_a_request_that_is_no_order_gets_a_sentence(folder: Path, visitor: Visitor, path: str, body: bytes) -> None:
    refused(folder, lambda: visitor.read(f"gradio_api/{path}", body))
    assert survives(visitor)


def test_what_a_function_of_a_figure_refuses_is_a_sentence_too(folder: Path, visitor: Visitor) -> None:
    _, figure = visitor.events["grow"]
    with pytest.raises(HTTPError) as caught:
        visitor.serve(figure, "experiment", "../../etc/passwd")
    assert json.loads(refusal(caught.value))["detail"] == server.FAULT and survives(visitor)


def test_every_event_and_function_of_the_page_is_among_those_tried(visitor: Visitor) -> None:
    parts = [it["props"] for it in visitor.config["components"]]
    assert {name for name in visitor.events if name != "load"} == set(EVENTS)
    assert {it["elem_id"]: it["server_fns"] for it in parts if it.get("server_fns")} == SERVED


def test_the_library_of_gradio_calls_the_endpoints(address: str) -> None:
    from gradio_client import Client

    client = Client(address, verbose=False)
    answer = client.predict("creative-mnist", [1, 2], neurons=3, api_name="/decode")
    assert answer["shape"] == [2, 1, 28, 28] and len(answer["neurons"][0]) == 3
    long = client.submit("kaleidoscope-mnist", [*range(64)], runs=300, api_name="/kaleidoscope")
    assert long.cancel()
    assert client.predict("fig2", 2, [7], api_name="/sample")["shape"] == [1, 1, 28, 28]  # the slow line is free again
    client.close()


def test_a_client_is_shown_the_type_of_every_argument_and_examples_that_are_answered(address: str) -> None:
    from gradio_client import Client

    client = Client(address, verbose=False)
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    names = {"/sample", "/decode", "/kaleidoscope", "/raise_family", "/dream", "/words", "/measure"}
    assert set(endpoints) == names
    for name, it in endpoints.items():
        assert it["description"] and [each["python_type"]["type"] for each in it["returns"]] == ["dict(str, Any)"]
        assert all(each["python_type"]["type"] != "Any" and each["type"] for each in it["parameters"])
        examples = {each["parameter_name"]: each["example_input"] for each in it["parameters"]}
        answer = client.predict(**examples, api_name=name)
        assert len(answer["words"]) == 60 if name == "/words" else answer["shape"][1:] == [1, 28, 28]
    method = endpoints["/decode"]["parameters"][2]["python_type"]["type"]
    assert method == "Literal['low-active', 'random', 'noisy', 'regular']"
    assert "experiment: str (required)  (such as 'creative-mnist')" in str(client.view_api(return_format="str"))
    client.close()
