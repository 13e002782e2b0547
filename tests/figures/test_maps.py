"""Fig. 7: every image has its mark, chosen points lead to their images, and shares are numbers."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import ConnectionPatch

from rscvae_lab import figures

GENERATOR = np.random.default_rng(0)


def some_map() -> pd.DataFrame:
    """Ten images a group; of the novel ones five are threes, and the first four are unknown."""
    frame = pd.DataFrame(GENERATOR.normal(size=(30, 2)), columns=["x", "y"])
    regions = ["normal"] * 20 + ["unknown"] * 4 + ["anomalous"] * 6
    return frame.assign(
        group=np.repeat(["train", "normal", "novel"], 10),
        category=[5] * 20 + [3] * 5 + [7] * 5,
        region=regions,
    )


def test_every_image_has_its_mark_and_unknown_ones_a_ring():
    (axis,) = figures.embeddings({"e": some_map()}).axes
    sizes = [len(points.get_offsets()) for points in axis.collections]
    assert sizes == [10, 4, 5, 5, 10], "training, rings, threes, sevens, normal"
    assert axis.get_title() == "RSC-VAE_e"


def test_lines_lead_from_the_chosen_points_to_their_images():
    frames = {"VAE": some_map(), "e": some_map()}
    images = np.stack([np.full((4, 4), level) for level in (0.1, 0.2, 0.3)])
    figure = figures.numbered_maps(frames, [20, 24, 29], images, {"VAE": images, "e": 1 - images})
    lines = [each for each in figure.artists if isinstance(each, ConnectionPatch)]
    assert len(lines) == 6
    for line in lines[:3]:
        row = frames["VAE"][["x", "y"]].to_numpy()
        assert (np.abs(row[[20, 24, 29]] - line.xy1).sum(1) < 1e-9).any()
    ends = [line.axesB for line in lines]
    shown = {axis.texts[0].get_text(): axis.images[0].get_array()[0, 0] for axis in ends}
    assert shown == pytest.approx({"1": 0.1, "2": 0.2, "3": 0.3})
    images_of = [axis.images[0].get_array()[0, 0] for axis in figure.axes if axis.images]
    outputs = [0.1, 0.2, 0.3, 0.9, 0.8, 0.7]
    assert sorted(images_of) == pytest.approx(sorted(outputs + 2 * [0.1, 0.2, 0.3]))


def test_shares_and_paired_errors_are_said_in_numbers():
    rates = pd.DataFrame({"normal": [0.01, 0.02], "novel": [0.0, 0.9]}, index=["VAE", "e"])
    errors = pd.DataFrame({"VAE": [20.0, 40, 60, 80], "e": [22.0, 42, 100, 140]})
    groups = ["normal", "normal", "novel", "novel"]
    plane, bars = figures.deviation_numbers(rates, errors, groups).axes
    assert {text.get_text() for text in bars.texts} == {
        "normal 1.0%",
        "normal 2.0%",
        "novel 0.0%",
        "novel 90.0%",
    }
    assert {text.get_text() for text in plane.texts} == {
        "novel: 70.0 to 120.0",
        "normal: 30.0 to 32.0",
    }


def test_the_explorer_says_where_each_image_lies():
    frames, image = {"a": some_map(), "b": some_map()}, np.zeros((4, 4))
    names = list("0123456789")
    figure, places = figures.deviation(frames, "group", "group", 3, {"input": image}, names)
    assert places.shape == (2, 30, 2)
    axis = figure.axes[0]
    inverse = figure.transFigure + axis.transData.inverted()
    assert inverse.transform(places[0]) == pytest.approx(frames["a"][["x", "y"]].to_numpy())
    assert (places[0, :, 0] < 0.5).all() and (places[1, :, 0] > 0.5).all()
