"""Fetching a published set through torchvision, whole or not at all."""

import tempfile
from pathlib import Path
from typing import Any

FOLDERS = {
    "mnist": "MNIST",
    "fashion": "FashionMNIST",
    "kmnist": "KMNIST",
    "emnist-letters": "EMNIST",
    "omniglot": "Omniglot",
    "celeba": "CelebA",
}  # torchvision's names


def fetch(name: str, root: Path, parts: list[str], *, there: list[str]) -> None:
    """Download parts ("train", "test"; of CelebA "all") of a set beside its place, then move the files there.

    So a broken download leaves nothing behind. there: the parts that root has. Raises FileNotFoundError if it fails.
    """
    try:
        from torchvision import datasets

        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root) as new:
            for part in parts:
                option: dict[str, Any] = {"background" if name == "omniglot" else "train": part == "train"}
                option = {"split": part} if name == "celeba" else option
                option |= {"split": "letters"} if name == "emnist-letters" else {}
                getattr(datasets, FOLDERS[name])(new, download=True, **option)
            _move(Path(new), root)
    except (ImportError, OSError, RuntimeError) as error:
        raise FileNotFoundError(_sentence(name, root, parts, there, str(error))) from error


def _move(source: Path, target: Path) -> None:
    for file in [file for file in source.rglob("*") if file.is_file()]:
        place = target / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        file.replace(place)


def _sentence(name: str, root: Path, parts: list[str], there: list[str], reason: str) -> str:
    only = f", which has only its {there[0]} images (split 'any' takes them)" if there else ""
    sample = "sample:fashion" if name == "fashion" else "sample:mnist"
    reason = reason.partition("\n")[0].rstrip(": ")
    return (
        f"the {' and '.join(parts)} images of {name} are not in {root}{only}, and could not be downloaded ({reason}): "
        f"connect to a network once, put the files there, or use {sample} or folder:PATH"
    )
