"""The VAE that recodes (Secs. 3.1 and 3.2): one encoder F, one decoder G, and a second pass through F."""

from threading import Lock
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rscvae_lab.config import Config
from rscvae_lab.models.layers import decoder, encoder

LOG_VAR_BOUND = 10.0
_INITIALISING = Lock()  # layers draw from the process's one generator


class Coding(NamedTuple):
    """One image's way through the network: x -> (mu, log_var) -> z -> x_hat -> (mu_re, log_var_re)."""

    mu: Tensor  # (B, D)
    log_var: Tensor  # (B, D)
    z: Tensor  # (B, D)
    x_hat: Tensor  # (B, C, S, S), in [0, 1]
    mu_re: Tensor | None  # (B, D); None where the recoding was left out
    log_var_re: Tensor | None  # (B, D)


def bounded(raw: Tensor) -> Tensor:
    """log_var = 10 tanh(raw / 10): within (-10, 10) like a clamp, but with a gradient that leads back from the edge."""
    return LOG_VAR_BOUND * torch.tanh(raw / LOG_VAR_BOUND)


class VAE(nn.Module):
    """Variational autoencoder with a diagonal Gaussian posterior (our choice; the paper writes Sigma as D x D).

    Modes vae, o, d and e share this network; they differ in the images they see and the loss terms that are summed.
    """

    def __init__(self, channels: int, image_size: int, widths: tuple[int, ...], latent: int):
        super().__init__()
        self.channels, self.image_size = channels, image_size
        features = widths[-1] * (image_size // 16) ** 2
        self.encoder = encoder(channels, widths)
        self.to_mu, self.to_log_var = nn.Linear(features, latent), nn.Linear(features, latent)
        self.decoder = decoder(channels, widths, latent, image_size)

    @classmethod
    def from_config(cls, config: Config, channels: int = 1) -> "VAE":
        """A freshly initialised network; the seed alone decides its weights, and no global generator moves."""
        with _INITIALISING, torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            return cls(channels, config.image_size, config.widths, config.latent)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """q(z|x) = N(mu, diag exp(log_var)) for x in [0, 1], (B, C, S, S); mu and log_var are (B, D)."""
        features = self.encoder(x)
        return self.to_mu(features), bounded(self.to_log_var(features))

    def decode(self, z: Tensor) -> Tensor:
        """x_hat = G(z), (B, C, S, S) in [0, 1]."""
        return self.decoder(z)

    def forward(self, x: Tensor, noise: Tensor | None = None, recode: bool = True) -> Coding:
        """Encode, decode, and encode again.

        Args:
            x: images in [0, 1], (B, C, S, S).
            noise: standard normal draws (B, D) for z = mu + sigma * noise in training; None means z = mu, as in
                every score.
            recode: False leaves the second encoding out, which plain `vae` training has no use for.
        """
        mu, log_var = self.encode(x)
        z = mu if noise is None else mu + (0.5 * log_var).exp() * noise
        x_hat = self.decode(z)
        mu_re, log_var_re = self.encode(x_hat) if recode else (None, None)
        return Coding(mu, log_var, z, x_hat, mu_re, log_var_re)
