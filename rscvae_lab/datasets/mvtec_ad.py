"""MVTec AD (Bergmann et al. 2019), and any folder of the same layout.

    ROOT/CATEGORY/train/good/*.png                normal, to train on
    ROOT/CATEGORY/test/good/*.png                 normal, to test on
    ROOT/CATEGORY/test/TYPE/*.png                 defective, one folder per type of defect
    ROOT/CATEGORY/ground_truth/TYPE/*_mask.png    where the defect is; optional as a whole

A category may also be a plain folder of normal images: then nothing is tested. Images are decoded
and resized once, and cached on disk by their content.
"""

from collections import Counter
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize

import torch
from torch import Tensor

from rscvae_lab.config import subfolders
from rscvae_lab.datasets import image_cache
from rscvae_lab.datasets.image_cache import Digests
from rscvae_lab.datasets.image_files import images_in, read_images
from rscvae_lab.errors import InputError
from rscvae_lab.storage.files import data_root

GOOD = "good"
SOURCE = "https://www.mvtec.com/company/research/datasets/mvtec-ad"


class Parts(NamedTuple):
    """A category's images, uint8 (N, C, S, S), and what is known of its test images."""

    train: Tensor
    test: Tensor
    kinds: tuple[str, ...]  # of each test image: good, or its type of defect
    files: tuple[str, ...]  # of each test image, relative to the category's folder
    masks: Tensor | None  # bool (N, 1, S, S), True on the defect; None without ground truth
    digests: Digests  # of all images


class _Files(NamedTuple):
    train: list[Path]
    test: list[Path]
    masks: list[Path | None]  # of each test image; None for good ones


def load(folder: Path, size: int, channels: int, masks: bool = True) -> Parts:
    """Reads a category's folder in colour (3 channels) or grey levels (1). Raises InputError for
    no normal images, a damaged file, or masks that do not match the images."""
    files = _list_files(folder)
    digests = image_cache.digests(folder, [*files.train, *files.test])
    contents, n = list(digests.values()), len(files.train)
    train = image_cache.decoded(files.train, contents[:n], size, channels)
    test = image_cache.decoded(files.test, contents[n:], size, channels)
    return Parts(train, test, tuple(path.parent.name for path in files.test),
                 tuple(str(path.relative_to(folder)) for path in files.test),
                 _masks(files.masks, size) if masks and any(files.masks) else None, digests)


def digests_of(folder: Path) -> Digests:
    """The digests of a category's images. Raises InputError as `load`, but for damaged files."""
    files = _list_files(folder)
    return image_cache.digests(folder, [*files.train, *files.test])


def category_folder(root: str | Path | None, category: str) -> Path:
    """ROOT/CATEGORY, however its accents are written; ROOT is by default `mvtec_ad` in the data
    root. Raises InputError, which says if the category lies one folder deeper."""
    root, source = (root, "") if root else (data_root() / "mvtec_ad", f"; MVTec AD: {SOURCE}")
    root = Path(root).expanduser()
    present = {normalize("NFC", name): name for name in subfolders(root)}
    name = normalize("NFC", category)
    if name not in present:
        raise InputError(f"expected a folder {root / category}, found "
                         f"{', '.join(present) or 'nothing'} there{deeper(root, name)}{source}")
    return root / present[name]


def deeper(root: Path, *categories: str) -> str:
    """Words for the first of these categories that lies one folder too deep; else none."""
    for folder in map(root.__truediv__, subfolders(root)):
        for name in categories:
            if name in subfolders(folder):
                return f", and {name} one folder deeper: move it up from {folder}"
    return ""


def verify(folder: Path) -> str:
    """Decodes all images and masks; returns a line of counts. Raises InputError for a bad file."""
    files = _list_files(folder)
    masks = [path for path in files.masks if path]
    read_images([*files.train, *files.test, *masks], 32, 1)
    kinds = Counter(path.parent.name for path in files.test)
    tested = ", ".join(f"{n} {kind}" for kind, n in kinds.items()) or "no test images"
    return f"{folder.name}: {len(files.train)} to train, {tested}, {len(masks)} masks"


def _list_files(folder: Path) -> _Files:
    if not (folder / "train").is_dir():  # a plain folder of normal images
        return _Files(_normal_images(folder), [], [])
    kinds = sorted(path for path in (folder / "test").glob("*") if path.is_dir())
    test = [path for kind in kinds for path in images_in(kind)]
    truth = folder / "ground_truth"
    masks = [_mask_of(path, truth) if truth.is_dir() and path.parent.name != GOOD else None
             for path in test]
    orphans = set(truth.glob("*/*_mask.png")) - set(masks)
    if orphans:
        raise InputError(f"expected an image for every mask, found none for {min(orphans)}")
    return _Files(_normal_images(folder / "train" / GOOD), test, masks)


def _normal_images(folder: Path) -> list[Path]:
    paths = images_in(folder) if folder.is_dir() else []
    if not paths:
        raise InputError(f"expected normal images in {folder}, found none")
    return paths


def _mask_of(image: Path, truth: Path) -> Path:
    mask = truth / image.parent.name / f"{image.stem}_mask.png"
    if not mask.is_file():
        raise InputError(f"expected the mask of {image} in {mask}, found no such file")
    return mask


def _masks(paths: list[Path | None], size: int) -> Tensor:
    """True where a pixel has any share of the original mask; empty for good images."""
    masks = torch.zeros(len(paths), 1, size, size, dtype=torch.bool)
    defective = torch.tensor([path is not None for path in paths])
    masks[defective] = read_images(filter(None, paths), size, 1) > 0
    return masks

