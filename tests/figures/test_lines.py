"""Lines with names at their ends."""

import numpy as np
import pandas as pd
import pytest

from rscvae_lab import figures
from rscvae_lab.figures.lines import spread


def names(axis) -> dict[str, tuple[float, float]]:
    return {text.get_text(): text.get_position() for text in axis.texts}


def test_names_stand_at_the_ends_in_the_colour_of_their_line():
    frame = pd.DataFrame({"low": [0.0, 1.0], "high": [3.0, 4.0]}, index=["a", "b"])
    styles = {"low": {"color": "red"}, "high": {"color": "blue"}}
    (axis,) = figures.named_lines({"title": frame}, styles, ylim=(0, 5)).axes
    assert {text.get_text(): text.get_color() for text in axis.texts} == {
        "low": "red", "high": "blue"}
    assert [names(axis)[name][1] for name in ("low", "high")] == pytest.approx([0.2, 0.8])


def test_a_line_that_leaves_is_named_where_it_leaves():
    frame = pd.DataFrame({"steep": np.arange(20.0), "flat": 1.0}, index=np.arange(20))
    styles = {"steep": {"color": "red"}, "flat": {"color": "blue"}}
    figure = figures.named_lines({"title": frame}, styles, ylim=(0, 6.5))
    (axis,) = figure.axes
    assert names(axis)["steep"] == (7, 1.02)
    beside, height = names(axis)["flat"]
    assert height == pytest.approx(1 / 6.5)
    figure.draw_without_rendering()
    right = next(text for text in axis.texts if text.get_text() == "flat").get_window_extent().x1
    assert beside > 1 and right < figure.bbox.x1, "a name beside the panel, within the figure"


def test_names_that_would_overlap_are_moved_apart_and_no_further():
    frame = pd.DataFrame({name: [0.0, 1.0] for name in "abc"}, index=[0, 1])
    figure = figures.named_lines({"t": frame}, {name: {"color": "red"} for name in "abc"})
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert not any(a.overlaps(b) for a, b in zip(boxes, boxes[1:]))
    assert spread(np.array([0.0, 5.0, 0.5]), 1) == pytest.approx([-0.25, 5, 0.75])
    assert spread(np.array([2.0, 2.0, 2.0]), 2) == pytest.approx([0, 2, 4])


def test_names_stand_beside_their_lines_on_a_logarithmic_axis():
    frame = pd.DataFrame({"low": [1.0, 1.0], "high": [1.0, 100.0]}, index=[0, 1])
    styles = {"low": {"color": "red"}, "high": {"color": "blue"}}
    (axis,) = figures.named_lines({"t": frame}, styles, ylim=(0.1, 1000), yscale="log").axes
    assert [names(axis)[name][1] for name in ("low", "high")] == pytest.approx([0.25, 0.75])
    assert {"0.1", "0.2", "0.5"} <= {label.get_text() for label in axis.get_yticklabels()}


def test_panels_stand_two_a_row():
    frame = pd.DataFrame({"a": [0.0, 1.0]})
    figure = figures.named_lines({name: frame for name in "pqr"}, {"a": {}}, height=3)
    assert figure.get_size_inches()[1] == 6
    places = [axis.get_position() for axis in figure.axes]
    assert places[0].y0 == places[1].y0 > places[2].y1 and places[0].x0 == places[2].x0
    assert places[1].x0 > places[0].x1 and places[0].height == pytest.approx(places[2].height)
