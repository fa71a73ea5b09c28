"""A data set in pieces: the same images as one tensor, without a copy."""

import pytest
import torch
from torch import Tensor

from toolkit.train import ConcatImages, Shuffled


@pytest.fixture
def parts() -> list[Tensor]:
    source = torch.Generator().manual_seed(0)
    return [torch.randint(0, 256, (n, 1, 2, 3), dtype=torch.uint8, generator=source) for n in (4, 1, 7)]


def test_pieces_hold_the_images_of_all_their_parts_in_order(parts: list[Tensor]) -> None:
    images, rows = ConcatImages.of(parts[0]) + parts[1] + ConcatImages((parts[2],)), torch.tensor([11, 0, 4, 4, 5, 3])
    assert len(images) == 12 and torch.equal(images[rows], torch.cat(parts)[rows])
    assert torch.equal(images[rows[:0]], torch.cat(parts)[:0])


def test_pieces_share_the_memory_of_their_parts(parts: list[Tensor]) -> None:
    images = ConcatImages(tuple(parts))
    assert [part.data_ptr() for part in (images + parts[0]).parts[:3]] == [part.data_ptr() for part in parts]
    assert ConcatImages.of(images) is images and images.to(torch.device("cpu")) is images


def test_an_image_taken_out_is_a_copy(parts: list[Tensor]) -> None:
    images = ConcatImages(tuple(parts))
    images[torch.tensor([0])].zero_()
    assert torch.equal(images[torch.arange(12)], torch.cat(parts))


def test_an_image_that_is_not_there_is_refused(parts: list[Tensor]) -> None:
    for row in (12, -1):
        with pytest.raises(IndexError, match=f"image {row}.* 12"):
            ConcatImages(tuple(parts))[torch.tensor([row])]


def test_batches_of_pieces_are_those_of_one_tensor(parts: list[Tensor]) -> None:
    batches = (iter(Shuffled(images, batch=5, seed=2)) for images in (ConcatImages(tuple(parts)), torch.cat(parts)))
    assert all(torch.equal(*pair) for pair, _ in zip(zip(*batches, strict=True), range(7), strict=False))


def test_another_device_gets_one_tensor_of_all(parts: list[Tensor]) -> None:
    whole = ConcatImages(tuple(parts)).to(torch.device("meta"))  # no accelerator needed, and no bytes
    assert isinstance(whole, Tensor) and whole.shape == (12, 1, 2, 3) and whole.dtype == torch.uint8
