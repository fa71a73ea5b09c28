"""Pulling from a Hub that really answers: what is asked for, counted, and what is said when something fails."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.endpoint import FIRST, SECOND, Endpoint, serving
from tests.test_hub import grow, is_of, refused
from toolkit import Model, cli, hub, publish
from toolkit.cli import numbers
from toolkit.web.iterations import RunIndex

ROOT = Path(__file__).parents[1]
WEIGHTS = "fig2/iter_002/model.safetensors"


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    grow(folder, "fig12", 1)
    grow(folder, "fig2", 3)
    (folder / "fig2/iter_001/model.safetensors").unlink()  # as `thin` leaves it
    for sheet in folder.glob("*/*/samples.png"):
        sheet.write_text(f"a picture of {sheet.parent.parent.name}, {sheet.parent.name}")
    hub.write_index(folder, "fig2")
    return folder


@pytest.fixture
def tree(grown: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(grown, tmp_path / "tree"))


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


def said(capsys: Any, *argv: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = cli.main([str(part) for part in argv])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


# ---- what is asked for


def test_one_iteration_is_one_file_of_weights(far: Endpoint) -> None:
    get("fig2", [2])
    assert sorted(far.fetched()) == [f"{FIRST}/fig2/config.json", f"{FIRST}/{WEIGHTS}", "main/index.json"]
    assert is_of(hub.load("owner/name", "fig2", 2), 2)


@pytest.mark.parametrize(
    ("way", "requests"),
    [
        ("from_hub", ["2 HEAD, 2 GET", "none", "none"]),
        ("pull", ["3 HEAD, 3 GET", "1 HEAD", "none"]),
    ],
)
def test_one_iteration_takes_few_requests_and_none_once_a_full_commit_is_cached(
    far: Endpoint, way: str, requests: list[str]
) -> None:
    ways = {
        "from_hub": lambda revision: Model.from_hub("owner/name", "fig2", iteration=2, revision=revision),
        "pull": lambda revision: get("fig2", [2], revision=revision),
    }
    asked = [count(far, lambda at=at: ways[way](at)) for at in (None, None, FIRST)]  # cold, warm, pinned
    said = [f"{c['HEAD']} HEAD, {c['small'] + c['weights']} GET" if sum(c.values()) else "none" for c in asked]
    assert [each.removesuffix(", 0 GET") for each in said] == requests


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


@pytest.mark.skipif(not (ROOT / "checkpoints" / "index.json").exists(), reason="no checkpoints in this copy")
@pytest.mark.parametrize("name", ["creative-mnist", "kaleidoscope-1d", "judge-digits"])
def test_all_files_of_a_network_are_of_the_commit_of_its_index(far: Endpoint, name: str) -> None:
    loads = {"creative": hub.load_decoder, "kaleidoscope": hub.load_kaleidoscope, "judge": hub.load_classifier}
    far.publish(ROOT / "checkpoints")
    assert loads[name.partition("-")[0]]("owner/name", name)
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


def test_a_dry_run_fetches_the_index_alone_and_says_what_the_pull_then_fetches(far: Endpoint) -> None:
    planned = publish.plan("owner/name", "fig2", sheets=True)
    told = publish.foreseen(planned)
    assert far.fetched() == ["main/index.json"]
    assert told == {name: (path.stat().st_size, True) for name, path in publish.pull(planned).items()}
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


# ---- what goes wrong


def test_a_large_download_that_is_cut_is_resumed_where_it_was(far: Endpoint) -> None:
    far.cuts = [1000, 500]
    with settings(DOWNLOAD_CHUNK_SIZE=100):  # 10 MB otherwise; what is cut within the first begins anew
        assert is_of(Model.from_hub("owner/name", "fig2", 2), 2)
    spans = [span for method, path, span in far.requests if "/cdn/" in path]
    assert spans == [None, "bytes=1000-", "bytes=1500-"]


def test_a_download_that_never_gets_on_says_so_and_the_next_one_finishes(far: Endpoint) -> None:
    far.cuts = [0] * 6
    with refused("owner/name", WEIGHTS, "did not arrive whole", "try again"):
        get("fig2", [2])
    assert count(far, lambda: get("fig2", [2])) == {"HEAD": 2, "small": 0, "weights": 1}


def test_wrong_bytes_are_fetched_again(far: Endpoint) -> None:
    far.wrong = {WEIGHTS: 1}
    get("fig2", [2])
    assert far.counted()["weights"] == 2 and is_of(hub.load("owner/name", "fig2", 2), 2)


def test_a_file_damaged_in_the_cache_is_refused_and_a_pull_mends_it(far: Endpoint) -> None:
    path = get("fig2", [2])[WEIGHTS]
    path.write_bytes(b"nothing of the kind")
    with refused(path, "fetch it again"):
        hub.load("owner/name", "fig2", 2)
    get("fig2", [2])
    assert is_of(hub.load("owner/name", "fig2", 2), 2)


def test_a_file_that_is_always_another_than_the_index_says_is_refused_and_not_kept(far: Endpoint) -> None:
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


def test_a_file_that_the_index_promises_and_the_repo_lacks_is_named(far: Endpoint) -> None:
    (far.commits[FIRST] / WEIGHTS).unlink()
    with refused("owner/name", f"holds no {WEIGHTS}"):
        get("fig2", [2])


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        ("gated", 401, ("gated", "hf auth login")),
        ("gated", 403, ("gated", "hf auth login")),
        ("down", 503, ("index.json", "out of reach", "local folder")),
        ("away", 403, (WEIGHTS, "403", "hf auth login")),
        ("away", 410, (WEIGHTS, "410", "try again later")),
    ],
)
def test_a_refusal_says_what_would_help(far: Endpoint, fault: str, status: int, words: tuple[str, ...]) -> None:
    setattr(far, fault, status)
    with refused("owner/name", *words):
        Model.from_hub("owner/name", "fig2", 2)


def test_a_hub_that_does_not_listen_is_out_of_reach_and_the_cache_goes_on(far: Endpoint) -> None:
    get("fig2", [2])
    template = "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}"
    with settings(HUGGINGFACE_CO_URL_TEMPLATE=template):
        assert list(get("fig2", [2])) == ["fig2/config.json", WEIGHTS]
        with refused("fig2/iter_003/model.safetensors", "out of reach"):
            get("fig2", [3])


def test_offline_what_is_cached_is_enough_and_nothing_is_asked(far: Endpoint) -> None:
    get("fig2", [2])
    with settings(HF_HUB_OFFLINE=True):
        assert count(far, lambda: get("fig2", [2])) == {"HEAD": 0, "small": 0, "weights": 0}
        with refused("fig2/iter_003/model.safetensors", "go online once"):
            get("fig2", [3])
        with refused("owner/other", "go online once"):
            publish.plan("owner/other")


def test_a_hub_that_never_gets_to_the_point_is_given_up(far: Endpoint) -> None:
    planned = publish.plan("owner/name", "fig2", [2])
    far.slow = 0.3
    with settings(HF_HUB_DOWNLOAD_TIMEOUT=0.05), refused("did not arrive whole", "try again"):
        publish.pull(planned)
    far.slow = 0.0


@pytest.mark.parametrize("repo", ["name", "a/b/c", "owner/na me", "../name", "o--w/name"])
def test_a_malformed_id_is_refused_before_any_request(far: Endpoint, repo: str) -> None:
    with refused(repo, "owner/name"):
        publish.plan(repo)
    assert far.requests == []


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


def test_a_pulled_folder_is_a_tree_that_loads_and_opens(far: Endpoint, tmp_path: Path) -> None:
    planned = publish.plan("owner/name", "fig2", [2], sheets=True)
    index = publish.place(planned, publish.pull(planned), tmp_path / "runs")
    assert is_of(hub.load(tmp_path / "runs"), 2) and hub.sampling(tmp_path / "runs").limit == 100
    assert [entry["iteration"] for entry in RunIndex(tmp_path / "runs").page()["iterations"]] == [2]
    assert index["experiments"]["fig2"]["iterations"] == [planned.entries[0]]  # measures too


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


def test_the_command_says_what_it_fetched_and_how_to_have_it_again(far: Endpoint, capsys: Any) -> None:
    code, out, _ = said(capsys, "pull", "owner/name", "fig2", "--iteration", 2)
    size = (far.commits[FIRST] / WEIGHTS).stat().st_size
    assert code == 0 and f"{size:,}  {WEIGHTS}\n" in out and f"--revision {FIRST}" in out
    _, again, _ = said(capsys, "pull", "owner/name", "fig2", "--iteration", 2)
    assert f"{WEIGHTS}  (cached)" in again and "fetched 0 bytes" in again


def test_the_command_writes_a_folder_that_the_page_opens(far: Endpoint, tmp_path: Path, capsys: Any) -> None:
    argv = ["pull", "owner/name", "fig2", "--iterations", "1:20", "--to", tmp_path / "runs", "--json"]
    code, out, err = said(capsys, *argv)
    told = json.loads(out)
    assert (code, err, told["iterations"], told["commit"]) == (0, "", [1, 2, 3], FIRST)
    assert RunIndex(tmp_path / "runs").page()["iterations"][0]["iteration"] == 1


@pytest.mark.parametrize(
    "argv",
    [
        ["owner/other"], ["owner/name", "fig99"], ["owner/name", "fig2", "--iteration", "9"],
        ["owner/name", "--iteration", "2", "--iterations", "1:3"],
    ],
)  # fmt: skip
def test_a_wrong_argument_is_one_sentence(far: Endpoint, argv: list[str], capsys: Any) -> None:
    code, out, err = said(capsys, "pull", *argv)
    assert code == 2 and out == "" and err.startswith("error: ") and err.count("\n") == 1


def test_the_list_says_what_is_there_and_what_is_cached(far: Endpoint, capsys: Any) -> None:
    get("fig2", [2])
    held = publish.contents("owner/name")
    assert (held["commit"], held["experiments"]["fig2"]["cached"], held["experiments"]["fig12"]["cached"]) == (
        FIRST,
        1,
        0,
    )
    assert held["bytes"] == sum(path.stat().st_size for path in far.commits[FIRST].rglob("model.safetensors"))
    code, out, _ = said(capsys, "list", "owner/name")
    assert code == 0 and FIRST in out and re.search(r"fig2 +iterations +0 to 3 +2 .* kB +1 ", out)


def test_the_list_of_an_experiment_has_its_measures(tree: Path, capsys: Any) -> None:
    code, out, _ = said(capsys, "list", tree, "fig2")
    lines = [line.split() for line in out.splitlines()]
    assert code == 0 and lines[0] == ["iteration", "size", "here", "blank", "ink"]
    assert lines[1] == ["0", "0", "0"] and lines[3][-3:] == ["yes", "0", "0.2"]


@pytest.mark.parametrize("command", ["list", "pull", "push"])
def test_the_help_of_a_command_shows_examples_that_it_takes(command: str, capsys: Any) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main([command, "--help"])
    examples = re.findall(rf"^  python -m toolkit ({command}\b.*?)(?:  .*)?$", capsys.readouterr().out, re.MULTILINE)
    assert examples and all(cli.parser().parse_args(example.split()).run for example in examples)


@pytest.mark.parametrize(("text", "meant"), [("7", [7]), ("1,5,20", [1, 5, 20]), ("1:3", [1, 2, 3])])
def test_iterations_are_written_as_people_count_them(text: str, meant: list[int]) -> None:
    assert [*numbers(text)] == meant


@pytest.mark.parametrize("text", ["", "a", "1:", "3:x", "1;2"])
def test_what_is_no_iteration_is_said_so(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="write 7"):
        numbers(text)
