"""What a run's folder says of the code that it was trained by."""

import subprocess

import pytest

from rscvae_lab.config import Config
from rscvae_lab.runs import folder


def test_a_commit_of_edited_code_is_dirty(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "project_root", lambda: tmp_path)
    (tmp_path / "rscvae_lab").mkdir()
    (tmp_path / "rscvae_lab" / "losses.py").write_text("1", "utf-8")
    for words in ("init -q", "add .", "-c user.name=a -c user.email=a@b commit -qm x"):
        subprocess.run(["git", *words.split()], cwd=tmp_path, check=True)
    clean = folder.commit.__wrapped__()  # past its cache
    (tmp_path / "notes.txt").write_text("nothing that trains", "utf-8")
    assert folder.commit.__wrapped__() == clean and len(clean) == 12
    (tmp_path / "rscvae_lab" / "losses.py").write_text("2", "utf-8")
    assert folder.commit.__wrapped__() == f"{clean}-dirty"


def test_a_run_that_could_not_be_begun_leaves_its_folder_free(tmp_path, monkeypatch):
    def broken(_):
        raise OSError("a disk that is gone")

    monkeypatch.setattr(folder, "digests_of", broken)  # asked for after config.json is written
    with pytest.raises(OSError, match="gone"), folder.begun([tmp_path], [Config()], lambda: False):
        raise AssertionError("it was begun")
    assert not list(tmp_path.iterdir())
