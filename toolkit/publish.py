"""Publishing on the Hub: push and pull, the model card, licences and sources.

A pull asks the Hub once, for its index; the commit of that index is what all else is taken from. A full commit that is
cached needs no request. A finished file is never fetched again.

Its index lists what is in the folder, and not all that the repo has: then whatever it offers is there, every choice of
the page can be drawn without network, a missing iteration is answered with those that are not, and a second pull, or a
run of your own in the same folder, is one more entry.
"""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import torch

from . import __version__, plot, runs
from .hub import inspect
from .index import (
    REPO,
    CheckpointError,
    choose,
    digest,
    fetch,
    folder_of,
    hub_errors,
    parse,
    read_json,
    write_file,
    write_index,
)
from .metrics.stats import MEASURES
from .runs import summary as runs_summary
from .runs import to_json

OF_EXPERIMENT = ("config.json", "metrics.json", "report.json", "judged.json", "map.json", "map.png", "contact.png",
                 "preview.png")  # fmt: skip
OF_ITERATION = ("model.safetensors", "statistics.safetensors", "samples.png", "metrics.json")
NOTEBOOK = Path(__file__).resolve().parents[1] / "notebooks" / "notebook.ipynb"
EXAMPLE = "OWNER/that-are-not-checkpoints"  # the repo that it draws from, as it is written


class Source(NamedTuple):
    """A data set: its title, who made it, under which terms, and its id on the Hub if it is known there."""

    title: str
    makers: str
    terms: str
    hub: str | None = None


# What a card says beside the numbers: uses, limits, the papers of each kind, and who made the data.
CARD: dict[str, Any] = json.loads(Path(__file__).with_name("card.json").read_text(encoding="utf-8"))
KINDS: dict[str, dict[str, Any]] = CARD["kinds"]
DATA = {name: Source(**about) for name, about in CARD["data"].items()}  # by the name that `data.load` knows it by


# ---- push


def stage(source: Path, target: Path, repo: str, licence: str = "mit") -> dict[str, int]:
    """Write to `target` what is published of a tree, and say it: the bytes of each file. Needs no network.

    That is: of every experiment the files that a run leaves (`OF_EXPERIMENT`, `OF_ITERATION`) and no others; a preview
    if there is none; the table of measures; the index; the model card; and, of a copy of the whole repository, the
    notebook that the Hub opens for "Use this model", drawing from this repo.
    Raises CheckpointError for a malformed repo id, a source without experiments, one whose index does not match its
    files, or a target that is not empty; what a failure leaves in the target is incomplete.
    """
    if not REPO.fullmatch(repo):
        raise CheckpointError(f"{repo!r} is no valid Hub repo id: give owner/name")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise CheckpointError(f"{target} is not empty: give a new folder")
    if not (found := list(_known(source))):
        raise CheckpointError(f"the folder {source} holds no EXPERIMENT/config.json: give the folder of your runs")
    for path in found:
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)  # with its time of change, so that a sum over it is computed once
    index = _agreeing(source, target)
    for name, experiment in index["experiments"].items():
        _complete(target, name, experiment)
    write_file(target / "README.md", card(target, repo, licence).encode())
    if NOTEBOOK.exists():
        write_file(target / NOTEBOOK.name, NOTEBOOK.read_text(encoding="utf-8").replace(EXAMPLE, repo).encode())
    return {path.relative_to(target).as_posix(): path.stat().st_size for path in sorted(target.rglob("*.*"))}


def upload(staged: Path, repo: str, api: Any = None, *, private: bool = False) -> str:
    """Upload what was staged, and say the commit, 40 hexadecimal digits. The repo is made if there is none.

    What the Hub has already is not sent again: after an interruption the same call goes on. The token is the one of
    `hf auth login` or HF_TOKEN. api: a huggingface_hub.HfApi. Raises CheckpointError for every failure of the Hub.
    """
    with hub_errors(repo, "the upload"):
        from huggingface_hub import HfApi
        from huggingface_hub.errors import LocalTokenNotFoundError, RepositoryNotFoundError

        api = api or HfApi(library_name="that-are-not", library_version=__version__)
        try:
            api.create_repo(repo, private=private, exist_ok=True)
            commit = api.upload_folder(
                repo_id=repo, folder_path=staged, commit_message=f"Upload with That Are Not {__version__}"
            )
        except (RepositoryNotFoundError, LocalTokenNotFoundError) as error:
            raise CheckpointError(
                f"the Hub does not let you write to {repo}: log in with `hf auth login` and a token that may write"
            ) from error
        return str(commit.oid)


def _known(source: Path) -> Iterator[Path]:
    for config in sorted(source.glob("[!.]*/config.json")):
        yield from (path for name in OF_EXPERIMENT if (path := config.with_name(name)).is_file())
        for folder in sorted(config.parent.glob("iter_[0-9][0-9][0-9]")):
            yield from (path for name in OF_ITERATION if (path := folder / name).is_file())


def _agreeing(source: Path, target: Path) -> dict[str, Any]:
    """The index of the copies, once it is that of their source too."""
    found = write_index(target)
    if not (listed := source / "index.json").exists():
        return found
    told = parse(listed)
    if fault := _difference(told["experiments"], found["experiments"]):
        raise CheckpointError(
            f"{listed} does not match its files ({fault}): bring them back, or delete it to have it written anew"
        )
    return write_index(target, told["default"])


def _difference(told: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """The first thing that two indexes say differently, or nothing."""
    for name in dict.fromkeys([*told, *found]):
        if name not in told or name not in found:
            return f"{name} is {'listed and not there' if name in told else 'there and not listed'}"
        one, other = ({entry["iteration"]: entry for entry in index[name]["iterations"]} for index in (told, found))
        for number in sorted({*one, *other}):
            a, b = one.get(number, {}), other.get(number, {})
            if odd := sorted(key for key in {*a, *b} if a.get(key) != b.get(key)):
                return f"{name}, iteration {number}: {', '.join(odd)}"
        if told[name] != found[name]:
            return f"the title or kind of {name}"
    return ""


def _complete(target: Path, name: str, experiment: Mapping[str, Any]) -> None:
    """What an experiment of the index lacks beside its files: the preview, and the table of a run."""
    rows = [{"iteration": e["iteration"], **e["metrics"]} for e in experiment["iterations"] if "metrics" in e]
    if experiment["kind"] == "iterations" and rows:
        write_file(target / name / "metrics.json", to_json(runs_summary(rows)))
    if not (path := target / name / "preview.png").exists() and (picture := preview(target, experiment)):
        write_file(path, picture)


# ---- pull


@dataclass(frozen=True)
class File:
    """A file of a repo. size (bytes) and digest (sha256) are as the index says; of small files it says nothing."""

    path: str
    size: int | None = None
    digest: str | None = None


@dataclass(frozen=True)
class Plan:
    """What is to be pulled: of which commit, which experiment, its entries in the index, and their files."""

    repo: str
    commit: str
    experiment: str
    default: str  # the experiment that the repo shows first
    entries: Sequence[dict[str, Any]]
    files: Sequence[File]


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
    there is nothing else; a cache can do without, for what shows them fetches them.
    Raises CheckpointError, one sentence, for what is not there, lists what is, and for every failure of the Hub.
    """
    if not REPO.fullmatch(repo):
        raise CheckpointError(f"{repo!r} is no valid Hub repo id: give owner/name")
    listed = fetch(repo, "index.json", revision or "main")
    index = parse(listed)
    name, _ = choose(index, experiment)
    entries = _chosen(index, name, iterations, sheets)
    chosen = index["experiments"][name]
    whole = [File(chosen[key]) for key in ("config", *(["map"] if sheets else [])) if key in chosen]
    files = [*whole, *(file for e in entries for file in _files(e, sheets))]
    return Plan(repo, listed.parent.name, name, index["default"], entries, files)


def missing(plan: Plan) -> dict[str, int]:
    """Those of its files that are not in the Hub's cache, with the bytes that the index says, or 0. Asks nobody."""
    from huggingface_hub import try_to_load_from_cache as look

    absent = [file for file in plan.files if not isinstance(look(plan.repo, file.path, revision=plan.commit), str)]
    return {file.path: file.size or 0 for file in absent}


def foreseen(plan: Plan) -> dict[str, tuple[int, bool]]:
    """What a pull would do: of each file its bytes, and whether it would be fetched. Raises CheckpointError.

    One request for the list of the repo's files, and one for each that is not cached.
    """
    told = {it.filename: (it.file_size, it.will_download) for it in _snapshot(plan, dry_run=True)}
    return {file.path: told[file.path] for file in plan.files}


def pull(plan: Plan, quiet: bool = True) -> dict[str, Path]:
    """Fetch what is not cached, check it, and say where it is: the path of each file, by its path in the repo.

    quiet: without the progress bar of the Hub's library. Stop it whenever you like: what is finished stays.
    Raises CheckpointError for every failure of the Hub, and for a file that is not what the index says; it is fetched a
    second time before, and not kept.
    """
    for _ in range(2):  # what the cache held may have been damaged since
        folder = Path(_snapshot(plan, **({"tqdm_class": _silent()} if quiet else {})))
        paths = {file.path: folder / file.path for file in plan.files}
        bad = [file for file in plan.files if file.digest and not _intact(paths[file.path], file)]
        if not bad:
            return paths
        for copy in {copy for file in bad for copy in (paths[file.path].resolve(), paths[file.path])}:
            copy.unlink(missing_ok=True)
    raise CheckpointError(
        f"{bad[0].path} of {plan.repo} has another sha256 than its index says, twice: it was not kept, give a "
        "--revision before it was changed, or tell its owner"
    )


def _snapshot(plan: Plan, **options: Any) -> Any:
    """The folder of the plan's commit in the Hub's cache, with all files of the plan; of a dry run, what is said of it.

    Raises CheckpointError that names the largest file that is not there.
    """

    def largest() -> str:
        return max((size, name) for name, size in {"a file": -1, **missing(plan)}.items())[1]

    with hub_errors(plan.repo, largest, plan.commit):
        from huggingface_hub import snapshot_download

        patterns = [file.path for file in plan.files]  # plain paths: there is nothing in them that matches another
        found = snapshot_download(plan.repo, revision=plan.commit, allow_patterns=patterns, **options)
        there = {it.filename for it in found} if options.get("dry_run") else {*patterns} - {*missing(plan)}
        for name in {*patterns} - there:
            fetch(plan.repo, name, plan.commit)  # which says why it is not there
        return found


def _silent() -> type:
    from tqdm import tqdm

    class Silent(tqdm):  # type: ignore[misc]  # untyped
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "disable": True})

    return Silent


def _intact(path: Path, file: File) -> bool:
    return path.stat().st_size == file.size and digest(path) == file.digest


def _chosen(index: dict[str, Any], name: str, numbers: Sequence[int] | None, sheets: bool) -> list[dict[str, Any]]:
    listed = index["experiments"][name]["iterations"]
    if numbers is not None and not isinstance(numbers, range):
        return [choose(index, name, number)[1] for number in sorted(set(numbers))]
    found = [e for e in listed if "file" in e or (sheets and ("samples" in e or e["iteration"] == 0))]
    found = [entry for entry in found if numbers is None or entry["iteration"] in numbers]
    return found or [choose(index, name, min(numbers or [0]))[1]]  # raises, listing what there is


def _files(entry: dict[str, Any], sheets: bool) -> list[File]:
    stored = [part for part in (entry, entry.get("statistics", {})) if "file" in part]
    files = [File(part["file"], part["bytes"], part["sha256"]) for part in stored]
    return files + ([File(entry["samples"])] if sheets and "samples" in entry else [])


def place(plan: Plan, paths: Mapping[str, Path], folder: Path) -> dict[str, Any]:
    """Copy what was pulled into a folder, beside what is there, and write its index, which is returned.

    paths: of each file, as `pull` says. The measures are those of the repo's index, in a metrics.json each.
    Raises CheckpointError if the folder holds another file in the place of one, before anything is written; or if it
    cannot be written.
    """
    contents = {folder / name: path.read_bytes() for name, path in paths.items()}
    for entry in plan.entries:
        if "metrics" in entry:
            target = folder / plan.experiment / f"iter_{entry['iteration']:03d}" / "metrics.json"
            contents[target] = to_json(entry["metrics"])
    missing = {path: content for path, content in contents.items() if not _there(path, content)}
    for path, content in missing.items():
        write_file(path, content)
    listed = folder / "index.json"
    shown = parse(listed)["default"] if listed.exists() else plan.default
    there = (folder / shown / "config.json").exists()
    return write_index(folder, shown if there else None)


def _there(path: Path, content: bytes) -> bool:
    if not path.exists():
        return False
    if not path.is_file() or path.read_bytes() != content:
        raise CheckpointError(f"{path} is there already and is another: move it away, or choose another folder")
    return True


# ---- list


def contents(source: str | Path, revision: str | None = None) -> dict[str, Any]:
    """The index of a source, and what of it is on this machine. Raises CheckpointError.

    {"source", "commit" (None of a folder), "bytes", "experiments": {NAME: {"title", "kind", "bytes", "cached",
    "iterations": [{"iteration", "bytes", "cached", "metrics", ...}]}}}; bytes are those of models and statistics,
    cached is whether a model is here, or how many are.
    """
    listed = fetch(source, "index.json", revision or "main")  # as it is now: a revision is asked for
    commit = None if folder_of(source) else listed.parent.name
    index = parse(listed)
    experiments = {name: _experiment(source, commit, it) for name, it in index["experiments"].items()}
    total = sum(it["bytes"] for it in experiments.values())
    return {"source": str(source), "commit": commit, "default": index["default"], "bytes": total,
            "experiments": experiments}  # fmt: skip


def summary(held: Mapping[str, Any]) -> str:
    """An experiment a line."""
    rows = [["experiment", "kind", "iterations", "models", "size", "here", "measure", "title"]]
    rows += [_line(name, it) for name, it in held["experiments"].items()]
    at = f" at {held['commit']}" if held["commit"] else ""
    return f"{held['source']}{at}: {size(held['bytes'])} of models\n{_aligned(rows)}"


def iterations(held: Mapping[str, Any], name: str) -> str:
    """An iteration of one experiment a line, with all its measures. Raises CheckpointError, listing those there are."""
    name, _ = choose(held, name)
    entries = held["experiments"][name]["iterations"]
    measures = sorted({key for entry in entries for key in entry.get("metrics", {})})
    rows = [["iteration", "size", "here", *measures]]
    for entry in entries:
        told = [_number(entry.get("metrics", {}).get(measure)) for measure in measures]
        stored = (size(entry["bytes"]), "yes" if entry["cached"] else "no") if "file" in entry else ("", "")
        rows.append([str(entry["iteration"]), *stored, *told])
    return _aligned(rows)


def _experiment(source: str | Path, commit: str | None, held: Mapping[str, Any]) -> dict[str, Any]:
    entries = []
    for entry in held["iterations"]:
        stored = sum(part.get("bytes", 0) for part in (entry, entry.get("statistics", {})))
        entries.append({**entry, "bytes": stored, "cached": "file" in entry and _here(source, commit, entry["file"])})
    total, here = sum(entry["bytes"] for entry in entries), sum(entry["cached"] for entry in entries)
    return {"kind": "iterations", **held, "bytes": total, "cached": here, "iterations": entries}


def _here(source: str | Path, commit: str | None, file: str) -> bool:
    if commit is None:
        return Path(source, file).is_file()
    with hub_errors(str(source), file, commit):
        from huggingface_hub import try_to_load_from_cache

        return isinstance(try_to_load_from_cache(str(source), file, revision=commit), str)


def _line(name: str, held: Mapping[str, Any]) -> list[str]:
    numbers = [entry["iteration"] for entry in held["iterations"]]
    models = [entry for entry in held["iterations"] if "file" in entry]
    span = f"{numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else "".join(map(str, numbers))
    key, words = (KINDS.get(held["kind"], {}).get(part, "") for part in ("measure", "called"))
    told = models[-1].get("metrics", {}) if models else {}
    measure = f"{words} {_number(told[key])}" if key in told else ""
    return [name, held["kind"], span, str(len(models)), size(held["bytes"]), str(held["cached"]), measure,
            held["title"]]  # fmt: skip


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def size(count: int) -> str:
    """Bytes as people read them: 3.4 kB, 6.08 MB."""
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
    configs = {name: read_json(folder / it["config"]) for name, it in index.items()}
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
        "What is here": _contents(folder, index),
        "Get one": _start(repo, index),
        "Intended use": "\n\n".join(CARD["use"]),
        "Data": "\n".join([*owed, "", "The weights hold no images; sheets of iteration 0 show some of the data."]),
        "Training": "\n".join(_training(folder, name, it, configs[name]) for name, it in index.items()),
        "Measures": _measures(folder, index),
        "Limits": "\n".join(f"- {limit}" for limit in CARD["limits"]),
        "Licence": f"The weights: `{licence}`. The data keep the terms named above.",
        "Cite": "\n".join(f"- {paper}" for it in _kinds(index).values() for paper in it["papers"]),
    }  # fmt: skip
    text = "\n\n".join(f"## {title}\n\n{body}" for title, body in sections.items())
    return f"---\n{facts.to_yaml()}\n---\n\n# {repo.partition('/')[2]}\n\n{_lead(index)}\n\n{text}\n"


def _lead(index: Mapping[str, Any]) -> str:
    what = ", ".join(kind["are"] for kind in _kinds(index).values())
    return (
        f"Machines that make images their training data does not contain: {what}. Made with That Are Not {__version__}."
    )


def _kinds(index: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What is said of those kinds that an index has."""
    held = {it["kind"] for it in index.values()}
    return {kind: about for kind, about in KINDS.items() if kind in held}


def _made(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings in a config.json."""
    return made if isinstance(made := config.get("experiment"), dict) else {}


def _learned(config: Mapping[str, Any]) -> list[str]:
    return [name] if isinstance(name := _made(config).get("data"), str) else []


def _contents(folder: Path, index: Mapping[str, Any]) -> str:
    rows = []
    for name, it in index.items():
        sizes = [entry["bytes"] for entry in it["iterations"] if "file" in entry]
        last = it["iterations"][-1]["iteration"] if it["iterations"] else 0
        rows.append([f"`{name}`", it["title"], it["kind"], str(last), str(len(sizes)), size(sum(sizes))])
    pictures = [
        f"![{it['title']}]({name}/preview.png)"
        for name, it in index.items()
        if (folder / name / "preview.png").exists()
    ]
    head = ["experiment", "title", "kind", "last iteration", "models", "size"]
    return "\n\n".join([_table(head, rows, "| --- | --- | --- | ---: | ---: | ---: |"), *pictures])


def _start(repo: str, index: Mapping[str, Any]) -> str:
    entries = [(name, e["iteration"]) for name, it in index.items() for e in it["iterations"] if "file" in e]
    name, iteration = max(entries, key=lambda at: (index[at[0]]["kind"] == "iterations", at[1]), default=("", 0))
    return (
        f'```python\nfrom toolkit import Model\n\nmodel = Model.from_hub("{repo}", "{name}", iteration={iteration})\n'
        f"```\n\n```bash\npython -m toolkit list {repo}\npython -m toolkit pull {repo} {name} --iteration {iteration}\n"
        "```\n\nEach iteration is one file. `--revision COMMIT` gives the same for ever."
    )


def _training(folder: Path, name: str, it: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    made = _made(config)
    known = [key for key in CARD["settings"] if made.get(key) not in (None, "", [], {})]
    said = [f"{key.replace('_', ' ')} {made[key]}" for key in known]
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
    for kind, about in KINDS.items():
        held = {name: it for name, it in index.items() if it["kind"] == kind}
        if kind == "iterations":
            told = {name: folder / name / "metrics.json" for name in held}
            parts += [f"### {name}\n\n{runs.table(path)}" for name, path in told.items() if path.exists()]
            parts += ["\n".join(f"- `{name}`: {what}" for name, what in MEASURES.items())] if held else []
        elif held:
            parts.append(f"### {about['are'].capitalize()}\n\n{_side_by_side(held)}")
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


def sources(names: Iterable[str]) -> list[Source]:
    """The data sets behind names such as "mnist+letters:fonts", "sample:mnist" or "tinted:folder:PATH", each once.

    A name that nobody listed is itself, made by those who published the models.
    """
    parts = {_plain(part) for name in names for part in name.split("+")}
    ordered = [name for name in DATA if name in parts] + sorted(parts - {*DATA})
    return [DATA.get(name, Source(name, *DATA["folder"][1:3])) for name in ordered]


def _plain(name: str) -> str:
    before, colon, after = name.removesuffix("?invert").partition(":")
    return _plain(after) if colon and before in ("sample", "tinted") else before


ROWS, COLUMNS = 5, 12  # iterations, and the first seeds of each
ACROSS = 10  # symbols in a row of a run's sheet
WIDEST = 900  # pixels of another sheet, once it is enlarged


def preview(folder: Path, experiment: Mapping[str, Any]) -> bytes | None:
    """The preview as PNG, or nothing if there is no sheet: of a run some of its iterations, else its last sheet.

    experiment: as the index of the folder says.
    """
    from PIL import Image

    run = experiment["kind"] == "iterations"
    entries = [entry for entry in experiment["iterations"] if "samples" in entry]
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
