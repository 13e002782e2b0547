"""M trainings in one step: `torch.func.vmap` over the unchanged `VAE`.

On a GPU a step of one small model is mostly launch overhead, which M models side by side share.
An `Ensemble` stands where a `VAE` stands in the training loop, `EnsembleAdam` where Adam stands;
every tensor has a leading dimension M.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from rscvae_lab.engine.batches import Batch
from rscvae_lab.models.conv import Conv2d, ConvTranspose2d
from rscvae_lab.models.vae import VAE, Coding


class Ensemble:
    """M VAEs of one architecture, each with its own weights and statistics: copies of `models`,
    which are on one device and in train mode."""

    def __init__(self, models: Sequence[VAE]):
        self.architecture = deepcopy(models[0]).to("meta")
        self.template = deepcopy(self.architecture)
        for layer in self.template.modules():
            if isinstance(layer, Conv2d | ConvTranspose2d):
                layer.as_products = True
            if isinstance(layer, nn.BatchNorm2d):
                layer.__class__ = _BatchNorm2d
            if isinstance(layer, nn.LeakyReLU):
                layer.inplace = False  # in vmap what is in place costs more, not less
        self.weights, self.buffers = stack_module_state(list(models))  # by name, (M, ...)

    def parameters(self) -> list[Tensor]:
        return list(self.weights.values())

    def state_dict(self) -> dict[str, Tensor]:
        return {**self.weights, **self.buffers}

    def __call__(self, x: Tensor, noise: Tensor, recode: bool = True) -> Coding:
        """`VAE.forward` of every model on its own images (M, B, C, S, S) and noise (M, B, D)."""
        def coded(weights: dict, buffers: dict, x: Tensor, noise: Tensor) -> tuple[Tensor, ...]:
            coding = functional_call(self.template, (weights, buffers), (x, noise, recode))
            return tuple(part for part in coding if part is not None)

        parts = vmap(coded)(self.weights, self.buffers, x, noise)
        return Coding(*parts, *[None] * (len(Coding._fields) - len(parts)))

    @torch.no_grad()
    def split(self) -> list[VAE]:
        """The M models, each for itself, on the ensemble's device and in train mode."""
        device = self.parameters()[0].device
        models = []
        for i in range(len(self.parameters()[0])):
            model = deepcopy(self.architecture).to_empty(device=device)
            model.load_state_dict({name: part[i] for name, part in self.state_dict().items()})
            models.append(model)
        return models


class _BatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation that vmap accepts on a GPU. It refuses cuDNN's kernels, so torch's own
    are used; and it refuses bfloat16 images beside float32 averages, so both are float32 here."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.backends.cudnn.flags(enabled=False):
            return super().forward(x.to(self.running_mean.dtype)).to(x.dtype)


class EnsembleAdam(torch.optim.Optimizer):
    """Adam (Kingma and Ba 2015, Alg. 1) with a rate and a count of steps for each model (M,)."""

    def __init__(self, parameters: Sequence[Tensor], betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8):
        super().__init__(parameters, {"lr": 0.0, "betas": betas, "eps": eps})
        for parameter in parameters:
            self.state[parameter] = {
                "step": torch.zeros(len(parameter), dtype=torch.float64, device=parameter.device),
                "exp_avg": torch.zeros_like(parameter), "exp_avg_sq": torch.zeros_like(parameter)}

    @torch.no_grad()
    def step(self) -> None:
        """Moves every model at its own rate, `param_groups[0]["lr"]`, (M,)."""
        group = self.param_groups[0]
        (beta, beta_sq), eps = group["betas"], group["eps"]
        for weight in group["params"]:
            memory = self.state[weight]
            step, mean, square = memory["step"], memory["exp_avg"], memory["exp_avg_sq"]
            step += 1
            mean.lerp_(weight.grad, 1 - beta)
            square.lerp_(weight.grad.square(), 1 - beta_sq)
            scale, correction = (of_each.to(weight.dtype).view(-1, *[1] * (weight.dim() - 1))
                                 for of_each in (group["lr"] / (1 - beta**step),
                                                 1 - beta_sq**step))
            weight.sub_(scale * mean / ((square / correction).sqrt() + eps))


def masked(step: Callable[[Batch], Tensor], state: Callable[[], list[Tensor]]
           ) -> Callable[[Batch], Tensor]:
    """A step after which models that are not `active` are as before it."""
    def masked_step(batch: Batch) -> Tensor:
        before = [tensor.detach().clone() for tensor in state()]
        measured = step(batch)
        with torch.no_grad():
            for tensor, old in zip(state(), before):
                active = batch.active.view(-1, *[1] * (tensor.dim() - 1))
                tensor.copy_(torch.where(active, tensor, old))
        return measured

    return masked_step
