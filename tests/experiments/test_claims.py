"""The claims: bars and verdicts in every direction, what is missing, the page as it is shipped."""

import json
import math
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolkit import cli, hub
from toolkit.experiments import attractors, claims, claims_report, evidence
from toolkit.experiments.evidence import DOES_NOT, HOLDS, MISSING, UNDECIDED, Check, Claim, Evidence, Result, Results
from toolkit.metrics.stats import hierarchical_bootstrap, interval

ROOT = Path(__file__).parents[2]
NOWHERE = Path("nowhere")


def check(values: list[float] | None, says: Any = "over", bar: float = 0.0, short: str = "") -> Check:
    """A check of some runs' values."""
    x = None if values is None else hierarchical_bootstrap([[value] for value in values])
    return Check("x", Evidence(x, values or (), short), says, bar)


def claim(verdict: str, *readings: str) -> Claim:
    """A claim of a verdict, with readings of others."""
    values = {HOLDS: [1.0, 1.0, 1.0], DOES_NOT: [-1.0] * 3, UNDECIDED: [-1.0, 1.0, 1.0], MISSING: None}
    return Claim("key", "says", "paper", "2", check(values[verdict]), "why", [check(values[each]) for each in readings])


def like(at: int, seed: int, growth: float = 0.0) -> dict[str, float]:
    """Every measure from 1 on at iteration 0, growing by that much per doubling, the share of digits shrinking."""
    more = 1 + growth * math.log2(1 + at) * (1 + seed / 100)
    keys = [*claims.STROKES, "novelty_mean", "frechet_distance", "ink", "diversity", "stroke_width"]
    shares = {"blank_share": 0.0, "distinct": 1.0, "mean_picture_power": 0.5, "coverage": 0.5}
    return {
        **dict.fromkeys(keys, more), **shares, "nearer_share": 0.5 / more**4, "in_class_count_by_sum": 0.8 / more,
    }  # fmt: skip


def staying(at: int, seed: int) -> dict[str, float]:
    """What a GAN or a VAE is said to do: it leaves a little."""
    return {**like(at, seed), "nearer_share": 0.3 + seed / 1000}


def growing(at: int, seed: int) -> dict[str, float]:
    return like(at, seed, 0.1)


def shrinking(at: int, seed: int) -> dict[str, float]:
    return {**like(at, seed, -0.1), "nearer_share": 0.4}


def collapsing(at: int, seed: int) -> dict[str, float]:
    return {**like(at, seed, 0.2), "mean_picture_power": 1 - 0.5 / (1 + at)}


def series(of: Any, seed: int = 0, length: int = 20, **changes: Any) -> Result:
    """A run whose measures at an iteration are what `of` gives."""
    known = {"seed": seed, "tone": False, "controls": {"unseen data": {"in_class_count_by_sum": 0.8}}}
    return Result("fig", rows={at: of(at, seed) for at in range(length + 1)}, **{**known, **changes})  # type: ignore[arg-type]


def results(**figures: Any) -> Results:
    """Three runs of each figure, or those that are given."""
    runs = {
        name.replace("_", "-"): it if isinstance(it, list) else [series(it, seed) for seed in range(3)]
        for name, it in figures.items()
    }
    return Results(NOWHERE, runs)


def claims_by_key(known: Results) -> dict[str, Claim]:
    return {claim.key: claim for claim in claims_report.all_claims(known)}


def verdicts(known: Results) -> dict[str, str]:
    return {key: claim.verdict for key, claim in claims_by_key(known).items()}


# rules


@pytest.mark.parametrize(
    ("says", "values", "verdict"),
    [
        ("over", [1.2, 1.3, 1.25], HOLDS),
        ("over", [0.8, 0.9, 0.85], DOES_NOT),
        ("over", [0.8, 1.3, 1.1], UNDECIDED),
        ("over", [1.0, 1.0, 1.0], DOES_NOT),
        ("at most", [1.0, 1.0, 1.0], HOLDS),
        ("at most", [1.2, 1.3, 1.25], DOES_NOT),
        ("at most", [0.8, 1.3, 1.1], UNDECIDED),
        ("under", [0.8, 0.9, 0.85], HOLDS),
        ("under", [1.0, 1.0, 1.0], DOES_NOT),
        ("at least", [1.0, 1.0, 1.0], HOLDS),
        ("over", None, MISSING),
    ],
)
def test_a_check_holds_if_the_whole_interval_is_on_its_side_of_the_bar(says: Any, values: Any, verdict: str) -> None:
    assert check(values, says, 1.0).verdict == verdict


@pytest.mark.parametrize(
    ("values", "short", "note"),
    [
        ([5.0], "", "not decided: 1 run"),
        ([5.0, 6.0], "", "not decided: 2 runs"),
        ([5.0, 6.0, 7.0], "2 iterations", "not decided: 2 iterations"),
    ],
)
def test_too_little_decides_nothing_whatever_the_numbers(values: list[float], short: str, note: str) -> None:
    few = check(values, short=short)
    assert (few.verdict, few.note) == (UNDECIDED, note)


def test_a_verdict_says_how_many_runs_it_rests_on() -> None:
    assert check([1, 2, 3]).note == "3 of 3 runs, sign test p = 0.25"
    assert check([1, 2, -3], "under").note == "1 of 3 runs, sign test p = 1.00"
    assert check([-1] * 6, "at most").note == "6 of 6 runs, sign test p = 0.03" and check(None).note == ""


@pytest.mark.parametrize(
    ("claims", "word"),
    [
        ([claim(HOLDS), claim(HOLDS, DOES_NOT)], evidence.REPRODUCED),
        ([claim(HOLDS), claim(DOES_NOT)], evidence.PARTLY),
        ([claim(HOLDS), claim(MISSING)], evidence.PARTLY),
        ([claim(UNDECIDED, HOLDS), claim(DOES_NOT)], evidence.NOT),
        ([claim(DOES_NOT), claim(MISSING)], evidence.NOT),
        ([claim(UNDECIDED, HOLDS), claim(MISSING)], UNDECIDED),
        ([claim(MISSING)], MISSING),
        ([], MISSING),
    ],
)
def test_the_claims_of_a_figure_say_whether_it_was_reproduced(claims: list[Claim], word: str) -> None:
    assert evidence.reproduced(claims) == word


# claims of runs, from series made up

FIGURES = ("fig2", "fig3", "fig4", "fig5")
CASES = [  # what is run, and the verdicts
    ({"fig2": growing, "fig8": staying}, dict.fromkeys(("far", "farther", "complex", "rising"), HOLDS)),
    ({"fig2": shrinking, "fig8": staying}, dict.fromkeys(("far", "farther", "complex", "rising"), DOES_NOT)),
    (  # a jump at once is far and not ever farther
        {"fig2": lambda at, seed: like(min(at, 1), seed, 0.5), "fig8": staying},
        {"far": HOLDS, "farther": DOES_NOT, "complex": HOLDS, "rising": DOES_NOT},
    ),
    ({"fig2": growing}, {"far": MISSING}),  # without a control nothing is far
    ({"fig2": staying, "fig8": staying, "fig10": like}, {"far": DOES_NOT}),
    # a series that always rises by next to nothing rises by too little
    ({"fig2": lambda at, seed: like(at, seed, 0.002)}, {"rising": DOES_NOT, "farther": DOES_NOT}),
    ({"fig2": like, "fig6": collapsing}, {"fig6-degrades": HOLDS, "fig6-collapses": HOLDS}),
    ({"fig2": like, "fig7": collapsing}, {"fig7-degrades": HOLDS, "fig7-collapses": HOLDS}),
    ({"fig2": like, "fig6": like}, {"fig6-degrades": DOES_NOT, "fig6-collapses": DOES_NOT}),
    ({"fig2": like, "fig7": like}, {"fig7-degrades": DOES_NOT, "fig7-collapses": DOES_NOT}),
    ({"fig8": like}, {"fig8-digits": HOLDS}),
    ({"fig8": growing}, {"fig8-digits": DOES_NOT}),
    # it stays if it loses little of what it had at first, however little that was
    ({"fig8": lambda at, seed: {**like(at, seed), "in_class_count_by_sum": 0.3}}, {"fig8-digits": HOLDS}),
    (dict.fromkeys(FIGURES, like), {f"{it}-strokes": DOES_NOT if it == "fig4" else HOLDS for it in FIGURES}),
    (
        dict.fromkeys(FIGURES, lambda at, seed: {**like(at, seed), "stroke_width": 2.0 + at}),
        {f"{it}-strokes": HOLDS if it == "fig4" else DOES_NOT for it in FIGURES},
    ),
    # what was thick from the first was not thickened
    ({"fig5": lambda at, seed: {**like(at, seed), "stroke_width": 2.0 if at else 1.0}}, {"fig5-strokes": HOLDS}),
]


@pytest.mark.parametrize(("runs", "expected"), CASES)
def test_runs_that_do_what_is_claimed_decide_so_and_those_that_do_not_decide_against(runs: Any, expected: Any) -> None:
    found = verdicts(results(**runs))
    assert {key: found[key if key.startswith("fig") else f"fig2-{key}"] for key in expected} == expected


@pytest.mark.parametrize("few", [{"length": 2}, {"count": 20}])
def test_every_claim_of_runs_is_open_after_two_iterations_or_twenty_images(few: dict[str, Any]) -> None:
    figures = (*claims.COMPLEX, *claims.COLLAPSING, *claims.BASELINES)
    known = results(**{figure: [series(growing, seed, **few) for seed in range(3)] for figure in figures})
    found = {verdict for key, verdict in verdicts(known).items() if key.startswith("fig")}
    assert found <= {UNDECIDED, MISSING} and UNDECIDED in found


def test_runs_that_are_too_short_do_not_count_beside_those_that_are_not() -> None:
    known = results(fig2=[series(growing, seed, 20 if seed else 2) for seed in range(4)])
    rising = claims_by_key(known)["fig2-rising"]
    assert rising.verdict == HOLDS and rising.primary.x is not None and rising.primary.x["n"] == 3


@pytest.mark.parametrize(("anew", "verdict"), [(0.1, HOLDS), (0.6, DOES_NOT)])
def test_what_keeps_more_of_itself_from_sheet_to_sheet_is_smoother(anew: float, verdict: str) -> None:
    def keeping(share: float) -> list[Result]:
        return [series(like, seed, images={20: {"kept": np.full(100, share + seed / 100)}}) for seed in range(3)]

    found = verdicts(results(fig2=keeping(0.6), fig3=keeping(anew)))
    assert (found["fig3-smoother"], found["fig2-identity"]) == (verdict, HOLDS)
    other_seeds = results(fig2=keeping(0.6)[:1], fig3=keeping(anew)[1:])
    assert verdicts(other_seeds)["fig3-smoother"] == MISSING


@pytest.mark.parametrize("tone", [True, False])
def test_ink_is_no_evidence_where_every_picture_is_given_that_of_the_data(tone: bool) -> None:
    strokes = claims_by_key(results(fig4=[series(like, tone=tone)]))["fig4-strokes"]
    assert any("ink" in check.measure for check in strokes.checks) != tone and bool(strokes.notes) == tone


@pytest.mark.parametrize(("growth", "verdict"), [(0.4, HOLDS), (0.05, DOES_NOT)])
def test_a_filter_leads_farther_if_it_does_at_the_last_iteration_of_both(growth: float, verdict: str) -> None:
    filtered = [series(lambda at, seed: like(at, seed, growth), seed, 10) for seed in range(3)]
    farther = claims_by_key(results(fig2=growing, fig2_novel=filtered))["fig2-novel-farther"]
    assert farther.verdict == verdict
    assert farther.primary.evidence.runs[0] == pytest.approx((1 + growth * math.log2(11)) / (1 + 0.1 * math.log2(11)))


def test_images_of_one_seed_are_compared_with_each_other() -> None:
    """Each image gains a stroke from one run to the other: paired there is no spread, however much images differ."""
    strokes = np.arange(100, dtype=np.float32) % 7
    a, b = (series(like, images={at: {"stroke_count": strokes + more} for at in range(21)}) for more in (1, 0))
    assert claims.difference("stroke_count", a, b).tolist() == [1.0] * 100
    rising = {at: {"stroke_count": strokes + np.float32(np.log2(max(at, 1)))} for at in range(21)}
    slopes = claims.per_doubling("stroke_count", series(like, images=rising)).tolist()
    assert slopes == pytest.approx([1 / strokes.mean()] * 100, rel=1e-4)


def test_how_often_an_image_is_nearer_than_the_data_counts_ties_as_half() -> None:
    images = {0: {"novelty": np.array([1, 2, 3, 4])}, 20: {"novelty": np.array([0, 2, 9])}}
    assert claims.nearer(series(like, images=images)).tolist() == [1.0, 0.625, 0.0]


# claims of studies


def table1(noisy: float) -> Results:
    means = {"low-active > random": 1.0, "random > noisy": 9.0, "noisy > regular": noisy}
    order = {name: {"difference": dict(interval([x, 1.1 * x, 1.2 * x]))} for name, x in means.items()}
    return Results(NOWHERE, table1={"sets": {"mnist": {"order": order}}})


@pytest.mark.parametrize(
    ("noisy", "order", "alike"), [(1.0, HOLDS, HOLDS), (-1.0, DOES_NOT, HOLDS), (9.0, HOLDS, DOES_NOT)]
)
def test_the_order_of_methods_holds_if_every_difference_does_and_noisy_is_like_regular_if_it_goes_little_of_the_way(
    noisy: float, order: str, alike: str
) -> None:
    found = verdicts(table1(noisy))
    assert (found["creative-order"], found["creative-noisy"]) == (order, alike)


@pytest.mark.parametrize(("sign", "verdict"), [(1, HOLDS), (-1, DOES_NOT)])
def test_depth_helps_if_samples_become_surer_and_nearer(sign: int, verdict: str) -> None:
    up, down = interval([sign, 1.1 * sign, 1.2 * sign]), interval([-sign, -1.1 * sign, -1.2 * sign])
    trends = {"depth": {"confidence": up, "distance": down, "first": down}}
    found = verdicts(Results(NOWHERE, study={"trends": trends}))
    assert [found[f"kaleidoscope-depth-{key}"] for key in ("better", "nearer")] == [verdict, verdict]


@pytest.mark.parametrize(("still", "left", "verdict"), [(0.9, 20, HOLDS), (0.1, 180, DOES_NOT)])
def test_samples_settle_if_most_stand_still_and_collapse_if_few_differ(still: float, left: int, verdict: str) -> None:
    end = {
        "still": interval([still, still + 0.01, still + 0.02]), "distinct": interval([left, left + 1.0, left + 2.0])
    }  # fmt: skip
    numbers = {"nearer_by": interval([1, 1.1, 1.2])}
    nearer = {"claim": "samples of run 10 are nearer to it than unseen images", "numbers": numbers}
    study = {"perturbations": {attractors.USUAL: end}, "verdicts": [nearer], "sizes": {"samples": 200}}
    found = verdicts(Results(NOWHERE, study=study))
    assert (found["kaleidoscope-settle"], found["kaleidoscope-few"]) == (verdict, verdict)
    assert found["kaleidoscope-recovered"] == HOLDS


@pytest.mark.parametrize(
    ("letters", "parzen", "verdict"), [(0.5, -9.0, HOLDS), (0.0, -9.0, DOES_NOT), (0.5, 9.0, DOES_NOT)]
)
def test_measures_of_novelty_put_letters_first_and_parzen_windows_do_not(
    letters: float, parzen: float, verdict: str
) -> None:
    known, novel = (dict.fromkeys((name for name, *_ in claims.RANKED), value) for value in (0.1, letters))
    controls = {name: {**known, "parzen": 0.0} for name in claims.NOT_NOVEL}
    controls["letters"] = {**novel, "parzen": parzen}
    run = series(lambda at, seed: like(at, seed) if at else controls["training data"], controls=controls)
    found = verdicts(results(fig2=[replace(run, seed=seed) for seed in range(3)]))
    assert found["novelty-ranking"] == verdict


# the results that are shipped, and their negative controls


@pytest.fixture(scope="module")
def shipped() -> Results:
    return evidence.read(hub.CHECKPOINTS)


@pytest.fixture(scope="module")
def found(shipped: Results) -> list[Claim]:
    return claims_report.all_claims(shipped)


def test_no_gan_and_no_vae_leaves_the_data_by_what_the_symbols_do(shipped: Results) -> None:
    def leaves(figure: str) -> Check:
        return Check("x", claims.beyond_controls(shipped, figure), "under", 1 - evidence.NOTABLE)

    for figure in claims.BASELINES:
        runs = leaves(figure).evidence.runs
        assert runs and min(runs) > 1 - evidence.NOTABLE and leaves(figure).verdict != HOLDS, figure
    assert leaves("fig2").verdict == HOLDS


@pytest.mark.skipif(not (ROOT / "CLAIMS.md").exists(), reason="no claims in this copy")
def test_the_claims_that_are_shipped_are_those_of_the_results_that_are(shipped: Results, found: list[Claim]) -> None:
    assert (ROOT / "CLAIMS.md").read_text(encoding="utf-8") == claims_report.page(shipped, found, ROOT)
    assert json.loads((hub.CHECKPOINTS / "claims.json").read_text()) == claims_report.as_dict(found, ROOT)


@pytest.mark.skipif(not (ROOT / "CLAIMS.md").exists(), reason="no claims in this copy")
def test_the_prose_of_shipped_results_is_all_used_and_its_links_lead_somewhere_from_any_folder(
    shipped: Results, found: list[Claim], tmp_path: Path
) -> None:
    page = claims_report.page(shipped, found, tmp_path)
    prose = claims_report.prose_of(shipped, Path(os.path.relpath(shipped.root, tmp_path)).as_posix())
    assert len(prose) > 10 and all(text in page for text in prose.values())
    links = [link for link in re.findall(r"\]\(([^)]+)\)", page) if "://" not in link]
    assert links and [link for link in links if not (tmp_path / link).exists()] == []


# the page


def test_where_nothing_was_run_every_claim_says_so_and_why_it_is_measured_as_it_is(tmp_path: Path) -> None:
    known = evidence.read(tmp_path)
    found = claims_report.all_claims(known)
    keys = [claim.key for claim in found]
    assert len(keys) == len(set(keys)) > 40 and {claim.verdict for claim in found} == {MISSING}
    assert all(len(claim.reason) > 40 and claim.reason.endswith(".") for claim in found)
    assert f"not run yet {len(found)}." in claims_report.page(known, found, tmp_path)


def test_the_summary_has_every_figure_with_its_claims() -> None:
    found = claims_report.all_claims(results(fig2=like, fig8=staying))
    rows = claims_report.glance(found, Path()).splitlines()[2:]
    assert [int(row.split(" | ")[0][2:]) for row in rows] == list(range(2, 14))
    assert "does not: output leaves the data<br>" in rows[0] and f"| **{MISSING}** |" in rows[1]


def test_a_run_of_seconds_gets_no_verdict(tree: Path) -> None:
    found = claims_report.all_claims(evidence.read(tree))
    about = [claim for claim in found if claim.figure == "2" and claim.verdict != MISSING]
    assert about and {claim.verdict for claim in about} == {UNDECIDED}
    assert {claims_report.verdict(claim) for claim in about} == {"not decided: 20 images"}


def test_the_command_writes_the_same_bytes_twice_whole_tables_and_links_to_pictures_that_exist(
    tree: Path, tmp_path: Path
) -> None:
    written = []
    for name in ("a", "b"):
        assert cli.main(["claims", "--from", str(tree), "--out", str(tmp_path / name)]) == 0
        written.append([(tmp_path / name / file).read_text() for file in ("CLAIMS.md", "claims.json")])
    assert written[0] == written[1]
    page, numbers = written[0]
    pictures = {claim["picture"] for claim in json.loads(numbers)["claims"]} - {None}
    assert pictures and all((tmp_path / "a" / picture).exists() for picture in pictures)
    tables = [part.splitlines() for part in page.split("\n\n") if part.startswith("|")]
    assert len(tables) == 3 and all(len({line.count(" | ") for line in lines}) == 1 for lines in tables)
    assert claims_report.prose_of(evidence.read(tree), "there") == {}  # it is of the shipped results alone


def test_runs_from_other_seeds_count_for_the_same_figure(folder: Path) -> None:
    shutil.copytree(folder, folder.with_name("fig2-novel"))
    config = shutil.copytree(folder, folder.with_name("fig2-seed1")) / "config.json"
    config.write_text(config.read_text().replace('"seed": 0', '"seed": 1'))
    found = evidence.read(folder.parent).runs
    assert [one.seed for one in found["fig2"]] == [0, 1] and len(found["fig2-novel"]) == 1


def test_results_that_cannot_be_read_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "creative").mkdir()
    (tmp_path / "creative" / "table1.json").write_text("{")
    assert cli.main(["claims", "--from", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "table1.json" in capsys.readouterr().err
