"""A family that a person's picks raise: recipes, links, learning, the run of a family and its poster."""

import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.test_app import tiny_run
from tests.tiny import same
from toolkit import data, hub, raising
from toolkit.metrics.image import as_float
from toolkit.raising import Ancestor, Cache, Generation, Recipe, packed, unpacked

SHA = "0123456789abcdef" * 4
STEPS = 4


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("source"), iterations=1)


@pytest.fixture(scope="module")
def family(source: Path) -> Recipe:
    """Three generations, of which the third is a branch from the first."""
    ring = torch.zeros(1, 28, 28)
    ring[:, 6:22, 6:22] = 1
    ring[:, 10:18, 10:18] = 0
    generations = (
        Generation(0, (0, 5), name="first", steps=STEPS),
        Generation(1, (2,), (packed(ring),), 0.75, steps=STEPS),
        Generation(1, (30,), weight=0.0, steps=STEPS),
    )
    return Recipe(raising.ancestor("fig2", 1, source), generations, name="Ours")


@pytest.fixture(scope="module")
def members(family: Recipe, source: Path) -> dict[int, raising.Member]:
    return {p.number: p.member for p in raising.raise_family(family, source) if p.member}


def last(recipe: Recipe, number: int, source: Path, **options: Any) -> raising.Member:
    *_, progress = raising.raise_member(recipe, number, source, **options)
    assert progress.member is not None
    return progress.member


# ---- recipes


DIGITS = data.load("sample:mnist").images[:12]


def test_a_recipe_comes_back_from_its_file_and_from_its_link_with_the_sheet_it_was_shared_with(family: Recipe) -> None:
    for recipe in (family, family.showing(DIGITS)):
        assert Recipe.from_json(recipe.to_json()) == recipe
        assert Recipe.from_text(recipe.to_text()) == recipe
    found = unpacked(recipe.sheet, 12)
    assert torch.equal(found, ((DIGITS / 85).round() * 85).byte())
    assert raising.kinship(recipe, found) == raising.kinship(recipe, DIGITS) == raising.kinship(family, found) == ""
    assert [recipe.key(number) for number in (1, 2, 3)] == [family.key(number) for number in (1, 2, 3)]
    assert recipe.lineage(2).sheet == "" != recipe.lineage(3).sheet


@pytest.mark.parametrize(("drawings", "bits"), [(0, 2), (6, 1), (10, 0)])
def test_ten_generations_fit_in_a_link_with_as_much_of_their_sheet_as_there_is_room_for(
    drawings: int, bits: int
) -> None:
    random.seed(1)
    torch.manual_seed(1)
    picks = [tuple(sorted(random.sample(range(12), 4))) for _ in range(10)]
    drawn = [(packed(torch.rand(1, 28, 28)),) if at < drawings else () for at in range(10)]
    generations = tuple(Generation(at, picks[at], drawn[at], 0.6, f"branch {at}") for at in range(10))
    recipe = Recipe(Ancestor("fig2", 3, SHA), generations)
    assert len(recipe.to_text()) < 500 + 150 * drawings
    text = recipe.showing(DIGITS).to_text()
    sheet = packed(as_float(DIGITS), bits) if bits else ""
    assert len(text) <= raising.LONGEST_TEXT and Recipe.from_text(text) == replace(recipe, sheet=sheet)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_drawing_keeps_its_levels(bits: int) -> None:
    levels = torch.randint(2**bits, (1, 28, 28)) / (2**bits - 1)
    assert torch.equal(unpacked(packed(levels, bits))[0], (levels * 255).round().byte())


GENERATION: dict[str, Any] = {"parent": 0, "picks": [1]}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no picks": ({"picks": []}, "no picks"),
    "too many": ({"picks": list(range(13))}, "at most 12"),
    "twice the same": ({"picks": [3, 3]}, "different seeds"),
    "no seed": ({"picks": [2**32]}, "different seeds"),
    "a parent to come": ({"parent": 1}, "parent 1"),
    "a weight": ({"weight": 1.5}, "weight is 1.5"),
    "no number": ({"weight": "much"}, "weight"),
    "steps": ({"steps": 10**6}, "steps is 1000000"),
    "a drawing": ({"drawings": ["%%%"]}, "a drawing is"),
    "a long name": ({"name": "n" * 100}, "at most 40"),
    "an unknown option": ({"speed": 3}, "no option speed"),
}


@pytest.mark.parametrize(("change", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_recipe_gets_one_sentence(change: dict[str, Any], words: str) -> None:
    content = Recipe(Ancestor("fig2", 3, SHA)).as_dict() | {"generations": [GENERATION | change]}
    with pytest.raises(ValueError, match=words):
        Recipe.read(content)


def test_a_recipe_is_bounded_in_number_and_depth_and_knows_its_schema() -> None:
    first = Ancestor("fig2", 3, SHA)
    with pytest.raises(ValueError, match="at most 60"):
        Recipe(first, (Generation(0, (1,)),) * 61)
    with pytest.raises(ValueError, match="21 deep"):
        Recipe(first, tuple(Generation(at, (1,)) for at in range(21)))
    for schema in (2, True, None):
        with pytest.raises(ValueError, match="schema"):
            Recipe.read({**Recipe(first).as_dict(), "schema": schema})
    with pytest.raises(ValueError, match="at most"):
        Recipe.from_json(b" " * (raising.LARGEST + 1))
    for sheet in ("%%%", packed(torch.zeros(11, 28, 28))):
        with pytest.raises(ValueError, match="a sheet of 12 drawings"):
            Recipe(first, sheet=sheet)


def damaged(text: str, rng: random.Random) -> str:
    letters = list(text)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(letters))
        put = rng.choice(["", "0", "-1", "1e999", "{", '"', "é", "null", "[["])
        letters[at : at + rng.choice([0, 1, 1, 9])] = put
    return "".join(letters)


def test_300_damaged_recipes_each_get_one_sentence(family: Recipe) -> None:
    rng, sentences = random.Random(0), []
    family = family.showing(DIGITS)
    for number in range(300):
        text, read = [(family.to_json(), Recipe.from_json), (family.to_text(), Recipe.from_text)][number % 2]
        try:
            found = read(damaged(text, rng))
            assert Recipe.read(found.as_dict()) == found
        except ValueError as error:
            sentences.append(str(error))
    assert len(sentences) > 200
    assert all(sentence and "\n" not in sentence and len(sentence) < 500 for sentence in sentences)


def test_the_key_of_a_generation_follows_from_its_line_alone(family: Recipe) -> None:
    chain = family.lineage(3)
    assert chain.key(2) == family.key(3) and family.key(2) != family.key(3)
    assert [generation.parent for generation in chain.generations] == [0, 1]
    assert Recipe(family.ancestor, chain.generations, name="Another").key(2) == chain.key(2)


# ---- learning


def test_a_family_is_raised_to_the_same_bytes_in_any_order_and_leaves_the_ancestor_as_it_was(
    family: Recipe, source: Path, members: dict[int, raising.Member]
) -> None:
    assert [*members] == [0, 1, 2, 3] and same(members[0].model, raising.root(family.ancestor, source).model)
    alone = last(family, 3, source)
    assert same(alone.model, members[3].model) and torch.equal(alone.symbols, members[3].symbols)
    assert not same(alone.model, members[2].model) and not same(alone.model, members[0].model)
    assert members[2].picked.shape == (4, 1, 28, 28) and {*alone.distances} == {"picks", "parent_picks", "digits"}


def test_one_that_is_stopped_keeps_what_it_learned_and_its_recipe_gives_the_same(family: Recipe, source: Path) -> None:
    longer, cache = family.stopped(1, 3 * STEPS), Cache()
    stopped = last(longer, 1, source, cache=cache, stop=lambda: True)
    assert stopped.steps == raising.EVERY < 3 * STEPS
    again = longer.stopped(1, stopped.steps)
    assert cache.get(again.key(1)) is not None and cache.get(longer.key(1)) is None
    assert same(last(again, 1, source).model, stopped.model)


def test_a_cache_forgets_what_was_unused_for_longest() -> None:
    cache = Cache(2)
    for key in ("a", "b"):
        cache.put(key, key)
    assert cache.get("a") == "a"
    cache.put("c", "c")
    assert (cache.get("a"), cache.get("b"), len(cache)) == ("a", None, 2)


def test_the_number_of_threads_makes_no_difference_and_is_left_as_it_was(
    family: Recipe, source: Path, members: dict[int, raising.Member]
) -> None:
    try:
        torch.set_num_threads(2)
        other = last(family, 1, source)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert same(other.model, members[1].model) and torch.equal(other.symbols, members[1].symbols)


RAISED_THERE = """
import sys, torch
from toolkit import raising
recipe = raising.Recipe.from_text(sys.argv[1])
*_, progress = raising.raise_member(recipe, len(recipe.generations), sys.argv[2])
found = raising.unpacked(recipe.sheet, 12), progress.member.symbols, raising.kinship(recipe, progress.member.symbols)
torch.save(found, sys.argv[3])
"""


def test_on_another_kind_of_processor_a_link_shows_what_was_shared_and_says_whether_these_are_cousins(
    family: Recipe, source: Path, members: dict[int, raising.Member], tmp_path: Path
) -> None:
    ours, shared = members[2].symbols, family.lineage(2).showing(members[2].symbols)
    other = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "OMP_NUM_THREADS": "1"}
    there = [sys.executable, "-c", RAISED_THERE, shared.to_text(), source, tmp_path / "there.pt"]
    subprocess.run(there, check=True, env=os.environ | other)
    shown, theirs, said = torch.load(tmp_path / "there.pt")
    assert shown.numpy().tobytes() == ((ours / 85).round() * 85).byte().numpy().tobytes()
    turned = ((ours < 128) != (theirs < 128)).float().mean((1, 2, 3)).max()
    assert said == raising.kinship(shared.showing(theirs), ours) == (raising.COUSINS if turned > raising.ALIKE else "")


@pytest.mark.parametrize(("pixels", "alike"), [(0, True), (60, True), (66, False)])
def test_a_symbol_with_other_pixels_is_a_cousin(family: Recipe, pixels: int, alike: bool) -> None:
    changed = DIGITS.clone()
    changed[7].view(-1)[:pixels] = 255 - changed[7].view(-1)[:pixels]
    assert raising.kinship(family.showing(DIGITS), changed) == ("" if alike else raising.COUSINS)


def test_goals_are_shared_out_evenly() -> None:
    x = torch.tensor([0.0, 0.1, 0.2, 0.3, 0.4, 1.0]).view(6, 1, 1, 1)
    goals = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)
    assert raising._assigned(x, goals).tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_the_weight_is_the_share_of_picks_in_a_batch(weight: float, source: Path) -> None:
    root, white = raising.root(raising.ancestor("fig2", 1, source), source), torch.full((2, 1, 28, 28), 255).byte()
    pictures, states, targets = next(raising._batches(root.model, root, white, 2, weight, 0))
    assert states.shape == targets.shape == (raising.ROWS, 1, 28, 28) and len(pictures) == raising.ROWS // 2
    for images in (pictures, targets):
        assert (images[:, 0, 14, 14] > 0.99).sum() >= weight * len(images)
        assert (images.flatten(1).mean(1) < 0.6).sum() >= (1 - weight) * len(images) - 1e-6


def test_another_ancestor_than_the_recipes_is_refused(family: Recipe, source: Path) -> None:
    other = Recipe(Ancestor("fig2", 1, SHA), family.generations)
    with pytest.raises(hub.CheckpointError, match="another file here"):
        last(other, 0, source)


# ---- the run of a family


def test_a_recipe_becomes_a_run_that_goes_on_and_is_taken_like_any_other(
    family: Recipe, source: Path, members: dict[int, raising.Member], tmp_path: Path, command: Any
) -> None:
    file, out = tmp_path / "recipe.json", tmp_path / "runs"
    file.write_text(Recipe(family.ancestor, family.generations[:1], name="Ours").to_json())
    asked = ["--out", out, "--name", "mine", "--from", source, "--quiet"]
    assert command("raise", file, *asked)[0] == 0
    first = (out / "mine" / "iter_001" / "model.safetensors").read_bytes()
    code, said, told = command(
        "raise", f"http://localhost/?tab=raise&recipe={family.showing(DIGITS).to_text()}#top", *asked, "--json"
    )
    assert raising.COUSINS in told
    assert code == 0 and len(json.loads(said)["rows"]) == 4
    assert (out / "mine" / "iter_001" / "model.safetensors").read_bytes() == first
    assert same(hub.load(out, "mine", 2), members[2].model)
    assert {path.name for path in (out / "mine").iterdir()} >= {"family.png", "README.md", "recipe.json"}
    assert Recipe.from_json((out / "mine" / "recipe.json").read_text()) == family.showing(members[3].symbols)
    assert command("sample", "mine", "--from", out, "--seeds", "0:4", "--out", tmp_path / "s.png")[0] == 0
    assert command("judge", out / "mine", "--contact")[0] == 0
    branch = Recipe(family.ancestor, (Generation(0, (7,), steps=STEPS),))
    code, _, error = command("raise", branch.to_text(), *asked)
    assert code == 2 and "another family" in error


@pytest.mark.parametrize("given", ["nowhere.json", "no-link", "https://example.org/?recipe=abc"])
def test_what_is_no_recipe_is_refused_before_any_work(given: str, tmp_path: Path, command: Any) -> None:
    code, _, error = command("raise", given, "--out", tmp_path / "runs")
    assert code == 2 and error.startswith("error: ") and not (tmp_path / "runs").exists()
