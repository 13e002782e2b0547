"""The two convolutions of the plain network, and the arithmetic that trains them fastest.

`Conv2d` and `ConvTranspose2d` are torch's own layers, with the same weights and results (for zero
padding and without groups or dilation). In the plain network's geometry (3x3 kernels that halve an
image, 4x4 kernels that double it) they can also compute with matrix products of unfolded images.
They do so

- on a CPU in layers of many channels, whose gradients take oneDNN up to 1.7 times as long;
- everywhere when `as_products` is set, for `torch.vmap` over many models: their products become
  batched products, where convolutions would become grouped ones, slow for many small models.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional

_WIDE = 64 * 128  # input times output channels from which products are faster on a CPU (measured)


class Conv2d(nn.Conv2d):
    """`torch.nn.Conv2d`, faster for wide layers with 3x3 kernels, stride 2 and padding 1."""

    as_products = False

    def forward(self, x: Tensor) -> Tensor:
        geometry = self.kernel_size, self.stride, self.padding
        even = x.shape[-1] % 2 == x.shape[-2] % 2 == 0
        halving = geometry == ((3, 3), (2, 2), (1, 1)) and self.bias is None and even
        if halving and self.as_products:
            return _halved_by_products(*_autocast(x, self.weight))
        if halving and _pays_off(x, self.weight):
            return _Halve.apply(*_autocast(x, self.weight))
        return super().forward(x)


class ConvTranspose2d(nn.ConvTranspose2d):
    """`torch.nn.ConvTranspose2d`, faster for wide layers with 4x4 kernels, stride 2, padding 1."""

    as_products = False

    def forward(self, x: Tensor) -> Tensor:
        geometry = self.kernel_size, self.stride, self.padding
        doubling = geometry == ((4, 4), (2, 2), (1, 1))
        if doubling and self.as_products:
            y = _doubled_by_products(*_autocast(x, self.weight))
            return y if self.bias is None else y + self.bias.to(y.dtype)[:, None, None]
        if doubling and self.bias is None and _pays_off(x, self.weight):
            return _Double.apply(*_autocast(x, self.weight))
        return super().forward(x)


def _pays_off(x: Tensor, weight: Tensor) -> bool:
    return x.device.type == "cpu" and weight.shape[0] * weight.shape[1] >= _WIDE


def _autocast(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Casts as torch's own layers do under autocast."""
    device = tensors[0].device.type
    if not torch.is_autocast_enabled(device):
        return tensors
    return tuple(tensor.to(torch.get_autocast_dtype(device)) for tensor in tensors)


class _Halve(Function):
    """A 3x3 convolution of stride 2 and padding 1 as one product with the unfolded images."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        patches = _unfolded(x, 3)
        ctx.save_for_backward(patches, weight)
        y = patches @ _rows(weight).T
        return _channels_first(y.view(x.shape[0], x.shape[2] // 2, x.shape[3] // 2, len(weight)))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor]:
        patches, weight = ctx.saved_tensors
        grad_weight = _channels_last(grad).flatten(0, 2).T @ patches
        grad_weight = _channels_first(grad_weight.view(_channels_last(weight).shape))
        if not ctx.needs_input_grad[0]:
            return None, grad_weight
        grad_x = functional.conv_transpose2d(grad, weight, stride=2, padding=1, output_padding=1)
        return grad_x, grad_weight


class _Double(Function):
    """A 4x4 transposed convolution of stride 2 and padding 1, the adjoint of a convolution: both
    gradients are products with the unfolded gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return functional.conv_transpose2d(x, weight, stride=2, padding=1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        patches, pixels = _unfolded(grad, 4), _channels_last(x)
        grad_x = _channels_first((patches @ _rows(weight).T).view(pixels.shape))
        grad_weight = pixels.flatten(0, 2).T @ patches
        return grad_x, _channels_first(grad_weight.view(_channels_last(weight).shape))


def _unfolded(x: Tensor, size: int) -> Tensor:
    """What a kernel sees at stride 2 and padding 1, channels last: (B h w, size size C)."""
    padded = functional.pad(_channels_last(x), (0, 0, 1, 1, 1, 1))
    windows = padded.unfold(1, size, 2).unfold(2, size, 2).permute(0, 1, 2, 4, 5, 3)
    return windows.reshape(-1, size * size * x.shape[1])


def _halved_by_products(x: Tensor, weight: Tensor) -> Tensor:
    """`_Halve` in operations that autograd and vmap know, channels outermost in memory: then those
    of M models lie in a row, as batch normalisation wants them."""
    batch, _, height, width = x.shape
    padded = functional.pad(x.transpose(0, 1), (1, 1, 1, 1))
    windows = padded.unfold(2, 3, 2).unfold(3, 3, 2)  # C B h w 3 3
    patches = windows.permute(0, 4, 5, 1, 2, 3).reshape(weight[0].numel(), -1)
    y = weight.flatten(1) @ patches
    return y.view(len(weight), batch, height // 2, width // 2).transpose(0, 1)


def _doubled_by_products(x: Tensor, weight: Tensor) -> Tensor:
    """`_Double` in operations that autograd and vmap know, channels outermost in memory: each cell
    of 2x2 pixels is a product with the 2x2 pixels of x around it. (torch's `fold` takes as few
    lines, but its gradient launches a kernel on a GPU for each image.)"""
    batch, channels, height, width = x.shape
    padded = functional.pad(x.transpose(0, 1), (1, 1, 1, 1))
    windows = padded.unfold(2, 2, 1).unfold(3, 2, 1)  # C B H+1 W+1 2 2
    patches = windows.permute(0, 4, 5, 1, 2, 3).reshape(4 * channels, -1)
    kernels = weight.view(channels, -1, 2, 2, 2, 2).flip(2, 4)  # C O, window, pixel, twice
    cells = kernels.permute(1, 3, 5, 0, 2, 4).reshape(-1, 4 * channels) @ patches
    cells = cells.view(-1, 2, 2, batch, height + 1, width + 1).permute(3, 0, 4, 1, 5, 2)
    return cells.reshape(batch, -1, 2 * height + 2, 2 * width + 2)[..., 1:-1, 1:-1]


def _channels_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


def _channels_first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def _rows(weight: Tensor) -> Tensor:
    """A kernel (O, C, k, k) as the matrix that multiplies unfolded images, (O, k k C)."""
    return _channels_last(weight).flatten(1)
