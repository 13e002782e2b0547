"""The score of Eq. 15 as a line that turns over the plane of its two terms, and what it is worth
class by class."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from rscvae_lab import NORMAL, NOVEL
from rscvae_lab.figures.scoreboard import BETTER_COLOUR, WORSE_COLOUR
from rscvae_lab.figures.style import (
    CHOSEN,
    FONT,
    GRID,
    LABELS,
    TRAIN_COLOUR,
    WIDEST,
    axes,
    canvas,
    legend_below,
    two_a_row,
)

SHARE = 95  # per cent of normal test images on the lower left of the line


def alpha_panels(parts: np.ndarray, labels: np.ndarray, alpha: float, alphas: np.ndarray,
                 curves: Mapping[str, np.ndarray]) -> Figure:
    """Eq. 15 at one alpha: its line over the plane of both terms, its ROC curve, and the AUROC at
    every alpha.

    Args:
        parts: l_recon / E[l_recon] and l_mut / E[l_mut] of each test image, (N, 2).
        curves: normaliser -> AUROC at each of `alphas`; the parts are divided by the first one's.
    """
    figure = canvas(WIDEST, 5)
    plane = axes(figure, 0.055, 0.11, 0.52, 0.81)
    roc, sweep = (axes(figure, 0.66, bottom, 0.335, 0.31) for bottom in (0.61, 0.11))
    weights = np.array([1 - alpha, alpha])
    scores = parts @ weights
    _iso_score_line(plane, parts, labels, weights, np.percentile(scores[labels == NORMAL], SHARE))
    (owner, first), *_ = curves.items()
    roc.plot(*roc_curve(labels == NOVEL, scores)[:2], color="black")
    roc.plot([0, 1], [0, 1], color=TRAIN_COLOUR, linestyle=":")
    roc.set(xlabel="false positive rate", ylabel="true positive rate",
            xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    roc.set_title(f"AUROC = {np.interp(alpha, alphas, first):.3f}")
    for (name, values), style in zip(curves.items(), ("-", "--")):
        sweep.plot(alphas, values, style, color="black", label=name)
    sweep.plot(alpha, np.interp(alpha, alphas, first), **CHOSEN)
    sweep.set(xlabel=f"α = {alpha:.3f} (0: $l_{{recon}}$ alone, 1: $l_{{mut}}$ alone)",
              ylabel="AUROC (test set)")
    sweep.set_title("every mixture")
    sweep.legend(fontsize=FONT, frameon=False, title="divided by means over", title_fontsize=FONT)
    plane.set(xlabel=f"$l_{{recon}}$ / its mean over {owner} (no unit)",
              ylabel="$l_{mut}$ / its mean (no unit)")
    return figure


def _iso_score_line(axis: Axes, parts: np.ndarray, labels: np.ndarray, weights: np.ndarray,
                    border: float) -> None:
    """Test images over both parts of the score, the line of equal scores at the border, and the
    side beyond it shaded."""
    right, up = 1.05 * np.percentile(parts, 99.5, axis=0)
    grid = np.stack(np.meshgrid([0, right], [0, up]), -1)  # bilinear, as the score is
    axis.contourf(*np.moveaxis(grid, -1, 0), grid @ weights, [border, 1e9],
                  colors=["#feebc8"], alpha=0.7)
    for label, name, colour in LABELS[::-1]:
        axis.plot(*parts[labels == label].T, ".", markersize=5, color=colour, alpha=0.7,
                  label=f"test, {name}")
    x = np.array([0, right])
    if weights[1] > 1e-9:
        axis.plot(x, (border - weights[0] * x) / weights[1], color="black", linewidth=1.5)
    else:
        axis.axvline(border / weights[0], color="black", linewidth=1.5)
    axis.set(xlim=(0, right), ylim=(0, up))
    axis.set_title(f"test images; lower left of the line: {SHARE} % of the normal ones",
                   fontsize=FONT)
    axis.legend(fontsize=FONT, framealpha=0.8, loc="upper left", handletextpad=0, markerscale=2)


def dumbbells(panels: Mapping[str, pd.DataFrame], title: str = "") -> Figure:
    """AUROC by class at alpha 0 (open mark) and at alpha 0.5 (filled), a panel a data set; teal
    where the second term helps, pink where it harms.

    Each frame has a row a class and the columns `recon` and `both`.
    """
    height = 0.25 * max(map(len, panels.values())) + 0.9
    figure, grid = two_a_row(len(panels), height)
    for axis, (name, frame) in zip(grid, panels.items()):
        frame, place = frame.iloc[::-1], np.arange(len(frame))
        better = (frame.both > frame.recon).to_numpy()
        colours = np.where(better, BETTER_COLOUR, WORSE_COLOUR)
        axis.hlines(place, frame.recon, frame.both, colors=colours, linewidth=3, alpha=0.5)
        axis.plot(frame.recon, place, "o", color="black", fillstyle="none", markersize=6,
                  label="$l_{recon}$ alone (α = 0)")
        for colour, verdict, chosen in ((BETTER_COLOUR, "higher", better),
                                        (WORSE_COLOUR, "lower", ~better)):
            axis.plot(frame.both[chosen], place[chosen], "o", color=colour, markersize=7,
                      label=f"with $l_{{mut}}$ (α = 0.5): {verdict}")
        axis.set(yticks=place, yticklabels=frame.index, ylabel="normal class",
                 xlabel="AUROC (axis cut)", ylim=(-0.6, len(frame) - 0.4))
        axis.set_title(f"{name}: raised in {better.sum()} of {len(frame)},\n"
                       f"mean {frame.recon.mean():.3f} to {frame.both.mean():.3f}")
        axis.grid(**GRID)
    legend_below(figure, grid[0])
    figure.suptitle(title, fontsize=FONT)
    return figure
