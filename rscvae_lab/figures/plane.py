"""Figures of a latent space of two dimensions: what it decodes, and the codes in it."""

from typing import Protocol

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure

from rscvae_lab.figures.images import show_image
from rscvae_lab.figures.style import CHOSEN, FONT, LABELS, WIDEST, axes, canvas

AXES = {"xlabel": "$z_1$ (no unit)", "ylabel": "$z_2$ (no unit)"}


class Recoding(Protocol):
    """What becomes of a point of the plane, as `analysis.plane.Recoded`."""

    x_hat: np.ndarray
    mu_re: np.ndarray
    sigma_re: np.ndarray
    x_re: np.ndarray


def latent_plane(mosaic: np.ndarray, codes: pd.DataFrame, field: pd.DataFrame, reach: float
                 ) -> Figure:
    """Left, what is decoded all over the plane; right, the codes of test images as ellipses, and
    where points are encoded after they were decoded.

    Args:
        mosaic: images decoded at the centres of a grid, as one image, in [0, 1].
        codes: mu_1, mu_2, sigma_1, sigma_2 and label, one row an image.
        field: z_1, z_2, mu_re_1, mu_re_2, one row a point.
        reach: half the side of the plane.
    """
    figure = canvas(WIDEST, 5.3)
    left, right = axes(figure, 0.055, 0.1, 0.43, 0.83), axes(figure, 0.565, 0.1, 0.43, 0.83)
    left.imshow(mosaic.round(1), cmap="gray", vmin=0, vmax=1, interpolation="nearest",
                extent=(-reach, reach, -reach, reach))  # few grey levels make a small file
    left.set(**AXES)
    _codes(right, codes, field, reach)
    left.set_title("each image is decoded from the point at its centre")
    return figure


def plane_background(codes: pd.DataFrame, field: pd.DataFrame, reach: float
                     ) -> tuple[Figure, Axes]:
    """The right half of `latent_plane`, with free space beside it, for `plane_point`."""
    figure = canvas(WIDEST, 5.3)
    plane = axes(figure, 0.055, 0.1, 0.43, 0.83)
    _codes(plane, codes, field, reach)
    return figure, plane


def plane_point(background: np.ndarray, plane: tuple[float, float, float, float], reach: float,
         z: tuple[float, float], recoded: Recoding) -> Figure:
    """A point of the plane: the image it decodes to, where that is encoded, and what is decoded
    from there.

    Args:
        background: the pixels of `plane_background`, drawn once, for speed.
        plane: the plane's place in it: left, bottom, width and height, as fractions.
    """
    figure = canvas(WIDEST, 5.3)
    paper = axes(figure, 0, 0, 1, 1)
    paper.imshow(background, aspect="auto", interpolation="nearest")
    paper.set_axis_off()
    axis = axes(figure, *plane)
    axis.set(xlim=(-reach, reach), ylim=(-reach, reach))
    axis.set_axis_off()
    axis.annotate("", np.clip(recoded.mu_re, -reach, reach), z,
                  arrowprops={"arrowstyle": "-|>", "lw": 1.8, "color": "black", "shrinkA": 5,
                              "shrinkB": 0, "mutation_scale": 15})
    axis.add_collection(_ellipses(axis, recoded.mu_re[None], recoded.sigma_re[None], "black"))
    axis.plot(*z, **CHOSEN)
    images = {"$G(z)$: decoded from the ring": recoded.x_hat,
              "$G(\\hat\\mu)$: decoded from the arrow's head": recoded.x_re}
    for (name, image), bottom in zip(images.items(), (0.53, 0.03)):
        show_image(axes(figure, 0.58, bottom, 0.22, 0.415), image)
        figure.text(0.58, bottom + 0.425, name, va="bottom", fontsize=FONT)
    return figure


def _codes(axis: Axes, codes: pd.DataFrame, field: pd.DataFrame, reach: float) -> None:
    """Arrows z -> mu_re, and codes as ellipses of one sigma, the normal ones on top."""
    axis.quiver(field.z_1, field.z_2, field.mu_re_1 - field.z_1, field.mu_re_2 - field.z_2,
                angles="xy", scale_units="xy", scale=1, width=0.004, color="#718096", zorder=0)
    for i, (label, name, colour) in enumerate(LABELS[::-1]):
        rows = codes[codes.label == label]
        axis.add_collection(_ellipses(axis, rows[["mu_1", "mu_2"]].to_numpy(),
                                      rows[["sigma_1", "sigma_2"]].to_numpy(), colour))
        axis.text(1 - i, 1.015, f"{name} test images", color=colour, ha=("right", "left")[i],
                  va="bottom", fontsize=FONT, fontweight="bold", transform=axis.transAxes)
    axis.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", **AXES)


def _ellipses(axis: Axes, mu: np.ndarray, sigma: np.ndarray, colour: str) -> EllipseCollection:
    return EllipseCollection(*(2 * sigma.T), np.zeros(len(mu)), units="xy", offsets=mu,
                             offset_transform=axis.transData, facecolors="none",
                             edgecolors=colour, linewidths=1.2, alpha=0.75)
