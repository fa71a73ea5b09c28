"""The tab "About": what this is, whose ideas and data it rests on, what is kept of a visitor. Needs no torch.

Its words are in about.html, papers, data and licences in about.json; what runs here is read from the index.
"""

from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import gradio as gr

from .. import __version__
from .. import index as tree
from ..index import strict_json
from .novel import RARE
from .server import static

TAB = "About"
KINDS = {name: name for name in ("iterations", "decoder", "kaleidoscope", "divergence", "judge")}


def linked(text: str, address: str | None) -> str:
    """Text as HTML; with an address a link, which opens a tab of its own."""
    if address is None:
        return escape(text)
    return f'<a href="{escape(address)}" target="_blank" rel="noopener">{escape(text)}</a>'


def items(lines: Iterable[str]) -> str:
    """Lines of a list."""
    return "\n".join(f"<li>{line}</li>" for line in lines)


def papers(them: Iterable[Mapping[str, str]]) -> str:
    """Methods and whose they are, as lines of a list."""
    return items(f"{escape(it['method'])}: {linked(it['paper'], it.get('link'))}" for it in them)


def data(them: Iterable[Mapping[str, str]]) -> str:
    """Whose data the built-in samples are, and under which licence."""
    return items(
        f"{linked(it['name'], it.get('link'))}: {escape(it['by'])}. Licence: {linked(it['licence'], it.get('terms'))}."
        for it in them
    )


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
        return f"the Hub repo {linked(str(source), f'https://huggingface.co/{source}')}"
    return f"the folder <code>{escape(folder.resolve().name)}</code>"


def experiments(index: Mapping[str, Any]) -> str:
    """A row of a table for each experiment: its name, title and kind, and how many models it has."""
    cells = (
        (name, it["title"], KINDS.get(it.get("kind", "iterations"), ""), sum("file" in e for e in it["iterations"]))
        for name, it in index["experiments"].items()
    )
    return "\n".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in cells)


def text(source: str | Path) -> str:
    """The whole tab as HTML. Raises CheckpointError without an index."""
    facts, index = strict_json(static("about.json").encode()), tree.read_index(source)
    try:
        letters = fonts(source, index)
    except ValueError:  # a config that cannot be read says nothing
        letters = ""
    return Template(static("about.html")).substitute(
        papers=papers(facts["papers"]), others=papers(facts["others"]), data=data(facts["data"]), fonts=letters,
        served=served(source), experiments=experiments(index), home=escape(facts["home"]),
        licence=escape(facts["licence"]),
        version=escape(__version__), rare=f"{RARE:.0%}", count=len(index["experiments"]),
    )  # fmt: skip


def about_tab(source: str | Path) -> None:
    """What this is, and what it is not."""
    gr.HTML(text(source), apply_default_css=False, elem_id="about")
