"""The VAE that recodes (Secs. 3.1 and 3.2): one encoder F, one decoder G, and a second pass
through F. This is the network that trains, scores and is saved, in every mode."""

import math
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from rscvae_lab.config import Config
from rscvae_lab.errors import InputError
from rscvae_lab.models import plain, resnet
from rscvae_lab.models.own import Network, Networks, Own, copies, output

LOG_VAR_BOUND = 10.0


class Coding(NamedTuple):
    """An image's way through the network, x -> (mu, log_var) -> z -> x_hat -> second code."""

    mu: Tensor  # (B, D)
    log_var: Tensor  # (B, D)
    z: Tensor  # (B, D)
    x_hat: Tensor  # (B, C, S, S), in [0, 1]
    mu_re: Tensor | None  # (B, D); None where the recoding was left out
    log_var_re: Tensor | None  # (B, D)


class VAE(nn.Module):
    """Variational autoencoder with a diagonal Gaussian posterior (our choice; the paper writes
    Sigma as D x D).

    Args:
        encoder: images (B, C, S, S) to features (B, features); a module or a function.
        decoder: codes (B, latent) to images (B, C, S, S) in [0, 1]; a module or a function.
        recode_gradient: `fixed_image` keeps the recoding's gradient out of the decoder.

    >>> model = VAE.from_config(Config(image_size=64, latent=16))
    >>> coding = model(torch.rand(5, 1, 64, 64))
    >>> tuple(coding.mu_re.shape), tuple(coding.x_hat.shape)
    ((5, 16), (5, 1, 64, 64))
    """

    def __init__(self, encoder: Network, decoder: Network, features: int, latent: int,
                 channels: int, image_size: int, recode_gradient: str = "full"):
        super().__init__()
        self.channels, self.image_size = channels, image_size
        self.recode_gradient = recode_gradient
        self.encoder = encoder if isinstance(encoder, nn.Module) else Own(encoder)
        self.to_mu, self.to_log_var = nn.Linear(features, latent), nn.Linear(features, latent)
        self.decoder = decoder if isinstance(decoder, nn.Module) else Own(decoder)

    @classmethod
    def from_config(cls, config: Config, networks: Networks = (None, None)) -> Self:
        """A freshly initialised network; the seed alone decides its weights, apart from those of
        a user's own encoder or decoder, which are copied as they are. Raises InputError for ones
        that the config does not name, or of other shapes."""
        encoder, decoder = copies(config, networks)
        own_features = None if encoder is None else _features(encoder, config)
        with torch.device("meta"):  # not from torch's global generator, which threads share
            usual_encoder, usual_decoder, features = halves(config)
            features = features if own_features is None else own_features
            model = cls(usual_encoder, usual_decoder, features, config.latent, config.channels,
                        config.image_size, config.recode_gradient)
        model = _initialised(model.to_empty(device="cpu"), config.seed)
        if encoder is not None:
            model.encoder = encoder
        if decoder is not None:
            _check_images(decoder, config)
            model.decoder = decoder
        return model

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """q(z|x) = N(mu, diag exp(log_var)) of images x in [0, 1], (B, C, S, S): mu and log_var,
        each (B, D), in the precision of the weights even under autocast."""
        features = self.encoder(x)
        with torch.autocast(x.device.type, enabled=False):
            features = features.to(self.to_mu.weight.dtype)
            return self.to_mu(features), bounded(self.to_log_var(features))

    def decode(self, z: Tensor) -> Tensor:
        """x_hat = G(z), (B, C, S, S) in [0, 1]."""
        return self.decoder(z)

    def recode(self, x_hat: Tensor) -> tuple[Tensor, Tensor]:
        """q(z_hat|x_hat): what the same encoder says of the reconstruction; as `encode`."""
        return self.encode(x_hat.detach() if self.recode_gradient == "fixed_image" else x_hat)

    def forward(self, x: Tensor, noise: Tensor | None = None, recode: bool = True) -> Coding:
        """Encode, decode, and encode again.

        Args:
            x: images in [0, 1], (B, C, S, S).
            noise: standard normal draws (B, D) for z = mu + sigma * noise in training; None means
                z = mu, as in every score.
            recode: False leaves the second encoding out, of which plain VAE training has no use.
        """
        mu, log_var = self.encode(x)
        z = mu if noise is None else mu + (0.5 * log_var).exp() * noise
        x_hat = self.decode(z)
        mu_re, log_var_re = self.recode(x_hat) if recode else (None, None)
        return Coding(mu, log_var, z, x_hat, mu_re, log_var_re)


def bounded(raw: Tensor) -> Tensor:
    """log_var = 10 tanh(raw / 10): within (-10, 10) like a clamp, but with a gradient that leads
    back from the edge."""
    return LOG_VAR_BOUND * torch.tanh(raw / LOG_VAR_BOUND)


def halves(config: Config) -> tuple[nn.Module, nn.Module, int]:
    """Encoder, decoder, and the number of features between them."""
    channels, latent, size = config.channels, config.latent, config.image_size
    if config.network == "resnet18":
        features = resnet.WIDTH * (size // 2**resnet.HALVINGS) ** 2
        return resnet.encoder(channels), resnet.decoder(channels, latent, size), features
    decoder = plain.decoder(channels, config.widths, latent, size)
    return plain.encoder(channels, config.widths), decoder, config.widths[-1] * (size // 16) ** 2


def _features(encoder: Own, config: Config) -> int:
    """How many features a user's encoder makes of an image."""
    x = torch.zeros(2, config.channels, config.image_size, config.image_size, device="cpu")
    features = output(encoder, x)
    if features.dim() != 2 or len(features) != 2:
        raise InputError(f"expected an encoder from images {tuple(x.shape)} to features (2, "
                         f"features), found {tuple(features.shape)}")
    return features.shape[1]


def _check_images(decoder: Own, config: Config) -> None:
    expected = (2, config.channels, config.image_size, config.image_size)
    x_hat = output(decoder, torch.zeros(2, config.latent))
    if x_hat.shape != expected:
        raise InputError(f"expected a decoder from codes (2, {config.latent}) to images "
                         f"{expected}, found {tuple(x_hat.shape)}")


def _initialised(model: VAE, seed: int) -> VAE:
    """torch's default initialisation (He et al. 2015 with a = sqrt 5), drawn from this seed."""
    generator = torch.Generator().manual_seed(seed)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.reset_parameters()
        elif hasattr(layer, "weight"):
            nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=generator)
            if layer.bias is not None:
                bound = 1 / math.sqrt(nn.init._calculate_fan_in_and_fan_out(layer.weight)[0])
                nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
    return model

