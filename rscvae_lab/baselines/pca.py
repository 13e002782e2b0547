"""PCA reconstruction error: the floor. A method below it is untrained, broken, or a finding.

Images are projected onto the k leading principal components of the normal training images:

    score(x) = ||(x - m) - U^T U (x - m)||^2 / (number of pixels),

m the training mean, U (k, pixels) the components. k = 32 is the project's reference, not tuned.
Source: Pearson 1901; as an anomaly score, Jackson and Mudholkar 1979.
"""

from typing import Self

import numpy as np
import torch
from sklearn.decomposition import PCA as SklearnPCA
from torch import Tensor, nn

from rscvae_lab.config import Config
from rscvae_lab.datasets.images import as_network_input


class PCA(nn.Module):
    """PCA with `n_components`; a module only so that it is saved and loaded like the others."""

    def __init__(self, config: Config, n_components: int = 32):
        super().__init__()
        self.channels, self.image_size = config.channels, config.image_size
        pixels = self.channels * self.image_size**2
        self.losses: list[float] = []  # there are no epochs
        self.register_buffer("mean", torch.zeros(pixels))
        self.register_buffer("components", torch.zeros(n_components, pixels))

    def fit(self, images: Tensor) -> Self:
        """Fits mean and components to normal images (N, C, S, S), uint8 or in [0, 1]; components
        beyond N are zero."""
        flat = self._flat(images).cpu().numpy()
        n_components = min(len(self.components), len(flat))
        with np.errstate(invalid="ignore"):  # images that are all alike explain 0 / 0 of variance
            fitted = SklearnPCA(n_components, svd_solver="full").fit(flat)
        self.mean.copy_(torch.from_numpy(fitted.mean_))
        self.components.zero_()[: len(fitted.components_)] = torch.from_numpy(fitted.components_)
        return self

    def score(self, images: Tensor) -> Tensor:
        """Mean squared reconstruction error per image, (N,) on the CPU, grey levels squared."""
        centred = self._flat(images) - self.mean
        residual = centred - (centred @ self.components.T) @ self.components
        return residual.square().mean(1).cpu()

    def _flat(self, images: Tensor) -> Tensor:
        images = images.to(self.mean.device)
        return as_network_input(images, self.channels, self.image_size).flatten(1)
