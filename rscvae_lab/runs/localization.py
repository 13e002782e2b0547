"""Where an image differs from its reconstruction, and a score of that: our addition beside Eq. 15.

Eq. 15 sums the error over all pixels, in which a small defect drowns. The local score asks instead
whether the error is unusual *anywhere*. With e(x) the smoothed error map, and m and s its mean and
spread at each pixel over held-out normal images,

    z(x) = (e(x) - m) / s,    local_score(x) = the mean of the highest 1 % of z(x),

and local_max(x) the largest value. Edges, which no reconstruction meets to the pixel, have a large
m and s and count little. A held-out image is judged by the other ones alone, so thresholds and
validation figures are those of images that are new.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from scipy.ndimage import label
from torch import Tensor

from rscvae_lab._torchvision import torchvision
from rscvae_lab.datasets.images import as_images, to_unit
from rscvae_lab.errors import InputError
from rscvae_lab.scoring import auroc

SIGMA = 4 / 256  # of the side: averages the noise of single pixels, keeps defects
FEWEST = 3  # held-out images: beside each there must be two to take a spread of
SHARE = 0.01  # of the pixels, of which local_score is the mean
PRO_LIMIT = 0.3  # of normal pixels (Bergmann et al. 2019)
LOCAL = ("local_score", "local_max")


class Calibration(NamedTuple):
    """The usual error at each pixel, (S, S) each, in grey levels of [0, 1]."""

    mean: Tensor
    spread: Tensor

    @classmethod
    def of(cls, maps: Tensor) -> Self:
        """From the error maps (N, S, S) of N >= 2 normal images."""
        return cls._from_sums(*_sums(maps), len(maps))

    @classmethod
    def _from_sums(cls, total: Tensor, squares: Tensor, n: int) -> Self:
        """The spread is that of a pixel and the root mean square over all pixels together: from a
        few images, single pixels may seem to have none."""
        mean = total / n
        variance = ((squares - n * mean.square()) / (n - 1)).clamp_(min=0)
        spread = (variance + variance.mean()).sqrt().clamp_(min=1e-6)
        return cls(mean.float(), spread.float())

    def scaled(self, maps: Tensor) -> Tensor:
        """z of error maps (N, S, S): how many spreads above the mean, no unit."""
        return (maps - self.mean) / self.spread


def without_each(maps: Tensor) -> Iterator[Calibration]:
    """For each of N >= 3 error maps (N, S, S) the calibration of all others."""
    (total, squares), n = _sums(maps), len(maps) - 1
    for own in maps:
        yield Calibration._from_sums(total - own, squares - own.double().square(), n)


def _sums(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Over N maps, of their values and squares, (S, S) each, in double precision."""
    total = torch.zeros(maps.shape[1:], dtype=torch.float64)
    squares = torch.zeros_like(total)
    for own in maps:  # one after the other: thousands in double precision need gigabytes
        total += own
        squares += own.double().square()
    return total, squares


def local_scores(scaled: Tensor) -> Tensor:
    """local_score and local_max, (N, 2), of calibrated maps (N, S, S)."""
    flat = scaled.flatten(1)
    highest = flat.topk(max(1, round(SHARE * flat.shape[1]))).values
    return torch.stack([highest.mean(1), highest[:, 0]], 1)


def error_maps(images: Any, x_hat: Tensor) -> Tensor:
    """|x - x_hat| in grey levels of [0, 1], (N, S, S), of images as `as_images` takes them and
    their reconstructions in [0, 1]: averaged over channels, then smoothed by a Gaussian that is
    cut off at three standard deviations."""
    x = to_unit(as_images(images))
    error, sigma = (x - x_hat).abs().mean(1, keepdim=True), SIGMA * x.shape[-1]
    width = 2 * max(1, round(3 * sigma)) + 1
    return torchvision.transforms.functional.gaussian_blur(error, width, sigma).squeeze(1)


def pixel_auroc(masks: Tensor, maps: Tensor) -> float:
    """The probability that a defective pixel has a larger error than another, over all images, by
    masks, bool (N, 1, S, S), True on defects, and maps (N, S, S). Raises InputError where no pixel
    is defective, or every one is."""
    _check_masks(masks)
    return auroc(masks.flatten().numpy(), maps.flatten().numpy())


def pro(masks: Tensor, maps: Tensor, limit: float = PRO_LIMIT) -> float:
    """The per-region overlap (Bergmann et al. 2019, Sec. 5): the mean over connected defects of
    the share of each that lies above a threshold, averaged over the thresholds that up to `limit`
    of the normal pixels lie above; 1 is best, `limit` / 2 chance. Every defect counts the same,
    however small. Arguments as `pixel_auroc`, and raises as it does."""
    _check_masks(masks)
    weights, n_regions = np.zeros(masks.squeeze(1).shape), 0
    for weight, mask in zip(weights, masks.squeeze(1).numpy()):
        regions, n = label(mask, np.ones((3, 3)))  # pixels that touch at a corner are connected
        sizes = np.bincount(regions.ravel(), minlength=n + 1)
        weight[mask] = 1 / sizes[regions[mask]]
        n_regions += n
    values, normal = maps.flatten().numpy(), ~masks.flatten().numpy()
    order = np.argsort(-values, kind="stable")
    ends = np.flatnonzero(np.diff(values[order], append=np.nan))  # where a threshold may lie
    alarms = np.append(0, np.cumsum(normal[order])[ends] / normal.sum())
    overlap = np.append(0, np.cumsum(weights.ravel()[order])[ends] / n_regions)
    inside, last = alarms < limit, np.interp(limit, alarms, overlap)
    return float(np.trapezoid(np.append(overlap[inside], last), np.append(alarms[inside], limit))
                 / limit)


def _check_masks(masks: Tensor) -> None:
    n, defective = masks.numel(), int(masks.sum())
    if defective in (0, n):
        raise InputError("pixel AUROC needs defective pixels and others, found "
                         f"{defective} of {n} defective")
