"""Fig. 7: a map of the codes of sampled images, each point with its image, scores and region."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from rscvae_lab import NORMAL
from rscvae_lab.analysis.embedding import CodeMap
from rscvae_lab.analysis.surveys import Examined, Survey
from rscvae_lab.config import IMAGE_FOLDERS, class_index


@dataclass(frozen=True)
class Atlas:
    """One method's map. Atlases of the same split, size and seed have the same images, in the same
    order."""

    survey: Survey
    images: Tensor  # uint8 (N, C, S, S)
    examined: Examined  # its frame has also group (train, normal, novel), category, x and y
    map: CodeMap

    @classmethod
    def of(cls, survey: Survey, most: int = 300, seed: int = 0) -> Self:
        """Draws at most so many training images, normal test images and novel test images, and
        fits t-SNE to their codes."""
        images, labels = _sample(survey, most, seed)
        examined = survey.examine(images)
        code_map = CodeMap.fit(examined.coding.mu.numpy(), seed)
        x, y = code_map.points.T
        frame = examined.frame.assign(**labels, x=x, y=y)
        return cls(survey, images, examined._replace(frame=frame), code_map)

    @property
    def frame(self) -> pd.DataFrame:
        return self.examined.frame

    def place(self, images: Tensor) -> tuple[np.ndarray, Examined]:
        """Places (M, 2) of new images (M, C, S, S) on the finished map, and their measures."""
        examined = self.survey.examine(images)
        return self.map.place(examined.coding.mu.numpy()), examined


def _sample(survey: Survey, most: int, seed: int) -> tuple[Tensor, dict[str, np.ndarray]]:
    """Images, and the group and the class number of each."""
    split, config = survey.split, survey.run.config
    generator, normal = torch.Generator().manual_seed(seed), split.test_labels == NORMAL
    industrial = config.dataset in IMAGE_FOLDERS  # of which class 0 is good
    own_class = torch.tensor(0 if industrial else class_index(config.dataset, config.category))
    images = (split.train, split.test[normal], split.test[~normal])
    classes = (own_class.expand(len(split.train)), split.test_classes[normal],
               split.test_classes[~normal])
    index = [torch.randperm(len(group), generator=generator)[:most] for group in images]
    images, classes = (torch.cat([group[i] for group, i in zip(groups, index)])
                       for groups in (images, classes))
    groups = np.repeat(["train", "normal", "novel"], [len(i) for i in index])
    return images, {"group": groups, "category": classes.numpy()}
