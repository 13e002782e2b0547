"""The page of scored images: what it shows of each, in which order, and what it never replaces."""

import html
import re
import time

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from rscvae_lab.cli import main
from rscvae_lab.config import Config
from rscvae_lab.datasets import synthetic
from rscvae_lab.errors import InputError
from rscvae_lab.figures.scored import LINE, SIDE, heated, strip, write_judged, write_scored
from rscvae_lab.runs import Run
from rscvae_lab.runs.inference import score_files, score_images
from rscvae_lab.storage.files import resource
from rscvae_lab.trainers import train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs on plates: one with a local score, one without held-out images enough, and PCA."""
    scratch = tmp_path_factory.mktemp("plates")
    synthetic.write_set(scratch, size=32, n_train=12, n_good=4, n_defect=3)
    settings = {"dataset": "folder", "root": str(scratch), "category": "plate", "image_size": 32,
                "epochs": 1, "threads": 1}
    changes = {"local": {"heldout": 0.4}, "few": {}, "pca": {"mode": "pca"}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RSCVAE_RUNS", str(scratch / "runs"))
        yield {name: train(Config(**settings, **change), scratch / name, progress=False)
               for name, change in changes.items()}


def items(page) -> list[str]:
    return re.findall(r"<li .*?</li>", page.read_text("utf-8"))


@pytest.mark.parametrize("name, panels", [("local", 3), ("few", 3), ("pca", 1)])
def test_a_page_has_every_image_worst_first(name, panels, runs, tmp_path):
    run = runs[name]
    folder = f"{run.config.root}/plate/test/spot"
    table = score_images(run, folder, tmp_path / "s.csv").table
    page = write_scored(run, table, tmp_path / "x")
    excess = table.novelty_score / table.threshold - 1
    if name == "local":
        above = table.local_score > run.metrics["threshold_local"]
        assert list(table.novel_local == 1) == list(above)
        excess = np.maximum(excess, table.local_score / table.threshold_local - 1)
    order = excess.sort_values(ascending=False).index
    assert len(items(page)) == len(table) == 3
    for item, i in zip(items(page), order):
        row = table.loc[i]
        assert html.escape(row.file) in item and f"{row.novelty_score:.4g}" in item
        assert f"{row.threshold:.4g}" in item
        assert ("local" in item) == (name == "local")
        image = re.search(r'src="(.*?)"', item)[1]
        assert image.startswith(f"{i:04}-") and 'loading="lazy"' in item
        pixels = np.array(Image.open(page.parent / image))
        assert pixels.shape[0] == SIDE + LINE
        blank = (pixels[LINE:, panels * SIDE :] == 255).all()
        assert blank == (panels < 3)


@pytest.mark.parametrize("name, score", [("local", "the paper's score (Eq. 15)"),
                                         ("pca", "the score of PCA-32")])
def test_a_page_says_whose_score_it_shows(name, score, runs, tmp_path):
    table = score_images(runs[name], f"{runs[name].config.root}/plate/test/spot",
                         tmp_path / "s.csv").table
    text = write_scored(runs[name], table, tmp_path / "x").read_text("utf-8")
    assert f"called novel by {html.escape(score)}, " in text
    assert ("reconstruction and error map" in text) == (name == "local")


def test_scores_below_zero_are_worst_first_too(runs, tmp_path):
    """Those of GradCon and of DSEBM's energy may be: by their ratio to a threshold below zero the
    most normal image would come first."""
    folder = f"{runs['pca'].config.root}/plate/test/spot"
    table = score_images(runs["pca"], folder, tmp_path / "s.csv").table
    table = table.assign(novelty_score=[-0.2, -0.05, -0.1], threshold=-0.1, novel=[0, 1, 0])
    page = write_scored(runs["pca"], table, tmp_path / "x")
    assert [re.search(r'src="(\d+)', item)[1] for item in items(page)] == ["0001", "0002", "0000"]


def test_training_on_a_folder_ends_with_a_page_of_its_test_images(tmp_path, capsys):
    synthetic.write_set(tmp_path, size=32, n_train=12, n_good=2, n_defect=2)
    command = ["train", "--dataset", "folder", "--root", str(tmp_path), "--category", "plate",
               "--image-size", "32", "--epochs", "1", "--set", "threads=1", "--out",
               str(tmp_path / "run")]
    for _ in range(2):  # a finished run's page stays
        assert main(command) == 0
        page = tmp_path / "run" / "page" / "index.html"
        assert f"look at {page}" in capsys.readouterr().out
    names = [re.search(r"test/\w+/\d+\.png", item)[0] for item in items(page)]
    assert sorted(name.split("/")[1] for name in names) == ["corner", "good", "good", "scratch",
                                                           "spot"]


def test_without_test_images_the_heldout_ones_are_shown(tmp_path):
    folder = synthetic.write_set(tmp_path, size=32, n_train=12, n_good=0, n_defect=0)
    config = Config(dataset="folder", root=str(tmp_path), category="plate", image_size=32,
                    epochs=1, threads=1, heldout=0.25)
    run = train(config, tmp_path / "run", progress=False)
    page = write_judged(run)
    text, files = page.read_text("utf-8"), sorted((folder / "train" / "good").iterdir())
    assert "held-out images" in text and len(items(page)) == run.metrics["n_heldout"] == 3
    shown = [file for file in files if str(file) in text]
    scores = score_files(run, shown)[0].novelty_score
    assert np.percentile(scores, 95) == pytest.approx(run.metrics["threshold"], rel=2e-3)


def test_a_page_of_something_else_and_inputs_are_never_replaced(runs, tmp_path):
    run = runs["pca"]
    (tmp_path / "index.html").write_text("<html>mine", "utf-8")
    Image.new("RGB", (32, 32)).save(tmp_path / "black.png")
    table, _ = score_files(run, [tmp_path / "black.png"])
    with pytest.raises(InputError, match="found another file"):
        write_scored(run, table, tmp_path)
    assert (tmp_path / "index.html").read_text("utf-8") == "<html>mine"


def test_an_input_is_not_replaced_by_its_own_picture(runs, tmp_path):
    """The picture of the first image would be 0000-x.png."""
    for name in ("0000-x.png", "x.png"):
        Image.new("RGB", (32, 32)).save(tmp_path / name)
    before = (tmp_path / "0000-x.png").read_bytes()
    table, _ = score_files(runs["pca"], [tmp_path / "x.png", tmp_path / "0000-x.png"])
    with pytest.raises(InputError, match=r"found .*0000-x\.png among them"):
        write_scored(runs["pca"], table, tmp_path)
    assert (tmp_path / "0000-x.png").read_bytes() == before


def test_names_are_text_and_no_markup(runs, tmp_path):
    Image.new("RGB", (32, 32), "grey").save(tmp_path / "<b>&'x' 100%#.png")
    table = score_images(runs["pca"], tmp_path, tmp_path / "s.csv").table
    page = write_scored(runs["pca"], table, tmp_path / "x")
    item, = items(page)
    assert "&lt;b&gt;&amp;" in item and "<b>" not in item
    assert "%3Cb%3E%26%27x%27%20100%25%23.png" in item


def test_heat_lies_over_the_image_and_its_outline_round_the_region():
    image, heat = np.full((16, 16, 3), 200, np.uint8), np.zeros((16, 16))
    region = np.zeros((16, 16), bool)
    region[4:9, 4:9] = True
    heat[4:9, 4:9] = 2
    mixed = heated(image, heat, region)
    assert mixed[0, 0].tolist() == [50, 50, 52]  # a quarter of the image, inferno's darkest
    edge = (mixed == (0, 181, 216)).all(-1)
    assert edge.sum() == 16 and edge[4, 4:9].all() and not edge[5:8, 5:8].any()
    assert mixed[6, 6].min() > 150  # inferno's brightest


def test_strips_of_a_thousand_images_take_neither_minutes_nor_gigabytes():
    panels = list(torch.randint(256, (3, 16, 16, 3), dtype=torch.uint8).numpy())
    start = time.process_time()
    sizes = [len(strip(panels, "normal: 1, threshold 2")) for _ in range(50)]
    assert time.process_time() - start < 50 * 0.2
    assert max(sizes) < 200_000


def test_runs_of_labelled_images_have_the_page_without_a_local_score(tmp_path):
    run = Run.load(resource("pretrained/mnist-5/o"))
    Image.new("L", (32, 32)).save(tmp_path / "black.png")
    table = score_images(run, tmp_path, tmp_path / "s.csv").table
    assert list(table) == ["file", "l_recon", "l_mut", "l_enc1", "novelty_score", "threshold",
                           "novel", "false_alarms_low", "false_alarms_high"]
    item, = items(write_scored(run, table, tmp_path / "x"))
    assert "local" not in item and isinstance(pd.read_csv(tmp_path / "s.csv").novel[0].item(), int)
