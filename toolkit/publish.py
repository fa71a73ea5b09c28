"""Publishing on the Hub: push and pull, listing, the model card with licences and sources.

A pull asks the Hub once, for the repo's index; everything else is taken from the commit of that index. A full commit
that is cached needs no request, and a finished file is never fetched again.

A folder that was pulled into has an index of its own, which lists what is there and not all that the repo has: then
every choice of the page can be drawn without network, and a second pull, or a run of your own, is one more entry.
"""

import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import torch

from . import __version__, plot, runs
from . import index as tree
from .data import INVERT
from .hub import inspect
from .index import CheckpointError, choose, fetch, parse, to_json, write_file, write_index
from .metrics import words
from .metrics.stats import MEASURES

OF_EXPERIMENT = ("config.json", "metrics.json", "report.json", "judged.json", "map.json", "map.png", "contact.png",
                 "preview.png")  # fmt: skip
OF_ITERATION = (tree.MODEL, tree.STATISTICS, tree.SHEET, tree.TEXTS, tree.METRICS)
LOOPS = {"iterations": MEASURES, "words": words.MEASURES}  # kinds that go on from iteration to iteration
NOTEBOOK = Path(__file__).resolve().parents[1] / "notebooks" / "notebook.ipynb"
EXAMPLE = "OWNER/that-are-not-checkpoints"  # the repo in that notebook, which is replaced


class Source(NamedTuple):
    """A data set: its title, who made it, under which terms, and its id on the Hub if it is there."""

    title: str
    makers: str
    terms: str
    hub: str | None = None


# The parts of a card that are not computed: uses, limits, the papers of each kind, and who made the data.
CARD: dict[str, Any] = json.loads(Path(__file__).with_name("card.json").read_text(encoding="utf-8"))
KINDS: dict[str, dict[str, Any]] = CARD["kinds"]
DATA = {name: Source(**about) for name, about in CARD["data"].items()}  # by the names of `data.load`


# ---- push


def stage(source: Path, target: Path, repo: str, licence: str = "mit") -> dict[str, int]:
    """Write to `target` what is published of a tree, and return the bytes of each file. Needs no network.

    That is: of every experiment the files that a run leaves (`OF_EXPERIMENT`, `OF_ITERATION`) and no others; a preview
    if there is none; the table of measures; the index; the model card; and, of a copy of the whole repository, the
    notebook that the Hub opens for "Use this model", drawing from this repo.
    Raises CheckpointError for a malformed repo id, a source without experiments, one whose index does not match its
    files, or a target that is not empty; after a failure the target is incomplete.
    """
    _check_repo(repo)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise CheckpointError(f"{target} is not empty: give a new folder")
    folders = sorted(path.parent for path in source.glob("[!.]*/config.json"))
    if not folders:
        raise CheckpointError(f"the folder {source} holds no EXPERIMENT/config.json: give the folder of your runs")
    for folder in folders:
        found = [folder / name for name in OF_EXPERIMENT]
        found += [path / name for path in folder.glob("iter_[0-9][0-9][0-9]") for name in OF_ITERATION]
        for path in filter(Path.is_file, found):
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)  # with its time of change, so that it is hashed once
    index = write_index(target)
    if (path := source / "index.json").exists():
        stored = parse(path)
        if fault := _difference(stored["experiments"], index["experiments"]):
            raise CheckpointError(
                f"{path} does not match its files ({fault}): bring them back, or delete it to have it written anew"
            )
        index = write_index(target, stored["default"])
    for name, experiment in index["experiments"].items():
        rows = [{"iteration": e["iteration"], **e["metrics"]} for e in experiment["iterations"] if "metrics" in e]
        if experiment["kind"] in LOOPS and rows:
            write_file(target / name / tree.METRICS, to_json(runs.summary(rows)))
        if not (path := target / name / "preview.png").exists() and (picture := preview(target, experiment)):
            write_file(path, picture)
    write_file(target / "README.md", card(target, repo, licence).encode())
    if NOTEBOOK.exists():
        write_file(target / NOTEBOOK.name, NOTEBOOK.read_text(encoding="utf-8").replace(EXAMPLE, repo).encode())
    return {path.relative_to(target).as_posix(): path.stat().st_size for path in sorted(target.rglob("*.*"))}


def _check_repo(repo: str) -> None:
    if not tree.REPO.fullmatch(repo):
        raise CheckpointError(f"{repo!r} is no valid Hub repo id: give owner/name")


def _difference(stored: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """The first difference between the experiments of two indexes, or nothing."""
    for name in (name for name in {**stored, **found} if stored.get(name) != found.get(name)):
        if name not in stored or name not in found:
            return f"{name} is {'listed and not there' if name in stored else 'there and not listed'}"
        one, other = ({entry["iteration"]: entry for entry in index[name]["iterations"]} for index in (stored, found))
        for number in sorted({*one, *other}):
            a, b = one.get(number, {}), other.get(number, {})
            if odd := sorted(key for key in {*a, *b} if a.get(key) != b.get(key)):
                return f"{name}, iteration {number}: {', '.join(odd)}"
        return f"the title or kind of {name}"
    return ""


def upload(staged: Path, repo: str, api: Any = None, *, private: bool = False) -> str:
    """Upload what was staged, and return the commit, 40 hexadecimal digits. The repo is made if there is none.

    What the Hub has already is not sent again: after an interruption the same call goes on. The token is the one of
    `hf auth login` or HF_TOKEN. api: a huggingface_hub.HfApi. Raises CheckpointError for every failure of the Hub.
    """
    with tree.hub_errors(repo, "the upload"):
        from huggingface_hub import HfApi
        from huggingface_hub.errors import LocalTokenNotFoundError, RepositoryNotFoundError

        api = api or HfApi(library_name="that-are-not", library_version=__version__)
        message = f"Upload with That Are Not {__version__}"
        try:
            api.create_repo(repo, private=private, exist_ok=True)
            return str(api.upload_folder(repo_id=repo, folder_path=staged, commit_message=message).oid)
        except (RepositoryNotFoundError, LocalTokenNotFoundError) as error:
            raise CheckpointError(
                f"the Hub does not let you write to {repo}: log in with `hf auth login` and a token that may write"
            ) from error


# ---- pull


@dataclass(frozen=True)
class Plan:
    """What a pull will fetch: of which commit, which experiment, its entries in the index, and their files."""

    repo: str
    commit: str
    experiment: str
    default: str  # the experiment that the repo shows first
    entries: Sequence[dict[str, Any]]
    files: Mapping[str, Mapping[str, Any]]  # by path, what the index says: "bytes" and "sha256", or nothing


def plan(
    repo: str,
    experiment: str | None = None,
    iterations: Sequence[int] | None = None,
    *,
    revision: str | None = None,
    sheets: bool = False,
) -> Plan:
    """Which files are to be pulled; downloads the index and nothing else.

    experiment: by default the repo's own choice. iterations: by default all; of a range those that there are.
    revision: a branch, tag or commit; main by default, as it is now. sheets: pictures too, and iterations of which
    there is nothing else, for a folder to open without network.
    Raises CheckpointError, one sentence, for what is not there, listing what is, and for every failure of the Hub.
    """
    _check_repo(repo)
    path = fetch(repo, "index.json", revision or "main")
    index = parse(path)
    name, _ = choose(index, experiment)
    chosen, number = index["experiments"][name], min(iterations or [0])
    if iterations is None or isinstance(iterations, range):
        there = [e for e in chosen["iterations"] if "file" in e or (sheets and ("samples" in e or not e["iteration"]))]
        entries = [entry for entry in there if iterations is None or entry["iteration"] in iterations]
        entries = entries or [choose(index, name, number)[1]]  # raises, listing what there is
    else:
        entries = [choose(index, name, number)[1] for number in sorted(set(iterations))]
    keys = ["config", *(["map"] if sheets else [])]
    files: dict[str, Mapping[str, Any]] = {chosen[key]: {} for key in keys if key in chosen}
    for entry in entries:
        files |= {part["file"]: part for part in (entry, entry.get("statistics", {})) if "file" in part}
        files |= {entry["samples"]: {}} if sheets and "samples" in entry else {}
    return Plan(repo, path.parent.name, name, index["default"], entries, files)


def missing(plan: Plan) -> dict[str, int]:
    """Those of its files that are not in the Hub's cache, with their bytes if the index says them. Makes no request."""
    return {
        path: it.get("bytes", 0) for path, it in plan.files.items() if not tree.cached(plan.repo, path, plan.commit)
    }


def foreseen(plan: Plan) -> dict[str, tuple[int, bool]]:
    """Of each file its bytes, and whether a pull would fetch it. Raises CheckpointError.

    One request for the list of the repo's files, and one for each that is not cached.
    """
    found = {it.filename: (it.file_size, it.will_download) for it in _snapshot(plan, dry_run=True)}
    return {path: found[path] for path in plan.files}


def pull(plan: Plan, quiet: bool = True) -> dict[str, Path]:
    """Fetch what is not cached, check it, and return the local path of each file by its path in the repo.

    quiet: without the progress bar of huggingface_hub. Stop it whenever you like: what is finished stays.
    Raises CheckpointError for every failure of the Hub, and for a file that is not what the index says; it is fetched a
    second time before, and not kept.
    """
    from tqdm import tqdm

    class NoBar(tqdm):  # type: ignore[misc]  # untyped
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "disable": True})

    def damaged(path: str) -> bool:
        file, listed = paths[path], plan.files[path]
        return "sha256" in listed and (file.stat().st_size, tree.digest(file)) != (listed["bytes"], listed["sha256"])

    for _ in range(2):  # what the cache held may have been damaged since
        folder = Path(_snapshot(plan, **({"tqdm_class": NoBar} if quiet else {})))
        paths = {path: folder / path for path in plan.files}
        if not (bad := [path for path in plan.files if damaged(path)]):
            return paths
        for copy in {copy for path in bad for copy in (paths[path].resolve(), paths[path])}:
            copy.unlink(missing_ok=True)
    raise CheckpointError(
        f"{bad[0]} of {plan.repo} has another sha256 than its index says, twice: it was not kept, give a --revision "
        "before it was changed, or tell its owner"
    )


def _snapshot(plan: Plan, **options: Any) -> Any:
    """The folder of the plan's commit in the Hub's cache, with all files of the plan; of a dry run, their infos.

    Raises CheckpointError that names the largest file that is missing.
    """

    def largest() -> str:
        return max((size, name) for name, size in {"a file": -1, **missing(plan)}.items())[1]

    with tree.hub_errors(plan.repo, largest, plan.commit):
        from huggingface_hub import snapshot_download

        patterns = [*plan.files]  # plain paths, without wildcards
        found = snapshot_download(plan.repo, revision=plan.commit, allow_patterns=patterns, **options)
        there = {it.filename for it in found} if options.get("dry_run") else {*patterns} - {*missing(plan)}
        for name in {*patterns} - there:
            fetch(plan.repo, name, plan.commit)  # raises, with the reason
        return found


def place(plan: Plan, paths: Mapping[str, Path], folder: Path) -> dict[str, Any]:
    """Copy what was pulled into a folder, beside what is there, and write its index, which is returned.

    paths: of each file, from `pull`. The measures are those of the repo's index, in a metrics.json each.
    Raises CheckpointError if the folder holds another file in the place of one, before anything is written; or if it
    cannot be written.
    """
    contents = {folder / name: path.read_bytes() for name, path in paths.items()}
    for entry in plan.entries:
        if "metrics" in entry:
            target = folder / plan.experiment / f"iter_{entry['iteration']:03d}" / "metrics.json"
            contents[target] = to_json(entry["metrics"])
    for path, content in contents.items():
        if path.exists() and not (path.is_file() and path.read_bytes() == content):
            raise CheckpointError(f"{path} is there already and is another: move it away, or choose another folder")
    for path, content in contents.items():
        if not path.exists():
            write_file(path, content)
    listed = folder / "index.json"
    first = parse(listed)["default"] if listed.exists() else plan.default
    return write_index(folder, first if (folder / first / "config.json").exists() else None)


# ---- list


def contents(source: str | Path, revision: str | None = None) -> dict[str, Any]:
    """The index of a source, and what of it is on this machine. Raises CheckpointError.

    {"source", "commit" (None of a folder), "bytes", "experiments": {NAME: {"title", "kind", "bytes", "cached",
    "iterations": [{"iteration", "bytes", "cached", "metrics", ...}]}}}; bytes are those of models and statistics,
    cached is whether a model is here, or how many are.
    """
    path = fetch(source, "index.json", revision or "main")  # as it is now: a revision is asked for
    commit = None if tree.folder_of(source) else path.parent.name
    index, experiments = parse(path), {}

    def here(file: str) -> bool:
        return Path(source, file).is_file() if commit is None else tree.cached(str(source), file, commit) is not None

    for name, experiment in index["experiments"].items():
        entries = [
            {
                **entry,
                "bytes": sum(part.get("bytes", 0) for part in (entry, entry.get("statistics", {}))),
                "cached": "file" in entry and here(entry["file"]),
            }
            for entry in experiment["iterations"]
        ]
        sums = {key: sum(entry[key] for entry in entries) for key in ("bytes", "cached")}
        experiments[name] = {"kind": "iterations", **experiment, **sums, "iterations": entries}
    total = sum(it["bytes"] for it in experiments.values())
    return {"source": str(source), "commit": commit, "default": index["default"], "bytes": total,
            "experiments": experiments}  # fmt: skip


def summary(found: Mapping[str, Any]) -> str:
    """The contents of a source as text, an experiment a line."""
    rows = [["experiment", "kind", "iterations", "models", "size", "here", "measure", "title"]]
    for name, it in found["experiments"].items():
        numbers = [entry["iteration"] for entry in it["iterations"]]
        models = [entry for entry in it["iterations"] if "file" in entry]
        span = f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else "".join(map(str, numbers))
        key, words = (KINDS.get(it["kind"], {}).get(part, "") for part in ("measure", "called"))
        metrics = models[-1].get("metrics", {}) if models else {}
        measure = f"{words} {metrics[key]:.4g}" if key in metrics else ""
        rows.append([name, it["kind"], span, str(len(models)), size(it["bytes"]), str(it["cached"]), measure,
                     it["title"]])  # fmt: skip
    at = f" at {found['commit']}" if found["commit"] else ""
    return f"{found['source']}{at}: {size(found['bytes'])} of models\n{_aligned(rows)}"


def iterations(found: Mapping[str, Any], name: str) -> str:
    """The iterations of one experiment as text, with all measures. Raises CheckpointError, listing those there are."""
    name, _ = choose(found, name)
    entries = found["experiments"][name]["iterations"]
    measures = sorted({key for entry in entries for key in entry.get("metrics", {})})
    rows = [["iteration", "size", "here", *measures]]
    for entry in entries:
        metrics = entry.get("metrics", {})
        stored = [size(entry["bytes"]), "yes" if entry["cached"] else "no"] if "file" in entry else ["", ""]
        values = [f"{metrics[key]:.4g}" if key in metrics else "" for key in measures]
        rows.append([str(entry["iteration"]), *stored, *values])
    return _aligned(rows)


def size(count: int) -> str:
    """Bytes for people: 3.4 kB, 6.08 MB."""
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


# ---- the model card


def card(folder: Path, repo: str, licence: str = "mit") -> str:
    """README.md of a repo: YAML metadata and the text. folder: a tree with its index, previews and metrics.json.

    licence: the Hub's identifier for that of the weights. Raises CheckpointError for what cannot be read.
    """
    from huggingface_hub import ModelCardData

    index = parse(folder / "index.json")["experiments"]
    configs = {name: tree.read_json(folder / it["config"]) for name, it in index.items()}
    made = {name: it if isinstance(it := config.get("experiment"), dict) else {} for name, config in configs.items()}
    data = sources(it["data"] for it in made.values() if isinstance(it.get("data"), str))
    kinds = {kind: about for kind, about in KINDS.items() if kind in {it["kind"] for it in index.values()}}
    metadata = ModelCardData(
        license=licence,
        library_name="that-are-not",
        pipeline_tag="unconditional-image-generation",
        datasets=[source.hub for source in data if source.hub],
        tags=["that-are-not", "generative", "novelty", *sorted({it["kind"] for it in index.values()})],
    )
    sections = {
        "What is here": _contents(folder, index),
        "Get one": _example(repo, index),
        "Intended use": "\n\n".join(CARD["use"]),
        "Data": "\n".join([
            *(f"- {s.title}: by {s.makers}. Terms: {s.terms}." for s in data),
            "",
            "The weights hold no images; sheets of iteration 0 show some of the data.",
        ]),
        "Training": "\n".join(_training(folder, name, made[name], configs[name]) for name in index),
        "Measures": _measures(folder, index),
        "Limits": "\n".join(f"- {limit}" for limit in CARD["limits"]),
        "Licence": f"The weights: `{licence}`. The data keep the terms named above.",
        "Cite": "\n".join(f"- {paper}" for it in kinds.values() for paper in it["papers"]),
    }  # fmt: skip
    lead = (
        "Machines that make images their training data does not contain: "
        f"{', '.join(kind['are'] for kind in kinds.values())}. Made with That Are Not {__version__}."
    )
    text = "\n\n".join(f"## {title}\n\n{body}" for title, body in sections.items())
    return f"---\n{metadata.to_yaml()}\n---\n\n# {repo.partition('/')[2]}\n\n{lead}\n\n{text}\n"


def _contents(folder: Path, index: Mapping[str, Any]) -> str:
    rows, pictures = [], []
    for name, it in index.items():
        sizes = [entry["bytes"] for entry in it["iterations"] if "file" in entry]
        last = it["iterations"][-1]["iteration"] if it["iterations"] else 0
        rows.append([f"`{name}`", it["title"], it["kind"], str(last), str(len(sizes)), size(sum(sizes))])
        if (folder / name / "preview.png").exists():
            pictures.append(f"![{it['title']}]({name}/preview.png)")
    head = ["experiment", "title", "kind", "last iteration", "models", "size"]
    return "\n\n".join([plot.markdown_table(head, rows, left=3), *pictures])


def _example(repo: str, index: Mapping[str, Any]) -> str:
    entries = [(name, e["iteration"]) for name, it in index.items() for e in it["iterations"] if "file" in e]
    name, iteration = max(entries, key=lambda at: (index[at[0]]["kind"] == "iterations", at[1]), default=("", 0))
    return (
        f'```python\nfrom toolkit import Model\n\nmodel = Model.from_hub("{repo}", "{name}", iteration={iteration})\n'
        f"```\n\n```bash\npython -m toolkit list {repo}\npython -m toolkit pull {repo} {name} --iteration {iteration}\n"
        "```\n\nEach iteration is one file. `--revision COMMIT` gives the same for ever."
    )


def _training(folder: Path, name: str, made: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """A line on how an experiment was trained. made: its settings; config: all of config.json."""
    shown = [key for key in CARD["settings"] if made.get(key) not in (None, "", [], {})]
    values = ", ".join(f"{key.replace('_', ' ')} {made[key]}" for key in shown)
    data = " and ".join(source.title for source in sources([made["data"]] if isinstance(made.get("data"), str) else []))
    network = ""
    if files := sorted((folder / name).glob(f"iter_*/{tree.MODEL}")):
        found = inspect(files[-1])
        options = ", ".join(f"{key} {it}" for key, it in found["config"].items() if isinstance(it, (int, float, str)))
        parameters = f"{found['parameters']:,} parameters, stored as {found['dtype']}"
        network = f", `{found['architecture']}` ({options}; {parameters})"
    cost = config.get("cost", {})
    machines = ", ".join(sorted({entry["on"] for entry in cost.get("iterations", {}).values() if "on" in entry}))
    spent = f"; it took {cost['seconds'] / 60:.1f} minutes ({machines})" if "seconds" in cost else ""
    return f"- **{name}**{network}: learned {data or 'unstated data'}; {values}{spent}."


def _measures(folder: Path, index: Mapping[str, Any]) -> str:
    parts = [
        "Of new images of each iteration; 0 is the data themselves. The numbers are those of the files metrics.json."
    ]
    for kind, about in KINDS.items():
        known = {name: it for name, it in index.items() if it["kind"] == kind}
        if kind in LOOPS:
            paths = {name: folder / name / tree.METRICS for name in known}
            parts += [f"### {name}\n\n{runs.table(path)}" for name, path in paths.items() if path.exists()]
            parts += ["\n".join(f"- `{name}`: {what}" for name, what in LOOPS[kind].items())] if known else []
        elif known:  # a column per network, a line per measure
            columns = {f"`{name}` {entry['iteration']}": entry.get("metrics", {})
                       for name, it in known.items() for entry in it["iterations"]}  # fmt: skip
            measures = sorted({key for metrics in columns.values() for key in metrics})
            rows = [[key, *(f"{m[key]:.6g}" if key in m else "" for m in columns.values())] for key in measures]
            parts.append(f"### {about['are'].capitalize()}\n\n{plot.markdown_table(['measure', *columns], rows)}")
    return "\n\n".join(parts)


def sources(names: Iterable[str]) -> list[Source]:
    """The data sets behind names such as "mnist+letters:fonts", "sample:mnist" or "tinted:folder:PATH", each once.

    An unknown name is its own title, made by those who published the models.
    """
    plain = (re.sub("^((sample|tinted):)*", "", part) for name in names for part in name.split("+"))
    parts = {part.removesuffix(INVERT).partition(":")[0] for part in plain}
    ordered = [name for name in DATA if name in parts] + sorted(parts - {*DATA})
    return [DATA.get(name, Source(name, *DATA["folder"][1:3])) for name in ordered]


ROWS, COLUMNS = 5, 12  # iterations, and the first seeds of each
ACROSS = 10  # symbols in a row of a run's sheet
WIDEST = 900  # pixels of another sheet, once it is enlarged


def preview(folder: Path, experiment: Mapping[str, Any]) -> bytes | None:
    """The preview as PNG, or None if there is no sheet: of a run some of its iterations, else its last sheet.

    experiment: its entry in the index of the folder.
    """
    from PIL import Image

    run = experiment["kind"] == "iterations"
    entries = [entry for entry in experiment["iterations"] if entry.get("samples", "").endswith(".png")]
    entries = [entry for entry in entries if entry["iteration"] or not run] or entries
    if not entries:
        return None
    count = min(ROWS, len(entries)) if run else 1
    shown = [entries[-1 - round(i * (len(entries) - 1) / max(1, count - 1))] for i in reversed(range(count))]
    sheets = [Image.open(BytesIO((folder / entry["samples"]).read_bytes())) for entry in shown]
    if run:
        rows = [plot.tiles(sheet, sheet.width // ACROSS)[:COLUMNS] for sheet in sheets]
        picture = plot.specimen(torch.cat(rows), len(rows[0]), scale=2)
    else:
        factor = max(1, WIDEST // sheets[0].width)
        picture = sheets[0].resize((sheets[0].width * factor, sheets[0].height * factor), Image.Resampling.NEAREST)
    buffer = BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
