"""The tab "About": what this is, whose ideas and data it rests on, what is kept of a visitor. Needs no torch.

Its words are in about.html; what can change is read where it is said: README.md, toolkit/data/README.md, the index.
"""

import re
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import gradio as gr

from .. import __version__, tree
from ..header import strict_json
from . import static
from .opinion import RARE

TAB = "About"
ROOT = Path(__file__).resolve().parents[2]
PAPERS = ("Datasets That Are Not", "neuro-inspired creative decoder", "generative kaleidoscopic networks")
KINDS = {name: name for name in ("iterations", "decoder", "kaleidoscope", "divergence", "judge")}
LINK = re.compile(r"\[([^\]]+)\]\((https://[^)\s]+)\)")


def said(name: str) -> str:
    """A text file of the project; nothing if only the package is here."""
    path = ROOT / name
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def rows(markdown: str, head: str) -> Iterator[list[str]]:
    """The rows of the table whose first column has this head, as cells."""
    _, _, after = markdown.partition(f"| {head} |")
    for line in after.splitlines()[2:]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def linked(cell: str) -> str:
    """Markdown of one cell as HTML: links open a tab of their own, all else is text."""
    parts = LINK.split(cell.replace("`", ""))  # text, name, address, text, ...
    made = [escape(text) for text in parts[::3]]
    links = [
        f'<a href="{escape(address)}" target="_blank" rel="noopener">{escape(name)}</a>'
        for name, address in zip(parts[1::3], parts[2::3], strict=True)
    ]
    return "".join(text + link for text, link in zip(made, [*links, ""], strict=True))


def items(pairs: Iterator[str]) -> str:
    """Lines of a list."""
    return "\n".join(f"<li>{pair}</li>" for pair in pairs)


def papers(markdown: str) -> tuple[str, str]:
    """The three papers of the page, and what else it builds on, as lines of a list."""
    found = {method: paper for method, paper, *_ in rows(markdown, "method") if paper}  # some are nobody's but ours
    line = {method: f"{_first(method)}: {linked(paper)}" for method, paper in found.items()}
    return items(line[each] for each in PAPERS if each in line), items(
        line[each] for each in line if each not in PAPERS
    )


def data(markdown: str) -> str:
    """Whose data the built-in samples are, and under which licence."""
    of = ((linked(name), escape(by), linked(licence)) for _, name, by, licence, *_ in rows(markdown, "file"))
    return items(f"{name}: {by}. Licence: {licence.removesuffix(', below')}." for name, by, licence in of)


def fonts(source: str | Path, index: Mapping[str, Any]) -> str:
    """Whose letters the judges learned: of how many typefaces, and where these are listed; nothing if none did."""
    for it in index["experiments"].values():
        config = strict_json(tree.fetch(source, it["config"]).read_bytes()) if it.get("kind") == "judge" else {}
        if (count := config.get("typefaces")) and (listed := config.get("fonts")):
            return f"<li>Letters of {int(count)} free typefaces: packages and licences in {escape(str(listed))}.</li>"
    return ""


def served(source: str | Path) -> str:
    """Where the checkpoints come from: the name of a folder, never its path, or a repo on the Hub."""
    folder = tree.folder_of(source)
    if folder is None:
        return f"the Hub repo {linked(f'[{source}](https://huggingface.co/{source})')}"
    return f"the folder <code>{escape(folder.resolve().name)}</code>"


def experiments(index: Mapping[str, Any]) -> str:
    """A row of a table for each experiment: its name, title and kind, and how many models it has."""
    cells = (
        (name, it["title"], KINDS.get(it.get("kind", "iterations"), ""), sum("file" in e for e in it["iterations"]))
        for name, it in index["experiments"].items()
    )
    return "\n".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in cells)


def home(markdown: str) -> str:
    """How to run it: the first commands of the README."""
    found = re.search(r"^## See it\n+```bash\n(.+?)\n```", markdown, re.DOTALL | re.MULTILINE)
    return found[1] if found else "python app.py"


def licence(markdown: str) -> str:
    """As the front matter of the README has it."""
    found = re.search(r"^license: (\S+)$", markdown, re.MULTILINE)
    return found[1].upper() if found else ""


def text(source: str | Path) -> str:
    """The whole tab as HTML. Raises CheckpointError without an index."""
    readme, index = said("README.md"), tree.read_index(source)
    main, others = papers(readme)
    try:
        letters = fonts(source, index)
    except ValueError:  # a config that cannot be read says nothing
        letters = ""
    return Template(static("about.html")).substitute(
        papers=main, others=others, data=data(said("toolkit/data/README.md")), fonts=letters, served=served(source),
        experiments=experiments(index), home=escape(home(readme)), licence=escape(licence(readme)),
        version=escape(__version__), rare=f"{RARE:.0%}", count=len(index["experiments"]),
    )  # fmt: skip


def about_tab(source: str | Path) -> None:
    """What this is, and what it is not."""
    gr.HTML(text(source), apply_default_css=False, elem_id="about")


def _first(words: str) -> str:
    return escape(words[:1].upper() + words[1:])
