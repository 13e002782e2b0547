"""Images as a user has them, and a Detector that trains on them at once."""

import numpy as np

from rscvae_lab import Detector
from rscvae_lab.datasets import load_parts


def eights(part: int = 0) -> np.ndarray:
    """The digit 8 of the training (0) or test images (1): uint8 (N, 8, 8)."""
    images, labels = load_parts("digits")[part]
    return images[labels == 8][:, 0].numpy()


def detector(mode: str = "o", **arguments) -> Detector:
    return Detector(mode, **{"epochs": 1, "resize": 32, "progress": False} | arguments)
