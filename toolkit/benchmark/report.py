"""The benchmark as tables: one line a measurement, units in the headings."""

from typing import Any

from .timing import Entry

LINES = {
    "train_step_speedup": "training step",
    "pass_speedup": "reconstruction pass",
    "pass_float32_speedup": "reconstruction pass, float32",
    "sample_speedup": "images to the stop rule",
    "symbols_64_s": "fresh symbols of the shipped run",
    "creative_ms": "creative decoding",
    "kaleidoscope_s": "kaleidoscopic runs",
    "checkpoint_ms": "loading a checkpoint",
    "import_s": "import toolkit, after torch",
    "cold_start_s": "app: from nothing to its first picture",
}
HEAD = ["what", "plain, s", "fast, s", "ratio", "runs"]
GROWTH = {
    "images": "images",
    "peak_rss_mb_measured": "peak memory, MB",
    "batch_ms_measured": "drawing a batch, ms",
    "fast_iteration_h_extrapolated": "iteration, fast, h (extrapolated)",
    "plain_iteration_h_extrapolated": "iteration, plain, h (extrapolated)",
}


def tables(result: dict[str, Any]) -> str:
    """All of it, as Markdown."""
    lines = [line(what, result[key]) for key, what in LINES.items() if key in result]
    lines += [line(f"fit, {name}", entry) for name, entry in result["fit_overhead"].items()]
    growth = [[number(row[key]) for key in GROWTH] for row in result["growth"]]
    peak = result["peak_rss_mb_1m"]
    machine = ", ".join(f"{key} {value}" for key, value in result["machine"].items())
    facts = exact(result["exactness"], result["exact_pictures"], result["sample_speedup"]["pictures"])
    held = f"Peak memory of a training process that holds {peak['images']:,} images: {peak['value']:.0f} MB."
    ceiling = f"A bfloat16 matrix product reached {result['pass_speedup']['bfloat16_product_tflops']:.2f} TFLOP/s."
    parts = [
        markdown(HEAD, lines),
        markdown(list(GROWTH.values()), growth),
        held,
        ceiling,
        facts,
        gpu(result["gpu"]),
        machine,
    ]
    return "\n\n".join(parts)


def line(what: str, entry: Entry) -> list[str]:
    """What, both medians in seconds, the ratio, and how many runs there were."""
    scale = 1000 if entry.get("runs_unit") == "ms" else 1
    fast = entry.get("fast", entry["value"])
    seconds = [number(value / scale) if value is not None else "" for value in (entry.get("plain"), fast)]
    ratio = f"{entry['ratio']:.2f}" if "ratio" in entry else ""
    return [what, *seconds, ratio, str(len(entry["runs"].get("fast", [])))]


def number(value: float) -> str:
    """Three digits or so."""
    if isinstance(value, int) or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value >= 1 else f"{value:.4f}"


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table: the first column to the left, numbers to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def exact(batch: Entry, grown: Entry, stopped: Entry) -> str:
    """How far fast results are from plain ones, in sentences."""
    outputs, gradients = batch["outputs"], batch["gradients"]
    return (
        f"Float32, fast against plain: outputs within {outputs['plain']:.1e}, gradients within "
        f"{gradients['plain']:.1e} (relative; against float64 fast {gradients['float64']:.1e}, "
        f"plain {gradients['plain_to_float64']:.1e}), "
        f"pictures after {grown['passes']} passes within {grown['max_difference']:.1e}. Images stopped one by one "
        f"differ from those of a fixed number of passes by {stopped['stopping_rms']:.3f}, and bfloat16 from float32 by "
        f"{stopped['bfloat16_rms']:.3f} (root mean square)."
    )


def gpu(entry: Entry) -> str:
    """The card in a sentence, or that there is none."""
    if "why" in entry:
        return f"GPU: {entry['why']}."
    rate, share = entry["training_images_per_second"], entry["share_of_matrix_product"]
    hours = entry["figure_2_h_extrapolated"]
    return (
        f"{entry['name']}: {rate:,.0f} images/s in training, {entry['training_tflops']:.1f} TFLOP/s, {share:.0%} of "
        f"its own bfloat16 matrix product; the paper's figure 2 in {hours:.2f} h (extrapolated)."
    )
