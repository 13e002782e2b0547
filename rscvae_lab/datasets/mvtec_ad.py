"""MVTec AD (Bergmann et al. 2019), and any folder of its shape.

    ROOT/CATEGORY/train/good/*.png            normal, to learn from
    ROOT/CATEGORY/test/good/*.png             normal, to be judged on
    ROOT/CATEGORY/test/TYPE/*.png             defective, one folder a type of defect
    ROOT/CATEGORY/ground_truth/TYPE/*_mask.png    where the defect is; may be missing altogether

A category may also be a plain folder of normal pictures: then there is nothing to be judged on. Pictures are decoded
and resized once and kept on disk; a changed, added or removed file is decoded anew.
"""

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from rscvae_lab.datasets.image_files import DECODER, pictures_in, read_pictures
from rscvae_lab.errors import InputError
from rscvae_lab.storage.files import data_root, make_folder, runs_root
from rscvae_lab.storage.tensors import load_tensors, save_tensors

GOOD = "good"
SOURCE = "https://www.mvtec.com/company/research/datasets/mvtec-ad"


class Parts(NamedTuple):
    """A category's pictures, uint8 (N, C, S, S), those of the test with their kind and, where there are, masks."""

    train: Tensor
    test: Tensor
    kinds: tuple[str, ...]  # of each test picture: good, or the type of its defect
    files: tuple[str, ...]  # of each test picture, relative to the category's folder
    masks: Tensor | None  # bool (N, 1, S, S), True where the defect is; None without ground truth


class _Listing(NamedTuple):
    train: list[Path]
    test: list[Path]
    masks: list[Path | None]  # of each test picture; None for good ones


def load(folder: Path, size: int, channels: int, masks: bool = True) -> Parts:
    """Reads a category's folder.

    Args:
        channels: 3, or 1 for grey levels.
        masks: whether to decode them.

    Raises:
        InputError: the folder is missing, holds no normal pictures, a file is damaged, or masks and pictures do not
            match.
    """
    listing = _listed(folder)
    kinds = tuple(path.parent.name for path in listing.test)
    files = tuple(str(path.relative_to(folder)) for path in listing.test)
    train, test = (_cached(paths, size, channels, folder.name) for paths in (listing.train, listing.test))
    return Parts(train, test, kinds, files, _masks(listing.masks, size) if masks and any(listing.masks) else None)


def category_folder(root: str | Path | None, category: str) -> Path:
    """Where a category lies: ROOT/CATEGORY, by default in the data root's `mvtec_ad`. Raises InputError."""
    folder = Path(root or data_root() / "mvtec_ad").expanduser() / category
    if not folder.is_dir():
        there = sorted(path.name for path in folder.parent.iterdir() if path.is_dir()) if folder.parent.is_dir() else []
        source = "" if root else f"; MVTec AD: {SOURCE}"
        raise InputError(f"expected a folder {folder}, found {', '.join(there) or 'nothing'} there{source}")
    return folder


def verify(folder: Path) -> str:
    """Decodes every picture and mask; returns a line with the counts. Raises InputError that names a bad file."""
    listing = _listed(folder)
    read_pictures([*listing.train, *listing.test, *filter(None, listing.masks)], 32, 1)
    kinds = {kind: sum(path.parent.name == kind for path in listing.test) for kind in
             dict.fromkeys(path.parent.name for path in listing.test)}
    tested = ", ".join(f"{n} {kind}" for kind, n in kinds.items()) or "no test pictures"
    return f"{folder.name}: {len(listing.train)} to train, {tested}, {sum(map(bool, listing.masks))} masks"


def _listed(folder: Path) -> _Listing:
    if not (folder / "train").is_dir():  # a plain folder of normal pictures
        return _Listing(_some(folder), [], [])
    train = _some(folder / "train" / GOOD)
    kinds = sorted(path for path in (folder / "test").glob("*") if path.is_dir())
    test = [picture for kind in kinds for picture in pictures_in(kind)]
    truth = folder / "ground_truth"
    masks = [_mask_of(picture, truth) if truth.is_dir() and picture.parent.name != GOOD else None for picture in test]
    _check_masks(truth, masks)
    return _Listing(train, test, masks)


def _some(folder: Path) -> list[Path]:
    found = pictures_in(folder) if folder.is_dir() else []
    if not found:
        raise InputError(f"expected normal pictures in {folder}, found none")
    return found


def _mask_of(picture: Path, truth: Path) -> Path:
    mask = truth / picture.parent.name / f"{picture.stem}_mask.png"
    if not mask.is_file():
        raise InputError(f"expected the mask of {picture} in {mask}, found no such file")
    return mask


def _check_masks(truth: Path, masks: list[Path | None]) -> None:
    """Raises InputError for a mask without its picture."""
    orphans = set(truth.glob("*/*_mask.png")) - set(filter(None, masks))
    if orphans:
        raise InputError(f"expected a picture for every mask, found none for {min(orphans)}")


def _masks(paths: list[Path | None], size: int) -> Tensor:
    """What a mask touches in any part counts, and with it a little around; good pictures have an empty mask."""
    masks, there = torch.zeros(len(paths), 1, size, size, dtype=torch.bool), [path is not None for path in paths]
    masks[torch.tensor(there)] = read_pictures(filter(None, paths), size, 1) > 0
    return masks


def _cached(paths: list[Path], size: int, channels: int, category: str) -> Tensor:
    """`read_pictures`, kept under the names, sizes and times of the files; what is damaged there is decoded anew."""
    if not paths:
        return torch.empty(0, channels, size, size, dtype=torch.uint8)
    said = "\n".join(f"{path.resolve()} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in paths)
    key = hashlib.sha256(f"{DECODER} {size} {channels}\n{said}".encode()).hexdigest()[:16]
    kept = make_folder(runs_root() / "cache") / f"{category}-{size}-{key}.safetensors"
    with suppress(InputError):
        return load_tensors(kept)[0]["pictures"]
    pictures = read_pictures(paths, size, channels)
    save_tensors(kept, {"pictures": pictures}, {})
    return pictures
