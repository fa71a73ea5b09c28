"""A folded network is the network, in bfloat16 and in fewer operations."""

from itertools import islice
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolkit.models import Manifold, create
from toolkit.models.manifold import ROUND, Folded, folded
from toolkit.samplers.iterate import iterate, last

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


def test_after_many_runs_the_pictures_are_still_near() -> None:
    model = network()
    exact, fast = (last(islice(iterate(m.reconstruct, START), 30)) for m in (model, Folded(model)))
    torch.testing.assert_close(fast, exact, atol=0.02, rtol=0)


def test_images_once_given_stay_as_they_are() -> None:
    step = Folded(network()).reconstruct
    first = step(START)
    kept = first.clone()
    step(1 - START)
    assert torch.equal(first, kept)


def test_any_number_of_images_goes_through_one_network() -> None:
    step = Folded(network()).reconstruct
    torch.testing.assert_close(torch.cat([step(START), step(START[:2])]), step(torch.cat([START, START[:2]])))


def test_the_network_given_is_untouched() -> None:
    model = network()
    before: list[Tensor] = [value.clone() for value in model.parameters()]
    Folded(model).reconstruct(START)
    assert all(torch.equal(a, b) and b.dtype == torch.float32 for a, b in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize(("native", "kind"), [(True, Folded), (False, Manifold)])
def test_it_is_folded_only_where_bfloat16_is_native(native: bool, kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.models.manifold.native_bfloat16", lambda device: native)
    assert isinstance(folded(network()), kind)
