"""The figures of the compared methods, from made-up arrays."""

import numpy as np
import pandas as pd
import pytest

from rscvae_lab import figures
from rscvae_lab.figures import METHOD_NAMES, NORMAL_COLOUR, NOVEL_COLOUR, png

GENERATOR = np.random.default_rng(0)


def some_ranking() -> pd.DataFrame:
    columns = {"auroc": [0.9, 0.7, 0.95], "error": 0.02, "seconds": [0.1, 3.0, 40.0]}
    return pd.DataFrame(columns, index=["pca", "ae", "o"])


def examples() -> dict:
    pictures, masks = GENERATOR.random((3, 3, 64, 64)), GENERATOR.random((3, 64, 64)) > 0.9
    frame = pd.DataFrame(GENERATOR.random((20, 2)), columns=["ink (grey levels)", "error"])
    return {
        "against": figures.scatter(frame, np.arange(20) % 2, "a"),
        "maps": figures.plate_maps(pictures, masks, {"random (x)": np.zeros((3, 64, 64))}, "abc"),
        "ranking": figures.ranking(some_ranking()),
    }


@pytest.mark.parametrize("name", ["against", "maps", "ranking"])
def test_figures_can_be_drawn(name):
    assert png(examples()[name]).startswith(b"\x89PNG")


def test_labels_stand_over_the_pictures_in_their_colours():
    figure = figures.image_columns(
        {"input": np.zeros((2, 8, 8)), "x_hat": np.ones((2, 8, 8))}, [0, 1], "two"
    )
    texts = {text.get_text(): text for text in figure.texts}
    assert {"input", "x_hat", "two"} <= set(texts)
    assert (texts["normal"].get_color(), texts["novel"].get_color()) == (
        NORMAL_COLOUR,
        NOVEL_COLOUR,
    )
    assert len(figure.axes) == 4


def test_the_ranking_has_the_best_on_top_and_the_floor_as_a_line():
    left = figures.ranking(some_ranking()).axes[0]
    assert [label.get_text() for label in left.get_yticklabels()] == [
        METHOD_NAMES[name] for name in ("ae", "pca", "o")
    ]
    assert left.lines[0].get_xdata()[0] == 0.9


def test_points_of_a_label_have_its_colour():
    frame = pd.DataFrame({"ink": np.arange(4.0), "error": np.arange(4.0)})
    novel, normal = figures.scatter(frame, np.array([0, 0, 0, 1]), "").axes[0].lines
    assert (normal.get_color(), len(normal.get_xdata())) == (NORMAL_COLOUR, 3)
    assert (novel.get_color(), len(novel.get_xdata())) == (NOVEL_COLOUR, 1)


def test_maps_of_a_row_share_a_scale():
    maps = np.stack([np.full((8, 8), value) for value in (1.0, 3.0)])
    figure = figures.plate_maps(
        np.zeros((2, 8, 8)), np.ones((2, 8, 8), bool), {"x": maps, "y": 2 * maps}, "ab"
    )
    scales = [{axis.images[-1].get_clim()[1] for axis in figure.axes[i : i + 2]} for i in (2, 4)]
    assert scales == [{3.0}, {6.0}]
