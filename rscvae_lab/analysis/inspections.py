"""A trained model before industrial pictures: every test picture with its kind, scores, error map and mask."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Self

import pandas as pd
import torch
from torch import Tensor

from rscvae_lab import NORMAL, NOVEL
from rscvae_lab.analysis.localization import error_maps, pixel_auroc
from rscvae_lab.config import PICTURE_SETS, require_vae
from rscvae_lab.datasets.industrial import parts_of, split_of
from rscvae_lab.datasets.mvtec_ad import GOOD
from rscvae_lab.errors import InputError
from rscvae_lab.runs.evaluation import code
from rscvae_lab.runs.run import Run
from rscvae_lab.scoring import auroc

MEASURES = ("brightness", "l_recon", "l_mut", "novelty_score")


def _brightness(pictures: Tensor) -> Tensor:
    """Mean grey levels in 0-255 of uint8 pictures (N, C, S, S); (N,)."""
    return pictures.float().mean((1, 2, 3))


def _measured(run: Run, pictures: Tensor) -> pd.DataFrame:
    frame = run.score(pictures)
    frame.insert(0, "brightness", _brightness(pictures).numpy())
    return frame


class Part(NamedTuple):
    """One test picture on its way through the network; pictures are (C, S, S), maps (S, S)."""

    picture: Tensor  # uint8
    x_hat: Tensor  # in [0, 1]
    x_re: Tensor  # G(mu_hat): what the second code says
    error: Tensor  # grey levels of [0, 1], smoothed
    mask: Tensor | None  # bool, True on the defect; None without ground truth


@dataclass(frozen=True)
class Inspection:
    """A finished run on industrial pictures with its test pictures."""

    run: Run
    pictures: Tensor  # uint8 (N, C, S, S)
    masks: Tensor | None  # bool (N, 1, S, S)
    frame: pd.DataFrame  # file, kind, label, brightness (mean grey level in 0-255), l_recon, ..., novelty_score
    light: float  # the mean brightness of the training pictures

    @classmethod
    def of(cls, run: Run) -> Self:
        """Loads a run's pictures and scores them. Raises InputError for a baseline's run, or without test pictures."""
        require_vae(run.config)
        if run.config.dataset not in PICTURE_SETS:
            raise InputError(f"expected a run on {', '.join(PICTURE_SETS)}, found one on {run.config.dataset}")
        parts = parts_of(run.config)
        split = split_of(parts, run.config)
        index = split.test_index
        if not len(index):
            raise InputError(f"expected test pictures of {run.config.category}, found none")
        kinds = [parts.kinds[i] for i in index]
        named = pd.DataFrame({"file": [parts.files[i] for i in index], "kind": kinds,
                              "label": [NORMAL if kind == GOOD else NOVEL for kind in kinds]})
        masks = None if parts.masks is None else parts.masks[index]
        frame = named.join(_measured(run, parts.test[index]))
        return cls(run, parts.test[index], masks, frame, float(_brightness(split.train).mean()))

    def relit(self) -> Self:
        """The same model before pictures that are shifted to the training pictures' mean brightness, each as a whole:
        what is left of a score without the lamp. Our control, no part of the method."""
        shift = (self.light - _brightness(self.pictures)).view(-1, 1, 1, 1)
        pictures = (self.pictures + shift).round().clamp(0, 255).to(torch.uint8)
        frame = self.frame[["file", "kind", "label"]].join(_measured(self.run, pictures))
        return replace(self, pictures=pictures, frame=frame)

    @property
    def threshold(self) -> float:
        """The 95th percentile of held-out normals' novelty scores."""
        return self.run.metrics["threshold"]

    def look(self, i: int) -> Part:
        """Everything there is to see of picture i."""
        picture = self.pictures[i : i + 1]
        coding = code(self.run.model, picture)
        with torch.inference_mode():
            x_re = self.run.model.decode(coding.mu_re)[0]
        mask = None if self.masks is None else self.masks[i, 0]
        return Part(picture[0], coding.x_hat[0], x_re, error_maps(picture, coding.x_hat)[0], mask)

    @cached_property
    def maps(self) -> Tensor:
        """The error map of every test picture, (N, S, S)."""
        return error_maps(self.pictures, code(self.run.model, self.pictures).x_hat)

    @property
    def pixel_auroc(self) -> float:
        """How well error maps find defects. Raises InputError without masks."""
        if self.masks is None:
            raise InputError(f"pixel AUROC needs ground-truth masks, found none of {self.run.config.category}")
        return pixel_auroc(self.masks, self.maps)

    def by_kind(self, measures: Sequence[str] = MEASURES) -> pd.DataFrame:
        """One row a kind of defect, against all good pictures: how many, and the AUROC of each column of `frame`.

        Raises:
            InputError: there are no good pictures, or no defective ones.
        """
        if self.frame.label.nunique() < 2:
            found = ", ".join(sorted(set(self.frame.kind)))
            raise InputError(f"expected good and defective test pictures, found {found} alone")
        good = self.frame[self.frame.label == NORMAL]
        rows = {}
        for kind, group in self.frame[self.frame.label == NOVEL].groupby("kind"):
            both = pd.concat([good, group])
            labels = both.label.to_numpy()
            rows[kind] = {"n": len(group)} | {name: auroc(labels, both[name].to_numpy()) for name in measures}
        return pd.DataFrame(rows).T.astype({"n": int})
