"""The user's own folders of pictures, from the command line: trained on, scored, and refused in
one line."""

import json
import os
import shutil

import pandas as pd
import pytest
import torch
from PIL import Image

from rscvae_lab.cli import main
from rscvae_lab.config import CATEGORIES
from rscvae_lab.datasets import load_split, synthetic
from rscvae_lab.datasets.image_files import read_image
from rscvae_lab.runs import Run

pytestmark = pytest.mark.slow

MODES = ("RGB", "L", "CMYK", "P", "1")
ORIENTATION = 0x0112  # EXIF: how the camera was held


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two categories: `my parts`, ten normal pictures of several sizes, formats and pixel modes;
    `plate`, in MVTec's shape."""
    folder = tmp_path_factory.mktemp("pictures")
    plain = folder / "my parts"
    plain.mkdir()
    generator = torch.Generator().manual_seed(0)
    for i in range(10):
        grey = torch.randint(
            60, 200, (9 + 30 * (i % 3), 40 + i, 3), generator=generator, dtype=torch.uint8
        )
        picture = Image.fromarray(grey.numpy()).convert(MODES[i % 5])
        picture.save(
            plain / (f"{i}.png" if picture.mode in ("P", "1") else f"{i}.JPG"), **{"quality": 95}
        )
    (plain / "notes.txt").write_text("not a picture, and not looked at")
    synthetic.write_set(folder, size=64, n_train=5, n_good=3, n_defect=2)
    return folder


def arguments(root, category, out, *more: object) -> list[str]:
    return [
        str(part)
        for part in (
            "train",
            "--dataset",
            "folder",
            "--root",
            root,
            "--category",
            category,
            "--image-size",
            64,
            "--epochs",
            1,
            "--set",
            "threads=1",
            "--out",
            out,
            *more,
        )
    ]


def truncate(path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


@pytest.fixture(scope="module")
def trained(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    assert main(arguments(root, "my parts", folder)) == 0
    return Run.load(folder)


def test_a_folder_of_mixed_pictures_trains_as_it_is(trained):
    assert (trained.config.channels, trained.config.network, trained.config.category) == (
        3,
        "resnet18",
        "my parts",
    )
    split = load_split(trained.config)
    assert split.train.shape == (9, 3, 64, 64)
    assert torch.equal(split.test_labels, torch.empty(0, dtype=torch.long))
    grey = [
        image
        for image in split.train
        if torch.equal(image[0], image[1]) and torch.equal(image[1], image[2])
    ]
    assert 3 <= len(grey) <= 4, (
        "two grey and two black-and-white pictures, of which one may be held out"
    )


def test_without_test_pictures_it_says_so(root, tmp_path, capsys):
    assert main(arguments(root, "my parts", tmp_path, "--mode", "d")) == 0
    assert capsys.readouterr().out.endswith("no AUROC: 0 normal and 0 novel test images\n")
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert (
        metrics["n_train"],
        metrics["n_heldout"],
        metrics["n_test_normal"],
        metrics["n_test_novel"],
    ) == (9, 1, 0, 0)
    assert metrics["auroc"] is metrics["s_a"] is None
    assert metrics["threshold"] > 0
    assert list(pd.read_csv(tmp_path / "scores.csv")) == [
        "index",
        "label",
        "l_recon",
        "l_mut",
        "l_enc1",
        "novelty_score",
    ]


def test_new_pictures_are_scored_and_judged(trained, root, tmp_path, capsys):
    """Scores within 0.2 %: after one epoch l_mut is a difference of nearly equal numbers."""
    out = tmp_path / "scores.csv"
    assert (
        main(
            [
                "score",
                "--run",
                str(trained.folder),
                "--images",
                str(root / "plate" / "test" / "spot"),
                str(root / "my parts" / "3.png"),
                "--out",
                str(out),
            ]
        )
        == 0
    )
    table = pd.read_csv(out)
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
    assert [os.path.basename(file) for file in table.file] == ["000.png", "001.png", "3.png"]
    assert (table.threshold == trained.metrics["threshold"]).all()
    assert (table.novel == (table.novelty_score > table.threshold)).all()
    assert f"3 images scored, {table.novel.sum()} called novel" in capsys.readouterr().out
    alone = trained.score(read_image(root / "my parts" / "3.png", 64, 3)[None])
    assert table.novelty_score[2] == pytest.approx(alone.novelty_score[0], rel=2e-3)


def test_a_scored_test_picture_has_the_score_of_its_run(root, tmp_path):
    assert main(arguments(root, "plate", tmp_path / "run")) == 0
    assert (
        main(
            [
                "score",
                "--run",
                str(tmp_path / "run"),
                "--images",
                str(root / "plate" / "test" / "good"),
                "--out",
                str(tmp_path / "scores.csv"),
            ]
        )
        == 0
    )
    run, scored = Run.load(tmp_path / "run"), pd.read_csv(tmp_path / "scores.csv")
    of_good = run.scores[run.scores.label == 0].novelty_score
    assert scored.novelty_score.tolist() == pytest.approx(of_good.tolist(), rel=2e-3)


def test_unreadable_pictures_are_listed_and_the_others_scored(trained, root, tmp_path, capsys):
    folder = shutil.copytree(root / "my parts", tmp_path / "new")
    truncate(folder / "1.JPG")
    (folder / "text.png").write_text("no picture")
    out = tmp_path / "scores.csv"
    assert (
        main(["score", "--run", str(trained.folder), "--images", str(folder), "--out", str(out)])
        == 1
    )
    complaints = [
        line
        for line in capsys.readouterr().err.splitlines()
        if line.startswith("rscvae: skipped: ")
    ]
    assert len(complaints) == 2
    assert "1.JPG" in complaints[0]
    assert "text.png" in complaints[1]
    assert len(pd.read_csv(out)) == 9


def test_a_broken_picture_is_refused_by_name(root, tmp_path, refusal):
    """And trains once it is gone: nothing of the refusal is kept."""
    shutil.copytree(root / "my parts", tmp_path / "parts")
    truncate(tmp_path / "parts" / "2.JPG")
    out = tmp_path / "run"
    assert str(tmp_path / "parts" / "2.JPG") in refusal(*arguments(tmp_path, "parts", out))
    assert not out.exists()
    (tmp_path / "parts" / "2.JPG").unlink()
    assert main(arguments(tmp_path, "parts", out)) == 0


@pytest.mark.parametrize(
    ("category", "more", "expected"),
    [
        ("bolts", [], "found my parts, plate there\n"),
        ("my/parts", [], "expected the name of a subfolder as category, found 'my/parts'"),
        ("..", [], "expected the name of a subfolder"),
        ("", [], "expected the name of a subfolder"),
        (
            "my parts",
            ["--root", "/nowhere"],
            "expected a folder /nowhere/my parts, found nothing there",
        ),
        ("my parts", ["--root", ""], "expects a root"),
        ("my parts", ["--image-size", "80"], "multiple of 32"),
        ("my parts", ["--mode", "e"], "mode e trains on defective images of my parts, found none"),
        ("plate", ["--mode", "e", "--set", "anomaly_draw=fresh"], "must be stratified"),
        ("9", ["--dataset", "mvtec_ad"], "a root goes with data set folder and no other"),
        ("plate", ["--dataset", "synthetic"], "a root goes with data set folder and no other"),
        ("8", ["--dataset", "digits"], "a root goes with data set folder and no other"),
    ],
)
def test_train_refuses(category, more, expected, root, tmp_path, refusal):
    assert expected in refusal(*arguments(root, category, tmp_path / "run", *more))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("n", "expected"), [(0, "expected normal images in"), (1, "at least 2 normal images")]
)
def test_too_few_pictures_are_refused(n, expected, tmp_path, refusal):
    (tmp_path / "parts").mkdir()
    for i in range(n):
        Image.new("RGB", (40, 40)).save(tmp_path / "parts" / f"{i}.png")
    assert expected in refusal(*arguments(tmp_path, "parts", tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_pictures_are_read_as_the_camera_was_held(tmp_path):
    """Orientation 6: stored lying on its left side; read upright, as any viewer shows it."""
    lying = torch.zeros(20, 30, 3, dtype=torch.uint8)
    lying[:, :15] = 255  # its left half becomes the upper one
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.fromarray(lying.numpy()).save(tmp_path / "held.jpg", exif=exif, quality=95)
    upright = read_image(tmp_path / "held.jpg", 32, 1)[0].float()
    assert upright[:14].mean() > 250
    assert upright[18:].mean() < 5


@pytest.fixture
def mvtec(root, tmp_path, monkeypatch):
    """A data root that holds one category of MVTec AD, so it says."""
    monkeypatch.setenv("RSCVAE_DATA", str(tmp_path))
    return shutil.copytree(root / "plate", tmp_path / "mvtec_ad" / "metal_nut")


def test_data_commands_count_what_is_there(mvtec, capsys):
    counts = "mvtec_ad: metal_nut: 5 to train, 2 corner, 3 good, 2 scratch, 2 spot, 6 masks\n"
    for action in ("verify", "fetch"):
        assert main(["data", action, "MVTec-AD"]) == 0
        assert capsys.readouterr().out == counts
    assert main(["data", "list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in listed] == list(CATEGORIES)
    assert counts.strip() in listed


def test_data_commands_name_what_is_damaged_or_missing(mvtec, capsys, refusal):
    truncate(mvtec / "test" / "spot" / "001.png")
    assert "001.png" in refusal("data", "verify", "mvtec_ad")
    assert main(["data", "list"]) == 0
    assert "mvtec_ad: not ready; expected an image in" in capsys.readouterr().out
    shutil.rmtree(mvtec)
    assert "found none: get them at https://www.mvtec.com" in refusal("data", "verify", "mvtec_ad")
    assert "verified when it is trained on" in refusal("data", "verify", "folder")


def test_a_category_of_mvtec_ad_trains_by_its_number(mvtec, tmp_path, refusal):
    assert (
        main(
            [
                "train",
                "--dataset",
                "mvtec_ad",
                "--category",
                "7",
                "--mode",
                "e",
                "--image-size",
                "32",
                "--epochs",
                "1",
                "--set",
                "threads=1",
                "--out",
                str(tmp_path / "run"),
            ]
        )
        == 0
    )
    run = Run.load(tmp_path / "run")
    assert (run.config.category, run.config.channels) == ("metal-nut", 3)
    assert (
        run.metrics["n_train"],
        run.metrics["n_anomalous_train"],
        run.metrics["n_test_novel"],
    ) == (4, 3, 3)
    assert "found metal_nut there; MVTec AD: https" in refusal(
        "train", "--dataset", "mvtec_ad", "--category", "screw", "--out", tmp_path / "other"
    )
