"""The rotation explorer: what turning an image does to its code."""

from dataclasses import dataclass
from functools import cache
from typing import Self

import torch
from matplotlib.figure import Figure
from torch import Tensor

from rscvae_lab import NORMAL, figures
from rscvae_lab.analysis.surveys import Examined, Survey
from rscvae_lab.datasets.shifts import rotated
from rscvae_lab.regions import NORMAL_REGION
from rscvae_lab.widgets.base import Panel, dropdown, slider

STEP = 5  # degrees


@dataclass(frozen=True)
class Turning:
    """An image turned by a full circle, measured once every `STEP` degrees to redraw fast."""

    survey: Survey
    images: Tensor  # uint8 (T, C, S, S)
    examined: Examined  # its frame has also `angle`, in degrees

    @classmethod
    def of(cls, survey: Survey, image: Tensor) -> Self:
        """`image` is uint8 (C, S, S)."""
        angles = torch.arange(0, 361, STEP)
        images = rotated(image.expand(len(angles), -1, -1, -1), angles)
        examined = survey.examine(images)
        frame = examined.frame.assign(angle=angles.numpy())
        return cls(survey, images, examined._replace(frame=frame))

    def at(self, angle: int) -> tuple[Figure, str]:
        """The figure at the nearest measured angle, and its numbers as text."""
        i, regions = round(angle / STEP), self.survey.regions
        frame, coding, x_re = self.examined
        images = {"input": self.images, "reconstruction $\\hat{x}$": coding.x_hat,
                  "from the second code": x_re}
        images = {name: of_all_angles[i].numpy() for name, of_all_angles in images.items()}
        borders = regions.least_information, regions.farthest
        figure = figures.rotation(frame, i, images, self.survey.test.frame, borders,
                                  self.survey.run.metrics["threshold"])
        row = frame.iloc[i]
        return figure, (f"turned by {row.angle:.0f}°: <b>{row.region} region</b>; information "
                        f"{row.l_enc1:.1f} nats, distance {row.distance:.2f}, novelty score "
                        f"{row.novelty_score:.2f}")


def starts(survey: Survey) -> list[int]:
    """Indices of the normal test images in the normal region; without any, of all normal ones."""
    frame = survey.test.frame
    normal = frame[frame.label == NORMAL]
    return list(normal.index[normal.region == NORMAL_REGION]) or list(normal.index)


def rotation_explorer(survey: Survey, n_images: int = 6) -> Panel:
    """Chooses a normal test image from the normal region, turns it, and shows its point move."""
    images = survey.split.test[starts(survey)[:n_images]]
    turning = cache(lambda image: Turning.of(survey, images[image]))
    choices = [(f"test image {i + 1}", i) for i in range(len(images))]
    return Panel(lambda image, angle: turning(image).at(angle),
                 {"image": dropdown("image", choices),
                  "angle": slider("angle (degrees)", 0, 0, 360, STEP)})
