"""MNIST and Fashion-MNIST: fetched by torchvision, and read only if every byte is as published.

A file may also lie there as `NAME.gz`, as it is published; then it is unpacked into memory.
"""

import gzip
import hashlib
import http.client
import os
import tempfile
import urllib.error
import zlib
from pathlib import Path

import numpy as np
import torch

from rscvae_lab.datasets.one_class import LabelledImages
from rscvae_lab.errors import InputError
from rscvae_lab.storage.files import data_root, make_folder

FOLDERS = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}  # torchvision's names
TRAIN, TEST = 60_000, 10_000

_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte",
          "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_MD5 = {
    "mnist": ("6bbc9ace898e44ae57da46a324031adb", "a25bea736e30d166cdddb491f175f624",
              "2646ac647ad5339dbf082846283269ea", "27ae3e4e09519cfbb04c329615203637"),
    "fashion_mnist": ("f4a8712d7a061bf5bd6d2ca38dc4d50a", "9018921c3c673c538a1fc5bad174d6f9",
                      "8181f5470baa50b63fa0f6fddb340f0a", "15d484375f8d13e6eb1aabb0c3f46965"),
}


def load(dataset: str) -> tuple[LabelledImages, LabelledImages]:
    """The official training and test parts, 28x28, one channel. Raises InputError for a file that
    is missing, damaged, or not what its name says."""
    images, labels, test_images, test_labels = (_content(dataset, name) for name in _FILES)
    return _part(images, labels), _part(test_images, test_labels)


def verify(dataset: str) -> str:
    """Compares every file's MD5 with the published one; returns a line. Raises InputError."""
    load(dataset)
    return (f"{dataset}: {TRAIN:,} training and {TEST:,} test images in {raw_folder(dataset)}, "
            "checksums as published")


def fetch(dataset: str) -> str:
    """Downloads the set where a file is missing, then verifies. Raises InputError without a
    network, or where another file bears the name of one to download, which stays as it is."""
    there = [name for name in _FILES if _find(dataset, name)]
    for name in there:
        _content(dataset, name)
    if len(there) < len(_FILES):
        _download(dataset)
    return verify(dataset)


def _download(dataset: str) -> None:
    from rscvae_lab._torchvision import torchvision  # its import takes a second

    reader, raw = getattr(torchvision.datasets, FOLDERS[dataset]), make_folder(raw_folder(dataset))
    try:  # beside the place of the files, which get their names when they are whole
        with tempfile.TemporaryDirectory(prefix=".fetched-", dir=raw) as folder:
            reader(folder, download=True)
            for name in _FILES:
                if not _find(dataset, name):
                    os.replace(Path(folder) / FOLDERS[dataset] / "raw" / name, raw / name)
    except (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError,
            RuntimeError, gzip.BadGzipFile, EOFError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{dataset} could not be downloaded ({reason}): connect to the internet, "
                         f"or put the four IDX files into {raw_folder(dataset)}") from None


def raw_folder(dataset: str) -> Path:
    return data_root() / FOLDERS[dataset] / "raw"


def _find(dataset: str, name: str) -> Path | None:
    places = (raw_folder(dataset) / name, raw_folder(dataset) / f"{name}.gz")
    return next((path for path in places if path.is_file()), None)


def _content(dataset: str, name: str) -> bytes:
    """A file's bytes, which are those published."""
    path = _find(dataset, name)
    if not path:
        raise InputError(f"expected {raw_folder(dataset) / name}, found no such file: `rscvae "
                         f"data fetch {dataset}` downloads it, RSCVAE_DATA names another data "
                         "folder")
    content = path.read_bytes()
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"expected a gzip archive in {path}, found something else or a "
                             f"damaged file ({error}): once it is moved away, `rscvae data fetch "
                             f"{dataset}` replaces it") from None
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    expected = _MD5[dataset][_FILES.index(name)]
    if md5 != expected:
        raise InputError(
            f"expected MD5 {expected}, that of {FOLDERS[dataset]}, in {path}, found {md5} over "
            f"{len(content):,} bytes: own images are trained on as image files, by --dataset "
            f"folder; a damaged file is replaced by `rscvae data fetch {dataset}` once it is "
            "moved away")
    return content


def _part(images: bytes, labels: bytes) -> LabelledImages:
    """Of IDX files: a header of 16 or 8 bytes, then a byte per pixel or label."""
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 1, 28, 28)
    classes = np.frombuffer(labels, np.uint8, offset=8).astype(np.int64)
    return LabelledImages(torch.from_numpy(pixels.copy()), torch.from_numpy(classes))
