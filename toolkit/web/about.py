"""The tab "About": what this is, whose ideas and data it rests on, what is kept of a visitor.

Its words are in about.html; what runs here is read from the index.
"""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import gradio as gr

from .. import __version__, index
from . import novel, server

TAB = "About"


def fonts(source: str | Path, listed: Mapping[str, Any]) -> str:
    """How many typefaces the classifiers learned, and where these are listed, as a line; nothing if none did."""
    for it in listed["experiments"].values():
        if it.get("kind") == "judge":
            config = index.strict_json(index.fetch(source, it["config"]).read_bytes())
            if (count := config.get("typefaces")) and (file := config.get("fonts")):
                return f"<li>Letters of {int(count)} free typefaces: packages and licences in {escape(str(file))}.</li>"
    return ""


def served(source: str | Path) -> str:
    """Where the checkpoints come from: the name of a folder, never its path, or a repo on the Hub."""
    if (folder := index.folder_of(source)) is not None:
        return f"the folder <code>{escape(folder.resolve().name)}</code>"
    repo = escape(str(source))
    return f'the Hub repo <a href="https://huggingface.co/{repo}" target="_blank" rel="noopener">{repo}</a>'


def experiments(listed: Mapping[str, Any]) -> str:
    """A row of a table for each experiment: its name, title and kind, and how many models it has."""
    rows = [
        (name, it["title"], it.get("kind", "iterations"), sum("file" in entry for entry in it["iterations"]))
        for name, it in listed["experiments"].items()
    ]
    return "\n".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)


def text(source: str | Path) -> str:
    """The whole tab as HTML. Raises CheckpointError without an index."""
    listed = server.read_index(source)
    try:
        letters = fonts(source, listed)
    except ValueError:  # a config that cannot be read says nothing
        letters = ""
    return Template(server.static("about.html")).substitute(
        fonts=letters, served=served(source), experiments=experiments(listed), version=escape(__version__),
        rare=f"{novel.RARE:.0%}", count=len(listed["experiments"]),
    )  # fmt: skip


def about_tab(source: str | Path) -> None:
    """What this is, and what it is not."""
    gr.HTML(text(source), apply_default_css=False, elem_id="about")
