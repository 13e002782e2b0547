"""S_a: both components relative to their means, numbered points, and changes by class."""

import numpy as np
import pandas as pd
import pytest

from rscvae_lab import figures

FRAME = pd.DataFrame({"l_recon": [1.0, 2, 3, 6], "l_mut": [0.1, 0.4, 0.3, 0.4]})


def test_points_are_divided_by_their_means_and_the_ends_are_numbered():
    left, ratios = figures.consistency({"o": FRAME}, {"o": 0.321}, "", {"o": [3, 1]}).axes
    offsets = left.collections[0].get_offsets()
    assert np.allclose(offsets, FRAME.to_numpy() / FRAME.mean().to_numpy())
    numbers = {text.get_text(): text.xy for text in left.texts if hasattr(text, "xy")}
    assert numbers["1"] == pytest.approx([2, 4 / 3])
    assert numbers["2"] == pytest.approx([2 / 3, 4 / 3])
    assert left.get_title() == "RSC-VAE_o: $S_a$ = 0.321"
    assert ratios.get_xlabel()


def table(*rows: tuple[str, int, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["category", "seed", "vae", "o"])


def test_the_mean_is_thick_and_each_seed_thin():
    ours = table(("a", 0, 0.5, 0.4), ("a", 1, 0.5, 0.3), ("b", 0, 0.2, 0.3), ("b", 1, 0.2, 0.1))
    printed = table(("a", -1, 0.3, 0.2), ("b", -1, 0.2, 0.4))
    panels = {"printed: x": printed, "ours: x": ours}
    left, right = figures.change_by_class(panels, "vae", "o").axes
    assert left.get_title() == "printed: falls in 1 of 2"
    assert right.get_title() == "ours: falls in 1 of 2"
    thick, *thin = right.collections[0:1] + right.collections[2:]
    assert thick.get_linewidths().max() > 2 * max(each.get_linewidths().max() for each in thin)
    ends = [[round(x, 3) for x in segment[:, 0]] for segment in thick.get_segments()]
    assert ends == [[0.2, 0.2], [0.5, 0.35]]
    assert len(left.collections) == 2, "one training has no seeds to show"


def test_where_a_rise_is_good_it_is_counted():
    frame = table(("a", 0, 0.5, 0.6), ("b", 0, 0.5, 0.4), ("c", 0, 0.5, 0.7))
    (axis,) = figures.change_by_class({"ours: y": frame}, "vae", "o", rising=["ours: y"]).axes
    assert axis.get_title() == "ours: rises in 2 of 3"
    assert axis.get_xlabel() == "y"
