"""M plain VAEs side by side, trained as one network: every layer works on all of them at once.

On a GPU a step of one small model is all launch overhead; M models in one step cost hardly more. The mathematics is
that of `vae.VAE`. All parameters lie in one matrix `flat` (M, P), so that one cast or optimizer step is one operation.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional

from rscvae_lab.models.kernels import MOMENTUM, Batched, Lone
from rscvae_lab.models.layers import SLOPE
from rscvae_lab.models.vae import VAE, Coding, bounded


class StackedVAE:
    """M VAEs of one architecture, each with its own weights and batch-norm statistics, in training.

    Args:
        models: the plain models; they are copied.
        dtype: of matrix products and activations; parameters, statistics, codes and x_hat keep the models' own.
        batched: whether layers work on all models at once. By default on a GPU; on a CPU, where it does not pay, one
            model follows the other, to the same bits as alone.
    """

    def __init__(self, models: Sequence[VAE], device: str = "cpu", dtype: torch.dtype = torch.float32,
                 batched: bool | None = None):
        self.architecture, self.dtype = models[0], dtype
        self.batched = len(models) > 1 and device == "cuda" if batched is None else batched
        self.flat = torch.stack([_joined(map(_memory_order, _ordered(model))) for model in models])
        self.flat = self.flat.to(device).requires_grad_()  # (M, P)
        self.stats = torch.stack([_joined(_statistics(model)) for model in models]).to(device)  # (M, Q)
        self._pieces = _pieces(models[0])
        self._rows = [self._statistics(row) for row in self.stats]
        self._n_matrices = sum(len(shape) > 1 for shape in self._pieces.values())

    def unstack(self) -> list[VAE]:
        """M plain models with these weights and statistics, in eval mode, on the stack's device."""
        return [self._plain(*rows) for rows in zip(self.flat.detach(), self.stats)]

    @torch.no_grad()
    def _plain(self, flat: Tensor, stats: Tensor) -> VAE:
        model = deepcopy(self.architecture).to(flat.device, memory_format=torch.channels_last)
        for row, tensors in ((flat, [_memory_order(p) for p in _ordered(model)]), (stats, list(_statistics(model)))):
            for tensor, part in zip(tensors, row.split([tensor.numel() for tensor in tensors])):
                tensor.copy_(part.view(tensor.shape))
        return model.eval()

    def forward(self, x: Tensor, noise: Tensor, recode: Tensor | bool, active: Tensor) -> Coding:
        """`VAE.forward` of every model on its own batch.

        Args:
            x: images in [0, 1], (M, B, C, S, S).
            noise: standard normal draws (M, B, D).
            recode: False leaves the second encoding out. A bool (M,) says whose statistics it moves.
            active: bool (M,), whose statistics move at all. A lone model's always do.
        """
        first, again = MOMENTUM * active, MOMENTUM * (active & recode)
        if self.batched:
            network = _Network(self, self.flat, self._statistics(self.stats), Batched)
            return network.forward(x, noise, recode is not False, first, again)
        if len(self.flat) == 1:  # with nothing to ask of the device, and views instead of copies
            network = _Network(self, self.flat.squeeze(0), self._rows[0], Lone)
            coding = network.forward(x.squeeze(0), noise.squeeze(0), recode is not False, MOMENTUM, MOMENTUM)
            return Coding(*(part if part is None else part.unsqueeze(0) for part in coding))
        momenta = zip(first.tolist(), again.tolist())
        codings = [_Network(self, flat, statistics, Lone).forward(*batch, recode is not False, *pair)
                   for flat, statistics, *batch, pair in zip(self.flat.unbind(), self._rows, x, noise, momenta)]
        return Coding(*(None if parts[0] is None else torch.stack(parts) for parts in zip(*codings)))

    def pieces(self, flat: Tensor) -> dict[str, Tensor]:
        """Views of parameters (..., P) by name, matrices cast in one go."""
        shapes, n = list(self._pieces.values()), self._n_matrices
        sizes = [shape.numel() for shape in shapes]
        parts = flat.split(sizes, -1)  # whose gradient is a single concatenation
        if self.dtype != flat.dtype:
            matrices, vectors = flat.split([sum(sizes[:n]), sum(sizes[n:])], -1)
            parts = [*matrices.to(self.dtype).split(sizes[:n], -1), *vectors.split(sizes[n:], -1)]
        return {name: part.unflatten(-1, shape) for name, part, shape in zip(self._pieces, parts, shapes)}

    def _statistics(self, stats: Tensor) -> dict[str, Tensor]:
        """Views of running statistics (..., Q) by layer and kind."""
        layers = self.architecture.named_modules()
        norms = [(name, layer) for name, layer in layers if isinstance(layer, nn.BatchNorm2d)]
        names = [f"{name}.{kind}" for name, _ in norms for kind in ("mean", "var")]
        return dict(zip(names, stats.split([layer.num_features for _, layer in norms for _ in range(2)], -1)))


class _Network:
    """A model, or all of them at once, for the length of one step."""

    def __init__(self, stack: StackedVAE, flat: Tensor, statistics: dict[str, Tensor],
                 kernels: type[Lone] | type[Batched]):
        self.architecture, self.dtype, self.kernels = stack.architecture, stack.dtype, kernels
        self.pieces, self.statistics = stack.pieces(flat), statistics
        self.momentum: float | Tensor = MOMENTUM  # how far running statistics move

    def forward(self, x: Tensor, noise: Tensor, recode: bool, first: float | Tensor, again: float | Tensor) -> Coding:
        """`first` and `again` are the momenta of the two encodings; decoding goes with the first."""
        self.momentum = first
        mu, log_var = self.encode(x)
        z = mu + (0.5 * log_var).exp() * noise
        x_hat = self.decode(z)
        self.momentum = again
        return Coding(mu, log_var, z, x_hat, *(self.encode(x_hat) if recode else (None, None)))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self._through("encoder", x.to(self.dtype))
        mu, raw = self._linear("heads", features).to(self.pieces["heads.bias"].dtype).chunk(2, -1)
        return mu, bounded(raw)

    def decode(self, z: Tensor) -> Tensor:
        return self._through("decoder", z.to(self.dtype))

    def _through(self, part: str, x: Tensor) -> Tensor:
        for index, layer in enumerate(getattr(self.architecture, part)):
            x = self._apply(layer, f"{part}.{index}", x)
        return x

    def _apply(self, layer: nn.Module, name: str, x: Tensor) -> Tensor:
        match layer:
            case nn.Conv2d():
                return self.kernels.convolution(x, self.pieces[f"{name}.weight"])
            case nn.ConvTranspose2d():
                return self.kernels.transposed(x, self.pieces[f"{name}.weight"], self._bias(name))
            case nn.BatchNorm2d():
                parameters = (self.statistics[f"{name}.mean"], self.statistics[f"{name}.var"],
                              self.pieces[f"{name}.weight"], self.pieces[f"{name}.bias"])
                return self.kernels.batch_norm(x, *parameters, self.momentum)
            case nn.LeakyReLU():
                return functional.leaky_relu_(x, SLOPE)
            case nn.Linear():
                return self._linear(name, x)
            case nn.Flatten():
                return x.flatten(-3)
            case nn.Unflatten():
                return x.unflatten(-1, layer.unflattened_size)
            case nn.Sigmoid():
                return x.to(self.pieces["heads.bias"].dtype).sigmoid()
        raise TypeError(f"a stack has no counterpart of {type(layer).__name__} ({name})")

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return self.kernels.linear(x, self.pieces[f"{name}.weight"], self._bias(name))

    def _bias(self, name: str) -> Tensor | None:
        bias = self.pieces.get(f"{name}.bias")
        return None if bias is None else bias.to(self.dtype)


def _memory_order(parameter: Tensor) -> Tensor:
    """Kernels (O, C, k, k) are kept as (O, k, k, C): contiguous for both ways of computing a convolution."""
    return parameter.permute(0, 2, 3, 1) if parameter.dim() == 4 else parameter


def _joined(tensors: Iterator[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def _ordered(model: VAE) -> list[Tensor]:
    """Parameters as they lie in a row of `flat`: matrices first, which are cast together, then vectors."""
    return sorted(model.parameters(), key=lambda parameter: parameter.dim() < 2)


def _pieces(model: VAE) -> dict[str, torch.Size]:
    """Names and shapes of what lies in a row of `flat`. The two heads, neighbours there, are one piece, one product."""
    pieces: dict[str, torch.Size] = {}
    for name, parameter in sorted(model.named_parameters(), key=lambda item: item[1].dim() < 2):
        shape = _memory_order(parameter).shape
        if name.startswith("to_mu"):
            pieces[name.replace("to_mu", "heads")] = torch.Size((2 * shape[0], *shape[1:]))
        elif not name.startswith("to_log_var"):
            pieces[name] = shape
    return pieces


def _statistics(model: VAE) -> Iterator[Tensor]:
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            yield from (layer.running_mean, layer.running_var)
