"""Which processors multiply bfloat16 faster than float32."""

from collections.abc import Iterator
from time import perf_counter

import pytest
import torch

from toolkit import train


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    train.native_bfloat16.cache_clear()
    yield
    train.native_bfloat16.cache_clear()


@pytest.mark.parametrize(
    ("capable", "native"),
    [({"amx_bf16": True, "avx512_bf16": True}, True), ({"amx_bf16": False, "avx512_bf16": False}, False), ({}, False)],
    ids=["tiles", "neither", "not told"],
)
def test_a_processor_computes_in_bfloat16_if_it_has_tiles(
    capable: dict[str, bool], native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capable, raising=False)
    with train.autocast(torch.device("cpu")):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if native else torch.float32)


def test_a_processor_without_tiles_computes_in_what_it_was_seen_to_be_faster_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    chosen = train.native_bfloat16("cpu")
    seconds = {torch.float32: 1.0, torch.bfloat16: 1.0}
    for dtype in seconds:
        x, w = torch.ones(50, 64, 20, 20, dtype=dtype), torch.ones(64, 64, 5, 5, dtype=dtype)
        for _ in range(4):
            start = perf_counter()
            torch.nn.functional.conv2d(x, w)
            seconds[dtype] = min(seconds[dtype], perf_counter() - start)
    ratio = seconds[torch.bfloat16] / seconds[torch.float32]
    assert chosen == (ratio < 0.8) or 0.6 < ratio < 1.1  # near the bar either is right
