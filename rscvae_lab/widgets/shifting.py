"""The shift playground: which distortions turn images of a class into pseudo-anomalies, and which
leave them looking normal."""

from dataclasses import dataclass
from functools import cache
from typing import Self

import ipywidgets
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from rscvae_lab import figures
from rscvae_lab.datasets.shifts import apply_operations, cut_out
from rscvae_lab.regions import NORMAL_PERCENTILE, distance
from rscvae_lab.widgets.base import Panel, dropdown, slider

N_IMAGES = 8


@dataclass(frozen=True)
class Referee:
    """Decides from pixels alone, without a trained model, whether an image still looks like its
    class: its distance to the nearest images of one half of the class may be as large as that of
    95 % of the other half."""

    known: np.ndarray  # (N, pixels) in [0, 1]
    farthest: float

    @classmethod
    def of(cls, images: Tensor, most: int = 1000) -> Self:
        """`images` of one class, uint8 (N, C, S, S), at least two; the first `most` are used."""
        pixels = _pixels(images[:most])
        known, others = pixels[::2], pixels[1::2]
        return cls(known, float(np.percentile(distance(others, known), NORMAL_PERCENTILE)))

    def looks_normal(self, images: Tensor) -> np.ndarray:
        """bool (N,)."""
        return distance(_pixels(images), self.known) <= self.farthest


def _pixels(images: Tensor) -> np.ndarray:
    return images.flatten(1).numpy().astype(np.float32) / 255


def shifted(images: Tensor, h_flip: bool, v_flip: bool, rotate: bool, cutout: int) -> Tensor:
    """Images (N, C, S, S) after the chosen operations, with a centred black square of `cutout`
    pixels a side."""
    chosen = torch.tensor([[h_flip, v_flip, rotate]]).expand(len(images), -1)
    corner = (images.shape[-1] - cutout) // 2
    return cut_out(apply_operations(images, chosen), cutout, corner, corner)


def shift_playground(classes: dict[str, tuple[Tensor, Tensor]]) -> Panel:
    """A class and the distortions of its images to choose from. `classes` maps names to training
    images, for the referee, and test images to distort, both uint8 (N, C, S, S)."""
    referee = cache(lambda name: Referee.of(classes[name][0]))

    def draw(name: str, **operations: bool | int) -> tuple[Figure, str]:
        images = classes[name][1]
        distorted = shifted(images, **operations)
        before, after = (referee(name).looks_normal(group) for group in (images, distorted))
        verdicts = ["normal" if normal else "anomaly" for normal in after[:N_IMAGES]]
        rows = {"test image": images[:N_IMAGES].numpy(), "distorted": distorted[:N_IMAGES].numpy()}
        return figures.image_table(rows, verdicts), (
            f"class {name}: <b>{after.mean():.0%}</b> of {len(images)} test images still look "
            f"like their class after this ({before.mean():.0%} before it)")

    size = next(iter(classes.values()))[0].shape[-1]
    texts = {"h_flip": "flip left-right", "v_flip": "flip up-down", "rotate": "quarter turn"}
    boxes = {name: ipywidgets.Checkbox(False, description=text, indent=False,
                                       layout={"width": "max-content"})
             for name, text in texts.items()}
    return Panel(draw, {"name": dropdown("class", list(classes)), **boxes,
                        "cutout": slider("cut-out (pixels)", 0, 0, size, 1)})
