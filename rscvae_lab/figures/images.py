"""Rows, tables and columns of images."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rscvae_lab.figures.style import DPI, FONT, LABELS, WIDEST, axes, canvas, empty_figure


def show_image(axis: Axes, image: np.ndarray, title: str = "") -> None:
    """Draws one image, (S, S), (1, S, S) or in colour (3, S, S), uint8 or in [0, 1]."""
    image = np.asarray(image)
    if image.ndim == 3:
        image = np.moveaxis(image, 0, 2)
    axis.imshow(image, cmap="gray", vmin=0, vmax=255 if image.dtype == np.uint8 else 1,
                interpolation="nearest")
    axis.set_title(title)
    hide_frame(axis)


def hide_frame(axis: Axes) -> None:
    axis.set(xticks=[], yticks=[])
    axis.spines[:].set_visible(False)


def name_row(axis: Axes, name: str) -> None:
    """Writes a row's name to the left of its first axis."""
    axis.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=FONT)


def image_rows(rows: Mapping[str, Sequence[np.ndarray]], columns: Sequence[str] = (),
               title: str = "") -> Figure:
    """Named rows of images as in `show_image`; the columns may be named too."""
    n = max(map(len, rows.values()))
    cell = min(1.2, (WIDEST - 1.8) / n)  # inches
    size = (1.7 + cell * n, 0.1 + (cell + 0.1) * len(rows) + 0.3 * (bool(title) + bool(columns)))
    figure, grid = empty_figure(len(rows), n, size)
    for row, (name, images) in zip(grid, rows.items(), strict=True):
        for axis in row:
            hide_frame(axis)
        for axis, image in zip(row, images):
            show_image(axis, image)
        name_row(row[0], name)
    for axis, name in zip(grid[0], columns):
        axis.set_title(name)
    figure.suptitle(title, fontsize=FONT)
    return figure


def image_table(rows: Mapping[str, Sequence[np.ndarray]], verdicts: Sequence[str]) -> Figure:
    """Named rows of images, with a verdict below each image of the last row."""
    columns, n = max(map(len, rows.values())), len(rows)
    size = 1.4 + 1.05 * columns
    figure, left, width = canvas(size, 1.25 * n), 1.4 / size, 1.05 / size
    for i, (name, images) in enumerate(rows.items()):
        for j, image in enumerate(images):
            axis = axes(figure, left + width * j, 1 - (i + 0.8) / n, 0.92 * width, 0.78 / n)
            show_image(axis, image)
            axis.set_xlabel(verdicts[j] if i == n - 1 else "", fontsize=FONT)
        figure.text(left - 0.01, 1 - (i + 0.41) / n, name, ha="right", va="center", fontsize=FONT)
    return figure


def image_columns(rows: Mapping[str, np.ndarray], labels: Sequence[int], title: str = ""
                  ) -> Figure:
    """Named rows of images (n, S, S) in [0, 1], with the label of each column above it. `labels`
    may be empty. Cells are whole pixels wide, which keeps images sharp, and images have few grey
    levels, which keeps the file small where they are noisy."""
    pixel = 1 / DPI  # inches
    name_width, cell, side, line = 172 * pixel, 67 * pixel, 64 * pixel, 24 * pixel
    n, head = max(map(len, rows.values())), line * (bool(title) + bool(len(labels)))
    width, height = name_width + cell * n, head + cell * len(rows)
    figure = canvas(width, height)
    for i, (name, images) in enumerate(rows.items()):
        bottom = cell * (len(rows) - 1 - i) / height
        figure.text((name_width - 0.1) / width, bottom + 0.5 * cell / height, name, ha="right",
                    va="center", fontsize=FONT)
        for j, image in enumerate(images):
            left = (name_width + cell * j) / width
            axis = axes(figure, left, bottom, side / width, side / height)
            show_image(axis, np.clip(image, 0, 1).round(1))
    for j, label in enumerate(labels):
        _, name, colour = LABELS[label]
        figure.text((name_width + cell * (j + 0.475)) / width, 1 - (head - 0.06) / height, name,
                    ha="center", va="bottom", color=colour, fontweight="bold", fontsize=FONT)
    figure.text(0.5, 1 - 0.04 / height, title, ha="center", va="top", fontsize=FONT)
    return figure
