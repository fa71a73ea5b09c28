"""A name becomes images: from files that are there, from the built-in sample, from a folder, from a download."""

import gzip
import hashlib
import re
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn.functional import interpolate

from toolkit import data as datasets
from toolkit.data import dark_on_light, load, picture

RAW = {"mnist": "MNIST", "fashion": "FashionMNIST", "kmnist": "KMNIST"}


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def written(root: Path, name: str, part: str, count: int, *, gz: bool = False, labels: bool = True) -> Tensor:
    """A set of random images, in files as torchvision leaves them. -> uint8 (count, 1, 28, 28)"""
    images = np.random.default_rng(count).integers(0, 256, (count, 28, 28), dtype=np.uint8)
    raw = root / RAW[name] / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    files = {"images-idx3": images} | ({"labels-idx1": np.arange(count, dtype=np.uint8) % 10} if labels else {})
    for kind, array in files.items():
        data = gzip.compress(idx(array)) if gz else idx(array)
        (raw / f"{part}-{kind}-ubyte{'.gz' if gz else ''}").write_bytes(data)
    return torch.from_numpy(images)[:, None]


def disc(size: tuple[int, int], paper: int = 255, ink: int = 0) -> Image.Image:
    image = Image.new("L", size, paper)
    ImageDraw.Draw(image).ellipse([size[0] // 4, size[1] // 4, 3 * size[0] // 4, 3 * size[1] // 4], fill=ink)
    return image


def omniglot(folder: Path, alphabets: int = 2) -> None:
    """Two characters an alphabet, three drawings each, black on white at 105x105, one bit deep, as published."""
    for alphabet in range(alphabets):
        for character in range(2):
            place = folder / f"Alphabet_{alphabet}" / f"character{character:02}"
            place.mkdir(parents=True)
            for drawing in range(3):
                disc((105, 105)).convert("1").save(place / f"{alphabet}{character}_{drawing}.png")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The files of a folder, at an address of this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


# files that are there


@pytest.mark.parametrize("gz", [False, True])
@pytest.mark.parametrize("name", RAW)
def test_raw_files_are_read_byte_by_byte(tmp_path: Path, name: str, gz: bool) -> None:
    images = written(tmp_path, name, "train", 30, gz=gz)
    data = load(name, root=tmp_path)
    assert torch.equal(data.images, images)
    assert data.labels is not None
    assert data.labels.tolist() == [*range(10)] * 3
    assert (data.name, data.split, data.images.dtype, data.labels.dtype) == (name, "train", torch.uint8, torch.int64)


@pytest.mark.parametrize(("variable", "folder"), [("TOOLKIT_DATA", ""), ("XDG_CACHE_HOME", "that-are-not")])
def test_the_root_is_that_of_the_environment_or_the_cache_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, folder: str
) -> None:
    monkeypatch.delenv("TOOLKIT_DATA", raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    images = written(tmp_path / folder, "mnist", "train", 5)
    assert torch.equal(load("mnist").images, images)


def test_a_split_is_a_part_or_both_and_any_the_part_that_is_there(tmp_path: Path) -> None:
    test = written(tmp_path, "kmnist", "t10k", 4, labels=False)
    data = load("kmnist", root=tmp_path, split="any")
    assert data.split == "test" and torch.equal(data.images, test) and data.labels is None
    for split in ("train", "all"):
        with pytest.raises(FileNotFoundError, match="train images of kmnist .*only its test images .split 'any'"):
            load("kmnist", root=tmp_path, split=split)
    train = written(tmp_path, "kmnist", "train", 6)
    assert torch.equal(load("kmnist", root=tmp_path, split="any").images, train)
    both = load("kmnist", root=tmp_path, split="all")
    assert torch.equal(both.images, torch.cat([train, test])) and both.split == "all"


@pytest.mark.parametrize(
    ("spoil", "gz"),
    [
        (lambda data: data[:-1], False),
        (lambda data: data + b"0", False),
        (lambda data: data[:3], False),
        (lambda data: b"", False),
        (lambda data: b"<html>" + data, False),
        (lambda data: data[:2] + b"\x0d" + data[3:], False),
        (lambda data: idx(np.zeros(3, np.uint8)), False),
        (lambda data: idx(np.zeros((0, 28, 28), np.uint8)), False),
        (lambda data: data[:-20], True),
        (lambda data: b"no gzip at all", True),
        (lambda data: data[:40], True),
    ],
)
def test_a_damaged_file_is_named_in_one_sentence(tmp_path: Path, spoil: Callable[[bytes], bytes], gz: bool) -> None:
    written(tmp_path, "mnist", "train", 5, gz=gz)
    (path,) = (tmp_path / "MNIST" / "raw").glob("*images*")
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(ValueError, match=rf"^[^\n]*{path.name} [^\n]*: delete it and load again$"):
        load("mnist", root=tmp_path)


def test_labels_of_another_set_are_refused(tmp_path: Path) -> None:
    written(tmp_path, "mnist", "train", 5)
    (tmp_path / "MNIST" / "raw" / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(4, np.uint8)))
    with pytest.raises(ValueError, match="4 labels for 5 images"):
        load("mnist", root=tmp_path)


# options


def test_a_limit_is_spread_over_the_set_and_keeps_every_class() -> None:
    data = load("sample:mnist", limit=20)
    assert data.labels is not None
    assert data.labels.tolist() == [label for label in range(10) for _ in range(2)]
    assert len(load("sample:mnist", limit=5000)) == 1000


def test_another_size_keeps_the_ink(tmp_path: Path) -> None:
    whole = load("sample:mnist", limit=50).images.float()
    for size in (7, 14, 32, 56):
        images = load("sample:mnist", limit=50, size=size).images
        assert images.shape == (50, 1, size, size)
        assert images.float().mean() == pytest.approx(whole.mean().item(), rel=0.02)


def test_a_set_may_be_read_in_colour_or_inverted(tmp_path: Path) -> None:
    Image.new("RGB", (40, 40), (250, 10, 60)).save(tmp_path / "a.png")
    assert load(f"folder:{tmp_path}", color=True).images[0, :, 3, 3].tolist() == [250, 10, 60]
    assert load(f"folder:{tmp_path}", color=True, invert=True).images[0, :, 3, 3].tolist() == [5, 245, 195]
    grey = load("sample:mnist", limit=10).images
    assert torch.equal(load("sample:mnist", limit=10, color=True).images, grey.repeat(1, 3, 1, 1))
    assert torch.equal(load("sample:mnist", limit=10, invert=True).images, 255 - grey)


def test_an_unknown_set_is_answered_with_the_known_ones() -> None:
    for name in ("emnist", "folder:", "sample:omniglot", ""):
        with pytest.raises(ValueError, match=f"unknown data set '{name}': did you mean"):
            load(name)


@pytest.mark.parametrize("option", [{"split": "validation"}, {"limit": 0}, {"size": 0}])
def test_an_option_out_of_range_is_named(option: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(option))} '?{next(iter(option.values()))}"):
        load("sample:mnist", **option)  # type: ignore[arg-type]


# the built-in sample


@pytest.mark.parametrize("name", ["sample:mnist", "sample:fashion"])
def test_the_sample_is_a_thousand_different_images_of_ten_classes_in_little_space(name: str) -> None:
    data = load(name)
    assert data.images.shape == (1000, 1, 28, 28)
    assert len(data.images.flatten(1).unique(dim=0)) == 1000
    assert data.labels is not None
    assert data.labels.bincount().tolist() == [100] * 10
    file = Path(datasets.__file__).parent / f"{name.partition(':')[2]}.png"
    assert file.stat().st_size < 500_000


def test_the_samples_carry_their_licences() -> None:
    text = (Path(datasets.__file__).parent / "README.md").read_text(encoding="utf-8")
    for word in ("LeCun", "Cortes", "Burges", "CC BY-SA 3.0", "Zalando", "MIT License"):
        assert word in text


# Omniglot


@pytest.mark.parametrize("place", ["omniglot-py/images_background", "omniglot-small"])
def test_omniglot_is_bright_ink_at_28_pixels_with_a_class_per_character(tmp_path: Path, place: str) -> None:
    omniglot(tmp_path / place)
    data = load("omniglot", root=tmp_path)
    assert data.images.shape == (12, 1, 28, 28)
    assert data.images[:, 0, 0, 0].max() == 0
    assert data.images[:, 0, 14, 14].min() == 255
    assert data.labels is not None
    assert data.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert data.split == ("small" if "small" in place else "train")
    few = load("omniglot", root=tmp_path, invert=False, limit=4)  # as drawn, dark on white
    assert torch.equal(few.images, 255 - data.images[::3]) and few.labels is not None
    assert few.labels.tolist() == [0, 1, 2, 3]
    omniglot(tmp_path / "omniglot-py" / "images_evaluation", alphabets=1)
    both = load("omniglot", root=tmp_path, split="all")  # the characters of both parts are different classes
    assert both.labels is not None and (len(both), int(both.labels.max())) == (18, 5)


# folders


def test_a_folder_is_read_at_any_depth_in_the_order_of_its_paths(tmp_path: Path) -> None:
    (tmp_path / "b" / "deep").mkdir(parents=True)
    for value, name in enumerate(["a.png", "b/deep/x.bmp", "b/y.WEBP", "c.gif"], 1):
        file = tmp_path / name
        Image.new("L", (28, 28), value * 50).save(file, lossless=True)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "._a.png").write_text("a shadow that some systems leave")
    data = load(f"folder:{tmp_path}")
    assert data.images[:, 0, 14, 14].tolist() == [50, 100, 150, 200]
    assert data.labels is None


@pytest.mark.parametrize("size", [(60, 20), (20, 60), (3, 9), (500, 100)])
def test_a_picture_is_fitted_whole_on_its_own_paper(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("L", size, 90).save(tmp_path / "paper.png")
    disc(size, paper=90, ink=200).save(tmp_path / "symbol.png")
    paper, symbol = load(f"folder:{tmp_path}").images[:, 0]
    assert (paper == 90).all()
    assert (symbol[[0, -1]] == 90).all()
    assert (symbol[:, [0, -1]] == 90).all()
    assert symbol[14, 14] > 150


@pytest.mark.parametrize("size", [14, 28, 64])
@pytest.mark.parametrize("name", ["sample:mnist", "sample:fashion"])
def test_dark_ink_on_light_paper_is_told_from_light_on_dark(name: str, size: int) -> None:
    images = load(name, limit=300, size=size).images
    assert not dark_on_light(images).any()
    assert dark_on_light(255 - images).double().mean() > 0.85
    grey = (200 - 0.5 * images.float()).byte()  # a faint drawing on grey paper
    assert dark_on_light(grey).double().mean() > 0.85


def test_noise_clouds_and_blank_pictures_are_no_ink_on_paper() -> None:
    clouds = interpolate(torch.rand(200, 3, 5, 5), (28, 28), mode="bicubic").clamp(0, 1)
    for images in (torch.rand(200, 1, 28, 28), clouds, torch.ones(5, 1, 28, 28), torch.zeros(5, 1, 28, 28)):
        assert dark_on_light(images).double().mean() < 0.1
    assert dark_on_light(torch.empty(0, 1, 28, 28)).tolist() == []


def folder_of(images: Tensor, folder: Path) -> Path:
    folder.mkdir()
    for number, image in enumerate(images[:, 0]):
        Image.fromarray(image.numpy()).save(folder / f"{number:03}.png")
    return folder


def test_a_folder_of_dark_ink_on_light_paper_is_warned_of_once_and_read_inverted_by_its_name(tmp_path: Path) -> None:
    images = load("sample:mnist", limit=30).images
    light, dark = folder_of(images, tmp_path / "light"), folder_of(255 - images, tmp_path / "dark")
    assert torch.equal(load(f"folder:{light}").images, images)  # a warning would be an error here
    with pytest.warns(UserWarning, match=rf"^most pictures of folder:{dark} show dark ink .*{dark}\?invert"):
        load(f"folder:{dark}")
    data = load(f"folder:{dark}?invert")
    assert torch.equal(data.images, images) and data.name == f"folder:{dark}?invert"
    assert torch.equal(load(f"folder:{dark}", invert=False).images, 255 - images)  # and as it is, if that is meant
    assert torch.equal(load("sample:mnist?invert+sample:fashion", limit=4).images[:2], 255 - images[[0, 15]])


def test_one_picture_is_read_as_those_of_a_folder_are(tmp_path: Path) -> None:
    disc((60, 60)).save(tmp_path / "a.png")
    with pytest.warns(UserWarning, match="a.png shows dark ink on light paper"):
        dark = picture(tmp_path / "a.png", 28)
    assert torch.equal(dark, load(f"folder:{tmp_path}", invert=False).images)
    assert torch.equal(picture(tmp_path / "a.png", 28, invert=True), 255 - dark)


def test_transparent_is_white_sixteen_bits_are_scaled_and_the_first_frame_counts(
    tmp_path: Path,
) -> None:
    frames = [Image.new("L", (28, 28), value) for value in (40, 200)]
    frames[0].save(tmp_path / "animation.gif", save_all=True, append_images=frames[1:])
    clear = Image.new("RGBA", (28, 28), (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), (10, 10, 18, 18))
    clear.save(tmp_path / "clear.png")
    Image.fromarray(np.full((28, 28), 25_700, np.uint16)).save(tmp_path / "deep.png")
    animation, icon, deep = load(f"folder:{tmp_path}").images[:, 0]
    assert animation.unique().tolist() == [40] and (icon[0, 0], icon[14, 14], deep[5, 5]) == (255, 0, 100)


def test_damaged_and_thin_pictures_are_skipped_and_named(tmp_path: Path) -> None:
    Image.new("L", (1, 300)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"no picture can be used.*a\.png is too thin for 28 pixels"):
        load(f"folder:{tmp_path}")
    disc((30, 30), paper=0, ink=255).save(tmp_path / "b.png")
    (tmp_path / "c.png").write_bytes((tmp_path / "b.png").read_bytes()[:60])
    (tmp_path / "d.jpg").write_text("no picture")
    with pytest.warns(UserWarning, match="skipped") as reported:
        assert len(load(f"folder:{tmp_path}")) == 1
    thin, damaged = sorted(str(warning.message) for warning in reported)  # "skipped 1 ...", "skipped 2 ..."
    assert re.match(r"skipped 2 of 4 pictures, damaged: .*c\.png.*d\.jpg$", damaged)
    assert re.match(r"skipped 1 of 4 pictures, too thin for 28 pixels: .*a\.png$", thin)


def test_folders_without_a_picture_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load(f"folder:{tmp_path / 'nowhere'}")
    with pytest.raises(ValueError, match=f"no pictures in {tmp_path}"):
        load(f"folder:{tmp_path}")
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"no picture can be used.*a\.png is damaged"):
        load(f"folder:{tmp_path}")


def test_a_limited_folder_is_read_no_further(tmp_path: Path) -> None:
    for value in range(6):
        Image.new("L", (28, 28), value).save(tmp_path / f"{value}.png")
    (tmp_path / "1.png").write_text("damaged, but not among the three")
    assert load(f"folder:{tmp_path}", limit=3).images[:, 0, 0, 0].tolist() == [0, 2, 4]


# downloads


@pytest.mark.parametrize("name", ["mnist", "fashion", "kmnist", "omniglot", "emnist-letters"])
def test_a_missing_set_without_a_network_names_set_folder_and_what_else_there_is(tmp_path: Path, name: str) -> None:
    pytest.importorskip("torchvision")
    with pytest.raises(FileNotFoundError) as caught:
        load(name, root=tmp_path / "data")
    message = str(caught.value)
    assert f"images of {name} are not in {tmp_path / 'data'}" in message
    assert "or use sample:" in message
    assert "\n" not in message
    assert list((tmp_path / "data").iterdir()) == []  # nothing half-loaded is left


def test_a_missing_set_is_downloaded_once_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published = pytest.importorskip("torchvision.datasets").MNIST
    server = tmp_path / "server"
    train, _ = written(server, "mnist", "train", 6, gz=True), written(server, "mnist", "t10k", 4, gz=True)
    files = sorted((server / "MNIST" / "raw").iterdir())
    sums = [(file.name, hashlib.md5(file.read_bytes()).hexdigest()) for file in files]
    monkeypatch.setattr(published, "resources", sums)
    with served(files[0].parent) as address:
        monkeypatch.setattr(published, "mirrors", [address])
        assert torch.equal(load("mnist", root=tmp_path / "data").images, train)
    assert len(load("mnist", root=tmp_path / "data", split="all")) == 10
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["MNIST"]


def test_two_sets_are_joined_with_their_classes_apart() -> None:
    both = load("sample:mnist+sample:fashion")
    assert len(both) == 2000 and both.labels is not None
    assert both.labels.unique().tolist() == list(range(20)) and both.labels[1000] == 10
    assert torch.equal(both.images[1000:], load("sample:fashion").images)
    few = load("sample:mnist+sample:fashion", limit=40)
    assert len(few) == 40 and few.labels is not None and len(few.labels.unique()) == 20


def test_a_tinted_set_has_two_colours_an_image() -> None:
    grey, tinted = load("sample:mnist", limit=50).images, load("tinted:sample:mnist", limit=50).images
    assert tinted.shape == (50, 3, 28, 28) and tinted.dtype == torch.uint8
    papers, inks = (
        [pixels.flatten(1)[:, (x == level).flatten()].unique(dim=1) for x, pixels in zip(grey, tinted, strict=True)]
        for level in (0, 255)
    )
    assert {paper.shape[1] for paper in papers} == {1} and {ink.shape[1] for ink in inks} <= {0, 1}
    assert all((ink >= paper).all() for ink, paper in zip(inks, papers, strict=True))
    assert len(torch.cat(papers, 1).unique(dim=1).T) > 40


def test_faces_are_read_as_torchvision_lays_them_out(tmp_path: Path) -> None:
    folder = tmp_path / "celeba" / "img_align_celeba"
    folder.mkdir(parents=True)
    for number in range(4):
        Image.new("RGB", (178, 218), (200, 100, 10 * number)).save(folder / f"{number}.png")
    parts = "0.png 0\n1.png 0\n2.png 1\n3.png 2\n"
    (folder.parent / "list_eval_partition.txt").write_text(parts)
    faces = {
        split: load("celeba", root=tmp_path, split=split, size=16, color=True) for split in ("train", "test", "all")
    }
    assert {split: len(found) for split, found in faces.items()} == {"train": 2, "test": 1, "all": 4}
    assert faces["test"].images.shape == (1, 3, 16, 16) and faces["test"].images[0, 2].float().mean() == 30
