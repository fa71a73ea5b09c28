"""Push, pull, list and the model card, against a Hub on loopback: what is asked for, counted, and what fails how."""

import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.request import urlopen

import pytest
import torch
from PIL import Image

from tests.endpoint import FIRST, SECOND, Endpoint, serving
from tests.test_hub import grow, is_of, refused
from toolkit import Model, hub, index, plot, publish, runs
from toolkit.publish import DATA, EXAMPLE, KINDS, card, sources, stage, upload

ROOT = Path(__file__).parents[1]
SHIPPED = hub.CHECKPOINTS
WEIGHTS = "fig2/iter_002/model.safetensors"
shipped = pytest.mark.skipif(not (SHIPPED / "index.json").exists(), reason="no checkpoints in this copy")


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, with sheets as a run leaves them: ten symbols a row."""
    folder = tmp_path_factory.mktemp("published")
    grow(folder, "fig12", 1)
    grow(folder, "fig2", 3)
    for path in folder.glob("*/*/samples.png"):
        path.write_bytes(plot.png(torch.rand(100, 1, 16, 16), 10))
    hub.write_index(folder, "fig12")
    return folder


@pytest.fixture
def tree(grown: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(grown, tmp_path / "tree"))


# ---- push


class Receiver:
    """What `upload` asks of huggingface_hub.HfApi."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.made: list[tuple[str, dict[str, Any]]] = []
        self.got: set[str] = set()

    def create_repo(self, repo: str, **options: Any) -> None:
        self.made.append((repo, options))

    def upload_folder(self, *, repo_id: str, folder_path: Path, commit_message: str) -> Any:
        if self.failure:
            raise self.failure
        self.got = {path.relative_to(folder_path).as_posix() for path in Path(folder_path).rglob("*") if path.is_file()}
        return SimpleNamespace(oid=SECOND)


def test_what_is_staged_loads_and_has_index_card_table_previews_and_notebook(tree: Path, tmp_path: Path) -> None:
    staged = tmp_path / "staged"
    files = stage(tree, staged, "owner/name")
    assert {"README.md", "index.json", "fig2/preview.png", "fig2/metrics.json", "notebook.ipynb"} <= files.keys()
    assert hub.read_index(staged) == hub.read_index(tree)
    assert hub.load(staged, "fig2", 2).config.filters == 4
    assert json.loads((staged / "fig2/metrics.json").read_text())["rank_correlation"]["ink"] == 1
    notebook = (staged / "notebook.ipynb").read_text(encoding="utf-8")
    assert 'REPO = \\"owner/name\\"' in notebook and EXAMPLE not in notebook and json.loads(notebook)
    assert stage(staged, tmp_path / "again", "owner/name") == files
    (tree / "index.json").unlink()
    assert "index.json" in stage(tree, tmp_path / "without", "owner/name")


def test_nothing_but_the_known_files_of_a_tree_is_published(tree: Path, tmp_path: Path) -> None:
    strangers = [
        "secret.txt", ".env", "README.md", "fig2/notes.md", "fig2/iter_002/said.npy", "fig2/.cache/config.json",
        "fig2/iter_004.partial/model.safetensors", ".hidden/config.json", "pools/labels.sqlite", "fig2/model.pt",
    ]  # fmt: skip
    before = stage(tree, tmp_path / "before", "owner/name")
    for name in strangers:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("{}")
    assert stage(tree, tmp_path / "staged", "owner/name") == before
    assert (tmp_path / "staged/README.md").read_text() != "{}"


def test_all_that_was_staged_is_uploaded_and_the_commit_returned(tree: Path, tmp_path: Path) -> None:
    files, receiver = stage(tree, tmp_path / "staged", "owner/name"), Receiver()
    assert upload(tmp_path / "staged", "owner/name", receiver) == SECOND
    assert receiver.got == files.keys() and receiver.made == [("owner/name", {"private": False, "exist_ok": True})]


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda tree: (tree / "fig2/iter_002/model.safetensors").unlink(), ("fig2, iteration 2", "sha256")),
        (lambda tree: (tree / "fig2/iter_002/metrics.json").write_text('{"ink": 9}'), ("fig2, iteration 2", "metrics")),
        (lambda tree: (tree / "fig2/iter_000/samples.png").unlink(), ("fig2, iteration 0", "samples")),
        (lambda tree: (tree / "fig2/config.json").write_text('{"title": "Other"}'), ("title", "fig2")),
        (lambda tree: shutil.rmtree(tree / "fig12"), ("fig12", "listed and not there")),
        (lambda tree: grow(tree, "fig3", 1), ("fig3", "there and not listed")),
        (lambda tree: shutil.copy(tree / "fig2/iter_003/model.safetensors", tree / "fig2/iter_002/"), ("renamed",)),
    ],
)
def test_a_tree_whose_index_does_not_match_its_files_is_refused(
    tree: Path, tmp_path: Path, harm: Any, words: tuple[str, ...]
) -> None:
    harm(tree)
    with refused(*words):
        stage(tree, tmp_path / "staged", "owner/name")


def test_what_is_no_tree_no_id_or_no_new_folder_is_refused(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with refused(tmp_path / "empty", "config.json"):
        stage(tmp_path / "empty", tmp_path / "staged", "owner/name")
    for name in ("name", "a/b/c", "owner/na me", "../name"):
        for work in (partial(stage, tree, tmp_path / "staged"), publish.plan):
            with refused(name, "owner/name"):
                work(name)
    with refused(tree, "not empty"):
        stage(tree, tree, "owner/name")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("RepositoryNotFoundError", "hf auth login"), ("LocalTokenNotFoundError", "hf auth login"),
        ("OfflineModeIsEnabled", "out of reach"), ("HfHubHTTPError", "refused the upload"), (None, "out of reach"),
    ],
)  # fmt: skip
def test_each_failure_of_an_upload_is_a_sentence(tree: Path, kind: str | None, words: str) -> None:
    failure = getattr(importlib.import_module("huggingface_hub.errors"), kind) if kind else None
    with refused("owner/name", words):  # without a failure of its own, there is no network
        upload(tree, "owner/name", Receiver(failure.__new__(failure)) if failure else None)


def test_a_dry_run_writes_all_that_it_would_upload(tree: Path, tmp_path: Path, command: Any) -> None:
    argv = ["push", "owner/name", "--from", tree, "--dry-run"]
    code, out, _ = command(*argv, tmp_path / "card")
    written = {path.relative_to(tmp_path / "card").as_posix() for path in (tmp_path / "card").rglob("*.*")}
    assert code == 0 and "would upload" in out and all(f"  {name}\n" in out for name in written)
    assert json.loads(command(*argv, "--json")[1])["files"].keys() == written


# ---- the card


@pytest.fixture(scope="module")
def carded(grown: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A staged run of known data and cost."""
    folder = tmp_path_factory.mktemp("carded")
    shutil.copytree(grown / "fig2", folder / "tree" / "fig2")
    cost = {"seconds": 90.0, "iterations": {"1": {"learn": 90.0, "on": "cpu, 2 threads"}}}
    config = {"title": "A run", "experiment": {"data": "sample:mnist+fashion", "steps": 300, "seed": 7}, "cost": cost}
    (folder / "tree/fig2/config.json").write_text(json.dumps(config))
    stage(folder / "tree", folder / "staged", "owner/name")
    return folder / "staged"


def section(text: str, title: str) -> str:
    (found,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    return str(found)


def cells(text: str) -> list[list[str]]:
    """The cells of all lines of tables."""
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines() if line[:1] == "|"]


def test_the_cards_metadata_is_yaml_that_the_hub_knows(carded: Path) -> None:
    from huggingface_hub import ModelCard

    data: Any = ModelCard((carded / "README.md").read_text()).data
    found = data.to_dict()
    assert set(found) <= {"datasets", "library_name", "license", "pipeline_tag", "tags"}
    assert (found["license"], found["library_name"]) == ("mit", "that-are-not")
    assert data.pipeline_tag == "unconditional-image-generation" and "iterations" in data.tags
    assert data.datasets == ["ylecun/mnist", "zalando-datasets/fashion_mnist"]
    other = card(carded, "owner/name", "cc-by-4.0")
    assert "\nlicense: cc-by-4.0\n" in other and "`cc-by-4.0`" in section(other, "Licence")


def test_the_card_says_what_it_has_to_in_the_numbers_of_the_files(carded: Path) -> None:
    text = (carded / "README.md").read_text()
    titles = ["What is here", "Get one", "Intended use", "Data", "Training", "Measures", "Limits", "Licence", "Cite"]
    assert re.findall(r"^## (.*)", text, re.MULTILINE) == titles
    assert all(section(text, title).strip() for title in titles)
    measures, training = section(text, "Measures"), section(text, "Training")
    assert runs.table(carded / "fig2/metrics.json") in measures
    each = [json.loads(path.read_text()) for path in sorted(carded.glob("fig2/iter_*/metrics.json"))]
    assert [row[:2] for row in cells(measures)[2:6]] == [[str(i), f"{m['ink']:.3f}"] for i, m in enumerate(each)]
    assert all(word in training for word in ("`WTA`", "filters 4", "steps 300", "seed 7", "MNIST and Fashion-MNIST"))
    parameters = sum(p.numel() for p in hub.load(carded, "fig2", 1).parameters())
    assert f"{parameters:,} parameters" in training and "it took 1.5 minutes (cpu, 2 threads)" in training
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert pictures and all((carded / picture).is_file() for picture in pictures)
    assert re.findall(r'from_hub\("owner/name", "(\w+)", iteration=(\d+)\)', text) == [("fig2", "3")]
    assert all(about["papers"] for about in KINDS.values()) and KINDS.keys() == index.KINDS.keys()


@pytest.mark.parametrize(
    ("name", "titles"),
    [
        ("sample:mnist", ["MNIST"]), ("mnist+letters:fonts", ["MNIST", "letters of typefaces"]),
        ("tinted:fashion", ["Fashion-MNIST"]), ("mnist?invert", ["MNIST"]), ("scribbles", ["scribbles"]),
        ("folder:/home/me/private", ["pictures of a folder"]),
    ],
)  # fmt: skip
def test_the_makers_of_data_are_named_and_nobodys_folders(name: str, titles: list[str]) -> None:
    from toolkit.data import NAMES

    assert [source.title for source in sources([name])] == titles
    plain = {known.partition(":")[0] for known in NAMES if not {*"+?"} & {*known}} - {"sample", "tinted"}
    assert plain <= DATA.keys()


@shipped
def test_the_card_of_what_is_shipped_has_every_experiment_and_its_numbers() -> None:
    text, head, values = card(SHIPPED, "owner/name"), [""], {}
    for line in cells(section(text, "Measures")):
        head = line if line[0] in ("measure", "iteration") else head
        values |= {(column, line[0]): cell for column, cell in zip(head[1:], line[1:], strict=False)}
    for name, it in hub.read_index(SHIPPED)["experiments"].items():
        assert f"`{name}`" in section(text, "What is here") and f"**{name}**" in section(text, "Training")
        if it["kind"] in ("iterations", "words"):
            assert runs.table(SHIPPED / name / "metrics.json") in text
            continue
        for entry in it["iterations"]:
            found = {m: float(values[f"`{name}` {entry['iteration']}", m]) for m in entry["metrics"]}
            assert found == pytest.approx(entry["metrics"], rel=1e-5)


# ---- pull: what is asked for


@contextmanager
def settings(**values: Any) -> Iterator[None]:
    """The Hub's library reads its settings from the environment once, when it is imported."""
    constants = importlib.import_module("huggingface_hub.constants")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setattr(constants, name, value)
        yield


@pytest.fixture
def far(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """The Hub with owner/name on it, an empty cache, and no waiting between attempts."""
    from huggingface_hub import close_session

    (tree / "fig2/iter_001/model.safetensors").unlink()  # as `thin` leaves it
    hub.write_index(tree, "fig2")
    agents = importlib.import_module("huggingface_hub.utils._detect_agent")
    monkeypatch.setattr(agents, "_registry", {"harnesses": {}})  # asked for once a day, and no part of a pull
    for module in ("file_download", "utils._http"):
        monkeypatch.setattr(f"huggingface_hub.{module}.time", SimpleNamespace(sleep=lambda seconds: None))
    monkeypatch.chdir(tmp_path)
    with serving(tree) as (endpoint, url):
        template = url + "/{repo_id}/resolve/{revision}/{filename}"
        cache = {"HF_HUB_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": False}
        with settings(ENDPOINT=url, HUGGINGFACE_CO_URL_TEMPLATE=template, **cache):
            yield endpoint
        close_session()


def get(*asked: Any, **options: Any) -> dict[str, Path]:
    return publish.pull(publish.plan("owner/name", *asked, **options))


def count(far: Endpoint, work: Any) -> dict[str, int]:
    far.requests.clear()
    work()
    return far.counted()


NONE = {"HEAD": 0, "small": 0, "weights": 0}


@pytest.mark.parametrize(
    ("way", "requests"),
    [("from_hub", ["2 HEAD, 2 GET", "none", "none"]), ("pull", ["3 HEAD, 3 GET", "1 HEAD", "none"])],
)
def test_one_iteration_takes_few_requests_and_none_once_a_full_commit_is_cached(
    far: Endpoint, way: str, requests: list[str]
) -> None:
    ways = {
        "from_hub": lambda revision: Model.from_hub("owner/name", "fig2", iteration=2, revision=revision),
        "pull": lambda revision: get("fig2", [2], revision=revision),
    }
    asked = [count(far, lambda at=at: ways[way](at)) for at in (None, None, FIRST)]  # cold, warm, pinned
    assert is_of(hub.load("owner/name", "fig2", 2), 2)
    found = [f"{c['HEAD']} HEAD, {c['small'] + c['weights']} GET" if sum(c.values()) else "none" for c in asked]
    assert [each.removesuffix(", 0 GET") for each in found] == requests


def test_a_full_commit_that_is_cached_needs_no_hub(far: Endpoint) -> None:
    get("fig2", [2])
    far.down = 503
    assert count(far, lambda: get("fig2", [2], revision=FIRST)) == NONE
    assert is_of(Model.from_hub("owner/name", "fig2", 2, revision=FIRST), 2) and far.requests == []


def test_what_the_readme_shows_of_pulling_runs(far: Endpoint) -> None:
    (code,) = re.findall(r"```py\n(.*?Model\.from_hub.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    found: dict[str, Any] = {}
    exec(code.replace("OWNER/NAME", "owner/name").replace("iteration=7", "iteration=2"), found)
    assert is_of(found["model"], 2)


def test_index_and_weights_are_of_one_commit_though_main_moves_between(far: Endpoint, tmp_path: Path) -> None:
    planned = publish.plan("owner/name", "fig2", [2])
    grow(tmp_path / "later", "fig2", 2)
    (tmp_path / "later" / WEIGHTS).write_bytes(b"another")
    far.publish(tmp_path / "later")
    paths = publish.pull(planned)
    assert planned.commit == FIRST and paths[WEIGHTS].read_bytes() == (far.commits[FIRST] / WEIGHTS).read_bytes()


def test_how_a_run_is_sampled_is_taken_from_the_commit_of_its_index(far: Endpoint, tmp_path: Path) -> None:
    hub.read_index("owner/name")
    far.publish(tmp_path)  # a commit that holds nothing
    assert hub.sampling("owner/name", "fig2") == hub.sampling(far.commits[FIRST], "fig2")
    assert far.fetched() == ["main/index.json", f"{FIRST}/fig2/config.json"]


@shipped
@pytest.mark.parametrize("name", ["creative-mnist", "kaleidoscope-1d", "judge-digits"])
def test_all_files_of_a_network_are_of_the_commit_of_its_index(far: Endpoint, name: str) -> None:
    far.publish(SHIPPED)
    assert hub.read("owner/name", name)
    index, *others = far.fetched()
    assert index == "main/index.json" and {file.partition("/")[0] for file in others} == {SECOND}


def test_a_pull_moves_to_the_newest_commit_and_loading_by_name_follows_it(far: Endpoint, tmp_path: Path) -> None:
    get("fig2", [2])
    grow(tmp_path / "later", "fig9", 1)
    hub.write_index(tmp_path / "later")
    far.publish(tmp_path / "later")
    assert list(hub.read_index("owner/name")["experiments"]) == ["fig2", "fig12"]
    assert publish.plan("owner/name").commit == SECOND
    assert list(hub.read_index("owner/name")["experiments"]) == ["fig9"]
    assert is_of(Model.from_hub("owner/name", "fig2", 2, revision=FIRST), 2)


@pytest.mark.parametrize(
    ("asked", "iterations"),
    [((), [2, 3]), (("fig12",), [1]), (("fig2", range(1, 21)), [2, 3]), (("fig2", [3, 2, 3]), [2, 3])],
)
def test_ranges_and_whole_experiments_are_their_models(far: Endpoint, asked: Any, iterations: list[int]) -> None:
    name = asked[0] if asked else "fig2"
    files = [f"{name}/config.json", *(f"{name}/iter_{number:03d}/model.safetensors" for number in iterations)]
    assert list(get(*asked)) == files


def test_a_dry_run_fetches_the_index_alone_and_foresees_what_the_pull_then_fetches(far: Endpoint) -> None:
    planned = publish.plan("owner/name", "fig2", sheets=True)
    foreseen = publish.foreseen(planned)
    assert far.fetched() == ["main/index.json"]
    assert foreseen == {name: (path.stat().st_size, True) for name, path in publish.pull(planned).items()}
    assert {comes for _, comes in publish.foreseen(planned).values()} == {False} and publish.missing(planned) == {}


def test_progress_is_the_bar_of_the_hubs_library_and_can_be_left_out(far: Endpoint, capfd: Any) -> None:
    from huggingface_hub.utils import enable_progress_bars

    enable_progress_bars()
    publish.pull(publish.plan("owner/name", "fig2", [2]), quiet=True)
    assert capfd.readouterr().err == ""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TQDM_POSITION", "-1")  # what makes the library draw its bars where nobody looks
        publish.pull(publish.plan("owner/name", "fig2", [3]), quiet=False)
    assert "100%" in capfd.readouterr().err


def test_the_librarys_own_commands_find_everything_too(far: Endpoint) -> None:
    from huggingface_hub import snapshot_download

    folder = Path(snapshot_download("owner/name", allow_patterns=["index.json", "fig12/*"], max_workers=1))
    assert is_of(hub.load(folder, "fig12"), 1) and not (folder / "fig2").exists()


def test_a_token_is_shown_to_the_hub_and_not_to_where_it_keeps_large_files(
    far: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    get("fig2", [2])
    assert far.tokens == {("127.0.0.1", "Bearer hf_secret"), ("localhost", None)}


# ---- pull: what goes wrong


@pytest.mark.parametrize("chunk", [10_000_000, 100])
def test_a_download_that_is_cut_goes_on_where_it_was_after_the_first_chunk(far: Endpoint, chunk: int) -> None:
    far.cuts = [1000, 500]
    with settings(DOWNLOAD_CHUNK_SIZE=chunk):
        assert is_of(Model.from_hub("owner/name", "fig2", 2), 2)
    spans = [span for method, path, span in far.requests if "/cdn/" in path]
    assert spans == ([None] * 3 if chunk > 1000 else [None, "bytes=1000-", "bytes=1500-"])


def test_a_download_that_never_gets_on_is_an_error_and_the_next_one_finishes(far: Endpoint) -> None:
    far.cuts = [0] * 6
    with refused("owner/name", WEIGHTS, "did not arrive whole", "try again"):
        get("fig2", [2])
    assert count(far, lambda: get("fig2", [2])) == {"HEAD": 2, "small": 0, "weights": 1}


def test_wrong_bytes_are_fetched_again_and_not_kept_if_they_stay_wrong(far: Endpoint) -> None:
    far.wrong = {WEIGHTS: 1}
    path = get("fig2", [2])[WEIGHTS]
    assert far.counted()["weights"] == 2 and is_of(hub.load("owner/name", "fig2", 2), 2)
    path.write_bytes(b"nothing of the kind")  # damaged in the cache
    with refused(path, "fetch it again"):
        hub.load("owner/name", "fig2", 2)
    get("fig2", [2])
    assert is_of(hub.load("owner/name", "fig2", 2), 2)
    path.write_bytes(b"nothing of the kind")
    far.wrong = {WEIGHTS: 9}
    with refused(WEIGHTS, "owner/name", "sha256", "not kept"):
        get("fig2", [2])
    assert not list(Path("cache").rglob("model.safetensors"))
    with refused("sha256"):
        Model.from_hub("owner/name", "fig2", 2)


def test_what_is_not_there_is_named_with_what_is(far: Endpoint) -> None:
    with refused("no public Hub repo owner/other"):
        publish.plan("owner/other")
    with refused("owner/name", "no revision 'v9'"):
        publish.plan("owner/name", revision="v9")
    with refused("fig99", "fig2", "fig12"):
        publish.plan("owner/name", "fig99")
    for asked in ([1], [9], range(7, 9), [0]):
        with refused("fig2", "choose 2, 3"):
            publish.plan("owner/name", "fig2", asked)
    (far.commits[FIRST] / WEIGHTS).unlink()  # which the index promises
    with refused("owner/name", f"holds no {WEIGHTS}"):
        get("fig2", [2])


@pytest.mark.parametrize(
    ("switch", "status", "words"),
    [
        *(("gated", status, ["gated", "hf auth login"]) for status in (401, 403)),
        *(("down", status, ["index.json", "out of reach", "local folder"]) for status in (500, 503)),
        ("away", 403, [WEIGHTS, 403, "hf auth login"]), ("away", 410, [WEIGHTS, 410, "try again later"]),
    ],
)  # fmt: skip
def test_a_hub_that_refuses_says_why_and_what_would_do(
    far: Endpoint, switch: str, status: int, words: list[object]
) -> None:
    setattr(far, switch, status)
    with refused("owner/name", *words):
        get("fig2", [2])


def test_out_of_reach_what_is_cached_is_enough(far: Endpoint) -> None:
    get("fig2", [2])
    template = "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}"
    for away, advice in (({"HUGGINGFACE_CO_URL_TEMPLATE": template}, "out of reach"),
                         ({"HF_HUB_OFFLINE": True}, "go online once")):  # fmt: skip
        with settings(**away):
            assert count(far, lambda: get("fig2", [2])) == NONE
            with refused("fig2/iter_003/model.safetensors", advice):
                get("fig2", [3])


def test_a_slow_hub_is_waited_for_and_one_that_never_gets_to_the_point_given_up(far: Endpoint) -> None:
    far.slow = 0.3
    with settings(HF_HUB_ETAG_TIMEOUT=0.1):
        assert is_of(Model.from_hub("owner/name", "fig2", 2), 2)
    planned = publish.plan("owner/name", "fig2", [3])
    with settings(HF_HUB_DOWNLOAD_TIMEOUT=0.05), refused("did not arrive whole", "try again"):
        publish.pull(planned)
    far.slow = 0.0


def test_two_processes_that_pull_the_same_file_fetch_it_once(far: Endpoint, tmp_path: Path) -> None:
    url = importlib.import_module("huggingface_hub.constants").ENDPOINT
    home = {"HF_ENDPOINT": url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
    code = "from toolkit.publish import *; print(*pull(plan('owner/name', 'fig2', [2])).values())"
    far.slow = 0.2  # so that one is still at it when the other comes
    start = {"cwd": ROOT, "env": os.environ | home, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen([sys.executable, "-c", code], **start) for _ in range(2)]
    paths = {process.communicate()[0] for process in both}
    assert [process.returncode for process in both] == [0, 0] and len(paths) == 1
    assert far.counted()["weights"] == 1


# ---- into a folder


def test_a_pulled_folder_loads_opens_and_lists_what_it_holds(far: Endpoint, tmp_path: Path) -> None:
    planned = publish.plan("owner/name", "fig2", [2], sheets=True)
    index = publish.place(planned, publish.pull(planned), tmp_path / "runs")
    assert is_of(hub.load(tmp_path / "runs"), 2) and hub.sampling(tmp_path / "runs").limit == 100
    assert index["experiments"]["fig2"]["iterations"] == [planned.entries[0]]  # measures too
    with refused("fig2", "iteration 3", "choose 2"):  # which the repo has
        hub.load(tmp_path / "runs", "fig2", 3)


def test_pulls_add_to_a_folder_and_a_whole_experiment_is_the_one_of_the_repo(far: Endpoint, tmp_path: Path) -> None:
    for asked in (("fig12",), ("fig2", [3]), ("fig2",), ("fig2",)):
        planned = publish.plan("owner/name", *asked, sheets=True)
        index = publish.place(planned, publish.pull(planned), tmp_path / "runs")
    assert index["experiments"] == hub.read_index(far.commits[FIRST])["experiments"]
    assert index["default"] == "fig12"  # of what was there first


def test_a_pull_never_writes_over_a_run_of_yours(far: Endpoint, tmp_path: Path) -> None:
    grow(tmp_path / "runs", "fig2", 3)
    (tmp_path / "runs/fig2/config.json").write_text('{"title": "mine"}')
    before = {path: path.read_bytes() for path in (tmp_path / "runs").rglob("*.*") if path.is_file()}
    planned = publish.plan("owner/name", "fig2", sheets=True)
    with refused(tmp_path / "runs/fig2/config.json", "another folder"):
        publish.place(planned, publish.pull(planned), tmp_path / "runs")
    assert before == {path: path.read_bytes() for path in (tmp_path / "runs").rglob("*.*") if path.is_file()}


# ---- the commands


def test_the_command_prints_what_it_fetched_and_how_to_have_it_again(far: Endpoint, command: Any) -> None:
    code, out, _ = command("pull", "owner/name", "fig2", "--iteration", 2)
    size = (far.commits[FIRST] / WEIGHTS).stat().st_size
    assert code == 0 and f"{size:,}  {WEIGHTS}\n" in out and f"--revision {FIRST}" in out
    _, again, _ = command("pull", "owner/name", "fig2", "--iteration", 2)
    assert f"{WEIGHTS}  (cached)" in again and "fetched 0 bytes" in again


def test_the_command_writes_a_folder_that_the_page_opens_and_a_dry_run_nothing(
    far: Endpoint, tmp_path: Path, command: Any
) -> None:
    argv = ["pull", "owner/name", "fig2", "--iterations", "1:20", "--to", tmp_path / "runs"]
    code, out, _ = command(*argv, "--dry-run")
    assert code == 0 and "would fetch" in out and "fig2/iter_001/samples.png" in out
    assert not (tmp_path / "runs").exists() and far.fetched() == ["main/index.json"]
    code, out, err = command(*argv, "--json")
    found = json.loads(out)
    assert (code, err, found["iterations"], found["commit"]) == (0, "", [1, 2, 3], FIRST)
    assert hub.read_index(tmp_path / "runs")["experiments"]["fig2"]["iterations"][0]["iteration"] == 1


@pytest.mark.parametrize(
    "argv", ["owner/other", "owner/name fig99", "owner/name fig2 --iteration 9",
             "owner/name --iteration 2 --iterations 1:3"]
)  # fmt: skip
def test_a_wrong_argument_is_one_sentence(far: Endpoint, argv: str, command: Any) -> None:
    code, out, err = command("pull", *argv.split())
    assert code == 2 and out == "" and err.startswith("error: ") and err.count("\n") == 1


def test_the_list_has_what_is_there_what_is_cached_and_the_measures(far: Endpoint, tree: Path, command: Any) -> None:
    get("fig2", [2])
    found = publish.contents("owner/name")
    assert (found["commit"], [it["cached"] for it in found["experiments"].values()]) == (FIRST, [1, 0])
    assert found["bytes"] == sum(path.stat().st_size for path in far.commits[FIRST].rglob("model.safetensors"))
    code, out, _ = command("list", "owner/name")
    assert code == 0 and FIRST in out and re.search(r"fig2 +iterations +0 to 3 +2 .* kB +1 ", out)
    code, out, _ = command("list", tree, "fig2")
    lines = [line.split() for line in out.splitlines()]
    assert code == 0 and lines[0] == ["iteration", "size", "here", "blank", "ink"]
    assert lines[1] == ["0", "0", "0"] and lines[3][-3:] == ["yes", "0", "0.2"]


# ---- the README's way: pull one iteration, draw 64 symbols, open the page on it


@shipped
def test_the_readmes_first_steps_on_the_hub_pull_one_file_draw_symbols_and_open_the_page(
    far: Endpoint, tmp_path: Path, command: Any
) -> None:
    from tests.server import served

    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Load from the Hub, share on it\n")[2]
    lines = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)[0].splitlines()
    assert "python app.py mine" in lines
    far.publish(SHIPPED)
    walked = [shlex.split(line.replace("OWNER/NAME", "owner/name")) for line in lines if " -m toolkit " in line]
    assert [command(*argv[3:])[0] for argv in walked] == [0, 0] and far.counted()["weights"] == 1
    assert [path.parent.name for path in (tmp_path / "mine").rglob("*.safetensors")] == ["iter_007"]
    with Image.open(tmp_path / "symbols.png") as sheet:
        assert sheet.width > 8 * 28 and sheet.convert("L").getextrema() == (0, 255)
    with served(tmp_path / "mine") as page, urlopen(page.url) as answer:
        shown = answer.read().decode()
    assert "fig2" in shown and "no run to show" not in shown and "fig7" not in shown
