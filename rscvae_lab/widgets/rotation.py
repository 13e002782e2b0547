"""The rotation explorer: what turning an image does to its code."""

from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from rscvae_lab import NORMAL
from rscvae_lab.analysis.surveys import Examined, Survey
from rscvae_lab.datasets.shifts import rotated
from rscvae_lab.figures import panels
from rscvae_lab.regions import NORMAL_REGION
from rscvae_lab.widgets.base import Panel, dropdown, slider

STEP = 5  # degrees


@dataclass(frozen=True)
class Turning:
    """An image turned all the way round, measured at every `STEP` degrees once, so that a change only draws."""

    survey: Survey
    images: Tensor  # uint8 (T, C, S, S)
    examined: Examined

    @classmethod
    def of(cls, survey: Survey, image: Tensor) -> "Turning":
        """`image` is uint8 (C, S, S)."""
        angles = torch.arange(0, 361, STEP)
        images = rotated(image.expand(len(angles), -1, -1, -1), angles)
        examined = survey.examine(images)
        return cls(survey, images, examined._replace(frame=examined.frame.assign(angle=angles.numpy())))

    def at(self, angle: int) -> tuple[Figure, str]:
        """The figure at the nearest measured angle, and its numbers in words."""
        i, (frame, coding, x_re), regions = round(angle / STEP), self.examined, self.survey.regions
        pictures = {"input": self.images[i], "reconstruction $\\hat{x}$": coding.x_hat[i],
                    "from the second code": x_re[i]}
        figure = panels.rotation(frame, i, {name: np.asarray(image) for name, image in pictures.items()},
                                 self.survey.test.frame, (regions.least_information, regions.farthest),
                                 self.survey.run.metrics["threshold"])
        row = frame.iloc[i]
        return figure, (f"turned by {row.angle:.0f}°: <b>{row.region} region</b>; information {row.l_enc1:.1f} nats, "
                        f"distance {row.distance:.2f}, novelty score {row.novelty_score:.2f}")


def starts(survey: Survey) -> list[int]:
    """Which test images are normal and lie in the normal region; all normal ones where none does."""
    frame = survey.test.frame
    normal = frame[frame.label == NORMAL]
    found = normal.index[normal.region == NORMAL_REGION]
    return list(found if len(found) else normal.index)


def rotation_explorer(survey: Survey, n_images: int = 6) -> Panel:
    """Choose a normal test image that starts in the normal region, turn it, and watch its point move."""
    normal = survey.split.test[starts(survey)[:n_images]]
    turnings: dict[int, Turning] = {}

    def draw(image: int, angle: int) -> tuple[Figure, str]:
        if image not in turnings:
            turnings[image] = Turning.of(survey, normal[image])
        return turnings[image].at(angle)

    choices = [(f"test image {i + 1}", i) for i in range(len(normal))]
    return Panel(draw, {"image": dropdown("image", choices), "angle": slider("angle (degrees)", 0, 0, 360, STEP)})
