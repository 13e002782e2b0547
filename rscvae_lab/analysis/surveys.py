"""The regions of a trained model, and the regions in which images lie."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

import pandas as pd
import torch
from torch import Tensor

from rscvae_lab import NORMAL, NOVEL
from rscvae_lab.analysis.embedding import silhouette
from rscvae_lab.config import require_vae
from rscvae_lab.datasets import load_split
from rscvae_lab.datasets.one_class import OneClassSplit
from rscvae_lab.models.vae import Coding
from rscvae_lab.regions import CASES, REGIONS, Regions, distance
from rscvae_lab.runs import Run
from rscvae_lab.runs.evaluation import code


class Examined(NamedTuple):
    """What a survey measures of N images."""

    frame: pd.DataFrame  # l_recon, l_mut, l_enc1, novelty_score, distance, region, case
    coding: Coding
    x_re: Tensor  # G(mu_re), the image that the second code describes: (N, C, S, S) in [0, 1]


@dataclass(frozen=True)
class Survey:
    """A finished run of a VAE mode, with its data and its regions."""

    run: Run
    split: OneClassSplit
    regions: Regions

    @classmethod
    def of(cls, run: Run) -> Self:
        """Loads the run's data and calibrates its regions on training and held-out normal images.
        Raises InputError for missing data or a baseline's run."""
        require_vae(run.config)
        split = load_split(run.config)
        codes, heldout_codes = (code(run.model, images).mu.numpy()
                                for images in (split.train, split.heldout))
        heldout = run.score(split.heldout)
        regions = Regions.calibrated(codes, heldout_codes, heldout.l_enc1, heldout.l_recon)
        return cls(run, split, regions)

    def examine(self, images: Tensor) -> Examined:
        """Codes, terms, region and case of each image (N, C, S, S). Raises InputError for images
        of another shape or range."""
        coding, frame = code(self.run.model, images), self.run.score(images)
        frame["distance"] = distance(coding.mu.numpy(), self.regions.codes)
        frame["region"] = self.regions.assign(frame.l_enc1, frame.distance)
        frame["case"] = self.regions.cases(frame.region, frame.l_recon)
        with torch.inference_mode():
            return Examined(frame, coding, self.run.model.decode(coding.mu_re))

    @cached_property
    def test(self) -> Examined:
        """The test images; the frame also has `label` and `test_class`."""
        examined = self.examine(self.split.test)
        frame = examined.frame.assign(label=self.split.test_labels.numpy(),
                                      test_class=self.split.test_classes.numpy())
        return examined._replace(frame=frame)


def region_table(surveys: Mapping[str, Survey]) -> pd.DataFrame:
    """One row a method: the shares of normal and of novel test images in each region, of novel
    ones in each case, and measures of their codes.

    `semantic_deviation_rate` is the share of novel images in the unknown region; compare it with
    `normal_in_unknown` and with `n_heldout`: where the border is the minimum over H held-out
    images, a new normal image falls below it with probability 1 / (H + 1).
    """
    rows = [_region_row(survey) for survey in surveys.values()]
    return pd.DataFrame(rows, pd.Index(list(surveys), name="method"))


def _region_row(survey: Survey) -> dict[str, float]:
    frame, row = survey.test.frame, {}
    normal, novel = (frame[frame.label == label] for label in (NORMAL, NOVEL))
    for name, group in (("normal", normal), ("novel", novel)):
        row |= {f"{name}_in_{region}": (group.region == region).mean() for region in REGIONS}
    row |= {name.replace(" ", "_"): (novel.case == name).mean() for name in CASES}
    return row | {"semantic_deviation_rate": row["novel_in_unknown"],
                  "n_heldout": len(survey.split.heldout),
                  "border_nats": survey.regions.least_information,
                  "information_normal": normal.l_enc1.mean(),
                  "information_novel": novel.l_enc1.mean(),
                  "silhouette": silhouette(survey.test.coding.mu.numpy(), frame.label.to_numpy())}
