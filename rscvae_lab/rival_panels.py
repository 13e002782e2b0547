"""Figures of the compared methods: what each makes of the same pictures, what its score follows, and how they rank."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from rscvae_lab import NORMAL, NOVEL
from rscvae_lab.panels import axes, canvas, show_picture
from rscvae_lab.part_panels import error_map
from rscvae_lab.plots import METHOD_COLOURS, METHOD_NAMES, NORMAL_COLOUR, NOVEL_COLOUR, empty_figure

LABELS = ((NORMAL, "normal", NORMAL_COLOUR), (NOVEL, "novel", NOVEL_COLOUR))
_NAME, _CELL, _HEAD = 1.75, 1.1, 0.42  # inches: the rows' names, a picture, two lines of text


def rows_of_five(rows: Mapping[str, np.ndarray], labels: Sequence[int], verdicts: Sequence[str], title: str = ""
                 ) -> Figure:
    """Named rows of pictures (n, S, S), an image a column: its label above in the label's colour, a verdict below."""
    n = len(labels)
    width, height = _NAME + _CELL * n, 2.3 * _HEAD + _CELL * len(rows)
    figure = canvas(width, height)
    for i, (name, pictures) in enumerate(rows.items()):
        bottom = (1.1 * _HEAD + _CELL * (len(rows) - 1 - i)) / height
        figure.text((_NAME - 0.1) / width, bottom + 0.5 * _CELL / height, name, ha="right", va="center", fontsize=9.5)
        for j, picture in enumerate(pictures):
            place = axes(figure, (_NAME + _CELL * j) / width, bottom, 0.95 * _CELL / width, 0.95 * _CELL / height)
            show_picture(place, picture, "")
    for j, (label, verdict) in enumerate(zip(labels, verdicts)):
        _, name, colour = LABELS[label]
        x = (_NAME + _CELL * (j + 0.475)) / width
        figure.text(x, 1 - 1.15 * _HEAD / height, name, ha="center", va="bottom", color=colour, fontweight="bold")
        figure.text(x, _HEAD / height, verdict, ha="center", va="top", fontsize=8.5)
    figure.text(0.1 / width, 1 - 0.1 / height, title, ha="left", va="top", fontsize=11)
    return figure


def against(panels: Mapping[str, pd.DataFrame], labels: np.ndarray) -> Figure:
    """One scatter a panel, a point a test image. Each frame has two columns, across and up, named with their units."""
    figure, (row,) = empty_figure(1, len(panels), (4.3 * len(panels) + 0.2, 3.5))
    for axis, (title, frame) in zip(row, panels.items()):
        for label, name, colour in reversed(LABELS):
            shown = frame[labels == label]
            axis.plot(shown.iloc[:, 0], shown.iloc[:, 1], "o", markersize=4, alpha=0.6, markeredgewidth=0, color=colour,
                      label=f"test images, {name}")
        axis.set(xlabel=frame.columns[0], ylabel=frame.columns[1], title=title)
    figure.legend(*row[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def curves(panels: Mapping[str, Mapping[str, pd.Series]], ylabels: Sequence[str], log: Sequence[bool] = ()) -> Figure:
    """Named lines, a panel each group; a series' index goes across and is named with its unit.

    Args:
        log: for each panel, whether its upright axis is logarithmic.
    """
    figure, (row,) = empty_figure(1, len(panels), (4.6 * len(panels) + 0.2, 3.3))
    styles = ({"color": "black"}, {"color": "#718096", "linestyle": "--"}, {"color": "#a0aec0", "linestyle": "-."})
    for i, (axis, (title, lines)) in enumerate(zip(row, panels.items())):
        for (name, values), style in zip(lines.items(), styles):
            axis.plot(values.index, values, label=name, marker="o", markersize=3, **style)
        scale = "log" if any(log[i:i + 1]) else "linear"
        axis.set(xlabel=values.index.name, ylabel=ylabels[i], title=title, yscale=scale)
        axis.legend(frameon=False, fontsize=8.5)
    return figure


def plate_maps(pictures: np.ndarray, masks: np.ndarray, rows: Mapping[str, np.ndarray]) -> Figure:
    """Plates with their defects outlined, and below a row of maps (n, S, S) a way to score, each by its own brightest.

    Maps are in units of embeddings, which differ from row to row, so brightness compares within a row only.
    """
    figure, grid = empty_figure(len(rows) + 1, len(pictures), (1.7 + 1.2 * len(pictures), 1.25 * (len(rows) + 1)))
    for axis, picture, mask in zip(grid[0], pictures, masks):
        error_map(axis, picture, np.full(mask.shape, np.nan), mask, 1, "")
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
    left.legend(frameon=False, loc="lower left", fontsize=8.5)
    return figure


def rivals_chart(boards: Mapping[str, pd.DataFrame]) -> Figure:
    """Ours, the paper's and the method's own paper's mean AUROC, a panel a data set; boards of `scoreboard.rivals`."""
    figure, (row,) = empty_figure(1, len(boards), (4.9 * len(boards) + 0.8, 3.5), sharex=True, sharey=True)
    methods = list(next(iter(boards.values())).index.drop("pca"))[::-1]
    for axis, (name, board) in zip(row, boards.items()):
        shown = board.reindex(methods)
        axis.axvline(board.ours["pca"], color=METHOD_COLOURS["pca"], linestyle="--", label="PCA-32 floor, ours")
        for y, method in enumerate(methods):
            axis.errorbar(shown.ours[method], y, xerr=np.nan_to_num(shown.spread[method]), fmt="o", markersize=9,
                          capsize=3, color=METHOD_COLOURS[method])
        axis.plot(shown.recomputed, range(len(methods)), "kD", markersize=6, fillstyle="none",
                  label="the RSC-VAE paper: mean of its rows")
        axis.plot(shown["own paper"], range(len(methods)), "k*", markersize=9, label="the method's own paper")
        axis.set(title=name, xlabel="mean AUROC over ten classes (axis cut)", ylim=(-0.6, len(methods) - 0.4))
        axis.grid(axis="y", color="#e2e8f0")
    row[0].set(yticks=range(len(methods)), yticklabels=[METHOD_NAMES[method] for method in methods])
    figure.legend(*row[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure
