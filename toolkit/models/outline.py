"""What a model would be made of, before it is made: its options checked, its tensors named and shaped.

Nothing is allocated. A description that comes from elsewhere, a file's header, is held against this first.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from .registry import create


def outline(name: str, config: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors of the model that `create(name, config)` would make, on the meta device: shapes without numbers.

    Raises ValueError for an unknown architecture or option, RuntimeError for one that torch cannot build.
    """
    with torch.device("meta"), _Undrawn():
        return create(name, config).state_dict()


class _Undrawn(TorchFunctionMode):
    """Leaves weights undrawn: on the meta device, drawing normal ones would import nine hundred modules first."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function.__name__ in ("normal_", "uniform_"):
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return function(*args, **kwargs)
