"""The tabs "Claims" and "About" without a browser: what a file says and no more, and words that come from one place."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.test_app import build, components, tiny_run
from toolkit import __version__
from toolkit.experiments import claims_report, evidence
from toolkit.index import to_json
from toolkit.web import about, claims
from toolkit.web.server import answer, static

ROOT = Path(__file__).parents[1]
NUMBER = {"mean": 1.5, "low": 1.2, "high": 1.8, "n": 3}
HOSTILE = "<img src=x onerror=alert(1)>`${1}"


def check(**changes: Any) -> dict[str, Any]:
    return {"measure": "ink", "number": NUMBER, "says": "over", "bar": 1.1, "verdict": "holds", "note": "", **changes}


def claim(**changes: Any) -> dict[str, Any]:
    plain = {"key": "fig2-far", "claim": "Output leaves the data", "paper": "Datasets That Are Not", "figure": "2"}
    more = {"verdict": "holds", "reason": "So it is seen.", "notes": [], "picture": None}
    return {**plain, **more, "checks": [check()], **changes}


ABSENT = {"verdict": "not run yet", "checks": [check(number=None)]}
EACH = [  # a claim of each verdict
    claim(picture="checkpoints/fig2/iter_002/samples.png"),
    claim(key="hostile", claim=HOSTILE, verdict="does not", checks=[check(measure=HOSTILE, verdict="does not")]),
    claim(key="open", verdict="undecided", checks=[check(), check(verdict="does not", bar=3.0)]),
    claim(key="missing", verdict="not run yet", paper="Generative Kaleidoscopic Networks", checks=[check(number=None)]),
]


def written(folder: Path, *told: dict[str, Any]) -> Path:
    (folder / "claims.json").write_text(json.dumps({"claims": told}))
    return folder


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return tiny_run(tmp_path, iterations=1)


def first(tree: Path, *told: dict[str, Any]) -> dict[str, Any]:
    message = claims.first_page(written(tree, *told))
    assert message is not None and json.loads(json.dumps(message)) == message
    return message


def test_verdicts_are_called_as_the_rules_call_them() -> None:
    assert claims.VERDICTS == (evidence.HOLDS, evidence.DOES_NOT, evidence.UNDECIDED, evidence.MISSING)


def test_what_the_command_writes_is_what_the_page_reads(tree: Path) -> None:
    found = claims_report.all_claims(evidence.read(tree))
    (tree / "claims.json").write_bytes(to_json(claims_report.as_dict(found, tree)))
    message = claims.first_page(tree)
    assert message is not None and message["problem"] is None
    assert [each["claim"] for each in message["claims"]] == [each.text for each in found]
    assert {each["verdict"] for each in message["claims"]} == {"not run yet"}


def test_without_the_file_there_is_no_tab(tree: Path) -> None:
    assert claims.first_page(tree) is None
    assert claims.TAB not in [tab["props"]["label"] for tab in components(build(tree), "tabitem")]
    assert claims.TAB in [tab["props"]["label"] for tab in components(build(written(tree, claim())), "tabitem")]


def test_the_counts_are_of_all_verdicts(tree: Path) -> None:
    told = [claim(verdict=verdict) for verdict in ("holds", "holds", "does not", "not run yet")]
    assert first(tree, *told)["counts"] == "Of 4 claims 2 hold, 1 does not, 0 are undecided, and 1 was not run yet."


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"verdict": "undecided"}, "over 3 runs reaches across its bar"),
        ({"verdict": "undecided", "checks": [check(note="not decided: 1 run")]}, "Not decided: 1 run. A verdict takes"),
        (
            {**ABSENT, "key": "fig12-far", "figure": "12"},
            "Figure 12 was not run for this page: `python -m toolkit train fig12 --out runs`",
        ),
        (
            {**ABSENT, "key": "fig2-novel-farther", "figure": "future work"},
            "train fig2 --set filter=novelty:0.5 --name fig2-novel --out runs`",
        ),
        ({"verdict": "not run yet", "checks": [check(number=None)]}, "`python -m toolkit judge checkpoints/fig2`"),
        ({"verdict": "not run yet"}, "Some of its measures"),
        ({"verdict": "not run yet", "paper": "Generative Kaleidoscopic Networks", "checks": []}, "attractors"),
    ],
)
def test_a_claim_without_a_verdict_says_why(tree: Path, changes: dict[str, Any], why: str) -> None:
    (told,) = first(tree, claim(**changes))["claims"]
    assert why in told["why_open"] and bool(why) == bool(told["why_open"])


def test_a_claim_opens_where_its_experiment_is_shown(tree: Path) -> None:
    told = first(tree, claim(), claim(key="fig3-far", figure="3"), claim(paper="Generative Kaleidoscopic Networks"))[
        "claims"
    ]
    assert [each["opens"] for each in told] == [{"tab": "Iterations", "experiment": "fig2"}, None, None]


@pytest.mark.parametrize(
    ("link", "path"),
    [
        ("fig2/contact.png", "fig2/contact.png"),
        ("checkpoints/fig2/iter_001/samples.png", "fig2/iter_001/samples.png"),
        ("../../there/checkpoints/fig2/contact.png", "fig2/contact.png"),
        ("../../../etc/passwd", None),
        ("/etc/shadow.png", "etc/shadow.png"),  # within the tree, where it is not
        ("checkpoints/.hidden/a.png", None),
        ("", None),
    ],
)
def test_a_picture_lies_within_the_tree(link: str, path: str | None) -> None:
    assert claims.inner(link) == path


def test_the_picture_of_a_claim_is_fetched_by_its_key(tree: Path) -> None:
    written(tree, claim(picture="checkpoints/fig2/iter_001/samples.png"), claim(key="bare"))
    assert claims.picture(tree, "fig2-far")["picture"].startswith("data:image/png;base64,")
    for key, named in {"bare": "no picture", "../../x": "unknown claim", "x" * 10**6: "unknown claim"}.items():
        assert named in answer(claims.picture, tree, key)["error"]
    assert "unknown claim" in answer(claims.picture, tree, {"key": 1})["error"]


@pytest.mark.parametrize(
    "damage",
    [
        {"verdict": "surely"},
        {"claim": None},
        {"notes": [1]},
        {"more": 1},
        {"checks": [check(number={"mean": "1"})]},
        {"checks": [check(says="<b>")]},
        {"checks": [check(bar="high")]},
        {"checks": 5},
    ],
)
def test_a_damaged_file_is_one_sentence_on_the_tab(tree: Path, damage: dict[str, Any]) -> None:
    message = first(tree, claim(**damage))
    assert message["claims"] == [] and "claims.json is not readable" in message["problem"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"claims": 5}', '{"claims": [NaN]}', "[" * 10**5])
def test_what_is_no_file_of_claims_is_one_sentence_too(tree: Path, content: str) -> None:
    (tree / "claims.json").write_text(content)
    message = claims.first_page(tree)
    assert message is not None and "python -m toolkit claims" in message["problem"]


# about


class Page(HTMLParser):
    """The links and the tags of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[dict[str, str | None]] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [dict(attrs)] if tag == "a" else []


def test_about_links_the_three_papers_and_every_link_opens_a_tab_of_its_own(tree: Path) -> None:
    links = Page(about.text(tree)).links
    addresses = [str(link["href"]) for link in links]
    assert addresses[:3] == [f"https://{where}" for where in (
        "nips.cc/virtual/2022/63196", "arxiv.org/abs/1902.02399", "arxiv.org/abs/2402.11793")]  # fmt: skip
    assert all((link["target"], link["rel"]) == ("_blank", "noopener") for link in links)
    assert all(address.startswith("https://") for address in addresses)


def test_about_says_version_licence_data_and_how_to_run_it_at_home(tree: Path) -> None:
    text = about.text(tree)
    for words in (f"Version {__version__}", "licence MIT", "CC BY-SA 3.0", "Zalando", "python app.py", "fig2"):
        assert words in text


def test_about_names_the_folder_and_never_its_path(tree: Path) -> None:
    text = about.text(tree)
    assert f"<code>{tree.name}</code>" in text
    assert str(tree.parent) not in text


def test_about_shows_what_others_wrote_as_text(tree: Path) -> None:
    index = tree / "index.json"
    index.write_text(index.read_text().replace("A tiny run", HOSTILE))
    text = about.text(tree)
    assert "img" not in Page(text).tags and "&lt;img" in text


def test_what_about_links_is_what_the_project_says_elsewhere() -> None:
    files = ("README.md", "CITATION.cff", "toolkit/data/README.md")
    told = "".join((ROOT / name).read_text(encoding="utf-8") for name in files)
    links = [str(link["href"]) for link in Page(static("about.html")).links]
    assert len(links) >= 8 and [link for link in links if link not in told] == []
    assert "pip install -e . && python app.py" in told and "license: mit\n" in told
