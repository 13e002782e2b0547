"""MNIST and Fashion-MNIST through torchvision; `verify` checks MD5s, `load` only file sizes."""

import gzip
import hashlib
import urllib.error
from pathlib import Path

import torch

from rscvae_lab.datasets.one_class import LabelledImages
from rscvae_lab.errors import InputError
from rscvae_lab.storage.files import data_root

FOLDERS = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}  # torchvision's names
TRAIN, TEST = 60_000, 10_000

_SIZES = {  # bytes: a header of 16 or 8, then a byte per pixel or label
    "train-images-idx3-ubyte": 16 + TRAIN * 28 * 28, "train-labels-idx1-ubyte": 8 + TRAIN,
    "t10k-images-idx3-ubyte": 16 + TEST * 28 * 28, "t10k-labels-idx1-ubyte": 8 + TEST,
}
_MD5 = {
    "mnist": ("6bbc9ace898e44ae57da46a324031adb", "a25bea736e30d166cdddb491f175f624",
              "2646ac647ad5339dbf082846283269ea", "27ae3e4e09519cfbb04c329615203637"),
    "fashion_mnist": ("f4a8712d7a061bf5bd6d2ca38dc4d50a", "9018921c3c673c538a1fc5bad174d6f9",
                      "8181f5470baa50b63fa0f6fddb340f0a", "15d484375f8d13e6eb1aabb0c3f46965"),
}


def load(dataset: str) -> tuple[LabelledImages, LabelledImages]:
    """The official training and test parts, 28x28, one channel. Raises InputError for a file that
    is missing, truncated, or not what its name says."""
    check_files(dataset)
    return _read(dataset, train=True), _read(dataset, train=False)


def check_files(dataset: str) -> None:
    """Raises InputError that names the first IDX file that is missing or of another length."""
    for name, size in _SIZES.items():
        path = raw_folder(dataset) / name
        if not path.is_file():
            raise InputError(f"expected {path}, found no such file: `rscvae data fetch {dataset}` "
                             "downloads it, RSCVAE_DATA names another data folder")
        if path.stat().st_size != size:
            raise InputError(f"expected {size:,} bytes in {path}, found {path.stat().st_size:,}: "
                             f"delete it and run `rscvae data fetch {dataset}`")


def verify(dataset: str) -> str:
    """Compares every file's MD5 with the published one; returns a line. Raises InputError."""
    check_files(dataset)
    folder = raw_folder(dataset)
    for name, expected in zip(_SIZES, _MD5[dataset], strict=True):
        md5 = hashlib.md5((folder / name).read_bytes(), usedforsecurity=False).hexdigest()
        if md5 != expected:
            raise InputError(f"expected MD5 {expected} for {folder / name}, found {md5}")
    return (f"{dataset}: {TRAIN:,} training and {TEST:,} test images in {folder}, "
            "checksums as published")


def fetch(dataset: str) -> str:
    """Downloads what is missing, then verifies. Raises InputError without a network."""
    try:
        _torchvision_set(dataset, train=True, download=True)
    except (urllib.error.URLError, RuntimeError, gzip.BadGzipFile, EOFError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{dataset} could not be downloaded ({reason}): connect to the internet, "
                         f"or put the four IDX files into {raw_folder(dataset)}") from None
    return verify(dataset)


def raw_folder(dataset: str) -> Path:
    return data_root() / FOLDERS[dataset] / "raw"


def _read(dataset: str, train: bool) -> LabelledImages:
    try:
        part = _torchvision_set(dataset, train, download=False)
    except (RuntimeError, ValueError, KeyError, AssertionError) as error:
        raise InputError(f"expected IDX files in {raw_folder(dataset)}, found something else "
                         f"({error})") from None
    labels = part.targets.long()
    if part.data.dtype != torch.uint8 or labels.min() < 0 or labels.max() > 9:
        raise InputError(f"expected byte images with labels 0-9 in {raw_folder(dataset)}, "
                         "found other content")
    return LabelledImages(part.data.unsqueeze(1), labels)


def _torchvision_set(dataset: str, train: bool, download: bool):
    from rscvae_lab._torchvision import torchvision  # its import takes a second

    reader = getattr(torchvision.datasets, FOLDERS[dataset])
    return reader(data_root(), train=train, download=download)
