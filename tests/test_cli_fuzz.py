"""Whatever is typed, the answer is one sentence: command lines drawn from the parser, most of them wrong."""

from random import Random

import pytest

from toolkit import cli

LINES = 500
JUNK = [
    "", " ", "-1", "0", "1", "7", "NaN", "nan", "inf", "-inf", "1e999", "null", "None", "99999999999999999999999", "x",
    "0:0", "5:0", "0:3", "1,", "1,2", "a:b", "\0", "é", "../..", "/", "/dev/null/x", "nowhere", "nowhere.png", "--",
    "-x", "{}", "[1", "0.5", "True", "sample:mnist", "folder:nowhere", "letters:nowhere", "cuda:99", "quantum",
    "x" * 300,
]  # fmt: skip
SETTINGS = [
    "", "=", "steps", "steps=0", "steps=NaN", "steps=1e999", "steps=" + "9" * 5000, "images=-5", "images=null", "=3",
    "model=5", "model=null", "model.size=20", "model.filters=0", "model.filters=-1", "model.filters=null", "model={}",
    "model.=", ".x=1", "a.b.c=1", "steps.x=1", "seed=-1", "seed=x", "kept=[]", "kept=[2,1]", "batch=0", "data=",
    "how.gain=NaN", "how=[]", "sampling.limit=0", "sampling.tol=-1", "sampling.ink=2", "iterations=0", "band=[1]",
    "deep=" + "[" * 3000, "filter=novelty:9", "architecture=Nothing", "inheritance=", "points=[[1],[2,3]]", "name=..",
]  # fmt: skip
NAMES = ["fig2", "fig99", "creative-mnist", "kaleidoscope-1d", "judge-digits", "gan-mnist", "can-mnist", "nothing"]
FAILS = {  # what keeps a line, right in all else, from work or network: it comes last, and the last one counts
    "train": ["--data", "folder:nowhere"], "diverge": ["--from", "nowhere"], "sample": ["--from", "nowhere"],
    "decode": ["--from", "nowhere"], "kaleidoscope": ["--from", "nowhere"], "font": ["--from", "nowhere"],
    "pool": ["--from", "nowhere"], "claims": ["--from", "nowhere"], "push": ["--from", "nowhere"],
    "trade-off": ["--images", "1"], "table1": ["--device", "quantum"], "attractors": ["--device", "quantum"],
    "notebooks": ["--folder", "nowhere"], "benchmark": ["--only", "nothing", "--minutes", "0"],
}  # fmt: skip


def value(action, draw: Random) -> str:
    if action.choices and draw.random() < 0.6:
        return draw.choice([*action.choices])
    if action.dest == "set":
        return draw.choice(SETTINGS)
    if action.dest in ("preset", "name", "experiment") and draw.random() < 0.7:
        return draw.choice(NAMES)
    if action.dest in ("repo", "source", "what", "runs", "pool", "checkpoint", "names"):  # a Hub repo is a network
        return draw.choice(["nowhere", "", "\0", "a/b/c", "/dev/null/x", "no such thing"])
    if action.dest == "out" and draw.random() < 0.7:
        return draw.choice(["out", "out.png", "out.gif", "out.ttf", "new/out.png"])
    return draw.choice(JUNK)


def line(draw: Random) -> list[str]:
    name = draw.choice([*cli.COMMANDS, *cli.EXPERIMENTS])
    if draw.random() < 0.02:
        return draw.choice([[], [""], [name[1:]], [name.upper()], ["--nothing"], [name, "--nothing"]])
    words = [name]
    for action in cli.parser().command(name)._actions:
        if "--help" in action.option_strings or draw.random() > (0.9 if action.required else 0.25):
            continue
        words += action.option_strings[:1]
        if action.nargs != 0:
            words.append(value(action, draw))
    return words + FAILS.get(name, [])


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOOLKIT_DATA", str(tmp_path / "data"))


def test_no_line_ends_in_a_traceback(nowhere, capsys):
    draw = Random(0)
    seen = set()
    for _ in range(LINES):
        argv = line(draw)
        try:
            code = cli.main(argv)
        except SystemExit as stopped:
            code = stopped.code
        except BaseException as error:
            raise AssertionError(f"{argv} ends in {error!r}") from error
        told = capsys.readouterr().err
        assert code == 2 or (code == 0 and argv[0] == "list"), argv  # the list of what is shipped needs nothing
        assert code == 0 or told.rstrip("\n").rpartition("\n")[2].startswith("error: "), (argv, told)
        seen.add(argv[0] if argv else "")
    assert {*cli.COMMANDS, *cli.EXPERIMENTS} <= seen
