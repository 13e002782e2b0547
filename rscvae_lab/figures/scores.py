"""Figures of scores: AUROC by method, histograms, ROC curves, shares."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from rscvae_lab import NOVEL
from rscvae_lab.figures.style import (
    GRID,
    LABELS,
    NORMAL_COLOUR,
    TRAIN_COLOUR,
    WIDEST,
    empty_figure,
    floor_lines,
    legend_below,
)
from rscvae_lab.methods import FLOORS, METHOD_COLOURS, METHOD_NAMES


def auroc_chart(table: pd.DataFrame, printed: Mapping[str, float], title: str = "") -> Figure:
    """AUROC of each method: the result, the oracle's best epoch, and the printed value, if any.

    `table` has the columns `method`, `auroc`, `auroc_best` and `error` (a standard error; bars
    extend two to each side). Rows of floors are drawn as lines.
    """
    figure, ((axis,),) = empty_figure(1, 1, (7.5, 0.5 * len(table) + 1.3))
    rows = table[~table.method.isin(FLOORS)].iloc[::-1]
    place = np.arange(len(rows))
    for y, row in zip(place, rows.itertuples()):
        axis.errorbar(row.auroc, y, xerr=2 * row.error, fmt="o", markersize=9, elinewidth=1.2,
                      capsize=3, color=METHOD_COLOURS[row.method])
        axis.annotate(f"{row.auroc:.3f}", (row.auroc, y), (0, 8), textcoords="offset points",
                      ha="center", fontsize=9)
    axis.plot(rows.auroc_best, place - 0.22, "k^", markersize=5,
              label="oracle: best evaluated epoch on test")
    if printed.keys() & set(rows.method):
        axis.plot(rows.method.map(printed), place, "kD", markersize=5, fillstyle="none",
                  label="printed in the paper")
    floor_lines(axis, table.set_index("method").auroc)
    lowest = min((table.auroc - 2 * table.error).min(), *printed.values(), 0.95)
    axis.set(yticks=place, yticklabels=rows.method.map(METHOD_NAMES), title=title,
             xlim=(np.floor(20 * lowest) / 20, 1), ylim=(-0.6, len(rows) - 0.2),
             xlabel="AUROC on the test set, ± 2 standard errors (axis cut; 0.5 is chance)")
    axis.grid(**GRID)
    legend_below(figure, axis)
    return figure


def label_histograms(axis: Axes, values: np.ndarray, labels: np.ndarray, top: float, name: str
                     ) -> None:
    """Values of normal and of novel test images in 25 bins from 0 to `top`; the last bin counts
    larger values too. `name` has the unit."""
    bins = np.linspace(0, top, 26)
    for label, group, colour in LABELS:
        clipped = np.clip(values[labels == label], 0, bins[-1])
        axis.hist(clipped, bins, density=True, color=colour, alpha=0.45,
                  label=f"test images, {group}")
        axis.hist(clipped, bins, density=True, color=colour, histtype="step", linewidth=1.4)
    axis.set_xlabel(f"{name}; last bin: and above")


def score_panels(labels: np.ndarray, scores: np.ndarray, threshold: float, auroc: float,
                 title: str = "", name: str = "novelty score (no unit)") -> Figure:
    """How a score, `name` with its unit, separates normal from novel: histograms with the
    threshold, and ROC curve."""
    figure, ((histogram, roc),) = empty_figure(1, 2, (WIDEST, 4.5), width_ratios=[1.3, 1])
    label_histograms(histogram, scores, labels, np.percentile(scores, 99), name)
    histogram.axvline(threshold, color="black", linestyle=":",
                      label="95th percentile of held-out normals")
    histogram.set(ylabel="density", title=title)
    legend_below(figure, histogram)
    roc.plot(*roc_curve(labels == NOVEL, scores)[:2], color="black")
    roc.plot([0, 1], [0, 1], color=TRAIN_COLOUR, linestyle="--")
    roc.set(xlabel="false positive rate", ylabel="true positive rate", aspect="equal",
            title=f"AUROC = {auroc:.3f}")
    return figure


def term_histograms(labels: np.ndarray, terms: Mapping[str, np.ndarray]) -> Figure:
    """One panel a term, named with its unit: normal against novel test images."""
    figure, (row,) = empty_figure(1, len(terms), (4.2 * len(terms), 3.2))
    for axis, (name, values) in zip(row, terms.items()):
        label_histograms(axis, np.asarray(values), labels, np.percentile(values, 99), name)
    row[0].set_ylabel("density")
    legend_below(figure, row[0], 2)
    return figure


def heatmap(shares: pd.DataFrame, title: str, xlabel: str, ylabel: str) -> Figure:
    """Shares (0-1) as a table of percentages; white = none, the colour of normal = all."""
    size = (1.6 + 0.75 * shares.shape[1], 1.1 + 0.33 * len(shares))
    figure, ((axis,),) = empty_figure(1, 1, size)
    colours = LinearSegmentedColormap.from_list("normal", ["white", NORMAL_COLOUR])
    sns.heatmap(shares, ax=axis, annot=True, fmt=".0%", cmap=colours, vmin=0, vmax=1, cbar=False,
                linewidths=0.5)
    axis.tick_params(axis="y", rotation=0)
    axis.set(title=title, xlabel=xlabel, ylabel=ylabel)
    return figure
