"""One network of any layers in the place of a stack (M = 1): for those that `stacked` has no counterpart of."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import Tensor, nn

from rscvae_lab.models.vae import VAE, Coding


class SoloVAE:
    """A VAE in training with the interface of `stacked.StackedVAE`: parameters and statistics are views of two rows.

    Args:
        model: the plain model; it is copied.
        dtype: of matrix products and activations, by autocast; parameters, statistics, codes and x_hat keep float32.
        fixed_picture: keeps the recoding's gradient from flowing back through x_hat into the decoder.
    """

    batched = False

    def __init__(self, model: VAE, device: str = "cpu", dtype: torch.dtype = torch.float32,
                 fixed_picture: bool = False):
        self.model = deepcopy(model).to(device, memory_format=torch.channels_last).train()
        self.dtype, self.fixed_picture = dtype, fixed_picture
        self.norms = [layer for layer in self.model.modules() if isinstance(layer, nn.BatchNorm2d)]
        self.flat = _as_row(list(self.model.parameters()))
        self.stats = _as_row([buffer for layer in self.norms for buffer in (layer.running_mean, layer.running_var)])

    def unstack(self) -> list[VAE]:
        """The plain model with these weights and statistics, in eval mode."""
        plain = deepcopy(self.model).eval()
        for layer in plain.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.num_batches_tracked.zero_()  # decides nothing, and a resumed run would not know it
        return [plain]

    def forward(self, x: Tensor, noise: Tensor, recode: Tensor | bool, active: Tensor) -> Coding:
        """As `StackedVAE.forward` with M = 1; `recode` False leaves the second encoding out, a bool (1,) on the CPU
        says whether it moves statistics."""
        images = x.squeeze(0).contiguous(memory_format=torch.channels_last)
        with torch.autocast(images.device.type, self.dtype, enabled=self.dtype == torch.bfloat16):
            mu, log_var = (part.to(x.dtype) for part in self.model.encode(images))
            z = mu + (0.5 * log_var).exp() * noise.squeeze(0)
            x_hat = self.model.decode(z).to(x.dtype)
            again = self._again(x_hat, bool(recode)) if recode is not False else (None, None)
        return Coding(*(part if part is None else part.unsqueeze(0) for part in (mu, log_var, z, x_hat, *again)))

    def _again(self, x_hat: Tensor, moves: bool) -> tuple[Tensor, Tensor]:
        with _momentum(self.norms, None if moves else 0.0):
            coded = self.model.encode(x_hat.detach() if self.fixed_picture else x_hat)
        return tuple(part.to(x_hat.dtype) for part in coded)

    def gradient(self, loss: Tensor, weight: float = 1.0) -> Tensor:
        """d (weight sum of loss) / d flat, (1, P), for a loss that follows from the last `forward`."""
        parameters = list(self.model.parameters())
        gradients = torch.autograd.grad(loss, parameters, torch.full_like(loss, weight))
        return torch.cat([_memory_order(gradient).reshape(-1) for gradient in gradients]).unsqueeze(0)


def _memory_order(tensor: Tensor) -> Tensor:
    """Kernels lie as (O, k, k, C), so that the views of them are channels last."""
    return tensor.permute(0, 2, 3, 1) if tensor.dim() == 4 else tensor


def _as_row(tensors: list[Tensor]) -> Tensor:
    """The tensors' values in one row (1, P), of which they become views."""
    row = torch.cat([_memory_order(tensor.detach()).reshape(-1) for tensor in tensors])
    for tensor, piece in zip(tensors, row.split([tensor.numel() for tensor in tensors])):
        view = piece.view(_memory_order(tensor).shape)
        tensor.data = view.permute(0, 3, 1, 2) if tensor.dim() == 4 else view
    return row.unsqueeze(0)


@contextmanager
def _momentum(norms: list[nn.BatchNorm2d], momentum: float | None) -> Iterator[None]:
    """Lets statistics move at another rate; None changes nothing."""
    usual = [layer.momentum for layer in norms]
    try:
        for layer in norms:
            layer.momentum = layer.momentum if momentum is None else momentum
        yield
    finally:
        for layer, old in zip(norms, usual):
            layer.momentum = old
