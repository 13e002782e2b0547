"""What all figures share: colours, fonts, empty figures, and PNG."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from rscvae_lab import NORMAL, NOVEL
from rscvae_lab.methods import FLOORS, METHOD_COLOURS, METHOD_NAMES

NORMAL_COLOUR, NOVEL_COLOUR, TRAIN_COLOUR = "#2b6cb0", "#dd6b20", "#a0aec0"
LABELS = ((NORMAL, "normal", NORMAL_COLOUR), (NOVEL, "novel", NOVEL_COLOUR))
GRID = {"axis": "y", "color": "#e2e8f0", "linewidth": 0.8}
FLOOR_LINES = dict(zip(FLOORS, ("--", ":", "-.")))
CHOSEN = {"marker": "o", "markersize": 11, "markerfacecolor": "none", "markeredgecolor": "black",
          "markeredgewidth": 1.8, "clip_on": False}  # a ring around the chosen point
FONT = 10  # points, of nearly everything; 12.5 pixels where an inch is DPI of them
DPI, STORED_DPI = 90, 180  # of the screen, where widgets redraw fast; of figures in notebooks
WIDEST = 10  # inches: 900 pixels of the screen
STYLE = {"axes.spines.top": False, "axes.spines.right": False, "figure.dpi": DPI,
         "savefig.dpi": DPI, "font.size": FONT, "axes.titlesize": FONT, "axes.labelsize": FONT,
         "legend.fontsize": FONT, "figure.titlesize": FONT}


def empty_figure(rows: int, columns: int, size: tuple[float, float], **kwargs: Any
                 ) -> tuple[Figure, np.ndarray]:
    """A figure and its grid of axes, which pyplot forgets at once, so notebooks show it once."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False,
                                    layout="constrained", FigureClass=Canvas,
                                    subplot_kw={"axes_class": PlainAxes}, **kwargs)
    plt.close(figure)
    return figure, axes


def two_a_row(panels: int, height: float) -> tuple[Figure, np.ndarray]:
    """A figure as wide as the page with two panels a row, each row so many inches high, so that no
    panel is narrower than 300 pixels; one panel has the row to itself."""
    columns = min(2, panels)
    rows = -(-panels // columns)
    figure, grid = empty_figure(rows, columns, (WIDEST, height * rows + 0.4))
    for axis in grid.flat[panels:]:
        axis.remove()
    return figure, grid.flat[:panels]


def row_and_strip(panels: int, height: float, ratio: float, strip_first: bool = False
                  ) -> tuple[Figure, np.ndarray, Axes]:
    """A figure as wide as the page: a row of panels, `ratio` times as high as one panel across the
    whole width below it, or above it."""
    ratios = [1, ratio] if strip_first else [ratio, 1]
    figure, rows = empty_figure(2, panels, (WIDEST, height), height_ratios=ratios)
    row, other = rows[::-1] if strip_first else rows
    for axis in other:
        axis.remove()
    place = row[0].get_gridspec()[int(not strip_first), :]
    strip = figure.add_subplot(place, axes_class=PlainAxes)
    strip.spines[["top", "right"]].set_visible(False)
    return figure, row, strip


def square(size: float = 3.8) -> tuple[Figure, Axes]:
    """An empty figure with one square axis, for a notebook to draw on."""
    figure, ((axis,),) = empty_figure(1, 1, (size + 0.4, size))
    return figure, axis


def legend_below(figure: Figure, axis: Axes, ncols: int = 3, markerscale: float = 2) -> None:
    """One legend for all panels, below them, from the labels of one axis."""
    handles, labels = axis.get_legend_handles_labels()
    unique = dict(zip(labels, handles))
    figure.legend(unique.values(), unique.keys(), loc="outside lower center", ncols=ncols,
                  frameon=False, markerscale=markerscale)


class PlainAxes(Axes):
    """Axes whose title has the size of all other text, whatever matplotlib is set to."""

    def set_title(self, label: str, *args: Any, **kwargs: Any) -> Text:
        return super().set_title(label, *args, **{"fontsize": FONT} | kwargs)


def floor_lines(axis: Axes, aurocs: Mapping[str, float]) -> None:
    """A vertical line for each of the `FLOORS` among methods and their AUROCs."""
    for method, line in FLOOR_LINES.items():
        if method in aurocs:
            axis.axvline(aurocs[method], linestyle=line, color=METHOD_COLOURS["pca"],
                         label=METHOD_NAMES[method])


class Canvas(Figure):
    """A figure that a notebook stores with `STORED_DPI` and shows in its size on the screen,
    whatever pyplot is set to."""

    def _ipython_display_(self) -> None:
        from IPython.display import display

        width, height = (round(DPI * side) for side in self.get_size_inches())
        display({"image/png": png(self, STORED_DPI), "text/plain": repr(self)}, raw=True,
                metadata={"image/png": {"width": width, "height": height}})


def canvas(width: float, height: float) -> Canvas:
    """An empty figure, in inches, unknown to pyplot: any thread may draw it, for it is independent
    of matplotlib's settings, which threads share.

    Widgets place `axes` on it themselves: computing a layout takes longer than drawing.
    """
    return Canvas((width, height), dpi=DPI)


def axes(figure: Figure, *place: float) -> Axes:
    """New axes at (left, bottom, width, height), fractions of the figure."""
    axis = figure.add_axes(place, axes_class=PlainAxes)
    axis.spines[["top", "right"]].set_visible(False)
    return axis


def png(figure: Figure, dpi: int = DPI) -> bytes:
    """PNG, compressed little, for speed: notebooks are made smaller when they are stored."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, pil_kwargs={"compress_level": 1})
    return buffer.getvalue()
