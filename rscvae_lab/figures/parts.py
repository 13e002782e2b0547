"""Figures of industrial parts: error maps, defects, and their scores."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rscvae_lab.figures.images import hide_frame, name_row, show_image
from rscvae_lab.figures.style import LABELS, WIDEST, axes, canvas, empty_figure, legend_below

MASK_COLOUR = "#00b5d8"  # visible on grey images and on the colours of error maps


def outline(axis: Axes, mask: np.ndarray | None) -> None:
    """The outline of a defect's mask, bool (S, S)."""
    if mask is not None and mask.any():
        axis.contour(mask, levels=[0.5], colors=MASK_COLOUR, linewidths=1.4)


def error_map(axis: Axes, image: np.ndarray, error: np.ndarray, mask: np.ndarray | None,
              top: float, title: str = "") -> None:
    """An error map (S, S) over its image, coloured from 0 to `top`, with the defect's outline."""
    show_image(axis, image, title)
    axis.imshow(error, cmap="inferno", vmin=0, vmax=top, alpha=0.75, interpolation="nearest")
    outline(axis, mask)


def gallery(rows: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray | None]]]) -> Figure:
    """Named rows of (image, mask), with the outlines of defects; a mask may be None or empty."""
    n = max(map(len, rows.values()))
    figure, grid = empty_figure(len(rows), n, (min(WIDEST, 1.2 + 1.3 * n), 1.35 * len(rows)))
    for row, (name, parts) in zip(grid, rows.items()):
        name_row(row[0], name)
        for axis in row:
            hide_frame(axis)
        for axis, (image, mask) in zip(row, parts):
            show_image(axis, image)
            outline(axis, mask)
    return figure


def part_rows(columns: Mapping[str, Sequence[np.ndarray | None]], top: float,
              last: str = "error map") -> Figure:
    """One column a part: the image with its defect outlined, the reconstruction, and a map, the
    row `last`. `columns` maps names to (image, x_hat, map, mask or None); maps are coloured from 0
    to `top`."""
    figure, grid = empty_figure(3, len(columns), (min(WIDEST, 0.9 + 1.45 * len(columns)), 4.2))
    for column, (name, (image, x_hat, error, mask)) in zip(grid.T, columns.items()):
        show_image(column[0], image, name)
        outline(column[0], mask)
        show_image(column[1], x_hat)
        error_map(column[2], image, error, mask, top)
    for axis, name in zip(grid[:, 0], ("input", "reconstruction", last)):
        name_row(axis, name)
    return figure


def histograms(frame: pd.DataFrame, names: Mapping[str, str], lines: Mapping[str, float],
               titles: Mapping[str, str]) -> Figure:
    """Good and defective test images, a panel each column of `frame` in `names`, which maps it to
    a label with unit; some have a threshold in `lines` and a title in `titles`."""
    figure, (row,) = empty_figure(1, len(names), (min(WIDEST, 4 * len(names)), 3.1))
    for axis, (column, label) in zip(row, names.items()):
        _histogram(axis, frame, column)
        if column in lines:
            axis.axvline(lines[column], color="black", linestyle="--", linewidth=1,
                         label="threshold, held-out normals")
        axis.set(xlabel=label, title=titles.get(column, ""))
    row[0].set_ylabel("test images")
    legend_below(figure, row[-1])
    return figure


def _histogram(axis: Axes, frame: pd.DataFrame, column: str) -> None:
    bins = np.linspace(frame[column].min(), frame[column].max(), 24)
    for (label, _, colour), name in zip(LABELS, ("good", "defective")):
        axis.hist(frame[column][frame.label == label], bins, color=colour, alpha=0.55,
                  label=f"test, {name}")


def part(images: Mapping[str, np.ndarray], error: np.ndarray, mask: np.ndarray | None, top: float,
         frame: pd.DataFrame, chosen: int, threshold: float, name: str = "error map") -> Figure:
    """One part: its images, its error map, and its score among those of all test images. `images`
    begin with the input; `error` (S, S), a map called `name`, is coloured from 0 to `top`; `mask`
    is its defect's, None where nothing is known; row `chosen` of `frame`, which has `label` and
    `novelty_score` of all test images, is this part."""
    figure, width = canvas(WIDEST, 4.9), 0.97 / (len(images) + 1)
    first, *others, last = (axes(figure, 0.015 + i * width, 0.42, 0.94 * width, 0.5)
                            for i in range(len(images) + 1))
    for axis, (title, image) in zip((first, *others), images.items()):
        show_image(axis, image, title)
    outline(first, mask)
    error_map(last, next(iter(images.values())), error, mask, top,
              f"{name}\n(outline: the defect)" if mask is not None else name)
    score = axes(figure, 0.06, 0.115, 0.91, 0.24)
    _histogram(score, frame, "novelty_score")
    score.axvline(threshold, color="black", linestyle="--", linewidth=1,
                  label="threshold: 95 % of held-out normals")
    own = frame.novelty_score.iloc[chosen]
    score.axvline(own, color="black", linewidth=2.2, label="this part")
    score.set(xlabel="novelty score, α = 0.5, held-out means (no unit)", ylabel="test images")
    score.legend(fontsize=8.5, frameon=False, ncols=4, loc="lower right", bbox_to_anchor=(1, 0.95))
    return figure
