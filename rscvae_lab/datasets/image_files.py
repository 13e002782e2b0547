"""The user's own image files, read as the networks take them."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from rscvae_lab.datasets.images import resize
from rscvae_lab.errors import InputError

DECODER = 2  # raise it when a file is decoded to other pixels; 2: EXIF orientation is applied
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm"}
_EIGHT_BIT_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV"}


def find_images(paths: Iterable[str | Path]) -> list[Path]:
    """The files in `paths`, and the image files directly in folders there, sorted. Raises
    InputError for a path that does not exist, or without images."""
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            files += images_in(path)
        elif path.is_file():
            files.append(path)
        else:
            raise InputError(f"expected an image or a folder of images, found nothing at {path}")
    if not files:
        raise InputError(f"expected images ({', '.join(sorted(SUFFIXES))}), found none in "
                         f"{', '.join(map(str, paths))}")
    return files


def images_in(folder: Path) -> list[Path]:
    """The image files directly in a folder, sorted."""
    return sorted(file for file in folder.iterdir()
                  if file.suffix.lower() in SUFFIXES and file.is_file())


def read_images(paths: Iterable[Path], size: int, channels: int = 1) -> Tensor:
    """`read_image` of each path, in parallel; uint8 (N, channels, size, size)."""
    with ThreadPoolExecutor() as pool:
        return torch.stack(list(pool.map(lambda path: read_image(path, size, channels), paths)))


def read_image(path: Path, size: int, channels: int = 1) -> Tensor:
    """One image in grey levels (1 channel) or RGB (3), resized; uint8 (channels, size, size).
    Raises InputError for no image, a damaged one, or one without 8-bit values (NaN could hide)."""
    try:
        with Image.open(path) as image:
            if image.mode not in _EIGHT_BIT_MODES:
                raise InputError(f"expected 8-bit pixels in {path}, found mode {image.mode}")
            if image.has_transparency_data:
                raise InputError(f"expected an opaque image in {path}, found transparency: "
                                 "flatten it first")
            upright = ImageOps.exif_transpose(image).convert("L" if channels == 1 else "RGB")
    except InputError:
        raise
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError,
            Image.DecompressionBombError) as error:
        raise InputError(f"expected an image in {path}, found something else or a damaged file "
                         f"({error})") from None
    pixels = torch.from_numpy(np.array(upright)).view(upright.height, upright.width, channels)
    return resize(pixels.permute(2, 0, 1)[None], size)[0]
