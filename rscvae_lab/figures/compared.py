"""Figures of the compared methods: how they train, what their scores follow, and their ranking."""

from collections.abc import Collection, Mapping, Sequence
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from rscvae_lab.figures.images import name_row
from rscvae_lab.figures.parts import error_map
from rscvae_lab.figures.style import GRID, LABELS, empty_figure, floor_lines, legend_below
from rscvae_lab.methods import METHOD_COLOURS, METHOD_NAMES

LINES = ({"color": "black"}, {"color": "#718096", "linestyle": "--"},
         {"color": "#a0aec0", "linestyle": "-."}, {"color": "#2c7a7b", "linestyle": ":"})


def scatter(frame: pd.DataFrame, labels: np.ndarray, title: str) -> Figure:
    """A point a test image; the columns of `frame` are x and y, and are named with their units."""
    figure, ((axis,),) = empty_figure(1, 1, (4.5, 3.2))
    for label, name, colour in reversed(LABELS):
        axis.plot(*frame[labels == label].to_numpy().T, "o", markersize=4, alpha=0.6,
                  markeredgewidth=0, color=colour, label=f"test images, {name}")
    axis.set(xlabel=frame.columns[0], ylabel=frame.columns[1], title=title)
    legend_below(figure, axis, 2)
    return figure


def curves(panels: Mapping[str, Mapping[str, pd.Series]], ylabels: Sequence[str],
           log: Collection[str] = ()) -> Figure:
    """Named lines, one panel a group; `log` lists the panels whose y axis is logarithmic. The
    index of a series is x, and its name has the unit. Lines named normal and novel have the
    colours of these labels."""
    figure, (row,) = empty_figure(1, len(panels), (4.4 * len(panels) + 0.2, 3.4))
    labels = {name: {"color": colour} for _, name, colour in LABELS}
    for axis, (title, lines), ylabel in zip(row, panels.items(), ylabels, strict=True):
        for (name, values), style in zip(lines.items(), cycle(LINES)):
            axis.plot(values.index, values, label=name, marker="o", markersize=3,
                      **style | labels.get(name, {}))
            axis.set_xlabel(values.index.name)
        axis.set(ylabel=ylabel, title=title, yscale="log" if title in log else "linear")
        axis.legend(frameon=False, fontsize=8.5, loc="upper center", bbox_to_anchor=(0.5, -0.2),
                    ncols=2)
    return figure


def plate_maps(images: np.ndarray, masks: np.ndarray, rows: Mapping[str, np.ndarray],
               kinds: Sequence[str]) -> Figure:
    """Plates with their defects outlined, and below them one row of maps (n, S, S) for each way to
    score, each with its own scale: brightness compares within a row only."""
    size = (1.7 + 0.8 * len(images), 0.85 * (len(rows) + 1) + 0.2)
    figure, grid = empty_figure(len(rows) + 1, len(images), size)
    for axis, image, mask, kind in zip(grid[0], images, masks, kinds):
        error_map(axis, image, np.full(mask.shape, np.nan), mask, 1, kind)
    for row, maps in zip(grid[1:], rows.values()):
        for axis, image, novelty, mask in zip(row, images, maps, masks):
            error_map(axis, image, novelty, mask, max(maps.max(), 1e-9))
    for axis, name in zip(grid[:, 0], ("plate (outline: the defect)", *rows)):
        name_row(axis, name.replace(" (", "\n("))
    return figure


def ranking(table: pd.DataFrame, title: str = "") -> Figure:
    """AUROC of each method with two standard errors, and its training time; the best on top.
    `table` is indexed by method and has `auroc`, `error` and `seconds`; lines mark the floors."""
    table = table.sort_values("auroc")
    figure, ((left, right),) = empty_figure(1, 2, (9.4, 0.36 * len(table) + 1.3), sharey=True,
                                            width_ratios=[1.7, 1])
    floor_lines(left, table.auroc)
    for y, (method, row) in enumerate(table.iterrows()):
        left.errorbar(row.auroc, y, xerr=2 * row.error, fmt="o", markersize=8, capsize=3,
                      color=METHOD_COLOURS[method])
        right.barh(y, row.seconds, height=0.6, color=METHOD_COLOURS[method])
        right.annotate(f" {row.seconds:.2g}", (row.seconds, y), va="center", fontsize=9)
    lowest = (table.auroc - 2 * table.error).min()
    names = [METHOD_NAMES[method] for method in table.index]
    left.set(yticks=range(len(table)), yticklabels=names, title=title,
             xlim=(np.floor(20 * lowest) / 20, 1.005),
             xlabel="test AUROC, ± 2 standard errors (axis cut; 0.5 is chance)")
    right.set(xscale="log", xlabel="training (seconds, log scale)",
              xlim=(None, 3 * table.seconds.max()))
    left.grid(**GRID)
    left.legend(frameon=False, loc="upper left", fontsize=8.5)
    return figure
