"""The paper's one-class split (Sec. 4.1): one class is normal, the rest is novel.

Every choice by chance here is seeded: `split_seed` decides what is held out and which half is tested, so that all
training seeds meet the same test; `seed` decides which real anomalies mode e is shown.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rscvae_lab import NORMAL, NOVEL
from rscvae_lab.config import Config
from rscvae_lab.datasets.images import resize
from rscvae_lab.errors import InputError

N_VALIDATION = 2000  # novel training images to choose settings by, or half of them where there are fewer


class LabelledImages(NamedTuple):
    """A data set's own part: images uint8 (N, C, H, W), labels int64 (N,) of the original classes."""

    images: Tensor
    labels: Tensor


@dataclass(frozen=True)
class OneClassSplit:
    """What one training may see, and what it is judged on. Images are uint8 (N, C, S, S), S = `image_size`."""

    train: Tensor  # normal
    anomalies: Tensor  # novel training images, mode e only
    heldout: Tensor  # normal training images, never trained on
    validation: Tensor  # novel training images, never trained on: with `heldout`, what settings are chosen by
    pool: Tensor  # what fresh anomalies are drawn from every epoch; empty where they are drawn once
    test: Tensor
    test_labels: Tensor  # (N,), NORMAL or NOVEL
    test_classes: Tensor  # (N,), the original class
    test_index: Tensor  # (N,), position in the data set's own test part

    @property
    def counts(self) -> dict[str, int]:
        """The split's sizes under the names that metrics.json uses."""
        return {
            "n_train": len(self.train),
            "n_heldout": len(self.heldout),
            "n_anomalous_train": len(self.anomalies),  # those of an epoch
            "n_test_normal": int((self.test_labels == NORMAL).sum()),
            "n_test_novel": int((self.test_labels == NOVEL).sum()),
        }


def one_class_split(train: LabelledImages, test: LabelledImages, normal: int, config: Config) -> OneClassSplit:
    """Splits a labelled data set around its class `normal`.

    Raises:
        InputError: the class has fewer than two training images.
    """
    of_class = torch.nonzero(train.labels == normal).flatten()
    if len(of_class) < 2:
        raise InputError(f"expected at least 2 training images of {config.category}, found {len(of_class)}")
    heldout, kept = draw(len(of_class), max(1, round(config.heldout * len(of_class))), config.split_seed, stream=0)
    tested = _test_index(test.labels, normal, config)
    others, validation = _others(train.labels, normal, config)
    anomalies = _anomaly_index(train.labels, others, normal, config) if config.method.anomalies == "real" else others[:0]
    pool = others if config.method.anomalies == "real" and config.anomaly_draw == "fresh" else others[:0]
    return OneClassSplit(
        train=resize(train.images[of_class[kept]], config.image_size),
        anomalies=resize(train.images[anomalies], config.image_size),
        heldout=resize(train.images[of_class[heldout]], config.image_size),
        validation=resize(train.images[validation], config.image_size),
        pool=resize(train.images[pool], config.image_size),
        test=resize(test.images[tested], config.image_size),
        test_labels=torch.where(test.labels[tested] == normal, NORMAL, NOVEL),
        test_classes=test.labels[tested],
        test_index=tested,
    )


def anomalies_per_class(n_base: int, n_classes: int, p: float) -> int:
    """k = floor(p n / n_classes), at least 1: p = 0.5 % of 6,000 over 9 classes is 3, the paper's ratio of 222 : 1."""
    return max(1, int(p * n_base / n_classes + 1e-9))


def fresh_anomalies(split: OneClassSplit, seed: int, epoch: int) -> Tensor:
    """As many of the pool as the split has anomalies, others in every epoch."""
    drawn = np.random.default_rng((seed, 102, epoch)).permutation(len(split.pool))[: len(split.anomalies)]
    return split.pool[torch.from_numpy(drawn)]


def _others(labels: Tensor, normal: int, config: Config) -> tuple[Tensor, Tensor]:
    """Training images of the other classes: what mode e may draw from, and the same few in every mode, to choose by."""
    others = torch.nonzero(labels != normal).flatten()
    chosen, left = draw(len(others), min(N_VALIDATION, len(others) // 2), config.split_seed, stream=100)
    return others[left], others[chosen]


def _anomaly_index(labels: Tensor, others: Tensor, normal: int, config: Config) -> Tensor:
    """Which of the other classes' training images mode e is given: k of each (Sec. 4.4), or as many of all pooled."""
    classes = [int(label) for label in labels.unique() if label != normal]
    n_base = int((labels == normal).sum()) if config.anomaly_base == "class" else len(labels)
    k = anomalies_per_class(n_base, len(classes), config.p)
    if config.anomaly_draw != "stratified":
        return others[draw(len(others), min(k * len(classes), len(others)), config.seed, stream=101)[0]]
    drawn = []
    for label in classes:
        of_class = others[labels[others] == label]
        drawn.append(of_class[draw(len(of_class), min(k, len(of_class)), config.seed, stream=2 + label)[0]])
    return torch.cat(drawn)


def _test_index(labels: Tensor, normal: int, config: Config) -> Tensor:
    """All test images of the class and a seeded share of all others, pooled, in their original order."""
    others = torch.nonzero(labels != normal).flatten()
    drawn, _ = draw(len(others), int(config.fraction * len(others)), config.split_seed, stream=1)
    return torch.cat([torch.nonzero(labels == normal).flatten(), others[drawn]]).sort().values


def draw(n: int, k: int, seed: int, stream: int) -> tuple[Tensor, Tensor]:
    """k of n without replacement and the n - k left, each in ascending order; each stream draws independently."""
    order = torch.from_numpy(np.random.default_rng((seed, stream)).permutation(n))
    return order[:k].sort().values, order[k:].sort().values
