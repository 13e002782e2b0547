"""A trained model on industrial images: each test image with its kind, scores, error map, mask."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from rscvae_lab import NORMAL, NOVEL
from rscvae_lab.config import IMAGE_FOLDERS, require_vae
from rscvae_lab.datasets.industrial import parts_of, split_of
from rscvae_lab.errors import InputError
from rscvae_lab.runs import Run
from rscvae_lab.runs.evaluation import code, maps_of
from rscvae_lab.runs.localization import error_maps, pixel_auroc
from rscvae_lab.scoring import auroc

MEASURES = ("brightness", "l_recon", "l_mut", "novelty_score")


def _brightness(images: Tensor) -> Tensor:
    """Mean grey level in 0-255 of uint8 images (N, C, S, S); (N,)."""
    return images.float().mean((1, 2, 3))


def _measured(run: Run, images: Tensor) -> pd.DataFrame:
    frame = run.score(images)
    frame.insert(0, "brightness", _brightness(images).numpy())
    return frame


class Part(NamedTuple):
    """One test image and what the network makes of it; images are (C, S, S), maps (S, S)."""

    image: Tensor  # uint8
    x_hat: Tensor  # in [0, 1]
    x_re: Tensor  # G(mu_re), the image that the second code describes
    error: Tensor  # grey levels of [0, 1], smoothed
    mask: Tensor | None  # bool, True on the defect; None without ground truth


@dataclass(frozen=True)
class Inspection:
    """A finished run on industrial images, with its test images."""

    run: Run
    images: Tensor  # uint8 (N, C, S, S)
    masks: Tensor | None  # bool (N, 1, S, S)
    frame: pd.DataFrame  # file, kind, label, brightness (in 0-255), l_recon, ..., novelty_score
    train_brightness: float  # mean over the training images, in 0-255

    @classmethod
    def of(cls, run: Run) -> Self:
        """Loads a run's test images and scores them. Raises InputError for a baseline's run, for
        other data sets, or without test images."""
        require_vae(run.config)
        if run.config.dataset not in IMAGE_FOLDERS:
            raise InputError(f"expected a run on {', '.join(IMAGE_FOLDERS)}, found one on "
                             f"{run.config.dataset}")
        parts = parts_of(run.config)
        split = split_of(parts, run.config)
        index = split.test_index
        if not len(index):
            raise InputError(f"expected test images of {run.config.category}, found none")
        named = pd.DataFrame({"file": [parts.files[i] for i in index],
                              "kind": [parts.kinds[i] for i in index],
                              "label": split.test_labels.numpy()})
        masks = None if parts.masks is None else parts.masks[index]
        frame = named.join(_measured(run, split.test))
        return cls(run, split.test, masks, frame, float(_brightness(split.train).mean()))

    def relit(self) -> Self:
        """The same model on images that are each shifted to the training images' mean brightness:
        what remains of the scores without the lighting. Our control, not part of the method."""
        shift = (self.train_brightness - _brightness(self.images)).view(-1, 1, 1, 1)
        images = (self.images + shift).round().clamp(0, 255).to(torch.uint8)
        frame = self.frame[["file", "kind", "label"]].join(_measured(self.run, images))
        return replace(self, images=images, frame=frame)

    @property
    def threshold(self) -> float:
        """The 95th percentile of held-out normals' novelty scores."""
        return self.run.metrics["threshold"]

    def look(self, i: int) -> Part:
        """Test image i and what the network makes of it."""
        image = self.images[i : i + 1]
        coding = code(self.run.model, image)
        with torch.inference_mode():
            x_re = self.run.model.decode(coding.mu_re)[0]
        mask = None if self.masks is None else self.masks[i, 0]
        return Part(image[0], coding.x_hat[0], x_re, error_maps(image, coding.x_hat)[0], mask)

    @cached_property
    def maps(self) -> Tensor:
        """The error map of every test image, (N, S, S)."""
        return maps_of(self.run.model, self.images)

    @cached_property
    def scaled(self) -> Tensor | None:
        """The calibrated error maps, where the local score looks, (N, S, S) in spreads above the
        usual error; None for a run that has no calibration."""
        calibration = self.run.calibration
        return calibration.scaled(self.maps) if calibration else None

    @property
    def heat(self) -> tuple[Tensor, float]:
        """The maps to show, and the value of the brightest colour: calibrated, up to twice what
        95 % of held-out images stay below everywhere; without a calibration the error maps."""
        if self.scaled is None:
            return self.maps, float(np.percentile(self.maps, 99.9))
        return self.scaled, 2 * self.run.metrics["threshold_local_max"]

    @property
    def pixel_auroc(self) -> float:
        """`localization.pixel_auroc` of the error maps. Raises InputError without masks."""
        if self.masks is None:
            raise InputError("pixel AUROC needs ground-truth masks, found none of "
                             f"{self.run.config.category}")
        return pixel_auroc(self.masks, self.maps)

    def by_kind(self, measures: Sequence[str] = MEASURES) -> pd.DataFrame:
        """One row a kind of defect: the number of images, and the AUROC of each measure (a column
        of `frame`) against all good images. Raises InputError without good or defective ones."""
        if self.frame.label.nunique() < 2:
            kinds = ", ".join(sorted(set(self.frame.kind)))
            raise InputError(f"expected good and defective test images, found only {kinds}")
        good, rows = self.frame[self.frame.label == NORMAL], {}
        for kind, defective in self.frame[self.frame.label == NOVEL].groupby("kind"):
            both = pd.concat([good, defective])
            rows[kind] = {"n": len(defective)} | {name: auroc(both.label, both[name])
                                                  for name in measures}
        return pd.DataFrame(rows).T.astype({"n": int})
