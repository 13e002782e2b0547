"""What people really have: outputs that are in the way, damaged files, odd folders, pixel formats
and consoles. Each case ends well, or in one line that names it, and no input is ever changed."""

import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from rscvae_lab.cli import main
from rscvae_lab.datasets import mvtec_ad
from rscvae_lab.datasets.image_files import SUFFIXES
from rscvae_lab.errors import InputError
from rscvae_lab.runs import Run
from rscvae_lab.runs.inference import score_images


def save(path: Path, value: int | np.ndarray = 120, **options) -> Path:
    """A small image: noise around a grey level, or these pixels."""
    if isinstance(value, int):
        noise = np.random.default_rng(value).integers(-20, 20, (24, 32, 3))
        value = (value + noise).clip(0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(value).save(path, **options)
    return path


def fill(folder: Path, n: int = 6, suffix: str = ".png") -> Path:
    for i in range(n):
        save(folder / f"{i:03}{suffix}", 100 + i)
    return folder


def digests(*folders: Path) -> dict[Path, str]:
    return {path: hashlib.sha256(path.read_bytes()).hexdigest()
            for folder in folders for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def parts(tmp_path) -> Path:
    return fill(tmp_path / "root" / "parts")


@pytest.fixture
def score(short_run, tmp_path, capsys):
    """Scores images; returns status, table and what was printed on stderr of the images."""
    def scored(*images: Path) -> tuple[int, pd.DataFrame, str]:
        out = tmp_path / "out.csv"
        status = main(["score", "--run", str(short_run.folder), "--out", str(out),
                       "--images", *map(str, images)])
        table = pd.read_csv(out) if out.exists() else None
        lines = capsys.readouterr().err.splitlines(keepends=True)
        return status, table, "".join(line for line in lines if "threshold rests" not in line)

    return scored


def training(category: Path, out: Path, *more: str) -> list[str]:
    return ["train", "--dataset", "folder", "--root", str(category.parent),
            f"--category={category.name}", "--mode", "brightness", "--image-size", "32", "--out",
            str(out), *more]


@pytest.fixture
def train(tmp_path, capsys):
    """Trains on a category; returns its metrics and what was printed on stderr."""
    def trained(category: Path) -> tuple[dict, str]:
        out = tmp_path / "trained"
        assert main(training(category, out)) == 0
        return json.loads((out / "metrics.json").read_text("utf-8")), capsys.readouterr().err

    return trained


# 1. An output is never destroyed.

def fifo(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize(("name", "make", "found"), [
    ("b.png", lambda path: save(path), "b.png"),
    ("notes.csv", lambda path: path.write_text("a,b\n1,2\n", "utf-8"), "another file"),
    ("image.csv", lambda path: save(path.with_suffix(".png")).rename(path), "another file"),
    ("folder.csv", Path.mkdir, "a folder"),
    ("pipe.csv", fifo, "no regular file"),
    ("link.csv", lambda path: path.symlink_to(save(path.with_name("x.png"))), "x.png"),
    ("out.txt", lambda path: None, "out.txt"),
])
def test_score_takes_no_other_files_place(name, make, found, short_run, parts, tmp_path, refusal):
    make(tmp_path / name)
    before = digests(tmp_path)
    assert found in refusal("score", "--run", short_run.folder, "--images", parts, "--out",
                            tmp_path / name)
    assert digests(tmp_path) == before


@pytest.mark.parametrize("command", ["score", "sweep", "regions"])
@pytest.mark.parametrize("name", ["weights.safetensors", "scores.csv", "config.json"])
def test_a_runs_own_files_are_never_replaced(command, name, short_run, parts, tmp_path, refusal):
    run = shutil.copytree(short_run.folder, tmp_path / "run")
    (run / "history.csv").unlink()
    before = digests(run)
    own = ["--run", run, "--images", parts] if command == "score" else []
    refusal(command, *own, "--out", run / name)
    assert "run's own file" in refusal(command, *own, "--out", run / "history.csv")
    assert digests(run) == before


def test_an_output_is_refused_before_any_work(parts, short_run, tmp_path, refusal, monkeypatch):
    monkeypatch.setattr("rscvae_lab.runs.inference.try_images", lambda *_: pytest.fail("worked"))
    assert "found a folder" in refusal("score", "--run", short_run.folder, "--images", parts,
                                       "--out", (tmp_path / "x.csv").mkdir() or tmp_path / "x.csv")


def test_what_a_command_wrote_it_replaces(score, parts, tmp_path):
    (tmp_path / "out.csv").touch()  # as mktemp leaves it
    assert [score(parts)[0], score(parts)[0]] == [0, 0]


def test_rerun_replaces_no_notebook_that_it_did_not_write(tmp_path, refusal):
    notebook = {"cells": [], "metadata": {"kernelspec": {"name": "python3", "language": "python",
                "display_name": "x"}}, "nbformat": 4, "nbformat_minor": 5}
    for name in ("a.ipynb", "mine.ipynb"):
        (tmp_path / name).write_text(json.dumps(notebook), "utf-8")
    before = digests(tmp_path)
    assert "another file" in refusal("rerun", tmp_path / "a.ipynb", "--out",
                                     tmp_path / "mine.ipynb")
    assert digests(tmp_path) == before


@pytest.mark.parametrize("name", ["scores.csv", "metrics.json", "state.safetensors",
                                  "weights.safetensors", "history.csv", "config.json"])
def test_train_claims_no_folder_with_such_files(name, parts, tmp_path, refusal):
    out = tmp_path / "mine"
    out.mkdir()
    for file in (name, ".lock", f".thesis.{2**22 + 1}.part"):
        (out / file).write_text("months of work", "utf-8")
    before = digests(out)
    refusal(*training(parts, out))
    assert digests(out) == before


def test_train_leaves_other_files_in_its_folder(parts, tmp_path):
    out = tmp_path / "mine"
    out.mkdir()
    for file in ("notes.txt", ".lock", f".thesis.{2**22 + 1}.part"):
        (out / file).write_text("months of work", "utf-8")
    before = digests(out)
    assert main(training(parts, out)) == 0
    assert before.items() <= digests(out).items()


# 2. A decoder may raise anything; names are of any kind.

def exif_with_a_broken_rational() -> bytes:
    """A TIFF header, one directory with XResolution -1/0 as a signed rational, orientation 6."""
    entries = [(0x0112, 3, 1, 6), (0x011A, 10, 1, 38)]
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2) + directory + struct.pack(
        "<Iii", 0, -1, 0)


def dds_of_an_unknown_format() -> bytes:
    return b"DDS " + struct.pack("<7I", 124, 0x1007, 32, 32, 128, 0, 0) + b"\0" * 44 + struct.pack(
        "<8I", 32, 0, 0, 0, 0, 0, 0, 0) + b"\0" * 4000


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


def test_a_broken_exif_is_ignored(score, parts):
    pixels = np.zeros((30, 40, 3), np.uint8)
    save(parts / "exif.jpg", pixels, exif=exif_with_a_broken_rational())
    status, table, _ = score(parts)
    assert (status, len(table)) == (0, 7)


def test_an_undecodable_file_is_skipped_by_name(score, parts):
    (parts / "dds.png").write_bytes(dds_of_an_unknown_format())
    damage(parts / "003.png")
    status, table, printed = score(parts)
    assert (status, len(table)) == (1, 5)
    skipped = [line for line in printed.splitlines() if "skipped" in line]
    assert [name in line for name, line in zip(("003.png", "dds.png"), skipped, strict=True)] == [
        True, True]
    assert "rscvae: 5 images taken, 2 unreadable" in printed


def test_train_lists_all_damaged_files(parts, tmp_path, refusal):
    for name in ("001.png", "003.png"):
        damage(parts / name)
    (parts / "dds.png").write_bytes(dds_of_an_unknown_format())
    message = refusal(*training(parts, tmp_path / "run"))
    assert "3 of 7 files" in message
    assert all(name in message for name in ("001.png", "003.png", "dds.png"))
    assert not (tmp_path / "run").exists()


def test_a_text_is_no_image_whatever_programs_could_draw_it(score, parts):
    """PostScript is a program; formats without a signature are known by their suffix alone."""
    (parts / "program.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    status, table, printed = score(parts)
    assert (status, len(table)) == (1, 6)
    assert "program.png" in printed


NAMES = ["größe.png", "gro\u0308ße.png", "部品.png", "line\nbreak.png", "a" * 251 + ".png",
         os.fsdecode(b"caf\xe9.png"), "-p.png", "a,b\"c.png", " .png"]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_every_kind(name, short_run, train, score, parts, tmp_path):
    category = parts.rename(parts.with_name(name.removesuffix(".png")[:80]))
    save(category / name)
    metrics, _ = train(category)
    assert metrics["n_train"] + metrics["n_heldout"] == 7
    status, table, printed = score(category)
    assert (status, len(table), printed.count("\n")) == (0, 7, 1)
    out = tmp_path / (name.removesuffix(".png") + ".csv")
    score_images(short_run, category / name, out)
    assert len(pd.read_csv(out)) == 1
    assert not list(tmp_path.glob(".*"))


def test_a_category_is_found_in_any_normal_form(parts, train):
    decomposed = parts.rename(parts.with_name("gro\u0308ße"))
    assert train(decomposed.with_name("größe"))[0]["n_train"] == 5


# 3. What is passed over is said.

def test_images_one_folder_deeper_are_counted(parts, train, score):
    fill(parts / "sub", 8)
    assert "left out: 8 images one folder deeper (sub/000.png, " in train(parts)[1]
    status, table, printed = score(parts)
    assert (status, len(table)) == (0, 6)
    assert "6 images taken" in printed
    assert "8 images one folder deeper" in printed


def test_all_images_one_folder_deeper_are_named(parts, short_run, tmp_path, refusal):
    (parts.parent / "all").mkdir()
    parts.rename(parts.parent / "all" / "sub")
    folder = parts.parent / "all"
    assert "6 images one folder deeper (sub/000.png" in refusal(*training(folder, tmp_path / "r"))
    assert "6 images one folder deeper" in refusal(
        "score", "--run", short_run.folder, "--images", folder, "--out", tmp_path / "x.csv")


def test_every_format_is_read_and_others_are_counted(parts, score):
    formats = ["jfif", "jpe", "jp2", "avif", "tga", "dib", "pbm", "ico", "pcx", "qoi", "gif"]
    formats = [name for name in formats if f".{name}" in SUFFIXES]
    for name in formats:
        image = Image.fromarray(np.full((32, 32), 90, np.uint8))
        image = image.convert("1" if name == "pbm" else "RGB")
        image.save(parts / f"x.{name}")
    for name in ("notes.txt", "drawing.xcf", "no suffix"):
        (parts / name).write_bytes(b"x")
    status, table, printed = score(parts)
    assert (status, len(table)) == (0, 6 + len(formats))
    assert "left out: 3 of no image format (drawing.xcf, no suffix, notes.txt)" in printed


@pytest.mark.parametrize("name", ["._000.png", ".hidden.jpg", ".DS_Store", "Thumbs.db",
                                  "desktop.ini", "__MACOSX/000.png", ".git/000.png"])
def test_hidden_and_system_entries_are_not_looked_at(name, parts, train, score):
    (parts / name).parent.mkdir(exist_ok=True)
    (parts / name).write_bytes(b"\0\5\26\7")
    assert "left out" not in train(parts)[1]
    status, _, printed = score(parts)
    assert (status, printed) == (0, "rscvae: 6 images taken, 0 unreadable\n")


@pytest.fixture
def category(tmp_path) -> Path:
    """MVTec AD's layout: 6 to train; 3 good and 2 bad to test, with masks. One bad image is kept
    for mode e."""
    folder = tmp_path / "root" / "bottle"
    for name, n in (("train/good", 6), ("test/good", 3), ("test/bad", 2)):
        fill(folder / name, n)
    for i in range(2):
        mask = np.zeros((24, 32), np.uint8)
        mask[:6, :8] = 255
        save(folder / "ground_truth" / "bad" / f"{i:03}_mask.png", mask)
    return folder


def counts(metrics: dict) -> tuple[int, int, int]:
    return (metrics["n_train"] + metrics["n_heldout"], metrics["n_test_normal"],
            metrics["n_test_novel"])


def test_images_directly_in_test_are_said(category, train):
    save(category / "test" / "a.png")
    assert ("left out: 1 image directly in test, not in test/good or test/TYPE (test/a.png)"
            in train(category)[1])


@pytest.mark.parametrize("names", [
    ("test/good", "test/Good"), ("train/good", "train/GOOD"), ("train", "Train"),
    ("test", "TEST"), ("ground_truth", "Ground_Truth")])
def test_folders_count_in_any_case(names, category, train):
    usual = train(category)[0]
    shutil.rmtree(category.parent.parent / "trained")
    (category / names[0]).rename(category / names[1])
    assert counts(train(category)[0]) == counts(usual)
    assert mvtec_ad.load(category, 32, 3).masks.any((1, 2, 3)).sum() == 2


def test_good_and_bad_side_by_side(tmp_path, train):
    folder = fill(tmp_path / "root" / "parts" / "Good").parent
    fill(folder / "bad", 2)
    metrics, printed = train(folder)
    assert counts(metrics) == (6, 0, 1)
    assert "8 images taken" in printed


def test_mvtec_one_folder_too_deep_is_named(category, tmp_path, refusal):
    nested = tmp_path / "deep" / "mvtec_ad"
    nested.mkdir(parents=True)
    category.rename(nested / "bottle")
    assert f"one folder deeper: move it up from {nested}" in refusal(
        *training(nested.parent / "bottle", tmp_path / "r"))
    assert "images still deeper (bottle/" in refusal(*training(nested, tmp_path / "r"))


def test_an_empty_ground_truth_is_no_ground_truth(category, train):
    shutil.rmtree(category / "ground_truth")
    (category / "ground_truth").mkdir()
    assert counts(train(category)[0]) == (6, 3, 1)
    assert mvtec_ad.load(category, 32, 3).masks is None


def test_black_masks_of_good_images(category):
    for i in range(3):
        save(category / "ground_truth" / "good" / f"{i:03}_mask.png", np.zeros((24, 32), np.uint8))
    assert mvtec_ad.load(category, 32, 3).masks.any((1, 2, 3)).tolist() == [True] * 2 + [False] * 3
    save(category / "ground_truth" / "good" / "000_mask.png", np.full((24, 32), 255, np.uint8))
    with pytest.raises(InputError, match="expected a black mask"):
        mvtec_ad.load(category, 32, 3)


# 5. Masks and pixel values; more of them in datasets/test_image_files.py.

def test_a_mask_may_have_its_images_name_and_another_format(category):
    masks = sorted((category / "ground_truth" / "bad").iterdir())
    for mask in masks:
        Image.open(mask).save(mask.with_name(mask.name.replace("_mask.png", ".bmp")))
        mask.unlink()
    assert mvtec_ad.load(category, 32, 3).masks.any((1, 2, 3)).sum() == 2


def test_white_is_a_setting(tmp_path):
    """A 12-bit camera's images: trained and scored by the same value. The score is brightness."""
    for i in range(4):
        save(tmp_path / "parts" / f"{i}.png", np.full((32, 32), 4000 + i, np.uint16))
    out = tmp_path / "run"
    assert main(training(tmp_path / "parts", out, "--set", "white=4095")) == 0
    score_images(Run.load(out), tmp_path / "parts", tmp_path / "x.csv")
    assert pd.read_csv(tmp_path / "x.csv").novelty_score.min() > 0.97


# 9. Consoles, and paths as people write them.

def test_a_console_of_cp1252(parts, tmp_path):
    category = parts.rename(parts.with_name("部品"))
    environment = os.environ | {"PYTHONIOENCODING": "cp1252"}
    done = subprocess.run([sys.executable, "-m", "rscvae_lab",
                           *training(category, tmp_path / "実行")],
                          env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"finished: " in done.stdout


def test_a_home_folder_is_expanded(short_run, parts, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["score", "--run", str(short_run.folder), "--images", "~/root/parts", "--out",
                 "~/x.csv"]) == 0
    assert len(pd.read_csv(tmp_path / "x.csv")) == 6


@pytest.mark.parametrize("kind", [str, Path, lambda path: [path]])
def test_a_folder_may_be_a_text_or_a_path(kind, short_run, parts, tmp_path):
    scored = score_images(short_run, kind(parts), tmp_path / "x.csv")
    assert (len(scored.table), scored.unreadable) == (6, [])
