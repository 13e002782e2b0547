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
their code; the paper prints a norm of order 1. Our deviations: the networks (the project's F and G
and torch's initial weights instead of a DCGAN's); images in [0, 1] with a sigmoid, which makes
w_con weigh less (theirs are standardised before a tanh, which cannot reach them); scores in eval
mode (their batch normalisation uses the test batch); no min-max scaling over the test set; the
last epoch (they keep the best on the test set). Their experiments leave one class out of ten; here
one class is normal.
"""

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss, mse_loss

from rscvae_lab.baselines.fitting import bce, descend, fit_epochs, score_chunks, seeded
from rscvae_lab.config import Config
from rscvae_lab.models.vae import halves

RESTART_BELOW = 1e-5  # the loss at which a discriminator is reinitialised
BETAS = (0.5, 0.999)


class GANomaly(nn.Module):
    """Encoder F, decoder G, second encoder F' and a discriminator, trained against each other;
    `adversarial`, `contextual` and `latent` are w_adv, w_con and w_lat above."""

    def __init__(self, config: Config, adversarial: float = 1.0, contextual: float = 50.0,
                 latent: float = 1.0):
        super().__init__()
        self.config, self.weights = config, (adversarial, contextual, latent)
        with seeded(config.seed):
            encoder, self.decoder, features = halves(config)
            self.encoder = nn.Sequential(encoder, nn.Linear(features, config.latent))
            self.recoder = nn.Sequential(halves(config)[0], nn.Linear(features, config.latent))
            self.discriminator = nn.Sequential(halves(config)[0], nn.Linear(features, 1))  # f, d

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """z (B, D), x_hat (B, C, S, S) in [0, 1], and z_re (B, D), of x in [0, 1]."""
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
            z, _, z_re = self(x)
            return (z - z_re).square().mean(1)

        return score_chunks(self, images, self.config, difference)
