"""What every registered model keeps to: registering one enrols it here."""

from dataclasses import asdict, fields
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolkit import hub
from toolkit.models import MODELS, LabelledBatch, create
from toolkit.models.registry import outline
from toolkit.seeds import Noise
from toolkit.train import fit

# a model takes those of these options that it has
TINY = {"filters": 4, "size": 16, "widths": (24, 16), "width": 24, "hidden": 16, "z": 3}


def able(method: str) -> list[str]:
    return sorted(name for name in MODELS if hasattr(MODELS[name], method))


EVERY = pytest.mark.parametrize("name", sorted(MODELS))
STEPS = pytest.mark.parametrize("name", able("reconstruct"))
SAMPLERS = pytest.mark.parametrize("name", able("sample"))
HIDDEN = pytest.mark.parametrize("name", able("hidden"))


def tiny(name: str, seed: int = 0) -> Any:
    architecture: Any = MODELS[name]
    known = {field.name for field in fields(architecture.Config)}
    return create(name, {option: value for option, value in TINY.items() if option in known}, seed=seed)


def images(model: Any, count: int = 6) -> Tensor:
    return torch.rand(count, *model.image_shape, generator=torch.Generator().manual_seed(0))


def batch(model: Any) -> Any:
    """Six images of a model's shape, dim ones; labelled for a model that learns names."""
    x = images(model) / 4
    names = getattr(model.config, "classes", None)
    return LabelledBatch(x, torch.arange(len(x)) % len(names)) if names else x


def same(a: nn.Module, b: nn.Module) -> bool:
    mine, yours = a.state_dict(), b.state_dict()
    return mine.keys() == yours.keys() and all(torch.equal(mine[key], yours[key]) for key in mine)


@EVERY
def test_a_model_and_its_options_survive_a_file(name: str, tmp_path: Path) -> None:
    model = tiny(name)
    hub.save(model, tmp_path / "model.safetensors")
    loaded: Any = hub.load(tmp_path / "model.safetensors")
    assert type(loaded) is type(model) and loaded.config == model.config and same(loaded, model)


@EVERY
def test_a_model_rests_frozen_and_in_eval_mode(name: str) -> None:
    model = tiny(name)
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert not any(module.training for module in model.modules())


@EVERY
def test_a_seed_fixes_the_weights_and_leaves_the_global_generator_alone(name: str) -> None:
    before = torch.random.get_rng_state()
    assert same(tiny(name, seed=1), tiny(name, seed=1)) and not same(tiny(name, seed=1), tiny(name, seed=2))
    assert torch.equal(torch.random.get_rng_state(), before)


@EVERY
def test_making_a_model_anew_keeps_its_options(name: str) -> None:
    # regression: a reset without the model's options silently gave the default architecture
    model = tiny(name)
    assert create(name, asdict(model.config), seed=9).config == model.config


@EVERY
def test_an_outline_has_the_shapes_of_the_model_and_no_memory(name: str) -> None:
    model = tiny(name)
    shapes = {key: weight.shape for key, weight in model.state_dict().items()}
    found = outline(name, asdict(model.config))
    assert {key: weight.shape for key, weight in found.items()} == shapes
    assert all(weight.is_meta for weight in found.values())


@EVERY
def test_a_config_cannot_be_changed_in_place(name: str) -> None:
    config = tiny(name).config
    with pytest.raises(AttributeError):
        setattr(config, fields(config)[0].name, 1)


@EVERY
def test_every_loss_is_one_finite_number(name: str) -> None:
    model = tiny(name)
    for objective in model.objectives().values():
        loss = objective.loss(batch(model))
        assert loss.shape == () and loss.isfinite()


@EVERY
def test_every_loss_falls_in_thirty_steps_where_nothing_else_moves(name: str) -> None:
    for objective in tiny(name).objectives():
        model, heard = tiny(name), []
        fit(
            model,
            repeat(batch(model)),
            steps=30,
            objectives=lambda m, objective=objective: {objective: m.objectives()[objective]},
            on_step=lambda step, losses, heard=heard, objective=objective: heard.append(losses[objective]),
        )
        assert len(heard) == 30 and sum(heard[-5:]) < sum(heard[:5])


@EVERY
def test_learning_gives_a_new_model_that_rests_and_leaves_the_old_one_as_it_was(name: str) -> None:
    model = tiny(name)
    learned = fit(model, repeat(batch(model)), steps=1)
    assert same(model, tiny(name)) and not same(learned, model)
    assert not any(p.requires_grad for p in learned.parameters()) and not any(m.training for m in learned.modules())


@EVERY
def test_the_same_random_numbers_teach_the_same(name: str) -> None:
    learned = []
    for _ in range(2):
        torch.manual_seed(0)
        learned.append(fit(tiny(name), repeat(batch(tiny(name))), steps=2))
    assert same(*learned)


@EVERY
def test_what_was_learned_survives_a_file_in_half_precision(name: str, tmp_path: Path) -> None:
    learned = fit(tiny(name), repeat(batch(tiny(name))), steps=2)
    hub.save(learned, tmp_path / "model.safetensors", half=True)
    for key, weight in hub.load(tmp_path / "model.safetensors").state_dict().items():
        torch.testing.assert_close(weight, learned.state_dict()[key], atol=1e-4, rtol=1e-3)


@EVERY
def test_a_size_of_nothing_is_refused_in_one_sentence(name: str) -> None:
    for option in [field.name for field in fields(tiny(name).config) if field.type in ("int", int)]:
        with pytest.raises(ValueError, match="^[^\n]+$"):
            create(name, {option: 0})


@EVERY
@pytest.mark.parametrize("lr", [0.0, -1.0, float("nan"), float("inf")])
def test_a_learning_rate_that_teaches_nothing_is_refused(name: str, lr: float) -> None:
    with pytest.raises(ValueError, match="^lr is [^\n]+$"):
        create(name, {"lr": lr})


@STEPS
def test_a_reconstruction_keeps_shape_and_stays_in_0_to_1(name: str) -> None:
    model = tiny(name)
    for count in (0, 1, 3):
        y = model.reconstruct(images(model, count))
        assert y.shape == (count, *model.image_shape) and y.dtype == torch.float32
        assert ((y >= 0) & (y <= 1)).all()


@STEPS
def test_an_image_does_not_depend_on_its_neighbours(name: str) -> None:
    model = tiny(name)
    x = images(model)
    together = model.reconstruct(x)
    for i in range(len(x)):
        torch.testing.assert_close(model.reconstruct(x[i : i + 1])[0], together[i], atol=1e-5, rtol=1e-4)


@SAMPLERS
def test_a_sample_is_an_image_that_belongs_to_its_seed(name: str) -> None:
    model = tiny(name)
    together = model.sample(Noise(range(5)))
    assert together.shape == (5, *model.image_shape) and ((together >= 0) & (together <= 1)).all()
    for seed in range(5):
        torch.testing.assert_close(model.sample(Noise([seed]))[0], together[seed], atol=1e-5, rtol=1e-4)


@SAMPLERS
def test_a_sample_is_what_its_code_decodes_to(name: str) -> None:
    model = tiny(name)
    z = Noise(range(4)).randn(*model.code_shape)
    assert torch.equal(model.decode(z), model.sample(Noise(range(4))))


@HIDDEN
def test_the_hidden_layers_are_those_that_the_picture_passes_through_in_order(name: str) -> None:
    model, passed = tiny(name), []
    for layer in model.hidden:
        layer.register_forward_hook(lambda module, x, y: passed.append(module))
    model.sample(Noise([0])) if hasattr(model, "sample") else model.reconstruct(images(model, 1))
    assert passed == list(model.hidden) and passed


@EVERY
def test_an_option_that_a_model_does_not_have_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} has no option colour[^\n]*$"):
        create(name, {"colour": "red"})


def test_an_unknown_architecture_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="^unknown architecture 'Oracle'[^\n]*WTA[^\n]*$"):
        create("Oracle", {})
