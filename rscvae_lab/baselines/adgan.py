r"""ADGAN: an image is novel where a generator of normal images cannot be made to produce it.

A Wasserstein GAN is trained on normal images, codes z ~ N(0, I), with a penalty that keeps the critic's slope at 1:

    critic:     min over c of  mean c(G(z)) - mean c(x) + 10 mean (||grad_u c(u)|| - 1)^2,   u = e x + (1 - e) G(z)
    generator:  min over G of  -mean c(G(z)),                                    once after every two critic steps

with e ~ U(0, 1) per image, by Adam (betas 0, 0.9), a batch per critic step. An image is then searched for, from four
codes z_1, ..., z_R that are the same for every image, each by five steps of Adam (0.25, betas 0.5, 0.999):

    score(x) = mean_r min_k ||x - G(z_r^k)||^2 / (number of pixels),      z_r^0 = z_r,   k the steps so far.

Few steps are what regularises: with many, G reaches anything. Chosen by validation AUROC on MNIST 8 and Fashion-MNIST
pullover (10 epochs, one seed, 600 images): 5 steps .87 and .84, 10 steps .85 and .83. No step at all, the distance to
four samples, has .91 and .83: these few epochs leave a generator near the mean image, and one trained further (rate
5e-4) drops to .77 on MNIST 8. G is the decoder that AE has, in eval mode while it searches; the critic mirrors it
without batch normalisation, since its penalty is of each image alone.
Source: Deecke, Vandermeulen, Ruff, Mandt and Kloft 2018, "Image Anomaly Detection with Generative Adversarial
Networks"; losses from Gulrajani et al. 2017. Our deviations: G's weights stay as they are, where the paper adapts a
copy of them to every image and start; 4 starts instead of its 64, drawn once for all images, for a CPU's sake; the
best error met on the way counts, not the last; sigmoid and [0, 1] instead of tanh and [-1, 1]; batches of 64 and as
many epochs as the config says.
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
CRITIC_STEPS = 2  # for one of the generator
STARTS, SEARCH_STEPS, SEARCH_RATE = 4, 5, 0.25


def _critic(config: Config) -> nn.Sequential:
    """Images (B, C, S, S) to one number each, (B, 1); without batch normalisation."""
    blocks: list[nn.Module] = []
    for n_in, n_out in zip((config.channels, *config.widths), config.widths):
        blocks += [nn.Conv2d(n_in, n_out, kernel_size=4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(config.widths[-1] * (config.image_size // 16) ** 2, 1))


def gradient_penalty(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """mean (||grad c(u)|| - 1)^2, a scalar, at one point u between each pair of images (B, C, S, S)."""
    share = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = (share * real + (1 - share) * fake).requires_grad_()
    slope, = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()


def search(generator: nn.Module, x: Tensor, starts: Tensor, steps: int = SEARCH_STEPS,
           rate: float = SEARCH_RATE) -> Tensor:
    """The smallest squared error that Adam meets on its way from each start, that of the start itself included.

    Each image and start is a search of its own: Adam works number by number, and errors are summed, not averaged.

    Args:
        generator: codes (N, D) to images (N, C, S, S), each of its code alone (eval mode).
        x: images in [0, 1], (B, C, S, S).
        starts: codes, (R, D).

    Returns:
        (B, R), squared grey levels summed over pixels.
    """
    z = starts.repeat(len(x), 1).requires_grad_()
    wanted, best = x.repeat_interleave(len(starts), 0), torch.full((len(z),), torch.inf, device=x.device)
    optimizer = torch.optim.Adam([z], rate, betas=(0.5, 0.999))
    for step in range(steps + 1):
        with torch.set_grad_enabled(step < steps):
            errors = (generator(z) - wanted).square().flatten(1).sum(1)
        best = torch.minimum(best, errors.detach())
        if step < steps:
            z.grad, = torch.autograd.grad(errors.sum(), z)
            optimizer.step()
    return best.view(len(x), len(starts))


class ADGAN(nn.Module):
    """A generator of normal images, its critic, and the codes that every search starts from, saved with the weights.

    Args:
        generator: another than the config's: codes (B, D) to images (B, C, S, S).
    """

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
        """What the critic minimises on a batch, a scalar: minus the estimated Wasserstein distance, and the penalty."""
        with torch.no_grad():
            fake = self.sample(len(x))
        return (self.critic(fake) - self.critic(x)).mean() + PENALTY * gradient_penalty(self.critic, x, fake)

    def fit(self, images: Tensor) -> Self:
        """Trains on normal images, uint8 (N, C, S, S). Raises InputError where training diverges."""
        adam = [torch.optim.Adam(part.parameters(), self.config.learning_rate, betas=(0.0, 0.9))
                for part in (self.critic, self.generator)]
        steps = count(1)

        def step(x: Tensor) -> Tensor:
            loss = descend(adam[0], self.critic_loss(x))
            if next(steps) % CRITIC_STEPS == 0:
                descend(adam[1], -self.critic(self.sample(len(x))).mean())
            return loss

        self.losses = fit_epochs(self, images, self.config, step)
        return self

    def score(self, images: Tensor) -> Tensor:
        """Mean over starts of the best squared error per pixel, (N,) on the CPU."""
        return score_chunks(self, images, self.config,
                            lambda x: search(self.generator, x, self.starts).mean(1) / x[0].numel())
