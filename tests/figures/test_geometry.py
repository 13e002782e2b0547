"""The score as a line over its two terms, and what the second term changes by class."""

import numpy as np
import pandas as pd
import pytest

from rscvae_lab import figures
from rscvae_lab.figures.scoreboard import BETTER_COLOUR, WORSE_COLOUR

LABELS = np.repeat([0, 1], [100, 50])
PARTS = np.random.default_rng(0).gamma(4, 0.25, (150, 2)) + LABELS[:, None]
ALPHAS = np.linspace(0, 1, 5)
CURVES = {"held-out normals": np.array([0.8, 0.9, 0.95, 0.9, 0.7]), "test": np.full(5, 0.5)}


@pytest.mark.parametrize("alpha", [0.0, 0.25, 0.5, 1.0])
def test_95_percent_of_normal_images_lie_before_the_line(alpha):
    plane, roc, sweep = figures.alpha_panels(PARTS, LABELS, alpha, ALPHAS, CURVES).axes
    line = plane.lines[-1].get_xydata()
    if alpha == 0:
        assert np.ptp(line[:, 0]) == 0  # vertical: l_recon alone
        before = PARTS[:, 0] < line[0, 0]
    else:
        slope = np.diff(line, axis=0)[0]
        assert slope[1] / slope[0] == pytest.approx(-(1 - alpha) / alpha)
        before = PARTS[:, 1] < np.interp(PARTS[:, 0], *line.T)
        inside = PARTS[:, 0] <= line[-1, 0]  # the line ends at the axis
        assert inside.mean() > 0.9
        before = before & inside
    assert before[LABELS == 0].mean() == pytest.approx(0.95, abs=0.02)
    assert roc.get_title() == f"AUROC = {np.interp(alpha, ALPHAS, CURVES['held-out normals']):.3f}"
    assert sweep.lines[-1].get_xydata().tolist()[0][0] == alpha


def test_points_of_a_label_have_its_colour():
    plane = figures.alpha_panels(PARTS, LABELS, 0.5, ALPHAS, CURVES).axes[0]
    novel, normal, _ = plane.lines
    assert (novel.get_color(), len(novel.get_xdata())) == (figures.NOVEL_COLOUR, 50)
    assert (normal.get_color(), len(normal.get_xdata())) == (figures.NORMAL_COLOUR, 100)


def test_dumbbells_count_what_the_second_term_raises():
    frame = pd.DataFrame({"recon": [0.9, 0.8, 0.7], "both": [0.95, 0.7, 0.75]}, index=list("abc"))
    (axis,) = figures.dumbbells({"digits": frame}).axes
    assert axis.get_title() == "digits: raised in 2 of 3,\nmean 0.800 to 0.800"
    filled = {line.get_color(): line.get_xydata().tolist() for line in axis.lines[1:]}
    assert filled == {BETTER_COLOUR: [[0.75, 0], [0.95, 2]], WORSE_COLOUR: [[0.7, 1]]}
    assert [label.get_text() for label in axis.get_yticklabels()] == ["c", "b", "a"]
