"""The claims: bars and verdicts in every direction, what is missing, runs before a judge, the page as it is shipped."""

import json
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from toolkit import cli, hub, runs
from toolkit.data import load
from toolkit.experiments import claims, claims_report, judge_runs, release, sweeps
from toolkit.experiments import evidence as rules
from toolkit.experiments.evidence import DOES_NOT, HOLDS, MISSING, UNDECIDED, Check, Claim, Evidence, Result, Results
from toolkit.metrics.image import resized
from toolkit.metrics.stats import hierarchical_bootstrap, interval
from toolkit.models import create
from toolkit.presets import preset
from toolkit.runs import from_npy

ROOT = Path(__file__).parents[1]
TINY: dict[str, Any] = {
    "images": 40, "generated": 20, "iterations": 3, "first_steps": 3, "steps": 2, "batch": 10, "model": {"filters": 2},
}  # fmt: skip


def experiment(figure: str = "fig2", **changes: Any) -> Any:
    return preset(figure, "smoke", data="sample:mnist", **{**TINY, **changes})


def run(out: Path, figure: str = "fig2", **changes: Any) -> Path:
    it = experiment(figure, **changes)
    return runs.prepare(it, load("sample:mnist").images, out, quiet=True)()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("claims")
    run(out)
    return out


@pytest.fixture
def folder(tree: Path, tmp_path: Path) -> Path:
    """The run, as it was before anyone judged it."""
    copied = shutil.copytree(tree / "fig2", tmp_path / "fig2")
    (copied / "judged.json").unlink(missing_ok=True)
    return copied


def bench(**changes: Any) -> judge_runs.Bench:
    classes = (*"0123456789", "A", "B")
    judge = create("Judge", {"classes": classes, "filters": 2, "hidden": 8}, seed=0).eval()
    return judge_runs.Bench(judge, "some-judge", "0" * 64, **{"images": 10, **changes})  # type: ignore[arg-type]


def judged(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


# rules


def check(values: list[float] | None, says: Any = "over", bar: float = 0.0, short: str = "") -> Check:
    """A check of some runs' values."""
    x = None if values is None else hierarchical_bootstrap([[value] for value in values])
    return Check("x", Evidence(x, values or (), short), says, bar)


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
    ],
)
def test_a_check_holds_if_the_whole_interval_is_on_its_side_of_the_bar(says: Any, values: Any, verdict: str) -> None:
    assert check(values, says, 1.0).verdict == verdict


def test_a_check_of_nothing_is_not_run_yet() -> None:
    assert check(None).verdict == MISSING and check(None).note == ""


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
    assert check([-1] * 6, "at most").note == "6 of 6 runs, sign test p = 0.03"


def test_of_checks_that_must_all_hold_the_one_nearest_to_failing_decides() -> None:
    low, high, missing = check([0.1, 0.2, 0.3]), check([5, 6, 7]), check(None)
    assert rules.weakest([high, low]) is low and rules.weakest([low, missing]) is missing


def claim(verdict: str, *readings: str) -> Claim:
    """A claim of a verdict, with readings of others."""
    values = {HOLDS: [1.0, 1.0, 1.0], DOES_NOT: [-1.0] * 3, UNDECIDED: [-1.0, 1.0, 1.0], MISSING: None}
    return Claim("key", "says", "paper", "2", check(values[verdict]), "why", [check(values[each]) for each in readings])


def test_readings_have_no_vote() -> None:
    assert claim(HOLDS, DOES_NOT, MISSING).verdict == HOLDS and claim(DOES_NOT, HOLDS).verdict == DOES_NOT


@pytest.mark.parametrize(
    ("claims", "word"),
    [
        ([claim(HOLDS), claim(HOLDS, DOES_NOT)], rules.REPRODUCED),
        ([claim(HOLDS), claim(DOES_NOT)], rules.PARTLY),
        ([claim(HOLDS), claim(UNDECIDED)], rules.PARTLY),
        ([claim(HOLDS), claim(MISSING)], rules.PARTLY),
        ([claim(UNDECIDED, HOLDS), claim(DOES_NOT)], rules.NOT),
        ([claim(DOES_NOT), claim(MISSING)], rules.NOT),
        ([claim(UNDECIDED, HOLDS), claim(MISSING)], UNDECIDED),
        ([claim(MISSING)], MISSING),
        ([], MISSING),
    ],
)
def test_the_claims_of_a_figure_say_whether_it_was_reproduced(claims: list[Claim], word: str) -> None:
    assert rules.reproduced(claims) == word


def test_the_summary_has_every_figure_with_its_claims() -> None:
    rows = claims_report.glance(claims_report.all_claims(of(fig2=like, fig8=staying)), Path()).splitlines()[2:]
    assert [int(row.split(" | ")[0][2:]) for row in rows] == list(range(2, 14))
    assert "does not: output leaves the data<br>" in rows[0]
    assert f"| **{MISSING}** |" in rows[1]


# claims of runs, from series made up


def series(of: Any, seed: int = 0, count: int = 20, **changes: Any) -> Result:
    """A run whose measures at an iteration are what `of` gives."""
    known = {"seed": seed, "tone": False, "controls": {"unseen data": {"in_class_count_by_sum": 0.8}}}
    return Result("fig", rows={at: of(at, seed) for at in range(count + 1)}, **{**known, **changes})  # type: ignore[arg-type]


def like(at: int, seed: int, growth: float = 0.0) -> dict[str, float]:
    """Every measure from 1 on at iteration 0, growing by that much per doubling, the share of digits shrinking."""
    more = 1 + growth * math.log2(1 + at) * (1 + seed / 100)
    keys = [
        *claims.COMPLEXITY,
        "novelty_mean",
        "frechet_distance",
        "ink",
        "diversity",
        "stroke_count",
        "stroke_width",
    ]
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


def told(known: Results) -> dict[str, str]:
    return {claim.key: claim.verdict for claim in claims_report.all_claims(known)}


def of(**figures: Any) -> Results:
    """Three runs of each figure."""
    return Results(Path("nowhere"), {figure: [series(it, seed) for seed in range(3)] for figure, it in figures.items()})


@pytest.mark.parametrize("key", ["far", "farther", "complex", "rising"])
def test_a_run_that_leaves_the_data_ever_farther_says_so_and_one_that_comes_nearer_too(key: str) -> None:
    assert told(of(fig2=growing, fig8=staying))[f"fig2-{key}"] == HOLDS
    assert told(of(fig2=shrinking, fig8=staying))[f"fig2-{key}"] == DOES_NOT


def test_a_jump_at_once_is_far_and_not_ever_farther() -> None:
    verdicts = told(of(fig2=lambda at, seed: like(min(at, 1), seed, 0.5), fig8=staying))
    assert (verdicts["fig2-far"], verdicts["fig2-farther"]) == (HOLDS, DOES_NOT)
    assert (verdicts["fig2-complex"], verdicts["fig2-rising"]) == (HOLDS, DOES_NOT)


def test_without_a_control_nothing_is_far() -> None:
    assert told(of(fig2=growing))["fig2-far"] == MISSING


def test_what_leaves_no_farther_than_its_controls_does_not_leave() -> None:
    known = of(fig2=staying, fig8=staying, fig10=like)
    assert told(known)["fig2-far"] == DOES_NOT
    for control in ("fig8", "fig10"):
        evidence = claims.beyond_controls(known, control)
        assert Check("x", evidence, "under", 1 - rules.NOTABLE).verdict == DOES_NOT


def test_a_trend_is_held_against_its_size_and_not_against_its_order() -> None:
    """A series that always rises by next to nothing rises by too little."""
    little = told(of(fig2=lambda at, seed: like(at, seed, 0.002)))
    assert (little["fig2-rising"], little["fig2-farther"]) == (DOES_NOT, DOES_NOT)


def test_every_claim_of_runs_is_open_after_two_iterations_or_twenty_images() -> None:
    for few in ({"count": 2}, {"count": 20}):
        runs = {
            figure: [series(growing, seed, few["count"] if few["count"] == 2 else 20) for seed in range(3)]
            for figure in (*claims.COMPLEX, *claims.COLLAPSING, *claims.BASELINES)
        }
        if few["count"] == 20:
            runs = {figure: [replace(run, count=20) for run in each] for figure, each in runs.items()}
        verdicts = {key: it for key, it in told(Results(Path("nowhere"), runs)).items() if key.startswith("fig")}
        assert set(verdicts.values()) <= {UNDECIDED, MISSING} and UNDECIDED in verdicts.values()


def test_runs_that_are_too_short_do_not_count_beside_those_that_are_not() -> None:
    known = Results(Path("nowhere"), {"fig2": [series(growing, seed, 20 if seed else 2) for seed in range(4)]})
    (claim,) = [claim for claim in claims_report.all_claims(known) if claim.key == "fig2-rising"]
    assert claim.verdict == HOLDS and claim.primary.x is not None and claim.primary.x["n"] == 3


@pytest.mark.parametrize(("anew", "verdict"), [(0.1, HOLDS), (0.6, DOES_NOT)])
def test_what_keeps_more_of_itself_from_sheet_to_sheet_is_smoother(anew: float, verdict: str) -> None:
    def keeping(share: float) -> list[Result]:
        return [series(like, seed, kept=np.full(100, share + seed / 100)) for seed in range(3)]

    verdicts = told(Results(Path("nowhere"), {"fig2": keeping(0.6), "fig3": keeping(anew)}))
    assert (verdicts["fig3-smoother"], verdicts["fig2-identity"]) == (verdict, HOLDS)


def test_smoothness_compares_runs_of_the_same_seed_alone() -> None:
    keeping, anew = series(like, 0, kept=np.ones(100)), series(like, 1, kept=np.zeros(100))
    assert told(Results(Path("nowhere"), {"fig2": [keeping], "fig3": [anew]}))["fig3-smoother"] == MISSING


def test_strokes_thicken_if_they_are_wider_at_the_end_than_at_the_first_iteration() -> None:
    def thickening(at: int, seed: int) -> dict[str, float]:
        return {**like(at, seed), "stroke_width": 2 + at}

    figures = ("fig2", "fig3", "fig4", "fig5")
    thick, thin = (told(of(**dict.fromkeys(figures, how))) for how in (thickening, like))
    assert [thick[f"{figure}-strokes"] for figure in figures] == [DOES_NOT, DOES_NOT, HOLDS, DOES_NOT]
    assert [thin[f"{figure}-strokes"] for figure in figures] == [HOLDS, HOLDS, DOES_NOT, HOLDS]


def test_what_was_thick_from_the_first_was_not_thickened() -> None:
    verdicts = told(of(fig5=lambda at, seed: {**like(at, seed), "stroke_width": 2.0 if at else 1.0}))
    assert verdicts["fig5-strokes"] == HOLDS


def test_ink_is_no_evidence_where_every_picture_is_given_that_of_the_data() -> None:
    for tone in (True, False):
        known = Results(Path("nowhere"), {"fig4": [series(like, tone=tone)]})
        (claim,) = [claim for claim in claims_report.all_claims(known) if claim.key == "fig4-strokes"]
        assert any("ink" in check.measure for check in claim.checks) != tone and bool(claim.notes) == tone


@pytest.mark.parametrize("figure", ["fig6", "fig7"])
def test_a_set_that_becomes_one_image_degrades_and_collapses_and_one_that_stays_does_not(figure: str) -> None:
    fallen, whole = told(of(fig2=like, **{figure: collapsing})), told(of(fig2=like, **{figure: like}))
    assert (fallen[f"{figure}-degrades"], fallen[f"{figure}-collapses"]) == (HOLDS, HOLDS)
    assert (whole[f"{figure}-degrades"], whole[f"{figure}-collapses"]) == (DOES_NOT, DOES_NOT)


def test_a_model_stays_with_digits_if_it_loses_little_of_what_it_had_at_first() -> None:
    assert told(of(fig8=like))["fig8-digits"] == HOLDS
    assert told(of(fig8=growing))["fig8-digits"] == DOES_NOT
    low = told(of(fig8=lambda at, seed: {**like(at, seed), "in_class_count_by_sum": 0.3}))
    assert low["fig8-digits"] == HOLDS  # the reading of its first iteration says from how little


@pytest.mark.parametrize(("growth", "verdict"), [(0.4, HOLDS), (0.05, DOES_NOT)])
def test_a_filter_leads_farther_if_it_does_at_the_last_iteration_that_it_was_run_for(
    growth: float, verdict: str
) -> None:
    runs = {
        "fig2": [series(growing, seed) for seed in range(3)],
        "fig2-novel": [series(lambda at, seed: like(at, seed, growth), seed, 10) for seed in range(3)],
    }
    (claim,) = [it for it in claims_report.all_claims(Results(Path("nowhere"), runs)) if it.key == "fig2-novel-farther"]
    assert claim.verdict == verdict and claim.primary.x is not None
    assert claim.primary.evidence.runs[0] == pytest.approx((1 + growth * math.log2(11)) / (1 + 0.1 * math.log2(11)))


def test_images_of_one_seed_are_compared_with_each_other() -> None:
    """Each image gains a stroke from one run to the other: paired there is no spread, however much images differ."""
    strokes = np.arange(100, dtype=np.float32) % 7
    a, b = (
        series(like, images={at: {"stroke_count": strokes + more} for at in range(21)}) for more in (np.float32(1), 0)
    )
    assert claims.difference("stroke_count", a, b).tolist() == [1.0] * 100
    slopes = {"images": {at: {"stroke_count": strokes + np.float32(np.log2(max(at, 1)))} for at in range(21)}}
    assert claims.per_doubling("stroke_count", series(like, **slopes)).tolist() == pytest.approx(
        [1 / strokes.mean()] * 100, rel=1e-4
    )


def test_how_often_an_image_is_nearer_than_the_data_counts_ties_as_half() -> None:
    images = {0: {"novelty": np.array([1, 2, 3, 4])}, 20: {"novelty": np.array([0, 2, 9])}}
    assert claims.nearer(series(like, images=images)).tolist() == [1.0, 0.625, 0.0]


# the results that are shipped, and their negative controls


@pytest.fixture(scope="module")
def shipped() -> Results:
    return rules.read(hub.CHECKPOINTS)


def test_no_gan_and_no_vae_leaves_the_data_by_what_the_symbols_do(shipped: Results) -> None:
    def leaves(figure: str) -> Check:
        return Check("x", claims.beyond_controls(shipped, figure), "under", 1 - rules.NOTABLE)

    for figure in claims.BASELINES:
        evidence = leaves(figure).evidence
        assert evidence.runs and all(value > 1 - rules.NOTABLE for value in evidence.runs), figure
        assert leaves(figure).verdict != HOLDS
    assert leaves("fig2").verdict == HOLDS


def test_the_baselines_have_fewer_strokes_than_the_symbols(shipped: Results) -> None:
    """By the length of edges a GAN is as complex; its frayed pixels are no strokes."""

    def strokes(figure: str) -> float:
        return float(np.mean(shipped.over(figure, lambda run: claims.at_last("stroke_count", run)).runs))

    assert max(strokes(figure) for figure in claims.BASELINES) < 0.8 * strokes("fig2")


# claims of studies


def over(*values: float) -> dict[str, Any]:
    return {"difference": dict(interval(values))}


def table1(noisy: float = 1.0) -> dict[str, Any]:
    order = {"low-active > random": over(1, 1.1, 1.2), "random > noisy": over(9, 9.1, 9.2)}
    return {"sets": {"mnist": {"order": {**order, "noisy > regular": over(noisy, 1.1 * noisy, 1.2 * noisy)}}}}


@pytest.mark.parametrize(("noisy", "verdict"), [(1.0, HOLDS), (-1.0, DOES_NOT)])
def test_the_order_of_methods_holds_if_every_difference_does(noisy: float, verdict: str) -> None:
    assert told(Results(Path("nowhere"), table1=table1(noisy)))["creative-order"] == verdict


@pytest.mark.parametrize(("noisy", "verdict"), [(1.0, HOLDS), (9.0, DOES_NOT)])
def test_noisy_decoding_is_like_regular_if_it_goes_little_of_the_way_to_random(noisy: float, verdict: str) -> None:
    assert told(Results(Path("nowhere"), table1=table1(noisy)))["creative-noisy"] == verdict


@pytest.mark.parametrize(("sign", "verdict"), [(1, HOLDS), (-1, DOES_NOT)])
def test_depth_helps_if_samples_become_surer_and_nearer(sign: int, verdict: str) -> None:
    up, down = interval([sign, 1.1 * sign, 1.2 * sign]), interval([-sign, -1.1 * sign, -1.2 * sign])
    found = {"depth": {"confidence": up, "distance": down, "first": down}}
    verdicts = told(Results(Path("nowhere"), study={"trends": found}))
    assert [verdicts[f"kaleidoscope-depth-{key}"] for key in ("better", "nearer")] == [verdict, verdict]


@pytest.mark.parametrize(("still", "left", "verdicts"), [(0.9, 20, (HOLDS, HOLDS)), (0.1, 180, (DOES_NOT, DOES_NOT))])
def test_samples_settle_if_most_stand_still_and_collapse_if_few_differ(still: float, left: int, verdicts: Any) -> None:
    end = {
        "still": interval([still, still + 0.01, still + 0.02]), "distinct": interval([left, left + 1.0, left + 2.0])
    }  # fmt: skip
    nearer = {
        "claim": "samples of run 10 are nearer to it than unseen images",
        "numbers": {"nearer_by": interval([1, 1.1, 1.2])},
    }
    study = {"perturbations": {sweeps.USUAL: end}, "verdicts": [nearer], "sizes": {"samples": 200}}
    found = told(Results(Path("nowhere"), study=study))
    assert (found["kaleidoscope-settle"], found["kaleidoscope-few"]) == verdicts
    assert found["kaleidoscope-recovered"] == HOLDS


@pytest.mark.parametrize(
    ("letters", "parzen", "verdict"), [(0.5, -9.0, HOLDS), (0.0, -9.0, DOES_NOT), (0.5, 9.0, DOES_NOT)]
)
def test_measures_of_novelty_put_letters_first_and_parzen_windows_do_not(
    letters: float, parzen: float, verdict: str
) -> None:
    names = [measure for measure, *_ in claims.RANKED]
    known, novel = (dict.fromkeys(names, value) for value in (0.1, letters))
    sets = {name: {**known, "parzen": 0.0} for name in claims.NOT_NOVEL}
    controls = {**sets, "letters": {**novel, "parzen": parzen}}
    one = replace(series(like), controls=controls)
    runs = [replace(one, seed=seed, rows={**one.rows, 0: {**known, "parzen": 0.0}}) for seed in range(3)]
    assert told(Results(Path("nowhere"), {"fig2": runs}))["novelty-ranking"] == verdict


# the page


def test_where_nothing_was_run_every_claim_says_so(tmp_path: Path) -> None:
    known = rules.read(tmp_path)
    assert set(told(known).values()) == {MISSING}
    assert f"not run yet {len(told(known))}." in claims_report.markdown(known, tmp_path)


def test_every_claim_has_a_key_of_its_own() -> None:
    keys = [claim.key for claim in claims_report.all_claims(Results(Path("nowhere")))]
    assert len(keys) == len(set(keys)) > 40


def test_every_claim_says_why_it_is_measured_as_it_is() -> None:
    claims = claims_report.all_claims(Results(Path("nowhere")))
    assert all(len(claim.reason) > 40 and claim.reason.endswith(".") for claim in claims)


def test_a_run_of_seconds_gets_no_verdict(tree: Path) -> None:
    known = rules.read(tree)
    about = [claim for claim in claims_report.all_claims(known) if claim.figure == "2" and claim.verdict != MISSING]
    assert about and {claim.verdict for claim in about} == {UNDECIDED}
    assert {claims_report.verdict(claim) for claim in about} == {"not decided: 20 images"}


def test_the_command_writes_the_same_bytes_twice_and_links_to_pictures_that_exist(tree: Path, tmp_path: Path) -> None:
    written = []
    for name in ("a", "b"):
        assert cli.main(["claims", "--from", str(tree), "--out", str(tmp_path / name)]) == 0
        written.append([(tmp_path / name / file).read_bytes() for file in ("CLAIMS.md", "claims.json")])
    assert written[0] == written[1]
    pictures = {claim["picture"] for claim in json.loads(written[0][1])["claims"]} - {None}
    assert pictures and all((tmp_path / "a" / picture).exists() for picture in pictures)


def test_a_table_has_as_many_cells_in_every_row(tree: Path) -> None:
    page = claims_report.markdown(rules.read(tree), tree)
    tables = [part.splitlines() for part in page.split("\n\n") if part.startswith("|")]
    assert len(tables) == 3
    assert all(len({line.count(" | ") for line in lines}) == 1 for lines in tables)


def test_runs_from_other_seeds_count_for_the_same_figure(folder: Path) -> None:
    shutil.copytree(folder, folder.with_name("fig2-novel"))
    config = shutil.copytree(folder, folder.with_name("fig2-seed1")) / "config.json"
    config.write_text(config.read_text().replace('"seed": 0', '"seed": 1'))
    found = rules.read(folder.parent).runs
    assert [one.seed for one in found["fig2"]] == [0, 1] and len(found["fig2-novel"]) == 1


def test_results_that_cannot_be_read_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "creative").mkdir()
    (tmp_path / "creative" / "table1.json").write_text("{")
    assert cli.main(["claims", "--from", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "table1.json" in capsys.readouterr().err


@pytest.mark.skipif(not (ROOT / "CLAIMS.md").exists(), reason="no claims in this copy")
def test_the_claims_that_are_shipped_are_those_of_the_results_that_are() -> None:
    known = rules.read(hub.CHECKPOINTS)
    assert (ROOT / "CLAIMS.md").read_text(encoding="utf-8") == claims_report.markdown(known, ROOT)
    assert json.loads((hub.CHECKPOINTS / "claims.json").read_text()) == claims_report.as_dict(known, ROOT)


@pytest.mark.skipif(not (ROOT / "CLAIMS.md").exists(), reason="no claims in this copy")
def test_the_prose_of_shipped_results_is_all_used_and_its_links_lead_somewhere_from_any_folder(tmp_path: Path) -> None:
    known = rules.read(hub.CHECKPOINTS)
    page, prose = (
        claims_report.markdown(known, tmp_path),
        claims_report.prose_of(known, claims_report._link(known.root, tmp_path)),
    )
    assert len(prose) > 10 and all(text in page for text in prose.values())
    links = [link for link in re.findall(r"\]\(([^)]+)\)", page) if "://" not in link]
    assert links and [link for link in links if not (tmp_path / link).exists()] == []


def test_the_prose_is_of_the_shipped_results_alone(tree: Path) -> None:
    assert claims_report.prose_of(rules.read(tree), "there") == {}


# judging


def test_a_judged_run_has_a_row_for_each_iteration_and_the_data_and_controls_beside_it(tree: Path) -> None:
    letters = torch.full((30, 1, 28, 28), 200, dtype=torch.uint8)
    found = judged(judge_runs.judge(tree / "fig2", bench(letters=letters)))
    assert [row["iteration"] for row in found["rows"]] == [0, 1, 2, 3]
    assert list(found["controls"]) == ["blank", "letters", "noise", "unseen data"]  # sorted, as all JSON is
    assert found["rows"][0]["memorised_share"] == 1.0 and claims.IN_CLASS in found["rows"][3]


def test_what_is_judged_is_kept_and_what_is_not_is_done(folder: Path) -> None:
    path = judge_runs.judge(folder, bench())
    whole, heard = judged(path), list[str]()
    path.write_text(json.dumps({**whole, "rows": whole["rows"][:2]}))
    judge_runs.judge(path.parent, bench(), heard.append)
    assert heard == ["iteration 2", "iteration 3"] and judged(path) == whole


def test_another_judge_begins_anew(folder: Path) -> None:
    heard = list[str]()
    judge_runs.judge(folder, bench())
    judge_runs.judge(folder, replace(bench(), sha256="1" * 64), heard.append)
    assert len(heard) == 3 + 4


def again(folder: Path) -> tuple[bytes, bytes]:
    """What is judged of the images that were kept, and of those made again."""
    path = judge_runs.judge(folder, bench(images=20))
    before = path.read_bytes()
    assert len(from_npy(folder / "iter_001" / "said.npy")) == 20
    for stored in [path, *folder.glob("*/said.npy")]:
        stored.unlink()
    return before, judge_runs.judge(folder, bench(images=20)).read_bytes()


def test_images_that_were_not_kept_are_made_again_as_they_were(folder: Path) -> None:
    before, after = again(folder)
    assert before == after


def test_so_are_those_of_a_model_of_32_pixels(tmp_path: Path) -> None:
    before, after = again(run(tmp_path, "fig8", model={"filters": 2}, later_batch=None, iterations=1))
    assert before == after


def test_a_run_without_a_data_set_is_judged_by_what_it_was_measured_on(tmp_path: Path) -> None:
    found = judged(judge_runs.judge(run(tmp_path, "fig7", iterations=2, lecture_steps=1), bench()))
    assert [row["iteration"] for row in found["rows"]] == [0, 1, 2]


def test_images_without_a_model_or_a_copy_are_left_out(folder: Path) -> None:
    for name in ("said.npy", "model.safetensors"):
        (folder / "iter_002" / name).unlink()
    assert [row["iteration"] for row in judged(judge_runs.judge(folder, bench()))["rows"]] == [0, 1, 3]


def test_what_was_kept_back_was_not_learned() -> None:
    them = judge_runs.subjects(experiment(), 20)
    learned = {image.numpy().tobytes() for image in them.training}
    kept = torch.cat([them.reference, them.controls["unseen data"]])
    assert len(kept) == 40 and not any(image.numpy().tobytes() in learned for image in kept)


def test_a_run_that_learned_everything_keeps_nothing_back() -> None:
    with pytest.raises(ValueError, match="learned all of sample:mnist"):
        judge_runs.subjects(experiment(images=1000), 20)


def test_digits_of_32_pixels_come_back_to_28_nearly_as_they_were() -> None:
    x = load("sample:mnist", limit=100).images
    there_and_back = resized(resized(x, 32), 28)
    assert there_and_back.shape == x.shape
    assert (there_and_back.float() - x.float()).square().mean().sqrt() / 255 < 0.05
    assert resized(x, 28) is x


@pytest.mark.parametrize("wrong", ["nowhere", "checkpoints/kaleidoscope-1d"])
def test_what_is_no_run_is_refused_in_one_sentence(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["judge", str(ROOT / wrong)]) == 2
    assert "holds no run of iterations" in capsys.readouterr().err


def test_the_command_judges_by_a_judge_of_a_tree_and_draws_all_sheets(folder: Path, tmp_path: Path) -> None:
    tiny = ["--scale", "smoke", "--data", "sample:mnist", "--quiet", "--set", "steps=2", "--set", "model.filters=2"]
    assert cli.main(["train", "judge-digits", *tiny, "--out", str(tmp_path)]) == 0
    judge = ["--judge", "judge-digits", "--judges", str(tmp_path), "--images", "10", "--root", str(tmp_path), "--quiet"]
    assert cli.main(["judge", str(folder), *judge]) == 0
    entry = hub.read_index(tmp_path)["experiments"]["judge-digits"]["iterations"][0]
    assert judged(folder / "judged.json")["sha256"] == entry["sha256"] and (folder / "contact.png").exists()


# contact sheets


def test_a_contact_sheet_holds_every_sheet_pixel_by_pixel_in_sixteen_greys(tree: Path) -> None:
    from io import BytesIO

    from PIL import Image

    from toolkit import plot

    with (
        Image.open(BytesIO(release.contact(tree / "fig2"))) as page,
        Image.open(tree / "fig2" / "iter_002" / "samples.png") as sheet,
    ):
        x = release.GAP + 2 * (280 + release.GAP)
        box = (x, release.GAP + release.LABEL, x + 280, release.GAP + release.LABEL + 280)
        shown, grey = (plot.tiles(each.convert("L"), 28).float() for each in (page.crop(box), sheet))
        assert (shown - grey).abs().max() <= 8 and len(shown.unique()) > 3 and not (shown % 17).any()


def sheets(folder: Path, *each: torch.Tensor) -> Path:
    from toolkit import plot

    for number, x in enumerate(each):
        (folder / f"iter_{number:03d}").mkdir()
        (folder / f"iter_{number:03d}" / "samples.png").write_bytes(plot.png(x, columns=10))
    return folder


def test_images_that_stay_as_they_are_keep_all_of_themselves(tmp_path: Path) -> None:
    x = torch.rand(100, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert release.kept(sheets(tmp_path, x, x, x)).tolist() == [1.0] * 100


def test_images_that_change_places_keep_nothing(tmp_path: Path) -> None:
    x = torch.rand(100, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    found = release.kept(sheets(tmp_path, x, x, x.roll(1, 0)))
    assert abs(found.mean()) < 0.02 and found.shape == (100,)


def test_what_goes_half_of_the_way_to_another_keeps_about_half(tmp_path: Path) -> None:
    x, other = torch.rand(2, 100, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert release.kept(sheets(tmp_path, x, x, (x + other) / 2)).mean() == pytest.approx(0.42, abs=0.05)


def test_one_sheet_alone_keeps_nothing_that_could_be_told(tmp_path: Path) -> None:
    x = torch.zeros(100, 1, 8, 8)
    with pytest.raises(ValueError, match="no two sample sheets"):
        release.kept(sheets(tmp_path, x, x))


def test_a_folder_without_sheets_has_no_contact_sheet(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no sample sheets"):
        release.contact(tmp_path)
