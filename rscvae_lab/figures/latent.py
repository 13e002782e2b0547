"""Figures of the latent space: regions, maps of codes, information, and two Gaussians."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rscvae_lab.figures import style
from rscvae_lab.figures.images import show_image
from rscvae_lab.figures.scores import label_histograms
from rscvae_lab.methods import METHOD_NAMES

REGION_COLOURS = {"normal": "#bee3f8", "anomalous": "#feebc8", "unknown": "#e2e8f0"}
POINT_COLOURS = {"normal": style.NORMAL_COLOUR, "anomalous": style.NOVEL_COLOUR,
                 "unknown": "#4a5568"}
GROUP_NAMES = {"train": "training, normal", "normal": "test, normal", "novel": "test, novel"}
GROUP_COLOURS = {"train": style.TRAIN_COLOUR, "normal": style.NORMAL_COLOUR,
                 "novel": style.NOVEL_COLOUR}


def region_plane(axis: Axes, frame: pd.DataFrame, least_information: float, farthest: float,
                 top: tuple[float, float], most: int = 400) -> None:
    """The regions over distance (x) and information (y), with the first `most` test images of each
    label as points. `frame` has the columns `label`, `distance` and `l_enc1`; `top` is the upper
    limits of x and y."""
    right, up = top
    axis.axhspan(0, least_information, color=REGION_COLOURS["unknown"], zorder=0)
    for region, sides in (("normal", [0, farthest]), ("anomalous", [farthest, right])):
        axis.fill_between(sides, least_information, up, color=REGION_COLOURS[region], linewidth=0,
                          zorder=0)
    for label, name, colour in style.LABELS:
        rows = frame[frame.label == label].iloc[:most]
        axis.plot(rows.distance, rows.l_enc1, ".", markersize=4, alpha=0.7, color=colour,
                  label=f"test, {name}", zorder=3 - label)
    text = {"fontsize": 8.5, "bbox": {"fc": "white", "ec": "none", "alpha": 0.75, "pad": 1}}
    for x, name, align in ((0.01, "normal", "left"), (0.99, "anomalous", "right")):
        axis.text(x, 0.99, f"{name}\nregion", transform=axis.transAxes, ha=align, va="top", **text)
    axis.text(0.99 * right, 0.03 * up, "unknown region", ha="right", va="bottom", **text)
    axis.set(xlim=(0, right), ylim=(0, up), xlabel="distance to normal codes (no unit)",
             ylabel="information $l_{enc1}$ (nats)")


def planes(panels: Mapping[str, pd.DataFrame], borders: Mapping[str, tuple[float, float]]
           ) -> Figure:
    """The regions of each method with its test images: frames as in `region_plane`, borders as
    (least information in nats, farthest distance)."""
    size = (3.9 * len(panels) + 0.3, 4.1)
    figure, (row,) = style.empty_figure(1, len(panels), size, sharey=True)
    up = 1.05 * max(frame.l_enc1.quantile(0.995) for frame in panels.values())
    right = 1.05 * max(max(frame.distance.quantile(0.995), borders[method][1])
                       for method, frame in panels.items())
    for axis, (method, frame) in zip(row, panels.items()):
        region_plane(axis, frame, *borders[method], (right, up))
        axis.set_title(METHOD_NAMES[method])
    for axis in row[1:]:
        axis.set_ylabel("")
    style.legend_below(figure, row[0], 2)
    return figure


def information(panels: Mapping[str, pd.DataFrame], borders: Mapping[str, float]) -> Figure:
    """Histograms of l_enc1 for each method, normal against novel, with the unknown region shaded.
    Each frame has the columns `label` and `l_enc1` of test images."""
    figure, (row,) = style.empty_figure(1, len(panels), (4 * len(panels), 3.3), sharey=True)
    top = max(np.percentile(frame.l_enc1, 99) for frame in panels.values())
    for axis, (method, frame) in zip(row, panels.items(), strict=True):
        label_histograms(axis, frame.l_enc1.to_numpy(), frame.label.to_numpy(), top,
                         "information $l_{enc1}$ (nats)")
        axis.axvspan(0, borders[method], color="black", alpha=0.08, label="unknown region",
                     zorder=0)
        axis.set_title(f"{METHOD_NAMES[method]}: unknown below {borders[method]:.1f} nats")
    row[0].set_ylabel("density")
    style.legend_below(figure, row[0])
    return figure


def embeddings(panels: Mapping[str, pd.DataFrame]) -> Figure:
    """Fig. 7: a t-SNE map of codes for each method. Frames have the columns `x`, `y` and `group`
    (train, normal or novel)."""
    figure, (row,) = style.empty_figure(1, len(panels), (4.2 * len(panels), 4.4))
    marks = {"train": {"facecolors": "none", "edgecolors": style.TRAIN_COLOUR, "s": 14},
             "novel": {"color": style.NOVEL_COLOUR, "s": 9, "alpha": 0.7, "linewidths": 0},
             "normal": {"color": style.NORMAL_COLOUR, "s": 18, "linewidths": 0}}
    for axis, (method, frame) in zip(row, panels.items(), strict=True):
        for group, mark in marks.items():
            points = frame[frame.group == group]
            axis.scatter(points.x, points.y, label=GROUP_NAMES[group].replace(",", " images,"),
                         **mark)
        axis.set(xticks=[], yticks=[], title=METHOD_NAMES[method], xlabel="t-SNE 1 (no unit)",
                 ylabel="t-SNE 2 (no unit)")
    style.legend_below(figure, row[0])
    return figure


def deviation(frames: Mapping[str, pd.DataFrame], column: str, colouring: str, chosen: int,
              images: Mapping[str, np.ndarray], class_names: Sequence[str]
              ) -> tuple[Figure, np.ndarray]:
    """Fig. 7 for the explorer: a map of codes for each method with a ring around the chosen image,
    and named `images` below. `frames` have a row an image, with x, y and `column`, which decides
    the colours; `colouring` is its name in titles. Returns the figure, and each image's place in
    it as fractions of width and height from the lower left corner, (maps, N, 2)."""
    n = len(frames)
    figure, places = style.canvas(4.9 * n, 7.2), []
    values = pd.concat([frame[column] for frame in frames.values()])
    limits = tuple(values.quantile([0.01, 0.99])) if values.dtype.kind == "f" else None
    for i, (name, frame) in enumerate(frames.items()):
        axis = style.axes(figure, 0.025 + 0.975 * i / n, 0.4, 0.94 / n, 0.56)
        _coloured_points(axis, frame, column, class_names, limits)
        axis.plot(frame.x.iloc[chosen], frame.y.iloc[chosen], **style.CHOSEN)
        axis.set(xticks=[], yticks=[], xlabel="t-SNE 1 (no unit)",
                 ylabel="" if i else "t-SNE 2 (no unit)", title=f"{name}, by {colouring}")
        to_figure = axis.transData + figure.transFigure.inverted()
        places.append(to_figure.transform(frame[["x", "y"]].to_numpy()))
    width = 0.98 / len(images)
    for j, (name, image) in enumerate(images.items()):
        show_image(style.axes(figure, 0.01 + j * width, 0.01, 0.92 * width, 0.205), image, name)
    return figure, np.stack(places)


def _coloured_points(axis: Axes, frame: pd.DataFrame, column: str, class_names: Sequence[str],
                     limits: tuple[float, float] | None) -> None:
    """Numbers in viridis between `limits`, the same in all maps; names in one colour each."""
    mark = {"s": 16, "linewidths": 0, "alpha": 0.85}
    if limits:
        points = axis.scatter(frame.x, frame.y, c=frame[column], cmap="viridis", vmin=limits[0],
                              vmax=limits[1], **mark)
        axis.figure.colorbar(points, cax=axis.inset_axes((0.2, -0.1, 0.6, 0.03)),
                             orientation="horizontal")
        return
    names = {"category": dict(enumerate(class_names)), "group": GROUP_NAMES}.get(column, {})
    for value, colour in _colours(frame, column).items():
        points = frame[frame[column] == value]
        axis.scatter(points.x, points.y, color=colour, label=names.get(value, value), **mark)
    axis.legend(fontsize=8, ncols=5, frameon=False, loc="upper center",
                bbox_to_anchor=(0.5, -0.04), columnspacing=1, handletextpad=0.2)


def _colours(frame: pd.DataFrame, column: str) -> dict[str | int, str | tuple]:
    """The colour of each value that the column has."""
    values = set(frame[column])
    if column != "category":
        colours = GROUP_COLOURS if column == "group" else POINT_COLOURS
        return {value: colour for value, colour in colours.items() if value in values}
    own = frame.category[frame.group == "train"].iloc[0]
    others = sorted(values - {own})
    return {own: style.NORMAL_COLOUR} | dict(zip(others, mpl.colormaps["tab10"].colors[1:]))


def rotation(track: pd.DataFrame, at: int, images: Mapping[str, np.ndarray], test: pd.DataFrame,
             borders: tuple[float, float], threshold: float) -> Figure:
    """A rotated image, its outputs, its point among the regions, and the measures by angle.

    `track` has a row an angle, with `angle` (degrees), `distance`, `l_enc1`, `novelty_score` and
    `region`; row `at` is the current one. `images` are input, reconstruction and recoding there,
    `test` the test images for `region_plane`, `borders` the least information (nats) and farthest
    distance, `threshold` that of the novelty score.
    """
    figure, now = style.canvas(10.5, 4.6), track.iloc[at]
    for i, (name, image) in enumerate(images.items()):
        show_image(style.axes(figure, 0.005, 0.675 - 0.325 * i, 0.15, 0.25), image, name)
    plane = style.axes(figure, 0.22, 0.12, 0.35, 0.8)
    points = pd.concat([track, test])
    right = 1.05 * max(points.distance.quantile(0.995), borders[1])
    region_plane(plane, test, *borders, (right, 1.1 * points.l_enc1.quantile(0.999)))
    plane.plot(track.distance, track.l_enc1, color="black", linewidth=1, alpha=0.6,
               label="this image, turning")
    plane.plot(track.distance.iloc[0], track.l_enc1.iloc[0], "s", color="black", markersize=4,
               label="at 0°")
    plane.plot(now.distance, now.l_enc1, **style.CHOSEN)
    plane.set_title(f"turned by {now.angle:.0f}°: {now.region} region")
    plane.legend(loc="lower left", bbox_to_anchor=(0, 0.08), fontsize=8, framealpha=0.8)
    curves = (("l_enc1", "information (nats)", borders[0]),
              ("distance", "distance (no unit)", borders[1]),
              ("novelty_score", "novelty score, α = 0.5 (no unit)", threshold))
    for i, (column, name, border) in enumerate(curves):
        axis = style.axes(figure, 0.66, 0.7 - 0.29 * i, 0.32, 0.22)
        axis.plot(track.angle, track[column], color="black", linewidth=1.2)
        axis.axhline(border, color="black", linestyle=":", linewidth=1)
        axis.plot(now.angle, now[column], **style.CHOSEN)
        axis.set(xlim=(track.angle.min(), track.angle.max()), xticks=range(0, 361, 90),
                 ylim=(0, 1.15 * max(track[column].max(), border)))
        axis.set_title(name, fontsize=9.5)
        if i < 2:
            axis.set_xticklabels([])
    axis.set_xlabel("angle (degrees); dotted: the border")
    return figure


def two_gaussians(x: np.ndarray, densities: Mapping[str, np.ndarray],
                  divergences: Mapping[str, float], dimensions: int) -> Figure:
    """Two one-dimensional densities with their mixture, and every reading of D_JS for codes of so
    many such dimensions."""
    figure = style.canvas(10, 3.8)
    left, right = (style.axes(figure, start, 0.15, width, 0.75)
                   for start, width in ((0.07, 0.4), (0.66, 0.32)))
    lines = (("#2f855a", "-"), ("#805ad5", "-"), ("black", ":"))
    for (name, density), (colour, line) in zip(densities.items(), lines):
        left.plot(x, density, line, color=colour, label=name)
    left.set(xlabel="z, one latent dimension (no unit)", ylabel="density",
             ylim=(0, 1.35 * max(map(np.max, densities.values()))),
             title="one dimension of both codes")
    left.legend(fontsize=8.5, frameon=False, loc="upper left")
    bars = right.barh(list(divergences), divergences.values(), color="#718096", height=0.65)
    bars[0].set_facecolor("black")  # the first, a Monte Carlo estimate of the truth
    right.axvline(np.log(2), color="black", linestyle="--", linewidth=1)
    reach = max(np.log(2), *divergences.values())
    for y, value in enumerate(divergences.values()):
        right.text(value + 0.02 * reach, y, f"{value:.3f}", va="center", fontsize=8.5)
    right.invert_yaxis()
    right.set(xlim=(0, 1.2 * reach), xlabel="nats, summed over D (dashed: ln 2)",
              title=f"readings of $D_{{JS}}$, D = {dimensions}")
    return figure
