"""DSEBM: a network gives images an energy, low where normal ones are dense, and so denoises them.

    E(x) = 1/2 ||x - b'||^2 - sum_j h_j(x),   f(x) = x - dE/dx,
    loss = ||x - f(x + eps)||^2,   eps ~ N(0, 0.25^2 I).

This is score matching: at its minimum f is the best denoiser, dE/dx points away from the data, and
no sampling is needed. A novel image has a high energy, or f moves it far:

    score(x) = ||x - f(x)||^2 / (number of pixels)  (DSEBM-r),   or   E(x)  (DSEBM-e).

Source: Zhai, Cheng, Lu and Zhang 2016, based on Vincent 2011. Our deviations: h is the VAEs'
encoder without batch normalisation, which would make dE/dx depend on the batch, and with softplus,
because training needs the second derivative of h; noise of 0.25 grey levels; no recurrent or
tabular networks. `dsebm` scores by DSEBM-r, because the energy of digits follows their amount of
ink; `dsebm_energy` by DSEBM-e, as the paper's column of Fashion-MNIST does, which is that of Golan
and El-Yaniv 2018.
"""

from typing import Self

import torch
from torch import Tensor, nn

from rscvae_lab.baselines.fitting import minimise, score_chunks, seeded
from rscvae_lab.config import Config

NOISE = 0.25  # standard deviation in grey levels: 0.5 where pixels are in [-1, 1]
CHUNK = 64  # images whose gradients are in memory at once


def potentials(config: Config) -> nn.Sequential:
    """h, images (B, C, S, S) to (B, D): 3x3 convolutions and a linear layer, with softplus."""
    widths, layers = (config.channels, *config.widths), []
    for n_in, n_out in zip(widths, widths[1:]):
        layers += [nn.Conv2d(n_in, n_out, kernel_size=3, stride=2, padding=1), nn.Softplus()]
    features = widths[-1] * (config.image_size // 16) ** 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(features, config.latent), nn.Softplus())


class DSEBM(nn.Module):
    """A deep energy-based model of images, scored by its reconstruction (DSEBM-r); `h` replaces
    `potentials(config)`."""

    def __init__(self, config: Config, h: nn.Module | None = None):
        super().__init__()
        self.config = config
        shape = config.channels, config.image_size, config.image_size
        self.centre = nn.Parameter(torch.zeros(shape))  # b'
        with seeded(config.seed):
            self.h = h or potentials(config)

    def energy(self, x: Tensor) -> Tensor:
        """E(x), (B,), of x in [0, 1], (B, C, S, S); grey levels squared, up to a constant."""
        distance = 0.5 * (x - self.centre).square().flatten(1).sum(1)
        return distance - self.h(x).flatten(1).sum(1)

    def denoise(self, x: Tensor) -> Tensor:
        """f(x) = x - dE/dx, (B, C, S, S); in train mode it is differentiable in the weights."""
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            slope, = torch.autograd.grad(self.energy(x).sum(), x, create_graph=self.training)
        return x.detach() - slope

    def fit(self, images: Tensor) -> Self:
        """Trains on normal images, uint8 (N, C, S, S). Raises InputError where it diverges."""
        def loss(x: Tensor) -> Tensor:
            denoised = self.denoise(x + NOISE * torch.randn_like(x))
            return (x - denoised).square().flatten(1).sum(1).mean()

        self.losses = minimise(self, images, self.config, loss)
        return self

    def novelty(self, x: Tensor) -> Tensor:
        """The mean squared distance from x to f(x), (B,), of x in [0, 1]."""
        return (x - self.denoise(x)).square().flatten(1).mean(1)

    def score(self, images: Tensor) -> Tensor:
        """How novel each image is, (N,) on the CPU."""
        return score_chunks(self, images, self.config, self.novelty, CHUNK)


class ByEnergy(DSEBM):
    """The same model, scored by its energy E(x) (DSEBM-e)."""

    def novelty(self, x: Tensor) -> Tensor:
        return self.energy(x)
