"""Rows of images with their differences."""

import numpy as np
import pytest

from rscvae_lab import figures


def test_differences_are_signed_and_summed_in_grey_levels():
    first, second = np.full((2, 1, 4, 4), 0.75), np.ones((2, 1, 4, 4))
    second[1] = 0.5
    change, sizes = figures.differences(first, second)
    assert change.shape == (2, 4, 4)
    assert change[:, 0, 0] == pytest.approx([-0.25, 0.25])
    assert sizes == ["4.0", "4.0"]


def test_rows_with_negative_values_are_drawn_as_differences():
    grey, change = np.full((2, 4, 4), 0.5), np.stack([np.full((4, 4), -0.2), np.zeros((4, 4))])
    rows = {"input": (grey, ["a", "b"]), "change": (change, ["3.2", "0.0"])}
    figure = figures.compared_rows(rows, ["one", "two"])
    shown = [axis.images[0] for axis in figure.axes]
    assert [image.get_clim() for image in shown] == [(0, 1), (0, 1), (-0.2, 0.2), (-0.2, 0.2)]
    assert [axis.get_xlabel() for axis in figure.axes] == ["a", "b", "3.2", "0.0"]
    assert [axis.get_title() for axis in figure.axes[:2]] == ["one", "two"]
