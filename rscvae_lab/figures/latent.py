"""Figures of the latent space: regions, information, a turning image, and two Gaussians."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rscvae_lab.figures.images import show_image
from rscvae_lab.figures.scores import label_histograms
from rscvae_lab.figures.style import (
    CHOSEN,
    FONT,
    LABELS,
    WIDEST,
    axes,
    canvas,
    empty_figure,
    legend_below,
)
from rscvae_lab.methods import METHOD_NAMES

REGION_COLOURS = {"normal": "#bee3f8", "anomalous": "#feebc8", "unknown": "#e2e8f0"}


def region_plane(axis: Axes, frame: pd.DataFrame, least_information: float, farthest: float,
                 top: tuple[float, float], most: int = 400) -> None:
    """The regions over distance (x) and information (y), with the first `most` test images of each
    label as points.

    `frame` has the columns `label`, `distance` and `l_enc1`; `top` is the upper limits of x and y.
    """
    right, up = top
    axis.axhspan(0, least_information, color=REGION_COLOURS["unknown"], zorder=0)
    for region, sides in (("normal", [0, farthest]), ("anomalous", [farthest, right])):
        axis.fill_between(sides, least_information, up, color=REGION_COLOURS[region], linewidth=0,
                          zorder=0)
    for label, name, colour in LABELS:
        rows = frame[frame.label == label].iloc[:most]
        axis.plot(rows.distance, rows.l_enc1, ".", markersize=5, alpha=0.7, color=colour,
                  label=f"test images, {name}", zorder=3 - label)
    beside = {"fontsize": FONT, "color": "#4a5568", "transform": axis.get_xaxis_transform()}
    axis.text(0.5 * farthest, 1.01, "normal region", ha="center", va="bottom", **beside)
    axis.text(0.5 * (farthest + right), 1.01, "anomalous", ha="center", va="bottom", **beside)
    axis.text(0.01 * right, 0.02, "unknown region", ha="left", va="bottom", **beside)
    axis.set(xlim=(0, right), ylim=(0, up), xlabel="distance to normal codes (no unit)",
             ylabel="information $l_{enc1}$ (nats)")


def planes(panels: Mapping[str, pd.DataFrame], borders: Mapping[str, tuple[float, float]]
           ) -> Figure:
    """The regions of each method with its test images, two methods a row: frames as in
    `region_plane`, borders as (least information in nats, farthest distance)."""
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure, grid = empty_figure(rows, columns, (4.4 * columns + 0.5, 4.2 * rows + 0.3),
                                sharex=True, sharey=True)
    up = 1.05 * max(frame.l_enc1.quantile(0.995) for frame in panels.values())
    right = 1.05 * max(max(frame.distance.quantile(0.995), borders[method][1])
                       for method, frame in panels.items())
    for axis, (method, frame) in zip(grid.flat, panels.items()):
        region_plane(axis, frame, *borders[method], (right, up))
        axis.set_title(METHOD_NAMES[method], pad=20, fontweight="bold")
        axis.label_outer()
    for axis in grid.flat[len(panels):]:
        axis.remove()
    legend_below(figure, grid[0, 0], 2)
    return figure


def information(panels: Mapping[str, pd.DataFrame], borders: Mapping[str, float]) -> Figure:
    """Histograms of l_enc1 for each method, normal against novel, with the unknown region shaded.

    Each frame has the columns `label` and `l_enc1` of test images.
    """
    figure, (row,) = empty_figure(1, len(panels), (max(7, 4 * len(panels)), 3.4), sharey=True)
    top = max(np.percentile(frame.l_enc1, 99) for frame in panels.values())
    for axis, (method, frame) in zip(row, panels.items(), strict=True):
        label_histograms(axis, frame.l_enc1.to_numpy(), frame.label.to_numpy(), top,
                         "information $l_{enc1}$ (nats)")
        axis.axvspan(0, borders[method], color="black", alpha=0.08, linewidth=0, zorder=0)
        border = borders[method]
        axis.text(0.5 * border, 0.97, f"unknown region:\nbelow {border:.1f} nats", ha="center",
                  va="top", fontsize=FONT, transform=axis.get_xaxis_transform())
        axis.set(title=METHOD_NAMES[method], xlim=(0, None))
    row[0].set_ylabel("density")
    legend_below(figure, row[0])
    return figure


def rotation(track: pd.DataFrame, at: int, images: Mapping[str, np.ndarray], test: pd.DataFrame,
             borders: tuple[float, float], threshold: float) -> Figure:
    """A rotated image, its outputs, its point among the regions, and the measures by angle.

    Args:
        track: one row an angle, with `angle` (degrees), `distance`, `l_enc1`, `novelty_score` and
            `region`; the row `at` is the current one.
        images: input, reconstruction and recoding at that angle.
        test: the test images, for `region_plane`.
        borders: least information (nats) and farthest distance.
        threshold: of the novelty score.
    """
    figure, now = canvas(WIDEST, 5.2), track.iloc[at]
    for i, (name, image) in enumerate(images.items()):
        show_image(axes(figure, 0.01, 0.68 - 0.33 * i, 0.145, 0.27), image, name)
    plane = axes(figure, 0.225, 0.17, 0.37, 0.7)
    points = pd.concat([track, test])
    right = 1.05 * max(points.distance.quantile(0.995), borders[1])
    region_plane(plane, test, *borders, (right, 1.1 * points.l_enc1.quantile(0.999)))
    plane.plot(track.distance, track.l_enc1, color="black", linewidth=1, alpha=0.6,
               label="this image, turning")
    plane.plot(track.distance.iloc[0], track.l_enc1.iloc[0], "s", color="black", markersize=5,
               label="at 0°")
    plane.plot(now.distance, now.l_enc1, **CHOSEN)
    plane.set_title(f"turned by {now.angle:.0f}°: {now.region} region", pad=20,
                    fontweight="bold")
    plane.legend(loc="upper center", bbox_to_anchor=(0.45, -0.1), fontsize=FONT, frameon=False,
                 ncols=2)
    curves = (("l_enc1", "information (nats)", borders[0]),
              ("distance", "distance (no unit)", borders[1]),
              ("novelty_score", "novelty score, α = 0.5 (no unit)", threshold))
    for i, (column, name, border) in enumerate(curves):
        axis = axes(figure, 0.645, 0.71 - 0.3 * i, 0.336, 0.21)
        axis.plot(track.angle, track[column], color="black", linewidth=1.2)
        axis.axhline(border, color="black", linestyle=":", linewidth=1)
        axis.plot(now.angle, now[column], **CHOSEN)
        axis.set(xlim=(track.angle.min(), track.angle.max()), xticks=range(0, 361, 90),
                 ylim=(0, 1.15 * max(track[column].max(), border)))
        axis.set_title(name)
        if i < 2:
            axis.set_xticklabels([])
    axis.set_xlabel("angle (degrees); dotted: the border")
    return figure


def two_gaussians(x: np.ndarray, densities: Mapping[str, np.ndarray],
                  divergences: Mapping[str, float], dimensions: int) -> Figure:
    """Two one-dimensional densities with their mixture, and every reading of D_JS for codes of so
    many such dimensions."""
    figure, styles = canvas(WIDEST, 3.6), (("#0f766e", "-"), ("#975a16", "-"), ("black", ":"))
    left, right = axes(figure, 0.065, 0.15, 0.39, 0.75), axes(figure, 0.65, 0.15, 0.34, 0.75)
    top = 1.5 * max(map(np.max, densities.values()))
    for i, ((name, density), (colour, style)) in enumerate(zip(densities.items(), styles)):
        left.plot(x, density, style, color=colour)
        left.text(x[4], (0.97 - 0.08 * i) * top, name, color=colour, va="top", fontsize=FONT)
    left.set(xlabel="z, one latent dimension (no unit)", ylabel="density", ylim=(0, top))
    left.set_title("one dimension of both codes")
    bars = right.barh(list(divergences), divergences.values(), color="#718096", height=0.65)
    bars[0].set_facecolor("black")  # the first, a Monte Carlo estimate of the truth
    right.axvline(np.log(2), color="black", linestyle="--", linewidth=1)
    reach = max(np.log(2), *divergences.values())
    for y, value in enumerate(divergences.values()):
        right.text(value + 0.02 * reach, y, f"{value:.3f}", va="center", fontsize=FONT)
    right.invert_yaxis()
    right.set(xlim=(0, 1.2 * reach), xlabel="nats, summed over D (dashed: ln 2)")
    right.set_title(f"readings of $D_{{JS}}$, D = {dimensions}")
    return figure
