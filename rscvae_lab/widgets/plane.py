"""A latent space of two dimensions under the mouse: a point that is decoded and recoded."""

from io import BytesIO

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from rscvae_lab import figures
from rscvae_lab.analysis.plane import Plane
from rscvae_lab.widgets.base import Panel, errors_shown_in, slider
from rscvae_lab.widgets.clickable import ClickableImage


class LatentPlane(Panel):
    """A point z that the mouse drags over the plane, or the sliders move.

    Attributes:
        place: of the plane in the figure, as fractions of its width and height: left, bottom,
            width, height.
    """

    def __init__(self, plane: Plane):
        self.plane = plane
        figure, axis = figures.plane_background(plane.codes, plane.field, plane.reach)
        axis.apply_aspect()
        self.place = tuple(axis.get_position().bounds)
        self._background = np.asarray(Image.open(BytesIO(figures.png(figure))).convert("RGB"))
        image = ClickableImage(drags=True, alt="the latent plane; drag the ring")
        image.observe(self._dragged, "point")
        reach = plane.reach
        super().__init__(self.show, {name: slider(name, 0.0, -reach, reach, 0.01)
                                     for name in ("z_1", "z_2")}, image)

    def show(self, z_1: float, z_2: float) -> tuple[Figure, str]:
        """The figure of a point, and its numbers."""
        z, recoded = (z_1, z_2), self.plane.recoded((z_1, z_2))
        figure = figures.plane_point(self._background, self.place, self.plane.reach, z, recoded)
        gap = np.linalg.norm(recoded.mu_re - z)
        return figure, (f"z = ({z_1:.2f}, {z_2:.2f}), {np.hypot(*z):.2f} from the centre; what it "
                        f"decodes to is encoded {gap:.2f} away, with {recoded.information:.1f} "
                        "nats of information")

    def _dragged(self, change: dict) -> None:
        with errors_shown_in(self.error):
            x, y, _ = change["new"]
            left, bottom, width, height = self.place
            reach = self.plane.reach
            z = ((2 * (x - left) / width - 1) * reach, (2 * (1 - y - bottom) / height - 1) * reach)
            with self.changing():  # both, before either is drawn
                for control, value in zip(self.controls.values(), np.clip(z, -reach, reach)):
                    control.value = round(float(value), 2) + 0.0  # not -0.0
        self.redraw()
