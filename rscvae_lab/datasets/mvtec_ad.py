"""MVTec AD (Bergmann et al. 2019), and any folder of the same layout.

    ROOT/CATEGORY/train/good/*.png                normal, to train on
    ROOT/CATEGORY/test/good/*.png                 normal, to test on
    ROOT/CATEGORY/test/TYPE/*.png                 defective, one folder per type of defect
    ROOT/CATEGORY/ground_truth/TYPE/*_mask.png    where the defect is; optional as a whole

Folder names may be in upper or lower case. `good` and other folders side by side are taken as
train/good and test/TYPE. A category may also be a plain folder of normal images: then nothing is
tested. Images are decoded and resized once, and cached on disk by their content.
"""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from rscvae_lab.config import subfolders
from rscvae_lab.datasets import image_cache
from rscvae_lab.datasets.image_cache import Digests
from rscvae_lab.datasets.image_files import (
    SUFFIXES,
    LeftOut,
    folders_in,
    images_in,
    leave_below,
    read_images,
    read_masks,
    same_name,
)
from rscvae_lab.errors import InputError
from rscvae_lab.storage.files import absolute, composed, data_root, entries

GOOD, TRUTH = "good", "ground_truth"
LAYOUT = ": expected CATEGORY/train/good, CATEGORY/test/good and CATEGORY/test/TYPE, or good alone"
MOST_PIXELS = 2**24  # of all test images, up to which figures by pixel are computed
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
    kinds: list[str]  # of each test image
    left: LeftOut  # what was passed over

    @property
    def all(self) -> list[Path]:
        return [*self.train, *self.test]


def load(folder: Path, size: int, channels: int, masks: bool = True, white: float = 0) -> Parts:
    """Reads a category's folder in colour (3 channels) or grey levels (1); `white` is that of
    `read_image`. Raises InputError for no normal images, a damaged file, or masks that do not
    match the images."""
    files = _list_files(folder)
    digests = image_cache.digests(folder, files.all)
    contents, n = list(digests.values()), len(files.train)
    train = image_cache.decoded(files.train, contents[:n], size, channels, white)
    test = image_cache.decoded(files.test, contents[n:], size, channels, white)
    return Parts(train, test, tuple(files.kinds),
                 tuple(str(path.relative_to(folder)) for path in files.test),
                 _masks(folder, files, size) if masks else None, digests)


def files_of(folder: Path) -> tuple[list[Path], list[Path], list[str]]:
    """A category's normal images, its test images, and the kind of each of these, in the order of
    `load`. Raises InputError for no normal images."""
    files = _list_files(folder)
    return files.train, files.test, files.kinds


def masks_of(folder: Path, size: int, n_tested: int) -> Tensor | None:
    """The masks of a category's test images, as `load` has them. Raises InputError as `load`, and
    where so many images are tested that no figures by pixel are computed of them."""
    files = _list_files(folder)
    pixels = n_tested * size**2
    if pixels > MOST_PIXELS and _mask_files(folder, files):
        raise InputError(f"expected at most {MOST_PIXELS:,} pixels in all test images, found "
                         f"{pixels:,}")
    return _masks(folder, files, size)


def digests_of(folder: Path) -> Digests:
    """The digests of a category's images. Raises InputError as `load`, but for damaged files."""
    files = _list_files(folder)
    return image_cache.digests(folder, files.all)


def category_folder(root: str | Path | None, category: str) -> Path:
    """ROOT/CATEGORY, however its accents are written; ROOT is by default `mvtec_ad` in the data
    root. Raises InputError, which says if the category lies one folder deeper."""
    root, source = (root, "") if root else (data_root() / "mvtec_ad", f"; MVTec AD: {SOURCE}")
    root = absolute(root)
    present = {composed(name): name for name in subfolders(root)}
    name = composed(category)
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
    read_images(files.all, 32, 1)
    _masks(folder, files, 32)
    n_masks = sum(path is not None for path in _mask_files(folder, files))
    return f"{folder.name}: {_counts(files)}, {n_masks} masks{_left_out(files)}"


def survey(folder: Path, size: int, n_tested: int) -> str:
    """A line that says how many images a category's folder has for what, what is passed over there
    and why, and which test images are training images, byte for byte. Masks are read as
    `masks_of` does. Raises InputError where it has no normal images."""
    files = _list_files(folder)
    digests = image_cache.digests(folder, files.all)
    train, test = ([digests.get(file.relative_to(folder).as_posix()) for file in part]
                   for part in (files.train, files.test))
    n_known = sum(content in {*train} - {None} for content in test)
    note = f"; {n_known} test images are training images, byte for byte" * bool(n_known)
    try:
        masks_of(folder, size, n_tested)
    except InputError as error:
        note += f"; no masks are used: {error}"
    return (f"{len(train) + len(test)} images taken from {folder} ({_counts(files)})"
            f"{_left_out(files)}{note}")


def _counts(files: _Files) -> str:
    tested = ", ".join(f"{n} {kind}" for kind, n in Counter(files.kinds).items())
    return f"{len(files.train)} to train, {tested or 'no test images'}"


def _left_out(files: _Files) -> str:
    return f"; left out: {files.left}" if files.left else ""


def _list_files(folder: Path) -> _Files:
    left = LeftOut()
    train, test = child(folder, "train"), child(folder, "test")
    good = child(train or folder, GOOD)
    if train:
        _leave_beside(train, [good], left, folder, ", not in train/good")
        _leave_beside(folder, [train, test, child(folder, TRUTH)], left, folder)
        kinds = folders_in(test) if test else []
        if test:
            _leave_beside(test, kinds, left, folder, ", not in test/good or test/TYPE")
    elif good:  # and its defective images beside it
        truth = [child(folder, TRUTH)]
        kinds = [path for path in folders_in(folder) if path not in (good, *truth)]
        _leave_beside(folder, [good, *kinds, *truth], left, folder)
    else:  # a plain folder of normal images
        good, kinds = folder, []
    normal = images_in(good, left, folder) if good else []
    if not normal:
        raise InputError(f"expected normal images in {good or train / GOOD}, found none"
                         + (f"; in {folder} there are {left}" if left else "") + LAYOUT)
    tested = [(path, kind) for kind in kinds for path in images_in(kind, left, folder)]
    return _Files(normal, [path for path, _ in tested],
                  [_kind(kind) for _, kind in tested], left)


def child(folder: Path, name: str) -> Path | None:
    """The folder of a name in any case; the exact one where there are several."""
    if (folder / name).is_dir():
        return folder / name
    return next((path for path in folders_in(folder) if same_name(path.name) == name), None)


def _leave_beside(folder: Path, taken: list[Path | None], left: LeftOut, within: Path,
                  expected: str = "") -> None:
    """Enters the images that lie in a folder beside those of its folders that are `taken`."""
    for path in entries(folder):
        if path in taken:
            continue
        if path.is_dir():
            leave_below(path, left, within)
        elif path.suffix.lower() in SUFFIXES:
            left.add(f"images directly in {folder.name}{expected}", str(path.relative_to(within)))


def _mask_files(folder: Path, files: _Files) -> list[Path | None]:
    """The mask of each test image, None for a good one without; empty where there are no masks.

    A mask is named as its image, or that and `_mask`. Raises InputError for defective images
    without one, where others have one, and for a mask without its image.
    """
    truth = child(folder, TRUTH)
    masks = {(same_name(folder.name), composed(path.stem)): path
             for folder in (folders_in(truth) if truth else []) for path in images_in(folder)}
    if not masks:
        return []

    def mask_of(path: Path, kind: str) -> Path | None:
        kind, name = same_name(kind), composed(path.stem)
        return masks.pop((kind, f"{name}_mask"), None) or masks.pop((kind, name), None)

    by_image = [mask_of(path, kind) for path, kind in zip(files.test, files.kinds)]
    for path, kind, mask in zip(files.test, files.kinds, by_image):
        if mask is None and kind != GOOD:
            raise InputError(f"expected the mask of {path} in "
                             f"{truth / kind / (path.stem + '_mask.png')}, found no such file")
    if masks:
        raise InputError(f"expected an image for every mask, found none for "
                         f"{min(masks.values())}")
    return by_image


def _kind(folder: Path) -> str:
    return GOOD if same_name(folder.name) == GOOD else folder.name


def _masks(folder: Path, files: _Files, size: int) -> Tensor | None:
    """The masks as `read_masks` has them; empty for good images without one. Raises InputError as
    `_mask_files`, and for a good image whose mask is not black."""
    paths = _mask_files(folder, files)
    if not paths:
        return None
    masks = torch.zeros(len(paths), 1, size, size, dtype=torch.bool)
    present = [i for i, path in enumerate(paths) if path is not None]
    for i, mask in zip(present, read_masks([paths[i] for i in present], size)):
        masks[i] = mask
    for mask, path, kind in zip(masks, paths, files.kinds):
        if kind == GOOD and mask.any():
            raise InputError(f"expected a black mask of a good image in {path}, found a defect")
    return masks
