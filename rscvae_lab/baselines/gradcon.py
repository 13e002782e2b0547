"""GradCon: an image is novel if it would change the decoder otherwise than the training images.

The gradient that an image induces on the decoder's weights phi_l, l = 1, ..., L, says what the
model would have to learn to reproduce it. Training aligns these gradients with the mean of past
ones, and the score measures the alignment:

    L(x)      = mean (x - x_hat)^2,   x_hat = G(F(x))
    align(g)  = 1/L sum_l cos(g_l, m_l)
    J_t       = L(batch) - 0.03 align(dL(batch)/dphi)    its gradient goes through dL/dphi
    m_l       = 1/(t - 1) sum_{s < t} dJ_s/dphi_l        0 at first, with all cosines 0
    score(x)  = L(x) - 0.12 align(dL(x)/dphi),           the gradient of x alone

trained by Adam (1e-3, batches of 64). The autoencoder has no batch normalisation, through which
images would share a gradient: four 4x4 stride-2 convolutions of 32, 32, 64 and 64 channels with
ReLU, and their mirror with a final sigmoid; phi are the weights without biases.
Source: Kwon, Prabhushankar, Temel and AlRegib 2020, "Backpropagated Gradient Representations for
Anomaly Detection"; their code has the 0.12 = 4 x 0.03. Our deviations: 32x32 pixels with padding 1
throughout, so the code has 64 x 2 x 2 numbers instead of 64 x 3 x 3; the config's epochs, and the
last one instead of the best of 1,000. Few epochs are not enough. Without batch normalisation the
network begins by drawing the mean image for every input, whose gradients are well aligned: after
10 epochs on MNIST 14 of 20 trainings (two seeds) still did. He et al.'s initial weights begin to
learn at once, and end lower: after 30 epochs validation AUROC on MNIST 8 and 2 is .79 and .87 with
them, .94 and .91 without. Of trainings that had begun to learn after 10, it is on MNIST 8 and
Fashion-MNIST pullover .91 and .85 by L alone, .73 and .55 by align alone, .87 and .75 by the score
(one seed, 600 images). The weights 0.03 and 0.12 are theirs.
"""

from typing import Self

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap
from torch.nn.functional import cosine_similarity, mse_loss

from rscvae_lab.baselines.fitting import descend, fit_epochs, score_chunks, seeded
from rscvae_lab.config import Config

WIDTHS = (32, 32, 64, 64)
TRAINING_WEIGHT, SCORE_WEIGHT = 0.03, 0.12  # of align in J and in the score
CHUNK = 64  # images whose gradients are in memory at once, 0.5 MB each


def _encoder(channels: int) -> nn.Sequential:
    """Images (B, C, S, S) to codes (B, 64, S/16, S/16)."""
    blocks: list[nn.Module] = []
    for n_in, n_out in zip((channels, *WIDTHS), WIDTHS):
        blocks += [nn.Conv2d(n_in, n_out, kernel_size=4, stride=2, padding=1), nn.ReLU()]
    return nn.Sequential(*blocks)


def _decoder(channels: int) -> nn.Sequential:
    """The mirror of the encoder."""
    ups, blocks = (*WIDTHS[::-1], channels), []
    for n_in, n_out in zip(ups, ups[1:]):
        blocks += [nn.ConvTranspose2d(n_in, n_out, kernel_size=4, stride=2, padding=1), nn.ReLU()]
    return nn.Sequential(*blocks[:-1], nn.Sigmoid())


class GradCon(nn.Module):
    """An autoencoder, and the mean of its decoder's past gradients, saved with the weights.
    `encoder`, images (B, C, S, S) to codes, and `decoder` replace the paper's."""

    def __init__(self, config: Config, encoder: nn.Module | None = None,
                 decoder: nn.Module | None = None):
        super().__init__()
        self.config = config
        with seeded(config.seed):
            self.encoder = encoder or _encoder(config.channels)
            self.decoder = decoder or _decoder(config.channels)
        self.register_buffer("steps", torch.zeros(()))
        for i, weight in enumerate(self.phi.values()):
            self.register_buffer(f"reference_{i}", torch.zeros_like(weight))

    @property
    def phi(self) -> dict[str, nn.Parameter]:
        """The decoder's weights by their names in the decoder, one per layer."""
        return {name: weight for name, weight in self.decoder.named_parameters()
                if name.endswith("weight")}

    @property
    def reference(self) -> list[Tensor]:
        """m_l, the mean of past gradients of each layer, in the shape of its weight."""
        return [self.get_buffer(f"reference_{i}") for i in range(len(self.phi))]

    def forward(self, x: Tensor) -> Tensor:
        """x_hat of x, (B, C, S, S) in [0, 1]."""
        return self.decoder(self.encoder(x))

    def align(self, gradients: list[Tensor]) -> Tensor:
        """The mean over layers of the cosines with `reference`, (B,) in [-1, 1], of gradients that
        are for each layer (B, *shape of the weight)."""
        return torch.stack([cosine_similarity(g.flatten(1), m.flatten()[None])
                            for g, m in zip(gradients, self.reference)]).mean(0)

    def objective(self, x: Tensor) -> Tensor:
        """J of a batch, a scalar; its own gradient goes through the gradient of L."""
        loss = mse_loss(self(x), x)
        gradients = torch.autograd.grad(loss, list(self.phi.values()), create_graph=True)
        return loss - TRAINING_WEIGHT * self.align([g[None] for g in gradients]).squeeze()

    @torch.no_grad()
    def update_reference(self) -> None:
        """Adds the gradients of J that are in `grad` to their running mean."""
        self.steps += 1
        for mean, weight in zip(self.reference, self.phi.values()):
            mean.lerp_(weight.grad, 1 / self.steps)

    def fit(self, images: Tensor) -> Self:
        """Trains on normal images, uint8 (N, C, S, S). Raises InputError where it diverges."""
        optimizer = torch.optim.Adam(self.parameters(), self.config.learning_rate)

        def step(x: Tensor) -> Tensor:
            objective = descend(optimizer, self.objective(x))
            self.update_reference()
            return objective

        self.losses = fit_epochs(self, images, self.config, step)
        return self

    def errors_and_gradients(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """L(x) of each image, (B,), and its gradient of each layer, (B, *shape of the weight). The
        mean of these gradients is the batch's gradient; the mean of their cosines is not the
        batch's cosine."""
        def error(phi: dict[str, Tensor], z: Tensor, x: Tensor) -> Tensor:
            return mse_loss(functional_call(self.decoder, phi, (z[None],)), x[None])

        per_image = vmap(grad_and_value(error), in_dims=(None, 0, 0))
        gradients, errors = per_image(self.phi, self.encoder(x), x)
        return errors, list(gradients.values())

    @torch.no_grad()
    def score(self, images: Tensor) -> Tensor:
        """L - 0.12 align of each image, (N,) on the CPU; may be negative."""
        def novelty(x: Tensor) -> Tensor:
            errors, gradients = self.errors_and_gradients(x)
            return errors - SCORE_WEIGHT * self.align(gradients)

        return score_chunks(self, images, self.config, novelty, CHUNK)
