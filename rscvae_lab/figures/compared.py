"""Figures of the compared methods: what their scores follow, and their ranking."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from rscvae_lab.figures.images import name_row
from rscvae_lab.figures.parts import error_map
from rscvae_lab.figures.style import (
    GRID,
    LABELS,
    WIDEST,
    empty_figure,
    floor_lines,
    legend_below,
)
from rscvae_lab.methods import METHOD_COLOURS, METHOD_NAMES


def scatter(frame: pd.DataFrame, labels: np.ndarray, title: str) -> Figure:
    """A point a test image; the columns of `frame` are x and y, and are named with their units."""
    figure, ((axis,),) = empty_figure(1, 1, (6, 3.8))
    for label, name, colour in reversed(LABELS):
        axis.plot(*frame[labels == label].to_numpy().T, "o", markersize=4, alpha=0.6,
                  markeredgewidth=0, color=colour, label=f"test images, {name}")
    axis.set(xlabel=frame.columns[0], ylabel=frame.columns[1], title=title)
    legend_below(figure, axis, 2)
    return figure


def plate_maps(images: np.ndarray, masks: np.ndarray, rows: Mapping[str, np.ndarray],
               kinds: Sequence[str]) -> Figure:
    """Plates with their defects outlined, and below them one row of maps (n, S, S) for each way to
    score, each with its own scale: brightness compares within a row only."""
    size = (1.7 + 1.2 * len(images), 1.25 * (len(rows) + 1) + 0.2)
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
    figure, ((left, right),) = empty_figure(1, 2, (WIDEST, 0.36 * len(table) + 1.3),
                                            sharey=True, width_ratios=[1.25, 1])
    floor_lines(left, table.auroc)
    for y, (method, row) in enumerate(table.iterrows()):
        left.errorbar(row.auroc, y, xerr=2 * row.error, fmt="o", markersize=8, capsize=3,
                      color=METHOD_COLOURS[method])
        right.barh(y, row.seconds, height=0.6, color=METHOD_COLOURS[method])
        right.annotate(f" {row.seconds:.2g}", (row.seconds, y), va="center")
    lowest = (table.auroc - 2 * table.error).min()
    names = [METHOD_NAMES[method] for method in table.index]
    left.set(yticks=range(len(table)), yticklabels=names, title=title,
             xlim=(np.floor(20 * lowest) / 20, 1.005),
             xlabel="test AUROC, ± 2 standard errors (axis cut; 0.5 is chance)")
    right.set(xscale="log", xlabel="training (seconds, log scale)",
              xlim=(None, 3 * table.seconds.max()))
    left.grid(**GRID)
    left.legend(frameon=False, loc="upper left")
    return figure
