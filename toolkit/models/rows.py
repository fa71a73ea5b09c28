"""Some positions of a batch of maps, gathered as the rows of one matrix: all channels of a position are a row.

Maps are (B, K, h, w) and lie channels-last, so that rows are stretches of memory. `spread` and `collect` are what a
convolution does to rows, as matrix products; `sparse` says what they are good for.
"""

import threading
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag, pad

BLOCK = 256  # rows come in multiples of it: the CPU library plans every new shape anew, and may sum it in another order
CROWDED = 0.5  # from this share of active positions on, a layer is computed densely

Grid = tuple[int, int, int]  # (B, h, w)


@dataclass(frozen=True)
class Rows:
    """Some positions of a batch of maps, (B, h, w): flat indices (P,), of which the first `count` are real.

    The others are padding, and their values are zeros: row number `count` stands for "nothing here".
    """

    index: Tensor
    count: int
    grid: Grid

    @staticmethod
    def where(active: Tensor) -> "Rows":
        """The true positions of a mask (B, h, w)."""
        index = active.flatten().nonzero().squeeze(1)
        padding = BLOCK - len(index) % BLOCK  # at least one row
        batch, height, width = active.shape
        return Rows(pad(index, (0, padding)), len(index), (batch, height, width))

    @staticmethod
    def all(grid: Grid) -> "Rows":
        """Every position of a grid."""
        return Rows.where(torch.ones(grid, dtype=torch.bool))

    @property
    def crowded(self) -> bool:
        batch, height, width = self.grid
        return self.count > CROWDED * batch * height * width

    def within(self, grid: Grid, shift: int = 0) -> Tensor:
        """The same positions in a grid that is wider and higher, `shift` further down and right: (P,)."""
        _, height, width = self.grid
        line = self.index.div(width, rounding_mode="floor")  # b * height + y
        image = line.div(height, rounding_mode="floor")
        return self.index + line * (grid[2] - width) + image * (grid[1] - height) * grid[2] + shift * (grid[2] + 1)

    def lookup(self, margin: int = 0) -> Tensor:
        """Which row stands at each position, in a grid with a margin on all sides: int32, flat."""
        batch, height, width = self.grid
        found = torch.full((batch * height * width,), self.count, dtype=torch.int32)
        found[self.index[: self.count]] = torch.arange(self.count, dtype=torch.int32)
        return pad(found.view(self.grid), (margin,) * 4, value=self.count).flatten()

    def reached(self, kernel: int) -> "Rows":
        """The positions that a kernel laid out from these touches, in the wider grid of a transposed convolution."""
        grid = wider(self.grid, kernel - 1)
        active = torch.zeros(grid, dtype=torch.bool)
        active.view(-1)[(self.within(grid)[: self.count, None] + window(kernel, grid)).flatten()] = True
        return Rows.where(active)

    def sources(self, out: "Rows", kernel: int) -> Tensor:
        """For each row of `out`, the patches' entries that add up to it: int32 (P', k * k), into (P * k * k)."""
        margin = kernel - 1
        grid = wider(self.grid, 2 * margin)
        at = out.within(grid, margin)[:, None] - window(kernel, grid)
        found = self.lookup(margin).index_select(0, at.flatten()).view(at.shape)
        found[out.count :] = self.count
        return found * kernel**2 + torch.arange(kernel**2, dtype=torch.int32)

    def targets(self, out: "Rows", kernel: int) -> Tensor:
        """For each row, the rows of `out` under its kernel: int32 (P, k * k). The transpose of `sources`."""
        at = self.within(out.grid)[:, None] + window(kernel, out.grid)
        found = out.lookup().index_select(0, at.flatten()).view(at.shape)
        found[self.count :] = out.count
        return found


def spread(values: Tensor, weights: Tensor, sources: Tensor) -> Tensor:
    """Each row lays out a patch, and overlapping patches are summed: (P, A), (A, k*k*C), (P', k*k) -> (P', C).

    Products are taken block by block, so that no image is rounded otherwise because of the others in its batch.
    """
    patches = scratch(len(values), weights.shape[1], values.dtype)
    for block, product in zip(values.split(BLOCK), patches.split(BLOCK), strict=True):
        torch.mm(block, weights, out=product)
    return embedding_bag(sources, patches.view(-1, weights.shape[1] // sources.shape[1]), mode="sum")


def collect(values: Tensor, targets: Tensor) -> Tensor:
    """The patch under each row, valid until the next patches are made: (P', C), (P, k*k) -> (P, k*k*C)."""
    patches = scratch(targets.numel(), values.shape[1], values.dtype)
    return torch.index_select(values, 0, targets.flatten(), out=patches).view(len(targets), -1)


def table(weight: Tensor) -> Tensor:
    """A weight (A, C, k, k) as a matrix from channels to patches, (A, k * k * C); a view if it is channels-last."""
    return weight.permute(0, 2, 3, 1).reshape(len(weight), -1)


def paint(values: Tensor, rows: Rows) -> Tensor:
    """Rows -> the maps they stand in, (B, K, h, w), zeros elsewhere."""
    batch, height, width = rows.grid
    empty = values.new_zeros(batch * height * width, values.shape[1])
    return maps(empty.index_copy(0, rows.index[: rows.count], values[: rows.count]), rows.grid)


def flat(x: Tensor) -> Tensor:
    """Maps as rows: (B, K, h, w) -> (B * h * w, K); a view if they are channels-last."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def maps(rows: Tensor, grid: Grid) -> Tensor:
    """The inverse of `flat`: values of all positions (and then of padding) -> (B, K, h, w)."""
    batch, height, width = grid
    return rows[: batch * height * width].view(*grid, -1).permute(0, 3, 1, 2)


def wider(grid: Grid, by: int) -> Grid:
    """A grid that a transposed convolution makes: (B, h + by, w + by)."""
    return grid[0], grid[1] + by, grid[2] + by


def window(kernel: int, grid: Grid) -> Tensor:
    """The offsets of a kernel's positions in a flat grid: (k * k,)."""
    steps = torch.arange(kernel)
    return (steps[:, None] * grid[2] + steps).flatten()


_thread = threading.local()


def scratch(rows: int, columns: int, dtype: torch.dtype) -> Tensor:
    """A matrix in memory that is used again and again: fresh pages of this size cost more than the work on them."""
    size = rows * columns * dtype.itemsize
    if getattr(_thread, "memory", torch.empty(0)).numel() < size:
        _thread.memory = torch.empty(size, dtype=torch.uint8)
    matrix: Tensor = _thread.memory[:size].view(dtype).view(rows, columns)
    return matrix
