"""What chance and the schedule decide in an epoch, drawn before its first step.

All draws come from one generator a model, seeded by (seed, epoch). A run stopped at any moment therefore goes on from
its last saved epoch to the same bytes, and a model in a stack sees what it would see alone.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rscvae_lab.categories import PICTURE_SETS
from rscvae_lab.config import PAPER_HALF_PERIOD, Config
from rscvae_lab.datasets.poses import draw_poses
from rscvae_lab.datasets.shifts import draw_shifts


class Batch(NamedTuple):
    """One step of M models, or with a leading dimension T every step of an epoch."""

    order: Tensor  # (M, B), positions among all resident images
    noise: Tensor  # (M, B, D), standard normal
    shifts: Tensor  # bool (M, B, 3), the operations of mode d
    pose: Tensor  # (M, B, 6), how industrial pictures are turned and, in mode d, cut; (M, B, 0) elsewhere
    rate: Tensor  # (M, 1), the learning rate
    active: Tensor  # bool (M, 1), False where a model has no step left in this epoch


def learning_rate(config: Config, passed: float) -> float:
    """The rate after so many epochs: rate_0 (1 + cos(pi passed / T)) / 2.

    `lesson`: T = epochs, half a cosine followed step by step down to 0. `paper`: T = 50 taken literally (Sec. 4.1)
    and moved once an epoch, so that the rate is back at its peak every 100 epochs, and a run of 500 ends there.
    """
    if config.scale == "paper":
        return config.learning_rate * 0.5 * (1.0 + math.cos(math.pi * int(passed) / PAPER_HALF_PERIOD))
    return config.learning_rate * 0.5 * (1.0 + math.cos(math.pi * passed / config.epochs))


def epoch_generator(config: Config, epoch: int) -> torch.Generator:
    """The generator of everything that is random in an epoch."""
    seed = np.random.SeedSequence((config.seed, epoch)).generate_state(1, np.uint64)[0]
    return torch.Generator(config.device).manual_seed(int(seed >> np.uint64(1)))


def steps_per_epoch(n_images: int, batch_size: int) -> int:
    return math.ceil(n_images / batch_size)


def draw_order(generator: torch.Generator, n_images: int, batch_size: int) -> Tensor:
    """Positions of an epoch's images in random order, (T, B).

    Every batch is full: the last one is filled up from the start of the same order, which keeps shapes fixed and batch
    statistics sound. Our choice; the paper is silent.
    """
    n_steps, device = steps_per_epoch(n_images, batch_size), generator.device
    order = torch.randperm(n_images, generator=generator, device=device)
    return order[torch.arange(n_steps * batch_size, device=device) % n_images].view(n_steps, batch_size)


def draw_epoch(config: Config, epoch: int, n_images: int, n_steps: int) -> Batch:
    """An epoch of one model, as T = `n_steps` steps of which those beyond its own rest."""
    generator, size = epoch_generator(config, epoch), config.batch_size
    order = draw_order(generator, n_images, size)
    own, device = len(order), generator.device
    noise = torch.randn(own, size, config.latent, generator=generator, device=device)
    shifts = torch.zeros(own, size, 3, dtype=torch.bool, device=device)
    if config.mode == "d" and config.dataset not in PICTURE_SETS:
        shifts = draw_shifts(own * size, config.p, generator, config.shifts).view(own, size, 3)
    rate = torch.tensor([learning_rate(config, epoch - 1 + i / own) for i in range(own)], device=device).unsqueeze(1)
    pose = draw_poses(config, own * size, generator).view(own, size, -1)
    whole = Batch(order, noise, shifts, pose, rate, torch.ones(own, 1, dtype=torch.bool, device=device))
    return Batch(*(torch.cat([part, part.new_zeros(n_steps - own, *part.shape[1:])]) for part in whole))


def draw_epochs(configs: Sequence[Config], epoch: int, n_images: Sequence[int]) -> Batch:
    """An epoch of M models side by side: the parts of `Batch` as (T, M, ...); positions count the models' images in a
    row, those of the first model first."""
    n_steps = max(steps_per_epoch(n, config.batch_size) for config, n in zip(configs, n_images))
    drawn = [draw_epoch(config, epoch, n, n_steps) for config, n in zip(configs, n_images)]
    epochs = Batch(*(torch.stack(parts, 1) for parts in zip(*drawn)))
    first = torch.tensor([0, *n_images[:-1]]).cumsum(0).to(epochs.order.device)
    return epochs._replace(order=epochs.order + first[:, None])
