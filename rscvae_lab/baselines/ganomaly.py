"""GANomaly: encode, decode, encode again; the distance between the two codes is the score.

    z = F(x),   x_hat = G(z),   z_re = F'(x_hat),   score(x) = ||z - z_re||^2 / D.

F' is a second encoder, which only learns to encode reconstructions of normal images. A
discriminator with features f and logit d = w f + b makes them look real. F, G and F' minimise

    w_adv ||f(x) - f(x_hat)||^2 / dim f + w_con ||x - x_hat||_1 / (number of pixels)
    + w_lat ||z - z_re||^2 / D,      w_adv = 1, w_con = 50, w_lat = 1,

then f and d minimise  1/2 [BCE(d(x), 1) + BCE(d(x_hat), 0)],  one step each per batch. f and d are
reinitialised when their loss falls below 1e-5, since their gradient is then useless. Both by Adam
(2e-4, betas 0.5 and 0.999, batches of 64, D = 100); 1e-3 is worse (`auroc_validation` of MNIST 8
after 10 epochs, one seed: .87, against .91 at 2e-4).

Source: Akcay, Atapour-Abarghouei and Breckon 2018. The score and ||z - z_re|| are squared as in
their code; the paper prints a norm of order 1. There are two versions here:

- `AsPublished` has their networks: a DCGAN's, with tanh, images in [-1, 1], and initial weights
  from N(0, 0.02^2);
- `GANomaly` is our variant, in this project's F and G with torch's initial weights, on images in
  [0, 1] with a sigmoid. On MNIST, the one data set where both were trained, they score alike:
  .971 over the ten digits.

Deviations of both: scores in eval mode (their batch normalisation uses the test batch); no min-max
scaling over the test set; the last epoch (they keep the best on the test set). Their experiments
leave one class out of ten; here one class is normal. Their own images are standardised, so that a
tanh cannot reach all of them.
"""

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss

from rscvae_lab.baselines.fitting import bce, descend, fit_epochs, score_chunks, seeded
from rscvae_lab.config import Config
from rscvae_lab.errors import InputError
from rscvae_lab.models.plain import SLOPE
from rscvae_lab.models.vae import halves

RESTART_BELOW = 1e-5  # the loss at which a discriminator is reinitialised
BETAS = (0.5, 0.999)


class GANomaly(nn.Module):
    """Encoder F, decoder G, second encoder F' and a discriminator, trained against each other, in
    this project's networks; `adversarial`, `contextual`, `latent` are w_adv, w_con, w_lat."""

    def __init__(self, config: Config, adversarial: float = 1.0, contextual: float = 50.0,
                 latent: float = 1.0):
        super().__init__()
        self.config, self.weights = config, (adversarial, contextual, latent)
        with seeded(config.seed):
            self.build(config)

    def build(self, config: Config) -> None:
        """Makes the networks."""
        encoder, self.decoder, features = halves(config)
        self.encoder = nn.Sequential(encoder, nn.Linear(features, config.latent))
        self.recoder = nn.Sequential(halves(config)[0], nn.Linear(features, config.latent))
        self.discriminator = nn.Sequential(halves(config)[0], nn.Linear(features, 1))  # f, d

    def scaled(self, x: Tensor) -> Tensor:
        """Images in [0, 1] in the range of the decoder."""
        return x

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """z (B, D), x_hat (B, C, S, S) and z_re (B, D) of scaled images x."""
        z = self.encoder(x)
        x_hat = self.decoder(z)
        return z, x_hat, self.recoder(x_hat)

    def generator_loss(self, x: Tensor, z: Tensor, x_hat: Tensor, z_re: Tensor) -> Tensor:
        """The loss of F, G and F': a weighted sum of three means over the batch."""
        f = self.discriminator[0]
        terms = mse_loss(f(x_hat), f(x).detach()), l1_loss(x_hat, x), mse_loss(z_re, z)
        return sum(weight * term for weight, term in zip(self.weights, terms))

    def discriminator_loss(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """The loss of f and d; x_hat is constant."""
        return (bce(self.discriminator(x), 1) + bce(self.discriminator(x_hat.detach()), 0)) / 2

    def fit(self, images: Tensor) -> Self:
        """Trains on normal images, uint8 (N, C, S, S). Raises InputError where it diverges."""
        generator = nn.ModuleList([self.encoder, self.decoder, self.recoder])
        adam, adversary = (torch.optim.Adam(part.parameters(), self.config.learning_rate, BETAS)
                           for part in (generator, self.discriminator))

        def step(x: Tensor) -> Tensor:
            x = self.scaled(x)
            z, x_hat, z_re = self(x)
            loss = descend(adam, self.generator_loss(x, z, x_hat, z_re))
            if descend(adversary, self.discriminator_loss(x, x_hat)) < RESTART_BELOW:
                self.restart_discriminator()
            return loss

        self.losses = fit_epochs(self, images, self.config, step)
        return self

    def restart_discriminator(self) -> None:
        """New initial weights for f and d."""
        for layer in self.discriminator.modules():
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()

    @torch.no_grad()
    def score(self, images: Tensor) -> Tensor:
        """Mean squared difference between the two codes of each image, (N,) on the CPU."""
        def difference(x: Tensor) -> Tensor:
            z, _, z_re = self(self.scaled(x))
            return (z - z_re).square().mean(1)

        return score_chunks(self, images, self.config, difference)


class AsPublished(GANomaly):
    """The authors' networks: a DCGAN's (Radford et al. 2016) with 64 to 64 S / 8 channels."""

    def build(self, config: Config) -> None:
        """F, F' and f: 4x4 convolutions of stride 2 down to 4x4 pixels, then one of 4x4; G their
        mirror image."""
        channels, side, latent = config.channels, config.image_size, config.latent
        self.encoder = nn.Sequential(*_down(channels, side, latent), nn.Flatten())
        self.recoder = nn.Sequential(*_down(channels, side, latent), nn.Flatten())
        self.decoder = nn.Sequential(nn.Unflatten(1, (latent, 1, 1)), *_up(channels, side, latent))
        *features, head = _down(channels, side, 1)
        self.discriminator = nn.Sequential(nn.Sequential(*features), head)
        self.apply(_initialise)

    def scaled(self, x: Tensor) -> Tensor:
        """[0, 1] to [-1, 1], the range of a tanh."""
        return 2 * x - 1

    def restart_discriminator(self) -> None:
        """New initial weights for f and d."""
        self.discriminator.apply(_initialise)


def _widths(side: int) -> list[int]:
    """Channels from the layer next to the image to that of 4x4 pixels. Raises InputError for a
    side that is no power of 2."""
    halvings = side.bit_length() - 3
    if side != 4 << halvings:
        raise InputError("GANomaly as published takes images whose side is a power of 2, "
                         f"found {side}")
    return [64 << i for i in range(halvings)]


def _down(channels: int, side: int, out: int) -> list[nn.Module]:
    widths = _widths(side)
    layers = [nn.Conv2d(channels, widths[0], 4, 2, 1, bias=False), nn.LeakyReLU(SLOPE)]
    for n_in, n_out in zip(widths, widths[1:]):
        layers += [nn.Conv2d(n_in, n_out, 4, 2, 1, bias=False), nn.BatchNorm2d(n_out),
                   nn.LeakyReLU(SLOPE)]
    return [*layers, nn.Conv2d(widths[-1], out, 4, bias=False)]


def _up(channels: int, side: int, latent: int) -> list[nn.Module]:
    widths = _widths(side)[::-1]
    layers = [nn.ConvTranspose2d(latent, widths[0], 4, bias=False), nn.BatchNorm2d(widths[0]),
              nn.ReLU()]
    for n_in, n_out in zip(widths, widths[1:]):
        layers += [nn.ConvTranspose2d(n_in, n_out, 4, 2, 1, bias=False), nn.BatchNorm2d(n_out),
                   nn.ReLU()]
    return [*layers, nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1, bias=False), nn.Tanh()]


def _initialise(layer: nn.Module) -> None:
    """N(0, 0.02^2) for convolutions, N(1, 0.02^2) for batch normalisation."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)
        nn.init.zeros_(layer.bias)
