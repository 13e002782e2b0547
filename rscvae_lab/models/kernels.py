"""The layers of `layers.py` as functions of their parameters: for a lone model, and for M side by side.

Both have the same four functions. A lone model's images are (B, C, H, W), its kernels (O, C, k, k); those of a stack
(M, B, C, H, W) and (M, O, k, k, C). In memory channels come last in all of them.
"""

import torch
from torch import Tensor
from torch.nn import functional

MOMENTUM, EPS = 0.1, 1e-5  # of nn.BatchNorm2d


class Lone:
    """torch's own kernels, channels last, the fastest there are for a single model."""

    @staticmethod
    def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return functional.linear(x, weight, bias)

    @staticmethod
    def convolution(x: Tensor, kernel: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        return functional.conv2d(x, kernel, stride=2, padding=1)

    @staticmethod
    def transposed(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        return functional.conv_transpose2d(x, kernel, bias, stride=2, padding=1)

    @staticmethod
    def batch_norm(x: Tensor, mean: Tensor, var: Tensor, weight: Tensor, bias: Tensor, momentum: float) -> Tensor:
        return functional.batch_norm(x, mean, var, weight, bias, training=True, momentum=momentum, eps=EPS)


class Batched:
    """Batched matrix products, for a GPU. That they beat grouped convolutions there is expected, not yet measured."""

    @staticmethod
    def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return torch.baddbmm(bias.unsqueeze(1), x, weight.transpose(1, 2))

    @staticmethod
    def convolution(x: Tensor, kernel: Tensor) -> Tensor:
        """3x3, stride 2, padding 1: the unfolded input times the kernel."""
        padded = functional.pad(x.permute(0, 1, 3, 4, 2), (0, 0, 1, 1, 1, 1))
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
