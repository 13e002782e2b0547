"""SIGKILL at any moment, and a disk that is full at any write: the same bytes in the end, no file
lost. Many kills: `RSCVAE_KILLS=50 python -m pytest tests/test_kills.py`."""

import contextlib
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from rscvae_lab import trainers
from rscvae_lab.cli import main
from rscvae_lab.datasets import image_cache, load_parts
from rscvae_lab.runs import Run
from rscvae_lab.runs.folder import LOCK
from rscvae_lab.storage.files import STATE

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("RSCVAE_KILLS", "5"))  # of each command
TRAIN = ["train", "--mode", "d", "--epochs", "6", "--set", "threads=1"]
SWEEP = ["sweep", "--categories", "3,8", "--methods", "vae,pca,o", "--epochs", "3", "--jobs", "1"]
TIMES = ["seconds", "images_per_second", "commit"]  # code may be edited meanwhile

forked = multiprocessing.get_context("forkserver")  # its children need not import torch again
forked.set_forkserver_preload(["rscvae_lab.trainers", "rscvae_lab.sweeps",
                               "rscvae_lab.runs.inference", "sklearn.decomposition"])


def work(arguments: list[str]) -> None:
    """A command in a process of its own; its state is saved after every epoch."""
    trainers.SAVE_SECONDS = {"cpu": 0.0}
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere), \
            contextlib.redirect_stderr(nowhere):
        sys.exit(main(arguments))


def start(arguments: list) -> multiprocessing.Process:
    process = forked.Process(target=work, args=([str(part) for part in arguments],))
    process.start()
    return process


def complete(arguments: list) -> float:
    """Lets a command finish; returns the seconds it took, without the first import of torch."""
    start(["--version"]).join(300)
    began, process = time.monotonic(), start(arguments)
    process.join(300)
    assert process.exitcode == 0
    return time.monotonic() - began


def killed_at_random(arguments: list, seconds: float, check: Callable[[], None],
                     finish: Callable[[], None]) -> None:
    """Kills a command, which takes so many seconds, at `KILLS` moments, and checks what it left
    each time. Where it was faster, `finish` judges its results and removes them."""
    chance, kills = random.Random(0), 0
    while kills < KILLS:
        process = start(arguments)
        process.join(chance.uniform(0, seconds))
        kills += process.exitcode is None
        process.kill()
        process.join()
        check()
        if process.exitcode == 0:
            finish()
    complete(arguments)
    check()
    finish()


def files(folder: Path, but: tuple[str, ...] = ()) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*")
            if path.is_file() and path.name not in but}


def same_scores(one: Path, two: Path) -> None:
    for name in ("config.json", "weights.safetensors", "scores.csv"):
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
    names = {path.name for path in one.iterdir()}
    assert names - {LOCK, STATE} == {path.name for path in two.iterdir()}  # of a late kill


def test_a_training_that_is_killed_again_and_again(tmp_path):
    seconds = complete([*TRAIN, "--out", tmp_path / "undisturbed"])
    run, seen = tmp_path / "run", set()

    def nothing_is_lost() -> None:
        there = {path.name for path in run.glob("*") if not path.name.startswith(".")}
        assert seen - {"state.safetensors"} <= there, "what was there once stays"
        seen.update(there)
        if "metrics.json" in there:
            assert Run.load(run).scores.notna().all(axis=None)

    def same_bytes() -> None:
        same_scores(run, tmp_path / "undisturbed")
        shutil.rmtree(run)
        seen.clear()

    killed_at_random([*TRAIN, "--resume", "--out", run], seconds, nothing_is_lost, same_bytes)


def test_a_sweep_that_is_killed_again_and_again(tmp_path):
    seconds = complete([*SWEEP, "--out", tmp_path / "undisturbed.csv"])
    out, rows = tmp_path / "x.csv", []

    def no_row_is_lost() -> None:
        table = pd.read_csv(out) if out.exists() else pd.DataFrame()
        rows.append(len(table))
        assert rows == sorted(rows)
        assert table.empty or not table.duplicated(["config_hash", "method"]).any()

    def same_table() -> None:
        found, expected = (pd.read_csv(path).drop(columns=TIMES)
                           for path in (out, tmp_path / "undisturbed.csv"))
        pd.testing.assert_frame_equal(found, expected)
        assert len(found) == 8
        for folder in (tmp_path / "undisturbed.runs").glob("*-*"):
            same_scores(tmp_path / "x.runs" / folder.name, folder)
        out.unlink()
        shutil.rmtree(tmp_path / "x.runs")
        rows.clear()

    killed_at_random([*SWEEP, "--out", out], seconds, no_row_is_lost, same_table)


@pytest.fixture
def pictures(tmp_path):
    """Forty of the digits' own test images."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i, image in enumerate(load_parts("digits")[1].images[:40, 0].numpy()):
        Image.fromarray(image).save(folder / f"{i:02}.png")
    return folder


def test_scoring_that_is_killed_again_and_again(short_run, pictures, tmp_path):
    score = ["score", "--run", short_run.folder, "--images", pictures, "--out"]
    seconds = complete([*score, tmp_path / "undisturbed.csv"])
    out, before = tmp_path / "x.csv", files(short_run.folder) | files(pictures)

    def all_or_nothing() -> None:
        if out.exists():  # whole; one process of 80 rounded half of its rows otherwise, by 4e-5
            found, expected = map(pd.read_csv, (out, tmp_path / "undisturbed.csv"))
            pd.testing.assert_frame_equal(found, expected, rtol=1e-3)
        assert files(short_run.folder) | files(pictures) == before

    killed_at_random([*score, out], seconds, all_or_nothing, out.unlink)


class Disk:
    """A small file system of its own, on which a file of ballast leaves so much space."""

    def __init__(self, folder: Path):
        self.folder, self.ballast = folder, folder / "ballast"

    def leave(self, n_bytes: int) -> None:
        self.ballast.unlink(missing_ok=True)
        free = shutil.disk_usage(self.folder).free
        self.ballast.write_bytes(bytes(max(0, free - n_bytes)))


@pytest.fixture
def disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)], capture_output=True)
    if not mounted or mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield Disk(folder)
    subprocess.run(["umount", "-l", str(folder)], check=True)


def refused_for_space(arguments: list, capsys) -> bool:
    """Whether the command says in one line that there is no space; else it has finished."""
    status, message = main([str(part) for part in arguments]), capsys.readouterr().err
    lines = [line for line in message.splitlines()
             if "held-out" not in line and "taken" not in line]
    assert status == (2 if lines else 0)
    assert not lines or (len(lines) == 1 and "No space left on device: " in lines[0]), message
    return bool(lines)


def test_a_training_on_a_disk_that_is_full_at_any_write(disk, tmp_path, monkeypatch, capsys):
    """A little more space each time: the config, a state, the weights, the scores, ... find
    none."""
    monkeypatch.setattr(trainers, "SAVE_SECONDS", {"cpu": 0.0})
    assert main([*TRAIN, "--out", str(tmp_path / "undisturbed")]) == 0
    capsys.readouterr()
    run, places, space = disk.folder / "run", set(), 0
    weights = (tmp_path / "undisturbed" / "weights.safetensors").stat().st_size
    while True:
        disk.leave(space)
        before = files(disk.folder, but=("ballast",))
        if not refused_for_space([*TRAIN, "--resume", "--out", run], capsys):
            break
        now = files(disk.folder, but=("ballast",))
        assert before.keys() <= now.keys(), "nothing is lost"
        assert not any(name.endswith(".part") for name in now), "nothing is half-written"
        places.update(now)
        space += 4096 if space < 16_384 else weights // 4
    assert len(places) > 2, "it stopped at several writes"
    same_scores(run, tmp_path / "undisturbed")


def test_scores_and_sweeps_on_a_full_disk(disk, short_run, pictures, capsys):
    out = disk.folder / "scores.csv"
    score = ["score", "--run", short_run.folder, "--images", pictures, "--out", out]
    assert not refused_for_space(score, capsys)
    former = out.read_bytes()
    disk.leave(0)
    assert refused_for_space(score, capsys)
    assert out.read_bytes() == former
    table = disk.folder / "x.csv"
    sweep = ["sweep", "--categories", "8", "--methods", "pca", "--jobs", "1", "--out", table]
    disk.leave(0)
    assert main([str(part) for part in sweep]) == 1
    assert "No space left" in capsys.readouterr().err
    disk.leave(2**22)
    assert not refused_for_space(sweep, capsys)
    assert len(pd.read_csv(table)) == 1


def test_a_full_cache_is_one_warning(disk, pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RSCVAE_RUNS", str(disk.folder))
    image_cache.warn_once.cache_clear()
    disk.leave(16_384)
    assert main(["train", "--dataset", "folder", "--root", str(pictures), "--image-size", "64",
                 "--mode", "pca", "--out", str(tmp_path / "run")]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines()
             if "held-out" not in line and "taken" not in line]
    assert len(lines) == 1
    assert "No space left on device" in lines[0]
    assert "RSCVAE_RUNS" in lines[0]
    assert not list(disk.folder.rglob("*.part"))
