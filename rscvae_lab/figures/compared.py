"""Figures of the compared methods: what each makes of the same pictures, what its score follows, and how they rank."""

from collections.abc import Collection, Mapping, Sequence
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from rscvae_lab import NORMAL, NOVEL
from rscvae_lab.figures.panels import axes, canvas, show_picture
from rscvae_lab.figures.parts import error_map
from rscvae_lab.figures.plots import (
    METHOD_COLOURS,
    METHOD_NAMES,
    NORMAL_COLOUR,
    NOVEL_COLOUR,
    STYLE,
    empty_figure,
)

LABELS = ((NORMAL, "normal", NORMAL_COLOUR), (NOVEL, "novel", NOVEL_COLOUR))
LINES = ({"color": "black"}, {"color": "#718096", "linestyle": "--"}, {"color": "#a0aec0", "linestyle": "-."},
         {"color": "#2c7a7b", "linestyle": ":"})
_PIXEL = 1 / STYLE["figure.dpi"]  # inches
_NAME, _CELL, _PICTURE, _HEAD = 144 * _PIXEL, 67 * _PIXEL, 64 * _PIXEL, 24 * _PIXEL  # whole pixels keep pictures sharp


def picture_columns(rows: Mapping[str, np.ndarray], labels: Sequence[int], title: str = "") -> Figure:
    """Named rows of pictures (n, S, S), an image a column; its label, where there are any, above in its colour."""
    n, head = max(map(len, rows.values())), _HEAD * (bool(title) + bool(len(labels)))
    width, height = _NAME + _CELL * n, head + _CELL * len(rows)
    figure = canvas(width, height)
    for i, (name, pictures) in enumerate(rows.items()):
        bottom = _CELL * (len(rows) - 1 - i) / height
        figure.text((_NAME - 0.1) / width, bottom + 0.5 * _CELL / height, name, ha="right", va="center", fontsize=9)
        for j, picture in enumerate(pictures):
            place = axes(figure, (_NAME + _CELL * j) / width, bottom, _PICTURE / width, _PICTURE / height)
            show_picture(place, np.clip(np.asarray(picture), 0, 1).round(1), "")  # few grey levels: noise stores badly
    for j, label in enumerate(labels):
        _, name, colour = LABELS[label]
        figure.text((_NAME + _CELL * (j + 0.475)) / width, 1 - (head - 0.06) / height, name, ha="center", va="bottom",
                    color=colour, fontweight="bold", fontsize=9)
    figure.text(0.5, 1 - 0.04 / height, title, ha="center", va="top", fontsize=10)
    return figure


def against(frame: pd.DataFrame, labels: np.ndarray, title: str) -> Figure:
    """A point a test image; the frame's two columns go across and up, and are named with their units."""
    figure, ((axis,),) = empty_figure(1, 1, (4.5, 3.2))
    for label, name, colour in reversed(LABELS):
        shown = frame[labels == label]
        axis.plot(shown.iloc[:, 0], shown.iloc[:, 1], "o", markersize=4, alpha=0.6, markeredgewidth=0, color=colour,
                  label=f"test images, {name}")
    axis.set(xlabel=frame.columns[0], ylabel=frame.columns[1], title=title)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def curves(panels: Mapping[str, Mapping[str, pd.Series]], ylabels: Sequence[str], log: Collection[str] = ()) -> Figure:
    """Named lines, a panel each group; a series' index goes across and is named with its unit. Lines named normal and
    novel have these colours.

    Args:
        log: the panels whose upright axis is logarithmic.
    """
    figure, (row,) = empty_figure(1, len(panels), (4.4 * len(panels) + 0.2, 3.4))
    labels = {name: {"color": colour} for _, name, colour in LABELS}
    for axis, (title, lines), ylabel in zip(row, panels.items(), ylabels, strict=True):
        for (name, values), style in zip(lines.items(), cycle(LINES)):
            axis.plot(values.index, values, label=name, marker="o", markersize=3, **style | labels.get(name, {}))
            axis.set_xlabel(values.index.name)
        axis.set(ylabel=ylabel, title=title, yscale="log" if title in log else "linear")
        axis.legend(frameon=False, fontsize=8.5, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    return figure


def plate_maps(pictures: np.ndarray, masks: np.ndarray, rows: Mapping[str, np.ndarray], kinds: Sequence[str]
               ) -> Figure:
    """Plates with their defects outlined, and below a row of maps (n, S, S) a way to score, each row by its brightest.

    Maps are in units of embeddings, which differ from row to row: brightness compares within a row only.
    """
    figure, grid = empty_figure(len(rows) + 1, len(pictures), (1.7 + 0.8 * len(pictures), 0.85 * (len(rows) + 1) + 0.2))
    for axis, picture, mask, kind in zip(grid[0], pictures, masks, kinds):
        error_map(axis, picture, np.full(mask.shape, np.nan), mask, 1, kind)
    for row, maps in zip(grid[1:], rows.values()):
        for axis, picture, novelty, mask in zip(row, pictures, maps, masks):
            error_map(axis, picture, novelty, mask, max(maps.max(), 1e-9), "")
    for axis, name in zip(grid[:, 0], ("plate (outline: the defect)", *rows)):
        axis.set_ylabel(name.replace(" (", "\n("), rotation=0, ha="right", va="center", fontsize=9.5)
    return figure


def ranking(table: pd.DataFrame, title: str = "") -> Figure:
    """AUROC of each method with two standard errors, and its seconds of training; best first, the floor as a line.

    `table` is indexed by method and has `auroc`, `error` and `seconds`; the row `pca` is the floor.
    """
    shown, floor = table.sort_values("auroc"), METHOD_COLOURS["pca"]
    figure, ((left, right),) = empty_figure(1, 2, (9.4, 0.36 * len(shown) + 1.3), sharey=True, width_ratios=[1.7, 1])
    left.axvline(table.auroc["pca"], color=floor, linestyle="--", label=METHOD_NAMES["pca"])
    for y, (method, row) in enumerate(shown.iterrows()):
        left.errorbar(row.auroc, y, xerr=2 * row.error, fmt="o", markersize=8, capsize=3, color=METHOD_COLOURS[method])
        right.barh(y, row.seconds, height=0.6, color=METHOD_COLOURS[method])
        right.annotate(f" {row.seconds:.2g}", (row.seconds, y), va="center", fontsize=9)
    low = (shown.auroc - 2 * shown.error).min()
    left.set(yticks=range(len(shown)), yticklabels=[METHOD_NAMES[method] for method in shown.index], title=title,
             xlim=(np.floor(20 * low) / 20, 1.005), xlabel="test AUROC, ± 2 standard errors (axis cut; 0.5 is chance)")
    right.set(xscale="log", xlabel="training (seconds, log scale)", xlim=(None, 3 * shown.seconds.max()))
    left.grid(axis="y", color="#e2e8f0")
    left.legend(frameon=False, loc="upper left", fontsize=8.5)
    return figure
