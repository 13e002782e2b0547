"""Files appear whole or not at all; the roots do not depend on where a process happens to run."""

import os
import subprocess
import sys

import pytest

from rscvae_lab.errors import InputError
from rscvae_lab.storage.files import (
    data_root,
    entries,
    make_folder,
    project_root,
    remove_stale_parts,
    runs_root,
    write_whole,
)


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    path = tmp_path / "table.csv"
    write_whole(path, "old")
    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, b"new")
    assert path.read_text("utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_entries_are_in_the_same_order_wherever_a_folder_lies(tmp_path):
    """By name: capitals first, an accent counting as one character however it is written."""
    for name in ("b.png", "C.png", "e\u0301.png", "f.png", ".hidden", "Thumbs.db"):
        (tmp_path / name).touch()
    assert [path.name[0] for path in entries(tmp_path)] == ["C", "b", "f", "e"]


def test_only_the_parts_of_dead_processes_are_swept(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for name in (
        f".a.csv.{dead.pid}.part",
        f".a.csv.{os.getpid()}.part",
        f".b.csv.{dead.pid}.part",
        ".somebodys.part",
        "kept.csv",
    ):
        (tmp_path / name).touch()
    remove_stale_parts(tmp_path, ["a.csv"])
    assert {path.name for path in tmp_path.iterdir()} == {
        f".a.csv.{os.getpid()}.part",
        f".b.csv.{dead.pid}.part",
        ".somebodys.part",
        "kept.csv",
    }


def test_relative_roots_start_at_the_checkout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RSCVAE_DATA", "sets")
    monkeypatch.setenv("RSCVAE_RUNS", "")
    assert data_root() == project_root() / "sets"
    assert runs_root() == project_root() / "runs"


def test_a_folder_in_the_way_of_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="can be written to"):
        make_folder(tmp_path / "file")
