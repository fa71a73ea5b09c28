"""The demo: `python app.py [CHECKPOINTS]`; `gradio app.py [-- CHECKPOINTS]` serves it too, and follows changes.

Pixels, models and files are the toolkit's, the tabs are toolkit/web.
"""

import argparse
import ctypes
import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from threading import Thread, Timer
from typing import Any

gc.disable()  # until all is imported, of which nothing is garbage
Thread(target=import_module, args=["torch"]).start()  # beside Gradio: each takes seconds to import

import gradio as gr  # noqa: E402

from toolkit import index  # noqa: E402
from toolkit.web import (  # noqa: E402
    about,
    annotate,
    api,
    bend,
    claims,
    creative,
    dream,
    iterations,
    kaleidoscope,
    novel,
    raising,
    server,
    tray,
    words,
)

gc.freeze()  # what was imported stays
gc.enable()

TABS = ["iterations", "raising", "creative", "annotate", "kaleidoscope", "playground", "words", "bend", "dream", "tray",
        "novel", "claims", "about"]  # fmt: skip
STYLES = ["page.css", *(f"{tab}.css" for tab in TABS)]
WARM = 3.0  # seconds after the start, when the page is up: load models, visitor or not
ARENAS = (-8, 2)  # M_ARENA_MAX, as malloc.h has it, and how many
ADVICE = "`python -m toolkit train fig2 --scale smoke --out runs` trains a run in seconds, for `python app.py runs`"


def limit_malloc_arenas() -> None:
    """Have all threads share two heaps, where the C library is glibc: before there are any others than this one.

    By default it gives eight a core, and each thread of a server leaves its own full of holes: half a gigabyte in a
    quarter of an hour of many visitors.
    """
    with suppress(OSError, AttributeError, TypeError):  # another system, another C library
        ctypes.CDLL(None).mallopt(*ARENAS)


def warm(checkpoints: str | Path) -> None:
    """Draw for nobody, so that no visitor waits for a model. What fails here fails again for a visitor."""
    for tab in (iterations, creative, kaleidoscope, words, bend, novel):
        with suppress(ValueError):
            tab.warm(checkpoints)


def tabs(checkpoints: str | Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """The tabs there are to be, each with what fills it. Raises ValueError if there is nothing to show."""
    several = (raising, creative, kaleidoscope, words, bend, dream, novel, claims)
    found = {tab: first for tab in several if (first := tab.first_page(checkpoints))}
    try:
        iterations.RunIndex(checkpoints).page()
        yield "Iterations", partial(iterations.iterations_tab, checkpoints)
    except ValueError:
        if not {creative, kaleidoscope, words} & found.keys():
            raise
    for tab, first in found.items():
        yield tab.TAB, partial(tab.tab, checkpoints, first)
    pools = Path(os.environ.get("TOOLKIT_POOLS", Path(checkpoints).parent / "pools"))
    if creative in found or pools.is_dir():
        yield "Annotate", partial(annotate.annotate_tab, pools)
    yield about.TAB, partial(about.about_tab, checkpoints)


def build(checkpoints: str | Path = index.CHECKPOINTS) -> gr.Blocks:
    """The page over a tree of checkpoints, in a folder or a Hub repo. Launch it with `launch_options`.

    Raises ValueError or OSError if there is nothing to show.
    """
    with gr.Blocks(title="That Are Not", analytics_enabled=False, fill_width=True, delete_cache=(3600, 3600)) as page:
        filled = list(tabs(checkpoints))
        with gr.Tabs(overflow_behavior="wrap"):  # no name hides in a menu
            for name, fill in filled:
                with gr.Tab(name, id=server.slug(name)):
                    fill()
        tray.tray_figure()
        api.endpoints(checkpoints, page)
    return page.queue(max_size=32, api_open=False)  # no request passes the queue by


def launch_options(checkpoints: str | Path = index.CHECKPOINTS) -> dict[str, Any]:
    """What the page asks of `launch`, wherever it is launched."""
    return {
        "theme": server.THEME,
        # Not `css=`, which rewrites rules and loses some.
        "head": f"<style>{server.styles(*STYLES)}</style>{server.head()}",
        "footer_links": [],
        "ssr_mode": False,
        "enable_monitoring": False,
        "run_history": False,
        "max_file_size": "1mb",
        "app_kwargs": server.web_application(checkpoints, iterations.first_paint(checkpoints)),
    }


def chosen() -> str | Path:
    """The checkpoints that the command line names, else those of `server.chosen_source`."""
    parser = argparse.ArgumentParser(prog="app.py", description="Browse what the machines drew, in the browser.")
    parser.add_argument("checkpoints", nargs="?", help="a folder, or a Hub repo owner/name (default: those shipped)")
    return server.chosen_source(parser.parse_args().checkpoints)


def build_or_exit(checkpoints: str | Path) -> gr.Blocks:
    """`build`, which ends the process with a sentence if there is nothing to show."""
    try:
        return build(checkpoints)
    except (ValueError, TypeError, OSError) as error:
        sys.exit(f"app.py: there is no run to show, {error}; {ADVICE}.")


def launch(page: gr.Blocks, checkpoints: str | Path) -> None:
    """Open the page. GRADIO_SERVER_NAME and GRADIO_SERVER_PORT say where, TOOLKIT_POOLS where pools to label are.

    TOOLKIT_CHECKPOINTS names a Hub repo to serve, for a Space.
    """
    timer = Timer(WARM, warm, [checkpoints])
    timer.daemon = True
    timer.start()
    page.launch(**launch_options(checkpoints))


def __getattr__(name: str) -> gr.Blocks:
    """`app.demo` for who imports this module: the page, built when it is asked for. Launch it with `launch_options`."""
    if name != "demo":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return globals().setdefault("demo", build(server.chosen_source()))


if __name__ == "__main__":  # `gradio app.py` looks here for the page that it launched, and builds it again on a change
    limit_malloc_arenas()
    server.offer_gpu()
    source = chosen()
    demo = build_or_exit(source)
    launch(demo, source)
