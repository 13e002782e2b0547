"""The figures behind the widgets: arrays and frames in, a figure out, drawn anew at every change, so drawn plainly."""

from collections.abc import Mapping, Sequence
from io import BytesIO

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from rscvae_lab import NORMAL, NOVEL
from rscvae_lab.figures.plots import (
    METHOD_COLOURS,
    METHOD_NAMES,
    NORMAL_COLOUR,
    NOVEL_COLOUR,
    STYLE,
    TRAIN_COLOUR,
    region_plane,
)

GROUP_NAMES = {"train": "training, normal", "normal": "test, normal", "novel": "test, novel"}
POINT_COLOURS = {"normal": NORMAL_COLOUR, "anomalous": NOVEL_COLOUR, "unknown": "#4a5568"}
CHOSEN = {"marker": "o", "markersize": 11, "markerfacecolor": "none", "markeredgecolor": "black",
          "markeredgewidth": 1.8, "clip_on": False}


class Canvas(Figure):
    """A figure that pyplot knows nothing of: a thread may draw it, and a notebook shows it whatever its backend."""

    def _repr_png_(self) -> bytes:
        return png(self)


def png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def canvas(width: float, height: float) -> Canvas:
    """An empty figure, in inches. It asks nothing of matplotlib's global settings, which threads share."""
    return Canvas((width, height), dpi=STYLE["figure.dpi"])


def axes(figure: Figure, *place: float) -> Axes:
    """Axes at (left, bottom, width, height), shares of the figure: to compute a layout takes longer than to draw."""
    axis = figure.add_axes(place)
    axis.spines[["top", "right"]].set_visible(False)
    return axis


def show_picture(axis: Axes, image: np.ndarray, title: str) -> None:
    """One picture, (S, S), (1, S, S) or in colour (3, S, S), uint8 or in [0, 1]."""
    image = np.moveaxis(np.atleast_3d(np.asarray(image)), 0, 2) if np.ndim(image) == 3 else np.asarray(image)
    axis.imshow(image, cmap="gray", vmin=0, vmax=255 if image.dtype == np.uint8 else 1, interpolation="nearest")
    axis.set(xticks=[], yticks=[])
    axis.set_title(title, fontsize=9.5)
    axis.spines[:].set_visible(False)


def rotation(track: pd.DataFrame, at: int, pictures: Mapping[str, np.ndarray], test: pd.DataFrame,
             borders: tuple[float, float], threshold: float) -> Figure:
    """An image on its way round: its pictures, its point among the regions, and what is measured at each angle.

    Args:
        track: one row an angle, with `angle` (degrees), `distance`, `l_enc1`, `novelty_score`; `at` is the row shown.
        pictures: input, reconstruction, recoding at that angle.
        test: the test images, for `region_plane`.
        borders: least information and farthest distance.
        threshold: of the novelty score.
    """
    figure, now = canvas(10.5, 4.6), track.iloc[at]
    for i, (name, image) in enumerate(pictures.items()):
        show_picture(axes(figure, 0.005, 0.675 - 0.325 * i, 0.15, 0.25), image, name)
    plane = axes(figure, 0.22, 0.12, 0.35, 0.8)
    seen = pd.concat([track, test])
    top = 1.05 * max(seen.distance.quantile(0.995), borders[1]), 1.1 * seen.l_enc1.quantile(0.999)
    region_plane(plane, test, *borders, top)
    plane.plot(track.distance, track.l_enc1, color="black", linewidth=1, alpha=0.6, label="this image, turning")
    plane.plot(track.distance.iloc[0], track.l_enc1.iloc[0], "s", color="black", markersize=4, label="at 0°")
    plane.plot(now.distance, now.l_enc1, **CHOSEN)
    plane.set_title(f"turned by {now.angle:.0f}°: {now.region} region")
    plane.legend(loc="lower left", bbox_to_anchor=(0, 0.08), fontsize=8, framealpha=0.8)
    curves = (("l_enc1", "information (nats)", borders[0]), ("distance", "distance (no unit)", borders[1]),
              ("novelty_score", "novelty score, α = 0.5 (no unit)", threshold))
    for i, (column, name, border) in enumerate(curves):
        axis = axes(figure, 0.66, 0.7 - 0.29 * i, 0.32, 0.22)
        axis.plot(track.angle, track[column], color="black", linewidth=1.2)
        axis.axhline(border, color="black", linestyle=":", linewidth=1)
        axis.plot(now.angle, now[column], **CHOSEN)
        axis.set(xlim=(track.angle.min(), track.angle.max()), xticks=range(0, 361, 90),
                 ylim=(0, 1.15 * max(track[column].max(), border)))
        axis.set_title(name, fontsize=9.5)
        if i < 2:
            axis.set_xticklabels([])
    axis.set_xlabel("angle (degrees); dotted: the border")
    return figure


def two_gaussians(x: np.ndarray, densities: Mapping[str, np.ndarray], divergences: Mapping[str, float],
                  dimensions: int) -> Figure:
    """Two one-dimensional densities with their mixture, and every reading of D_JS in `dimensions` copies of them."""
    figure = canvas(10, 3.8)
    left, right = axes(figure, 0.07, 0.15, 0.4, 0.75), axes(figure, 0.66, 0.15, 0.32, 0.75)
    styles = (("#2f855a", "-"), ("#805ad5", "-"), ("black", ":"))
    for (name, density), (colour, style) in zip(densities.items(), styles):
        left.plot(x, density, style, color=colour, label=name)
    left.set(xlabel="z, one latent dimension (no unit)", ylabel="density",
             ylim=(0, 1.35 * max(map(np.max, densities.values()))), title="one dimension of both codes")
    left.legend(fontsize=8.5, frameon=False, loc="upper left")
    names, values = list(divergences), np.array(list(divergences.values()))
    colours = ["black" if name.startswith("Monte") else METHOD_COLOURS["pca"] for name in names]
    right.barh(names, values, color=colours, height=0.65)
    right.axvline(np.log(2), color="black", linestyle="--", linewidth=1)
    reach = max(np.log(2), np.max(values))
    for y, value in enumerate(values):
        right.text(value + 0.02 * reach, y, f"{value:.3f}", va="center", fontsize=8.5)
    right.invert_yaxis()
    right.set(xlim=(0, 1.2 * reach), xlabel="nats, summed over D (dashed: ln 2)",
              title=f"readings of $D_{{JS}}$, D = {dimensions}")
    return figure


def alpha_panels(alphas: np.ndarray, curves: Mapping[str, np.ndarray], at: float, labels: np.ndarray,
                 scores: Mapping[str, np.ndarray]) -> Figure:
    """AUROC against alpha for each way of normalising, and at one alpha the histograms and the ROC curves.

    Args:
        curves: normaliser -> AUROC at each of `alphas`.
        scores: normaliser -> score of each test image at alpha `at`; the first one's are in the histogram.
    """
    figure = canvas(10.7, 3.6)
    sweep, histogram, roc = (axes(figure, left, 0.16, width, 0.74)
                             for left, width in ((0.06, 0.28), (0.41, 0.27), (0.74, 0.25)))
    for (name, values), style in zip(curves.items(), ("-", "--")):
        sweep.plot(alphas, values, style, color="black", label=name)
        sweep.plot(at, np.interp(at, alphas, values), **CHOSEN)
    sweep.set(xlabel="α: 0 = $l_{recon}$ alone, 1 = $l_{mut}$ alone", ylabel="AUROC (test set)", title="every mixture")
    sweep.legend(fontsize=8.5, frameon=False, title="normalised by means over", title_fontsize=8.5)
    first = next(iter(scores.values()))
    bins = np.linspace(0, np.percentile(first, 99), 26)
    for label, name, colour in ((NORMAL, "normal", NORMAL_COLOUR), (NOVEL, "novel", NOVEL_COLOUR)):
        histogram.hist(np.clip(first[labels == label], 0, bins[-1]), bins, density=True, color=colour, alpha=0.55,
                       label=f"test, {name}")
    histogram.set(xlabel=f"score at α = {at:.2f} ({next(iter(scores))})", ylabel="density", title="what it separates")
    histogram.legend(fontsize=8.5, frameon=False)
    for (name, values), style in zip(scores.items(), ("-", "--")):
        roc.plot(*roc_curve(labels == NOVEL, values)[:2], style, color="black", label=name)
    roc.plot([0, 1], [0, 1], color=TRAIN_COLOUR, linestyle=":")
    roc.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC")
    return figure


def live(history: pd.DataFrame, epochs: int, pictures: Mapping[str, np.ndarray], mode: str) -> Figure:
    """A training as it goes: error and information of training normals, AUROC where evaluated, reconstructions."""
    method = "recode_vae" if mode == "vae" else mode  # whose score AUROC at alpha 0.5 is
    figure, colour, seen = canvas(10.7, 3.3), METHOD_COLOURS[method], min(epochs, max(10, 2 * len(history)))
    curves = (("recon", "$l_{recon}$ (grey levels)"), ("enc1", "$l_{enc1}$ (nats)"), ("auroc", "AUROC, α = 0.5"))
    for i, (column, name) in enumerate(curves):
        axis, shown = axes(figure, 0.045 + 0.175 * i, 0.15, 0.115, 0.68), history.dropna(subset=column)
        axis.plot(shown.epoch, shown[column], "o-" if len(shown) < 12 else "-", markersize=3, color=colour)
        axis.set(xlim=(0, seen), xlabel="epoch")
        axis.set_title(name, fontsize=9.5)
        if not len(shown):
            axis.set(yticks=[])
            axis.text(0.5, 0.5, "not yet\nevaluated", transform=axis.transAxes, ha="center", va="center", fontsize=8.5)
    width = 0.4 / max(map(len, pictures.values()))
    height = min(0.84 / len(pictures), 1.08 * width * 10.7 / 3.3)
    for i, (name, images) in enumerate(pictures.items()):
        figure.text(0.585, 0.84 - height * (i + 0.45), name, ha="right", va="center", fontsize=9.5)
        for j, image in enumerate(images):
            axis = axes(figure, 0.595 + width * j, 0.84 - height * (i + 0.95), 0.94 * width, 0.94 * height)
            show_picture(axis, image, "")
    figure.suptitle(f"{METHOD_NAMES[method]}, epoch {len(history)} of {epochs}", fontsize=11, y=0.99)
    return figure


def picture_table(rows: Mapping[str, Sequence[np.ndarray]], verdicts: Sequence[str]) -> Figure:
    """Named rows of pictures, with a verdict above each of the last row."""
    columns, n = max(map(len, rows.values())), len(rows)
    figure = canvas(1.4 + 1.05 * columns, 1.25 * n)
    left, width = 1.4 / (1.4 + 1.05 * columns), 1.05 / (1.4 + 1.05 * columns)
    for i, (name, images) in enumerate(rows.items()):
        for j, image in enumerate(images):
            axis = axes(figure, left + width * j, 1 - (i + 0.98) / n, 0.92 * width, 0.78 / n)
            show_picture(axis, image, verdicts[j] if i == n - 1 else "")
        figure.text(left - 0.01, 1 - (i + 0.58) / n, name, ha="right", va="center", fontsize=9.5)
    return figure


def deviation(frames: Mapping[str, pd.DataFrame], column: str, colouring: str, chosen: int,
              pictures: Mapping[str, np.ndarray], class_names: Sequence[str]) -> tuple[Figure, np.ndarray]:
    """Fig. 7 to play with: a map of codes per method, the chosen image ringed, and its pictures below.

    Args:
        frames: method -> a row an image, with x, y and `column`, which decides the colours.

    Returns:
        The figure, and where each image lies in it as shares of width and height from the lower left: (maps, N, 2).
    """
    n = len(frames)
    figure, places, seen = canvas(4.9 * n, 7.2), [], pd.concat([frame[column] for frame in frames.values()])
    limits = tuple(seen.quantile([0.01, 0.99])) if seen.dtype.kind == "f" else None
    for i, (name, frame) in enumerate(frames.items()):
        axis = axes(figure, 0.025 + 0.975 * i / n, 0.4, 0.94 / n, 0.56)
        _coloured_points(axis, frame, column, class_names, limits)
        axis.plot(frame.x.iloc[chosen], frame.y.iloc[chosen], **CHOSEN)
        axis.set(xticks=[], yticks=[], xlabel="t-SNE 1 (no unit)", ylabel="t-SNE 2 (no unit)" if i == 0 else "")
        axis.set_title(f"{name}, by {colouring}")
        places.append(figure.transFigure.inverted().transform(axis.transData.transform(frame[["x", "y"]].to_numpy())))
    for j, (name, image) in enumerate(pictures.items()):
        width = 0.98 / len(pictures)
        show_picture(axes(figure, 0.01 + j * width, 0.01, 0.92 * width, 0.205), image, name)
    return figure, np.stack(places)


def _coloured_points(axis: Axes, frame: pd.DataFrame, column: str, class_names: Sequence[str],
                     limits: tuple[float, float] | None) -> None:
    """Numbers in viridis between limits that all maps share; names in a colour each."""
    style = {"s": 16, "linewidths": 0, "alpha": 0.85}
    if limits:
        low, high = limits
        points = axis.scatter(frame.x, frame.y, c=frame[column], cmap="viridis", vmin=low, vmax=high, **style)
        axis.figure.colorbar(points, cax=axis.inset_axes((0.2, -0.1, 0.6, 0.03)), orientation="horizontal")
        return
    for value, colour in _colours(frame, column).items():
        shown = frame[frame[column] == value]
        name = {"category": dict(enumerate(class_names)), "group": GROUP_NAMES}.get(column, {}).get(value, value)
        axis.scatter(shown.x, shown.y, color=colour, label=name, **style)
    axis.legend(fontsize=8, ncols=5, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.04), columnspacing=1,
                handletextpad=0.2)


def _colours(frame: pd.DataFrame, column: str) -> dict[str | int, str | tuple]:
    if column != "category":
        groups = {"train": TRAIN_COLOUR, "normal": NORMAL_COLOUR, "novel": NOVEL_COLOUR}
        every = groups if column == "group" else POINT_COLOURS
        return {value: colour for value, colour in every.items() if (frame[column] == value).any()}
    own = frame.category[frame.group == "train"].iloc[0]
    others = sorted(set(frame.category) - {own})
    return {own: NORMAL_COLOUR} | dict(zip(others, mpl.colormaps["tab10"].colors[1:]))
