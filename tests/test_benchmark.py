"""The benchmark: its arithmetic on known times, both sides the same work, and everything in what it writes."""

import json
from itertools import count

import pytest
import torch

from toolkit import cli, data
from toolkit.experiments import benchmark, page_benchmark, timing
from toolkit.experiments.benchmark import PARTS, measure_device
from toolkit.experiments.timing import QUICK, Subject, alternate, entry, scaled, stopwatch
from toolkit.models import create, sparse
from toolkit.samplers import creative, iterate
from toolkit.seeds import Noise, child

TIMED = {
    "train_step_published", "train_step_speedup", "pass_speedup", "creative_ms", "kaleidoscope_s", "symbols_64_s",
    "checkpoint_ms",
}  # fmt: skip


@pytest.fixture(scope="module")
def subject():
    return Subject(QUICK, data.load("sample:mnist").images)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    file = tmp_path_factory.mktemp("benchmark") / "speed.json"
    assert cli.main(["benchmark", "--quick", "--json", str(file)]) == 0
    return json.loads(file.read_text())


def test_a_speedup_is_the_ratio_of_the_medians_beside_minima_and_spread():
    found = entry({"plain": [8.0, 6.0, 100.0], "fast": [2.0, 0.5, 3.0]}, batch=100)
    assert (found["value"], found["plain"], found["fast"], found["batch"]) == (4.0, 8.0, 2.0, 100)
    assert found["minimum"] == {"plain": 6.0, "fast": 0.5} and found["ratio_of_minima"] == 12
    assert found["spread"] == {"plain": 100 / 6, "fast": 6} and found["runs"]["fast"] == [2.0, 0.5, 3.0]


def test_milliseconds_are_seconds_times_a_thousand_and_a_ratio_has_no_unit():
    found = entry({"plain": [0.5], "fast": [0.25]}, "ms")
    assert (found["value"], found["unit"], found["ratio"], found["runs"]["plain"]) == (250.0, "ms", 2.0, [500.0])


def test_a_side_alone_has_no_ratio():
    assert "ratio" not in entry({"fast": [1.0]}, "s")


def test_a_run_of_many_steps_is_scaled_to_one():
    assert scaled({"plain": [10.0], "fast": [5.0]}, plain=1 / 10) == {"plain": [1.0], "fast": [5.0]}


def test_the_sides_take_turns_and_warming_up_does_not_count():
    done = []
    sides = {name: lambda name=name: done.append(name) for name in "pf"}
    times = alternate(sides, runs=2, clock=count().__next__)
    assert "".join(done) == "pfpfpf" and times == {"p": [1, 1], "f": [1, 1]}


def test_a_stopwatch_counts_what_the_clock_counts():
    clock = iter([10.0, 12.5]).__next__
    assert stopwatch(lambda: None, clock) == 2.5


def test_the_plain_network_gives_the_same_pictures_from_the_same_weights(subject):
    x = torch.rand(5, 1, 28, 28)
    with torch.no_grad():
        torch.testing.assert_close(timing.autoencoder(subject.model)(x), subject.model(x), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("rule", ["channel", "position"])
def test_plain_training_lowers_the_same_loss_by_the_same_steps(subject, rule, monkeypatch):
    monkeypatch.setattr("toolkit.train.native_bfloat16", lambda kind: False)
    model = subject.untrained(1, lifetime_per=rule, lifetime=0.2)
    fast = benchmark.by_fit(model, subject.batches, 3)
    assert benchmark.by_hand(model, subject.batches, 3) == pytest.approx(fast, rel=1e-3)


@pytest.mark.parametrize("rule", ["channel", "position"])
def test_the_plain_rules_of_lifetime_sparsity_lower_the_loss_of_the_definition(subject, rule):
    model, x = subject.untrained(1, lifetime_per=rule, lifetime=0.2, kernel=3), torch.rand(20, 1, 28, 28)
    z = model.encode(x)
    kept = {"channel": sparse.lifetime(z, 0.2), "position": sparse.lifetime_per_position(z, 0.2)}
    assert kept["position"].count_nonzero() > kept["channel"].count_nonzero()
    loss = (model.decode(kept[rule]) - x).square().flatten(1).sum(1).mean() / 2
    torch.testing.assert_close(timing.autoencoder(model).loss(x), loss)


def test_exactness_is_near_zero_in_float32_and_sees_bfloat16_and_a_wrong_gradient(subject):
    found = benchmark.batch_differences(subject, subject.model)
    assert 0 < found["outputs"]["float64"] < 1e-4 and 0 < found["gradients"]["float64"] < 1e-3
    assert 10 * found["gradients"]["plain"] < found["gradients"]["bfloat16"] < 1
    model, twin = subject.untrained(1), subject.untrained(1)
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        ours.grad, theirs.grad = torch.full_like(ours, 1.1), torch.ones_like(theirs)
    assert list(benchmark.gradient_differences(model, twin)) == pytest.approx([0.1] * 12, rel=1e-4)


def test_training_ends_are_the_means_of_the_last_losses(subject):
    found = benchmark.curves(subject)
    for side in ("plain", "fast"):
        ends = [losses[-1] for losses in found["losses"][side]]  # a tenth of three steps is one
        assert len(ends) == 3 and found[f"{side}_end"] == ends and found[f"{side}_mean"] == pytest.approx(sum(ends) / 3)
    assert found["fast_mean"] == pytest.approx(found["plain_mean"], rel=0.05)


def test_plain_sampling_is_the_same_number_of_passes_for_every_image(subject):
    x = torch.rand(3, 1, 28, 28)
    states = iterate(subject.model.reconstruct, x)
    expected = [next(states) for _ in range(4)][-1]
    torch.testing.assert_close(timing.sample(subject.model, x, 3), expected)


def test_plain_kaleidoscopic_runs_give_the_same_pictures_if_nothing_stirs_them(subject):
    model = create("Manifold", QUICK.others["Manifold"][0], seed=0)
    start = Noise(range(QUICK.starts)).rand(*model.image_shape)
    expected = benchmark.fast_kaleidoscope(model, QUICK, perturbation=0.0)
    torch.testing.assert_close(
        timing.kaleidoscope(model.net, start, QUICK.kaleidoscope_runs, 0.0), expected, atol=1e-2, rtol=0
    )


def test_plain_creative_decoding_gives_the_same_pairs_for_the_same_lots(subject):
    model, statistics = benchmark.trained_decoder(subject)
    z = Noise(range(4)).randn(*model.code_shape)
    lots = Noise(child(seed, "neurons") for seed in range(4)).rand(len(statistics.active))
    created = creative.creative_decode(model, z, statistics, range(4), benchmark.HOW)
    regular, low_active = benchmark.decode_by_hand(model, statistics, z, lots)
    assert (created.neurons >= 0).any() and not torch.equal(created.images, created.regular)
    torch.testing.assert_close(regular, created.regular)
    torch.testing.assert_close(low_active, created.images)


def test_the_quick_benchmark_writes_every_part_with_its_runs(result):
    assert result.keys() == {*PARTS, "machine", "plan"}
    assert [name for name in PARTS if "error" in result[name]] == []
    entries = [*(result[name] for name in TIMED), *result["fit_overhead"].values()]
    for each in [*entries, result["sampling"]["fixed"], result["sampling"]["stop_rule"]]:
        assert each["value"] > 0 and each["unit"] and len(each["runs"]["fast"]) >= 3 and each["spread"]["fast"] >= 1
    assert all(result[name]["runs"]["fast"] for name in ("import_s", "cold_start_s", "peak_rss_mb_1m"))
    assert result["train_step_published"]["lifetime_per"] == "position"
    assert result["train_step_published"]["share_of_winners_kept"] > 0


def test_a_row_of_growth_has_what_was_measured_and_what_extrapolated(result):
    row = result["growth"][0]
    assert row["peak_rss_mb_measured"] > 50
    training = row["training_steps"] * result["train_step_published"]["fast"] / 3600
    assert row["fast_training_h_extrapolated"] == pytest.approx(training)


def test_the_table_has_a_line_for_every_measurement(result):
    text = benchmark.tables(result)
    assert "| plain | fast | ratio | of minima | runs |" in text
    assert text.count("\n| fit, ") == 4 and "\n| images, a fixed number of passes" in text
    assert "Images after 20 passes within" in text and "failed" not in text


def test_some_parts_alone_are_measured_and_what_fails_is_named(subject, monkeypatch):
    def broken(subject):
        raise OSError("no app here\nand more")

    monkeypatch.setitem(PARTS, "cold_start_s", broken)
    seen = []
    found = benchmark.measure_paths(
        subject.images, QUICK, only=["checkpoint_ms", "cold_start_s"], on_result=lambda now: seen.append(sorted(now))
    )
    assert found.keys() == {"machine", "plan", "checkpoint_ms", "cold_start_s"}
    assert [len(names) for names in seen] == [2, 3, 4]
    text = benchmark.tables(found)
    assert "cold_start_s failed: OSError: no app here" in text and "and more" not in text
    assert "| loading a checkpoint |" in text


def test_the_file_is_whole_when_a_measurement_is_interrupted(tmp_path, monkeypatch):
    def interrupted(subject):
        raise KeyboardInterrupt

    monkeypatch.setitem(PARTS, "creative_ms", interrupted)
    file = tmp_path / "speed.json"
    argv = ["benchmark", "--quick", "--only", "checkpoint_ms,creative_ms", "--json", str(file)]
    assert cli.main(argv) == 130
    assert json.loads(file.read_text()).keys() == {"machine", "plan", "checkpoint_ms"}
    assert [path.name for path in tmp_path.iterdir()] == ["speed.json"]


def test_a_part_that_is_none_is_refused_before_anything_is_measured(tmp_path, capsys):
    assert cli.main(["benchmark", "--quick", "--only", "speed", "--json", str(tmp_path / "speed.json")]) == 2
    assert "there is no part speed: choose of import_s" in capsys.readouterr().err


def test_multiplications_are_what_a_dense_pass_does(subject):
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counted, torch.no_grad():
        timing.autoencoder(subject.model)(torch.rand(1, 1, 28, 28))
    assert 2 * benchmark.multiplications(subject.model) == counted.get_total_flops()


def test_what_a_card_is_asked_runs_on_any_device(subject):
    found = measure_device(subject, steps=2, sampled=3, side=16)
    hours = (
        benchmark.PRESENTED / found["training_images_per_second"] + benchmark.PASSED / found["image_passes_per_second"]
    )
    assert found["figure_2_h_extrapolated"] == pytest.approx(hours / 3600)
    assert found["share_of_matrix_product"] == pytest.approx(found["training_tflops"] / found["matrix_product_tflops"])


def test_a_page_without_a_picture_is_said_so():
    with pytest.raises(OSError, match="shows no picture"):
        page_benchmark.first_picture('window.gradio_config = {"components": [{"props": {}}]}')


def test_the_first_picture_of_a_page_is_found_in_its_text():
    page = 'x window.gradio_config = {"components": [{"sheet": "data:image/png;base64,iVBORw0KGgo="}]};</script>'
    assert page_benchmark.first_picture(page).startswith(b"\x89PNG")
