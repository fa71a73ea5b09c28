"""Letters drawn from fonts look as MNIST's digits do, and no typeface is both learned and tested on."""

import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.data.test_data import idx
from toolkit.data import load
from toolkit.data.letters import LETTERS, read, split_of

TEXT = ("DejaVuSans.ttf", "DejaVuSerif.ttf", "cmtt10.ttf", "cmr10.ttf")  # the last is for testing
BROKEN = b"\0\1\0\0 and no font after that"


def fonts(folder: Path, *names: str) -> Path:
    """A folder of fonts that come with matplotlib."""
    data = Path(pytest.importorskip("matplotlib").get_data_path()) / "fonts" / "ttf"
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copy(data / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fonts(tmp_path_factory.mktemp("fonts"), *TEXT)


@pytest.fixture(scope="module")
def images(folder: Path) -> Tensor:
    return read(folder).images


def test_a_font_gives_both_cases_of_every_letter_as_one_class(folder: Path) -> None:
    data = load(f"letters:{folder}", split="all")
    assert data.labels is not None and data.images.shape[1:] == (1, 28, 28) and data.images.dtype == torch.uint8
    assert set(data.labels.bincount(minlength=26).tolist()) == {2 * len(TEXT)}
    assert data.labels.tolist() == sorted(data.labels.tolist())


def test_the_ink_fills_a_box_of_twenty_pixels_and_is_white_at_its_brightest(images: Tensor) -> None:
    lines = torch.cat([(images > 0).any(axis) for axis in (2, 3)], 1).byte()  # the columns and rows that have ink
    sides = 28 - lines.argmax(2) - lines.flip(2).argmax(2)
    assert set(sides.max(1).values.tolist()) == {20}
    assert set(images.flatten(1).max(1).values.tolist()) == {255}


def test_the_centre_of_mass_is_the_centre_of_the_image(images: Tensor) -> None:
    at = torch.arange(28) + 0.5
    for axis in (2, 3):
        ink = images.double().sum(5 - axis).flatten(1)
        assert ((ink @ at.double() / ink.sum(1)) - 14).abs().max() <= 0.5


def test_letters_are_upright_and_not_mirrored(tmp_path: Path) -> None:
    upper = read(fonts(tmp_path, "DejaVuSans.ttf")).images[::2, 0] > 0
    for letter, heavier in (("L", "below"), ("F", "above")):
        ink = upper[LETTERS.index(letter)]
        above, *_, below = ink[ink.any(1)][1:-1].sum(1).tolist()
        left, *_, right = ink[:, ink.any(0)][:, 1:-1].sum(0).tolist()
        assert left > 2 * right and (above > 2 * below) == (heavier == "above")


def test_no_typeface_is_on_both_sides_and_none_is_lost(folder: Path) -> None:
    train, test, both = (load(f"letters:{folder}", split=split) for split in ("train", "test", "all"))
    assert test.typefaces == ("cmr10",) and set(train.typefaces) == {"DejaVu Sans", "DejaVu Serif", "cmtt10"}
    assert len(train) + len(test) == len(both) == 52 * len(TEXT)


def test_the_side_of_a_typeface_belongs_to_the_first_word_of_its_name() -> None:
    names = [f"typeface{number}" for number in range(700)]
    assert all(split_of(name) == split_of(f"{name} Condensed Black") == split_of(name.upper()) for name in names)
    assert 60 < sum(split_of(name) == "test" for name in names) < 140  # a seventh


def test_equal_pictures_of_a_letter_are_kept_once(tmp_path: Path) -> None:
    once = read(fonts(tmp_path / "a", "cmtt10.ttf")).images
    shutil.copy(tmp_path / "a/cmtt10.ttf", tmp_path / "a/copy.otf")
    assert torch.equal(read(tmp_path / "a").images, once)


def test_fonts_that_are_of_no_use_are_skipped_and_counted(tmp_path: Path) -> None:
    fonts(tmp_path, *TEXT, "cmex10.ttf", "STIXSizOneSymReg.ttf")
    (tmp_path / "broken.otf").write_bytes(BROKEN)
    (tmp_path / "._shadow.ttf").write_bytes(BROKEN)
    with pytest.warns(UserWarning, match="skipped 3 of 7 fonts .*") as caught:
        assert len(read(tmp_path).images) == 52 * len(TEXT)
    warned = str(caught[0].message)
    assert "1 damaged" in warned and "1 without some letter" in warned and "1 of symbols" in warned


def test_a_folder_without_a_font_of_use_and_a_part_without_a_typeface_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere: give"):
        load(f"letters:{tmp_path / 'nowhere'}")
    (tmp_path / "broken.ttf").write_bytes(BROKEN)
    with pytest.raises(ValueError, match=f"no font of use in {tmp_path} .1 damaged.: put"):
        load(f"letters:{tmp_path}")
    (tmp_path / "broken.ttf").unlink()
    fonts(tmp_path, "DejaVuSans.ttf")
    with pytest.raises(ValueError, match=f"no typeface in {tmp_path} falls to its test part: put"):
        load(f"letters:{tmp_path}", split="test")


def test_the_folder_may_lie_in_the_root_and_letters_may_follow_digits(tmp_path: Path) -> None:
    fonts(tmp_path / "fonts", "cmtt10.ttf")
    both = load("sample:mnist+letters:fonts", root=tmp_path)
    assert both.labels is not None and both.labels.unique().tolist() == list(range(36))
    assert len(both) == 1052 and both.typefaces == ("cmtt10",)


def test_a_limit_keeps_every_class_and_another_size_the_ink(folder: Path) -> None:
    few = load(f"letters:{folder}", split="all", limit=52)
    assert few.labels is not None and few.labels.tolist() == [label for label in range(26) for _ in range(2)]
    larger = load(f"letters:{folder}", split="all", limit=52, size=56)
    assert larger.images.float().mean() == pytest.approx(few.images.float().mean().item(), rel=0.02)


def test_handwritten_letters_are_stood_up_and_counted_from_zero(tmp_path: Path) -> None:
    """EMNIST's files hold each letter transposed, and number them from 1."""
    raw = tmp_path / "EMNIST" / "raw"
    raw.mkdir(parents=True)
    lying = torch.arange(2 * 28 * 28).remainder(251).byte().view(2, 28, 28)
    (raw / "emnist-letters-test-images-idx3-ubyte").write_bytes(idx(lying.numpy()))
    (raw / "emnist-letters-test-labels-idx1-ubyte").write_bytes(idx(torch.tensor([1, 26], dtype=torch.uint8).numpy()))
    data = load("emnist-letters", root=tmp_path, split="test")
    assert torch.equal(data.images[:, 0], lying.mT) and data.labels is not None and data.labels.tolist() == [0, 25]
