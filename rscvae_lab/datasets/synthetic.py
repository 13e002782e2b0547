"""Textured parts with defects in the layout of MVTec AD, drawn by seed: to run everything offline. Never MVTec AD.

A part is a bright plate with brushed texture on a dark ground. Defects: a scratch (dark line), a spot (bright blot),
and a missing corner. Spots make a picture brighter, the others darker, and good parts differ among themselves: over all
kinds mean brightness tells little, though a part without its corner is always darker.
"""

import hashlib
import os
import shutil
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from rscvae_lab.storage.files import make_folder, runs_root

DEFECTS = ("scratch", "spot", "corner")


def write_set(root: Path, *, size: int = 64, n_train: int = 200, n_good: int = 40, n_defect: int = 20,
              seed: int = 0) -> Path:
    """Writes ROOT/plate with train/good, test and ground_truth, PNG files of size x size pixels in colour.

    Args:
        n_defect: of each kind of `DEFECTS`.

    Returns:
        The category's folder. Equal arguments give equal pictures.

    Raises:
        InputError: the folder cannot be written.
    """
    generator, folder = np.random.default_rng(seed), root / "plate"
    defective = [("test", kind, n_defect) for kind in DEFECTS]
    for part, kind, n in (("train", "good", n_train), ("test", "good", n_good), *defective):
        for i in range(n):
            picture, mask = part_with(kind, size, generator)
            picture.save(make_folder(folder / part / kind) / f"{i:03}.png")
            if mask.getbbox():
                mask.save(make_folder(folder / "ground_truth" / kind) / f"{i:03}_mask.png")
    return folder


def kept(size: int) -> Path:
    """The default set in this size among the runs, drawn on first use; appears whole or not at all.

    Its folder is named after this file's content too: what other code drew is another set.
    """
    drawn_by = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    folder = runs_root() / "synthetic" / f"{size}-{drawn_by}"
    if not folder.is_dir():
        beside = make_folder(folder.parent / f".{folder.name}.{os.getpid()}")
        write_set(beside, size=size)
        with suppress(OSError):  # another process was first
            beside.rename(folder)
        shutil.rmtree(beside, ignore_errors=True)
    return folder / "plate"


def part_with(kind: str, size: int, generator: np.random.Generator) -> tuple[Image.Image, Image.Image]:
    """A picture (RGB) and where its defect is (L, 0 or 255, empty for good ones)."""
    ground = Image.fromarray(_noise(size, 25, 6, generator))
    plate = Image.fromarray(_brushed(size, generator.uniform(135, 165), generator))
    shape, mask = Image.new("L", (size, size)), Image.new("L", (size, size))
    edge = size * generator.uniform(0.12, 0.15, 4)
    box = (edge[0], edge[1], size - edge[2], size - edge[3])
    ImageDraw.Draw(shape).rounded_rectangle(box, radius=size * 0.1, fill=255)
    if kind == "corner":
        corner = (box[2] - 0.4 * size, box[3] - 0.4 * size, box[2] + 1, box[3] + 1)
        ImageDraw.Draw(mask).pieslice((*corner[:2], corner[2] + 0.4 * size, corner[3] + 0.4 * size), 180, 270, fill=255)
        mask = Image.fromarray(np.minimum(np.array(mask), np.array(shape)))
        shape = Image.fromarray(np.where(np.array(mask) > 0, 0, np.array(shape)).astype(np.uint8))
    elif kind != "good":
        _draw(ImageDraw.Draw(mask), kind, size, generator)
    grey = np.array(Image.composite(plate, ground, shape)).astype(float)
    if kind in ("scratch", "spot"):
        grey = np.where(np.array(mask) > 0, grey + (90 if kind == "spot" else -90), grey)
    tint = np.array([1.0, 0.97, 0.9])
    return Image.fromarray(np.clip(grey[..., None] * tint, 0, 255).astype(np.uint8)), mask


def _noise(size: int, mean: float, deviation: float, generator: np.random.Generator) -> np.ndarray:
    return np.clip(generator.normal(mean, deviation, (size, size)), 0, 255).astype(np.uint8)


def _brushed(size: int, mean: float, generator: np.random.Generator) -> np.ndarray:
    """Horizontal streaks: noise that is the same along a row, and a little of its own in each pixel."""
    streaks = generator.normal(0, 4, (size, 1)) + generator.normal(0, 3, (size, size))
    return np.clip(mean + streaks, 0, 255).astype(np.uint8)


def _draw(mask: ImageDraw.ImageDraw, kind: str, size: int, generator: np.random.Generator) -> None:
    x, y = generator.uniform(0.3, 0.7, 2) * size
    if kind == "spot":
        radius = size * generator.uniform(0.09, 0.14)
        mask.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        return
    angle, half = generator.uniform(0, np.pi), size * generator.uniform(0.2, 0.3)
    dx, dy = half * np.cos(angle), half * np.sin(angle)
    mask.line((x - dx, y - dy, x + dx, y + dy), fill=255, width=max(2, size // 12))
