"""What all figures share: colours, fonts, empty figures, and PNG."""

from io import BytesIO
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rscvae_lab import NORMAL, NOVEL
from rscvae_lab.methods import METHOD_COLOURS

NORMAL_COLOUR, NOVEL_COLOUR, TRAIN_COLOUR = "#2b6cb0", "#dd6b20", "#a0aec0"
LABELS = ((NORMAL, "normal", NORMAL_COLOUR), (NOVEL, "novel", NOVEL_COLOUR))
GRID = {"axis": "y", "color": "#e2e8f0", "linewidth": 0.8}
FLOOR = {"color": METHOD_COLOURS["pca"], "linestyle": "--"}
CHOSEN = {"marker": "o", "markersize": 11, "markerfacecolor": "none", "markeredgecolor": "black",
          "markeredgewidth": 1.8, "clip_on": False}  # a ring around the chosen point
STYLE = {"axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 11,
         "axes.labelsize": 10, "figure.dpi": 90, "savefig.dpi": 90, "font.size": 9.5}


def empty_figure(rows: int, columns: int, size: tuple[float, float], **kwargs: Any
                 ) -> tuple[Figure, np.ndarray]:
    """A figure and its grid of axes, which pyplot forgets at once, so notebooks show it once."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False,
                                    layout="constrained", **kwargs)
    plt.close(figure)
    return figure, axes


def square(size: float = 3.8) -> tuple[Figure, Axes]:
    """An empty figure with one square axis, for a notebook to draw on."""
    figure, ((axis,),) = empty_figure(1, 1, (size + 0.4, size))
    return figure, axis


def legend_below(figure: Figure, axis: Axes, ncols: int = 3) -> None:
    """One legend for all panels, below them, from the labels of one axis."""
    handles, labels = axis.get_legend_handles_labels()
    unique = dict(zip(labels, handles))
    figure.legend(unique.values(), unique.keys(), loc="outside lower center", ncols=ncols,
                  frameon=False)


class Canvas(Figure):
    """A figure unknown to pyplot: any thread may draw it, and every backend shows it."""

    def _repr_png_(self) -> bytes:
        return png(self)


def canvas(width: float, height: float) -> Canvas:
    """An empty figure, in inches, independent of matplotlib's settings, which threads share.
    Widgets place `axes` on it themselves: computing a layout takes longer than drawing."""
    return Canvas((width, height), dpi=STYLE["figure.dpi"])


def axes(figure: Figure, *place: float) -> Axes:
    """New axes at (left, bottom, width, height), fractions of the figure."""
    axis = figure.add_axes(place)
    axis.spines[["top", "right"]].set_visible(False)
    return axis


def png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
