r"""AE: an autoencoder learns to reproduce normal images, and reproduces others badly. The control for everything else.

    z = F(x),   x_hat = G(z),   loss = ||x - x_hat||^2,   score(x) = loss / (number of pixels),

trained by Adam (1e-3, batches of 64); not by the mean over pixels, whose gradients come near Adam's epsilon. The paper
prints an AE without a recipe: networks are ours, the same F and G as everywhere here, with D = 32.
Source: Rumelhart, Hinton and Williams 1986; as a novelty detector, Japkowicz, Myers and Gluck 1995.
"""

from typing import Self

import torch
from torch import Tensor, nn

from rscvae_lab.baselines.fitting import minimise, score_chunks, seeded
from rscvae_lab.config import Config
from rscvae_lab.models.vae import halves


class AE(nn.Module):
    """A deterministic autoencoder.

    Args:
        encoder, decoder: other halves than the config's: images (B, C, S, S) to codes (B, D), and back.
    """

    def __init__(self, config: Config, encoder: nn.Module | None = None, decoder: nn.Module | None = None):
        super().__init__()
        self.config = config
        with seeded(config.seed):
            usual_encoder, usual_decoder, features = halves(config)
            self.encoder = encoder or nn.Sequential(usual_encoder, nn.Linear(features, config.latent))
            self.decoder = decoder or usual_decoder

    def forward(self, x: Tensor) -> Tensor:
        """x_hat of x, (B, C, S, S) in [0, 1]."""
        return self.decoder(self.encoder(x))

    def errors(self, x: Tensor) -> Tensor:
        """Squared error per image, summed over pixels, (B,), grey levels squared."""
        return (x - self(x)).square().flatten(1).sum(1)

    def fit(self, images: Tensor) -> Self:
        """Trains on normal images, uint8 (N, C, S, S). Raises InputError where training diverges."""
        self.losses = minimise(self, images, self.config, lambda x: self.errors(x).mean())
        return self

    @torch.no_grad()
    def score(self, images: Tensor) -> Tensor:
        """Mean squared reconstruction error of each image, (N,) on the CPU."""
        return score_chunks(self, images, self.config, lambda x: self.errors(x) / x[0].numel())
