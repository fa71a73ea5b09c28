"""The model card of a tree of checkpoints, in the Hub's format: every number in it is read from a file of the tree."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .. import __version__, runs
from ..checkpoint import inspect
from ..drift import MEASURES
from ..header import CheckpointError, strict_json
from ..index import parse
from .attribution import PAPERS, sources
from .contents import size

SETTINGS = (  # of those in a config.json the ones that a reader wants first
    "scale", "seed", "images", "generated", "iterations", "first_steps", "steps", "batch", "teaching", "inheritance",
    "noise", "share", "filter", "runs", "perturbation",
)  # fmt: skip
KINDS = {
    "iterations": "runs of iterated learning",
    "decoder": "creative decoders",
    "kaleidoscope": "kaleidoscopic networks",
    "divergence": "models trained away from their data",
    "judge": "judges, small classifiers",
}
USE = """Made for looking at, for teaching, and for research into how machines make images that their training data does
not contain: draw with them, compare iterations, take them apart, train the next one. They run on a laptop.

Not made for: recognising anything that matters to anyone, generating pictures to train other models on without saying
so, or a statement about what people find creative. *New* means unlike the training images by a measure."""
LIMITS = """- *New* does not mean good, nor unlike every sign in the world; by chance a symbol may look like a letter or
  an offensive sign of some script.
- What the models know of drawing comes from small grey pictures of few sources, with the habits of those who made them.
- A model can come close to pictures that it learned; the measures say how far from them its pictures are.
- The scale of each run is stated above: `cpu` and `smoke` are smaller than what the papers did.
- Files are safetensors and never unpickled. The same seed is the same picture on any machine, but for the
  last bits of its arithmetic."""


def card(folder: Path, repo: str, licence: str = "mit") -> str:
    """README.md of a repo: YAML metadata and the text. folder: a tree with its index, previews and metrics.json.

    licence: the Hub's identifier for that of the weights. Raises CheckpointError for what cannot be read.
    """
    from huggingface_hub import ModelCardData

    index = parse(folder / "index.json")["experiments"]
    configs = {name: _config(folder / it["config"]) for name, it in index.items()}
    data = sources(name for config in configs.values() for name in _learned(config))
    facts = ModelCardData(
        license=licence,
        library_name="that-are-not",
        pipeline_tag="unconditional-image-generation",
        datasets=[source.hub for source in data if source.hub],
        tags=["that-are-not", "generative", "novelty", *sorted({it["kind"] for it in index.values()})],
    )
    owed = [f"- {s.title}: by {s.makers}. Terms: {s.terms}." for s in data]
    sections = {
        "What is here": _contents(index),
        "Get one": _start(repo, index),
        "Intended use": USE,
        "Data": "\n".join([*owed, "", "The weights hold no images; sheets of iteration 0 show some of the data."]),
        "Training": "\n".join(_training(folder, name, it, configs[name]) for name, it in index.items()),
        "Measures": _measures(folder, index),
        "Limits": LIMITS,
        "Licence": f"The weights: `{licence}`. The data keep the terms named above.",
        "Cite": "\n".join(f"- {paper}" for kind in KINDS if kind in _kinds(index) for paper in PAPERS[kind]),
    }  # fmt: skip
    text = "\n\n".join(f"## {title}\n\n{body}" for title, body in sections.items())
    return f"---\n{facts.to_yaml()}\n---\n\n# {repo.partition('/')[2]}\n\n{_lead(index)}\n\n{text}\n"


def _lead(index: Mapping[str, Any]) -> str:
    what = ", ".join(words for kind, words in KINDS.items() if kind in _kinds(index))
    return (
        f"Machines that make images their training data does not contain: {what}. Made with That Are Not {__version__}."
    )


def _kinds(index: Mapping[str, Any]) -> set[str]:
    return {it["kind"] for it in index.values()}


def _config(path: Path) -> dict[str, Any]:
    try:
        return dict(strict_json(path.read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path} is not readable as JSON: write or fetch it again") from error


def _learned(config: Mapping[str, Any]) -> list[str]:
    name = config.get("experiment", {}).get("data")
    return [name] if isinstance(name, str) else []


def _contents(index: Mapping[str, Any]) -> str:
    rows = []
    for name, it in index.items():
        sizes = [entry["bytes"] for entry in it["iterations"] if "file" in entry]
        last = it["iterations"][-1]["iteration"] if it["iterations"] else 0
        rows.append([f"`{name}`", it["title"], it["kind"], str(last), str(len(sizes)), size(sum(sizes))])
    pictures = [f"![{it['title']}]({name}/preview.png)" for name, it in index.items() if _shown(it)]
    head = ["experiment", "title", "kind", "last iteration", "models", "size"]
    return "\n\n".join([_table(head, rows, "| --- | --- | --- | ---: | ---: | ---: |"), *pictures])


def _shown(it: Mapping[str, Any]) -> bool:
    return any("samples" in entry for entry in it["iterations"])


def _start(repo: str, index: Mapping[str, Any]) -> str:
    entries = [(name, e["iteration"]) for name, it in index.items() for e in it["iterations"] if "file" in e]
    name, iteration = max(entries, key=lambda at: (index[at[0]]["kind"] == "iterations", at[1]), default=("", 0))
    return (
        f'```python\nfrom toolkit import Model\n\nmodel = Model.from_hub("{repo}", "{name}", iteration={iteration})\n'
        f"```\n\n```bash\npython -m toolkit list {repo}\npython -m toolkit pull {repo} {name} --iteration {iteration}\n"
        "```\n\nEach iteration is one file. `--revision COMMIT` gives the same for ever."
    )


def _training(folder: Path, name: str, it: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    made = config.get("experiment", {})
    said = [f"{key.replace('_', ' ')} {made[key]}" for key in SETTINGS if made.get(key) not in (None, "", [], {})]
    learned = " and ".join(source.title for source in sources(_learned(config))) or "unstated data"
    files = [entry["file"] for entry in it["iterations"] if "file" in entry]
    network = _network(folder / files[-1]) if files else ""
    return f"- **{name}**{network}: learned {learned}; {', '.join(said)}{_cost(config)}."


def _network(path: Path) -> str:
    found = inspect(path)
    options = ", ".join(
        f"{key} {value}" for key, value in found["config"].items() if isinstance(value, (int, float, str))
    )
    return f", `{found['architecture']}` ({options}; {found['parameters']:,} parameters, stored as {found['dtype']})"


def _cost(config: Mapping[str, Any]) -> str:
    cost = config.get("cost", {})
    machines = sorted({entry["on"] for entry in cost.get("iterations", {}).values() if "on" in entry})
    return f"; it took {cost['seconds'] / 60:.1f} minutes ({', '.join(machines)})" if "seconds" in cost else ""


def _measures(folder: Path, index: Mapping[str, Any]) -> str:
    parts = [
        "Of new images of each iteration; 0 is the data themselves. The numbers are those of the files metrics.json."
    ]
    for kind, words in KINDS.items():
        held = {name: it for name, it in index.items() if it["kind"] == kind}
        if kind == "iterations":
            told = {name: folder / name / "metrics.json" for name in held}
            parts += [f"### {name}\n\n{runs.table(path)}" for name, path in told.items() if path.exists()]
            parts += ["\n".join(f"- `{name}`: {what}" for name, what in MEASURES.items())] if held else []
        elif held:
            parts.append(f"### {words[0].upper()}{words[1:]}\n\n{_side_by_side(held)}")
    return "\n\n".join(parts)


def _side_by_side(held: Mapping[str, Any]) -> str:
    """A column per network, a line per measure."""
    told = {f"`{name}` {e['iteration']}": e.get("metrics", {}) for name, it in held.items() for e in it["iterations"]}
    measures = sorted({key for metrics in told.values() for key in metrics})
    rows = [[key, *(f"{m[key]:.6g}" if key in m else "" for m in told.values())] for key in measures]
    return _table(["measure", *told], rows, "| --- |" + " ---: |" * len(told))


def _table(head: Iterable[str], rows: Iterable[Iterable[str]], rule: str) -> str:
    lines = ["| " + " | ".join(line) + " |" for line in [head, *rows]]
    return "\n".join([lines[0], rule, *lines[1:]])
