"""Maps as a table and a sheet of images: read as written, and for their own runs only."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from rscvae_lab.analysis import atlas
from rscvae_lab.analysis.atlas import Atlas
from rscvae_lab.analysis.surveys import Survey
from rscvae_lab.cli import main
from rscvae_lab.config import Config
from rscvae_lab.datasets import load_split, synthetic
from rscvae_lab.errors import InputError
from rscvae_lab.runs import Run
from rscvae_lab.storage.files import project_root
from rscvae_lab.trainers import train
from rscvae_lab.widgets import DeviationExplorer

pytestmark = pytest.mark.slow
SHIPPED = project_root() / "pretrained" / "mnist-5"


@pytest.fixture(scope="module")
def fitted(short_run):
    return Atlas.of(Survey.of(short_run), 20, perplexities=(5, 10))


def test_what_is_read_is_what_was_written(fitted, short_run, tmp_path):
    table = atlas.write({"o": fitted}, tmp_path / "maps.csv")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["maps.csv", "maps.png"]
    again = atlas.read(table, {"o": short_run})["o"]
    assert torch.equal(again.images, fitted.images)
    assert torch.equal(again.examined.coding.x_hat, fitted.examined.coding.x_hat)
    for perplexity in (5, 10):
        points = fitted.maps[perplexity].points
        assert again.maps[perplexity].points == pytest.approx(points, abs=6e-4)
    numbers = ["l_recon", "l_mut", "l_enc1", "distance", "category"]
    assert np.allclose(again.frame[numbers], fitted.frame[numbers], atol=6e-4)
    assert list(again.frame.region) == list(fitted.frame.region)
    with pytest.raises(InputError, match="a stored one"):
        again.maps[5].place(np.zeros((2, 64)))


def test_the_sheet_can_be_looked_at(fitted, tmp_path):
    """Sixty images, thirty in a row."""
    atlas.write({"o": fitted}, tmp_path / "maps.csv")
    with Image.open(tmp_path / "maps.png") as sheet:
        assert sheet.size == (30 * 32, 2 * 32)
        pixels = np.asarray(sheet)
    assert np.array_equal(pixels[32:64, 64:96], fitted.images[32, 0].numpy())


def test_the_table_of_other_runs_is_refused(fitted, tmp_path):
    table = atlas.write({"o": fitted}, tmp_path / "maps.csv")
    other = train(Config(epochs=1), tmp_path / "other", progress=False)
    for runs in ({"o": other}, {}):
        with pytest.raises(InputError, match=r"expected the run that maps\.csv was measured of"):
            atlas.read(table, runs)
    with pytest.raises(InputError, match="found none"):
        atlas.read(tmp_path / "absent.csv", {"o": other})
    table.with_suffix(".png").unlink()
    with pytest.raises(InputError, match=r"expected maps in .*maps\.png, found none"):
        atlas.read(table, {"o": other})


def test_the_command_leaves_the_table(short_run, tmp_path, capsys):
    folder = shutil.copytree(short_run.folder, tmp_path / "o")
    out = tmp_path / "maps.csv"
    assert main(["atlas", str(folder), "--points", "0", "--out", str(out)]) == 2
    assert main(["atlas", str(folder), "--points", "20", "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"finished: {out}\n"
    assert list(atlas.read(out, {"o": short_run})["o"].maps) == [5, 15], "of 60 codes"


def test_a_name_has_the_number_of_anomalies(fitted):
    assert fitted.name == "RSC-VAE_o"
    shipped = {mode: Run.load(SHIPPED / mode) for mode in ("e", "e_all")}
    names = {mode: Atlas(run, fitted.images, fitted.examined, {}).name
             for mode, run in shipped.items()}
    assert names == {"e": "RSC-VAE_e, 54 anomalies", "e_all": "RSC-VAE_e, 594 anomalies"}
    assert [run.config.row for run in shipped.values()] == ["e", "e_all"]


@pytest.fixture(scope="module")
def stored():
    methods = ("vae", "e", "e_all")
    runs = {method: Run.load(SHIPPED / method) for method in methods}
    return atlas.read(project_root() / "results" / "fig7.csv", runs)


def test_the_stored_maps_are_those_of_the_shipped_weights(stored):
    """Their l_recon and l_enc1 measured anew; other CPUs round differently."""
    for each in stored.values():
        measured = each.run.score(each.images)
        for name in ("l_recon", "l_enc1", "l_mut", "novelty_score"):
            assert each.frame[name].to_numpy() == pytest.approx(
                measured[name].to_numpy(), rel=2e-3, abs=2e-3
            )


def test_the_shares_of_the_stored_maps_are_near_those_of_the_whole_test_set(stored):
    for each in stored.values():
        novel = each.frame[each.frame.group == "novel"]
        share = (novel.region == "unknown").mean()
        assert share == pytest.approx(each.run.metrics["semantic_deviation_rate"], abs=0.08)


@pytest.mark.real_data
def test_the_stored_images_are_of_the_data_set(stored):
    split, each = load_split(stored["vae"].run.config), stored["vae"]
    known = {image.numpy().tobytes() for image in split.test[split.test_labels == 1]}
    novel = each.images[np.flatnonzero(each.frame.group == "novel")]
    assert len(novel) == 300
    assert all(image.numpy().tobytes() in known for image in novel)


def test_what_cannot_be_drawn_is_refused_before_anything_is_fitted(short_run, tmp_path, refusal,
                                                                   monkeypatch):
    monkeypatch.setattr(atlas.CodeMap, "fit", lambda *_: pytest.fail("fitted"))
    folder, out = str(short_run.folder), tmp_path / "maps.csv"
    assert "one run of each method, found 2 of o" in refusal("atlas", folder, folder, "--out", out)
    (tmp_path / "mine.csv").write_text("a,b\n", "utf-8")
    assert "found another file" in refusal("atlas", folder, "--out", tmp_path / "mine.csv")
    synthetic.write_set(tmp_path, size=32, n_train=8, n_good=2, n_defect=1)
    plates = train(Config(dataset="folder", root=str(tmp_path), category="plate", image_size=32,
                          channels=3, epochs=1), tmp_path / "run", progress=False)  # fmt: skip
    assert "found 3 channels" in refusal("atlas", str(plates.folder), "--out", out)
    assert not out.exists()


def test_classes_of_parts_are_kinds_of_defect(tmp_path):
    synthetic.write_set(tmp_path, size=32, n_train=12, n_good=4, n_defect=2)
    run = train(Config(dataset="folder", root=str(tmp_path), category="plate", image_size=32,
                       epochs=1), tmp_path / "run", progress=False)  # fmt: skip
    plates = Atlas.of(Survey.of(run), 20, perplexities=(3,))
    assert plates.class_names == ["good", "corner", "scratch", "spot"]
    normal = plates.frame.category[plates.frame.group != "novel"]
    assert set(normal) == {0} and set(plates.frame.category) == {0, 1, 2, 3}
    corner = int((plates.frame.category == 1).argmax())
    assert "class corner" in DeviationExplorer({"o": plates}).show("class", 3, corner)[1]
