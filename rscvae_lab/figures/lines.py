"""Lines that carry their names at their ends, instead of a legend."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from rscvae_lab.figures.style import FONT, WIDEST, axes, canvas

LINE = 1.35 * FONT / 72  # inches between the middles of two names
LETTER = 0.57 * FONT / 72  # inches, the usual width of one
GAP = 0.08  # inches between a line's panel and its name


def named_lines(panels: Mapping[str, pd.DataFrame], styles: Mapping[str, Mapping[str, Any]],
                xlabel: str = "", height: float = 3.6,
                ylim: tuple[float | None, float | None] = (None, None), yscale: str = "linear"
                ) -> Figure:
    """One panel for each frame, titled by its key, two a row and each row `height` inches high: a
    line for each column over the index, numbers or names, with the column's name where the line
    ends or leaves the panel.

    `styles` says how matplotlib draws the line of each column.
    """
    n, left = min(2, len(panels)), 0.48
    rows = -(-len(panels) // n)
    figure = canvas(WIDEST, height * rows)
    for i, (title, frame) in enumerate(panels.items()):
        right = 0.15 + LETTER * max(map(_letters, frame))
        bottom = rows - 1 - i // n + 0.5 / height  # in rows
        axis = axes(figure, i % n / n + left / WIDEST, bottom / rows,
                    1 / n - (left + right) / WIDEST, (1 - 0.95 / height) / rows)
        axis.margins(y=0.1)  # room for the marker of the highest point
        for name, values in frame.items():
            marker = {"marker": "o"} if len(values) < 12 else {}
            axis.plot(frame.index, values, linewidth=2, label=name, **marker | dict(styles[name]))
        axis.set(xlabel=xlabel, yscale=yscale, ylim=ylim)
        if yscale == "linear":
            # more, or steps of 25, would need longer numbers
            axis.locator_params(axis="y", nbins=6, steps=[1, 2, 5, 10])
        if yscale == "log":  # 0.02 instead of 2 × 10⁻², for which there is no room
            axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.yaxis.set_major_formatter("{x:g}")
            axis.yaxis.set_minor_formatter(NullFormatter())
        axis.set_title(title, loc="left", pad=20 if name_ends(axis) else 6)
    return figure


def _letters(name: str) -> float:
    """About how many small letters as wide as a name."""
    letters = re.sub(r"[\\${}]", "", name)
    return len(letters) + 0.4 * sum(map(str.isupper, letters))


def name_ends(axis: Axes) -> bool:
    """Writes the name of each line in its colour: where it leaves the axis at the top, else beside
    its last point; names beside points are moved apart where they would overlap. The limits of the
    axis must not change afterwards. Returns whether there are names at the top."""
    top, lines, heights = axis.get_ylim()[1], [], []
    for line in axis.lines:
        style = {"color": line.get_color(), "fontsize": FONT, "label": line.get_label()}
        x, y = axis.convert_xunits(line.get_xdata()), np.asarray(line.get_ydata())
        if y[-1] > top:
            leaves = np.argmax(y > top)
            axis.text(x[leaves], 1.02, style.pop("label"), ha="center", va="bottom",
                      transform=axis.get_xaxis_transform(), **style)
        else:
            lines.append(style)
            heights.append(axis.transData.transform((x[-1], y[-1]))[1])
    bottom, unit = axis.bbox.y0, axis.bbox.height  # pixels
    right = 1 + GAP * axis.figure.dpi / axis.bbox.width
    for style, height in zip(lines, spread(np.array(heights), LINE * axis.figure.dpi)):
        axis.text(right, (height - bottom) / unit, style.pop("label"), va="center",
                  transform=axis.transAxes, **style)
    return len(lines) < len(axis.lines)


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
