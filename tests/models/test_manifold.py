"""The manifold network is the published one: its weights, its range, its loss; and points are images too."""

from itertools import islice, repeat
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolkit.models import Manifold, create
from toolkit.models.manifold import ROUND, Folded, folded
from toolkit.samplers import iterate
from toolkit.train import fit

OUTPUTS = pytest.mark.parametrize("output", ["tanh", "sigmoid"])


def manifold(**config: Any) -> Any:
    return create("Manifold", {"size": 6, "depth": 2, "width": 8, **config}, seed=0)


def images(count: int = 5) -> Tensor:
    return torch.rand(count, 1, 6, 6, generator=torch.Generator().manual_seed(1))


def points(*values: float) -> Tensor:
    """Numbers as images of one channel and one pixel: (B, 1, 1, 1)."""
    return torch.tensor(values)[:, None, None, None]


def test_the_default_has_the_published_number_of_weights_and_layers() -> None:
    model = Manifold(Manifold.Config())
    assert sum(parameter.numel() for parameter in model.parameters()) == 3_039_784
    assert sum(isinstance(module, nn.Linear) for module in model.modules()) == 11


@pytest.mark.parametrize(("output", "low"), [("tanh", -1), ("sigmoid", 0)])
def test_the_loss_is_the_mean_squared_error_in_the_range_of_the_output(output: str, low: int) -> None:
    model, x = manifold(output=output), images()
    inside = low + (1 - low) * x.flatten(1)
    assert model.loss(x).item() == pytest.approx((model.net(inside) - inside).square().mean().item(), rel=1e-6)


@OUTPUTS
def test_a_reconstruction_maps_0_to_1_through_the_range_of_the_output(output: str) -> None:
    model, x = manifold(output=output), images()
    scale = 1 if output == "sigmoid" else 4  # [-1, 1] is twice as wide
    assert (scale * (model.reconstruct(x) - x).square().mean()).item() == pytest.approx(model.loss(x).item(), rel=1e-4)


@OUTPUTS
def test_two_points_are_learned_and_then_stand_still(output: str) -> None:
    config = {"size": 1, "depth": 6, "width": 10, "lr": 1e-3, "output": output}
    learned = fit(manifold(**config), repeat(points(0.2, 0.8)), steps=800)
    torch.testing.assert_close(learned.reconstruct(points(0.2, 0.8)), points(0.2, 0.8), atol=2e-3, rtol=0)
    *_, final = islice(iterate(learned.reconstruct, points(0.2, 0.8)), 20)
    torch.testing.assert_close(final, points(0.2, 0.8), atol=2e-2, rtol=0)


def test_points_are_learned_in_float32_wherever_images_are_learned_faster() -> None:
    for size, dtype in ((1, torch.float32), (6, torch.bfloat16)):
        model, recorded = manifold(size=size), []
        model.net[0].register_forward_hook(lambda module, x, y, recorded=recorded: recorded.append(y.dtype))
        with torch.autocast("cpu", torch.bfloat16):
            assert model.loss(torch.rand(2, 1, size, size)).dtype == torch.float32
        model.loss(torch.rand(2, 1, size, size))
        assert recorded == [dtype, torch.float32]


@pytest.mark.parametrize("depth", [0, -1, 1001])
def test_a_depth_that_is_none_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match=f"^depth is {depth}[^\n]*$"):
        create("Manifold", {"depth": depth})


def test_an_output_without_bounds_is_refused() -> None:
    with pytest.raises(ValueError, match="^unknown output 'linear'[^\n]*tanh[^\n]*$"):
        create("Manifold", {"output": "linear"})


# the folded network is the network, in bfloat16 and in fewer operations

START = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(0))


def network(**options: Any) -> Manifold:
    model = create("Manifold", {"size": 4, "depth": 2, "width": 8, **options}, seed=0)
    assert isinstance(model, Manifold)
    return model


@pytest.mark.parametrize("options", [{}, {"output": "sigmoid"}, {"depth": 1}, {"width": ROUND}, {"width": ROUND - 2}])
def test_it_gives_what_the_network_gives(options: dict[str, Any]) -> None:
    model = network(**options)
    torch.testing.assert_close(Folded(model).reconstruct(START), model.reconstruct(START), atol=0.01, rtol=0)


def test_of_a_large_bias_more_is_kept_than_bfloat16_has() -> None:
    model = network(depth=1)
    first, out = model.net[0], model.net[2]
    assert isinstance(first, nn.Linear) and isinstance(out, nn.Linear)
    for parameter, value in ((first.weight, 0.0), (first.bias, 256.0), (out.weight, 1 / 8), (out.bias, -256.9)):
        parameter.data.fill_(value)  # 256.9 is 256 in bfloat16
    torch.testing.assert_close(Folded(model).reconstruct(START), model.reconstruct(START), atol=0.01, rtol=0)


def test_images_once_given_stay_as_they_are() -> None:
    step = Folded(network()).reconstruct
    first = step(START)
    kept = first.clone()
    step(1 - START)
    assert torch.equal(first, kept)


def test_the_network_given_is_untouched() -> None:
    model = network()
    before: list[Tensor] = [value.clone() for value in model.parameters()]
    Folded(model).reconstruct(START)
    assert all(torch.equal(a, b) and b.dtype == torch.float32 for a, b in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize(("native", "kind"), [(True, Folded), (False, Manifold)])
def test_it_is_folded_only_where_bfloat16_is_native(native: bool, kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.models.manifold.native_bfloat16", lambda device: native)
    assert isinstance(folded(network()), kind)
