"""The small models of `tests.diverge.tiny`, for tests that only need those."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.diverge.tiny import make


@pytest.fixture
def tiny() -> Callable[..., Any]:
    """tiny("VAE", seed=1): a small model with other weights for each seed."""
    return make
