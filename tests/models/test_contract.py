"""What every registered model keeps to: registering one enrols it here."""

from dataclasses import asdict, fields
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.tiny import draw, make, same
from toolkit import hub
from toolkit.models import MODELS, LabelledBatch, create
from toolkit.models.registry import outline
from toolkit.models.text import encode
from toolkit.seeds import Noise
from toolkit.train import fit


def able(method: str) -> list[str]:
    return sorted(name for name in MODELS if hasattr(MODELS[name], method))


EVERY = pytest.mark.parametrize("name", sorted(MODELS))
DRAWS = pytest.mark.parametrize("name", sorted({*able("reconstruct"), *able("sample")}))
HIDDEN = pytest.mark.parametrize("name", able("hidden"))


def images(model: Any, count: int = 6) -> Tensor:
    return torch.rand(count, *model.image_shape, generator=torch.Generator().manual_seed(0))


def batch(model: Any) -> Any:
    """Six words; or images of a model's shape, dim ones; labelled for a model that learns names."""
    if hasattr(model, "write"):
        return encode(["one", "two", "three", "four", "five", "six"], model.config.alphabet, model.config.length)
    x = images(model) / 4
    names = getattr(model.config, "classes", None)
    return LabelledBatch(x, torch.arange(len(x)) % len(names)) if names else x


@EVERY
def test_a_model_and_its_options_survive_a_file(name: str, tmp_path: Path) -> None:
    model = make(name)
    hub.save(model, tmp_path / "model.safetensors")
    loaded: Any = hub.load(tmp_path / "model.safetensors")
    assert type(loaded) is type(model) and loaded.config == model.config and same(loaded, model)
    hub.save(model, tmp_path / "half.safetensors", half=True)
    for key, weight in hub.load(tmp_path / "half.safetensors").state_dict().items():
        torch.testing.assert_close(weight, model.state_dict()[key], atol=1e-4, rtol=1e-3)


@EVERY
def test_a_model_is_created_frozen_and_in_eval_mode_with_the_options_given(name: str) -> None:
    model = make(name)
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert not any(module.training for module in model.modules())
    # regression: a reset without the model's options silently gave the default architecture
    assert create(name, asdict(model.config), seed=9).config == model.config


WRONG = [{"lr": 0.0}, {"lr": -1.0}, {"lr": float("nan")}, {"lr": float("inf")}, {"colour": "red"}]


@EVERY
def test_an_option_that_means_nothing_is_refused_in_one_sentence(name: str) -> None:
    sizes = [field.name for field in fields(make(name).config) if field.type in ("int", int)]
    for option in [*WRONG, *({size: 0} for size in sizes)]:
        with pytest.raises(ValueError, match="^[^\n]+$"):
            create(name, option)


@DRAWS
def test_an_image_is_in_0_to_1_and_does_not_depend_on_its_batch(name: str) -> None:
    model = make(name)
    for count in (0, 1, 6):
        y = draw(model, range(count))
        assert y.shape == (count, *model.image_shape) and y.dtype == torch.float32
        assert ((y >= 0) & (y <= 1)).all()
    for i in range(6):
        torch.testing.assert_close(draw(model, [i])[0], y[i], atol=1e-5, rtol=1e-4)
    if hasattr(model, "sample"):
        assert torch.equal(model.decode(Noise(range(6)).randn(*model.code_shape)), y)
    if hasattr(model, "sample") and hasattr(model, "reconstruct"):
        x = images(model)
        torch.testing.assert_close(model.reconstruct(x[2:3])[0], model.reconstruct(x)[2], atol=1e-5, rtol=1e-4)


@EVERY
def test_a_seed_fixes_the_weights_and_leaves_the_global_generator_alone(name: str) -> None:
    before = torch.random.get_rng_state()
    assert same(make(name, seed=1), make(name, seed=1)) and not same(make(name, seed=1), make(name, seed=2))
    assert torch.equal(torch.random.get_rng_state(), before)


@EVERY
def test_an_outline_has_the_shapes_of_the_model_and_no_memory(name: str) -> None:
    model = make(name)
    shapes = {key: weight.shape for key, weight in model.state_dict().items()}
    found = outline(name, asdict(model.config))
    assert {key: weight.shape for key, weight in found.items()} == shapes
    assert all(weight.is_meta for weight in found.values())


@EVERY
def test_a_config_cannot_be_changed_in_place(name: str) -> None:
    config = make(name).config
    with pytest.raises(AttributeError):
        setattr(config, fields(config)[0].name, 1)


@EVERY
def test_every_loss_falls_in_thirty_steps_where_nothing_else_moves(name: str) -> None:
    for objective in make(name).objectives():
        model, recorded = make(name), []
        fit(
            model,
            repeat(batch(model)),
            steps=30,
            objectives=lambda m, objective=objective: {objective: m.objectives()[objective]},
            on_step=lambda step, losses, recorded=recorded, objective=objective: recorded.append(losses[objective]),
        )
        assert len(recorded) == 30 and sum(recorded[-5:]) < sum(recorded[:5])


@EVERY
def test_learning_gives_a_new_model_that_rests_and_leaves_the_old_one_as_it_was(name: str) -> None:
    model = make(name)
    learned = fit(model, repeat(batch(model)), steps=1)
    assert same(model, make(name)) and not same(learned, model)
    assert not any(p.requires_grad for p in learned.parameters()) and not any(m.training for m in learned.modules())


@EVERY
def test_the_same_random_numbers_teach_the_same(name: str) -> None:
    learned = []
    for _ in range(2):
        torch.manual_seed(0)
        learned.append(fit(make(name), repeat(batch(make(name))), steps=2))
    assert same(*learned)


@HIDDEN
def test_the_hidden_layers_are_those_that_the_picture_passes_through_in_order(name: str) -> None:
    model, passed = make(name), []
    for layer in model.hidden:
        layer.register_forward_hook(lambda module, x, y: passed.append(module))
    model.sample(Noise([0])) if hasattr(model, "sample") else model.reconstruct(images(model, 1))
    assert passed == list(model.hidden) and passed


def test_an_unknown_architecture_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"^unknown architecture 'Oracle': did you mean [^\n]+ There are \d+$"):
        create("Oracle", {})
