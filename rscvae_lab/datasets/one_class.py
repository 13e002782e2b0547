"""The paper's one-class split (Sec. 4.1): one class is normal, the rest are novel.

Every random choice is seeded: by `split_seed` which images are held out and which half is tested,
so all training seeds have the same test set; by `seed` which real anomalies mode e is trained on.
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

N_VALIDATION = 2000  # novel training images to choose settings by; at most half of all


class LabelledImages(NamedTuple):
    """A training or test part as published: images uint8 (N, C, H, W), class labels int64 (N,)."""

    images: Tensor
    labels: Tensor


@dataclass(frozen=True)
class OneClassSplit:
    """What a training may use, and what it is evaluated on; images are uint8 (N, C, S, S)."""

    train: Tensor  # normal
    anomalies: Tensor  # novel training images, mode e only
    heldout: Tensor  # normal training images, never trained on
    # novel training images, never trained on, or pseudo-defects: with `heldout`, to choose by
    validation: Tensor
    pool: Tensor  # source of fresh anomalies in every epoch; empty where they are drawn once
    test: Tensor
    test_labels: Tensor  # (N,), NORMAL or NOVEL
    test_classes: Tensor  # (N,), the original class
    test_index: Tensor  # (N,), position in the data set's own test part

    @property
    def counts(self) -> dict[str, int]:
        """The split's sizes under the names that metrics.json uses."""
        return {"n_train": len(self.train), "n_heldout": len(self.heldout),
                "n_anomalous_train": len(self.anomalies),  # per epoch
                "n_test_normal": int((self.test_labels == NORMAL).sum()),
                "n_test_novel": int((self.test_labels == NOVEL).sum())}


def held_out(n: int, config: Config) -> tuple[Tensor, Tensor]:
    """Which of n normal training images are held out, and which are trained on."""
    return draw(n, max(1, round(config.heldout * n)), config.split_seed, stream=0)


def one_class_split(train: LabelledImages, test: LabelledImages, normal: int, config: Config
                    ) -> OneClassSplit:
    """Splits a labelled data set around its class `normal`. Raises InputError for a class with
    fewer than two training images, or where mode e has no others."""
    of_class = torch.nonzero(train.labels == normal).flatten()
    n = len(of_class)
    if n < 2:
        raise InputError(f"expected at least 2 training images of {config.category}, found {n}")
    heldout, rest = held_out(n, config)
    tested = _test_index(test.labels, normal, config)
    others, validation = _others(train.labels, normal, config)
    anomalies = pool = others[:0]
    if config.method.anomalies == "real":
        if not len(others):
            raise InputError(f"mode e trains on images of other classes than {config.category}, "
                             f"found {len(validation)}, too few to spare any: expected another "
                             "mode")
        anomalies = _anomaly_index(train.labels, others, normal, config)
        pool = others if config.anomaly_draw == "fresh" else pool

    def training(index: Tensor) -> Tensor:
        return resize(train.images[index], config.image_size)

    return OneClassSplit(
        train=training(of_class[rest]), anomalies=training(anomalies),
        heldout=training(of_class[heldout]), validation=training(validation), pool=training(pool),
        test=resize(test.images[tested], config.image_size),
        test_labels=torch.where(test.labels[tested] == normal, NORMAL, NOVEL),
        test_classes=test.labels[tested], test_index=tested)


def anomalies_per_class(n_base: int, n_classes: int, p: float) -> int:
    """k = floor(p n / n_classes), at least 1: 0.5 % of 6,000 over 9 classes is 3, or 222 : 1."""
    return max(1, int(p * n_base / n_classes + 1e-9))


def fresh_anomalies(split: OneClassSplit, seed: int, epoch: int) -> Tensor:
    """New anomalies for an epoch: as many from the pool as the split has."""
    order = np.random.default_rng((seed, 102, epoch)).permutation(len(split.pool))
    return split.pool[torch.from_numpy(order[: len(split.anomalies)])]


def _others(labels: Tensor, normal: int, config: Config) -> tuple[Tensor, Tensor]:
    """Training images of other classes: mode e's candidates, and the validation images, which are
    the same in every mode."""
    others = torch.nonzero(labels != normal).flatten()
    n = min(N_VALIDATION, len(others) // 2)
    validation, rest = draw(len(others), n, config.split_seed, stream=100)
    return others[rest], others[validation]


def _anomaly_index(labels: Tensor, others: Tensor, normal: int, config: Config) -> Tensor:
    """Mode e's anomalies: k of each other class (Sec. 4.4), or as many of all pooled."""
    classes = [int(label) for label in labels.unique() if label != normal]
    n_base = int((labels == normal).sum()) if config.anomaly_base == "class" else len(labels)
    k = anomalies_per_class(n_base, len(classes), config.p)

    def sample(index: Tensor, n: int, stream: int) -> Tensor:
        return index[draw(len(index), min(n, len(index)), config.seed, stream)[0]]

    if config.anomaly_draw != "stratified":
        return sample(others, k * len(classes), stream=101)
    return torch.cat([sample(others[labels[others] == label], k, stream=2 + label)
                      for label in classes])


def _test_index(labels: Tensor, normal: int, config: Config) -> Tensor:
    """All test images of the class and a seeded share of all others, in their original order."""
    others = torch.nonzero(labels != normal).flatten()
    sample, _ = draw(len(others), int(config.fraction * len(others)), config.split_seed, stream=1)
    return torch.cat([torch.nonzero(labels == normal).flatten(), others[sample]]).sort().values


def draw(n: int, k: int, seed: int, stream: int) -> tuple[Tensor, Tensor]:
    """k of n without replacement and the other n - k, ascending; streams are independent."""
    order = torch.from_numpy(np.random.default_rng((seed, stream)).permutation(n))
    return order[:k].sort().values, order[k:].sort().values
