"""The user's own pictures, as the networks take them."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from rscvae_lab.datasets.images import resize
from rscvae_lab.errors import InputError

DECODER = 2  # raise it when the same file comes out as other pixels; 2: upright, as the camera noted
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm"}
_EIGHT_BIT_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV"}


def find_pictures(paths: Iterable[str | Path]) -> list[Path]:
    """Picture files: those named, and those lying directly in folders that are named, sorted within each folder.

    Raises:
        InputError: a path does not exist, or nothing was found.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            found += pictures_in(path)
        elif path.is_file():
            found.append(path)
        else:
            raise InputError(f"expected a picture or a folder of pictures, found nothing at {path}")
    if not found:
        looked = ", ".join(map(str, paths))
        raise InputError(f"expected pictures ({', '.join(sorted(SUFFIXES))}), found none in {looked}")
    return found


def pictures_in(folder: Path) -> list[Path]:
    """The picture files directly in a folder, sorted."""
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())


def read_pictures(paths: Iterable[Path], size: int, channels: int = 1) -> Tensor:
    """`read_picture` of each, uint8 (N, channels, size, size); several are decoded at once."""
    with ThreadPoolExecutor() as pool:
        return torch.stack(list(pool.map(lambda path: read_picture(path, size, channels), paths)))


def read_picture(path: Path, size: int, channels: int = 1) -> Tensor:
    """One picture as grey levels (1 channel) or RGB (3), uint8 (channels, size, size), resized bilinearly.

    Raises:
        InputError: the file is no picture, is cut short, or holds other than 8-bit values (NaN would pass unseen).
    """
    try:
        with Image.open(path) as picture:
            if picture.mode not in _EIGHT_BIT_MODES:
                raise InputError(f"expected an 8-bit picture in {path}, found pixel mode {picture.mode}")
            if picture.has_transparency_data:
                raise InputError(f"expected an opaque picture in {path}, found transparency: flatten it first")
            upright = ImageOps.exif_transpose(picture)  # a camera notes how it was held
            pixels = torch.from_numpy(np.array(upright.convert("L" if channels == 1 else "RGB"))).view(
                upright.height, upright.width, channels).permute(2, 0, 1)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"expected a picture in {path}, found something else or a damaged file ({error})") from None
    return resize(pixels[None], size)[0]
