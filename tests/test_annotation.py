"""Blind annotation: a pool says nothing of who made a picture, and no label is lost, whoever is killed."""

import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
from argparse import Namespace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.annotators import annotate
from toolkit import annotation, cli, plot
from toolkit.annotation import LABELS, Labels, Pool, build, name_of, read
from toolkit.experiments import annotation as reports
from toolkit.experiments.annotation import export, report
from toolkit.experiments.annotation import pool as make
from toolkit.hub import decode_all, load_decoder
from toolkit.presets import preset
from toolkit.runs import trainer
from toolkit.samplers import METHODS, to_bytes

SCHEMES = ("low-active", "noisy", "random", "regular")
WRITER = """
import sys
from toolkit.annotation import read
from toolkit.annotation import Labels
labels = Labels(read(sys.argv[1]))
for image in range(40):
    labels.put(image, sys.argv[2], 1 + image % 4)
    print(image, flush=True)
"""


def shade(scheme: int, row: int) -> Tensor:
    """A picture that says which it is: (1, 8, 8), flat, of a brightness of its own."""
    return torch.full((1, 8, 8), (10 * scheme + row) / 255)


def tiny(folder: Path, each: int = 10, **options: Any) -> Pool:
    """A pool of flat pictures, `each` by every scheme."""
    schemes = {name: torch.stack([shade(k, row) for row in range(each)]) for k, name in enumerate(SCHEMES)}
    return build(folder, schemes, torch.rand(12, 1, 8, 8), title="Shades", data="mnist", **options)


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    return tiny(tmp_path / "shades")


def writer(pool: Pool, annotator: str) -> "subprocess.Popen[str]":
    """A process of its own that labels forty pictures, and says each once it is stored."""
    command = [sys.executable, "-c", WRITER, str(pool.folder), annotator]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])


# a pool


def test_each_image_is_the_one_of_its_scheme_and_row_and_the_page_reads_nothing_of_either(pool: Pool) -> None:
    places = json.loads((pool.folder / "schemes.json").read_text())["images"]
    with Image.open(pool.folder / "images.png") as sheet:
        pictures = plot.tiles(sheet, 8)[:40]
    expected = [shade(SCHEMES.index(place["scheme"]), place["row"]) for place in places]
    assert torch.equal(pictures.float() / 255, torch.stack(expected))
    assert not [scheme for scheme in SCHEMES if scheme in (pool.folder / "pool.json").read_text()]
    assert reports.schemes(pool) != sorted(reports.schemes(pool))


def test_the_seed_shuffles_the_pool_and_every_annotator_has_an_order_of_their_own(tmp_path: Path) -> None:
    x = torch.rand(6, 3, 12, 12)
    colour = build(tmp_path / "colour", {"regular": x, "noisy": x.flip(0)}, x, title="Paint", data="folder:paint")
    with Image.open(colour.folder / "training.png") as sheet:
        assert torch.equal(plot.tiles(sheet, 12)[:6], (x * 255).round().byte())
    one, same, other = (tiny(tmp_path / name, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert one.sheet() == same.sheet() != other.sheet()
    assert one.about.key == same.about.key != other.about.key
    ada, bo = one.order("ada"), one.order("bo")
    assert sorted(ada) == sorted(bo) == list(range(40)) and ada != bo
    assert read(one.folder).order("ada") == ada


def test_pictures_of_two_shapes_make_no_pool_and_none_is_built_over(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds a pool already"):  # and perhaps labels
        tiny(tiny(tmp_path / "there").folder)
    small, large = torch.rand(2, 1, 8, 8), torch.rand(2, 1, 9, 9)
    for schemes in ({"regular": small, "noisy": large}, {"regular": small, "noisy": small.byte()}, {}):
        with pytest.raises(ValueError, match="one shape and type"):
            build(tmp_path / "pool", schemes, small, title="", data="")
    with pytest.raises(ValueError, match="training images"):
        build(tmp_path / "pool", {"regular": small}, large, title="", data="")
    assert not (tmp_path / "pool").exists()


def test_a_damaged_pool_and_a_folder_without_one_get_a_sentence(pool: Pool, tmp_path: Path) -> None:
    for content in ("{", "[]", "{}", '{"images": "many"}', '{"schema": 2}'):
        (pool.folder / "pool.json").write_text(content)
        with pytest.raises(ValueError, match=r"pool\.json does not describe a pool"):
            read(pool.folder)
    with pytest.raises(FileNotFoundError, match="python -m toolkit pool"):
        read(tmp_path)
    assert annotation.below(tmp_path / "nowhere") == {}


# labels


def test_a_label_is_stored_changed_and_deleted_for_one_annotator_alone(pool: Pool) -> None:
    labels = Labels(pool)
    labels.put(7, "ada", 1)
    labels.put(7, "bo", 2)
    labels.put(7, "ada", 4)
    labels.put(8, "ada", 2)
    assert (labels.of("ada"), labels.of("bo"), labels.of("cy")) == ({7: 4, 8: 2}, {7: 2}, {})
    labels.take_back(7, "ada")
    labels.take_back(7, "ada")
    assert (labels.of("ada"), labels.of("bo")) == ({8: 2}, {7: 2})
    db = sqlite3.connect(labels.path)
    assert [row[1] for row in db.execute("PRAGMA table_info(labels)")] == ["image", "annotator", "label", "time"]
    assert db.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
    db.close()


def test_a_killed_process_loses_nothing_that_it_said_was_stored(pool: Pool) -> None:
    with writer(pool, "ada") as process:
        assert process.stdout is not None
        stored = [int(process.stdout.readline()) for _ in range(15)]
        os.kill(process.pid, signal.SIGKILL)
        stored += [int(line) for line in process.stdout]
    kept = Labels(pool).of("ada")
    assert {image: kept[image] for image in stored} == {image: 1 + image % 4 for image in stored}
    assert len(kept) - len(stored) in (0, 1)  # the last may be stored and not yet printed


def test_two_processes_that_write_at_once_lose_nothing(pool: Pool) -> None:
    with writer(pool, "ada") as one, writer(pool, "bo") as other:
        assert [one.wait(), other.wait()] == [0, 0]
    expected = {image: 1 + image % 4 for image in range(40)}
    assert (Labels(pool).of("ada"), Labels(pool).of("bo")) == (expected, expected)


@pytest.mark.parametrize(
    ("image", "annotator", "label", "named"),
    [
        (40, "ada", 1, "picture 40"),
        (-1, "ada", 1, "picture -1"),
        ("7", "ada", 1, "picture '7'"),
        (True, "ada", 1, "picture True"),
        (7, "ada", 0, "label 0"),
        (7, "ada", 5, "label 5"),
        (7, "ada", "creative", "label 'creative'"),
        (7, "", 1, "name ''"),
    ],
)
def test_a_label_that_cannot_be_gets_one_sentence(
    pool: Pool, image: Any, annotator: str, label: Any, named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        Labels(pool).put(image, annotator, label)
    assert Labels(pool).rows() == []


def test_a_file_that_is_no_database_gets_one_sentence(pool: Pool) -> None:
    (pool.folder / "labels.sqlite").write_text("these are no labels, and no database either" * 30)
    with pytest.raises(ValueError, match=r"labels\.sqlite cannot be used"):
        Labels(pool).rows()


def test_a_name_is_the_same_however_it_is_typed_and_nothing_more_than_a_name() -> None:
    assert name_of("  Ada  Lovelace ") == name_of("ada lovelace") == "ada lovelace"
    assert name_of("Zoe\u0308") == name_of("zo\u00eb") and name_of("x" * 40) == "x" * 40
    for name in ("", "   ", "x" * 41, "ada@example.org", "=1+1", "<b>", "a\x00b", "../ada"):
        with pytest.raises(ValueError, match="1 to 40 letters"):
            name_of(name)


# the report


def labelled(pool: Pool, **crowd_of: Any) -> Pool:
    """The pool, labelled by a crowd that knows Table 1."""
    labels = Labels(pool)
    for row in annotate(reports.schemes(pool), reports.PUBLISHED["mnist"], **crowd_of):
        labels.put(row.image, row.annotator, row.label)
    return pool


def test_the_report_has_a_row_for_each_scheme_beside_the_published_one(pool: Pool) -> None:
    result = reports.report_of(labelled(pool, annotators=4, sight=1))
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert list(result["schemes"]) == ["low-active", "noisy", "random", "regular"]
    assert (result["annotators"], result["labels"], result["fewest"], result["most"]) == (4, 160, 4, 4)
    assert result["kappa"] == pytest.approx(1)
    assert reports.table(result).count("*published*") == 4
    assert "| *published* | *0.39* | *0.50* | *0.11* | *0.00* |" in reports.table(result)


def test_a_pool_that_nobody_labelled_has_a_report_without_numbers(pool: Pool) -> None:
    result = reports.report_of(pool)
    assert (result["labels"], result["kappa"]) == (0, None)
    assert result["schemes"]["noisy"]["short"] == 10
    assert "nan" not in reports.table(result)


def test_the_csv_has_a_line_for_each_label_with_its_scheme(pool: Pool) -> None:
    lines = list(csv.DictReader(StringIO(reports.to_csv(labelled(pool, annotators=2)))))
    assert len(lines) == 80
    assert all(line["scheme"] == reports.schemes(pool)[int(line["image"])] for line in lines)
    assert {line["meaning"] for line in lines} <= set(LABELS)


@pytest.mark.parametrize("content", ["", "{}", '{"key": "of another", "images": []}'])
def test_schemes_that_do_not_fit_the_pictures_are_refused(pool: Pool, content: str) -> None:
    (pool.folder / "schemes.json").write_text(content)
    with pytest.raises(ValueError, match=r"schemes\.json does not say"):
        reports.report_of(pool)


# the commands


def arguments(*argv: object) -> Namespace:
    return cli.parser().parse_args([str(part) for part in argv])


@pytest.fixture(scope="module")
def decoders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with one decoder, trained for no time at all."""
    out = tmp_path_factory.mktemp("decoders")
    trainer(preset("creative-mnist", "smoke", data="sample:mnist", steps=2), out, quiet=True)()
    return out


def test_the_command_builds_a_pool_with_a_quarter_by_each_decoder(decoders: Path, tmp_path: Path) -> None:
    built = make(arguments("pool", "creative-mnist", "--from", decoders, "--images", 40, "--out", tmp_path))
    assert built == {"pool": str(tmp_path), "images": 40, "training": 100}
    pool = read(tmp_path)
    assert pool.about.title == "Digits"
    assert [reports.schemes(pool).count(scheme) for scheme in SCHEMES] == [10] * 4


def test_the_pictures_of_a_pool_are_those_that_the_decoders_make_of_its_codes(decoders: Path, tmp_path: Path) -> None:
    make(arguments("pool", "creative-mnist", "--from", decoders, "--images", 8, "--out", tmp_path, "--seed", 3))
    result = json.loads((tmp_path / "schemes.json").read_text())
    first = result["made"]["first_code"]
    known = decode_all(load_decoder(decoders, "creative-mnist"), range(first, first + 8))
    with Image.open(tmp_path / "images.png") as sheet:
        pictures = plot.tiles(sheet, 28)
    for picture, place in zip(pictures, result["images"], strict=False):
        code = METHODS.index(place["scheme"]) + 4 * place["row"]
        assert torch.equal(picture, to_bytes(known[place["scheme"]][code]))


def test_a_pool_too_small_for_all_decoders_is_refused(tmp_path: Path) -> None:
    for few in (["--images", 3], ["--training", 0]):
        with pytest.raises(ValueError, match="give at least 4 and 1"):
            make(arguments("pool", "creative-mnist", "--out", tmp_path, *few))


def test_a_report_is_a_table_or_plain_values_and_an_export_printed_or_written(pool: Pool, tmp_path: Path) -> None:
    values = report(arguments("report", pool.folder, "--json", "--ties", "multi", "--least", 2))
    assert isinstance(values, dict) and (values["ties"], values["least"]) == ("multi", 2)
    assert isinstance(report(arguments("report", pool.folder)), str)
    labelled(pool, annotators=1)
    printed = export(arguments("export", pool.folder))
    written = export(arguments("export", pool.folder, "--out", tmp_path / "labels.csv"))
    assert written == {"out": str(tmp_path / "labels.csv"), "labels": 40}
    assert (tmp_path / "labels.csv").read_text() == f"{printed}\n"


def test_labels_and_pools_need_no_torch() -> None:
    code = "import sys, toolkit.annotation, toolkit.annotation; print('torch' in sys.modules)"
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
