"""Which processors multiply bfloat16 faster than float32."""

from collections.abc import Iterator

import pytest
import torch

from toolkit import precision


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    precision.native_bfloat16.cache_clear()
    yield
    precision.native_bfloat16.cache_clear()


@pytest.mark.parametrize(
    ("capable", "native"),
    [({"amx_bf16": True, "avx512_bf16": True}, True), ({"amx_bf16": False, "avx512_bf16": True}, False), ({}, False)],
    ids=["tiles", "no tiles", "not told"],
)
def test_a_processor_computes_in_bfloat16_if_it_has_tiles(
    capable: dict[str, bool], native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capable, raising=False)
    with precision.fast(torch.device("cpu")):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if native else torch.float32)
