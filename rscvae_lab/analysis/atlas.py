"""A sample of images on a map of their codes: Fig. 7, each point with its picture, scores and region."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from rscvae_lab import NORMAL, NOVEL
from rscvae_lab.analysis.embedding import CodeMap
from rscvae_lab.analysis.surveys import Examined, Survey
from rscvae_lab.config import class_index

GROUPS = ("train", "normal", "novel")


@dataclass(frozen=True)
class Atlas:
    """One method's map. Atlases of the same split, sizes and seed show the same images in the same order."""

    survey: Survey
    images: Tensor  # uint8 (N, C, S, S)
    examined: Examined  # its frame has also group, category, x and y
    map: CodeMap

    @classmethod
    def of(cls, survey: Survey, most: int = 300, seed: int = 0) -> Self:
        """Draws at most so many images of each group, training normals, test normals and novel ones, and fits t-SNE."""
        images, groups, classes = _sample(survey, most, seed)
        examined = survey.examine(images)
        code_map = CodeMap.fit(examined.coding.mu.numpy(), seed)
        place = dict(zip("xy", code_map.points.T))
        frame = examined.frame.assign(group=groups, category=classes, **place)
        return cls(survey, images, examined._replace(frame=frame), code_map)

    @property
    def frame(self) -> pd.DataFrame:
        return self.examined.frame

    def place(self, images: Tensor) -> tuple[np.ndarray, Examined]:
        """Where new images (M, C, S, S) belong on the finished map, (M, 2), and what is measured of them."""
        examined = self.survey.examine(images)
        return self.map.place(examined.coding.mu.numpy()), examined


def _sample(survey: Survey, most: int, seed: int) -> tuple[Tensor, np.ndarray, np.ndarray]:
    """Images, their groups, and their original class numbers (that of normal ones for training images)."""
    split, generator = survey.split, torch.Generator().manual_seed(seed)
    normal = split.test_labels == NORMAL
    own_class = class_index(survey.run.config.dataset, survey.run.config.category)
    parts = (split.train, split.test[normal], split.test[split.test_labels == NOVEL])
    classes = (torch.full((len(split.train),), own_class), split.test_classes[normal], split.test_classes[~normal])
    drawn = [torch.randperm(len(part), generator=generator)[:most] for part in parts]
    groups = np.repeat(GROUPS, [len(index) for index in drawn])
    return (torch.cat([part[index] for part, index in zip(parts, drawn)]), groups,
            torch.cat([part[index] for part, index in zip(classes, drawn)]).numpy())
