"""Images are decoded once, by content; a cache that is lost, full or in the way stops nothing."""

import hashlib
import os

import pytest
import torch
from PIL import Image

from rscvae_lab.datasets import image_cache
from rscvae_lab.datasets.image_cache import Changes, cache_folder, digests, fingerprint
from rscvae_lab.datasets.mvtec_ad import load

pytestmark = pytest.mark.usefixtures("runs_elsewhere")


@pytest.fixture
def runs_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("RSCVAE_RUNS", str(tmp_path / "runs"))
    image_cache.warn_once.cache_clear()


@pytest.fixture
def parts(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    for i in range(5):
        Image.new("RGB", (40, 40), (20 * i, 0, 0)).save(folder / f"{i}.png")
    return folder


def pixels() -> list:
    return sorted(cache_folder().glob("*.pixels"))


def test_a_folder_has_one_copy_however_often_it_is_touched_or_moved(parts):
    first = load(parts, 32, 3)
    for _ in range(3):
        os.utime(parts / "2.png")
        assert torch.equal(load(parts, 32, 3).train, first.train)
    moved = load(parts.rename(parts.with_name("elsewhere")), 32, 3)
    assert moved.digests == first.digests
    assert len(pixels()) == 1


def test_a_change_that_keeps_size_and_time_is_seen(parts):
    """By ctime; within two seconds of a change, which clocks may not tell apart, by content."""
    stat = (parts / "1.png").stat()
    load(parts, 32, 3)
    Image.new("RGB", (40, 40), (21, 0, 0)).save(parts / "1.png")
    os.utime(parts / "1.png", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (parts / "1.png").stat().st_size == stat.st_size
    assert load(parts, 32, 3).train[1, 0, 0, 0] == 21


def test_a_digest_is_that_of_the_bytes_and_remembered(parts, monkeypatch):
    for file in parts.iterdir():
        os.utime(file, (1, 1))
    monkeypatch.setattr(image_cache, "_SETTLED_NS", 0)
    found = digests(parts, sorted(parts.iterdir()))
    expected = hashlib.sha256((parts / "3.png").read_bytes()).hexdigest()
    assert found["3.png"] == expected[:16]
    monkeypatch.setattr(image_cache.hashlib, "file_digest", lambda *_: pytest.fail("read again"))
    assert digests(parts, sorted(parts.iterdir())) == found


def test_names_and_contents_make_the_fingerprint_and_accents_do_not():
    one = fingerprint({"é.png": "a", "b.png": "b"})
    assert one == fingerprint({"e\u0301.png": "a", "b.png": "b"})
    assert one != fingerprint({"é.png": "b", "b.png": "a"})
    assert one != fingerprint({"b.png": "b", "é.png": "a"})


def test_changes_are_counted():
    old = {"a": "1", "b": "2", "c": "3"}
    assert Changes.between(old, {"a": "1", "b": "9", "d": "4", "e": "5"}) == (2, 1, 1)
    assert str(Changes.between(old, {"b": "9", "a": "1"})) == "1 removed, 1 changed"


def test_the_cache_is_bounded_and_what_is_unused_goes_first(parts, monkeypatch):
    monkeypatch.setattr(image_cache, "MOST_BYTES", 5 * 3 * (32**2 + 64**2))
    load(parts, 32, 3)
    load(parts, 64, 3)
    for n, file in enumerate(pixels()):
        os.utime(file, (n, n))  # the 32 pixels are the older ones
    load(parts, 32, 1)
    assert [file.name.split("-")[0] for file in pixels()] == ["32", "64"]
    assert sum(file.stat().st_size for file in pixels()) <= image_cache.MOST_BYTES
    load(parts, 96, 3)  # larger than all of it: not kept
    assert not [file for file in pixels() if file.name.startswith("96")]


def test_damaged_and_lost_caches_are_made_anew(parts):
    first = load(parts, 32, 3)
    for damaged in (lambda size: b"[]", bytes):  # cut short; of the same size, but zeros
        for file in cache_folder().iterdir():
            file.write_bytes(damaged(file.stat().st_size))
        assert torch.equal(load(parts, 32, 3).train, first.train)
        assert len(pixels()) == 1


def test_a_cache_that_cannot_be_written_is_one_warning(parts, capsys):
    cache_folder().parent.mkdir()
    cache_folder().write_text("a file where the folder should be", "utf-8")
    for size in (32, 64):
        assert len(load(parts, size, 3).train) == 5
    (warning,) = capsys.readouterr().err.splitlines()
    assert "RSCVAE_RUNS" in warning
    assert cache_folder().read_text("utf-8") == "a file where the folder should be"
