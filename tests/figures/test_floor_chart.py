"""Differences from the floor: where points, intervals and zero are drawn."""

import pandas as pd
import pytest

from rscvae_lab import figures


def test_points_and_intervals_lie_where_the_frame_says():
    frame = pd.DataFrame({"mean": [0.01, -0.02], "low": [0.0, -0.05], "high": [0.03, -0.01]},
                         index=["o", "d"])
    (axis,) = figures.floor_chart({"MNIST": frame}, {"MNIST": "PCA-32, 0.959"}).axes
    zero, *lines = axis.lines
    assert list(zero.get_xdata()) == [0, 0]
    points = [line.get_xdata()[0] for line in lines if line.get_marker() == "o"]
    assert points == pytest.approx([-0.02, 0.01]), "the first method is on top"
    ends = [segment[:, 0].tolist() for bars in axis.collections for segment in bars.get_segments()]
    assert ends == [pytest.approx([-0.05, -0.01]), pytest.approx([0.0, 0.03])]
    assert [text.get_text() for text in axis.texts] == ["-0.020", "+0.010"]
    assert axis.get_title().endswith("0 = PCA-32, 0.959")
