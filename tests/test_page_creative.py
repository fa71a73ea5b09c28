"""The tab "Creative decoder" without a browser: pairs of one code, neutral knobs, and one sentence for a bad order."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from tests.test_app import ask
from toolkit import data, hub, plot, runs
from toolkit.models import create
from toolkit.samplers import METHODS, Creative, activation_statistics
from toolkit.samplers.creative import hidden_activations
from toolkit.seeds import Noise
from toolkit.web import creative, server

SMALL = {"widths": (60, 30, 20), "z": 6}  # the decoder's hidden layers have 20, 30 and 60 neurons
COLOURS = {
    "channels": 3,
    "size": 16,
    "filters": 8,
    "depth": 2,
    "width": 20,
    "z": 6,
}  # ... 20, 20, 128 and, last, 8 maps
NETWORKS = {
    "creative-colours": ("Colours", "ConvVAE", COLOURS),
    "creative-fashion": ("Clothes", "VAE", SMALL),
    "creative-mnist": ("Digits", "VAE", SMALL),
}


def tiny_decoders(folder: Path) -> Path:
    """A tree of checkpoints with untrained decoders, and what their neurons do over some codes."""
    for seed, (name, (title, kind, config)) in enumerate(NETWORKS.items()):
        here = folder / name / "iter_001"
        here.mkdir(parents=True)
        hub.save(create(kind, config, seed=seed), here / "model.safetensors", experiment=name, iteration=1)
        model: Any = hub.load(here / "model.safetensors")
        codes = [3 * Noise(range(400)).randn(6)]
        layers = range(1, len(model.hidden) + 1)
        statistics = {layer: activation_statistics(model, codes, layer=layer) for layer in layers}
        how = Creative(gain=20.0)
        (here / "statistics.safetensors").write_bytes(hub.statistics_bytes(statistics, how))
        sheet = runs.decoder_sheet(hub.Trained(name, title, "mnist", model, statistics, how))
        (here / "samples.png").write_bytes(sheet)
        learned = {"creative-mnist": "mnist", "creative-fashion": "fashion"}.get(name, "tinted:fashion")
        config = {"title": title, "kind": "decoder", "experiment": {"data": learned}}
        (folder / name / "config.json").write_text(json.dumps(config))
    hub.write_index(folder)
    return folder


@pytest.fixture
def decoders(full: Path) -> Path:
    return full


def answer(decoders: Path, **changes: Any) -> dict[str, Any]:
    (message,) = ask("creative", decoders, **changes)
    return message


def pictures(light: str, side: int = 28) -> list[bytes]:
    values = base64.b64decode(light)
    return [values[start : start + side**2] for start in range(0, len(values), side**2)]


def test_what_stands_at_the_start_is_how_creative_decoding_is_by_default() -> None:
    how = Creative()
    assert (how.method, how.neurons, list(how.band)) == tuple(
        creative.START[key] for key in ("method", "neurons", "band")
    )


def test_the_first_page_shows_each_decoder_digits_first(decoders: Path) -> None:
    first = creative.first_page(decoders)
    assert first is not None and json.loads(json.dumps(first)) == first
    assert [decoder["title"] for decoder in first["decoders"]] == ["Digits", "Clothes", "Colours"]
    assert all(decoder["sheet"].startswith(f"sheets/{decoder['name']}/iter_001/") for decoder in first["decoders"])


def test_the_sheet_is_what_the_first_answer_draws(decoders: Path) -> None:
    with Image.open(decoders / "creative-mnist" / "iter_001" / "samples.png") as sheet:
        stored_pictures = [tile.numpy().tobytes() for tile in plot.tiles(sheet, 28)]
    message = answer(decoders)
    assert (stored_pictures[::2], stored_pictures[1::2]) == (pictures(message["regular"]), pictures(message["images"]))


@pytest.mark.parametrize("method", METHODS)
def test_an_answer_is_plain_json_with_both_pictures_of_32_pairs(decoders: Path, method: str) -> None:
    message = answer(decoders, method=method)
    assert (len(pictures(message["regular"])), len(pictures(message["images"]))) == (32, 32)
    assert message["shape"] == [1, 28, 28]
    assert [len(message[key]) for key in ("distances", "neurons")] == [32, 32]


@pytest.mark.parametrize("method", ["low-active", "random", "noisy"])
def test_what_is_switched_on_changes_pictures_and_their_distance(decoders: Path, method: str) -> None:
    message = answer(decoders, method=method)
    assert all(a != b for a, b in zip(pictures(message["regular"]), pictures(message["images"]), strict=True))
    assert all(regular != modified for regular, modified in message["distances"])


@pytest.mark.parametrize(
    "neutral", [{"neurons": 0}, {"gain": 0}, {"method": "random", "neurons": 0}, {"method": "noisy", "gain": 0},
                {"method": "regular"}]
)  # fmt: skip
def test_with_nothing_added_both_pictures_are_the_same(decoders: Path, neutral: dict[str, Any]) -> None:
    message = answer(decoders, **neutral)
    assert message["images"] == message["regular"] == answer(decoders)["regular"]
    assert all(regular == modified for regular, modified in message["distances"])


def test_each_neuron_is_said_to_fire_as_its_statistics_say(decoders: Path) -> None:
    message, trained = answer(decoders, layer=2, neurons=3, gain=1.5), hub.load_decoder(decoders, "creative-mnist")
    statistics = trained.statistics[2]
    assert {k for chosen in message["neurons"] for k in chosen} - {-1} == set(map(int, message["known"]))
    for k, (often, value, mean, peak) in [(int(name), facts) for name, facts in message["known"].items()]:
        found = [
            statistics.active[k],
            30 * (statistics.mean[k] + 2 * statistics.std[k]),
            statistics.mean[k],
            statistics.peak[k],
        ]
        assert [often, value, mean, peak] == pytest.approx([x.item() for x in found], rel=1e-3)


def test_channels_of_a_colour_decoder_are_neurons_too(decoders: Path) -> None:
    message = answer(decoders, experiment="creative-colours", method="random", neurons=2)
    assert message["shape"] == [3, 16, 16]
    assert len(base64.b64decode(message["images"])) == 32 * 3 * 16 * 16
    assert (message["layer"]["number"], message["layer"]["neurons"]) == (4, 8)


def test_a_layer_is_described_with_its_dead_and_its_band(decoders: Path) -> None:
    layer = answer(decoders, band=[0, 100])["layer"]
    assert (layer["number"], layer["of"], layer["neurons"]) == (3, 3, 60)
    assert layer["band"] == 60 - layer["dead"]
    assert len(layer["often"]) == 101 and layer["often"] == sorted(layer["often"]) and layer["often"][0] > 0


def look(work: Any, kind: Any, decoders: Path, **asked: Any) -> dict[str, Any]:
    """What answers another request of the tab: plain JSON."""
    message = work(decoders, kind.read({"experiment": "creative-mnist", **asked}))
    assert json.loads(json.dumps(message, allow_nan=False)) == message
    return dict(message)


def test_the_way_between_two_images_begins_and_ends_at_their_reconstructions(decoders: Path) -> None:
    message = look(creative.way, creative.WayRequest, decoders, start=3, end=8)
    way, trained = pictures(message["images"]), hub.load_decoder(decoders, "creative-mnist")
    sample = data.load("sample:mnist")
    ends = [sample.images[sample.labels == kind][:1].float() / 255 for kind in (3, 8)]
    assert [way[0], way[-1]] == pictures(server.pixels(trained.model(torch.cat(ends))))
    assert len(way) == len(message["distances"]) == 21 and message["regular"] > 0
    back = look(creative.way, creative.WayRequest, decoders, start=8, end=3)
    assert pictures(back["images"])[0] == way[-1]


def test_a_neuron_shows_the_images_that_fire_it_most_and_only_those(decoders: Path) -> None:
    trained, images = hub.load_decoder(decoders, "creative-mnist"), data.load("sample:mnist").images
    h = hidden_activations(trained.model, trained.model.encode(images.float() / 255), 2)
    strong, dead = int(h.amax(0).argmax()), (h.amax(0) == 0).nonzero()[:, 0].tolist()
    message = look(creative.memory, creative.MemoryRequest, decoders, layer=2, neuron=strong)
    first = torch.tensor([*pictures(message["images"])[0]], dtype=torch.uint8).view(1, 28, 28)
    (row, *_) = (images == first).flatten(1).all(1).nonzero()[:, 0]
    assert h[row, strong].item() == pytest.approx(h[:, strong].max().item(), rel=1e-5)
    assert message["count"] == min(9, int((h[:, strong] > 0).sum())) and message["alone"] != message["rest"]
    for neuron in dead[:1]:
        empty = look(creative.memory, creative.MemoryRequest, decoders, layer=2, neuron=neuron)
        assert (empty["count"], empty["images"], empty["fires"]) == (0, "", 0)


def test_looks_at_what_is_not_there_are_refused_in_a_sentence(decoders: Path) -> None:
    assert [len(it["kinds"]) for it in creative.first_page(decoders)["decoders"]] == [10, 10, 0]  # type: ignore[index]
    for work, kind, asked, sentence in [
        (creative.way, creative.WayRequest, {"start": 3, "end": 10}, "there are kinds 0 to 9"),
        (creative.way, creative.WayRequest, {"start": -1, "end": 1}, "start -1 is not usable"),
        (creative.way, creative.WayRequest, {"experiment": "creative-colours", "start": 0, "end": 1}, "are built in"),
        (creative.memory, creative.MemoryRequest, {"layer": 2, "neuron": 30}, "layer 2 has 30 neurons"),
        (creative.memory, creative.MemoryRequest, {"layer": 7, "neuron": 0}, "there is no hidden layer 7"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            look(work, kind, decoders, **asked)


def test_requests_under_way_at_the_same_time_do_not_mix(decoders: Path) -> None:
    ways: list[dict[str, Any]] = [{"method": "regular"}, {}, {"method": "noisy"}, {"neurons": 9, "gain": 3}] * 5
    alone = [answer(decoders, **way)["images"] for way in ways]
    with ThreadPoolExecutor(4) as workers:
        assert [it["images"] for it in workers.map(lambda way: answer(decoders, **way), ways)] == alone
