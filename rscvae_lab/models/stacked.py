"""M plain VAEs side by side, trained as one network: every layer works on all of them at once.

On a GPU a step of one small model is all launch overhead, which M models in one step share. The mathematics is that
of `vae.VAE`. All parameters lie in one matrix `flat` (M, P), so that their cast is one operation; what the layers see
are lasting views of it, so that a step spends nothing on cutting it up.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from functools import partial
from itertools import accumulate

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
        fixed_picture: keeps the recoding's gradient from flowing back through x_hat into the decoder.
    """

    def __init__(self, models: Sequence[VAE], device: str = "cpu", dtype: torch.dtype = torch.float32,
                 batched: bool | None = None, fixed_picture: bool = False):
        self.architecture, self.fixed_picture = models[0], fixed_picture
        self.flat = torch.stack([_joined(map(_memory_order, _ordered(model))) for model in models]).to(device)  # (M, P)
        self.stats = torch.stack([_joined(_statistics(model)) for model in models]).to(device)  # (M, Q)
        self._n_cast = sum(parameter.numel() for parameter in models[0].parameters() if parameter.dim() > 1)
        cast = dtype != self.flat.dtype
        self._matrices = self.flat[:, : self._n_cast].to(dtype) if cast else None  # a working copy
        self._gradient = torch.empty_like(self.flat)  # kept: to make it anew would cost more than to fill it
        self.batched = len(models) > 1 and device == "cuda" if batched is None else batched
        rows = [slice(None)] if self.batched else range(len(models))
        self._networks = [_Network(self, row, Batched if self.batched else Lone, dtype) for row in rows]
        # where the gradients of their leaves go
        self._places = [place for row in rows for place in _cut(self._gradient[row], self.architecture).values()]

    def unstack(self) -> list[VAE]:
        """M plain models with these weights and statistics, in eval mode, on the stack's device."""
        return [self._plain(*rows) for rows in zip(self.flat, self.stats)]

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
            recode: False leaves the second encoding out. A bool (M,) says whose statistics it moves; on the CPU
                where layers do not work on all models at once.
            active: bool (M,), whose statistics move at all. A lone model's always do.
        """
        if self._matrices is not None:
            self._matrices.copy_(self.flat[:, : self._n_cast])
        recodes = recode is not False
        if len(self.flat) == 1 and not self.batched:  # with nothing to ask of the device, and views instead of copies
            momenta = MOMENTUM, MOMENTUM * bool(recode)
            coding = self._networks[0].forward(x.squeeze(0), noise.squeeze(0), recodes, *momenta)
            return Coding(*(part if part is None else part.unsqueeze(0) for part in coding))
        first, again = MOMENTUM * active, MOMENTUM * (active & recode)
        if self.batched:
            return self._networks[0].forward(x, noise, recodes, first, again)
        momenta = zip(first.tolist(), again.tolist())
        codings = [network.forward(*batch, recodes, *pair)
                   for network, *batch, pair in zip(self._networks, x, noise, momenta)]
        return Coding(*(None if parts[0] is None else torch.stack(parts) for parts in zip(*codings)))

    def gradient(self, loss: Tensor, weight: float = 1.0) -> Tensor:
        """d (weight sum of loss) / d flat, (M, P), for losses that follow from the last `forward`.

        The next call overwrites what is returned. On a GPU this is a copy for each piece of a row; not measured there.
        """
        leaves = [leaf for network in self._networks for leaf in network.leaves.values()]
        torch._foreach_copy_(self._places, torch.autograd.grad(loss, leaves, torch.full_like(loss, weight)))
        return self._gradient


class _Network:
    """One model of a stack (`row` a number), or all of them at once (`row` a slice)."""

    def __init__(self, stack: StackedVAE, row: int | slice, kernels: type[Lone] | type[Batched], dtype: torch.dtype):
        self.kernels, self.dtype, self.fixed_picture = kernels, dtype, stack.fixed_picture
        self.leaves = _leaves(stack, row)
        self.momentum: float | Tensor = MOMENTUM  # how far running statistics move
        names = [f"{name}.{kind}" for name, _ in _norms(stack.architecture) for kind in ("mean", "var")]
        sizes = [tensor.numel() for tensor in _statistics(stack.architecture)]
        self.statistics = dict(zip(names, stack.stats[row].split(sizes, -1)))
        self.layers = {part: [self._function(layer, f"{part}.{index}")
                              for index, layer in enumerate(getattr(stack.architecture, part))]
                       for part in ("encoder", "decoder")}

    def forward(self, x: Tensor, noise: Tensor, recode: bool, first: float | Tensor, again: float | Tensor) -> Coding:
        """`first` and `again` are the momenta of the two encodings; decoding goes with the first."""
        self.momentum = first
        mu, log_var = self._encode(x)
        z = mu + (0.5 * log_var).exp() * noise
        x_hat = self._through("decoder", z.to(self.dtype))
        self.momentum = again
        seen = x_hat.detach() if self.fixed_picture else x_hat
        return Coding(mu, log_var, z, x_hat, *(self._encode(seen) if recode else (None, None)))

    def _encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self._through("encoder", x.to(self.dtype))
        mu, raw = self._linear("heads", features).to(x.dtype).chunk(2, -1)
        return mu, bounded(raw)

    def _through(self, part: str, x: Tensor) -> Tensor:
        for layer in self.layers[part]:
            x = layer(x)
        return x

    def _function(self, layer: nn.Module, name: str) -> Callable[[Tensor], Tensor]:
        """What a layer does, found once and not in every step."""
        match layer:
            case nn.Conv2d():
                return partial(self.kernels.convolution, kernel=self.leaves[f"{name}.weight"])
            case nn.ConvTranspose2d():
                return lambda x: self.kernels.transposed(x, self.leaves[f"{name}.weight"], self._bias(name))
            case nn.BatchNorm2d():
                parameters = (self.statistics[f"{name}.mean"], self.statistics[f"{name}.var"],
                              self.leaves[f"{name}.weight"], self.leaves[f"{name}.bias"])
                return lambda x: self.kernels.batch_norm(x, *parameters, self.momentum)
            case nn.LeakyReLU():
                return partial(functional.leaky_relu_, negative_slope=SLOPE)
            case nn.Linear():
                return partial(self._linear, name)
            case nn.Flatten():
                return partial(torch.flatten, start_dim=-3)
            case nn.Unflatten():
                return partial(torch.unflatten, dim=-1, sizes=layer.unflattened_size)
            case nn.Sigmoid():
                return lambda x: x.to(self.leaves["heads.bias"].dtype).sigmoid()
        raise TypeError(f"a stack has no counterpart of {type(layer).__name__} ({name})")

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return self.kernels.linear(x, self.leaves[f"{name}.weight"], self._bias(name))

    def _bias(self, name: str) -> Tensor | None:
        bias = self.leaves.get(f"{name}.bias")
        return None if bias is None else bias.to(self.dtype)


def _leaves(stack: StackedVAE, row: int | slice) -> dict[str, Tensor]:
    """Names and views of a row of `flat`, or of the working copy of its matrices, as leaves of autograd."""
    parts = _cut(stack.flat[row], stack.architecture)
    if stack._matrices is not None:
        parts |= _cut(stack._matrices[row], stack.architecture)
    return {name: part.detach().requires_grad_() for name, part in parts.items()}


def _cut(rows: Tensor, model: VAE) -> dict[str, Tensor]:
    """Views of what lies in a row of `flat`, or in several, by name. Rows of the working copy end with the matrices."""
    pieces = _pieces(model)
    ends = list(accumulate(shape.numel() for shape in pieces.values()))
    return {name: rows[..., end - shape.numel() : end].view(*rows.shape[:-1], *shape)
            for (name, shape), end in zip(pieces.items(), ends) if end <= rows.shape[-1]}


def _memory_order(parameter: Tensor) -> Tensor:
    """Kernels (O, C, k, k) are kept as (O, k, k, C): contiguous for both ways of computing a convolution."""
    return parameter.permute(0, 2, 3, 1) if parameter.dim() == 4 else parameter


def _joined(tensors: Iterable[Tensor]) -> Tensor:
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


def _norms(model: VAE) -> list[tuple[str, nn.BatchNorm2d]]:
    return [(name, layer) for name, layer in model.named_modules() if isinstance(layer, nn.BatchNorm2d)]


def _statistics(model: VAE) -> Iterator[Tensor]:
    for _, layer in _norms(model):
        yield from (layer.running_mean, layer.running_var)
