"""scikit-learn's digits: 1,797 pictures of 8x8 pixels that come with the library; the offline default."""

import torch
from sklearn.datasets import load_digits

from rscvae_lab.datasets.one_class import LabelledImages

_TRAIN_SHARE = 2 / 3
_BRIGHTEST = 16  # the pictures count set pixels in 4x4 blocks: 0-16


def load() -> tuple[LabelledImages, LabelledImages]:
    """Train and test part. Our choice, for the set has none: the first two thirds in the stored order train, so that
    most writers of the test pictures were never seen."""
    bunch = load_digits()
    images = torch.from_numpy(bunch.images * (255 / _BRIGHTEST)).round().to(torch.uint8).unsqueeze(1)
    labels = torch.from_numpy(bunch.target).long()
    cut = round(len(labels) * _TRAIN_SHARE)
    return LabelledImages(images[:cut], labels[:cut]), LabelledImages(images[cut:], labels[cut:])
