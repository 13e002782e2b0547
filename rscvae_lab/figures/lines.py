"""Lines that carry their names at their ends, instead of a legend."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rscvae_lab.figures.style import DPI, FONT, WIDEST, axes, canvas

LINE = 1.35 * FONT / 72 * DPI  # pixels between the middles of two names
NAMES_WIDTH = 1.35  # inches to the right of a panel


def named_lines(panels: Mapping[str, pd.DataFrame], styles: Mapping[str, Mapping[str, Any]],
                xlabel: str = "", height: float = 3.6, **limits: tuple[float | None, float | None]
                ) -> Figure:
    """One panel for each frame, titled by its key: a line for each column over the index, numbers
    or names, with the column's name at its end.

    Args:
        styles: column -> how matplotlib draws its line.
        limits: `ylim` of all panels.
    """
    figure, n = canvas(WIDEST, height), len(panels)
    for i, (title, frame) in enumerate(panels.items()):
        left, right = 0.62 + i * WIDEST / n, NAMES_WIDTH
        axis = axes(figure, left / WIDEST, 0.5 / height, (WIDEST / n - 0.62 - right) / WIDEST,
                    1 - 0.85 / height)
        for name, values in frame.items():
            marker = {"marker": "o"} if len(values) < 12 else {}
            axis.plot(frame.index, values, linewidth=2, label=name, **marker | dict(styles[name]))
        axis.set(xlabel=xlabel, **limits)
        axis.set_title(title, fontsize=FONT, loc="left")
        name_ends(axis)
    return figure


def name_ends(axis: Axes) -> None:
    """Writes the name of each line beside its last point, in its colour; names that would overlap
    are moved apart. The limits of the axis must not change afterwards."""
    to_pixels, to_data = axis.transData, axis.transAxes.inverted()
    ends = [to_pixels.transform((axis.convert_xunits(line.get_xdata())[-1], line.get_ydata()[-1]))
            for line in axis.lines]
    inside = np.array([y for _, y in ends]).clip(axis.bbox.y0, axis.bbox.y1)
    heights = spread(inside, LINE * axis.figure.dpi / DPI)
    for line, height in zip(axis.lines, heights):
        axis.text(1.02, to_data.transform((0, height))[1], line.get_label(), va="center",
                  color=line.get_color(), fontsize=FONT, transform=axis.transAxes)


def spread(values: np.ndarray, gap: float) -> np.ndarray:
    """The nearest values in the same order that are at least `gap` apart (least squares)."""
    values = np.asarray(values, dtype=float)
    order = np.argsort(values, kind="stable")
    shifted, steps = values[order] - gap * np.arange(len(values)), []
    for value in shifted:  # isotonic regression by pooling adjacent violators
        steps.append([value, 1])
        while len(steps) > 1 and steps[-2][0] > steps[-1][0]:
            (a, n), (b, m) = steps[-2:]
            steps[-2:] = [[(a * n + b * m) / (n + m), n + m]]
    apart = np.empty(len(values))
    apart[order] = np.repeat(*zip(*steps)) + gap * np.arange(len(values)) if steps else []
    return apart
