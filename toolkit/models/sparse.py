"""The exact sparse path of the winner-take-all autoencoder: on a CPU, only what a winner touches is computed.

What is zero, and why leaving it out changes nothing. The code z of an image holds at most one nonzero per map, and in
training only the share of those that survives lifetime sparsity; a 5x5 layer carries a nonzero to 25 positions.

- Decoder. Away from the winners every layer computes what it would for z = 0, and that is the same for every image: the
  *ground*, g = z0 * W + b. It is computed once, as a batch of one. A transposed convolution is linear, so of the batch
  only the difference d from the ground is needed, at the positions that winners can reach: s = d * W, and for the next
  layer d' = relu(g + s) - relu(g). The sum of ground and difference is the dense result.
- Its gradient. The loss is a sum over pixels, and a pixel that no winner reaches depends on the ground alone: what such
  positions owe to weights and biases flows back through the one image of the ground, by ordinary autograd.
- Encoder. Any position may win, so it is dense forward. Backward, the gradient enters at the winners and is zero at
  every position whose window holds none; sums over positions lose nothing by leaving those out.

The active positions of all images are gathered as the *rows* of one matrix (all channels of a position are a row), and
the work is matrix products. `spread`: rows times weights, then overlapping patches are summed; that is a transposed
convolution, and also the gradient of a convolution with respect to its input. `collect`, the patches of rows, is its
adjoint. Where most positions are active anyway the dense layer is faster, and takes over.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn.functional import conv2d, conv_transpose2d, embedding
from torch.nn.grad import conv2d_input, conv2d_weight

from .rows import Rows, collect, flat, maps, paint, spread, table, wider, window

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
        rows = Rows.where(_nonzero(grad))
        if rows.crowded:
            return _dense_gradients(grad if y is None else grad * (y > 0), x, weight)
        values = flat(grad).index_select(0, rows.index)
        values[rows.count :] = 0
        if y is not None:
            values *= flat(y).index_select(0, rows.index) > 0
        to_weight = values.t().contiguous() @ collect(flat(x), _beneath(rows, x, weight))
        to_x = _spread_out(values, weight, rows) if ctx.needs_input_grad[0] else None
        return to_x, _as_weight(to_weight, weight), values.sum(0, dtype=torch.float32), None


def encode(x: Tensor, layers: Iterable[nn.Module]) -> tuple[Tensor, Tensor]:
    """Images (B, C, H, W) -> the strength of each map's winner after the last ReLU, and its flat position: (B, K)."""
    dtype, convolutions = _dtype(x), [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    h = x.to(dtype)
    for layer in convolutions:
        h = Convolution.apply(h, *_parameters(layer, dtype), layer is not convolutions[-1])
    return _winners(h)


def decode(strength: Tensor, position: Tensor, side: int, layers: Iterable[nn.Module]) -> Tensor:
    """Winners, (B, K) each, in maps of side x side, of which those of strength 0 are none -> raw images, float32."""
    weights = [_parameters(layer, strength.dtype) for layer in layers if isinstance(layer, nn.ConvTranspose2d)]
    rows, d = _code(strength, position, side)
    ground = d.new_zeros(1, d.shape[1], side, side)
    if rows.crowded:
        return _dense(paint(d, rows), weights)
    for depth, (weight, bias) in enumerate(weights[:-1], start=1):
        below = conv_transpose2d(ground, weight, bias)
        out = rows.reached(weight.shape[2])
        if out.crowded:
            s = Spread.apply(d, table(weight), rows, Rows.all(out.grid), weight.shape[2])
            return _dense((below + maps(s, out.grid)).relu(), weights[depth:])
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
    for weight, bias in weights[:-1]:
        h = conv_transpose2d(h, weight, bias).relu_()
    last = conv_transpose2d if torch.is_grad_enabled() else _few_channels
    return last(h, *weights[-1]).float()


def _rectified(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A convolution and ReLU, without gradients; in one call where the CPU library has it, which reads y once less."""
    if torch.backends.mkldnn.is_available():
        y: Tensor = torch.ops.mkldnn._convolution_pointwise(x, weight, bias, [0, 0], [1, 1], [1, 1], 1, "relu", [], "")
        return y
    return conv2d(x, weight, bias).relu_()


def _few_channels(h: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A transposed convolution to few channels: a matrix product for each image, and k * k shifted sums; float32."""
    (batch, _, height, width), (_, channels, kernel, _) = h.shape, weight.shape
    patches = torch.bmm(flat(h).view(batch, height * width, -1), table(weight).expand(batch, -1, -1))
    planes = patches.permute(2, 0, 1).reshape(kernel, kernel, channels, batch, height, width)
    image = bias.float()[:, None, None, None].repeat(1, batch, height + kernel - 1, width + kernel - 1)
    for y in range(kernel):
        for x in range(kernel):
            image[..., y : y + height, x : x + width] += planes[y, x]
    return image.transpose(0, 1)


def _winners(x: Tensor) -> tuple[Tensor, Tensor]:
    """The strongest value of each map after ReLU, and its first position: (B, K, h, w) -> (B, K), int64 (B, K)."""
    batch, channels, height, width = x.shape
    lines = flat(x).view(batch, height, width, channels)
    with torch.no_grad():
        y = lines.amax(2).max(1).indices  # (B, K), the line of the winner: the only look at the whole map
        line = lines.gather(1, y[:, None, None].expand(-1, 1, width, -1)).squeeze(1)  # (B, w, K)
        position = y * width + line.max(1).indices
    strength = lines.view(batch, height * width, channels).gather(1, position[:, None]).squeeze(1)
    return strength.relu(), position


def _nonzero(grad: Tensor) -> Tensor:
    """Where any channel is nonzero, from the bits of the numbers, which is fastest: (B, K, h, w) -> bool (B, h, w)."""
    values = flat(grad)
    even = values.shape[1] * values.element_size() % 4 == 0
    least, most = (values.view(torch.int32) if even else values).aminmax(dim=1)
    return ((least != 0) | (most != 0)).view(len(grad), *grad.shape[2:])


def _spread_out(values: Tensor, weight: Tensor, rows: Rows) -> Tensor:
    """The gradient of a convolution with respect to its input, (B, A, h, w)."""
    out = rows.reached(weight.shape[2])
    return paint(spread(values, table(weight), rows.sources(out, weight.shape[2])), out)


def _dense_gradients(grad: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor | None, ...]:
    """What ordinary autograd gives for a convolution."""
    to_x = conv2d_input(x.shape, weight, grad)
    return to_x, conv2d_weight(x, weight.shape, grad), grad.sum((0, 2, 3), dtype=torch.float32), None


def _beneath(rows: Rows, x: Tensor, weight: Tensor) -> Tensor:
    """For each row of a convolution's output, the positions of its input under the kernel: (P, k * k)."""
    grid = (len(x), *x.shape[2:])
    return rows.within(grid)[:, None] + window(weight.shape[2], grid)


def _parameters(layer: nn.Conv2d | nn.ConvTranspose2d, dtype: torch.dtype) -> Parameters:
    assert layer.bias is not None
    return layer.weight.to(dtype), layer.bias.to(dtype)


def _dtype(x: Tensor) -> torch.dtype:
    """What the caller's autocast wants."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype


def _as_weight(gradient: Tensor, weight: Tensor) -> Tensor:
    """The inverse of `table`."""
    channels_out, channels_in, kernel, _ = weight.shape
    return gradient.view(channels_out, kernel, kernel, channels_in).permute(0, 3, 1, 2)
