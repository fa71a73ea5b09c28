"""The demo: `python app.py`. Widgets only: pixels, models and files are the toolkit's, the tabs are toolkit/web."""

import argparse
import ctypes
import html
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from toolkit import index
from toolkit.web import about, annotate, api, bend, claims, creative, iterations, kaleidoscope, novel, server, tray
from toolkit.web.iterations import Shelf, iterations_tab
from toolkit.web.server import THEME, guarded, static

TABS = ("iterations", "creative", "annotate", "kaleidoscope", "playground", "bend", "tray", "novel", "claims", "about")
STYLES = ["page.css", *(f"{tab}.css" for tab in TABS)]
LAUNCH: dict[str, Any] = {  # what the page asks of `launch`, wherever it is launched
    "theme": THEME,
    # Not `css=`, which rewrites rules and loses some.
    "head": f"<style>{static(*STYLES)}</style>{server.head()}",
    "footer_links": [],
    "ssr_mode": False,
    "enable_monitoring": False,
    "run_history": False,
    "max_file_size": "1mb",
    "app_kwargs": guarded(),
}
WARM = 3.0  # seconds after the start, when the page is up: import what models need, visitor or not

ARENAS = (-8, 2)  # M_ARENA_MAX, as malloc.h has it, and how many


def share_heaps() -> None:
    """Have all threads share two heaps, where the C library is glibc: before there are any others than this one.

    By default it gives eight a core, and each thread of a server leaves its own full of holes: half a gigabyte in a
    quarter of an hour of many visitors.
    """
    with suppress(OSError, AttributeError, TypeError):  # another system, another C library
        ctypes.CDLL(None).mallopt(*ARENAS)


def no_run(reason: str) -> None:
    """What stands there when there is nothing to show: why, and what would do."""
    commands = "\n".join(f"python -m toolkit train fig2 --scale {size} --out checkpoints" for size in ("smoke", "cpu"))
    advice = f"<p>Train one, in seconds or in hours, and open the page again:</p><pre>{commands}</pre>"
    gr.HTML(f"<div class='no-run'><h1>There is no run to show yet</h1><p>{html.escape(reason)}.</p>{advice}</div>")


def warm(checkpoints: str | Path) -> None:
    """Draw for nobody, so that no visitor waits for torch. What fails here fails again for a visitor."""
    with suppress(ValueError):
        shelf = Shelf(checkpoints)
        name, entry = index.choose(shelf.listed())
        for _ in shelf.grow(name, entry["iteration"], seed=0):
            pass
    with suppress(ValueError):
        for decoder in (creative.first_page(checkpoints) or {"decoders": []})["decoders"]:
            creative.answer(checkpoints, {"experiment": decoder["name"], **creative.START})
    with suppress(ValueError):
        for network in (kaleidoscope.first_page(checkpoints) or {"networks": []})["networks"]:
            for _ in kaleidoscope.answer(checkpoints, {"experiment": network["name"], **kaleidoscope.START, "runs": 1}):
                pass
    with suppress(ValueError):
        bend.warm(checkpoints)
    with suppress(ValueError):
        if novel.first_page(checkpoints):
            novel.warm(checkpoints)


def tabs(checkpoints: str | Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """The tabs there are to be, each with what fills it. Raises ValueError if there is nothing to show."""
    pairs, runs = creative.first_page(checkpoints), kaleidoscope.first_page(checkpoints)
    try:
        first = Shelf(checkpoints).page()
        yield "Iterations", lambda: iterations_tab(Shelf(checkpoints), first)
    except ValueError:
        if not pairs and not runs:
            raise
    if pairs:
        yield "Creative decoder", lambda: creative.creative_tab(checkpoints, pairs)
    if runs:
        yield "Kaleidoscope", lambda: kaleidoscope.kaleidoscope_tab(checkpoints, runs)
    if machines := bend.first_page(checkpoints):
        yield bend.TAB, lambda: bend.bend_tab(checkpoints, machines)
    if symbol := novel.first_page(checkpoints):
        yield novel.TAB, lambda: novel.novel_tab(checkpoints, symbol)
    if papers := claims.first_page(checkpoints):
        yield claims.TAB, lambda: claims.claims_tab(checkpoints, papers)
    pools = Path(os.environ.get("TOOLKIT_POOLS", Path(checkpoints).parent / "pools"))
    if pairs or pools.is_dir():
        yield "Annotate", lambda: annotate.annotate_tab(pools)
    yield about.TAB, lambda: about.about_tab(checkpoints)


def build(checkpoints: str | Path = index.CHECKPOINTS) -> gr.Blocks:
    """The page over a tree of checkpoints, in a folder or a Hub repo. Launch it with `LAUNCH`."""
    with gr.Blocks(title="That Are Not", analytics_enabled=False, fill_width=True, delete_cache=(3600, 3600)) as page:
        try:
            filled = list(tabs(checkpoints))
        except (ValueError, TypeError, OSError) as error:
            no_run(str(error))
            return page
        with gr.Tabs(overflow_behavior="wrap"):  # no name hides in a menu
            for name, fill in filled:
                with gr.Tab(name, id=server.slug(name)):
                    fill()
        tray.tray_figure()
        api.endpoints(checkpoints)
    return page.queue(max_size=32, api_open=False)  # nothing passes the line by


def main() -> None:
    """Open the page. GRADIO_SERVER_NAME and GRADIO_SERVER_PORT say where, TOOLKIT_POOLS where pools to label are.

    TOOLKIT_CHECKPOINTS names a Hub repo to serve, for a Space.
    """
    parser = argparse.ArgumentParser(prog="app.py", description="Browse what the machines drew, in the browser.")
    parser.add_argument("checkpoints", nargs="?", help="a folder, or a Hub repo owner/name (default: those shipped)")
    share_heaps()
    checkpoints = server.served(parser.parse_args().checkpoints)
    server.offer_gpu()
    page = build(checkpoints)
    timer = Timer(WARM, warm, [checkpoints])
    timer.daemon = True
    timer.start()
    first = Middleware(iterations.Splash, iterations.markup(checkpoints))
    page.launch(**LAUNCH | {"app_kwargs": guarded(first)})


if __name__ == "__main__":
    main()
