"""Pictures of tensors: whole pixels, nothing lost."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence
from torch import Tensor

from toolkit import plot


def pixels(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image))


def as_bytes(x: Tensor) -> Tensor:
    return (x * 255).round().byte()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("columns", [None, 1, 3, 6])
def test_tiles_undo_a_grid(images: Tensor, columns: int | None, channels: int) -> None:
    x = as_bytes(images).repeat(1, channels, 1, 1)
    x[:, -1] //= 2
    assert torch.equal(plot.tiles(plot.grid(x, columns), 16)[:6], x)
    with pytest.raises(ValueError, match="no whole number of 28x28"):
        plot.tiles(plot.grid(x, columns), 28)


def test_a_grid_is_filled_row_by_row_with_whole_pixels_and_its_empty_cells_are_black(images: Tensor) -> None:
    sheet = pixels(plot.grid(images, columns=4))
    assert sheet.shape == (32, 64)
    assert torch.equal(sheet[16:, 16:32], as_bytes(images[5, 0]))
    assert not sheet[16:, 32:].any()
    assert torch.equal(pixels(plot.grid(images, 4, scale=3)), sheet.repeat_interleave(3, 0).repeat_interleave(3, 1))
    assert torch.equal(pixels(plot.grid(images * 3 - 1)), pixels(plot.grid((images * 3 - 1).clamp(0, 1))))
    assert plot.grid(images).mode == "L" and plot.grid(images.repeat(1, 3, 1, 1)).mode == "RGB"


def test_gaps_lie_between_images_and_a_margin_around_them(images: Tensor) -> None:
    sheet = pixels(plot.grid(torch.zeros_like(images), columns=3, scale=2, gap=5, margin=7, ground=1.0))
    assert sheet.shape == (7 + 32 + 5 + 32 + 7, 7 + 32 + 5 + 32 + 5 + 32 + 7)
    assert (sheet[:7] == 255).all()
    assert (sheet[:, 7 + 32 : 7 + 32 + 5] == 255).all()
    assert not sheet[7 : 7 + 32, 7 : 7 + 32].any()
    assert plot.grid(images, columns=3, gap=5).size == (3 * 16 + 2 * 5, 2 * 16 + 5)


def test_inverted_is_black_on_white_and_a_specimen_has_a_white_margin(images: Tensor) -> None:
    assert torch.equal(pixels(plot.grid(images, invert=True)), 255 - pixels(plot.grid(images)))
    sheet = pixels(plot.specimen(images[:4], columns=2, scale=4))
    assert (sheet[:48] == 255).all()
    assert sheet.min() == 0


@pytest.mark.parametrize("shape", [(0, 1, 4, 4), (4, 4), (2, 2, 4, 4)])
def test_what_is_no_set_of_images_is_refused_with_its_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=str(shape[-1])):
        plot.grid(torch.zeros(shape))


@pytest.mark.parametrize("option", [{"scale": 0}, {"columns": -1}, {"gap": -1}, {"margin": -2}])
def test_sizes_that_make_no_picture_are_refused(images: Tensor, option: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(option))} {next(iter(option.values()))}"):
        plot.grid(images, **option)  # type: ignore[arg-type]


def test_a_strip_has_a_row_per_image_and_a_column_per_state(images: Tensor) -> None:
    states = [images, images / 2, images / 4]
    cells = plot.tiles(plot.strip(iter(states)), 16).view(6, 3, 1, 16, 16)
    assert torch.equal(cells[4, 1], as_bytes(images[4] / 2))
    assert torch.equal(cells[:, 2], as_bytes(images / 4))


def test_a_long_strip_shows_its_first_and_last_state(images: Tensor) -> None:
    states = [images[:1] * (1 - i / 100) for i in range(101)]
    cells = plot.tiles(plot.strip(states, most=5), 16)
    assert len(cells) == 5
    assert torch.equal(cells[0], as_bytes(images[0]))
    assert not cells[-1].any()
    with pytest.raises(ValueError, match="no states"):
        plot.strip([])


@pytest.mark.parametrize("most", range(1, 12))
@pytest.mark.parametrize("count", [1, 2, 5, 11, 101])
def test_picked_states_rise_to_the_last_in_steps_that_grow(count: int, most: int) -> None:
    picked = plot.spread(count, most)
    assert len(picked) == min(count, most)
    assert picked == sorted(set(picked))
    assert picked[-1] == count - 1
    assert picked[0] == (0 if most > 1 else count - 1)


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".GIF"])
def test_an_animation_loops_for_ever_holds_its_end_and_loses_nothing(
    images: Tensor, tmp_path: Path, suffix: str
) -> None:
    frames = [plot.grid(images * share, scale=2) for share in (0.2, 0.6, 1.0)]
    path = plot.animation(frames, tmp_path / f"life{suffix}", ms=70, hold=900)
    with Image.open(path) as moving:
        shown = [frame.convert("L") for frame in ImageSequence.Iterator(moving)]
        if suffix == ".gif":
            assert [frame.info["duration"] for frame in ImageSequence.Iterator(moving)] == [70, 70, 900]
        assert moving.info["loop"] == 0
    assert [pixels(a).tolist() for a in shown] == [pixels(b).tolist() for b in frames]


def test_an_animation_of_another_kind_or_of_nothing_is_refused(images: Tensor, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"life\.mp4.*\.gif or \.webp"):
        plot.animation([plot.grid(images)], tmp_path / "life.mp4")
    with pytest.raises(ValueError, match="no frames"):
        plot.animation([], tmp_path / "life.gif")


def test_curves_have_a_panel_per_measure_and_a_line_for_the_data(tmp_path: Path) -> None:
    rows = [{"iteration": i, "ink": i / 10, "holes": i % 3} for i in range(1, 6)] + [{"iteration": 6, "ink": 0.5}]
    figure = plot.curves(rows, ["ink", "holes"], baseline={"ink": 0.12})
    ink, holes = figure.axes
    assert ink.get_title("left") == "ink"
    assert np.stack(ink.lines[0].get_data())[:, -1].tolist() == [6, 0.5]
    assert [len(ink.lines), len(holes.lines), np.size(holes.lines[0].get_xdata())] == [2, 1, 5]
    figure.savefig(tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as image:
        assert len(pixels(image.convert("L")).unique()) > 10
    with pytest.raises(ValueError, match="at least one row"):
        plot.curves([], ["ink"])


def test_a_markdown_table_aligns_numbers_right() -> None:
    table = plot.markdown_table(["name", "ink"], [["fig2", "0.12"]])
    assert table == "| name | ink |\n| --- | ---: |\n| fig2 | 0.12 |"
