"""Mean brightness: the floor of industrial images.

    score(x) = mean of x over pixels and channels.

Nothing is learnt. Where this alone separates normal from defective test images, they were taken in
different light, and a high AUROC of any method says little about its detection of defects. On
MVTec AD's screw it is 1.000.
"""

from typing import Self

import torch
from torch import Tensor, nn

from rscvae_lab.config import Config
from rscvae_lab.datasets.images import as_network_input


class Brightness(nn.Module):
    """The mean grey level as novelty score; a module to be saved and loaded like the others."""

    def __init__(self, config: Config):
        super().__init__()
        self.config, self.losses = config, []

    def fit(self, images: Tensor) -> Self:
        """Nothing to learn."""
        return self

    def score(self, images: Tensor) -> Tensor:
        """The mean grey level of each image, (N,) in [0, 1], on the CPU."""
        parts = (as_network_input(part, self.config.channels, self.config.image_size)
                 for part in images.split(16))  # as floats, all together would take much memory
        return torch.cat([x.flatten(1).mean(1) for x in parts]).cpu()
