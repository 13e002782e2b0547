"""k nearest neighbours on raw pixels: the floor that remembers every normal image.

    score(x) = mean of ||x - t|| / sqrt(number of pixels), t the k nearest training images

Nothing is learnt, and nothing is known of the test set. Whatever is below it has not paid for its
training. k is 1 and 5, not tuned.
Source: as a novelty score, Knorr and Ng 1998; the mean over neighbours, Angiulli and Pizzuti 2002.
"""

from typing import Any, Self

import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor, nn

from rscvae_lab.config import Config
from rscvae_lab.datasets.images import as_network_input


class OneNeighbour(nn.Module):
    """The nearest training image; a module only so that it is saved and loaded like the others."""

    k = 1

    def __init__(self, config: Config):
        super().__init__()
        self.channels, self.image_size = config.channels, config.image_size
        self.losses: list[float] = []  # there are no epochs
        shape = (0, self.channels, self.image_size, self.image_size)
        self.register_buffer("known", torch.empty(shape, dtype=torch.uint8))

    def fit(self, images: Tensor) -> Self:
        """Remembers normal images, uint8 (N, C, S, S)."""
        self.known = images.clone()
        return self

    def score(self, images: Tensor) -> Tensor:
        """The mean distance to the k nearest known images (to all if they are fewer), (N,) on the
        CPU, in root mean squared grey levels."""
        if not len(images):
            return torch.empty(0)
        k = min(self.k, len(self.known))
        neighbours = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(self._flat(self.known))
        distances, _ = neighbours.kneighbors(self._flat(images))
        pixels = self.channels * self.image_size**2
        return torch.from_numpy(distances.mean(1) / pixels**0.5).float()

    def _flat(self, images: Tensor) -> Any:
        return as_network_input(images, self.channels, self.image_size).flatten(1).cpu().numpy()

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any) -> None:
        self.known = torch.empty_like(state_dict[f"{prefix}known"])  # of any number of images
        super()._load_from_state_dict(state_dict, prefix, *args)


class FiveNeighbours(OneNeighbour):
    """The five nearest training images."""

    k = 5
