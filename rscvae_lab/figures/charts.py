"""The figures of result tables: ours beside printed, class by class; what a setting changes; how much supervision."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rscvae_lab.figures.plots import METHOD_COLOURS, METHOD_NAMES, empty_figure

_ABOVE, _BELOW = "#319795", "#d53f8c"  # no method and no label has these colours
_GRID = {"color": "#e2e8f0", "linewidth": 0.8}


def means_chart(boards: Mapping[str, pd.DataFrame]) -> Figure:
    """The scoreboard at a glance, a panel a data set: mean AUROC of each method, ours, the oracle's and the printed.

    Each board is one of `scoreboard.scoreboard`; the row `pca` is drawn as the floor.
    """
    figure, (axes,) = empty_figure(1, len(boards), (4.9 * len(boards) + 0.8, 3.3), sharex=True, sharey=True)
    methods = [method for method in next(iter(boards.values())).index if method != "pca"][::-1]
    for axis, (name, board) in zip(axes, boards.items()):
        rows, place = board.loc[methods], np.arange(len(methods))
        axis.axvline(board.ours["pca"], color=METHOD_COLOURS["pca"], linestyle="--", label="PCA-32 floor")
        for y, (method, row) in enumerate(rows.iterrows()):
            axis.errorbar(row.ours, y, xerr=np.nan_to_num(row.spread), fmt="o", markersize=9, capsize=3,
                          color=METHOD_COLOURS[method])
            axis.annotate(f"{row.ours:.3f}", (row.ours, y), (0, 8), textcoords="offset points", ha="center",
                          bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})
        axis.plot(rows.oracle, place - 0.25, "k^", markersize=5, label="oracle: best epoch on test")
        axis.plot(rows.recomputed, place, "kD", markersize=6, fillstyle="none", label="paper: mean of the printed rows")
        axis.set(title=name, xlabel="mean AUROC over ten classes (axis cut)", ylim=(-0.6, len(methods) - 0.3))
        axis.grid(axis="y", **_GRID)
    axes[0].set(yticks=range(len(methods)), yticklabels=[METHOD_NAMES[method] for method in methods])
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def rivals_chart(boards: Mapping[str, pd.DataFrame]) -> Figure:
    """Mean AUROC of the compared methods by source, a panel a data set; boards as `scoreboard.rivals`."""
    figure, (axes,) = empty_figure(1, len(boards), (4.9 * len(boards) + 0.8, 3.5), sharex=True, sharey=True)
    found = {method for board in boards.values() for method, _ in board.index}
    methods = [method for method in METHOD_NAMES if method in found - {"pca"}][::-1]
    for axis, (name, board) in zip(axes, boards.items()):
        _rivals_panel(axis, board, methods)
        axis.set(title=name, xlabel="mean AUROC over ten classes (axis cut)", ylim=(-0.6, len(methods) - 0.4))
    axes[0].set(yticks=range(len(methods)), yticklabels=[METHOD_NAMES[method] for method in methods])
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return figure


def _rivals_panel(axis: Axes, board: pd.DataFrame, methods: Sequence[str]) -> None:
    means, spread = board["mean"].unstack(), board.spread.unstack().fillna(0).ours
    place = pd.Series(range(len(methods)), methods)
    axis.axvline(means.ours["pca"], color=METHOD_COLOURS["pca"], linestyle="--", label="PCA-32 floor, ours")
    ours = {"fmt": "o", "markersize": 9, "capsize": 3}
    for method in means.index.drop("pca"):
        axis.errorbar(means.ours[method], place[method], xerr=spread[method], color=METHOD_COLOURS[method], **ours)
    axis.errorbar([], [], xerr=[], color="#a0aec0", label="ours, ± half the range over seeds", **ours)
    others = {"printed": ("kD", 6, 0, "paper: mean of the printed rows"), "own paper": ("k*", 9, 0.3, "its own paper")}
    for source, (mark, size, up, label) in others.items():
        values = means.reindex(index=methods, columns=[source])[source]
        axis.plot(values, place + up, mark, markersize=size, fillstyle="none", label=label)
    axis.grid(axis="y", **_GRID)


def gap_chart(frame: pd.DataFrame, floor: pd.Series, title: str = "") -> Figure:
    """Ours against printed, class by class, a panel a method: the length of a line is the gap, its colour the sign.

    Args:
        frame: as `scoreboard.gaps`, of one data set; methods that the paper does not print are left out.
        floor: the AUROC of PCA by class.
    """
    shown = frame.dropna(subset="printed")
    methods = [method for method in METHOD_NAMES if method in set(shown.method)]
    classes = list(dict.fromkeys(shown.category))[::-1]
    size = (2.6 * len(methods) + 0.8, 0.34 * len(classes) + 1.5)
    figure, (axes,) = empty_figure(1, len(methods), size, sharex=True, sharey=True)
    for axis, method in zip(axes, methods):
        _gap_panel(axis, shown[shown.method == method].set_index("category").loc[classes], floor.loc[classes])
        axis.set_title(METHOD_NAMES[method], color=METHOD_COLOURS[method], fontweight="bold")
        axis.set_xlabel("test AUROC (axis cut)")
    lowest = min(shown[["ours", "oracle", "printed", "low"]].min().min(), floor.min())
    axes[0].set(yticks=range(len(classes)), yticklabels=classes, ylabel="normal class",
                xlim=(np.floor(20 * lowest) / 20, 1.005))
    figure.suptitle(title, fontsize=11)
    handles = dict(zip(*reversed(axes[0].get_legend_handles_labels())))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=5, frameon=False)
    return figure


def _gap_panel(axis: Axes, rows: pd.DataFrame, floor: pd.Series) -> None:
    place = np.arange(len(rows))
    colours = np.where(rows.ours >= rows.printed, _ABOVE, _BELOW)
    axis.hlines(place, rows.printed, rows.ours, colors=colours, linewidth=2.5, alpha=0.55)
    axis.hlines(place, rows.low, rows.high, colors=colours, linewidth=6, alpha=0.25)  # over seeds
    for colour, side in ((_ABOVE, "above"), (_BELOW, "below")):
        chosen = colours == colour
        axis.scatter(rows.ours[chosen], place[chosen], s=42, color=colour, zorder=3, label=f"ours, {side} the print")
    axis.plot(rows.oracle, place, "k^", markersize=4, label="oracle: best epoch on test")
    axis.plot(rows.printed, place, "kD", markersize=5, fillstyle="none", label="printed in the paper")
    axis.plot(floor, place, "|", markersize=11, color=METHOD_COLOURS["pca"], markeredgewidth=2, label="PCA-32 floor")
    axis.grid(axis="y", **_GRID)


def settings_chart(changes: Mapping[str, pd.Series], title: str = "",
                   xlabel: str = "change of validation AUROC (held-out normal against undrawn novel training images)"
                   ) -> Figure:
    """What each setting changes: a point a trained pair, the mean as a bar; series of `scoreboard.changes`.

    Names with a colon, `group: setting`, are set apart by group.
    """
    names = list(changes)[::-1]
    figure, ((axis,),) = empty_figure(1, 1, (8.6, 0.3 * len(names) + 1.4))
    marks = {"mnist": ("o", "MNIST class"), "fashion_mnist": ("s", "Fashion-MNIST class")}
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
    axis.set(yticks=range(len(names)), yticklabels=names, title=title, ylim=(-0.6, len(names) - 0.4), xlabel=xlabel)
    axis.legend(loc="best", frameon=False, fontsize=8.5)
    return figure


def supervision_chart(panels: Mapping[str, Mapping[str, pd.DataFrame]]) -> Figure:
    """Fig. 6: AUROC against the number of anomalies shown in training, a panel a data set, a line a source.

    Each frame has the columns `n` (anomalies), `mean`, and `spread` (NaN where there is one seed). Sources whose names
    begin with `printed` are drawn as marks.
    """
    figure, (axes,) = empty_figure(1, len(panels), (4.6 * len(panels), 3.6))
    for axis, (name, lines) in zip(axes, panels.items()):
        for label, frame in lines.items():
            style = {"color": METHOD_COLOURS["e"], "marker": "o"}
            if label.startswith("printed"):
                style = {"color": "black", "marker": "D", "fillstyle": "none", "linestyle": "none"}
            axis.errorbar(frame.n, frame["mean"], yerr=frame.spread.fillna(0), capsize=3, label=label, **style)
        shown = sorted({n for frame in lines.values() for n in frame.n})
        axis.set(title=name, xscale="log", xlabel="anomalies shown in training (log scale)",
                 ylabel="mean AUROC over classes")
        axis.set_xticks(shown, [f"{n:.0f}" for n in shown])
        axis.minorticks_off()
        axis.grid(axis="y", **_GRID)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def before_after_chart(panels: Mapping[str, pd.DataFrame], before: str, after: str,
                       rising: Collection[str] = ()) -> Figure:
    """One quantity a panel, one class a row: from the method `before` (open mark) to `after` (filled).

    Each frame has a row a class and the two methods as columns. Lines and filled marks are teal where the change is for
    the better, a fall, or a rise in panels named in `rising`; else pink. Panels' titles count them.
    """
    classes = list(next(iter(panels.values())).index)[::-1]
    size = (2.5 * len(panels) + 0.8, 0.32 * len(classes) + 1.4)
    figure, (axes,) = empty_figure(1, len(panels), size, sharey=True)
    place = np.arange(len(classes))
    for axis, (name, frame) in zip(axes, panels.items()):
        frame = frame.reindex(classes)
        better = frame[after] > frame[before] if name in rising else frame[after] < frame[before]
        colours = np.where(better, _ABOVE, _BELOW)
        axis.hlines(place, frame[before], frame[after], colors=colours, linewidth=2.5, alpha=0.5)
        axis.plot(frame[before], place, "o", color="black", fillstyle="none", label=METHOD_NAMES[before])
        axis.scatter(frame[after], place, s=36, c=colours, zorder=3)
        axis.set(xlabel=name, title=f"{'rises' if name in rising else 'falls'} in {better.sum()} of {len(better)}")
        axis.grid(axis="y", **_GRID)
    axes[0].set(yticks=place, yticklabels=classes, ylabel="normal class")
    for colour, verdict in ((_ABOVE, "better"), (_BELOW, "worse")):
        axes[0].plot([], [], "o", color=colour, label=f"{METHOD_NAMES[after]}, {verdict}")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def square(size: float = 3.8) -> tuple[Figure, Axes]:
    """An empty figure with one square axis, for a notebook to draw on; shown when it is a cell's last value."""
    figure, ((axis,),) = empty_figure(1, 1, (size + 0.4, size))
    return figure, axis
