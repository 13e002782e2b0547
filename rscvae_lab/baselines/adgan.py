"""ADGAN: an image is novel if a search in the latent space of a GAN of normal images misses it.

A Wasserstein GAN is trained on normal images, with codes z ~ N(0, I) and a penalty that keeps the
critic's slope at 1:

    critic:     mean c(G(z)) - mean c(x) + 10 mean (||grad_u c(u)|| - 1)^2,  u = e x + (1 - e) G(z)
    generator:  -mean c(G(z)),  one step after every two of the critic

with e ~ U(0, 1) per image, by Adam (betas 0, 0.9), a batch per critic step. The search for an
image starts from four codes z_1, ..., z_R, the same for every image, and takes five steps of Adam
(0.25, betas 0.5, 0.999) from each:

    score(x) = mean_r min_k ||x - G(z_r^k)||^2 / (number of pixels),   z_r^0 = z_r,   k the step.

Few steps are a regulariser: with many, G reaches any image. Chosen by validation AUROC on MNIST 8
and Fashion-MNIST pullover (10 epochs, one seed, 600 images): 5 steps .87 and .84, 10 steps .85 and
.83. Without a step, the distance to four samples has .91 and .83: after so few epochs the
generator is near the mean image, and when it is trained further (rate 5e-4) this drops to .77 on
MNIST 8. G is the AE's decoder, in eval mode during the search; the critic mirrors it without batch
normalisation, since its penalty is per image.
Source: Deecke, Vandermeulen, Ruff, Mandt and Kloft 2018, "Image Anomaly Detection with Generative
Adversarial Networks"; losses from Gulrajani et al. 2017. Our deviations: G's weights stay fixed,
where the paper adapts a copy of them to every image and start; 4 starts instead of its 64, drawn
once for all images, for speed on a CPU; the smallest error of the search counts, not the last;
sigmoid and [0, 1] instead of tanh and [-1, 1]; batches of 64 and the config's epochs.
"""

from itertools import count
from typing import Self

import torch
from torch import Tensor, nn

from rscvae_lab.baselines.fitting import descend, fit_epochs, score_chunks, seeded
from rscvae_lab.config import Config
from rscvae_lab.models.plain import SLOPE
from rscvae_lab.models.vae import halves

PENALTY = 10.0
CRITIC_STEPS = 2  # per generator step
STARTS, SEARCH_STEPS, SEARCH_RATE = 4, 5, 0.25


def _critic(config: Config) -> nn.Sequential:
    """Images (B, C, S, S) to one number each, (B, 1); without batch normalisation."""
    blocks: list[nn.Module] = []
    for n_in, n_out in zip((config.channels, *config.widths), config.widths):
        blocks += [nn.Conv2d(n_in, n_out, kernel_size=4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
    features = config.widths[-1] * (config.image_size // 16) ** 2
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(features, 1))


def gradient_penalty(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """mean (||grad c(u)|| - 1)^2 at one point u between each pair of images (B, C, S, S)."""
    share = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = (share * real + (1 - share) * fake).requires_grad_()
    slope, = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()


def search(generator: nn.Module, x: Tensor, starts: Tensor, steps: int = SEARCH_STEPS,
           rate: float = SEARCH_RATE) -> Tensor:
    """The smallest squared error (B, R), summed over pixels, on Adam's path from each of the codes
    `starts` (R, D) to each image x in [0, 1], (B, C, S, S). The searches are independent of each
    other where the generator, codes (N, D) to images (N, C, S, S), is in eval mode: Adam is
    elementwise, and errors are summed, not averaged."""
    z = starts.repeat(len(x), 1).requires_grad_()
    target = x.repeat_interleave(len(starts), 0)
    best = torch.full((len(z),), torch.inf, device=x.device)
    optimizer = torch.optim.Adam([z], rate, betas=(0.5, 0.999))
    for step in range(steps + 1):
        with torch.set_grad_enabled(step < steps):
            errors = (generator(z) - target).square().flatten(1).sum(1)
        best = torch.minimum(best, errors.detach())
        if step < steps:
            z.grad, = torch.autograd.grad(errors.sum(), z)
            optimizer.step()
    return best.view(len(x), len(starts))


class ADGAN(nn.Module):
    """A generator of normal images, its critic, and the saved codes that every search starts from.
    `generator`, codes (B, D) to images (B, C, S, S), replaces the config's."""

    def __init__(self, config: Config, generator: nn.Module | None = None):
        super().__init__()
        self.config = config
        with seeded(config.seed):
            self.generator = generator or halves(config)[1]
            self.critic = _critic(config)
            self.register_buffer("starts", torch.randn(STARTS, config.latent))

    def sample(self, n: int) -> Tensor:
        """G(z) for n codes z ~ N(0, I), (n, C, S, S) in [0, 1]."""
        return self.generator(torch.randn(n, self.config.latent, device=self.starts.device))

    def critic_loss(self, x: Tensor) -> Tensor:
        """The critic's loss: minus the estimated Wasserstein distance, plus the penalty."""
        with torch.no_grad():
            fake = self.sample(len(x))
        gap = (self.critic(fake) - self.critic(x)).mean()
        return gap + PENALTY * gradient_penalty(self.critic, x, fake)

    def fit(self, images: Tensor) -> Self:
        """Trains on normal images, uint8 (N, C, S, S). Raises InputError where it diverges."""
        critic, generator = (
            torch.optim.Adam(part.parameters(), self.config.learning_rate, betas=(0.0, 0.9))
            for part in (self.critic, self.generator))
        steps = count(1)

        def step(x: Tensor) -> Tensor:
            loss = descend(critic, self.critic_loss(x))
            if next(steps) % CRITIC_STEPS == 0:
                descend(generator, -self.critic(self.sample(len(x))).mean())
            return loss

        self.losses = fit_epochs(self, images, self.config, step)
        return self

    def score(self, images: Tensor) -> Tensor:
        """Mean over starts of the smallest squared error per pixel, (N,) on the CPU."""
        def error(x: Tensor) -> Tensor:
            return search(self.generator, x, self.starts).mean(1) / x[0].numel()

        return score_chunks(self, images, self.config, error)
