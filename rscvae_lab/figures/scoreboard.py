"""Figures of result tables: ours beside the paper's, the effect of settings, supervision."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rscvae_lab.figures.style import (
    FONT,
    GRID,
    WIDEST,
    empty_figure,
    floor_lines,
    legend_below,
    two_a_row,
)
from rscvae_lab.methods import FLOORS, METHOD_COLOURS, METHOD_NAMES

BETTER_COLOUR, WORSE_COLOUR = "#319795", "#d53f8c"  # of no method and no label
CHANCE = 0.005  # of a mean AUROC over the four classes: about what another seed changes
ORACLE = "oracle: best epoch on test"
OURS = {"fmt": "o", "markersize": 9, "capsize": 3}
PRINTED = {"marker": "D", "color": "black", "linestyle": "none", "fillstyle": "none"}


def means_chart(boards: Mapping[str, pd.DataFrame]) -> Figure:
    """The scoreboard, a panel a data set: mean AUROC of each method, ours, the oracle's and the
    printed one. Boards are those of `scoreboard.scoreboard`; floors are drawn as lines."""
    methods = [name for name in next(iter(boards.values())).index if name not in FLOORS][::-1]
    figure, row = _method_panels(boards, methods, 3.3, -0.3)
    place = np.arange(len(methods))
    for axis, board in zip(row, boards.values()):
        rows = board.loc[methods]
        floor_lines(axis, board.ours)
        for y, (method, ours, spread) in enumerate(zip(methods, rows.ours, rows.spread.fillna(0))):
            axis.errorbar(ours, y, xerr=spread, color=METHOD_COLOURS[method], **OURS)
            axis.annotate(f"{ours:.3f}", (ours, y), (0, 8), textcoords="offset points",
                          ha="center", bbox={"fc": "white", "ec": "none", "pad": 0.5})
        axis.plot(rows.oracle, place - 0.25, "k^", markersize=5, label=ORACLE)
        axis.plot(rows.recomputed, place, markersize=6, label="paper: mean of the printed rows",
                  **PRINTED)
        axis.margins(x=0.1)  # a number stands clear of the axis
    legend_below(figure, row[0])
    return figure


def floor_chart(panels: Mapping[str, pd.DataFrame], floors: Mapping[str, str]) -> Figure:
    """What each method adds to the best floor, a panel a data set, as differences of AUROC. Frames
    have a row a method with `mean`, `low` and `high`; `floors` says what each panel's zero is."""
    methods = list(next(iter(panels.values())).index)[::-1]
    figure, row = _method_panels(panels, methods, 3.4, -0.3)
    for axis, (name, frame) in zip(row, panels.items()):
        axis.axvline(0, color=METHOD_COLOURS["pca"], linewidth=1.5)
        for y, method in enumerate(methods):
            mean, low, high = frame.loc[method, ["mean", "low", "high"]]
            axis.errorbar(mean, y, xerr=[[mean - low], [high - mean]],
                          color=METHOD_COLOURS[method], **OURS)
            axis.annotate(f"{mean:+.3f}", (mean, y), (0, 8), textcoords="offset points",
                          ha="center", bbox={"fc": "white", "ec": "none", "pad": 0.5})
        axis.set(title=f"{name}\n0 = {floors[name]}",
                 xlabel="mean AUROC above the floor, 95 % interval")
    return figure


def compared_chart(boards: Mapping[str, pd.DataFrame]) -> Figure:
    """Mean AUROC of the compared methods by source, a panel a data set; boards as those of
    `scoreboard.compared`."""
    compared = {method for board in boards.values() for method, _ in board.index} - set(FLOORS)
    methods = [method for method in METHOD_NAMES if method in compared][::-1]
    figure, row = _method_panels(boards, methods, 3.5, -0.4)
    place = np.arange(len(methods))
    for axis, board in zip(row, boards.values()):
        means = board["mean"].unstack().reindex(columns=["ours", "printed", "own paper"])
        spread = board.spread.unstack().fillna(0).ours
        floor_lines(axis, means.ours)
        means = means.reindex(methods)
        for y, method in enumerate(methods):
            axis.errorbar(means.ours[method], y, xerr=spread.get(method, 0),
                          color=METHOD_COLOURS[method], **OURS)
        axis.errorbar([], [], xerr=[], color="#a0aec0", label="ours, ± half the range over seeds",
                      **OURS)
        axis.plot(means.printed, place, markersize=6, label="paper: mean of the printed rows",
                  **PRINTED)
        axis.plot(means["own paper"], place + 0.3, "k*", markersize=9, fillstyle="none",
                  label="its own paper")
    legend_below(figure, row[0], 4)
    return figure


def _method_panels(boards: Mapping[str, pd.DataFrame], methods: Sequence[str], height: float,
                   margin: float) -> tuple[Figure, Sequence[Axes]]:
    """A panel a board, a line a method."""
    figure, (row,) = empty_figure(1, len(boards), (WIDEST, height), sharex=True, sharey=True)
    for axis, name in zip(row, boards):
        axis.set(title=name, xlabel="mean AUROC over ten classes (axis cut)",
                 ylim=(-0.6, len(methods) + margin))
        axis.grid(**GRID)
    names = [METHOD_NAMES[method] for method in methods]
    row[0].set(yticks=range(len(methods)), yticklabels=names)
    return figure, row


def gap_chart(frame: pd.DataFrame, floor: pd.Series, title: str = "") -> Figure:
    """Ours against the printed AUROC, class by class, a panel a method that the paper prints: the
    length of a line is the gap, its colour the sign. `frame` is one of `scoreboard.gaps`, of one
    data set; `floor` is the AUROC of the best floor by class."""
    frame = frame.dropna(subset="printed")
    methods = [method for method in METHOD_NAMES if method in set(frame.method)]
    classes = list(dict.fromkeys(frame.category))[::-1]
    lowest = min(frame[["ours", "oracle", "printed", "low"]].min().min(), floor.min())
    figure, row = two_a_row(len(methods), 0.25 * len(classes) + 0.8)
    for axis, method in zip(row, methods):
        rows = frame[frame.method == method].set_index("category").loc[classes]
        _gap_panel(axis, rows, floor.loc[classes])
        axis.set_title(METHOD_NAMES[method], color=METHOD_COLOURS[method], fontweight="bold")
        axis.set(yticks=range(len(classes)), yticklabels=classes, ylabel="normal class",
                 xlabel="test AUROC (axis cut)", xlim=(np.floor(20 * lowest) / 20, 1.005))
        axis.locator_params(axis="x", nbins=5)  # else their numbers touch
    figure.suptitle(title, fontsize=FONT)
    legend_below(figure, row[0], 3)
    return figure


def _gap_panel(axis: Axes, rows: pd.DataFrame, floor: pd.Series) -> None:
    place = np.arange(len(rows))
    colours = np.where(rows.ours >= rows.printed, BETTER_COLOUR, WORSE_COLOUR)
    axis.hlines(place, rows.printed, rows.ours, colors=colours, linewidth=2.5, alpha=0.55)
    axis.hlines(place, rows.low, rows.high, colors=colours, linewidth=6, alpha=0.25)  # over seeds
    for colour, side in ((BETTER_COLOUR, "above"), (WORSE_COLOUR, "below")):
        chosen = colours == colour
        axis.scatter(rows.ours[chosen], place[chosen], s=42, color=colour, zorder=3,
                     label=f"ours, {side} the paper's")
    axis.plot(rows.oracle, place, "k^", markersize=4, label=ORACLE)
    axis.plot(rows.printed, place, markersize=5, label="printed in the paper", **PRINTED)
    axis.plot(floor, place, "|", markersize=11, color=METHOD_COLOURS["pca"], markeredgewidth=2,
              label="best floor")
    axis.grid(**GRID)


def settings_chart(changes: Mapping[str, pd.Series], title: str = "",
                   xlabel: str = "change of validation AUROC") -> Figure:
    """The effect of each setting: a point a pair of trainings, the mean as a bar and a number;
    shaded where a mean may move by chance. `changes` are those of `scoreboard.changes`; names with
    a colon, `group: setting`, are separated by group."""
    names = list(changes)[::-1]
    figure, ((axis,),) = empty_figure(1, 1, (WIDEST, 0.33 * len(names) + 1.5))
    marks = {"mnist": ("o", "a class of MNIST", "#1a202c"),
             "fashion_mnist": ("s", "a class of Fashion-MNIST", "#b7791f")}
    axis.axvspan(-CHANCE, CHANCE, color="black", alpha=0.06, zorder=0,
                 label=f"within {CHANCE}: chance, for a mean; one class moves by .01 to .03")
    axis.axvline(0, color="black", linewidth=0.8)
    for y, name in enumerate(names):
        values = changes[name]
        axis.barh(y, values.mean(), height=0.62, alpha=0.35,
                  color=BETTER_COLOUR if values.mean() > 0 else WORSE_COLOUR)
        axis.text(1.01, y, f"{values.mean():+.3f}", transform=axis.get_yaxis_transform(),
                  va="center")
        for dataset, (mark, label, colour) in marks.items():
            points = values[values.index.get_level_values("dataset") == dataset]
            axis.plot(points, [y] * len(points), mark, markersize=6, color=colour,
                      fillstyle="none", markeredgewidth=1.3, label=None if y else label)
    groups = [name.split(":")[0] for name in names]
    for y in range(1, len(names)):
        if groups[y] != groups[y - 1]:
            axis.axhline(y - 0.5, color="black", linewidth=0.8)
    axis.set(yticks=range(len(names)), yticklabels=names, xlabel=xlabel,
             ylim=(-0.6, len(names) - 0.4))
    axis.set_title(title)
    axis.text(1.01, 1, "mean", transform=axis.transAxes, va="bottom")
    legend_below(figure, axis)
    return figure


def supervision_chart(panels: Mapping[str, Mapping[str, pd.DataFrame]]) -> Figure:
    """Fig. 6: AUROC against the number of anomalies in training; a line a source, the second
    of ours dashed, each point with its value. Each frame has the columns `n` (anomalies), `mean`
    and `spread` (NaN: one seed). Sources whose names begin with `printed` are marks."""
    figure, (row,) = empty_figure(1, len(panels), (WIDEST, 4))
    for axis, (name, lines) in zip(row, panels.items()):
        colour = {"color": METHOD_COLOURS["e"]}
        ours = cycle(((colour | {"marker": "o"}, (0, -16), "center"),
                      (colour | {"marker": "s", "linestyle": "--"}, (9, -4), "left")))
        for label, frame in lines.items():
            style, place, align = ((PRINTED, (0, 8), "center") if label.startswith("printed")
                                   else next(ours))
            axis.errorbar(frame.n, frame["mean"], yerr=frame.spread.fillna(0), capsize=3,
                          label=label, **style)
            for x, value in zip(frame.n, frame["mean"]):
                axis.annotate(f"{value:.3f}", (x, value), place, textcoords="offset points",
                              ha=align, bbox={"fc": "white", "ec": "none", "pad": 1})
        counts = sorted({n for frame in lines.values() for n in frame.n})
        axis.set(xscale="log", xlabel="anomalies in training (log scale)",
                 ylabel="mean AUROC over classes (axis cut)")
        axis.set_title(name)
        axis.margins(0.15)
        axis.set_xticks(counts, [f"{n:.0f}" for n in counts])
        axis.minorticks_off()
        axis.grid(**GRID)
    legend_below(figure, row[0])
    return figure


def parts_chart(board: pd.DataFrame, method: str = "o") -> Figure:
    """Is it the lamp? A line a category of industrial images: the AUROC of mean brightness and of
    the best other floor beside a method's, by Eq. 15 (with its range over seeds) and by the local
    score, and the printed one. `board` is one of `industrial.board`."""
    names = list(dict.fromkeys(board.category))[::-1]
    figure, ((axis,),) = empty_figure(1, 1, (WIDEST, 0.6 * len(names) + 1.6))
    wide = board.pivot(index="category", columns="method", values="ours").reindex(names)
    own = board[board.method == method].set_index("category").reindex(names)
    place, label, colour = np.arange(len(names)), METHOD_NAMES[method], METHOD_COLOURS[method]
    axis.axvline(0.5, color="black", linewidth=0.8)
    floors = wide.reindex(columns=list(FLOORS)).max(axis=1)
    for values, mark, name in (
            (wide.get("brightness"), {"marker": "*", "markersize": 13, "color": "#d69e2e"},
             METHOD_NAMES["brightness"]),
            (floors, {"marker": "|", "markersize": 16, "markeredgewidth": 2,
                         "color": METHOD_COLOURS["pca"]}, "best other floor"),
            (own.ours, {"marker": "o", "markersize": 8, "color": colour}, f"{label}, Eq. 15"),
            (own.local, {"marker": "s", "markersize": 8, "color": colour,
                            "fillstyle": "none"}, f"{label}, local score"),
            (own.printed, PRINTED, f"{label}, printed")):
        if values is not None:
            axis.plot(values, place, **{"linestyle": "none"} | mark, label=name)
    axis.hlines(place, own.low, own.high, colors=colour, linewidth=6, alpha=0.25)
    counts = board.drop_duplicates("category").set_index("category").loc[names]
    axis.set(yticks=place, ylim=(-0.6, len(names) - 0.4),
             yticklabels=[f"{name}\n{row.n_test_normal} good, {row.n_test_novel} defective"
                          for name, row in zip(names, counts.itertuples())],
             xlabel="test AUROC (0.5 is chance)")
    axis.grid(**GRID)
    legend_below(figure, axis, 5, markerscale=1)
    return figure
