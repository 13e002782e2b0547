"""The figures of result tables: ours beside printed, class by class; what a setting changes; how much supervision."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rscvae_lab.plots import METHOD_COLOURS, METHOD_NAMES, STYLE

_ABOVE, _BELOW = "#2f855a", "#c53030"  # of ours against printed
_GRID = {"color": "#e2e8f0", "linewidth": 0.8}


def gap_chart(frame: pd.DataFrame, floor: pd.Series, title: str = "") -> Figure:
    """Ours against printed, class by class, a panel a method: the length of a line is the gap, its colour the sign.

    Args:
        frame: as `scoreboard.gaps`, of one data set; methods that the paper does not print are left out.
        floor: the AUROC of PCA by class.
    """
    shown = frame.dropna(subset="printed")
    methods = [method for method in METHOD_NAMES if method in set(shown.method)]
    classes = list(dict.fromkeys(shown.category))[::-1]
    figure, axes = _panels(len(methods), (3.1 * len(methods) + 0.8, 0.34 * len(classes) + 1.5))
    for axis, method in zip(axes, methods):
        _gap_panel(axis, shown[shown.method == method].set_index("category").loc[classes], floor.loc[classes])
        axis.set_title(METHOD_NAMES[method], color=METHOD_COLOURS[method], fontweight="bold")
        axis.set_xlabel("test AUROC (axis cut)")
    lowest = min(shown[["ours", "oracle", "printed", "low"]].min().min(), floor.min())
    axes[0].set(yticks=range(len(classes)), yticklabels=classes, ylabel="normal class",
                xlim=(np.floor(20 * lowest) / 20, 1.005))
    figure.suptitle(title, fontsize=11)
    handles = dict(zip(*reversed(axes[0].get_legend_handles_labels())))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, frameon=False)
    return figure


def _gap_panel(axis: Axes, rows: pd.DataFrame, floor: pd.Series) -> None:
    place = np.arange(len(rows))
    colours = np.where(rows.ours >= rows.printed, _ABOVE, _BELOW)
    axis.hlines(place, rows.printed, rows.ours, colors=colours, linewidth=2.5, alpha=0.55)
    axis.hlines(place, rows.low, rows.high, colors=colours, linewidth=6, alpha=0.25)
    axis.scatter(rows.ours, place, s=42, c=colours, zorder=3, label="ours, mean over seeds (shade: range)")
    axis.plot(rows.oracle, place, "k^", markersize=4, label="oracle: best epoch on test")
    axis.plot(rows.printed, place, "kD", markersize=5, fillstyle="none", label="printed in the paper")
    axis.plot(floor, place, "|", markersize=11, color=METHOD_COLOURS["pca"], markeredgewidth=2, label="PCA-32 floor")
    axis.grid(axis="y", **_GRID)


def settings_chart(changes: Mapping[str, pd.Series], title: str = "") -> Figure:
    """What each setting changes: a point a trained pair, its mean as a bar. The series are `scoreboard.change`.

    Names with a colon, `group: setting`, are set apart by group.
    """
    names = list(changes)[::-1]
    figure, axes = _panels(1, (8.6, 0.3 * len(names) + 1.4))
    axis, marks = axes[0], {"mnist": ("o", "MNIST class"), "fashion_mnist": ("s", "Fashion-MNIST class")}
    axis.axvline(0, color="black", linewidth=0.8)
    for y, name in enumerate(names):
        found = changes[name]
        axis.barh(y, found.mean(), height=0.62, color=_ABOVE if found.mean() > 0 else _BELOW, alpha=0.35)
        for dataset, (mark, label) in marks.items():
            points = found[found.index.get_level_values("dataset") == dataset]
            axis.plot(points, [y] * len(points), mark, markersize=4.5, color="#2d3748", fillstyle="none",
                      label=None if y else label)
    groups = [name.split(":")[0] for name in names]
    for y in [y for y in range(1, len(names)) if groups[y] != groups[y - 1]]:
        axis.axhline(y - 0.5, **_GRID)
    axis.set(yticks=range(len(names)), yticklabels=names, title=title, ylim=(-0.6, len(names) - 0.4),
             xlabel="change of validation AUROC (held-out normal against undrawn novel training images)")
    axis.legend(loc="best", frameon=False, fontsize=8.5)
    return figure


def proportions_chart(panels: Mapping[str, Mapping[str, pd.DataFrame]]) -> Figure:
    """Fig. 6: AUROC against the proportion of anomalies shown in training, a panel a data set, a line a source.

    Each frame has the columns `p` (0-1), `mean`, and `spread` (NaN where there is one seed).
    """
    figure, axes = _panels(len(panels), (4.6 * len(panels), 3.5), sharey=False)
    styles = {"printed in the paper": {"color": "black", "marker": "D", "fillstyle": "none", "linestyle": "none"}}
    for axis, (name, lines) in zip(axes, panels.items()):
        for label, frame in lines.items():
            style = styles.get(label, {"marker": "o"})
            axis.errorbar(100 * frame.p, frame["mean"], yerr=frame.spread.fillna(0), capsize=3, label=label, **style)
        axis.set(title=name, xlabel="anomalies shown in training (% of the class)", ylabel="mean AUROC over classes")
        axis.grid(axis="y", **_GRID)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def _panels(n: int, size: tuple[float, float], sharey: bool = True) -> tuple[Figure, np.ndarray]:
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, n, figsize=size, squeeze=False, layout="constrained", sharey=sharey,
                                    sharex=sharey)
    plt.close(figure)
    return figure, axes[0]
