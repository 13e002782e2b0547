"""The figures of the course: arrays and data frames in, a matplotlib figure out. One colour each, everywhere."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from rscvae_lab import NORMAL, NOVEL

NORMAL_COLOUR, NOVEL_COLOUR, TRAIN_COLOUR = "#2b6cb0", "#dd6b20", "#a0aec0"
METHOD_COLOURS = {"pca": "#718096", "vae": "#805ad5", "recode_vae": "#b794f4", "o": "#2f855a", "d": "#d69e2e",
                  "e": "#c53030"}
METHOD_NAMES = {"pca": "PCA-32 (floor)", "vae": "VAE", "recode_vae": "Recode VAE", "o": "RSC-VAE_o", "d": "RSC-VAE_d",
                "e": "RSC-VAE_e"}

_STYLE = {"axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 11, "axes.labelsize": 10,
          "figure.dpi": 90, "savefig.dpi": 90, "font.size": 9.5}


def _figure(rows: int, columns: int, size: tuple[float, float], **kwargs) -> tuple[Figure, np.ndarray]:
    """A figure that pyplot forgets at once, so that a notebook shows it exactly once."""
    with plt.rc_context(_STYLE):
        figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained", **kwargs)
    plt.close(figure)
    return figure, axes


def picture_rows(rows: Mapping[str, np.ndarray], columns: Sequence[str] | None = None, title: str = "") -> Figure:
    """Named rows of grey pictures, each (n, 1, S, S) or (n, S, S), uint8 or float in [0, 1]; columns may be named."""
    pictures = {name: np.asarray(images).reshape(len(images), *np.shape(images)[-2:]) for name, images in rows.items()}
    n = max(map(len, pictures.values()))
    size = (1.6 + 0.85 * n, 0.1 + 0.95 * len(pictures) + 0.5 * bool(title or columns))
    figure, axes = _figure(len(pictures), n, size)
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
    """Training reconstruction error and information by epoch, and test AUROC where it was evaluated, per method."""
    figure, axes = _figure(1, 3, (11, 3))
    panels = {"recon": "reconstruction error\n$l_{recon}$ (grey levels per image)",
              "enc1": "information in the code\n$l_{enc1}$ (nats per image)", "auroc": "test AUROC\n(Eq. 15, α = 0.5)"}
    for axis, (name, label) in zip(axes[0], panels.items(), strict=True):
        for method, history in histories.items():
            points = history[["epoch", name]].dropna()
            axis.plot(points["epoch"], points[name], color=METHOD_COLOURS[method], label=METHOD_NAMES[method],
                      marker="o" if name == "auroc" else None, markersize=3, linewidth=1.5)
        axis.set(xlabel="epoch", ylabel=label, yscale="linear" if name == "auroc" else "log")
    axes[0, 0].legend(frameon=False)
    return figure


def auroc_chart(table: pd.DataFrame, printed: Mapping[str, float], title: str = "") -> Figure:
    """AUROC of each method: the result, the oracle's best epoch, and the paper's printed value where there is one.

    `table` has the columns `method`, `auroc` and `auroc_best`; the row of method `pca` is drawn as the floor.
    """
    figure, axes = _figure(1, 1, (7.5, 0.45 * len(table) + 1.2))
    axis, shown = axes[0, 0], table[table.method != "pca"].iloc[::-1]
    place = np.arange(len(shown))
    axis.scatter(shown.auroc, place, s=90, color=[METHOD_COLOURS[method] for method in shown.method], zorder=3)
    for y, value in zip(place, shown.auroc):
        axis.annotate(f"{value:.3f}", (value, y), (0, 8), textcoords="offset points", ha="center", fontsize=9)
    axis.plot(shown.auroc_best, place, "k|", markersize=13, label="oracle: best epoch on test")
    marks = [(printed[method], y) for y, method in zip(place, shown.method) if method in printed]
    if marks:
        axis.plot(*zip(*marks), "kD", markersize=5, fillstyle="none", label="printed in the paper")
    for floor in table[table.method == "pca"].auroc:
        axis.axvline(floor, color=METHOD_COLOURS["pca"], linestyle="--", label=f"PCA-32 floor: {floor:.3f}")
    axis.grid(axis="y", color="#e2e8f0")
    axis.set(yticks=place, yticklabels=[METHOD_NAMES[method] for method in shown.method], title=title,
             ylim=(-0.5, len(shown) - 0.2), xlabel="AUROC on the test set (0.5 = chance, 1 = perfect)")
    axis.set_xlim(right=1.005)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def score_panels(labels: np.ndarray, scores: np.ndarray, threshold: float, auroc: float, title: str = "") -> Figure:
    """How a score separates normal from novel: its two histograms with the threshold, and the ROC curve."""
    figure, axes = _figure(1, 2, (9, 3.2), width_ratios=[1.6, 1])
    histogram, roc = axes[0]
    bins = np.linspace(0, np.percentile(scores, 99.5), 50)
    for label, name, colour in ((NORMAL, "normal", NORMAL_COLOUR), (NOVEL, "novel", NOVEL_COLOUR)):
        histogram.hist(np.clip(scores[labels == label], 0, bins[-1]), bins, density=True, alpha=0.65, color=colour,
                       label=name)
    histogram.axvline(threshold, color="black", linestyle=":", label="threshold: 95 % of held-out normals lie below")
    histogram.set(xlabel="novelty score (no unit, higher = more novel)", ylabel="density", title=title)
    histogram.legend(fontsize=8.5, frameon=False)
    false_positive, true_positive, _ = roc_curve(labels == NOVEL, scores)
    roc.plot(false_positive, true_positive, color="black")
    roc.plot([0, 1], [0, 1], color=TRAIN_COLOUR, linestyle="--")
    roc.set(xlabel="false positive rate", ylabel="true positive rate", aspect="equal", title=f"AUROC = {auroc:.3f}")
    return figure


def consistency(panels: Mapping[str, pd.DataFrame], s_a: Mapping[str, float]) -> Figure:
    """Eq. 17 for each method: both components of every test normal, normalised, and the spread S_a of their ratio.

    Each frame has the columns `l_recon` and `l_mut` of test normals.
    """
    figure, axes = _figure(1, len(panels), (4.2 * len(panels), 3.8), sharex=True, sharey=True)
    for axis, (method, frame) in zip(axes[0], panels.items(), strict=True):
        recon, mut = frame.l_recon / frame.l_recon.mean(), frame.l_mut / frame.l_mut.mean()
        axis.scatter(recon, mut, s=10, alpha=0.5, color=NORMAL_COLOUR, linewidths=0)
        axis.axline((0, 0), slope=1, color="black", linewidth=0.8, label="$a_i = 1$")
        axis.set(xlabel=r"$l_{recon}$ / mean (no unit)", title=f"{METHOD_NAMES[method]}: $S_a$ = {s_a[method]:.3f}")
    axes[0, 0].set(ylabel=r"$l_{mut}$ / mean (no unit)", xlim=(0, None), ylim=(0, None))
    axes[0, 0].legend(loc="upper left", frameon=False)
    return figure


def embeddings(panels: Mapping[str, pd.DataFrame]) -> Figure:
    """Fig. 7: a t-SNE map of codes per method. Each frame: `x`, `y`, `group` (train, normal or novel)."""
    figure, axes = _figure(1, len(panels), (4.2 * len(panels), 4.1))
    for axis, (method, frame) in zip(axes[0], panels.items(), strict=True):
        for group, colour in (("train", TRAIN_COLOUR), ("novel", NOVEL_COLOUR), ("normal", NORMAL_COLOUR)):
            points = frame[frame.group == group]
            name = f"{'training' if group == 'train' else 'test'} images, {'novel' if group == 'novel' else 'normal'}"
            axis.scatter(points.x, points.y, s=9, color=colour, alpha=0.75, linewidths=0, label=name)
        axis.set(xticks=[], yticks=[], title=METHOD_NAMES[method], xlabel="t-SNE 1 (no unit)")
    axes[0, 0].set_ylabel("t-SNE 2 (no unit)")
    axes[0, 0].legend(loc="best", markerscale=2, fontsize=8.5)
    return figure


def information(panels: Mapping[str, pd.DataFrame], borders: Mapping[str, float]) -> Figure:
    """What each code says, per method: histograms of l_enc1, normal against novel, and the unknown region's border.

    Each frame has the columns `label` and `l_enc1` of test images.
    """
    figure, axes = _figure(1, len(panels), (4 * len(panels), 3), sharex=True, sharey=True)
    top = max(np.percentile(frame.l_enc1, 99.5) for frame in panels.values())
    for axis, (method, frame) in zip(axes[0], panels.items(), strict=True):
        for label, name, colour in ((NORMAL, "normal", NORMAL_COLOUR), (NOVEL, "novel", NOVEL_COLOUR)):
            shown = frame.l_enc1[frame.label == label].clip(upper=top)
            axis.hist(shown, np.linspace(0, top, 45), density=True, color=colour, alpha=0.6, label=name)
        axis.axvspan(0, borders[method], color="black", alpha=0.08, label="unknown region")
        axis.set(xlabel="information $l_{enc1}$ (nats per image)", title=METHOD_NAMES[method])
    axes[0, 0].set_ylabel("density")
    axes[0, 0].legend(fontsize=8.5, frameon=False)
    return figure
