"""Synthetic parts with defects in the layout of MVTec AD, to run everything offline.

A part is a bright plate with brushed texture on a dark ground. Defects: a scratch (dark line), a
spot (bright disc), and a missing corner. Spots make an image brighter, the others make it darker,
and good parts vary: mean brightness says little, except of missing corners.
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


def write_set(root: Path, *, size: int = 64, n_train: int = 200, n_good: int = 40,
              n_defect: int = 20, seed: int = 0) -> Path:
    """Writes ROOT/plate with train/good, test and ground_truth: colour PNGs of size x size pixels,
    `n_defect` of each of `DEFECTS`. Equal arguments give equal images.

    Returns the category's folder. Raises InputError where it cannot be written to.
    """
    generator, folder = np.random.default_rng(seed), root / "plate"
    defective = [("test", kind, n_defect) for kind in DEFECTS]
    for part, kind, n in (("train", "good", n_train), ("test", "good", n_good), *defective):
        for i in range(n):
            image, mask = draw_part(kind, size, generator)
            image.save(make_folder(folder / part / kind) / f"{i:03}.png")
            if mask.getbbox():
                mask.save(make_folder(folder / "ground_truth" / kind) / f"{i:03}_mask.png")
    return folder


def cached_set(size: int) -> Path:
    """The default set at this size, stored among the runs, drawn on first use and written as a
    whole. The folder's name contains a hash of this file, so changed code draws another set."""
    version = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    folder = runs_root() / "synthetic" / f"{size}-{version}"
    if not folder.is_dir():
        part = make_folder(folder.parent / f".{folder.name}.{os.getpid()}")
        write_set(part, size=size)
        with suppress(OSError):  # another process was first
            part.rename(folder)
        shutil.rmtree(part, ignore_errors=True)
    return folder / "plate"


def draw_part(kind: str, size: int, generator: np.random.Generator
              ) -> tuple[Image.Image, Image.Image]:
    """An image (RGB) and the mask of its defect (L, 0 or 255, empty for good parts)."""
    ground = Image.fromarray(_noise(size, 25, 6, generator))
    plate = Image.fromarray(_brushed(size, generator.uniform(135, 165), generator))
    shape, mask = Image.new("L", (size, size)), Image.new("L", (size, size))
    edge = size * generator.uniform(0.12, 0.15, 4)
    box = (edge[0], edge[1], size - edge[2], size - edge[3])
    ImageDraw.Draw(shape).rounded_rectangle(box, radius=size * 0.1, fill=255)
    if kind == "corner":
        left, top, reach = box[2] - 0.4 * size, box[3] - 0.4 * size, 0.4 * size
        circle = (left, top, box[2] + 1 + reach, box[3] + 1 + reach)
        ImageDraw.Draw(mask).pieslice(circle, 180, 270, fill=255)
        mask = Image.fromarray(np.minimum(np.array(mask), np.array(shape)))
        shape = Image.fromarray(np.where(np.array(mask) > 0, 0, np.array(shape)).astype(np.uint8))
    elif kind != "good":
        _draw_defect(ImageDraw.Draw(mask), kind, size, generator)
    grey = np.array(Image.composite(plate, ground, shape)).astype(float)
    if kind in ("scratch", "spot"):
        grey = np.where(np.array(mask) > 0, grey + (90 if kind == "spot" else -90), grey)
    tint = np.array([1.0, 0.97, 0.9])
    return Image.fromarray(np.clip(grey[..., None] * tint, 0, 255).astype(np.uint8)), mask


def _noise(size: int, mean: float, deviation: float, generator: np.random.Generator) -> np.ndarray:
    return np.clip(generator.normal(mean, deviation, (size, size)), 0, 255).astype(np.uint8)


def _brushed(size: int, mean: float, generator: np.random.Generator) -> np.ndarray:
    """Horizontal streaks: noise shared by a row, and a little independent noise in each pixel."""
    streaks = generator.normal(0, 4, (size, 1)) + generator.normal(0, 3, (size, size))
    return np.clip(mean + streaks, 0, 255).astype(np.uint8)


def _draw_defect(mask: ImageDraw.ImageDraw, kind: str, size: int, generator: np.random.Generator
                 ) -> None:
    x, y = generator.uniform(0.3, 0.7, 2) * size
    if kind == "spot":
        radius = size * generator.uniform(0.09, 0.14)
        mask.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        return
    angle, half = generator.uniform(0, np.pi), size * generator.uniform(0.2, 0.3)
    dx, dy = half * np.cos(angle), half * np.sin(angle)
    mask.line((x - dx, y - dy, x + dx, y + dy), fill=255, width=max(2, size // 12))
