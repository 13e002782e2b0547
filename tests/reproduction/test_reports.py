"""The page at a glance, the results table, the printed tables and the figures."""

import json

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from rscvae_lab import figures
from rscvae_lab.config import Config
from rscvae_lab.errors import InputError
from rscvae_lab.reproduction import printed, reports
from rscvae_lab.runs import ROW_NAMES


def test_results_have_one_row_a_method_and_share_the_store(tmp_path, monkeypatch):
    monkeypatch.setenv("RSCVAE_RUNS", str(tmp_path))
    table = reports.results(Config(epochs=1))
    assert list(table.method) == ["pca", "knn1", "knn5", "vae", "recode_vae", "o", "d", "e"]
    assert list(table) == list(ROW_NAMES)
    assert table.auroc.between(0, 1).all()
    assert len(list((tmp_path / "store").iterdir())) == 7


def test_a_mistake_leaves_the_last_page_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("RSCVAE_RUNS", str(tmp_path))
    monkeypatch.setenv("RSCVAE_DATA", str(tmp_path / "nothing"))
    page = tmp_path / "mnist-8" / "index.html"
    page.parent.mkdir()
    page.write_text("the last result", "utf-8")
    with pytest.raises(InputError, match="rscvae data fetch mnist"):
        reports.main_job("mnist", "8", epochs=1, seed=0)
    assert page.read_text("utf-8") == "the last result"


@pytest.mark.parametrize("name", [*reports.MAIN_LINE, *reports.INDUSTRIAL])
def test_the_page_has_something_of_every_notebook(name):
    cells = json.loads((reports.notebooks_folder() / f"{name}.ipynb").read_text("utf-8"))["cells"]
    assert sum("glance" in cell["metadata"].get("tags", []) for cell in cells) >= 4


def test_the_page_of_parts_says_what_is_normal_there():
    page = reports.glance(Config(dataset="synthetic", category="plate"), [])
    assert "defective ones (novel)" in page and "oracle" not in page


def test_a_folder_s_name_is_text_on_the_page():
    page = reports.glance(Config(dataset="folder", root="x", category="a <b> & c"), [])
    assert page.count("a &lt;b&gt; &amp; c") == 3 and "<b> & c" not in page


def test_another_size_of_digits_is_refused():
    with pytest.raises(InputError, match="image size of industrial images alone, found 64"):
        reports.main_job("digits", "8", epochs=1, seed=0, image_size=64)


def test_the_page_shows_tagged_outputs_under_their_headings(tmp_path):
    sizes = {"image/png": {"width": 450, "height": 90}}  # on the screen
    figure = {"output_type": "display_data", "data": {"image/png": "QUJD\n"}, "metadata": sizes}
    table = {"output_type": "execute_result", "data": {"text/html": ["<table>", "</table>"]}}
    prose = {"output_type": "display_data", "data": {"text/markdown": "**Here:** fine"}}
    cells = [
        {
            "cell_type": "markdown",
            "source": ["## Who wins & *why* ($S_a$)?\n", "text"],
            "metadata": {},
        },
        {
            "cell_type": "code",
            "source": [],
            "metadata": {"tags": ["glance"], "caption": "One row a method & seed"},
            "outputs": [figure, table],
        },
        {"cell_type": "code", "source": [], "metadata": {"tags": ["glance"]}, "outputs": [prose]},
        {
            "cell_type": "code",
            "source": [],
            "metadata": {},
            "outputs": [{"data": {"text/html": "hidden"}}],
        },
    ]
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": cells}), "utf-8")
    page = reports.glance(Config(), [tmp_path / "n.ipynb"])
    assert page.count("<h2>Who wins &amp; why (S_a)?</h2>") == 1
    assert 'width="450" src="data:image/png;base64,QUJD"' in page
    assert 'alt="One row a method &amp; seed"' in page
    assert page.count('<p class="caption">') == 1
    assert page.index("AUROC is the chance") < page.index("<h2>")
    assert "<table>" in page
    assert "<strong>Here:</strong>" in page
    assert "hidden" not in page
    assert 'href="n.ipynb"' in page


def test_printed_figures_are_found_by_slug():
    assert printed.printed_auroc("mnist", "8") == {
        "ae": 0.821,
        "recode_vae": 0.957,
        "o": 0.941,
        "d": 0.942,
        "e": 0.998,
    }
    assert printed.printed_auroc("fashion_mnist", "t-shirt-top")["e"] == 0.957
    assert printed.printed_auroc("fashion_mnist", "Ankle boot")["o"] == 0.980
    assert printed.printed_s_a("fashion_mnist", "bag") == {"vae": 0.224, "o": 0.274}
    assert printed.printed_auroc("digits", "8") == printed.printed_s_a("mnist", "8") == {}


@pytest.mark.parametrize(
    "name", ["table1_mnist", "table2_fmnist", "table3_mvtec", "table4_sa", "table5_ablation"]
)
def test_every_printed_table_can_be_read(name):
    table = printed.printed_table(name)
    assert table.to_numpy(dtype=float).min() > 0.15


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "label": rng.integers(0, 2, 80),
            "l_recon": rng.gamma(3, 10, 80),
            "l_mut": rng.gamma(3, 1, 80),
            "l_enc1": rng.gamma(9, 1, 80),
            "x": rng.normal(size=80),
            "y": rng.normal(size=80),
            "group": rng.choice(["train", "normal", "novel"], 80),
            "region": rng.choice(["normal", "unknown"], 80),
            "category": rng.integers(0, 10, 80),
        }
    )


def test_figures_label_their_axes_and_keep_the_two_colours(frame):
    scores = frame.l_recon.to_numpy() / 30
    history = pd.DataFrame(
        {
            "epoch": [1, 2],
            "recon": [9.0, 5.0],
            "enc1": [3.0, 4.0],
            "auroc": [None, 0.9],
            "auroc_recon": [None, 0.8],
        }
    )
    table = pd.DataFrame(
        {
            "method": ["pca", "vae", "e"],
            "auroc": [0.8, 0.9, 0.95],
            "auroc_best": [0.8, 0.92, 0.96],
            "error": 0.02,
        }
    )
    drawn = {
        "curves": figures.learning_curves({"vae": history, "o": history}),
        "chart": figures.auroc_chart(table, {"e": 0.998}),
        "scores": figures.score_panels(frame.label.to_numpy(), scores, 1.5, 0.8, "RSC-VAE_e"),
        "consistency": figures.consistency({"vae": frame}, {"vae": 0.4}),
        "embeddings": figures.embeddings({"vae": frame, "e": frame}),
        "information": figures.information({"vae": frame}, {"vae": 4.0}),
    }
    for name, figure in drawn.items():
        assert isinstance(figure, Figure), name
        assert all(axis.get_xlabel() for axis in figure.axes), f"an axis of {name} has no label"
        figure.canvas.draw()
    histogram = drawn["scores"].axes[0]
    colours = {
        patch.get_facecolor()[:3] for container in histogram.containers for patch in container
    }
    assert len(colours) == 2


def test_the_floor_is_a_line_and_not_a_dot():
    table = pd.DataFrame(
        {"method": ["pca", "vae"], "auroc": [0.8, 0.9], "auroc_best": [0.8, 0.92], "error": 0.01}
    )
    axis = figures.auroc_chart(table, {}).axes[0]
    dots = [line for line in axis.get_lines() if line.get_marker() == "o"]
    assert [dot.get_xydata().tolist() for dot in dots] == [[[0.9, 0.0]]]
    assert any(set(line.get_xdata()) == {0.8} for line in axis.get_lines())


def test_pictures_are_shown_as_they_are():
    images = np.stack([np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8)])
    figure = figures.image_rows(
        {"input": images[:, None], "output": images / 255}, columns=["a", "b"]
    )
    shown = [axis.images[0] for axis in figure.axes]
    assert [image.get_clim() for image in shown] == [(0, 255), (0, 255), (0, 1), (0, 1)]
    assert shown[1].get_array().max() == 255
