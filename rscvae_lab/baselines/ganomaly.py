r"""GANomaly: encode, decode, encode again; how far the second code lies from the first says how novel the image is.

    z = F(x),   x_hat = G(z),   z_re = F'(x_hat),   score(x) = ||z - z_re||^2 / D.

F' is an encoder with weights of its own, which only ever learns to read reconstructions of normal images. A
discriminator with features f and verdict d = w f + b makes those look real. In turn, one step each, F, G, F' minimise

    w_adv ||f(x) - f(x_hat)||^2 / dim f + w_con ||x - x_hat||_1 / (number of pixels) + w_lat ||z - z_re||^2 / D,

    w_adv = 1, w_con = 50, w_lat = 1, and f, d minimise  1/2 [BCE(d(x), 1) + BCE(d(x_hat), 0)];

f and d begin anew whenever they win outright (a loss below 1e-5), after which they would teach nothing. Both by Adam
(2e-4, betas 0.5 and 0.999, batches of 64, D = 100); 1e-3 is worse (`auroc_validation` of MNIST 8 after 10 epochs, one
seed: .87 where 2e-4 has .91).

Source: Akcay, Atapour-Abarghouei and Breckon 2018. The score and ||z - z_re|| are squared as in their code; the paper
prints a norm of order 1. Ours, not theirs: the networks (the project's F and G and torch's initial weights, where they
take a DCGAN's), images in [0, 1] with a sigmoid, which makes w_con weigh less (they: standardised images before a
tanh, which cannot reach them), scores in eval mode (their batch normalisation reads the test batch), no min-max scaling
over the test set, the last epoch (they keep the best on the test set). Their experiments leave one class out of ten;
here one class is normal.
"""

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss, mse_loss

from rscvae_lab.baselines.fitting import descend, fit_epochs, score_chunks, seeded
from rscvae_lab.config import Config
from rscvae_lab.models.vae import halves

WON = 1e-5  # a discriminator with a lower loss starts again
BETAS = (0.5, 0.999)


class GANomaly(nn.Module):
    """Encoder F, decoder G, second encoder F' and a discriminator, trained against each other.

    Args:
        adversarial, contextual, latent: w_adv, w_con and w_lat above.
    """

    def __init__(self, config: Config, adversarial: float = 1.0, contextual: float = 50.0, latent: float = 1.0):
        super().__init__()
        self.config, self.weights = config, (adversarial, contextual, latent)
        with seeded(config.seed):
            encoder, self.decoder, features = halves(config)
            self.encoder = nn.Sequential(encoder, nn.Linear(features, config.latent))
            self.recoder = nn.Sequential(halves(config)[0], nn.Linear(features, config.latent))
            self.discriminator = nn.Sequential(halves(config)[0], nn.Linear(features, 1))  # f and d

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """z (B, D), x_hat (B, C, S, S) in [0, 1], and z_re (B, D), of x in [0, 1]."""
        z = self.encoder(x)
        x_hat = self.decoder(z)
        return z, x_hat, self.recoder(x_hat)

    def generator_loss(self, x: Tensor, z: Tensor, x_hat: Tensor, z_re: Tensor) -> Tensor:
        """What F, G and F' minimise: the weighted sum of three means over the batch."""
        f = self.discriminator[0]
        terms = mse_loss(f(x_hat), f(x).detach()), l1_loss(x_hat, x), mse_loss(z_re, z)
        return sum(weight * term for weight, term in zip(self.weights, terms))

    def discriminator_loss(self, x: Tensor, x_hat: Tensor) -> Tensor:
        """What f and d minimise; x_hat counts as given."""
        real, fake = self.discriminator(x), self.discriminator(x_hat.detach())
        return (binary_cross_entropy_with_logits(real, torch.ones_like(real))
                + binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))) / 2

    def fit(self, images: Tensor) -> Self:
        """Trains on normal images, uint8 (N, C, S, S). Raises InputError where training diverges."""
        players = nn.ModuleList([self.encoder, self.decoder, self.recoder]), self.discriminator
        generators, discriminators = (torch.optim.Adam(player.parameters(), self.config.learning_rate, BETAS)
                                      for player in players)

        def step(x: Tensor) -> Tensor:
            z, x_hat, z_re = self(x)
            loss = self.generator_loss(x, z, x_hat, z_re)
            descend(generators, loss)
            if descend(discriminators, self.discriminator_loss(x, x_hat)) < WON:
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
