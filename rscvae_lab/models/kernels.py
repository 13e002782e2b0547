"""The layers of `layers.py` as functions of their parameters: for a lone model, and for M side by side.

Both have the same four functions. A lone model's images are (B, C, H, W), those of a stack (M, B, C, H, W); in memory
channels come last. Kernels are kept as (O, k, k, C), in a stack (M, O, k, k, C): rows of a matrix that multiplies
unfolded images.
"""

import threading
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional

MOMENTUM, EPS = 0.1, 1e-5  # of nn.BatchNorm2d
_BORDER = (0, 0, 1, 1, 1, 1)  # a pixel on every side of (..., H, W, C)


class Lone:
    """Channels last, by torch's own kernels where they are the fastest there are for a single model on a CPU."""

    @staticmethod
    def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return functional.linear(x, weight, bias)

    @staticmethod
    def convolution(x: Tensor, kernel: Tensor) -> Tensor:
        return _Convolution.apply(x.contiguous(memory_format=torch.channels_last), kernel)

    @staticmethod
    def transposed(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        y = _Transposed.apply(x.contiguous(memory_format=torch.channels_last), kernel)
        return y if bias is None else y + bias[:, None, None]

    @staticmethod
    def batch_norm(x: Tensor, mean: Tensor, var: Tensor, weight: Tensor, bias: Tensor, momentum: float) -> Tensor:
        return functional.batch_norm(x, mean, var, weight, bias, training=True, momentum=momentum, eps=EPS)


class _Convolution(Function):
    """3x3, stride 2, padding 1, even H and W. The kernel's gradient is one product with unfolded images: oneDNN's own
    takes two to three times as long in bfloat16 on two threads. Of one channel there is too little for a product."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor) -> Tensor:
        if x.shape[1] == 1:
            ctx.save_for_backward(kernel, x)
            return functional.conv2d(x, _channels_first(kernel), stride=2, padding=1)
        patches = _unfolded(x, 3)
        ctx.save_for_backward(kernel, patches)
        y = patches @ kernel.flatten(1).T
        return _channels_first(y.view(len(x), x.shape[2] // 2, x.shape[3] // 2, -1))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor]:
        kernel, seen = ctx.saved_tensors  # the images, or their patches
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        if kernel.shape[-1] == 1:
            of_kernel = _channels_last(_gradients(gradient, seen, kernel, False, (False, True))[1])
        else:
            of_kernel = (_channels_last(gradient).flatten(0, 2).T @ seen).view(kernel.shape)
        if not ctx.needs_input_grad[0]:
            return None, of_kernel
        return _of_images(gradient, kernel), of_kernel


def _of_images(gradient: Tensor, kernel: Tensor) -> Tensor:
    if kernel.shape[-1] == 1:
        return _folded(gradient, kernel)
    return functional.conv_transpose2d(gradient, _channels_first(kernel), stride=2, padding=1, output_padding=1)


class _Transposed(Function):
    """4x4, stride 2, padding 1, the adjoint of a convolution: both gradients multiply the unfolded gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor) -> Tensor:
        ctx.save_for_backward(x, kernel)
        if kernel.shape[-1] == 1:
            return _folded(x, kernel)
        return functional.conv_transpose2d(x, _channels_first(kernel), stride=2, padding=1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        x, kernel = ctx.saved_tensors
        if kernel.shape[-1] == 1:
            of_x, of_kernel = _gradients(gradient, x, kernel, True, (True, True))
            return of_x, _channels_last(of_kernel)
        patches, rows = _unfolded(gradient, 4), _channels_last(x)
        of_x = (patches @ kernel.flatten(1).T).view(rows.shape)
        return _channels_first(of_x), (rows.flatten(0, 2).T @ patches).view(kernel.shape)


def _channels_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


def _channels_first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)


def _unfolded(x: Tensor, size: int) -> Tensor:
    """What a kernel of this size sees at stride 2 and padding 1: (B h w, size size C)."""
    rows = _channels_last(x)
    if x.device.type == "cpu":
        inside, windows = _room(rows.shape, size, x.dtype, threading.get_ident())
        inside.copy_(rows)
    else:  # a GPU's recorded step knows addresses, and must not lean on room that may be given up
        windows = _windows(functional.pad(rows, _BORDER), size)
    return windows.clone(memory_format=torch.contiguous_format).view(-1, size * size * x.shape[1])


def _windows(padded: Tensor, size: int) -> Tensor:
    return padded.unfold(1, size, 2).unfold(2, size, 2).permute(0, 1, 2, 4, 5, 3)  # B, h, w, size, size, C


@lru_cache(32)
@torch.inference_mode(False)  # what is made once must serve training too
def _room(shape: torch.Size, size: int, dtype: torch.dtype, thread: int) -> tuple[Tensor, Tensor]:
    """Room for images (B, H, W, C) within a border of zeros, and the kernel's windows of the whole.

    It is kept, for a border made anew for every batch costs more than the copy into it; and one for each thread, which
    would else write into each other's.
    """
    padded = functional.pad(torch.zeros(shape, dtype=dtype), _BORDER)
    return padded[:, 1:-1, 1:-1], _windows(padded, size)


def _folded(x: Tensor, kernel: Tensor) -> Tensor:
    """A transposed convolution to one channel as a product and a fold: half the time of the library's own."""
    batch, channels, height, width = x.shape
    products = _channels_last(x).reshape(-1, channels) @ kernel.flatten(1)
    columns = products.view(batch, height * width, -1).mT.reshape(-1, height * width)  # the images as channels of one
    columns = columns.to(torch.promote_types(x.dtype, torch.float32))  # in bfloat16 folding is slow
    y = functional.fold(columns, (2 * height, 2 * width), kernel.shape[1], padding=1, stride=2)
    return y.unsqueeze(1).to(x.dtype)


def _gradients(gradient: Tensor, x: Tensor, kernel: Tensor, transposed: bool, wanted: tuple[bool, bool]) -> Any:
    """The library's gradients of images and kernel, channels first; None for what is not wanted."""
    return torch.ops.aten.convolution_backward(gradient, x, _channels_first(kernel), None, (2, 2), (1, 1), (1, 1),
                                               transposed, (0, 0), 1, (*wanted, False))[:2]


class Batched:
    """Batched matrix products, for a GPU. That they beat grouped convolutions there is expected, not yet measured."""

    @staticmethod
    def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return torch.baddbmm(bias.unsqueeze(1), x, weight.transpose(1, 2))

    @staticmethod
    def convolution(x: Tensor, kernel: Tensor) -> Tensor:
        """3x3, stride 2, padding 1: the unfolded input times the kernel."""
        padded = functional.pad(x.permute(0, 1, 3, 4, 2), _BORDER)
        patches = padded.unfold(2, 3, 2).unfold(3, 3, 2).permute(0, 1, 2, 3, 5, 6, 4)  # M, B, h, w, 3, 3, C
        products = patches.reshape(len(x), -1, kernel[0, 0].numel()) @ kernel.flatten(2).transpose(1, 2)
        return products.view(*patches.shape[:4], -1).permute(0, 1, 4, 2, 3)

    @staticmethod
    def transposed(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        """4x4, stride 2, padding 1: the input times the kernel, folded; folding is the adjoint of unfolding."""
        n_models, batch, channels, height, width = x.shape
        products = x.permute(0, 1, 3, 4, 2).reshape(n_models, -1, channels) @ kernel.flatten(2)
        patches = products.view(n_models, batch, height, width, 4, 4, -1).permute(0, 1, 2, 3, 6, 4, 5)
        row_shape = (n_models, batch, height, 2 * width + 2, patches.shape[4], 4)
        rows = torch.ops.aten.unfold_backward(patches, row_shape, dim=3, size=4, step=2)
        shape = (n_models, batch, 2 * height + 2, 2 * width + 2, patches.shape[4])
        y = torch.ops.aten.unfold_backward(rows, shape, dim=2, size=4, step=2)[:, :, 1:-1, 1:-1]
        return (y if bias is None else y + bias[:, None, None, None]).permute(0, 1, 4, 2, 3)

    @staticmethod
    def batch_norm(x: Tensor, mean: Tensor, var: Tensor, weight: Tensor, bias: Tensor, momentum: Tensor) -> Tensor:
        """As torch's, with a momentum for each model: (M,), 0 leaves its running statistics alone."""
        values = x.permute(0, 1, 3, 4, 2).to(weight.dtype)
        batch_var, batch_mean = torch.var_mean(values, (1, 2, 3), correction=0)  # (M, C)
        with torch.no_grad():
            n = values[0, ..., 0].numel()
            momentum = momentum.to(mean.dtype).unsqueeze(1)
            mean.lerp_(batch_mean, momentum)
            var.lerp_(batch_var * (n / (n - 1)), momentum)
        scale = weight * (batch_var + EPS).rsqrt()
        scale, shift = (part[:, None, None, None] for part in (scale, bias - batch_mean * scale))
        return torch.addcmul(shift, values, scale).to(x.dtype).permute(0, 1, 4, 2, 3)
