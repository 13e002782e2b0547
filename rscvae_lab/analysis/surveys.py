"""A trained model's regions, and where images fall in them: what notebooks and widgets ask."""

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
from rscvae_lab.regions import CASES, REGIONS, Regions, distance, semantic_deviation_rate
from rscvae_lab.runs.evaluation import code
from rscvae_lab.runs.run import Run


class Examined(NamedTuple):
    """Images under a survey: N rows, N codings, and N pictures of the recoding."""

    frame: pd.DataFrame  # l_recon, l_mut, l_enc1, novelty_score, distance, region, case
    coding: Coding
    x_re: Tensor  # G(mu_hat), what the second code says: (N, C, S, S) in [0, 1]


@dataclass(frozen=True)
class Survey:
    """A finished run of a VAE mode with its data and its regions."""

    run: Run
    split: OneClassSplit
    regions: Regions

    @classmethod
    def of(cls, run: Run) -> Self:
        """Loads the run's data and calibrates its regions on training and held-out normal images. Raises InputError
        where the data are missing, or the run is of a baseline."""
        require_vae(run.config)
        split = load_split(run.config)
        codes, heldout_codes = (code(run.model, images).mu.numpy() for images in (split.train, split.heldout))
        heldout = run.score(split.heldout)
        return cls(run, split, Regions.calibrated(codes, heldout_codes, heldout.l_enc1, heldout.l_recon))

    def examine(self, images: Tensor) -> Examined:
        """Codes, terms, region and case of any images (N, C, S, S), each by itself. Raises InputError for bad ones."""
        coding, frame = code(self.run.model, images), self.run.score(images)
        frame["distance"] = distance(coding.mu.numpy(), self.regions.codes)
        frame["region"] = self.regions.assign(frame.l_enc1, frame.distance)
        frame["case"] = self.regions.cases(frame.region, frame.l_recon)
        with torch.inference_mode():
            return Examined(frame, coding, self.run.model.decode(coding.mu_re))

    @cached_property
    def test(self) -> Examined:
        """The test images; the frame has `label` and `test_class` too."""
        examined = self.examine(self.split.test)
        labels = {"label": self.split.test_labels.numpy(), "test_class": self.split.test_classes.numpy()}
        return examined._replace(frame=examined.frame.assign(**labels))


def region_table(surveys: Mapping[str, Survey]) -> pd.DataFrame:
    """One row a method: where its normal and novel test images fall, what becomes of the novel ones, and their codes.

    `semantic_deviation_rate` is the share of novel images in the unknown region; shares of each group sum to 1. Read it
    beside `normal_in_unknown` and `n_heldout`: of H held-out images the lowest is undercut by a new one in 1 of H + 1.
    """
    return pd.DataFrame([_region_row(method, survey) for method, survey in surveys.items()]).set_index("method")


def _region_row(method: str, survey: Survey) -> dict[str, str | float]:
    frame, row = survey.test.frame, {"method": method}
    normal, novel = (frame[frame.label == label] for label in (NORMAL, NOVEL))
    for name, group in (("normal", normal), ("novel", novel)):
        row |= {f"{name}_in_{region}": (group.region == region).mean() for region in REGIONS}
    row |= {name.replace(" ", "_"): (novel.case == name).mean() for name in CASES}
    row["semantic_deviation_rate"] = semantic_deviation_rate(novel.region)
    row |= {"n_heldout": len(survey.split.heldout), "border_nats": survey.regions.least_information,
            "information_normal": normal.l_enc1.mean(), "information_novel": novel.l_enc1.mean()}
    return row | {"silhouette": silhouette(survey.test.coding.mu.numpy(), frame.label.to_numpy())}
