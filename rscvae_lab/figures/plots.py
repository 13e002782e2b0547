"""The figures of the course: arrays and data frames in, a matplotlib figure out. One colour each, everywhere."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from sklearn.metrics import roc_curve

from rscvae_lab import NORMAL, NOVEL
from rscvae_lab.methods import METHOD_COLOURS, METHOD_NAMES

NORMAL_COLOUR, NOVEL_COLOUR, TRAIN_COLOUR = "#2b6cb0", "#dd6b20", "#a0aec0"
REGION_COLOURS = {"normal": "#bee3f8", "anomalous": "#feebc8", "unknown": "#e2e8f0"}
_LABEL = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1}

STYLE = {"axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 11, "axes.labelsize": 10,
          "figure.dpi": 90, "savefig.dpi": 90, "font.size": 9.5}


def empty_figure(rows: int, columns: int, size: tuple[float, float], **kwargs) -> tuple[Figure, np.ndarray]:
    """A figure that pyplot forgets at once, so that a notebook shows it exactly once."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained", **kwargs)
    plt.close(figure)
    return figure, axes


def picture_rows(rows: Mapping[str, np.ndarray], columns: Sequence[str] | None = None, title: str = "") -> Figure:
    """Named rows of grey pictures, each (n, 1, S, S) or (n, S, S), uint8 or float in [0, 1]; columns may be named."""
    pictures = {name: np.asarray(images).reshape(len(images), *np.shape(images)[-2:]) for name, images in rows.items()}
    n = max(map(len, pictures.values()))
    size = (1.6 + 0.85 * n, 0.1 + 0.95 * len(pictures) + 0.5 * bool(title or columns))
    figure, axes = empty_figure(len(pictures), n, size)
    for row, (name, images) in zip(axes, pictures.items(), strict=True):
        for axis, image in zip(row, images):
            axis.imshow(image, cmap="gray", vmin=0, vmax=255 if image.dtype == np.uint8 else 1, interpolation="nearest")
        for axis in row:
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=9.5)
    for axis, name in zip(axes[0], columns or ()):
        axis.set_title(name, fontsize=9)
    figure.suptitle(title, fontsize=11)
    return figure


def learning_curves(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """By epoch and method: reconstruction error and information of training normals, test AUROC where evaluated."""
    figure, axes = empty_figure(1, 3, (11, 3.2))
    recon, enc1, auroc = axes[0]
    for method, history in histories.items():
        style = {"color": METHOD_COLOURS[method], "label": METHOD_NAMES[method], "linewidth": 1.5,
                 "marker": "o" if len(history) < 5 else None}
        recon.plot(history.epoch, history.recon, **style)
        enc1.plot(history.epoch, history.enc1, **style)
    for method, history in histories.items():
        evaluated = history.dropna(subset="auroc")
        scored = {"vae": evaluated.auroc_recon, "recode_vae": evaluated.auroc} if method == "vae" else {
            method: evaluated.auroc}
        for name, values in scored.items():
            auroc.plot(evaluated.epoch, values, "o-", markersize=3, color=METHOD_COLOURS[name],
                       label=METHOD_NAMES[name])
    recon.set(xlabel="epoch", ylabel="$l_{recon}$ (grey levels per image, log scale)", title="training normals: error")
    enc1.set(xlabel="epoch", ylabel="$l_{enc1}$ (nats per image, log scale)", title="training normals: information")
    auroc.set(xlabel="epoch", ylabel="AUROC (each by its own score)", title="test images, evaluated epochs")
    for axis in (recon, enc1):
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.minorticks_off()
    auroc.legend(frameon=False, fontsize=8)
    return figure


def auroc_chart(table: pd.DataFrame, printed: Mapping[str, float], title: str = "") -> Figure:
    """AUROC of each method: the result, the oracle's best epoch, and the paper's printed value where there is one.

    `table` has the columns `method`, `auroc`, `auroc_best` and `error` (a standard error, drawn twice to each side);
    the row of method `pca` is drawn as the floor.
    """
    figure, axes = empty_figure(1, 1, (7.5, 0.5 * len(table) + 1.3))
    axis, shown = axes[0, 0], table[table.method != "pca"].iloc[::-1]
    place = np.arange(len(shown))
    for y, row in zip(place, shown.itertuples()):
        axis.errorbar(row.auroc, y, xerr=2 * row.error, fmt="o", markersize=9, color=METHOD_COLOURS[row.method],
                      elinewidth=1.2, capsize=3)
        axis.annotate(f"{row.auroc:.3f}", (row.auroc, y), (0, 8), textcoords="offset points", ha="center", fontsize=9)
    axis.plot(shown.auroc_best, place - 0.22, "k^", markersize=5, label="oracle: best evaluated epoch on test")
    marks = [(printed[method], y) for y, method in zip(place, shown.method) if method in printed]
    if marks:
        axis.plot(*zip(*marks), "kD", markersize=5, fillstyle="none", label="printed in the paper")
    for floor in table[table.method == "pca"].auroc:
        axis.axvline(floor, color=METHOD_COLOURS["pca"], linestyle="--", label=f"PCA-32 floor: {floor:.3f}")
    lowest = min((table.auroc - 2 * table.error).min(), *printed.values(), 0.95)
    axis.set(yticks=place, yticklabels=[METHOD_NAMES[method] for method in shown.method], title=title,
             xlim=(np.floor(20 * lowest) / 20, 1), ylim=(-0.6, len(shown) - 0.2),
             xlabel="AUROC on the test set, ± 2 standard errors (axis cut; 0.5 is chance)")
    axis.grid(axis="y", color="#e2e8f0")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def _two_histograms(axis: Axes, values: np.ndarray, labels: np.ndarray, top: float, unit: str) -> None:
    """Normal and novel in their colours over 25 bins up to `top`; the last one also counts what lies beyond."""
    bins = np.linspace(0, top, 26)
    for label, name, colour in ((NORMAL, "normal", NORMAL_COLOUR), (NOVEL, "novel", NOVEL_COLOUR)):
        shown = np.clip(values[labels == label], 0, bins[-1])
        axis.hist(shown, bins, density=True, color=colour, alpha=0.45, label=f"test images, {name}")
        axis.hist(shown, bins, density=True, color=colour, histtype="step", linewidth=1.4)
    axis.set_xlabel(f"{unit}; last bin: and above")


def score_panels(labels: np.ndarray, scores: np.ndarray, threshold: float, auroc: float, title: str = "") -> Figure:
    """How a score separates normal from novel: its two histograms with the threshold, and the ROC curve."""
    figure, axes = empty_figure(1, 2, (9, 3.4), width_ratios=[1.6, 1])
    histogram, roc = axes[0]
    _two_histograms(histogram, scores, labels, np.percentile(scores, 99), "novelty score (no unit)")
    histogram.axvline(threshold, color="black", linestyle=":", label="95th percentile of held-out normals")
    histogram.set(ylabel="density", title=title)
    figure.legend(*histogram.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    false_positive, true_positive, _ = roc_curve(labels == NOVEL, scores)
    roc.plot(false_positive, true_positive, color="black")
    roc.plot([0, 1], [0, 1], color=TRAIN_COLOUR, linestyle="--")
    roc.set(xlabel="false positive rate", ylabel="true positive rate", aspect="equal", title=f"AUROC = {auroc:.3f}")
    return figure


def consistency(panels: Mapping[str, pd.DataFrame], s_a: Mapping[str, float], title: str = "") -> Figure:
    """Eq. 17 for each method: both components of every test normal, then the ratios a_i whose spread is S_a.

    Each frame has the columns `l_recon` and `l_mut` of test normals.
    """
    figure, axes = empty_figure(1, len(panels) + 1, (3.6 * len(panels) + 3.6, 3.6))
    components = ["l_recon", "l_mut"]
    relative = {method: frame[components] / frame[components].mean() for method, frame in panels.items()}
    top = 1.05 * max(frame.to_numpy().max() for frame in relative.values())
    for axis, (method, frame) in zip(axes[0], relative.items()):
        recon, mut = frame.l_recon, frame.l_mut
        axis.scatter(recon, mut, s=10, alpha=0.5, color=NORMAL_COLOUR, linewidths=0)
        axis.axline((0, 0), slope=1, color="black", linewidth=0.8, label="$a_i = 1$")
        axis.set(xlabel=r"$l_{recon}$ / mean (no unit)", ylabel=r"$l_{mut}$ / mean (no unit)", aspect="equal",
                 title=METHOD_NAMES[method], xlim=(0, top), ylim=(0, top))
        axes[0, -1].hist(mut / recon, np.linspace(0, 4, 33), histtype="step", color=METHOD_COLOURS[method],
                         linewidth=1.6, label=f"{METHOD_NAMES[method]}: $S_a$ = {s_a[method]:.3f}")
    axes[0, 0].legend(loc="upper left", frameon=False)
    axes[0, -1].set(xlabel="$a_i$ (no unit)", ylabel="normal test images", title="the ratios")
    axes[0, -1].legend(frameon=False)
    figure.suptitle(title)
    return figure


def embeddings(panels: Mapping[str, pd.DataFrame]) -> Figure:
    """Fig. 7: a t-SNE map of codes per method. Each frame: `x`, `y`, `group` (train, normal or novel)."""
    figure, axes = empty_figure(1, len(panels), (4.2 * len(panels), 4.4))
    groups = {"train": ("training images, normal", {"facecolors": "none", "edgecolors": TRAIN_COLOUR, "s": 14}),
              "novel": ("test images, novel", {"color": NOVEL_COLOUR, "s": 9, "alpha": 0.7, "linewidths": 0}),
              "normal": ("test images, normal", {"color": NORMAL_COLOUR, "s": 18, "linewidths": 0})}
    for axis, (method, frame) in zip(axes[0], panels.items(), strict=True):
        for group, (name, style) in groups.items():
            points = frame[frame.group == group]
            axis.scatter(points.x, points.y, label=name, **style)
        axis.set(xticks=[], yticks=[], title=METHOD_NAMES[method], xlabel="t-SNE 1 (no unit)",
                 ylabel="t-SNE 2 (no unit)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def information(panels: Mapping[str, pd.DataFrame], borders: Mapping[str, float]) -> Figure:
    """What each code says, per method: histograms of l_enc1, normal against novel, and the unknown region.

    Each frame has the columns `label` and `l_enc1` of test images.
    """
    figure, axes = empty_figure(1, len(panels), (4 * len(panels), 3.3), sharey=True)
    top = max(np.percentile(frame.l_enc1, 99) for frame in panels.values())
    for axis, (method, frame) in zip(axes[0], panels.items(), strict=True):
        _two_histograms(axis, frame.l_enc1.to_numpy(), frame.label.to_numpy(), top, "information $l_{enc1}$ (nats)")
        axis.axvspan(0, borders[method], color="black", alpha=0.08, label="unknown region", zorder=0)
        axis.set_title(f"{METHOD_NAMES[method]}: unknown below {borders[method]:.1f} nats")
    axes[0, 0].set_ylabel("density")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def region_plane(axis: Axes, frame: pd.DataFrame, least_information: float, farthest: float, top: tuple[float, float],
                 most: int = 400) -> None:
    """The plane of the regions: distance across, information up, the three regions shaded, test images as points.

    `frame` has `label`, `distance` and `l_enc1`; of more than `most` images of a label the first are drawn.
    """
    right, up = top
    axis.axhspan(0, least_information, color=REGION_COLOURS["unknown"], zorder=0)
    axis.fill_between([0, farthest], least_information, up, color=REGION_COLOURS["normal"], linewidth=0, zorder=0)
    axis.fill_between([farthest, right], least_information, up, color=REGION_COLOURS["anomalous"], linewidth=0,
                      zorder=0)
    for label, name, colour in ((NORMAL, "normal", NORMAL_COLOUR), (NOVEL, "novel", NOVEL_COLOUR)):
        shown = frame[frame.label == label].iloc[:most]
        axis.plot(shown.distance, shown.l_enc1, ".", markersize=4, alpha=0.7, color=colour, label=f"test, {name}",
                  zorder=3 - label)
    for x, name, align in ((0.01, "normal\nregion", "left"), (0.99, "anomalous\nregion", "right")):
        axis.text(x, 0.99, name, transform=axis.transAxes, ha=align, va="top", fontsize=8.5, bbox=_LABEL)
    axis.text(0.99 * right, 0.03 * up, "unknown region", ha="right", va="bottom", fontsize=8.5, bbox=_LABEL)
    axis.set(xlim=(0, right), ylim=(0, up), xlabel="distance to normal codes (no unit)",
             ylabel="information $l_{enc1}$ (nats)")


def planes(panels: Mapping[str, pd.DataFrame], borders: Mapping[str, tuple[float, float]]) -> Figure:
    """The regions of each method with its test images: frames as in `region_plane`, borders (nats, distance)."""
    figure, axes = empty_figure(1, len(panels), (3.9 * len(panels) + 0.3, 4.1), sharey=True)
    up = 1.05 * max(frame.l_enc1.quantile(0.995) for frame in panels.values())
    right = 1.05 * max(max(frame.distance.quantile(0.995), borders[method][1]) for method, frame in panels.items())
    for axis, (method, frame) in zip(axes[0], panels.items()):
        region_plane(axis, frame, *borders[method], (right, up))
        axis.set_title(METHOD_NAMES[method])
    for axis in axes[0, 1:]:
        axis.set_ylabel("")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def heatmap(shares: pd.DataFrame, title: str, xlabel: str, ylabel: str) -> Figure:
    """Shares (0-1) as a table of percentages; white = none, the colour of normal = all."""
    figure, axes = empty_figure(1, 1, (1.6 + 0.75 * shares.shape[1], 1.1 + 0.33 * len(shares)))
    colours = LinearSegmentedColormap.from_list("normal", ["white", NORMAL_COLOUR])
    sns.heatmap(shares, ax=axes[0, 0], annot=True, fmt=".0%", cmap=colours, vmin=0, vmax=1, cbar=False, linewidths=0.5)
    axes[0, 0].tick_params(axis="y", rotation=0)
    axes[0, 0].set(title=title, xlabel=xlabel, ylabel=ylabel)
    return figure


def term_histograms(labels: np.ndarray, terms: Mapping[str, np.ndarray]) -> Figure:
    """One panel a term, named with its unit: normal against novel test images."""
    figure, axes = empty_figure(1, len(terms), (4.2 * len(terms), 3.2))
    for axis, (name, values) in zip(axes[0], terms.items()):
        _two_histograms(axis, np.asarray(values), labels, np.percentile(values, 99), name)
    axes[0, 0].set_ylabel("density")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure
