"""Notebooks: what they load of this module, and the command that executes and summarises them.

A notebook has one cell tagged "parameters", which may carry small values ("smoke") that tests put in their place; one
tagged "picture", whose output is stored with it; and, last, one tagged "check", which asserts what the prose claims and
prints it with its number.
"""

import argparse
import base64
import json
import os
import subprocess
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from tqdm import tqdm

from ..cli import arg, command
from ..config import choose
from ..index import CHECKPOINTS, CheckpointError, to_json, write_atomic

REPOSITORY = "https://github.com/OWNER/that-are-not"
FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
PATIENCE = 1800  # seconds that one cell may take


def checkpoints() -> Path:
    """The folder of the shipped checkpoints; an installed package has none, and then the repository is cloned once.

    Raises CheckpointError, one sentence, if that fails.
    """
    here = Path(REPOSITORY.rpartition("/")[2]).absolute()
    for folder in (CHECKPOINTS, here / "checkpoints"):
        if (folder / "index.json").exists():
            return folder
    print(f"Fetching the checkpoints, some 130 MB, from {REPOSITORY} ...")  # noqa: T201
    clone = ["git", "clone", "--quiet", "--depth", "1", REPOSITORY, str(here)]
    try:
        subprocess.run(
            clone, check=True, capture_output=True, text=True, env={**os.environ, "GIT_TERMINAL_PROMPT": "0"}
        )
    except (OSError, subprocess.CalledProcessError) as error:
        *_, reason = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise CheckpointError(
            f"no checkpoints came with this installation, and {REPOSITORY} could not be cloned ({reason}): connect to "
            "a network once, or set CHECKPOINTS to a folder of checkpoints"
        ) from error
    return here / "checkpoints"


def load_ipython_extension(shell: Any) -> None:
    """%load_ext toolkit.experiments.notebooks: errors that the toolkit raises itself are shown as their sentence."""
    shell.set_custom_exc((OSError, ValueError, FloatingPointError, ModuleNotFoundError), _show)


def _show(shell: Any, kind: type, error: Exception, trace: Any, tb_offset: int | None = None) -> list[str]:
    """Without the traceback, if the innermost frame is the toolkit's: its errors are whole sentences."""
    *_, (frame, _) = traceback.walk_tb(trace)
    if frame.f_globals.get("__name__", "").startswith("toolkit."):
        lines = [f"{kind.__name__}: {error}"]
    else:
        lines = shell.InteractiveTB.structured_traceback(kind, error, trace, tb_offset=tb_offset)
    shell._showtraceback(kind, error, lines)
    return lines


@command(
    "notebooks",
    """examples:
  python -m toolkit notebooks                        run all, and print what each found and how long it took
  python -m toolkit notebooks 00_tour.ipynb 08_mnist_kaleidoscope
  python -m toolkit notebooks --smoke --out there    seconds each, with tiny values; pictures and times into a folder
  python -m toolkit notebooks --write                pictures, times and README.md of notebooks/ itself, anew""",
    arg("names", nargs="*", metavar="NOTEBOOK", help="which, with or without .ipynb (default: all)"),
    arg("--folder", type=Path, default=FOLDER, help="where they are (default: those of the repository)"),
    arg("--out", metavar="DIR", help="store pictures and times there (default: store nothing)"),
    arg("--write", action="store_true", help="store pictures, times and README.md in the folder of the notebooks"),
    arg("--smoke", action="store_true", help="with tiny values: whether they run"),
    arg("--json", help="no progress bars"),
)
def notebooks(args: argparse.Namespace) -> object:
    """Run the notebooks, each in a kernel of its own: what they find, and how long it takes.

    With --out, or --write for their own folder, also store pictures and results; --write puts each picture into its
    notebook, too. Nothing else writes among them.
    """
    if args.write and args.out:
        raise ValueError("--write and --out are two places: give one of them")
    there = names(args.folder)
    chosen = [Path(name).stem if name.endswith(".ipynb") else name for name in args.names] or there
    for name in chosen:
        choose("notebook", name, there)
    out = args.folder if args.write else args.out
    stored = out and out / "results.json"
    results = json.loads(stored.read_text()) if stored and stored.exists() else {}
    for name in tqdm(chosen, disable=args.json, file=sys.stderr, dynamic_ncols=True):
        done = execute(args.folder / f"{name}.ipynb", small=args.smoke)
        results[name] = {"title": done.title, "seconds": round(done.seconds, 1), "said": done.finding}
        if out:
            write_atomic(out / "pictures" / f"{name}.png", done.picture)
            write_atomic(out / "results.json", to_json(results))
        if args.write:
            store_picture(args.folder / f"{name}.ipynb", done.picture)
    if args.write:  # elsewhere its links to the notebooks would lead nowhere
        write_atomic(out / "README.md", page(out).encode())
    return {name: results[name] for name in chosen}


INTRODUCTION = """# Notebooks

A notebook for each question, run from top to bottom on two cores; `FULL = True` is the published scale, for a GPU. The
last cell of each checks what its prose says. The runs here were made with `python -m toolkit notebooks --write`.
"""


@dataclass(frozen=True, eq=False)
class Executed:
    """What came of a notebook. picture: PNG. finding: what its check printed. notebook: with all outputs."""

    title: str
    seconds: float
    picture: bytes
    finding: str
    notebook: Any


def names(folder: Path = FOLDER) -> list[str]:
    """The notebooks there are, in order. Raises FileNotFoundError where there is no folder of them."""
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}: take a copy of the whole repository")
    return sorted(path.stem for path in folder.glob("*.ipynb"))


def read(path: Path) -> Any:
    """A notebook. Raises ModuleNotFoundError where Jupyter is missing, and ValueError for what is no notebook."""
    try:
        import nbformat
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError('to run notebooks, pip install -e ".[notebooks]"') from error
    try:
        return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except (nbformat.reader.NotJSONError, nbformat.ValidationError) as error:
        raise ValueError(f"{path} is no notebook: {str(error)[:100]}") from error


def tagged(notebook: Any, tag: str) -> Any:
    """The cell of this tag. Raises ValueError if there is none, or more than one."""
    found = [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]
    if len(found) != 1:
        raise ValueError(f"{len(found)} cells are tagged {tag!r}: tag one")
    return found[0]


def execute(path: Path, *, small: bool = False, kernel: Any = None) -> Executed:
    """Run a notebook in a kernel of this Python, in its own folder; nothing is written.

    small: with the small values of its parameters, where there are any. kernel: a KernelManager, whose kernel is
    started or, without its variables, used again, and stays; by default one of its own. Raises ValueError, with the
    cell's own error, for one that fails or shows no picture, and what `read` raises.
    """
    notebook = read(path)
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    if small:
        parameters = tagged(notebook, "parameters")
        changes = (f"\n{name} = {value!r}" for name, value in parameters.metadata.get("smoke", {}).items())
        parameters.source += "".join(changes)
    if kernel:
        notebook.cells.insert(1, nbformat.v4.new_code_cell("%reset -f"))  # type: ignore[no-untyped-call]
    client = NotebookClient(notebook, km=kernel, timeout=PATIENCE, kernel_name="python3")
    begun = perf_counter()
    try:
        client.execute(cwd=str(path.parent))
    except CellExecutionError as error:
        raise ValueError(f"{path.name} fails: {error.ename}: {error.evalue}") from error
    finally:
        if kernel and client.kc:
            client.kc.stop_channels()
    seconds = perf_counter() - begun
    title = notebook.cells[0].source.splitlines()[0].removeprefix("#").strip()  # the question that it asks
    shown = [it.data["image/png"] for it in tagged(notebook, "picture").outputs if "image/png" in it.get("data", {})]
    if len(shown) != 1:
        raise ValueError(f"the cell tagged 'picture' of {path.name} shows {len(shown)} pictures: show one")
    printed = "".join(it.text for it in tagged(notebook, "check").outputs if it.output_type == "stream")
    return Executed(title, seconds, base64.b64decode(shown[0]), printed.strip(), notebook)


def store_picture(path: Path, picture: bytes) -> None:
    """Make a picture, PNG, the one output that the file of a notebook has."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            shown = "picture" in cell["metadata"].get("tags", [])
            data = {"image/png": base64.b64encode(picture).decode(), "text/plain": ["<PIL.Image.Image>"]}
            cell["outputs"] = [{"data": data, "metadata": {}, "output_type": "display_data"}] if shown else []
            cell["execution_count"] = None
    write_atomic(path, (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode())


def page(folder: Path = FOLDER) -> str:
    """README.md of the folder: a row for each notebook, from the results of running it: picture, question, seconds."""
    lines = [INTRODUCTION, "| | notebook | what it found | seconds |", "| --- | --- | --- | ---: |"]
    for name, found in json.loads((folder / "results.json").read_text(encoding="utf-8")).items():
        picture = f'<img src="pictures/{name}.png" width="240" alt="">'
        lines.append(f"| {picture} | [{found['title']}]({name}.ipynb) | {found['said']} | {found['seconds']:.0f} |")
    return "\n".join(lines) + "\n"
