"""Sparse codes: spatial and lifetime sparsity, and convolutions that compute only what nonzeros reach.

Maps are (B, K, h, w) and lie channels-last. The code z of an image holds at most one nonzero per map, and in training
only the share of those that survives lifetime sparsity; a 5x5 layer carries a nonzero to 25 positions.

- Decoder. Away from the winners every layer computes what it would for z = 0, and that is the same for every image: the
  *ground*, g = z0 * W + b. It is computed once, as a batch of one. A transposed convolution is linear, so of the batch
  only the difference d from the ground is needed, at the positions that winners can reach: s = d * W, and for the next
  layer d' = relu(g + s) - relu(g). The sum of ground and difference is the dense result.
- Its gradient. The loss is a sum over pixels, and a pixel that no winner reaches depends on the ground alone: what such
  positions owe to weights and biases flows back through the one image of the ground, by ordinary autograd.
- Encoder. Any position may win, so it is dense forward. Backward, the gradient enters at the winners and is zero at
  every position whose window holds none; sums over positions lose nothing by leaving those out.

The active positions of all images are gathered as the *rows* of one matrix (all channels of a position are a row).
`spread`: rows times weights, then overlapping patches are summed; that is a transposed convolution, and also the
gradient of a convolution with respect to its input. `collect`, the patches of rows, is its adjoint. Where most
positions are active the dense layer is faster, and takes over.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.functional import conv2d, conv_transpose2d, embedding, embedding_bag, fold, max_pool2d, pad
from torch.nn.grad import conv2d_weight

from ..train import tiles

BLOCK = 256  # rows come in multiples of it: the CPU library plans every new shape anew, and may sum it in another order
CROWDED = 0.5  # from this share of active positions on, a layer is computed densely
CROWDED_IN_BFLOAT16 = 0.1 if tiles() else CROWDED  # in tiles (AMX) dense layers are several times as fast

Grid = tuple[int, int, int]  # (B, h, w)


@dataclass(frozen=True)
class Rows:
    """Some positions of a batch of maps, (B, h, w): flat indices (P,), of which the first `count` are real.

    The others are padding, and their values are zeros: row number `count` stands for no position.
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

    def crowded(self, dtype: torch.dtype) -> bool:
        batch, height, width = self.grid
        return self.count > crowd(dtype) * batch * height * width

    def within(self, grid: Grid, shift: int = 0) -> Tensor:
        """The same positions in a grid that is wider and higher, `shift` further down and right: (P,)."""
        _, height, width = self.grid
        line = self.index.div(width, rounding_mode="floor")  # b * height + y
        image = line.div(height, rounding_mode="floor")
        return self.index + line * (grid[2] - width) + image * (grid[1] - height) * grid[2] + shift * (grid[2] + 1)

    def lookup(self, margin: int = 0) -> Tensor:
        """The row of each position, in a grid with a margin on all sides: int32, flat."""
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


def crowd(dtype: torch.dtype) -> float:
    """From which share of active positions on a layer is computed densely."""
    return CROWDED_IN_BFLOAT16 if dtype == torch.bfloat16 else CROWDED


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


Parameters = tuple[Tensor, Tensor]  # a layer's weight and bias


class Spread(Function):
    """`spread` from rows to rows of the wider grid, with its gradients."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weights: Tensor, rows: Rows, out: Rows, kernel: int) -> Tensor:
        ctx.save_for_backward(values, weights)
        ctx.places = rows, out, kernel
        return spread(values, weights, rows.sources(out, kernel))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        values, weights = ctx.saved_tensors
        rows, out, kernel = ctx.places
        patches = collect(grad, rows.targets(out, kernel))
        return patches @ weights.t(), values.t().contiguous() @ patches, None, None, None


class Convolution(Function):
    """A convolution (B, A, h, w) -> (B, C, h', w'), with ReLU or not; backward only where the gradient is nonzero."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, rectify: bool) -> Tensor:
        y = _rectified(x, weight, bias) if rectify else conv2d(x, weight, bias)
        ctx.save_for_backward(x, weight, y if rectify else None)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, y = ctx.saved_tensors
        kernel, rows = weight.shape[2], Rows.where(_nonzero(grad))
        if rows.crowded(grad.dtype):  # what ordinary autograd gives
            grad = _gated(grad, y)
            to_x = conv_transpose2d(grad, weight) if ctx.needs_input_grad[0] else None
            return to_x, conv2d_weight(_channels_last(x), weight.shape, grad), flat(grad).sum(0), None
        values = flat(grad).index_select(0, rows.index)
        values[rows.count :] = 0
        if y is not None:
            values *= flat(y).index_select(0, rows.index) > 0
        grid = (len(x), *x.shape[2:])
        beneath = rows.within(grid)[:, None] + window(kernel, grid)  # for each row, the input under the kernel
        to_weight = (values.t().contiguous() @ collect(flat(x), beneath)).view(len(weight), kernel, kernel, -1)
        to_x = None
        if ctx.needs_input_grad[0]:
            out = rows.reached(kernel)
            to_x = paint(spread(values, table(weight), rows.sources(out, kernel)), out)
        return to_x, to_weight.permute(0, 3, 1, 2), values.sum(0, dtype=torch.float32), None


class Transposed(Function):
    """A transposed convolution on whole maps, (B, A, h, w) -> (B, C, h', w'): of an inner layer with ReLU, or the last.

    Its gradients are those of ordinary autograd, which in bfloat16 takes twice as long for them.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, last: bool) -> Tensor:
        y = _few_channels(x, weight, bias) if last else conv_transpose2d(x, weight, bias).relu_()
        ctx.save_for_backward(x, weight, None if last else y)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, y = ctx.saved_tensors
        grad = _gated(grad.to(x.dtype), y)
        return conv2d(grad, weight), conv2d_weight(grad, weight.shape, x), flat(grad).sum(0), None


def _gated(grad: Tensor, y: Tensor | None) -> Tensor:
    """The gradient before a ReLU that gave y, or that of no ReLU, channels-last."""
    if y is not None:
        grad = torch.ops.aten.threshold_backward(grad, y, 0)
    return _channels_last(grad)


def _channels_last(x: Tensor) -> Tensor:
    """Maps channels-last for certain: of one channel a tensor lies both ways, and is taken for channels-first."""
    channels, height, width = x.shape[1:]
    return flat(x).contiguous().as_strided(x.shape, (height * width * channels, 1, width * channels, channels))


def encode(x: Tensor, layers: Iterable[nn.Module]) -> tuple[Tensor, Tensor]:
    """Images (B, C, H, W) -> the strength of each map's winner after the last ReLU, and its flat position: (B, K)."""
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    h = x.to(dtype)
    for layer in convolutions:
        h = Convolution.apply(h, *_parameters(layer, dtype), layer is not convolutions[-1])
    return _winners(h)


def decode(strength: Tensor, position: Tensor, side: int, layers: Iterable[nn.Module]) -> Tensor:
    """Winners, (B, K) each, in maps of side x side, of which those of strength 0 are none -> raw images, float32."""
    weights = [_parameters(layer, strength.dtype) for layer in layers if isinstance(layer, nn.ConvTranspose2d)]
    rows, d = _code(strength, position, side)
    ground = d.new_zeros(1, d.shape[1], side, side)
    # In training by how many positions are active; in sampling by how many can be, which is the same for any batch.
    possible = strength.shape[1] > crowd(d.dtype) * side**2
    if rows.crowded(d.dtype) if torch.is_grad_enabled() else possible:
        return _dense(paint(d, rows), weights)
    for depth, (weight, bias) in enumerate(weights[:-1], start=1):
        below = conv_transpose2d(ground, weight, bias)
        out = rows.reached(weight.shape[2])
        if out.crowded(d.dtype):
            everywhere = Rows.where(torch.ones(out.grid, dtype=torch.bool))
            s = Spread.apply(d, table(weight), rows, everywhere, weight.shape[2])
            # of a matrix with a line for each image, sums over images are fast, which are the gradient of `below`
            h = (s[: everywhere.count].view(len(strength), -1) + flat(below).flatten()).view(everywhere.count, -1)
            return _dense(maps(h, out.grid).relu(), weights[depth:])
        s = Spread.apply(d, table(weight), rows, out, weight.shape[2])
        here = embedding(out.index % (out.grid[1] * out.grid[2]), flat(below))
        ground, d, rows = below.relu(), (here + s).relu() - here.relu(), out
    return _draw(d, rows, ground, *weights[-1])


def _code(strength: Tensor, position: Tensor, side: int) -> tuple[Rows, Tensor]:
    """The winners as rows: a position where a winner stands is a row, and its winners are that row's nonzeros."""
    image, channel = strength.nonzero(as_tuple=True)
    cell = image * side**2 + position[image, channel]
    active = torch.zeros(len(strength), side, side, dtype=torch.bool)
    active.view(-1)[cell] = True
    rows = Rows.where(active)
    values = strength.new_zeros(len(rows.index), strength.shape[1])
    return rows, values.index_put((rows.lookup()[cell].long(), channel), strength[image, channel])


def _draw(d: Tensor, rows: Rows, ground: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The last layer, for any number of rows: each adds its patch to the ground's image. -> (B, C, H, W), float32."""
    kernel, channels = weight.shape[2], weight.shape[1]
    grid = wider(rows.grid, kernel - 1)
    patches = (d @ table(weight)).float()  # (P, k * k * C)
    at = (rows.within(grid)[:, None] + window(kernel, grid))[..., None] * channels + torch.arange(channels)
    drawn = patches.new_zeros(grid[0] * grid[1] * grid[2] * channels).index_add(0, at.flatten(), patches.flatten())
    return conv_transpose2d(ground, weight, bias).float() + maps(drawn.view(-1, channels), grid)


def _dense(h: Tensor, weights: list[Parameters]) -> Tensor:
    """The rest of the decoder on whole maps, the last layer without ReLU: (B, K, h, w) -> (B, C, H, W), float32."""
    for depth, (weight, bias) in enumerate(weights, start=1):
        h = Transposed.apply(h, weight, bias, depth == len(weights))
    return h


def _rectified(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A convolution and ReLU, without gradients; in one call where the CPU library has it, which reads y once less."""
    if torch.backends.mkldnn.is_available():
        y: Tensor = torch.ops.mkldnn._convolution_pointwise(x, weight, bias, [0, 0], [1, 1], [1, 1], 1, "relu", [], "")
        return y
    return conv2d(x, weight, bias).relu_()


def _few_channels(h: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A transposed convolution to few channels: a product for each image, whose patches are summed in float32."""
    batch, channels, height, width = h.shape
    kernel = weight.shape[2]
    lines = flat(h).view(batch, height * width, channels).transpose(1, 2)
    patches = torch.bmm(weight.reshape(channels, -1).t().expand(batch, -1, -1), lines)  # (B, C * k * k, h * w)
    image = fold(patches.float(), (height + kernel - 1, width + kernel - 1), kernel)
    return image + bias.float()[:, None, None]


def _winners(x: Tensor) -> tuple[Tensor, Tensor]:
    """The strongest value of each map after ReLU, and its first position: (B, K, h, w) -> (B, K), int64 (B, K)."""
    batch, channels, height, width = x.shape
    with torch.no_grad():
        position = max_pool2d(x, (height, width), return_indices=True)[1].view(batch, channels)
    strength = flat(x).view(batch, height * width, channels).gather(1, position[:, None]).squeeze(1)
    return strength.relu(), position


def _nonzero(grad: Tensor) -> Tensor:
    """Where any channel is nonzero, from the bits of the numbers, which is fastest: (B, K, h, w) -> bool (B, h, w)."""
    values = flat(grad)
    even = values.shape[1] * values.element_size() % 4 == 0
    least, most = (values.view(torch.int32) if even else values).aminmax(dim=1)
    return ((least != 0) | (most != 0)).view(len(grad), *grad.shape[2:])


def _parameters(layer: nn.Conv2d | nn.ConvTranspose2d, dtype: torch.dtype) -> Parameters:
    assert layer.bias is not None
    return layer.weight.to(dtype), layer.bias.to(dtype)


def spatial(z: Tensor) -> Tensor:
    """Keep the one strongest position of each feature map: (B, K, h, w) -> same shape.

    Ties go to one position, so there is exactly one winner per map; a map of zeros stays zeros.
    """
    flat = z.flatten(2)
    winner = flat.argmax(-1, keepdim=True)
    return torch.zeros_like(flat).scatter(-1, winner, flat.gather(-1, winner)).view_as(z)


def lifetime(z: Tensor, rate: float) -> Tensor:
    """Keep each channel only in the `rate` share of the batch where its winner is strongest: (B, K, h, w) -> same.

    At least one image of the batch keeps a channel, however small the batch. rate in (0, 1].
    Source: Datasets That Are Not, section 2 (5 % lifetime sparsity per channel).
    """
    return z * survivors(z.flatten(2).amax(-1), rate)[..., None, None]


def survivors(strength: Tensor, rate: float) -> Tensor:
    """The rule of `lifetime`, on the strength of winners: (B, K) -> 1 where an image keeps a channel, 0 elsewhere."""
    winners = strength.topk(kept(len(strength), rate), dim=0).indices  # (k, K)
    return torch.zeros_like(strength).scatter(0, winners, 1.0)


def lifetime_per_position(z: Tensor, rate: float) -> Tensor:
    """The older, weaker rule: the share is taken per channel *and position* across the batch. (B, K, h, w) -> same.

    After spatial sparsity a winner is lost only where more than `rate` of the batch share its exact position. The code
    published with the paper worked this way until January 2023; it keeps a superset of what `lifetime` keeps.
    """
    winners = z.topk(kept(len(z), rate), dim=0).indices  # (k, K, h, w)
    return z * torch.zeros_like(z).scatter(0, winners, 1.0)


def survivors_per_position(strength: Tensor, position: Tensor, rate: float) -> Tensor:
    """The rule of `lifetime_per_position`, on winners: (B, K) and int64 (B, K) -> 1 where one is kept, 0 elsewhere.

    Of the images whose winner in a channel has the same position the strongest keep it.
    """
    batch, channels = strength.shape
    place = (position * channels + torch.arange(channels, device=position.device)).flatten()
    by_strength = strength.flatten().argsort(descending=True, stable=True)
    order = by_strength[place[by_strength].argsort(stable=True)]  # places one after the other, the strongest first
    ordered = place[order]
    rank = torch.arange(len(order), device=order.device) - torch.searchsorted(ordered, ordered)
    return (
        torch.zeros_like(strength)
        .flatten()
        .scatter(0, order, (rank < kept(batch, rate)).to(strength.dtype))
        .view_as(strength)
    )


def kept(batch: int, rate: float) -> int:
    """How many of `batch` images keep a channel: the rounded share, never fewer than one."""
    return max(1, round(rate * batch))
