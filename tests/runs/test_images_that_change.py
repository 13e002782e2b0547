"""A run is of its images: others are never answered by it; the same ones may be moved."""

import json
import shutil
from dataclasses import replace

import pandas as pd
import pytest
from PIL import Image

from rscvae_lab.analysis.inspections import Inspection
from rscvae_lab.cli import main
from rscvae_lab.config import Config
from rscvae_lab.datasets import synthetic
from rscvae_lab.errors import InputError
from rscvae_lab.runs import Run
from rscvae_lab.trainers import train, trained

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def runs_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("RSCVAE_RUNS", str(tmp_path / "runs"))


@pytest.fixture
def root(tmp_path):
    synthetic.write_set(tmp_path / "set", size=32, n_train=8, n_good=3, n_defect=2)
    return tmp_path / "set"


def config(root, **changes) -> Config:
    settings = {"dataset": "folder", "root": str(root), "category": "plate", "image_size": 32,
                "epochs": 2, "threads": 1}
    return Config(**settings | changes)


def add(root, name="new.png"):
    Image.new("RGB", (32, 32), "white").save(root / "plate" / "train" / "good" / name)


def replaced(root):
    add(root, "001.png")


def removed(root):
    (root / "plate" / "test" / "good" / "001.png").unlink()


CHANGES = [(add, "1 added"), (replaced, "1 changed"), (removed, "1 removed")]


@pytest.mark.parametrize(("change", "words"), CHANGES)
def test_a_finished_run_does_not_answer_for_other_images(change, words, root, tmp_path):
    train(config(root, mode="pca"), tmp_path / "run", progress=False)
    change(root)
    for resume in (False, True):
        with pytest.raises(InputError, match=rf"other images of plate \({words}\)"):
            train(config(root, mode="pca"), tmp_path / "run", resume=resume, progress=False)


def test_an_inspection_is_of_the_images_that_the_run_was_trained_on(root, tmp_path):
    run = train(config(root, epochs=1), tmp_path / "run", progress=False)
    assert len(Inspection.of(run).frame) == 6
    replaced(root)
    with pytest.raises(InputError, match="added, removed or changed since"):
        Inspection.of(run)


def test_a_half_trained_state_does_not_go_on_with_other_images(root, tmp_path, monkeypatch):
    with pytest.raises(Exception, match="stopped after epoch 1"):
        train(config(root), tmp_path / "run", progress=False, callbacks=[lambda _: False])
    state = (tmp_path / "run" / "state.safetensors").read_bytes()
    replaced(root)
    with pytest.raises(InputError, match="1 changed"):
        train(config(root), tmp_path / "run", resume=True, progress=False)
    assert (tmp_path / "run" / "state.safetensors").read_bytes() == state


def test_images_that_moved_are_the_same_run(root, tmp_path):
    with pytest.raises(Exception, match="stopped after epoch 1"):
        train(config(root), tmp_path / "run", progress=False, callbacks=[lambda _: False])
    new = root.rename(tmp_path / "mounted elsewhere")
    run = train(config(new), tmp_path / "run", resume=True, progress=False)
    undisturbed = train(config(new), tmp_path / "other", progress=False)
    for name in ("weights.safetensors", "images.json"):
        assert (run.folder / name).read_bytes() == (undisturbed.folder / name).read_bytes()
    third = new.rename(tmp_path / "third")
    again = train(config(third), tmp_path / "run", progress=False)
    assert again.metrics == run.metrics
    moved = replace(Run.load(run.folder), config=config(third))
    assert Inspection.of(again).frame.equals(Inspection.of(moved).frame)
    with pytest.raises(InputError, match="expected a folder"):
        Inspection.of(run)


def test_the_store_trains_other_images_anew_and_moved_ones_not(root, tmp_path):
    first = trained(config(root, mode="pca"), progress=False)
    moved = root.rename(tmp_path / "moved")
    assert trained(config(moved, mode="pca"), progress=False).folder == first.folder
    add(moved)
    assert trained(config(moved, mode="pca"), progress=False).folder != first.folder


def test_a_sweep_trains_other_images_anew_and_says_so(root, tmp_path, capsys):
    out = tmp_path / "x.csv"
    arguments = ["sweep", "--dataset", "folder", "--root", str(root), "--methods", "pca", "--jobs",
                 "1", "--image-size", "32", "--out", str(out)]
    assert main(arguments) == 0
    first = out.read_text("utf-8")
    assert main(arguments) == 0
    assert out.read_text("utf-8") == first
    assert "other images" not in capsys.readouterr().err
    add(root)
    assert main(arguments) == 0
    assert "other images of plate (1 added)" in capsys.readouterr().err
    table = pd.read_csv(out)
    assert out.read_text("utf-8").startswith(first)
    assert list(table.n_train) == [7, 8]
    assert table.data.nunique() == 2
    runs = [Run.load(metrics.parent) for metrics in (tmp_path / "x.runs").glob("*/metrics.json")]
    assert {run.config.config_hash for run in runs} == set(table.config_hash)


def test_a_changed_mvtec_ad_is_noticed_too(root, tmp_path, monkeypatch):
    monkeypatch.setenv("RSCVAE_DATA", str(tmp_path))
    shutil.copytree(root / "plate", tmp_path / "mvtec_ad" / "screw")
    settings = Config(dataset="mvtec_ad", category="screw", mode="pca", image_size=32, threads=1)
    train(settings, tmp_path / "run", progress=False)
    (tmp_path / "mvtec_ad" / "screw" / "train" / "good" / "000.png").unlink()
    with pytest.raises(InputError, match="1 removed"):
        train(settings, tmp_path / "run", progress=False)


def test_a_run_from_before_fingerprints_is_not_claimed(root, tmp_path):
    run = train(config(root, mode="pca"), tmp_path / "run", progress=False)
    (run.folder / "images.json").unlink()
    text = config(root, mode="pca").to_json()  # without one
    (run.folder / "config.json").write_text(text, "utf-8")
    assert Run.load(run.folder).config.data == ""
    with pytest.raises(InputError, match="before images were fingerprinted"):
        train(config(root, mode="pca"), tmp_path / "run", progress=False)


@pytest.mark.parametrize("name", ["weights.safetensors", "scores.csv", "state.safetensors"])
def test_files_that_are_not_of_a_run_are_not_claimed(name, tmp_path, refusal):
    (tmp_path / name).write_text("mine", "utf-8")
    assert f"{name} but no config.json" in refusal("train", "--mode", "pca", "--out", tmp_path)
    assert (tmp_path / name).read_text("utf-8") == "mine"
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_former_run_can_be_read_without_the_new_metrics(short_run, tmp_path):
    folder = shutil.copytree(short_run.folder, tmp_path / "old")
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    kept = {name: value for name, value in metrics.items() if not name.startswith("false_alarms")}
    (folder / "metrics.json").write_text(json.dumps(kept), "utf-8")
    assert Run.load(folder).metrics == metrics
