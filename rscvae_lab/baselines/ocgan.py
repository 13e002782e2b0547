"""OCGAN: an autoencoder whose whole latent space decodes to normal images, and to no others.

    l1 = F(x + n), n ~ N(0, noise^2 I),   l2 ~ U(-1, 1)^D,
    score(x) = ||x - G(F(x))||^2 / (number of pixels).

F ends in a tanh, so codes lie in a cube. Three networks decide what fills it; their outputs are
logits, and BCE(d, y) is the binary cross-entropy of a logit d:

    D_l, latent discriminator:  BCE(D_l(l1), 0) + BCE(D_l(l2), 1)     do codes fill the cube?
    D_v, visual discriminator:  BCE(D_v(x), 1) + BCE(D_v(G(l2)), 0)   does all of it decode well?
    C, classifier:              BCE(C(G(l1)), 1) + BCE(C(G(l2)), 0)   where does it decode worst?

C is only used for its gradient: `mine` moves l2 to l2', which C rates lower ("informative negative
mining"). F and G minimise

    BCE(D_l(l1), 1) + BCE(D_v(G(l2')), 1) + lambda ||x - G(l1)||^2 / (number of pixels).

Each batch is one step of D_l, D_v and C, then one of F and G, both by Adam (2e-4, betas 0.5 and
0.999, batches of 64, D = 16).

Source: Perera, Nallapati and Xiang 2019. As in the paper and unlike their code: a tanh ends F, D_l
has one output. Our deviations: the project's networks on 32 x 32 grey digits (theirs: wider 5x5
convolutions on 61 x 61); images in [0, 1] with a sigmoid; reconstructions and G(l2) normalised in
one batch; one step for D_l, D_v and C together; mining by signs of gradients and from the first
batch on (their code: one plain step, in the last quarter of 200 epochs).

lambda: the paper has 10, its code 500. Chosen by `auroc_validation` on MNIST 8 and 2, one seed, 4
epochs: .80 and .82 with 10 (digit 8 before C had both kinds in one batch), .87 and .90 with 100,
.86 and .88 with 500. From one epoch to the next 100 moved by up to .12 and 500 by .04, and after 6
epochs of digit 8 it was .86 and .87: we take 500. High values after one epoch mean little: on
digit 8 a test image's distance from the training mean already gives .81.
"""

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from rscvae_lab.baselines.fitting import bce, descend, fit_epochs, score_chunks, seeded
from rscvae_lab.config import Config
from rscvae_lab.models.plain import SLOPE
from rscvae_lab.models.vae import halves

BETAS = (0.5, 0.999)
LATENT_WIDTHS = (128, 64, 32, 16)


def in_one_batch(network: nn.Module, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """`network` of both, concatenated: with one batch normalisation for both, as in eval mode."""
    return network(torch.cat([first, second])).chunk(2)


def latent_discriminator(latent: int) -> nn.Sequential:
    """Codes (B, D) to logits (B, 1)."""
    layers: list[nn.Module] = []
    for n_in, n_out in zip((latent, *LATENT_WIDTHS), LATENT_WIDTHS):
        layers += [nn.Linear(n_in, n_out), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers, nn.Linear(LATENT_WIDTHS[-1], 1))


class OCGAN(nn.Module):
    """Autoencoder F, G, the discriminators D_l and D_v, and the classifier C. `fidelity` is lambda
    above, `noise` the standard deviation of n in grey levels; `mining_steps` and `stride` say how
    often, and how far along each axis of the cube, l2 moves."""

    def __init__(self, config: Config, fidelity: float = 500.0, noise: float = 0.2,
                 mining_steps: int = 2, stride: float = 0.1):
        super().__init__()
        self.config, self.fidelity, self.noise = config, fidelity, noise
        self.mining_steps, self.stride = mining_steps, stride
        with seeded(config.seed):
            encoder, self.decoder, features = halves(config)
            self.encoder = nn.Sequential(encoder, nn.Linear(features, config.latent), nn.Tanh())
            self.d_latent = latent_discriminator(config.latent)
            self.d_visual = nn.Sequential(halves(config)[0], nn.Linear(features, 1))
            self.classifier = nn.Sequential(halves(config)[0], nn.Linear(features, 1))

    def forward(self, x: Tensor) -> Tensor:
        """x_hat of x, (B, C, S, S) in [0, 1]."""
        return self.decoder(self.encoder(x))

    def discriminator_loss(self, x: Tensor, l1: Tensor, l2: Tensor) -> Tensor:
        """The loss of D_l, D_v and C, a sum, as they share no weights; l1 and G are constant."""
        with torch.no_grad():
            x_hat, sampled = in_one_batch(self.decoder, l1, l2)
        on_x_hat, on_sampled = in_one_batch(self.classifier, x_hat, sampled)
        return (bce(self.d_latent(l1.detach()), 0) + bce(self.d_latent(l2), 1)
                + bce(self.d_visual(x), 1) + bce(self.d_visual(sampled), 0)
                + bce(on_x_hat, 1) + bce(on_sampled, 0))

    def generator_loss(self, x: Tensor, l1: Tensor, mined: Tensor) -> Tensor:
        """The loss of F and G."""
        x_hat, sampled = in_one_batch(self.decoder, l1, mined)
        return (bce(self.d_latent(l1), 1) + bce(self.d_visual(sampled), 1)
                + self.fidelity * mse_loss(x_hat, x))

    def mine(self, l2: Tensor) -> Tensor:
        """l2', (B, D) in [-1, 1]: l2 after steps against the sign of C's gradient (eval mode)."""
        training = self.training
        self.eval()
        for _ in range(self.mining_steps):
            l2 = l2.detach().requires_grad_()
            slope, = torch.autograd.grad(self.classifier(self.decoder(l2)).sum(), l2)
            l2 = (l2 - self.stride * slope.sign()).clamp(-1, 1)
        self.train(training)
        return l2.detach()

    def fit(self, images: Tensor) -> Self:
        """Trains on normal images, uint8 (N, C, S, S). Raises InputError where it diverges."""
        parts = [self.encoder, self.decoder], [self.d_latent, self.d_visual, self.classifier]
        adam, adversary = (torch.optim.Adam(nn.ModuleList(part).parameters(),
                                            self.config.learning_rate, BETAS) for part in parts)

        def step(x: Tensor) -> Tensor:
            l1 = self.encoder(x + self.noise * torch.randn_like(x))
            l2 = 2 * torch.rand_like(l1) - 1
            descend(adversary, self.discriminator_loss(x, l1, l2))
            return descend(adam, self.generator_loss(x, l1, self.mine(l2)))

        self.losses = fit_epochs(self, images, self.config, step)
        return self

    @torch.no_grad()
    def score(self, images: Tensor) -> Tensor:
        """Mean squared reconstruction error of each image, (N,) on the CPU."""
        return score_chunks(self, images, self.config,
                            lambda x: (x - self(x)).square().flatten(1).mean(1))
