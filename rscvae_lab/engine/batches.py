"""The batches of a training: its images, kept on the device, in the order that chance decides."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from rscvae_lab.config import Config
from rscvae_lab.datasets.augmentation import SQUARE_SIDE, augmented
from rscvae_lab.datasets.images import to_unit
from rscvae_lab.datasets.one_class import OneClassSplit, fresh_anomalies
from rscvae_lab.datasets.shifts import apply_operations
from rscvae_lab.engine.draws import draw_epoch, side_by_side, steps_per_epoch


class Batch(NamedTuple):
    """What one step sees. In an ensemble every tensor has a leading dimension M."""

    x: Tensor  # (B, C, S, S), in [0, 1]
    y: Tensor  # bool (B,), True for (pseudo-)anomalies
    noise: Tensor  # (B, D), standard normal
    rate: float | Tensor  # the learning rate; (M,) in an ensemble
    active: Tensor | None = None  # bool (M,), which models of an ensemble take this step


class Batches:
    """The batches of one training, or of M trainings of an ensemble, from a split each. With
    `ensemble` they have the dimension M, also for M = 1."""

    def __init__(self, configs: Sequence[Config], splits: Sequence[OneClassSplit],
                 ensemble: bool = False):
        self.configs, self.splits, self.ensemble = configs, splits, ensemble
        self.sizes = [len(split.train) + len(split.anomalies) for split in splits]
        self.steps = [steps_per_epoch(n, configs[0].batch_size) for n in self.sizes]
        device = configs[0].device
        parts = [part for split in splits for part in (split.train, split.anomalies)]
        filled = [part for part in parts if len(part)]  # one alone is not copied
        self._images = (filled[0] if len(filled) == 1 else torch.cat(parts)).to(device)
        real = [torch.arange(n) >= len(split.train) for n, split in zip(self.sizes, splits)]
        self._anomalous = torch.cat(real).to(device)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch, counted from 1; the same for the same seed and epoch."""
        self._draw_fresh_anomalies(epoch)
        each = [draw_epoch(config, epoch, n) for config, n in zip(self.configs, self.sizes)]
        draws = side_by_side(each, self.sizes) if self.ensemble else each[0]
        if self.ensemble:
            draws = draws._replace(rate=draws.rate.to(draws.order.device))
        shifted = bool(draws.shifts.any())
        for order, noise, shifts, augmentation, rate, active in zip(*draws):
            images = self._images.index_select(0, order.flatten())
            images = images.view(*order.shape, *images.shape[1:])
            y = self._anomalous.take(order)
            if shifted:
                images, y = apply_operations(images, shifts), y | shifts.any(-1)
            x = to_unit(images)
            if augmentation.shape[-1]:
                x = augmented(x, augmentation, self.configs[0].rigid)
                y = y | (augmentation[..., SQUARE_SIDE] > 0)
            if self.ensemble:
                yield Batch(x, y, noise, rate, active)
            else:
                x = x.contiguous(memory_format=torch.channels_last)
                yield Batch(x, y, noise, rate.item())

    def _draw_fresh_anomalies(self, epoch: int) -> None:
        """Replaces the anomalies of models that are shown others in every epoch."""
        end = 0
        for config, size, split in zip(self.configs, self.sizes, self.splits):
            end += size
            if len(split.pool):
                new = fresh_anomalies(split, config.seed, epoch)
                self._images[end - len(split.anomalies) : end] = new
