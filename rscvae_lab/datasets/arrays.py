"""A user's own images in memory: their fingerprint, and the split that they are trained by."""

import hashlib

import torch
from torch import Tensor

from rscvae_lab.config import Config
from rscvae_lab.datasets.images import to_unit
from rscvae_lab.datasets.one_class import OneClassSplit, held_out
from rscvae_lab.errors import InputError

_CHUNK = 1024  # images


def fingerprint(*parts: Tensor) -> str:
    """Twelve hexadecimal digits of images (N, C, S, S); equal for uint8 and the same floats."""
    digest = hashlib.sha256(str([tuple(part.shape) for part in parts]).encode())
    for part in parts:
        for chunk in part.split(_CHUNK):
            digest.update(to_unit(chunk).cpu().numpy().tobytes())
    return digest.hexdigest()[:12]


def array_split(images: Tensor, anomalies: Tensor, config: Config) -> OneClassSplit:
    """Normal images split into training and held-out ones, as those of every data set; nothing to
    test on.

    Args:
        images: normal ones, (N, C, S, S), uint8 or float in [0, 1].
        anomalies: (K, C, S, S) of the same kind; K is 0 but in mode e.

    Raises InputError for fewer than two normal images, anomalies of another shape, or for a mode
    that takes none, or none for mode e.
    """
    n, mode_e = len(images), config.method.anomalies == "real"
    if n < 2:
        raise InputError(f"expected at least 2 normal images to train on, found {n}")
    if mode_e != bool(len(anomalies)):
        raise InputError(f"mode {config.mode} expects {'some' if mode_e else 'no'} anomalies, "
                         f"found {len(anomalies)}")
    if anomalies.shape[1:] != images.shape[1:]:
        raise InputError(f"expected anomalies of the images' shape {tuple(images.shape[1:])}, "
                         f"found {tuple(anomalies.shape[1:])}")
    if images.dtype != anomalies.dtype:
        images, anomalies = to_unit(images), to_unit(anomalies)
    heldout, rest = held_out(n, config)
    none, nothing = images[:0], torch.empty(0, dtype=torch.long)
    return OneClassSplit(
        train=images[rest], anomalies=anomalies, heldout=images[heldout], validation=none,
        pool=none, test=none, test_labels=nothing, test_classes=nothing, test_index=nothing)
