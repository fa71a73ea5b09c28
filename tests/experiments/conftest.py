"""A short run of figure 2, as it was made and in a copy of its own."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from toolkit import runs
from toolkit.data import load
from toolkit.presets import preset

SHORT: dict[str, Any] = {
    "images": 40, "generated": 20, "iterations": 3, "first_steps": 3, "steps": 2, "batch": 10, "model": {"filters": 2},
    "sampling": {"limit": 3},
}  # fmt: skip


def experiment(figure: str = "fig2", **changes: Any) -> Any:
    return preset(figure, "smoke", data="sample:mnist", **{**SHORT, **changes})


def short_run(out: Path, figure: str = "fig2", **changes: Any) -> Path:
    return runs.prepare(experiment(figure, **changes), load("sample:mnist").images, out, quiet=True)()


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("claims")
    short_run(out)
    return out


@pytest.fixture
def folder(tree: Path, tmp_path: Path) -> Path:
    """The run, as it was before anyone classified its images."""
    copied = shutil.copytree(tree / "fig2", tmp_path / "fig2")
    (copied / "judged.json").unlink(missing_ok=True)
    return copied
