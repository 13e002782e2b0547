"""Rows of images that look alike, with their differences and a number under each."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from rscvae_lab.figures.images import hide_frame, name_row, show_image
from rscvae_lab.figures.style import FONT, WIDEST, empty_figure


def differences(images: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """A row for `compared_rows`: signed differences of grey images (n, 1, S, S) or (n, S, S) in
    [0, 1], and their sizes in grey levels summed over pixels, as text."""
    change = np.asarray(images, dtype=float) - np.asarray(others, dtype=float)
    change = change.reshape(len(change), *change.shape[-2:])
    return change, [f"{np.abs(each).sum():.1f}" for each in change]


def compared_rows(rows: Mapping[str, tuple[Sequence[np.ndarray], Sequence[str]]],
                  columns: Sequence[str], title: str = "") -> Figure:
    """Named rows of images, each with a text below it. Rows with negative values are differences:
    red where the first is brighter, blue where it is darker, in full colour at the row's largest
    difference, which is named."""
    n = len(columns)
    cell = min(1.15, (WIDEST - 2.0) / n)  # inches
    size = (2.0 + cell * n, (cell + 0.26) * len(rows) + 0.5 + 0.25 * bool(title))
    figure, grid = empty_figure(len(rows), n, size)
    for line, (name, (images, texts)) in zip(grid, rows.items()):
        images = [np.asarray(image) for image in images]
        signed = any(image.min() < 0 for image in images)
        top = max(np.abs(image).max() for image in images)
        name += f"\n(full colour: {top:.2f})" * signed
        for axis, image in zip(line, images):
            if signed:
                axis.imshow(image, cmap="RdBu_r", vmin=-top, vmax=top, interpolation="nearest")
                hide_frame(axis)
            else:
                show_image(axis, image)
        for axis, text in zip(line, texts):
            axis.set_xlabel(text, labelpad=1, fontsize=FONT)
        name_row(line[0], name)
    for axis, name in zip(grid[0], columns):
        axis.set_title(name)
    figure.suptitle(title, fontsize=FONT)
    return figure
