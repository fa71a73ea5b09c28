"""A run without most of its models: what is left still shows all that was drawn, in a fraction of the size."""

import shutil
from collections.abc import Collection
from pathlib import Path
from tempfile import mkdtemp

from ..files import write
from .contact import contact

WORK = ("*.partial", "*.part", "*.npy", "*.safetensors")  # what only the training needs; models are added again


def thin(run: Path, out: Path, keep: Collection[int], *, data: bool = True) -> Path:
    """Copy a run to OUT/NAME: sheets and measures of all iterations, models of some; whole or not at all.

    keep: the iterations whose models go with it. data: whether pictures of the data do, those of iteration 0; some data
    may be learned from and not be shown. Raises FileNotFoundError for what is no run or lacks an iteration to keep,
    FileExistsError if there is one of its name.
    """
    models = {number: run / f"iter_{number:03d}" / "model.safetensors" for number in sorted(keep)}
    if missing := [path for path in (run / "config.json", *models.values()) if not path.is_file()]:
        raise FileNotFoundError(f"there is no {missing[0]}: give the folder of a run, and iterations that it has")
    if (target := out / run.name).exists():
        raise FileExistsError(f"{target} is there already: remove it first")
    out.mkdir(parents=True, exist_ok=True)
    part = Path(mkdtemp(prefix=f".{run.name}.", dir=out))
    try:
        shutil.copytree(run, part, ignore=shutil.ignore_patterns(*WORK), dirs_exist_ok=True)
        for path in models.values():
            shutil.copy(path, part / path.parent.name)
        if not data:
            for picture in (part / "iter_000" / "samples.png", part / "map.png"):
                picture.unlink(missing_ok=True)
        write(part / "contact.png", contact(part))
        part.chmod(0o755)  # mkdtemp keeps it to its owner
        return part.rename(target)
    except BaseException:
        shutil.rmtree(part)
        raise
