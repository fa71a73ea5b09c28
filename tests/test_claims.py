"""The claims: bars and verdicts in every direction, what is missing, runs before a judge, the page as it is shipped."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from toolkit import cli, hub, runs
from toolkit.claims import iterated, judging, report, results, rules, sections, studies, subjects
from toolkit.claims.results import Result, Results
from toolkit.claims.rules import DOES_NOT, HOLDS, MISSING, UNDECIDED, Check, Claim
from toolkit.datasets import load
from toolkit.metrics.interval import interval
from toolkit.models import create
from toolkit.presets import preset
from toolkit.runs import contact
from toolkit.store import from_npy

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


def bench(**changes: Any) -> judging.Bench:
    classes = (*"0123456789", "A", "B")
    judge = create("Judge", {"classes": classes, "filters": 2, "hidden": 8}, seed=0).eval()
    return judging.Bench(judge, "some-judge", "0" * 64, **{"images": 10, **changes})  # type: ignore[arg-type]


def judged(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


# rules


@pytest.mark.parametrize(
    ("says", "values", "verdict"),
    [
        ("over", [1.2, 1.3, 1.25], HOLDS),
        ("over", [0.8, 0.9, 0.85], DOES_NOT),
        ("over", [0.8, 1.3, 1.1], UNDECIDED),
        ("over", [1.0, 1.0], DOES_NOT),
        ("at most", [1.0, 1.0], HOLDS),
        ("at most", [1.2, 1.3, 1.25], DOES_NOT),
        ("at most", [0.8, 1.3, 1.1], UNDECIDED),
        ("under", [0.8, 0.9, 0.85], HOLDS),
        ("under", [1.0, 1.0], DOES_NOT),
        ("at least", [1.0, 1.0], HOLDS),
        ("over", [1.01], HOLDS),
        ("under", [1.01], DOES_NOT),
    ],
)
def test_a_check_holds_if_the_whole_interval_is_on_its_side_of_the_bar(says: Any, values: Any, verdict: str) -> None:
    assert Check("x", interval(values), says, 1.0).verdict == verdict


def test_a_check_of_nothing_is_not_run_yet() -> None:
    assert Check("x", None).verdict == MISSING


@pytest.mark.parametrize(
    ("together", "verdicts", "verdict"),
    [
        ("every", [HOLDS, HOLDS], HOLDS),
        ("every", [HOLDS, UNDECIDED], UNDECIDED),
        ("every", [HOLDS, MISSING], MISSING),
        ("every", [MISSING, DOES_NOT, HOLDS], DOES_NOT),
        ("agree", [HOLDS, HOLDS, MISSING], HOLDS),
        ("agree", [DOES_NOT, DOES_NOT], DOES_NOT),
        ("agree", [HOLDS, DOES_NOT], UNDECIDED),
        ("agree", [MISSING, MISSING], MISSING),
        ("any", [DOES_NOT, MISSING, HOLDS], HOLDS),
        ("any", [DOES_NOT, MISSING], MISSING),
        ("any", [DOES_NOT, UNDECIDED], UNDECIDED),
        ("any", [DOES_NOT, DOES_NOT], DOES_NOT),
    ],
)
def test_checks_tell_together_what_parts_readings_or_alternatives_tell(
    together: str, verdicts: Any, verdict: str
) -> None:
    assert rules.TOGETHER[together](verdicts) == verdict


def claim(*verdicts: str) -> Claim:
    """A claim with one check of each verdict."""
    numbers = {HOLDS: interval([1.0]), DOES_NOT: interval([-1.0]), UNDECIDED: interval([-1.0, 1.0]), MISSING: None}
    return Claim("key", "says", "paper", "2", [Check("x", numbers[verdict]) for verdict in verdicts])


@pytest.mark.parametrize(
    ("claims", "word"),
    [
        ([claim(HOLDS), claim(HOLDS, HOLDS)], rules.REPRODUCED),
        ([claim(HOLDS), claim(DOES_NOT)], rules.PARTLY),
        ([claim(HOLDS), claim(UNDECIDED)], rules.PARTLY),
        ([claim(HOLDS), claim(MISSING)], rules.PARTLY),
        ([claim(HOLDS, UNDECIDED)], rules.PARTLY),
        ([claim(HOLDS, UNDECIDED), claim(DOES_NOT)], rules.PARTLY),
        ([claim(DOES_NOT), claim(UNDECIDED)], rules.NOT),
        ([claim(DOES_NOT), claim(MISSING)], rules.NOT),
        ([claim(UNDECIDED), claim(MISSING)], UNDECIDED),
        ([claim(MISSING)], MISSING),
        ([], MISSING),
    ],
)
def test_the_claims_of_a_figure_say_whether_it_was_reproduced(claims: list[Claim], word: str) -> None:
    assert rules.reproduced(claims) == word


def test_the_summary_has_every_figure_with_its_claims() -> None:
    rows = report.glance(report.claims(of(fig2=like, fig8=shrinking)), Path()).splitlines()[2:]
    assert [int(row.split(" | ")[0][2:]) for row in rows] == list(range(2, 14))
    assert "| **not** | does not: output leaves the data<br>" in rows[0]
    assert f"| **{MISSING}** |" in rows[1]


def test_one_run_can_at_most_hold_in_the_one_run() -> None:
    alone, three = (Claim("k", "c", "p", "2", [Check("x", interval(v))]) for v in ([1.0], [1.0, 1.1, 1.2]))
    assert (report.verdict(alone), report.verdict(three)) == ("holds in the one run", "holds")


def test_a_trend_takes_more_than_chance_and_four_iterations_never_make_one() -> None:
    assert rules.by_chance(20) == pytest.approx(0.45, abs=0.001)
    assert rules.by_chance(4) == 1.0


# claims of runs, from series made up


def series(of: Any, seed: int = 0, count: int = 20, **changes: Any) -> Result:
    """A run whose measures at an iteration are what `of` gives."""
    known = {"seed": seed, "tone": False, "different": 1.0, "controls": {"unseen data": {iterated.IN_CLASS: 0.8}}}
    return Result("fig", rows={at: of(at, seed) for at in range(count + 1)}, **{**known, **changes})  # type: ignore[arg-type]


def like(at: int, seed: int, growth: float = 0.0) -> dict[str, float]:
    """Every measure from 1 on at iteration 0, growing by that much per iteration."""
    more = 1 + growth * at * (1 + seed / 100)
    keys = [*iterated.COMPLEXITY, *iterated.DISTANCE, "ink", "diversity", "class_diversity", "object_score"]
    return {**dict.fromkeys(keys, more), "unique_share": 1.0, "blank_share": 0.0, iterated.IN_CLASS: 0.8 / more}


def shrinking(at: int, seed: int) -> dict[str, float]:
    return {**like(at, seed, -0.03), iterated.IN_CLASS: 0.9}


def collapsing(at: int, seed: int) -> dict[str, float]:
    return {**like(at, seed, 0.1), "object_score": 1 / (1 + at), "unique_share": 1 / (1 + at)}


def told(known: Results) -> dict[str, str]:
    return {claim.key: claim.verdict for claim in report.claims(known)}


def of(**figures: Any) -> Results:
    """Three runs of each figure."""
    return Results(Path("nowhere"), {figure: [series(it, seed) for seed in range(3)] for figure, it in figures.items()})


@pytest.mark.parametrize("key", ["far", "farther", "complex", "rising"])
def test_a_run_that_leaves_the_data_ever_farther_says_so_and_one_that_comes_nearer_too(key: str) -> None:
    growing = told(of(fig2=lambda at, seed: like(at, seed, 0.05)))
    assert growing[f"fig2-{key}"] == HOLDS
    assert told(of(fig2=shrinking))[f"fig2-{key}"] == DOES_NOT


def test_a_jump_at_once_is_far_and_not_ever_farther() -> None:
    verdicts = told(of(fig2=lambda at, seed: like(min(at, 1), seed, 0.5)))
    assert (verdicts["fig2-far"], verdicts["fig2-farther"]) == (HOLDS, DOES_NOT)
    assert (verdicts["fig2-complex"], verdicts["fig2-rising"]) == (HOLDS, DOES_NOT)


def test_a_trend_of_the_few_iterations_that_were_judged_takes_a_higher_bar() -> None:
    few = {at: row for at, row in series(lambda at, seed: like(at, seed, 0.05)).rows.items() if at % 5 == 0}
    known = Results(Path("nowhere"), {"fig2": [replace(series(like), rows=few)]})
    (claim,) = [claim for claim in report.claims(known) if claim.key == "fig2-farther"]
    assert [check.bar for check in claim.checks] == [rules.by_chance(4), rules.by_chance(4), -rules.by_chance(4)]


@pytest.mark.parametrize(("factor", "verdict"), [(2.0, HOLDS), (0.5, DOES_NOT)])
def test_what_changes_less_from_sheet_to_sheet_is_smoother(factor: float, verdict: str) -> None:
    keeping = [series(like, seed, steps=dict.fromkeys(range(2, 21), 0.1 + seed / 100)) for seed in range(3)]
    anew = [replace(one, steps={at: factor * step for at, step in one.steps.items()}) for one in keeping]
    assert told(Results(Path("nowhere"), {"fig2": keeping, "fig3": anew}))["fig3-smoother"] == verdict


def test_smoothness_compares_runs_of_the_same_seed_alone() -> None:
    keeping, anew = series(like, 0, steps={2: 0.1}), series(like, 1, steps={2: 0.2})
    assert told(Results(Path("nowhere"), {"fig2": [keeping], "fig3": [anew]}))["fig3-smoother"] == MISSING


def test_strokes_thicken_if_there_is_more_ink_to_the_length_of_their_edge() -> None:
    thick = of(fig4=lambda at, seed: {**like(at, seed), "ink": 1 + at}, fig3=like, fig5=like)
    assert [told(thick)[f"fig{n}-strokes"] for n in (4, 3, 5)] == [HOLDS, HOLDS, HOLDS]
    other = of(fig4=like, fig3=lambda at, seed: {**like(at, seed), "ink": 1 + at})
    assert [told(other)[f"fig{n}-strokes"] for n in (4, 3)] == [DOES_NOT, DOES_NOT]


def test_ink_is_no_evidence_where_every_picture_is_given_that_of_the_data() -> None:
    known = Results(Path("nowhere"), {"fig4": [series(like, tone=True)]})
    (claim,) = [claim for claim in report.claims(known) if claim.key == "fig4-strokes"]
    assert len(claim.checks) == 1 and claim.notes == [iterated.TONE]


@pytest.mark.parametrize("figure", ["fig6", "fig7"])
def test_a_set_that_becomes_one_image_degrades_and_collapses_and_one_that_stays_does_not(figure: str) -> None:
    fallen, whole = told(of(fig2=like, **{figure: collapsing})), told(of(fig2=like, **{figure: like}))
    assert (fallen[f"{figure}-degrades"], fallen[f"{figure}-collapses"]) == (HOLDS, HOLDS)
    assert (whole[f"{figure}-degrades"], whole[f"{figure}-collapses"]) == (DOES_NOT, DOES_NOT)


def test_a_set_of_nearly_one_image_has_collapsed_too() -> None:
    results = of(fig6=like)
    near = [replace(run, different=0.1) for run in results.runs["fig6"]]
    assert told(replace(results, runs={**results.runs, "fig6": near}))["fig6-collapses"] == HOLDS


def test_a_model_stays_with_digits_if_most_are_digits_and_more_than_those_of_figure_2() -> None:
    leaving, staying = (lambda at, seed: like(at, seed, 0.2)), like
    assert told(of(fig2=leaving, fig8=staying))["fig8-digits"] == HOLDS
    assert told(of(fig2=leaving, fig8=leaving))["fig8-digits"] == DOES_NOT
    assert told(of(fig2=staying, fig8=staying))["fig8-digits"] == DOES_NOT
    assert told(of(fig8=staying))["fig8-digits"] == MISSING


@pytest.mark.parametrize(("growth", "verdict"), [(0.2, HOLDS), (0.05, DOES_NOT)])
def test_a_filter_leads_farther_if_it_does_at_the_last_iteration_that_it_was_run_for(
    growth: float, verdict: str
) -> None:
    whole, short = (lambda at, seed: like(at, seed, 0.1)), (lambda at, seed: like(at, seed, growth))
    runs = {"fig2": [series(whole)], "fig2-novel": [series(short, count=10)]}
    (claim,) = [it for it in report.claims(Results(Path("nowhere"), runs)) if it.key == "fig2-novel-farther"]
    assert claim.verdict == verdict and claim.checks[0].x is not None
    assert claim.checks[0].x["mean"] == pytest.approx((1 + 10 * growth) / 2)


# claims of studies


def over(*values: float) -> dict[str, Any]:
    return {"difference": dict(interval(values))}


def table1(noisy: float = 1.0) -> dict[str, Any]:
    order = {"low-active > random": over(1, 1.1, 1.2), "random > noisy": over(2, 2.1, 2.2)}
    return {"sets": {"mnist": {"order": {**order, "noisy > regular": over(noisy, 1.1 * noisy, 1.2 * noisy)}}}}


@pytest.mark.parametrize(("noisy", "verdict"), [(1.0, HOLDS), (-1.0, DOES_NOT)])
def test_the_order_of_methods_holds_if_every_difference_does(noisy: float, verdict: str) -> None:
    assert told(Results(Path("nowhere"), table1=table1(noisy)))["creative-order"] == verdict


@pytest.mark.parametrize(("sign", "verdict"), [(1, HOLDS), (-1, DOES_NOT)])
def test_depth_helps_if_samples_become_surer_and_nearer(sign: int, verdict: str) -> None:
    trend = {"confidence": interval([sign, 1.1 * sign]), "distance": interval([-sign, -1.1 * sign])}
    found = {"depth": {**trend, "first": interval([-sign, -1.1 * sign])}}
    verdicts = told(Results(Path("nowhere"), study={"trends": found}))
    assert [verdicts[f"kaleidoscope-depth-{key}"] for key in ("better", "nearer")] == [verdict, verdict]


@pytest.mark.parametrize(("still", "kept", "verdicts"), [(0.9, 0.1, (HOLDS, HOLDS)), (0.1, 0.9, (DOES_NOT, DOES_NOT))])
def test_samples_settle_if_most_stand_still_and_collapse_if_few_differ(
    still: float, kept: float, verdicts: Any
) -> None:
    end = {"still": interval([still, still + 0.01]), "kept": interval([kept, kept + 0.01])}
    nearer = {
        "claim": "samples of run 10 are nearer to it than unseen images",
        "numbers": {"nearer_by": interval([1, 1.1])},
    }
    study = {"perturbations": {studies.USUAL: end}, "verdicts": [nearer]}
    found = told(Results(Path("nowhere"), study=study))
    assert (found["kaleidoscope-settle"], found["kaleidoscope-few"]) == verdicts


@pytest.mark.parametrize(
    ("letters", "parzen", "verdict"), [(0.5, -9.0, HOLDS), (0.0, -9.0, DOES_NOT), (0.5, 9.0, DOES_NOT)]
)
def test_measures_of_novelty_put_letters_first_and_parzen_windows_do_not(
    letters: float, parzen: float, verdict: str
) -> None:
    known, novel = (dict.fromkeys(studies.RANKED, value) for value in (0.1, letters))
    sets = {name: {**known, "parzen": 0.0} for name in studies.NOT_NOVEL}
    controls = {**sets, "letters": {**novel, "parzen": parzen}}
    one = replace(series(like, count=1), rows={0: {**known, "parzen": 0.0}, 1: {}}, controls=controls)
    assert told(Results(Path("nowhere"), {"fig2": [one]}))["novelty-ranking"] == verdict


# the page


def test_where_nothing_was_run_every_claim_says_so(tmp_path: Path) -> None:
    known = results.read(tmp_path)
    assert set(told(known).values()) == {MISSING}
    assert f"not run yet {len(told(known))}." in report.markdown(known, tmp_path)


def test_every_claim_has_a_key_of_its_own() -> None:
    keys = [claim.key for claim in report.claims(Results(Path("nowhere")))]
    assert len(keys) == len(set(keys)) > 25


def test_the_command_writes_the_same_bytes_twice_and_links_to_pictures_that_exist(tree: Path, tmp_path: Path) -> None:
    written = []
    for name in ("a", "b"):
        assert cli.main(["claims", "--from", str(tree), "--out", str(tmp_path / name)]) == 0
        written.append([(tmp_path / name / file).read_bytes() for file in ("CLAIMS.md", "claims.json")])
    assert written[0] == written[1]
    pictures = {claim["picture"] for claim in json.loads(written[0][1])["claims"]} - {None}
    assert pictures and all((tmp_path / "a" / picture).exists() for picture in pictures)


def test_a_table_has_as_many_cells_in_every_row(tree: Path) -> None:
    page = report.markdown(results.read(tree), tree)
    tables = [part.splitlines() for part in page.split("\n\n") if part.startswith("|")]
    assert len(tables) == 3
    assert all(len({line.count(" | ") for line in lines}) == 1 for lines in tables)


def test_runs_from_other_seeds_count_for_the_same_figure(folder: Path) -> None:
    shutil.copytree(folder, folder.with_name("fig2-novel"))
    config = shutil.copytree(folder, folder.with_name("fig2-seed1")) / "config.json"
    config.write_text(config.read_text().replace('"seed": 0', '"seed": 1'))
    found = results.read(folder.parent).runs
    assert [one.seed for one in found["fig2"]] == [0, 1] and len(found["fig2-novel"]) == 1


def test_results_that_cannot_be_read_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "creative").mkdir()
    (tmp_path / "creative" / "table1.json").write_text("{")
    assert cli.main(["claims", "--from", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "table1.json" in capsys.readouterr().err


@pytest.mark.skipif(not (ROOT / "CLAIMS.md").exists(), reason="no claims in this copy")
def test_the_claims_that_are_shipped_are_those_of_the_results_that_are() -> None:
    known = results.read(hub.CHECKPOINTS)
    assert (ROOT / "CLAIMS.md").read_text(encoding="utf-8") == report.markdown(known, ROOT)
    assert json.loads((hub.CHECKPOINTS / "claims.json").read_text()) == report.as_dict(known, ROOT)


@pytest.mark.skipif(not (ROOT / "CLAIMS.md").exists(), reason="no claims in this copy")
def test_the_prose_of_shipped_results_is_all_used_and_its_links_lead_somewhere_from_any_folder(tmp_path: Path) -> None:
    known = results.read(hub.CHECKPOINTS)
    page, prose = report.markdown(known, tmp_path), sections.prose(known, report._link(known.root, tmp_path))
    assert len(prose) > 10 and all(text in page for text in prose.values())
    links = [link for link in re.findall(r"\]\(([^)]+)\)", page) if "://" not in link]
    assert links and [link for link in links if not (tmp_path / link).exists()] == []


def test_the_prose_is_of_the_shipped_results_alone(tree: Path) -> None:
    assert sections.prose(results.read(tree), "there") == {}


# judging


def test_a_judged_run_has_a_row_for_each_iteration_and_the_data_and_controls_beside_it(tree: Path) -> None:
    letters = torch.full((30, 1, 28, 28), 200, dtype=torch.uint8)
    found = judged(judging.judge(tree / "fig2", bench(letters=letters)))
    assert [row["iteration"] for row in found["rows"]] == [0, 1, 2, 3]
    assert list(found["controls"]) == ["blank", "letters", "noise", "unseen data"]  # sorted, as all JSON is
    assert found["rows"][0]["memorised_share"] == 1.0 and iterated.IN_CLASS in found["rows"][3]


def test_what_is_judged_is_kept_and_what_is_not_is_done(folder: Path) -> None:
    path = judging.judge(folder, bench())
    whole, heard = judged(path), list[str]()
    path.write_text(json.dumps({**whole, "rows": whole["rows"][:2]}))
    judging.judge(path.parent, bench(), heard.append)
    assert heard == ["iteration 2", "iteration 3"] and judged(path) == whole


def test_another_judge_begins_anew(folder: Path) -> None:
    heard = list[str]()
    judging.judge(folder, bench())
    judging.judge(folder, replace(bench(), sha256="1" * 64), heard.append)
    assert len(heard) == 3 + 4


def again(folder: Path) -> tuple[bytes, bytes]:
    """What is judged of the images that were kept, and of those made again."""
    path = judging.judge(folder, bench(images=20))
    before = path.read_bytes()
    assert len(from_npy(folder / "iter_001" / "said.npy")) == 20
    for stored in [path, *folder.glob("*/said.npy")]:
        stored.unlink()
    return before, judging.judge(folder, bench(images=20)).read_bytes()


def test_images_that_were_not_kept_are_made_again_as_they_were(folder: Path) -> None:
    before, after = again(folder)
    assert before == after


def test_so_are_those_of_a_model_of_32_pixels(tmp_path: Path) -> None:
    before, after = again(run(tmp_path, "fig8", model={"filters": 2}, later_batch=None, iterations=1))
    assert before == after


def test_a_run_without_a_data_set_is_judged_by_what_it_was_measured_on(tmp_path: Path) -> None:
    found = judged(judging.judge(run(tmp_path, "fig7", iterations=2, lecture_steps=1), bench()))
    assert [row["iteration"] for row in found["rows"]] == [0, 1, 2]


def test_images_without_a_model_or_a_copy_are_left_out(folder: Path) -> None:
    for name in ("said.npy", "model.safetensors"):
        (folder / "iter_002" / name).unlink()
    assert [row["iteration"] for row in judged(judging.judge(folder, bench()))["rows"]] == [0, 1, 3]


def test_what_was_kept_back_was_not_learned() -> None:
    them = subjects.subjects(experiment(), 20)
    learned = {image.numpy().tobytes() for image in them.training}
    kept = torch.cat([them.reference, them.controls["unseen data"]])
    assert len(kept) == 40 and not any(image.numpy().tobytes() in learned for image in kept)


def test_a_run_that_learned_everything_keeps_nothing_back() -> None:
    with pytest.raises(ValueError, match="learned all of sample:mnist"):
        subjects.subjects(experiment(images=1000), 20)


def test_digits_of_32_pixels_come_back_to_28_nearly_as_they_were() -> None:
    x = load("sample:mnist", limit=100).images
    there_and_back = subjects.resized(subjects.resized(x, 32), 28)
    assert there_and_back.shape == x.shape
    assert (there_and_back.float() - x.float()).square().mean().sqrt() / 255 < 0.05
    assert subjects.resized(x, 28) is x


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
        Image.open(BytesIO(contact.contact(tree / "fig2"))) as page,
        Image.open(tree / "fig2" / "iter_002" / "samples.png") as sheet,
    ):
        x = contact.GAP + 2 * (280 + contact.GAP)
        box = (x, contact.GAP + contact.LABEL, x + 280, contact.GAP + contact.LABEL + 280)
        shown, grey = (plot.tiles(each.convert("L"), 28).float() for each in (page.crop(box), sheet))
        assert (shown - grey).abs().max() <= 8 and len(shown.unique()) == 16


def test_the_step_between_sheets_is_their_distance_and_none_between_equal_ones(tmp_path: Path) -> None:
    from toolkit import plot

    black, white = torch.zeros(100, 1, 8, 8), torch.ones(100, 1, 8, 8)
    for number, x in enumerate([black, black, black, white, white]):
        (tmp_path / f"iter_{number:03d}").mkdir()
        (tmp_path / f"iter_{number:03d}" / "samples.png").write_bytes(plot.png(x, columns=10))
    assert contact.steps(tmp_path) == {2: 0.0, 3: 1.0, 4: 0.0}


def test_images_of_a_sheet_that_differ_little_are_one(tmp_path: Path) -> None:
    from toolkit import plot

    x = torch.zeros(100, 1, 8, 8)
    x[50:] = 1
    x[90:] = torch.linspace(0.4, 0.6, 10).view(10, 1, 1, 1)  # each near the next
    (tmp_path / "sheet.png").write_bytes(plot.png(x, columns=10))
    assert contact.different(tmp_path / "sheet.png") == 0.03


def test_a_folder_without_sheets_has_no_contact_sheet(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no sample sheets"):
        contact.contact(tmp_path)
