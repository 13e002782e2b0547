"""No panel of a figure 900 pixels wide is narrower than 300, and no name hides a point."""

import numpy as np
import pandas as pd
import pytest

from rscvae_lab import figures

GENERATOR = np.random.default_rng(0)


def frame(n: int = 40) -> pd.DataFrame:
    """Made-up measures of test images; with angles, of a turning image."""
    columns = {name: GENERATOR.random(n) for name in ("distance", "l_enc1", "novelty_score")}
    return pd.DataFrame(columns | {"label": np.arange(n) % 2, "angle": np.linspace(0, 360, n),
                                   "region": "normal"})


def history(n: int = 20) -> pd.DataFrame:
    return pd.DataFrame({"epoch": np.arange(1, n + 1)} | dict.fromkeys(
        ("recon", "enc1", "auroc"), GENERATOR.random(n)))


IMAGES = {"input": np.zeros((32, 32)), "output": np.ones((32, 32)), "again": np.ones((32, 32))}
BY_CLASS = pd.DataFrame(GENERATOR.random((10, 2)), [f"t-shirt {i}" for i in range(10)],
                        ["recon", "both"])
CHANGES = BY_CLASS.set_axis(["vae", "o"], axis=1).rename_axis("category").reset_index()
ENDS = pd.DataFrame(GENERATOR.random((40, 2)), columns=["l_recon", "l_mut"])
FIGURES = {
    "planes": figures.planes(dict.fromkeys(("vae", "o", "d"), frame()),
                             dict.fromkeys(("vae", "o", "d"), (0.2, 0.6))),
    "information": figures.information({"vae": frame()}, {"vae": 0.2}),
    "rotation": figures.rotation(frame(), 3, IMAGES, frame(), (0.2, 0.6), 0.5),
    "live": figures.live(history(), 60, {"test": [IMAGES["input"]] * 4}, "vae"),
    "alpha": figures.alpha_panels(GENERATOR.random((40, 2)), np.arange(40) % 2, 0.5,
                                  np.array([0.0, 1.0]), {"held-out": np.array([0.8, 0.9])}),
    "dumbbells": figures.dumbbells(dict.fromkeys(("digits", "MNIST", "Fashion"), BY_CLASS)),
    "consistency": figures.consistency(dict.fromkeys(("vae", "o"), ENDS), {"vae": 0.1, "o": 0.2}),
    "change": figures.change_by_class(dict.fromkeys(("a: x", "b: x", "c: y"),
                                                    CHANGES.assign(seed=0)), "vae", "o"),
    "deviation": figures.deviation_numbers(
        pd.DataFrame({"normal": [0.01, 0.01], "novel": [0.1, 0.9]}, ["a", "b, 54 anomalies"]),
        pd.DataFrame(GENERATOR.random((40, 3)), columns=list("abc")), ["normal", "novel"] * 20),
    "gaussians": figures.two_gaussians(np.arange(9), dict.fromkeys("pq", np.ones(9)),
                                       {"Bhattacharyya (ours)": 1.0, "Monte Carlo estimate": 0.9},
                                       1),
    "terms": figures.term_histograms(np.arange(40) % 2, dict.fromkeys("ab", frame().l_enc1)),
    "scatter": figures.scatter(ENDS, np.arange(40) % 2, "a"),
    "ranking": figures.ranking(pd.DataFrame({"auroc": [0.9, 0.8], "error": 0.01,
                                             "seconds": [1.0, 20.0]}, ["pca", "ganomaly"])),
    "score_panels": figures.score_panels(np.arange(40) % 2, GENERATOR.random(40), 0.5, 0.5),
}


@pytest.mark.parametrize("name", FIGURES)
def test_panels_are_wide_enough(name):
    figure = FIGURES[name]
    figure.draw_without_rendering()  # computes the layout
    assert figure.get_size_inches()[0] <= figures.WIDEST
    panels = [axis for axis in figure.axes if not axis.images]
    assert panels
    for axis in panels:
        assert axis.get_window_extent().width >= 300


def test_three_methods_stand_in_two_rows_with_the_regions_named_outside_the_points():
    first, second, third = FIGURES["planes"].axes
    assert first.get_title() == "VAE" and third.get_title() == "RSC-VAE_d"
    assert first.get_position().x0 == pytest.approx(third.get_position().x0)
    assert third.get_position().y1 < second.get_position().y0
    heights = {text.get_text(): text.get_position()[1] for text in first.texts}
    assert heights["normal region"] > 1 and heights["anomalous"] > 1
    assert heights["unknown region"] < 0.05
