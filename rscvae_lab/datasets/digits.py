"""scikit-learn's digits: 1,797 images of 8x8 pixels, part of the library; the offline default."""

import torch
from sklearn.datasets import load_digits

from rscvae_lab.datasets.one_class import LabelledImages

_TRAIN_SHARE = 2 / 3
_BRIGHTEST = 16  # a pixel counts the set pixels of a 4x4 block: 0-16


def load() -> tuple[LabelledImages, LabelledImages]:
    """Training and test part: the first two thirds in the stored order, and the rest (our choice),
    so most writers of the test images were never seen."""
    bunch = load_digits()
    images = torch.from_numpy(bunch.images * (255 / _BRIGHTEST)).round().to(torch.uint8)[:, None]
    labels = torch.from_numpy(bunch.target).long()
    cut = round(len(labels) * _TRAIN_SHARE)
    return LabelledImages(images[:cut], labels[:cut]), LabelledImages(images[cut:], labels[cut:])
