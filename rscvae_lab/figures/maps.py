"""Fig. 7: maps of codes, what is drawn of chosen points, and the numbers beside them."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import ConnectionPatch

from rscvae_lab.figures.images import show_image
from rscvae_lab.figures.style import (
    CHOSEN,
    FONT,
    GRID,
    LABELS,
    NORMAL_COLOUR,
    NOVEL_COLOUR,
    TRAIN_COLOUR,
    WIDEST,
    axes,
    canvas,
    row_and_strip,
)
from rscvae_lab.methods import METHOD_NAMES

GROUP_NAMES = {"train": "training", "normal": "test, normal", "novel": "test, novel"}
GROUP_COLOURS = {"train": TRAIN_COLOUR, "normal": NORMAL_COLOUR, "novel": NOVEL_COLOUR}
REGION_POINTS = {"normal": "#63b3ed", "anomalous": "#f6ad55", "unknown": "#4a5568"}
CLASS_COLOURS = ("#dd6b20", "#2f855a", "#c53030", "#805ad5", "#8b5e34", "#d53f8c", "#6b7a00",
                 "#0d9488", "#1a202c", "#9c4221")  # of the novel classes, in their order
OUTLINE = {"s": 60, "facecolors": "none", "edgecolors": "black", "linewidths": 0.4}
TRAIN = {"s": 14, "facecolors": "none", "edgecolors": TRAIN_COLOUR, "linewidths": 0.8}
NORMAL_POINTS = {"s": 14, "color": NORMAL_COLOUR, "linewidths": 0}


def embeddings(panels: Mapping[str, pd.DataFrame]) -> Figure:
    """A map of codes for each method or name. Frames have the columns `x`, `y`, `group` (train,
    normal or novel), `category` (a class number, drawn for novel images) and `region`."""
    n = len(panels)
    height = min(WIDEST / n, 3.3)
    figure = canvas(WIDEST, height + 0.4)
    for i, (name, frame) in enumerate(panels.items()):
        axis = axes(figure, 0.025 + 0.975 * i / n, 0.55 / (height + 0.4), 0.93 / n,
                    (height - 0.45) / (height + 0.4))
        _map(axis, frame, METHOD_NAMES.get(name, name))
        axis.set_ylabel("" if i else "t-SNE 2 (no unit)")
    _key(figure)
    return figure


def numbered_maps(panels: Mapping[str, pd.DataFrame], chosen: Sequence[int], inputs: np.ndarray,
                  outputs: Mapping[str, np.ndarray]) -> Figure:
    """Fig. 7: maps as in `embeddings`; below each, the chosen images above what that method
    reconstructs of them, with lines from the points.

    Args:
        chosen: rows of the frames; numbered from 1 in the order given.
        inputs: their images, (k, S, S).
        outputs: method -> their reconstructions, (k, S, S).
    """
    n, height, left = len(panels), 5.6, 0.06
    figure, width, side = canvas(WIDEST, height), 0.94 / n, 0.17
    for i, (name, frame) in enumerate(panels.items()):
        axis = axes(figure, left + i * width, 0.42, 0.94 * width, 0.52)
        _map(axis, frame, METHOD_NAMES.get(name, name))
        axis.set(xlabel="", ylabel="" if i else "t-SNE map (no unit)")
        places = frame[["x", "y"]].to_numpy()[list(chosen)]
        for j, k in enumerate(np.argsort(places[:, 0])):  # so that lines hardly cross
            place = left + i * width + 0.188 * width * j, 0.175 * width
            above = axes(figure, place[0], 0.22, place[1], side * 0.82)
            below = axes(figure, place[0], 0.075, place[1], side * 0.82)
            show_image(above, inputs[k])
            show_image(below, outputs[name][k])
            axis.plot(*places[k], "o", markersize=13, color="white", markeredgecolor="black")
            for target, spot in ((axis, places[k]), (above, (-0.5, -0.5))):
                target.text(*spot, str(k + 1), ha="center", va="center", fontweight="bold",
                            bbox=None if target is axis else
                            {"boxstyle": "circle,pad=0.15", "fc": "white", "ec": "black"})
            figure.add_artist(ConnectionPatch(
                places[k], (0.5, 1.02), "data", "axes fraction", axesA=axis, axesB=above,
                linewidth=0.9, color="black", shrinkA=7))
    for y, name in ((0.29, "input"), (0.145, "output")):
        figure.text(left - 0.008, y, name, ha="right", va="center")
    _key(figure)
    return figure


def _map(axis: Axes, frame: pd.DataFrame, title: str) -> None:
    """Training normals as grey rings, test normals as blue points, novel images as the digit of
    their class; unknown codes outlined."""
    train, normal, novel = (frame[frame.group == group] for group in GROUP_NAMES)
    unknown = frame[(frame.region == "unknown") & (frame.group != "train")]
    axis.scatter(train.x, train.y, **TRAIN)
    axis.scatter(unknown.x, unknown.y, **OUTLINE)
    for (category, points), colour in zip(novel.groupby("category"), cycle(CLASS_COLOURS)):
        axis.scatter(points.x, points.y, marker=f"${category}$", s=26, color=colour,
                     linewidths=0.2)
    axis.scatter(normal.x, normal.y, **NORMAL_POINTS)
    axis.set(xticks=[], yticks=[], xlabel="t-SNE 1 (no unit)")
    axis.set_title(title)


def _key(figure: Figure) -> None:
    styles = {"training, normal": ("o", 7, "none", TRAIN_COLOUR),
              "test, normal": ("o", 7, NORMAL_COLOUR, NORMAL_COLOUR),
              "test, novel: its class": ("$n$", 7, "black", "black"),  # each has its own colour
              "ring: in the unknown region": ("o", 10, "none", "black")}
    handles = [Line2D([], [], linestyle="", marker=marker, markersize=size, markerfacecolor=face,
                      markeredgecolor=edge, label=name)
               for name, (marker, size, face, edge) in styles.items()]
    figure.legend(handles=handles, loc="lower center", ncols=4, frameon=False, fontsize=FONT)


def deviation_numbers(rates: pd.DataFrame, errors: pd.DataFrame, groups: Sequence[str]) -> Figure:
    """What the maps cannot say: shares in the unknown region, and what is drawn worse.

    Args:
        rates: a row a method, with the shares `normal` and `novel` of the unknown region, in 0-1.
        errors: a row an image and a column a method, l_recon; the first column is compared with
            each of the others.
        groups: `normal` or `novel`, an image.
    """
    first, *others = errors
    figure, planes, bars = row_and_strip(len(others), 6.8, 1.8, strip_first=True)
    for y, row in enumerate(rates.iloc[::-1].itertuples()):
        bars.plot([row.normal, row.novel], [y, y], color="#cbd5e0", linewidth=3, zorder=0)
        for (_, label, colour), shift in zip(LABELS, (-0.3, 0.18)):
            share = getattr(row, label)
            bars.plot(share, y, "o", markersize=8, color=colour)
            bars.annotate(f"{label} {share:.1%}", (share, y + shift), ha="center", color=colour)
    bars.set(xlim=(-0.1, 1.1), ylim=(-0.6, len(rates) - 0.4), xticks=(0, 0.5, 1),
             xlabel="share of test images", yticks=range(len(rates)),
             yticklabels=[name.replace(", ", "\n") for name in rates.index[::-1]],
             title="in the unknown region")
    bars.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    top, groups = 1.25 * errors.to_numpy().max(), np.asarray(groups)
    for axis, other in zip(planes, others):
        axis.axline((0, 0), slope=1, color="black", linewidth=0.8)
        for (_, label, colour), y in zip(LABELS[::-1], (0.97, 0.89)):
            own = errors[groups == label]
            axis.plot(own[first], own[other], ".", color=colour, markersize=4, alpha=0.6)
            axis.text(0.03, y, f"{label}: {own[first].mean():.1f} to {own[other].mean():.1f}",
                      transform=axis.transAxes, va="top", color=colour, fontweight="bold",
                      bbox={"fc": "white", "ec": "none", "alpha": 0.8, "pad": 1})
        axis.set(xlim=(0, top), ylim=(0, top), aspect="equal",
                 xlabel=f"$l_{{recon}}$ under {first} (grey levels)",
                 ylabel=f"under {other}", title="is it drawn worse?")
    bars.grid(axis="x", color=GRID["color"])
    return figure


def deviation(frames: Mapping[str, pd.DataFrame], column: str, colouring: str, chosen: int,
              images: Mapping[str, np.ndarray], class_names: Sequence[str]
              ) -> tuple[Figure, np.ndarray]:
    """The explorer: a map of codes for each method with a ring around the chosen image, and named
    `images` below.

    Args:
        frames: method -> a row an image, with x, y and `column`, which decides the colours.
        colouring: the name of that column in the title.

    Returns:
        The figure, and each image's place in it as fractions of width and height from the lower
        left corner, (maps, N, 2).
    """
    n = len(frames)
    figure, places = canvas(WIDEST, 5), []
    values = pd.concat([frame[column] for frame in frames.values()])
    limits = tuple(values.quantile([0.01, 0.99])) if values.dtype.kind == "f" else None
    for i, (name, frame) in enumerate(frames.items()):
        axis = axes(figure, (i + 0.015) / n, 0.43, 0.97 / n, 0.49)
        _coloured_points(axis, frame, column, limits)
        axis.plot(frame.x.iloc[chosen], frame.y.iloc[chosen], **CHOSEN)
        axis.set(xticks=[], yticks=[])
        axis.set_title(name)
        axis.autoscale_view()  # now, for the places; otherwise when it is drawn
        to_figure = axis.transData + figure.transFigure.inverted()
        places.append(to_figure.transform(frame[["x", "y"]].to_numpy()))
    if not limits:
        _names_of_colours(figure, pd.concat(frames.values()), column, class_names)
    figure.suptitle(f"t-SNE maps (no unit); colour: {colouring}", fontsize=FONT, y=0.995)
    width = min(1 / len(images), 0.16)
    for j, (name, image) in enumerate(images.items()):
        show_image(axes(figure, (j + 0.03) * width, 0.0, 0.94 * width, 0.24), image, name)
    return figure, np.stack(places)


def _coloured_points(axis: Axes, frame: pd.DataFrame, column: str,
                     limits: tuple[float, float] | None) -> None:
    """Numbers in viridis between `limits`, the same in all maps; names in one colour each."""
    style = {"s": 14, "linewidths": 0}
    if limits:
        points = axis.scatter(frame.x, frame.y, c=frame[column], cmap="viridis", vmin=limits[0],
                              vmax=limits[1], **style)
        axis.figure.colorbar(points, cax=axis.inset_axes((0.2, -0.07, 0.6, 0.03)),
                             orientation="horizontal")
    else:
        axis.scatter(frame.x, frame.y, c=frame[column].map(_colours(frame, column)), **style)


def _names_of_colours(figure: Figure, frame: pd.DataFrame, column: str,
                      class_names: Sequence[str]) -> None:
    """One line below all maps."""
    names = {"category": dict(enumerate(class_names)), "group": GROUP_NAMES,
             "region": {name: f"{name} region" for name in REGION_POINTS}}[column]
    style = {"linestyle": "", "marker": "o"}
    handles = [Line2D([], [], color=colour, label=names[value], **style)
               for value, colour in _colours(frame, column).items()]
    figure.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0.43), frameon=False,
                  ncols=10, fontsize=FONT, columnspacing=0.8, handletextpad=-0.2)


def _colours(frame: pd.DataFrame, column: str) -> dict[str | int, str]:
    """The colour of each value that the column has."""
    values = set(frame[column])
    if column != "category":
        colours = GROUP_COLOURS if column == "group" else REGION_POINTS
        return {value: colour for value, colour in colours.items() if value in values}
    own = frame.category[frame.group == "train"].iloc[0]
    others = sorted(values - {own})
    return {own: NORMAL_COLOUR} | dict(zip(others, cycle(CLASS_COLOURS)))
