"""Links: a tab and its settings are in the address of the page, and a link opens there again (link.js)."""

import json
import os
import re

from . import static

SPACE = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)


def slug(name: str) -> str:
    """A tab as links name it: "Is it new?" is is-it-new."""
    return "-".join(re.findall(r"[a-z0-9]+", name.lower()))


def head() -> str:
    """The script that runs before any tab is drawn. It learns the Space it is on, if it is on one, from SPACE_ID.

    On a Space the page is in a frame and its address is not the visitor's, so that links name the Space.
    """
    space = os.environ.get("SPACE_ID", "")
    known = json.dumps(space if SPACE.fullmatch(space) else None)
    return f"<script>\nwindow.thatAreNot = {{space: {known}}};\n{static('link.js')}</script>"
