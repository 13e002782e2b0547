"""What chance and the schedule decide in an epoch, drawn before its first step.

All draws come from one generator a model, seeded by (seed, epoch). A run stopped at any moment
therefore goes on from its last saved epoch to the same bytes, and a model in an ensemble sees
what it would see alone.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rscvae_lab.config import IMAGE_FOLDERS, PAPER_HALF_PERIOD, Config
from rscvae_lab.datasets.augmentation import draw_augmentation
from rscvae_lab.datasets.shifts import draw_shifts


class Draws(NamedTuple):
    """An epoch of T steps; of an ensemble every part has a further dimension M after T."""

    order: Tensor  # (T, B), positions among all training images
    noise: Tensor  # (T, B, D), standard normal
    shifts: Tensor  # bool (T, B, 3), the operations of mode d
    augmentation: Tensor  # (T, B, 9), augmentation of industrial images; (T, B, 0) elsewhere
    rate: Tensor  # (T,), the learning rate, float64
    active: Tensor  # bool (T,), False where a model has no step left in this epoch


def learning_rate(config: Config, passed: float) -> float:
    """The rate after so many epochs: rate_0 (1 + cos(pi passed / T)) / 2.

    `lesson`: T = epochs, half a cosine followed step by step down to 0. `paper`: T = 50 taken
    literally (Sec. 4.1) and moved once an epoch, so that the rate is back at its peak every 100
    epochs, and a run of 500 ends there.
    """
    half_period, passed = (PAPER_HALF_PERIOD, int(passed)) if config.scale == "paper" else (
        config.epochs, passed)
    return config.learning_rate * 0.5 * (1.0 + math.cos(math.pi * passed / half_period))


def epoch_generator(config: Config, epoch: int) -> torch.Generator:
    """The generator of everything that is random in an epoch."""
    seed = np.random.SeedSequence((config.seed, epoch)).generate_state(1, np.uint64)[0]
    return torch.Generator(config.device).manual_seed(int(seed >> np.uint64(1)))


def steps_per_epoch(n_images: int, batch_size: int) -> int:
    return math.ceil(n_images / batch_size)


def draw_order(generator: torch.Generator, n_images: int, batch_size: int) -> Tensor:
    """Positions of an epoch's images in random order, (T, B). Every batch is full: the last one is
    filled up from the start of the same order, which keeps shapes fixed and batch statistics
    sound. Our choice; the paper is silent."""
    n_steps, device = steps_per_epoch(n_images, batch_size), generator.device
    order = torch.randperm(n_images, generator=generator, device=device)
    return order[torch.arange(n_steps * batch_size, device=device) % n_images].view(n_steps, -1)


def draw_epoch(config: Config, epoch: int, n_images: int) -> Draws:
    """An epoch of one model on so many images."""
    generator, size = epoch_generator(config, epoch), config.batch_size
    order, device = draw_order(generator, n_images, size), generator.device
    steps = len(order)
    noise = torch.randn(steps, size, config.latent, generator=generator, device=device)
    shifts = torch.zeros(steps, size, 3, dtype=torch.bool, device=device)
    if config.method.anomalies == "shifted" and config.dataset not in IMAGE_FOLDERS:
        shifts = draw_shifts(steps * size, config.p, generator, config.shifts).view(steps, size, 3)
    augmentation = draw_augmentation(config, steps * size, generator).view(steps, size, -1)
    rates = torch.tensor([learning_rate(config, epoch - 1 + i / steps) for i in range(steps)],
                         dtype=torch.float64)
    active = torch.ones(steps, dtype=torch.bool, device=device)
    return Draws(order, noise, shifts, augmentation, rates, active)


def side_by_side(draws: Sequence[Draws], n_images: Sequence[int]) -> Draws:
    """The epochs of M models as one of an ensemble, (T, M, ...): the shorter ones are filled up
    with inactive steps, and positions count the models' images in a row."""
    steps, first = max(len(epoch.order) for epoch in draws), [0, *np.cumsum(n_images)[:-1]]
    offset = [epoch._replace(order=epoch.order + int(start)) for epoch, start in zip(draws, first)]
    filled = [[torch.cat([part, part.new_zeros(steps - len(part), *part.shape[1:])])
               for part in epoch] for epoch in offset]
    return Draws(*(torch.stack(parts, 1) for parts in zip(*filled)))
