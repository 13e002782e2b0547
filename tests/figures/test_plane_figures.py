"""The latent plane's figures, from made-up codes."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from rscvae_lab import figures

CODES = pd.DataFrame({"mu_1": [0.0, 1.0, -1.0], "mu_2": [0.5, 0.0, 2.0],
                      "sigma_1": [0.1, 0.2, 0.3],
                      "sigma_2": [0.2, 0.4, 0.6], "label": [0, 1, 1]})
FIELD = pd.DataFrame({"z_1": [2.0], "z_2": [1.0], "mu_re_1": [0.5], "mu_re_2": [1.5]})


def test_codes_are_ellipses_of_one_sigma_in_the_colour_of_their_label():
    left, right = figures.latent_plane(np.zeros((64, 64)), CODES, FIELD, 3.0).axes
    quiver, novel, normal = right.collections
    for ellipses, label, colour in ((novel, 1, figures.NOVEL_COLOUR),
                                    (normal, 0, figures.NORMAL_COLOUR)):
        rows = CODES[CODES.label == label]
        assert np.array_equal(ellipses.get_offsets(), rows[["mu_1", "mu_2"]])
        assert ellipses.get_widths() == pytest.approx(2 * rows.sigma_1)
        assert ellipses.get_heights() == pytest.approx(2 * rows.sigma_2)
        assert tuple(ellipses.get_edgecolor()[0][:3]) == pytest.approx(to_rgb(colour))
    assert (quiver.U[0], quiver.V[0]) == (-1.5, 0.5)
    assert left.images[0].get_extent() == [-3, 3, -3, 3]


def test_a_point_is_drawn_over_its_background_where_the_plane_is():
    figure, plane = figures.plane_background(CODES, FIELD, 3.0)
    place = plane.get_position().bounds
    recoded = SimpleNamespace(x_hat=np.zeros((1, 8, 8)), mu_re=np.array([0.0, 9.0]),
                              sigma_re=np.ones(2), x_re=np.ones((1, 8, 8)))
    drawn = figures.plane_point(np.zeros((10, 10, 3), np.uint8), place, 3.0, (1, -2), recoded)
    _, axis, first, second = drawn.axes
    assert axis.get_position().bounds == pytest.approx(place)
    assert axis.lines[0].get_xydata().tolist() == [[1, -2]]
    assert axis.texts[0].xy == pytest.approx((0, 3))  # the arrow stays inside the plane
    assert (first.images[0].get_array().max(), second.images[0].get_array().max()) == (0, 1)
    assert drawn.get_size_inches().tolist() == figure.get_size_inches().tolist()
