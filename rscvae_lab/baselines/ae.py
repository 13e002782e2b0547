"""AE: an autoencoder learns to reproduce normal images, and reproduces others badly.

    z = F(x),   x_hat = G(z),   loss = ||x - x_hat||^2,   score(x) = loss / (number of pixels),

trained by Adam (1e-3, batches of 64). The loss is a sum over pixels: gradients of the mean would
be close to Adam's epsilon. The paper prints an AE without a recipe: the networks are ours, the
same F and G as everywhere here, with D = 32.
Source: Rumelhart, Hinton and Williams 1986; for novelties, Japkowicz, Myers and Gluck 1995.
"""

from typing import Self

import torch
from torch import Tensor, nn

from rscvae_lab.baselines.fitting import minimise, score_chunks, seeded
from rscvae_lab.config import Config
from rscvae_lab.models.vae import halves


class AE(nn.Module):
    """A deterministic autoencoder. `encoder`, images (B, C, S, S) to codes (B, D), and `decoder`
    replace the config's."""

    def __init__(self, config: Config, encoder: nn.Module | None = None,
                 decoder: nn.Module | None = None):
        super().__init__()
        self.config = config
        with seeded(config.seed):
            usual_encoder, usual_decoder, features = halves(config)
            head = nn.Linear(features, config.latent)
        self.encoder = encoder or nn.Sequential(usual_encoder, head)
        self.decoder = decoder or usual_decoder

    def forward(self, x: Tensor) -> Tensor:
        """x_hat of x, (B, C, S, S) in [0, 1]."""
        return self.decoder(self.encoder(x))

    def errors(self, x: Tensor) -> Tensor:
        """Squared error per image, summed over pixels, (B,), grey levels squared."""
        return (x - self(x)).square().flatten(1).sum(1)

    def fit(self, images: Tensor) -> Self:
        """Trains on normal images, uint8 (N, C, S, S). Raises InputError where it diverges."""
        self.losses = minimise(self, images, self.config, lambda x: self.errors(x).mean())
        return self

    @torch.no_grad()
    def score(self, images: Tensor) -> Tensor:
        """Mean squared reconstruction error of each image, (N,) on the CPU."""
        return score_chunks(self, images, self.config, lambda x: self.errors(x) / x[0].numel())
