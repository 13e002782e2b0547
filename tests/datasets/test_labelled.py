"""Splits against the paper's counts, shifts against symmetry, and data sets that are missing or
broken."""

import gzip
import hashlib
import shutil
import socket
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch

from rscvae_lab import datasets
from rscvae_lab._torchvision import torchvision
from rscvae_lab.config import CATEGORIES, Config, category_list, category_slug, class_index
from rscvae_lab.datasets import load_split, mnist
from rscvae_lab.datasets.images import as_network_input, resize
from rscvae_lab.datasets.one_class import (
    LabelledImages,
    anomalies_per_class,
    fresh_anomalies,
    one_class_split,
)
from rscvae_lab.errors import InputError


@pytest.mark.parametrize(
    "written", ["0", 0, "T-shirt/top", "t-shirt-top", "T-SHIRT/TOP", " t-shirt-top "]
)
def test_a_category_is_a_number_a_name_or_a_slug(written):
    assert class_index("Fashion-MNIST", written) == 0
    assert category_slug("fashion_mnist", written) == "t-shirt-top"


def test_lists_of_categories():
    assert category_list("mnist", "all") == list("0123456789")
    assert category_list("fashion_mnist", "Bag, 9,bag") == ["bag", "ankle-boot"]


@pytest.mark.parametrize(
    ("dataset", "category"),
    [("mnist", "10"), ("mnist", ""), ("fashion_mnist", "Hat"), ("cifar10", "0"), ("arrays", "0"),
     ("mnist", "-1"), ("mnist", "(8)"), ("digits", "8" * 5000)],
)
def test_unknown_names_are_refused_with_what_was_expected(dataset, category):
    with pytest.raises(InputError, match=r"expected (one of|a data set whose)"):
        class_index(dataset, category)


def test_digits_split():
    split = load_split(Config(mode="e"))
    counts = split.counts
    assert counts == {
        "n_train": 107,
        "n_heldout": 12,
        "n_anomalous_train": 9,
        "n_test_normal": 55,
        "n_test_novel": 272,
    }
    assert split.train.dtype == torch.uint8
    assert split.train.shape[1:] == (1, 32, 32)
    assert split.train.max() > 250


def test_splits_share_no_picture_and_repeat():
    split, again = load_split(Config(mode="e")), load_split(Config(mode="e"))
    seen = {bytes(image.numpy()) for image in split.train} | {
        bytes(image.numpy()) for image in split.anomalies
    }
    assert not seen & {bytes(image.numpy()) for image in split.heldout}
    for name in vars(split):
        assert torch.equal(getattr(split, name), getattr(again, name))


def test_the_training_seed_moves_the_anomalies_and_nothing_else():
    one, two = load_split(Config(mode="e", seed=0)), load_split(Config(mode="e", seed=1))
    assert not torch.equal(one.anomalies, two.anomalies)
    for name in ("train", "heldout", "test", "test_index"):
        assert torch.equal(getattr(one, name), getattr(two, name))
    other_half = load_split(Config(split_seed=1))
    assert not torch.equal(one.test_index, other_half.test_index)


def test_the_test_set_keeps_track_of_where_its_images_come_from():
    split = load_split(Config())
    _, test = datasets.load_parts("digits")
    assert torch.equal(split.test_classes, test.labels[split.test_index])
    assert torch.equal(split.test_labels == 0, split.test_classes == 8)
    assert torch.equal(split.test[:5], resize(test.images[split.test_index[:5]], 32))


def test_anomalies_are_stratified_and_floored():
    """0.5 % of 6,000 over nine classes: 3 of each, 27 in all, the paper's 222 : 1."""
    assert 9 * anomalies_per_class(6000, 9, 0.005) == 27
    assert anomalies_per_class(107, 9, 0.01) == 1
    assert anomalies_per_class(900, 9, 0.01) == 1
    assert anomalies_per_class(60_000, 9, 0.01) == 66


@pytest.mark.parametrize(
    "settings", [{}, {"anomaly_draw": "pooled"}, {"anomaly_draw": "fresh"}, {"p": 0.5}]
)
def test_what_settings_are_chosen_by_is_never_trained_on_and_the_same_in_every_mode(settings):
    split = load_split(Config(mode="e", **settings))
    chosen = {bytes(image.numpy()) for image in split.validation}
    assert len(split.validation) == (1198 - 119) // 2
    for part in (split.train, split.heldout, split.anomalies, split.pool):
        assert not chosen & {bytes(image.numpy()) for image in part}
    assert torch.equal(split.validation, load_split(Config(mode="o", seed=5)).validation)


def test_fresh_anomalies_are_others_every_epoch_from_the_pool():
    split = load_split(Config(mode="e", anomaly_draw="fresh", p=0.2))
    pool = {bytes(image.numpy()) for image in split.pool}
    drawn = [
        {bytes(image.numpy()) for image in fresh_anomalies(split, 0, epoch)} for epoch in (1, 2)
    ]
    assert len(split.anomalies) == len(drawn[0]) == 18
    assert drawn[0] | drawn[1] <= pool
    assert len(drawn[0] & drawn[1]) < 9
    assert split.counts["n_anomalous_train"] == 18
    assert len(split.pool) == 540


def test_a_class_without_training_images_is_refused():
    part = LabelledImages(torch.zeros(3, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 0, 1]))
    with pytest.raises(InputError, match="at least 2 training images of 8, found 0"):
        one_class_split(part, part, 8, Config())


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("dataset", "category", "n_class", "n_test_normal", "n_test_novel"),
    [
        ("mnist", "8", 5851, 974, 4513),
        ("mnist", "1", 6742, 1135, 4432),
        ("fashion_mnist", "Trouser", 6000, 1000, 4500),
    ],
)
def test_real_splits_have_the_papers_counts(
    dataset, category, n_class, n_test_normal, n_test_novel
):
    counts = load_split(Config(dataset=dataset, category=category, mode="e")).counts
    assert counts["n_train"] + counts["n_heldout"] == n_class
    assert counts["n_heldout"] == round(n_class / 10)
    assert (counts["n_test_normal"], counts["n_test_novel"]) == (n_test_normal, n_test_novel)
    assert counts["n_anomalous_train"] == 9 * (n_class // 900)


@pytest.mark.real_data
def test_one_percent_of_the_whole_training_set():
    counts = load_split(Config(dataset="mnist", mode="e", anomaly_base="training_set")).counts
    assert counts["n_anomalous_train"] == 9 * 66


@pytest.mark.real_data
@pytest.mark.parametrize("dataset", ["mnist", "fashion_mnist"])
def test_real_files_have_the_published_checksums(dataset):
    assert "60,000 training and 10,000 test" in datasets.verify(dataset)


def test_all_data_sets_are_described():
    assert [line.split(":")[0] for line in datasets.describe()] == list(CATEGORIES)


@pytest.fixture
def copied_mnist(tmp_path, monkeypatch):
    """MNIST's four files, writable; the reader follows RSCVAE_DATA."""
    shutil.copytree(mnist.raw_folder("mnist"), tmp_path / "MNIST" / "raw")
    monkeypatch.setenv("RSCVAE_DATA", str(tmp_path))
    return tmp_path / "MNIST" / "raw"


def test_missing_files_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("RSCVAE_DATA", str(tmp_path))
    with pytest.raises(InputError, match="train-images-idx3-ubyte, found no such file"):
        load_split(Config(dataset="mnist"))


@pytest.mark.real_data
def test_truncated_files_are_named(copied_mnist):
    path = copied_mnist / "t10k-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"expected MD5 .*t10k-labels.*over 5,000 bytes"):
        load_split(Config(dataset="mnist"))


@pytest.mark.real_data
def test_foreign_content_of_the_right_length_is_refused(copied_mnist):
    path = copied_mnist / "train-labels-idx1-ubyte"
    path.write_bytes(b"\xff" * path.stat().st_size)
    for read in (lambda: load_split(Config(dataset="mnist")), lambda: datasets.verify("mnist")):
        with pytest.raises(InputError, match="expected MD5"):
            read()


def test_download_without_a_network_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("RSCVAE_DATA", str(tmp_path))
    monkeypatch.setattr(
        torchvision.datasets.MNIST, "mirrors", [(tmp_path / "nowhere").as_uri() + "/"]
    )
    with pytest.raises(InputError, match="could not be downloaded"):
        datasets.fetch("mnist")


def test_a_connection_that_is_lost_says_what_to_do(tmp_path, monkeypatch):
    """A server that hangs up as soon as it is asked."""
    monkeypatch.setenv("RSCVAE_DATA", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up():
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=hang_up, daemon=True).start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}/"
        monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [address])
        with pytest.raises(InputError, match="could not be downloaded"):
            datasets.fetch("mnist")


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def mirror(tmp_path):
    """A web server on this machine with MNIST's four archives: its address, their names and
    checksums."""
    resources = []
    for file in sorted(mnist.raw_folder("mnist").iterdir()):
        archive = tmp_path / f"{file.name}.gz"
        archive.write_bytes(gzip.compress(file.read_bytes(), compresslevel=1))
        resources.append((archive.name, hashlib.md5(archive.read_bytes()).hexdigest()))
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(_QuietHandler, directory=tmp_path)
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", resources
        server.shutdown()


@pytest.mark.real_data
def test_download_from_a_mirror(mirror, tmp_path, monkeypatch):
    """The real download code: torchvision fetches, checks and unpacks the four archives, and we
    verify."""
    for name, value in zip(("mirrors", "resources"), ([mirror[0]], mirror[1]), strict=True):
        monkeypatch.setattr(torchvision.datasets.MNIST, name, value)
    monkeypatch.setenv("RSCVAE_DATA", str(tmp_path / "data"))
    assert "checksums as published" in datasets.fetch("mnist")


def test_resizing_keeps_bytes_and_flat_images():
    flat = torch.full((2, 1, 28, 28), 200, dtype=torch.uint8)
    resized = resize(flat, 32)
    assert resized.dtype == torch.uint8
    assert (resized == 200).all()
    assert resize(flat, 28) is flat
    assert resize(flat[:0], 32).shape == (0, 1, 32, 32)


def test_resizing_is_bilinear():
    """A ramp of slope 16 from 8: pixel j of 8 samples it at (j + 1/2) / 2 - 1/2, held at the
    edges."""
    ramp = torch.arange(8, 72, 16, dtype=torch.uint8).expand(1, 1, 4, 4)
    assert resize(ramp, 8)[0, 0, 3].tolist() == [8, 12, 20, 28, 36, 44, 52, 56]
    assert resize(ramp, 2)[0, 0].tolist() != resize(ramp, 4)[0, 0, ::2, ::2].tolist(), (
        "no antialiasing"
    )


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.full((1, 1, 32, 32), float("nan")), "expected finite pixels"),
        (torch.full((1, 1, 32, 32), 2.0), r"expected pixels in \[0, 1\]"),
        (torch.zeros(1, 3, 32, 32), "expected images of shape"),
        (torch.zeros(1, 1, 28, 28), "expected images of shape"),
        (torch.zeros(1, 1, 32, 32, dtype=torch.int64), "expected uint8"),
    ],
)
def test_images_a_network_must_not_see(images, message):
    with pytest.raises(InputError, match=message):
        as_network_input(images, 1, 32)
