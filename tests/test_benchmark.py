"""The benchmark: its arithmetic on known times, both sides the same work, and everything in what it writes."""

import json
from itertools import count

import pytest
import torch

from toolkit import benchmark, cli, datasets
from toolkit.benchmark import QUICK, creative, gpu, kaleidoscope, plain, startup, training
from toolkit.benchmark.plan import Subject
from toolkit.benchmark.timing import Pair, alternate, stopwatch
from toolkit.models import create
from toolkit.samplers import iterate
from toolkit.seeds import Noise, child

KEYS = {
    "train_step_speedup", "pass_speedup", "sample_speedup", "creative_ms", "kaleidoscope_s", "symbols_64_s", "import_s",
    "cold_start_s", "peak_rss_mb_1m",
}  # fmt: skip


@pytest.fixture(scope="module")
def subject():
    return Subject(QUICK, datasets.load("sample:mnist").images)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    file = tmp_path_factory.mktemp("benchmark") / "speed.json"
    assert cli.main(["benchmark", "--quick", "--json", str(file)]) == 0
    return json.loads(file.read_text())


def test_a_speedup_is_the_ratio_of_the_medians():
    entry = Pair(plain=[8.0, 6.0, 100.0], fast=[2.0, 0.1, 3.0]).speedup(batch=100)
    assert (entry["value"], entry["plain"], entry["fast"], entry["batch"]) == (4.0, 8.0, 2.0, 100)
    assert entry["runs"] == {"plain": [8.0, 6.0, 100.0], "fast": [2.0, 0.1, 3.0]}


def test_milliseconds_are_seconds_times_a_thousand_and_a_ratio_has_no_unit():
    entry = Pair([0.5], [0.25]).milliseconds()
    assert (entry["value"], entry["unit"], entry["ratio"], entry["runs"]["plain"]) == (250.0, "ms", 2.0, [500.0])


def test_a_run_of_many_steps_is_scaled_to_one():
    assert Pair([10.0], [5.0]).scaled(1 / 10, 1 / 5) == Pair([1.0], [1.0])


def test_the_two_sides_take_turns_and_warming_up_does_not_count():
    done = []
    pair = alternate(lambda: done.append("p"), lambda: done.append("f"), runs=2, clock=count().__next__)
    assert "".join(done) == "pfpfpf" and pair == Pair([1, 1], [1, 1])


def test_a_stopwatch_counts_what_the_clock_counts():
    clock = iter([10.0, 12.5]).__next__
    assert stopwatch(lambda: None, clock) == 2.5


def test_the_plain_network_gives_the_same_pictures_from_the_same_weights(subject):
    x = torch.rand(5, 1, 28, 28)
    with torch.no_grad():
        torch.testing.assert_close(plain.autoencoder(subject.model)(x), subject.model(x), atol=1e-5, rtol=1e-4)


def test_plain_training_lowers_the_same_loss_by_the_same_steps(subject, monkeypatch):
    monkeypatch.setattr("toolkit.precision.native_bfloat16", lambda kind: False)
    fast = training.by_fit(subject.model, subject.batches, 3)
    assert training.by_hand(subject.model, subject.batches, 3) == pytest.approx(fast, rel=1e-3)


def test_exactness_is_near_zero_and_sees_a_wrong_gradient(subject):
    found = training.exactness(subject)
    assert 0 < found["outputs"]["float64"] < 1e-4 and 0 < found["gradients"]["float64"] < 1e-3
    model, twin = subject.untrained(1), subject.untrained(1)
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        ours.grad, theirs.grad = torch.full_like(ours, 1.1), torch.ones_like(theirs)
    assert list(training.gradient_differences(model, twin)) == pytest.approx([0.1] * 12, rel=1e-4)


def test_plain_sampling_is_the_same_number_of_passes_for_every_image(subject):
    x = torch.rand(3, 1, 28, 28)
    states = iterate(subject.model.reconstruct, x)
    expected = [next(states) for _ in range(4)][-1]
    torch.testing.assert_close(plain.sample(subject.model, x, 3), expected)


def test_plain_kaleidoscopic_runs_give_the_same_pictures_if_nothing_stirs_them(subject):
    model = create("Manifold", QUICK.others["Manifold"][0], seed=0)
    start = Noise(range(QUICK.starts)).rand(*model.image_shape)
    expected = kaleidoscope.fast(model, QUICK, perturbation=0.0)
    torch.testing.assert_close(
        plain.kaleidoscope(model.net, start, QUICK.kaleidoscope_runs, 0.0), expected, atol=1e-2, rtol=0
    )


def test_plain_creative_decoding_gives_the_same_pairs_for_the_same_lots(subject):
    model, statistics = creative.trained(subject)
    z = Noise(range(4)).randn(*model.code_shape)
    lots = Noise(child(seed, "neurons") for seed in range(4)).rand(len(statistics.active))
    created = creative.creative_decode(model, z, statistics, range(4), creative.HOW)
    regular, low_active = creative.by_hand(model, statistics, z, lots)
    assert (created.neurons >= 0).any() and not torch.equal(created.images, created.regular)
    torch.testing.assert_close(regular, created.regular)
    torch.testing.assert_close(low_active, created.images)


def test_the_quick_benchmark_writes_all_keys_with_their_runs(result):
    assert result.keys() >= KEYS | {"growth", "gpu", "machine"}
    for key in KEYS:
        assert result[key]["value"] > 0 and result[key]["unit"] and result[key]["runs"]["fast"], key
    assert result["fit_overhead"].keys() == {"Manifold", "VAE", "DCGAN", "Judge"}


def test_a_row_of_growth_says_what_was_measured_and_what_extrapolated(result):
    row = result["growth"][0]
    assert row["peak_rss_mb_measured"] > 50
    training = row["training_steps"] * result["train_step_speedup"]["fast"] / 3600
    assert row["fast_training_h_extrapolated"] == pytest.approx(training)


def test_the_table_has_a_line_for_every_measurement(result):
    text = benchmark.tables(result)
    assert "| what | plain, s | fast, s | ratio | runs |" in text
    assert text.count("\n| fit, ") == 4 and "| images to the stop rule |" in text
    assert "pictures after 20 passes within" in text


def test_multiplications_are_what_a_dense_pass_does(subject):
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counted, torch.no_grad():
        plain.autoencoder(subject.model)(torch.rand(1, 1, 28, 28))
    assert 2 * gpu.multiplications(subject.model) == counted.get_total_flops()


def test_what_a_card_is_asked_runs_on_any_device(subject):
    found = gpu.measure(subject, steps=2, sampled=3, side=16)
    hours = gpu.PRESENTED / found["training_images_per_second"] + gpu.PASSED / found["image_passes_per_second"]
    assert found["figure_2_h_extrapolated"] == pytest.approx(hours / 3600)
    assert found["share_of_matrix_product"] == pytest.approx(found["training_tflops"] / found["matrix_product_tflops"])


def test_a_page_without_a_picture_is_said_so():
    with pytest.raises(OSError, match="shows no picture"):
        startup.first_picture(None, "http://127.0.0.1/", 'window.gradio_config = {"components": [{"props": {}}]}')


def test_the_first_picture_of_a_page_is_found_in_its_text():
    page = 'x window.gradio_config = {"components": [{"sheet": "data:image/png;base64,iVBORw0KGgo="}]};</script>'
    assert startup.first_picture(None, "http://127.0.0.1/", page).startswith(b"\x89PNG")
