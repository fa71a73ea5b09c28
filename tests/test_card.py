"""The model card: metadata that the Hub reads, numbers that are those of the files, and what is owed to others."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.test_push import grow, paint
from toolkit import hub, runs
from toolkit.hub import READERS
from toolkit.publish import DATA, KINDS, card, sources, stage

SHIPPED = hub.CHECKPOINTS
shipped = pytest.mark.skipif(not (SHIPPED / "index.json").exists(), reason="no checkpoints in this copy")
KEYS = {"datasets", "library_name", "license", "pipeline_tag", "tags"}


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("carded")
    grow(folder / "tree", "fig2", 3)
    cost = {"seconds": 90.0, "iterations": {"1": {"learn": 90.0, "on": "cpu, 2 threads"}}}
    config = {"title": "A run", "experiment": {"data": "sample:mnist+fashion", "steps": 300, "seed": 7}, "cost": cost}
    (folder / "tree/fig2/config.json").write_text(json.dumps(config))
    paint(folder / "tree")
    stage(folder / "tree", folder / "staged", "owner/name")
    return folder / "staged"


@pytest.fixture(scope="module")
def full() -> str:
    """The card of the shipped checkpoints."""
    return card(SHIPPED, "owner/name")


def section(text: str, title: str) -> str:
    (found,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    return str(found)


def rows(text: str) -> list[list[str]]:
    """The cells of all lines of tables."""
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines() if line[:1] == "|"]


def test_its_metadata_is_yaml_that_the_hub_knows(staged: Path) -> None:
    from huggingface_hub import ModelCard

    read = ModelCard((staged / "README.md").read_text())
    data: Any = read.data
    said = data.to_dict()
    assert set(said) <= KEYS and (said["license"], said["library_name"]) == ("mit", "that-are-not")
    assert data.pipeline_tag == "unconditional-image-generation" and "iterations" in data.tags
    assert data.datasets == ["ylecun/mnist", "zalando-datasets/fashion_mnist"]


def test_it_says_all_that_a_card_has_to(staged: Path) -> None:
    text = (staged / "README.md").read_text()
    titles = re.findall(r"^## (.*)", text, re.MULTILINE)
    assert titles == [
        "What is here", "Get one", "Intended use", "Data", "Training", "Measures", "Limits", "Licence", "Cite",
    ]  # fmt: skip
    assert all(section(text, title).strip() for title in titles)


def test_its_measures_are_those_of_metrics_json(staged: Path) -> None:
    told = section((staged / "README.md").read_text(), "Measures")
    assert runs.table(staged / "fig2/metrics.json") in told
    stored = json.loads((staged / "fig2/metrics.json").read_text())["rows"]
    each = [json.loads(path.read_text()) for path in sorted(staged.glob("fig2/iter_*/metrics.json"))]
    assert [{key: row[key] for key in ("ink", "blank")} for row in stored] == each
    assert [row[:2] for row in rows(told)[2:6]] == [[str(i), f"{m['ink']:.3f}"] for i, m in enumerate(each)]


def test_its_training_is_that_of_config_json_and_of_the_models_own_headers(staged: Path) -> None:
    told = section((staged / "README.md").read_text(), "Training")
    assert all(word in told for word in ("`WTA`", "filters 4", "steps 300", "seed 7", "MNIST and Fashion-MNIST"))
    assert "it took 1.5 minutes (cpu, 2 threads)" in told
    parameters = sum(p.numel() for p in hub.load(staged, "fig2", 1).parameters())
    assert f"{parameters:,} parameters" in told


def test_its_pictures_and_the_model_it_names_are_there(staged: Path) -> None:
    text = (staged / "README.md").read_text()
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert pictures and all((staged / picture).is_file() for picture in pictures)
    (asked,) = re.findall(r'from_hub\("owner/name", "(\w+)", iteration=(\d+)\)', text)
    assert asked == ("fig2", "3")


def test_another_licence_may_be_named(staged: Path) -> None:
    text = card(staged, "owner/name", "cc-by-4.0")
    assert "\nlicense: cc-by-4.0\n" in text and "`cc-by-4.0`" in section(text, "Licence")


def test_every_kind_has_its_papers() -> None:
    assert all(about["papers"] for about in KINDS.values()) and KINDS.keys() == READERS.keys()


@pytest.mark.parametrize(
    ("name", "titles"),
    [
        ("sample:mnist", ["MNIST"]), ("mnist+letters:fonts", ["MNIST", "letters of typefaces"]),
        ("tinted:fashion", ["Fashion-MNIST"]), ("mnist?invert", ["MNIST"]),
        ("folder:/home/me/private", ["pictures of a folder"]),
        ("scribbles", ["scribbles"]),
    ],
)  # fmt: skip
def test_the_makers_of_data_are_named_and_nobodys_folders(name: str, titles: list[str]) -> None:
    assert [source.title for source in sources([name])] == titles


def test_every_data_set_that_can_be_learned_is_attributed() -> None:
    from toolkit.data import NAMES

    plain = {name.partition(":")[0] for name in NAMES if not {*"+?"} & {*name}} - {"sample", "tinted"}
    assert plain <= DATA.keys()


@shipped
def test_the_shipped_card_has_every_experiment_and_its_numbers(full: str) -> None:
    index = hub.read_index(SHIPPED)["experiments"]
    cells = {
        (head[column], row[0]): row[column]
        for head, row in tables(section(full, "Measures"))
        for column in range(1, len(row))
    }
    for name, it in index.items():
        assert f"`{name}`" in section(full, "What is here") and f"**{name}**" in section(full, "Training")
        if it["kind"] != "iterations":
            for entry in it["iterations"]:
                said = {m: float(cells[f"`{name}` {entry['iteration']}", m]) for m in entry["metrics"]}
                assert said == pytest.approx(entry["metrics"], rel=1e-5)


def tables(text: str) -> list[tuple[list[str], list[str]]]:
    """Each line of each table with the head of its table."""
    found, head = [], []
    for line in rows(text):
        if line[0] in ("measure", "iteration"):
            head = line
        found.append((head, line))
    return found


@shipped
def test_the_shipped_card_has_the_table_of_each_run(full: str) -> None:
    index = hub.read_index(SHIPPED)["experiments"]
    run = [name for name, it in index.items() if it["kind"] == "iterations"]
    assert run and all(runs.table(SHIPPED / name / "metrics.json") in full for name in run)
