"""The commands as users type them: results, and every mistake in one line with status 2."""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from rscvae_lab.cli import main
from rscvae_lab.config import Config
from rscvae_lab.datasets import load_parts
from rscvae_lab.runs import Run, finished


@pytest.fixture
def copied_run(short_run, tmp_path):
    return shutil.copytree(short_run.folder, tmp_path / "run")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """A folder of the digits' own test pictures, as PNG and JPEG of several sizes and pixel
    modes."""
    folder = tmp_path_factory.mktemp("pictures")
    _, test = load_parts("digits")
    eights, ones = (test.images[test.labels == label][:10, 0].numpy() for label in (8, 1))
    for name, images in (("eight", eights), ("one", ones)):
        for i, image in enumerate(images):
            picture = Image.fromarray(image).resize((28 + 10 * i, 40), Image.Resampling.BILINEAR)
            picture.convert(("L", "RGB", "P")[i % 3]).save(folder / f"{name}-{i}.png")
    Image.fromarray(eights[0]).save(folder / "photo.jpg", quality=95)
    (folder / "notes.txt").write_text("not a picture, and not looked at", "utf-8")
    return folder


def test_shipped_weights_score_from_any_folder(pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ["--run", "pretrained/mnist-5/o", "--images", str(pictures)]
    assert main(["score", *arguments, "--out", "scores.csv"]) == 0
    assert len(pd.read_csv("scores.csv")) > 0


def test_the_device_of_all_commands_can_be_named_once(monkeypatch, refusal, tmp_path):
    monkeypatch.setenv("RSCVAE_DEVICE", "cpu")
    assert Config().device == "cpu"
    monkeypatch.setenv("RSCVAE_DEVICE", "tpu")
    assert Config(device="cpu").device == "cpu"
    assert "'tpu': expected auto, cpu or cuda" in refusal("train", "--out", tmp_path / "run")
    assert "'abacus'" in refusal("run", "--device", "abacus")


@pytest.mark.parametrize("command", ["train", "sweep"])
def test_notes_on_a_training_are_said_before_it(command, tmp_path, monkeypatch, capsys):
    for name in ("sweeps.sweep", "trainers.train"):  # whose import must find the real one
        monkeypatch.setattr(f"rscvae_lab.{name}", lambda *_, **__: sys.exit(0))
    for epochs, notes in (("60", 1), ("50", 0)):
        with pytest.raises(SystemExit):
            main(
                [command, "--scale", "paper", "--epochs", epochs, "--out", str(tmp_path / "x.csv")]
            )
        assert (
            capsys.readouterr().err.count("rscvae: paper scale: the result is epoch 50") == notes
        )
    with pytest.raises(SystemExit):
        main([command, "--set", "jitter=0.1", "--out", str(tmp_path / "x.csv")])
    assert "rscvae: without effect in mode o of digits: jitter\n" in capsys.readouterr().err


def test_train_and_score_end_to_end(pictures, tmp_path, capsys):
    arguments = [
        "train",
        "--category",
        "8",
        "--mode",
        "e",
        "--epochs",
        "20",
        "--out",
        str(tmp_path / "run"),
        "--set",
        "beta=2",
        "--set",
        "js=jeffreys",
    ]
    assert main(arguments) == 0
    assert "auroc" in capsys.readouterr().out
    assert Run.load(tmp_path / "run").config.beta == 2.0
    assert main(arguments) == 0
    assert "already finished" in capsys.readouterr().out
    assert (
        main(
            [
                "score",
                "--run",
                str(tmp_path / "run"),
                "--images",
                str(pictures),
                "--out",
                str(tmp_path / "scores.csv"),
            ]
        )
        == 0
    )
    table = pd.read_csv(tmp_path / "scores.csv")
    assert list(table) == [
        "file",
        "l_recon",
        "l_mut",
        "l_enc1",
        "novelty_score",
        "threshold",
        "novel",
        "false_alarms_low",
        "false_alarms_high",
    ]
    assert len(table) == 21
    is_eight = table.file.str.contains("eight")
    assert table.novelty_score[~is_eight].mean() > table.novelty_score[is_eight].mean()
    assert (table.novel == (table.novelty_score > table.threshold)).all()


def test_a_picture_scores_the_same_as_its_test_image(short_run, tmp_path):
    """A stored test image written as PNG gets the score of scores.csv, alone or among others."""
    _, test = load_parts("digits")
    first = short_run.scores.iloc[0]
    Image.fromarray(test.images[int(first["index"]), 0].numpy()).save(tmp_path / "one.png")
    assert (
        main(
            [
                "score",
                "--run",
                str(short_run.folder),
                "--images",
                str(tmp_path / "one.png"),
                "--out",
                str(tmp_path / "scores.csv"),
            ]
        )
        == 0
    )
    assert pd.read_csv(tmp_path / "scores.csv").novelty_score[0] == pytest.approx(
        first.novelty_score, rel=1e-4
    )


def test_unreadable_pictures_are_listed_and_skipped(short_run, pictures, tmp_path, capsys):
    folder = shutil.copytree(pictures, tmp_path / "pictures")
    whole = (folder / "photo.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "text.png").write_text("no picture", "utf-8")
    Image.fromarray(np.full((8, 8), np.nan, dtype=np.float32)).save(folder / "nan.tiff")
    Image.new("RGBA", (8, 8)).save(folder / "see-through.png")
    out = tmp_path / "scores.csv"
    assert (
        main(["score", "--run", str(short_run.folder), "--images", str(folder), "--out", str(out)])
        == 1
    )
    complaints = [line for line in capsys.readouterr().err.splitlines() if "skipped" in line]
    for name, line in zip(
        ("cut.jpg", "nan.tiff", "see-through.png", "text.png"), complaints, strict=True
    ):
        assert name in line
    assert len(pd.read_csv(out)) == 21


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--category", "eleven"], "unknown category 'eleven' of digits"),
        (["--dataset", "cifar"], "unknown data set 'cifar'"),
        (["--mode", "z"], "unknown mode 'z'"),
        (["--epochs", "0"], "epochs must lie between 1"),
        (["--epochs", "ten"], "invalid int value"),
        (["--set", "colour=red"], "unknown setting 'colour'"),
        (["--set", "beta"], "expected NAME=VALUE"),
        (["--scale", "huge"], "unknown scale"),
        (["--device", "abacus"], "unknown device"),
        (["--image-size", "30"], "multiple of 16"),
        (["--colour", "red"], "unrecognized arguments"),
    ],
)
def test_train_refuses(arguments, expected, tmp_path, refusal):
    assert expected in refusal("train", *arguments, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_missing_data_is_refused_with_the_way_out(tmp_path, refusal, monkeypatch):
    monkeypatch.setenv("RSCVAE_DATA", str(tmp_path / "nothing"))
    assert "rscvae data fetch mnist" in refusal(
        "train", "--dataset", "mnist", "--out", tmp_path / "run"
    )
    assert not (tmp_path / "run").exists()
    assert "rscvae data fetch mnist" in refusal("data", "verify", "mnist")


def test_unwritable_outputs_are_refused_before_any_work(short_run, pictures, tmp_path, refusal):
    (tmp_path / "file").write_text("in the way", "utf-8")
    assert "can be written to" in refusal("train", "--out", tmp_path / "file" / "run")
    if Path("/proc").is_dir():
        assert "can be written to" in refusal("train", "--out", "/proc/nowhere")
    assert "can be written to" in refusal(
        "score",
        "--run",
        short_run.folder,
        "--images",
        pictures,
        "--out",
        tmp_path / "file" / "scores.csv",
    )
    scores = "score", "--run", short_run.folder, "--images", pictures, "--out", tmp_path / "s.csv"
    assert "another folder for pictures" in refusal(*scores, "--pictures", pictures)
    assert "can be written to" in refusal(*scores, "--pictures", tmp_path / "file")
    assert not (tmp_path / "s.csv").exists()


def test_a_setting_is_given_once(refusal, tmp_path):
    twice = "train", "--epochs", "1", "--set", "epochs=2", "--out", tmp_path / "x"
    assert "expected epochs once, found 1 and, in --set, 2" in refusal(*twice)
    assert "expected --mode d, found mode in --set" in refusal("train", "--set", "mode=d")
    twice = "--set", "beta=1", "--set", "beta=10"
    assert "expected beta once, found several in --set" in refusal("train", *twice)
    assert "found an empty text" in refusal("train", "--out", "")


def truncate(path):
    path.write_bytes(path.read_bytes()[:1000])


def foreign(path):
    save_file({"weight": torch.zeros(3)}, path)


def poisoned(path):
    tensors = load_file(path)
    tensors["to_mu.weight"][0, 0] = float("nan")
    save_file(tensors, path)


def pickled(path):
    torch.save({"weight": torch.zeros(3)}, path)


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (truncate, "damaged file"),
        (foreign, "another model's weights"),
        (poisoned, "expected finite weights"),
        (pickled, "expected safetensors"),
        (os.remove, "found no such file"),
    ],
)
def test_damaged_weights_are_refused(damage, expected, copied_run, pictures, tmp_path, refusal):
    damage(copied_run / "weights.safetensors")
    out = tmp_path / "scores.csv"
    assert expected in refusal("score", "--run", copied_run, "--images", pictures, "--out", out)
    assert not out.exists()


def test_other_scoring_mistakes_are_refused(short_run, copied_run, pictures, tmp_path, refusal):
    out = tmp_path / "scores.csv"
    (tmp_path / "empty").mkdir()
    assert "expected a finished run" in refusal(
        "score", "--run", tmp_path, "--images", pictures, "--out", out
    )
    for images, expected in (
        (tmp_path / "empty", "found none"),
        (tmp_path / "absent", "found nothing"),
        (pictures / "notes.txt", "found none among 1 files"),
    ):
        assert expected in refusal(
            "score", "--run", short_run.folder, "--images", images, "--out", out
        )
    for content, expected in (
        (b"{", "expected JSON"),
        (b"\xff\xfe", "expected JSON"),
        (b"{}", "metrics of a run"),
    ):
        (copied_run / "metrics.json").write_bytes(content)
        assert expected in refusal(
            "score", "--run", copied_run, "--images", pictures, "--out", out
        )


def test_a_damaged_state_is_refused(tmp_path, refusal):
    config = Config(epochs=3)
    (tmp_path / "config.json").write_text(config.to_json(), "utf-8")
    (tmp_path / "state.safetensors").write_bytes(b"half a file")
    assert "damaged file" in refusal("train", "--epochs", "3", "--out", tmp_path, "--resume")
    save_file({"other": torch.zeros(1)}, tmp_path / "state.safetensors")
    assert "another training" in refusal("train", "--epochs", "3", "--out", tmp_path, "--resume")


def test_data_commands(capsys, refusal):
    assert main(["data", "list"]) == 0
    assert "digits: 1,198 training and 599 test images" in capsys.readouterr().out
    assert main(["data", "fetch", "digits"]) == 0
    assert "unknown data set" in refusal("data", "verify", "cifar")
    assert "expects a data set" in refusal("data", "fetch")


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("dataset", "category"), [("mnist", "8"), ("fashion_mnist", "Ankle boot")]
)
@pytest.mark.slow
def test_real_data_end_to_end(dataset, category, tmp_path, capsys):
    assert (
        main(
            [
                "train",
                "--dataset",
                dataset,
                "--category",
                category,
                "--mode",
                "e",
                "--epochs",
                "1",
                "--out",
                str(tmp_path),
            ]
        )
        == 0
    )
    metrics = json.loads((tmp_path / "metrics.json").read_text("utf-8"))
    assert metrics["auroc_recon"] > 0.6
    assert metrics["n_anomalous_train"] == 54


@pytest.mark.slow
def test_regions_writes_a_row_for_each_mode_and_seed(tmp_path, monkeypatch, capsys, refusal):
    monkeypatch.setenv("RSCVAE_RUNS", str(tmp_path))
    out = tmp_path / "deep" / "regions.csv"
    assert main(["regions", "--epochs", "1", "--seeds", "0,1", "--out", str(out)]) == 0
    table = pd.read_csv(out)
    assert list(zip(table.seed, table.method)) == [
        (seed, mode) for seed in (0, 1) for mode in ("vae", "o", "d", "e")
    ]
    assert np.allclose(table.filter(regex="^novel_in_").sum(axis=1), 1, atol=1e-3)
    assert "semantic-deviation rate: vae 0." in capsys.readouterr().out
    refusal("regions", "--dataset", "nowhere", "--out", out)
    refusal("regions", "--seeds", "x", "--out", out)
    assert "expected a new .csv file" in refusal("regions", "--out", tmp_path)
    runs = {run.config.config_hash: run.metrics for run in finished(tmp_path / "store")}
    for row, name in (
        (table.iloc[0], "auroc_recon"),
        (table.iloc[1], "auroc"),
    ):  # vae is alpha 0, as everywhere
        assert row.auroc == pytest.approx(runs[row.config_hash][name], abs=1e-4)
