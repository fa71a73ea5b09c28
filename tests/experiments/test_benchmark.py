"""The benchmark: its arithmetic on known times, both sides the same work, and everything in what it writes."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from toolkit import cli, data
from toolkit.experiments import benchmark, timing
from toolkit.experiments.benchmark import PARTS
from toolkit.experiments.timing import QUICK, Entry, Subject, alternate, entry, flat, report, scaled
from toolkit.models import create, sparse
from toolkit.samplers import creative
from toolkit.seeds import Noise, child

TIMED = {
    "train_step_published", "train_step_speedup", "pass_speedup", "creative_ms", "kaleidoscope_s", "symbols_64_s",
    "checkpoint_ms",
}  # fmt: skip
RULES = pytest.mark.parametrize("rule", ["channel", "position"])


@pytest.fixture(scope="module")
def subject() -> Subject:
    return Subject(QUICK, data.load("sample:mnist").images)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Entry:
    file = tmp_path_factory.mktemp("benchmark") / "speed.json"
    assert cli.main(["benchmark", "--quick", "--json", str(file)]) == 0
    return dict(json.loads(file.read_text()))


# arithmetic


def test_a_speedup_is_the_ratio_of_the_medians_and_a_side_alone_has_none() -> None:
    found = entry({"plain": [8.0, 6.0, 100.0], "fast": [2.0, 0.5, 3.0]}, batch=100)
    assert (found["value"], found["plain"], found["fast"], found["batch"]) == (4.0, 8.0, 2.0, 100)
    assert found["minimum"] == {"plain": 6.0, "fast": 0.5} and found["ratio_of_minima"] == 12
    assert found["spread"] == {"plain": 100 / 6, "fast": 6} and found["runs"]["fast"] == [2.0, 0.5, 3.0]
    found = entry({"plain": [0.5], "fast": [0.25]}, "ms")
    assert (found["value"], found["unit"], found["ratio"], found["runs"]["plain"]) == (250.0, "ms", 2.0, [500.0])
    assert "ratio" not in entry({"fast": [1.0]}, "s")
    assert scaled({"plain": [10.0], "fast": [5.0]}, plain=1 / 10) == {"plain": [1.0], "fast": [5.0]}


def test_the_sides_take_turns_and_warming_up_does_not_count() -> None:
    done = list[str]()
    sides: dict[str, Callable[[], object]] = {name: lambda name=name: done.append(name) for name in "pf"}  # type: ignore[misc]
    times = alternate(sides, runs=2)
    assert "".join(done) == "pfpfpf" and [len(own) for own in times.values()] == [2, 2] and min(times["p"]) > 0


# both sides do the same work


@RULES
def test_plain_training_lowers_the_same_loss_by_the_same_steps(subject: Subject, rule: str) -> None:
    model = subject.untrained(1, lifetime_per=rule, lifetime=0.2)
    fast = benchmark.fit_in(torch.float32, model, subject.batches, 3)
    losses, plain = timing.train(model, subject.batches, 3)
    assert len(losses) == 3
    for (name, ours), theirs in zip(fast.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-4, rtol=1e-2, msg=name)


@RULES
def test_the_plain_rules_of_lifetime_sparsity_lower_the_loss_of_the_definition(subject: Subject, rule: str) -> None:
    model, x = subject.untrained(1, lifetime_per=rule, lifetime=0.2, kernel=3), torch.rand(20, 1, 28, 28)
    z = model.encode(x)
    kept = {"channel": sparse.lifetime(z, 0.2), "position": sparse.lifetime_per_position(z, 0.2)}
    assert kept["position"].count_nonzero() > kept["channel"].count_nonzero()
    loss = (model.decode(kept[rule]) - x).square().flatten(1).sum(1).mean() / 2
    torch.testing.assert_close(timing.autoencoder(model).loss(x), loss)


def test_plain_kaleidoscopic_runs_give_the_same_pictures_if_nothing_perturbs_them() -> None:
    model: Any = create("Manifold", QUICK.manifold, seed=0)
    start = Noise(range(QUICK.starts)).rand(*model.image_shape)
    expected = benchmark.fast_kaleidoscope(model, QUICK, perturbation=0.0)
    plain = timing.kaleidoscope(model.net, start, QUICK.kaleidoscope_runs, 0.0)
    torch.testing.assert_close(plain, expected, atol=1e-2, rtol=0)


def test_plain_creative_decoding_gives_the_same_pairs_for_the_same_lots(subject: Subject) -> None:
    model, statistics = benchmark.trained_decoder(subject)
    z = Noise(range(4)).randn(*model.code_shape)
    lots = Noise(child(seed, "neurons") for seed in range(4)).rand(len(statistics.active))
    created = creative.creative_decode(model, z, statistics, range(4), benchmark.HOW)
    regular, low_active = timing.creative_decode(model, z, statistics, lots, benchmark.HOW)
    assert (created.neurons >= 0).any() and not torch.equal(created.images, created.regular)
    torch.testing.assert_close(regular, created.regular)
    torch.testing.assert_close(low_active, created.images)


def test_exactness_is_near_zero_in_float32_and_sees_bfloat16_and_a_wrong_gradient(subject: Subject) -> None:
    found = benchmark.batch_differences(subject, subject.model)
    assert 0 < found["outputs"]["float64"] < 1e-4 and 0 < found["gradients"]["float64"] < 1e-3
    assert 10 * found["gradients"]["plain"] < found["gradients"]["bfloat16"] < 1
    model, twin = subject.untrained(1), subject.untrained(1)
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        ours.grad, theirs.grad = torch.full_like(ours, 1.1), torch.ones_like(theirs)
    assert benchmark.gradient_differences(model, twin) == pytest.approx([0.1] * 12, rel=1e-4)


def test_training_in_bfloat16_ends_where_float32_does_nearer_than_in_another_order_of_the_images(
    subject: Subject,
) -> None:
    plan = replace(QUICK, curve_filters=8, curve_steps=20, curve_seeds=2, batch=20)
    found = benchmark.training_ends(Subject(plan, subject.images[:150]))
    assert {len(own) for own in found["held_out_loss"].values()} == {2} and found["loss_spread"] > 0
    for side, loss, weights, images in (("plain", 0.1, 0.1, 0.1), ("bfloat16", 1.0, 1.0, 1.5)):
        assert abs(found["loss_difference"][side]["mean"]) < loss * found["loss_spread"], side
        assert 0 < found["weights"][side] < weights * found["weights"]["another order"], side
        assert 0 < found["images"][side] < images * found["images"]["another order"], side
    assert found["weights"]["float32"] == found["images"]["float32"] == 0


def test_operations_are_two_for_each_weight_at_each_place_it_is_put(subject: Subject) -> None:
    filters = QUICK.filters  # of 5 by 5 pixels, in three layers of images of 28
    pixels, weights = [24**2, 20**2, 16**2], [25 * filters, 25 * filters**2, 25 * filters**2]
    dense = sum(place * weight for place, weight in zip(pixels, weights, strict=True))
    assert benchmark.operations(subject.model) == 2 * 2 * dense  # encoder and decoder


# everything is in what it writes


def test_the_quick_benchmark_writes_every_part_with_its_runs(result: Entry) -> None:
    assert result.keys() == {*PARTS, "machine", "plan"}
    assert [name for name in PARTS if "error" in result[name]] == []
    for each in [*(result[name] for name in TIMED), result["sampling"]["fixed"], result["sampling"]["stop_rule"]]:
        assert each["value"] > 0 and each["unit"] and len(each["runs"]["fast"]) >= 3 and each["spread"]["fast"] >= 1
    assert result["train_step_published"]["lifetime_per"] == "position"


def test_the_tables_have_a_line_for_every_measurement(result: Entry) -> None:
    first, others = benchmark.report(result, benchmark.TIMES).split("\n\n")
    assert len(first.splitlines()) == 2 + len(TIMED) + 4  # two more of passes and steps, and both of sampling
    assert "| exactness.training.images.another order | " in others and "| sampling.stop_rule.bfloat16_rms | " in others


def test_values_are_reported_by_their_names_and_lists_are_left_out() -> None:
    assert flat({"a": {"b": 1, "c": {"d": 2}}, "e": [3]}) == {"a.b": 1, "a.c.d": 2}
    text = report({"x": {"fast": 0.25, "n": 7}, "y": {"fast": 1234.0, "why": None}}, ["fast", "plain"])
    times, others = (part.splitlines()[2:] for part in text.split("\n\n"))
    assert times == ["| x | 0.25 |  |", "| y | 1,234 |  |"] and others == ["| x.n | 7 |", "| y.why |  |"]


def test_some_parts_alone_are_measured_and_what_fails_is_named(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(subject: Subject) -> Entry:
        raise OSError("no app here\nand more")

    monkeypatch.setitem(PARTS, "creative_ms", broken)
    seen = list[int]()
    only = ["checkpoint_ms", "creative_ms"]
    found = benchmark.measure_paths(subject.images, QUICK, only=only, on_result=lambda now: seen.append(len(now)))
    assert found.keys() == {"machine", "plan", *only} and seen == [2, 3, 4]
    text = benchmark.report(found, benchmark.TIMES)
    assert "| creative_ms.error | OSError: no app here |" in text and "\n| checkpoint_ms | ms |" in text


def test_the_file_is_whole_when_a_measurement_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(subject: Subject) -> Entry:
        raise KeyboardInterrupt

    monkeypatch.setitem(PARTS, "creative_ms", interrupted)
    file = tmp_path / "speed.json"
    argv = ["benchmark", "--quick", "--only", "checkpoint_ms,creative_ms", "--json", str(file)]
    assert cli.main(argv) == 130
    assert json.loads(file.read_text()).keys() == {"machine", "plan", "checkpoint_ms"}
    assert [path.name for path in tmp_path.iterdir()] == ["speed.json"]


def test_an_image_stops_at_the_first_pass_that_changes_it_less_than_the_tolerance():
    halving = torch.stack([torch.full((1, 1, 2, 2), 0.5**n) for n in range(8)])  # changes 0.5, 0.25, 0.125, ...
    restless = torch.stack([torch.full((1, 1, 2, 2), float(n % 2)) for n in range(8)])
    found = benchmark.stops(torch.cat([halving, restless], dim=1), 0.2)
    assert found == {"passes_mean": (3 + 7) / 2, "difference_max": pytest.approx(0.5**3 - 0.5**7)}
    assert benchmark.stops(halving, 0.0) == {"passes_mean": 7.0, "difference_max": 0.0}
