"""Figures of industrial parts: where a picture differs from its reconstruction, and what that scores."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rscvae_lab import NORMAL, NOVEL
from rscvae_lab.figures.panels import axes, canvas, show_picture
from rscvae_lab.figures.plots import NORMAL_COLOUR, NOVEL_COLOUR, empty_figure

MASK_COLOUR = "#00b5d8"  # of a defect's outline, on grey and on heat
_LABELS = ((NORMAL, "good", NORMAL_COLOUR), (NOVEL, "defective", NOVEL_COLOUR))


def outline(axis: Axes, mask: np.ndarray | None) -> None:
    """The border of a defect's mask, bool (S, S)."""
    if mask is not None and mask.any():
        axis.contour(mask, levels=[0.5], colors=MASK_COLOUR, linewidths=1.4)


def error_map(axis: Axes, picture: np.ndarray, error: np.ndarray, mask: np.ndarray | None, top: float,
              title: str) -> None:
    """An error map (S, S) as heat over its picture, from 0 to `top`, with the defect's outline."""
    show_picture(axis, picture, title)
    axis.imshow(error, cmap="inferno", vmin=0, vmax=top, alpha=0.75, interpolation="nearest")
    outline(axis, mask)


def gallery(pictures: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray | None]]]) -> Figure:
    """Named rows of pictures, each with the outline of its defect: (picture, mask), the mask None or empty for none."""
    n = max(map(len, pictures.values()))
    figure, grid = empty_figure(len(pictures), n, (1.2 + 1.3 * n, 1.35 * len(pictures)))
    for row, (name, parts) in zip(grid, pictures.items()):
        row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9.5)
        for axis in row:
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        for axis, (picture, mask) in zip(row, parts):
            show_picture(axis, picture, "")
            outline(axis, mask)
    return figure


def part_rows(columns: Mapping[str, Sequence[np.ndarray | None]], top: float) -> Figure:
    """One column a part: the picture with its defect outlined, its reconstruction, and the error map.

    Args:
        columns: name -> (picture, x_hat, error, mask), the mask None where there is none.
        top: the error that is drawn brightest.
    """
    figure, grid = empty_figure(3, len(columns), (0.9 + 1.45 * len(columns), 4.6))
    for column, (name, (picture, x_hat, error, mask)) in zip(grid.T, columns.items()):
        show_picture(column[0], picture, name)
        outline(column[0], mask)
        show_picture(column[1], x_hat, "")
        error_map(column[2], picture, error, mask, top, "")
    for axis, name in zip(grid[:, 0], ("input", "reconstruction", "error map")):
        axis.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9.5)
    return figure


def histograms(frame: pd.DataFrame, names: Mapping[str, str], lines: Mapping[str, float], titles: Mapping[str, str]
               ) -> Figure:
    """Good and defective test pictures, a panel a column of `frame`.

    Args:
        names: column -> label with unit.
        lines: column -> a threshold, drawn dashed.
        titles: column -> title.
    """
    figure, (row,) = empty_figure(1, len(names), (3.6 * len(names), 3.1))
    for axis, (column, label) in zip(row, names.items()):
        _histogram(axis, frame, column)
        if column in lines:
            axis.axvline(lines[column], color="black", linestyle="--", linewidth=1, label="threshold, held-out normals")
        axis.set(xlabel=label, title=titles.get(column, ""))
    row[0].set_ylabel("test pictures")
    figure.legend(*row[-1].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def _histogram(axis: Axes, frame: pd.DataFrame, column: str) -> None:
    bins = np.linspace(frame[column].min(), frame[column].max(), 24)
    for label, name, colour in _LABELS:
        axis.hist(frame[column][frame.label == label], bins, color=colour, alpha=0.55, label=f"test, {name}")


def part(pictures: Mapping[str, np.ndarray], error: np.ndarray, mask: np.ndarray | None, top: float,
         frame: pd.DataFrame, chosen: int, threshold: float) -> Figure:
    """One part to look at: its pictures, where it differs, and its score among all test pictures.

    Args:
        pictures: input, reconstruction, recoding; the input comes first.
        error: its error map (S, S), drawn from 0 to `top`.
        mask: of its defect; None where nothing is known.
        frame: all test pictures, with `label` and `novelty_score`.
    """
    figure, width = canvas(11, 5.2), 0.97 / (len(pictures) + 1)
    for i, (name, image) in enumerate(pictures.items()):
        axis = axes(figure, 0.015 + i * width, 0.42, 0.94 * width, 0.5)
        show_picture(axis, image, name)
        if i == 0:
            outline(axis, mask)
    place = axes(figure, 0.015 + len(pictures) * width, 0.42, 0.94 * width, 0.5)
    error_map(place, next(iter(pictures.values())), error, mask, top, "error map (outline: the defect)")
    score = axes(figure, 0.06, 0.115, 0.91, 0.24)
    _histogram(score, frame, "novelty_score")
    score.axvline(threshold, color="black", linestyle="--", linewidth=1, label="threshold: 95 % of held-out normals")
    score.axvline(frame.novelty_score.iloc[chosen], color="black", linewidth=2.2, label="this part")
    score.set(xlabel="novelty score, α = 0.5, held-out means (no unit)", ylabel="test pictures")
    score.legend(fontsize=8.5, frameon=False, ncols=4, loc="lower right", bbox_to_anchor=(1, 0.95))
    return figure
