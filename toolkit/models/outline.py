"""What a model would be made of, before it is made: its options checked, its tensors named and shaped, nothing allocated.

A description that comes from elsewhere, a file's header, is held against this first.
"""

from collections.abc import Mapping
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ..choices import choose
from .registry import MODELS, create


def outline(name: str, config: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors of the model that `create(name, config)` would make, on the meta device: shapes without numbers.

    Raises ValueError for an unknown architecture or option, RuntimeError for one that torch cannot build.
    """
    with torch.device("meta"), _Undrawn():
        return create(name, checked(name, config)).state_dict()


def checked(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Options as JSON gives them -> as the model's Config has them (lists become tuples).

    Raises ValueError for an unknown architecture, or a value of another type than the Config says.
    """
    architecture: Any = MODELS[choose("architecture", name, MODELS)]
    hints = get_type_hints(architecture.Config)
    for option, value in config.items():
        if option in hints and not _fits(value, hints[option]):
            kind = getattr(hints[option], "__name__", hints[option])
            raise ValueError(f"option {option} of {name} is {value!r:.60}: give a value of type {kind}")
    return {option: tuple(value) if isinstance(value, list) else value for option, value in config.items()}


def _fits(value: object, hint: Any) -> bool:
    kind = get_origin(hint) or hint
    if kind in (Union, UnionType):
        return any(_fits(value, choice) for choice in get_args(hint))
    if kind is Literal:
        return value in get_args(hint)
    return type(value) in {float: (float, int), tuple: (list, tuple)}.get(kind, (kind,))


class _Undrawn(TorchFunctionMode):
    """Leaves weights undrawn: on the meta device, drawing normal ones would import nine hundred modules first."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function.__name__ in ("normal_", "uniform_"):
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return function(*args, **kwargs)
