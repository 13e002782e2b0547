"""The user's own image files: which there are, what is passed over, and how they are read.

Every format that Pillow decodes by itself is read, of several frames the first. Eight-bit pixels
are taken as they are; an alpha channel that hides nothing is dropped. Grey levels of 16 bits (0 to
65,535) and of floats (0 to 1) are divided by the value of white, the same for every image of a
set. Large images are decoded one at a time, and reduced before they are resized.
"""

import ctypes
import os
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from PIL import ExifTags, Image
from torch import Tensor
from torch.nn.functional import interpolate

from rscvae_lab.datasets.images import resize
from rscvae_lab.errors import InputError
from rscvae_lab.storage.files import composed, entries

DECODER = 3  # raise it when a file is decoded to other pixels; 3: large images are reduced first

Image.init()
with suppress(OSError, AttributeError):  # libtiff prints errors itself: Pillow raises them too
    ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler(None)
_NOT_DECODED = {"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG"}  # by other programs, or not at all
_FORMATS = [name for name in Image.ID if name not in _NOT_DECODED]
_SUFFIX_FORMATS = {suffix: name for suffix, name in Image.registered_extensions().items()
                   if name in _FORMATS} | {".mpo": "JPEG"}
SUFFIXES = frozenset(_SUFFIX_FORMATS)

_DECODERS = 4  # threads; each holds an image, so there are no more on a machine of more cores
CHUNK = 64  # files that are decoded before the next ones are begun
_LARGE = 2**21  # pixels: a larger image is reduced by whole factors, to twice the size asked for
_HUGE = 2**24  # pixels: a larger image is decoded while no other one is
_MOST = 128  # megapixels that are decoded at all
_ONE_HUGE = Lock()
_WIDE_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I", "F")
_STRIP = 2**22  # pixels that are converted at a time
_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {  # of EXIF's orientations
    2: np.fliplr, 3: lambda pixels: np.rot90(pixels, 2), 4: np.flipud,
    5: lambda pixels: pixels.swapaxes(0, 1), 6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1), 8: np.rot90}


class LeftOut(dict[str, list[str]]):
    """What was passed over: reason -> the names, relative to the folder that was listed."""

    def add(self, reason: str, *names: str) -> None:
        if names:
            self.setdefault(reason, []).extend(names)

    def __str__(self) -> str:
        """One line such as `2 of no image format (a.txt, b.txt)`; empty for nothing."""
        def part(reason: str, names: list[str]) -> str:
            reason = reason.replace("images", "image") if len(names) == 1 else reason
            return f"{len(names)} {reason} ({', '.join(names[:3])}{', ...' * (len(names) > 3)})"

        return ", ".join(part(*item) for item in self.items())


def same_name(name: str) -> str:
    """A name by which to compare: in one normal form of Unicode, in lower case."""
    return composed(name).casefold()


def folders_in(folder: Path) -> list[Path]:
    """The folders directly in a folder, sorted, without hidden ones."""
    return [path for path in entries(folder) if path.is_dir()]


def images_in(folder: Path, left: LeftOut | None = None, within: Path | None = None
              ) -> list[Path]:
    """The image files directly in a folder, sorted. What else lies there is entered into `left`,
    with names relative to `within`, by default the folder."""
    images, left, within = [], LeftOut() if left is None else left, within or folder
    for path in entries(folder):
        name = str(path.relative_to(within))
        if path.is_dir():
            leave_below(path, left, within)
        elif path.suffix.lower() not in SUFFIXES:
            left.add("of no image format", name)
        elif path.is_file():
            images.append(path)
        else:
            left.add("links that lead nowhere, or no files", name)
    return images


def leave_below(folder: Path, left: LeftOut, within: Path, depth: int = 1) -> None:
    """Enters the images below a folder into `left`, to three folders down."""
    with suppress(OSError):  # of a folder that may not be read
        for path in entries(folder):
            if path.is_dir():
                if depth < 3 and not path.is_symlink():
                    leave_below(path, left, within, depth + 1)
            elif path.suffix.lower() in SUFFIXES:
                left.add("images one folder deeper" if depth == 1 else "images still deeper",
                         str(path.relative_to(within)))


def find_images(paths: str | Path | Iterable[str | Path]) -> tuple[list[Path], LeftOut]:
    """The files in `paths`, and the image files directly in folders there; what was passed over.
    Raises InputError for a path that does not exist, or without images."""
    paths = [paths] if isinstance(paths, str | Path) else list(paths)
    files, left = [], LeftOut()
    for path in (Path(os.path.expanduser(path)) for path in paths):
        if path.is_dir():
            files += images_in(path, left)
        elif path.is_file():
            files.append(path)
        else:
            what = "no regular file" if path.exists() else "nothing"
            raise InputError(f"expected an image or a folder of images, found {what} at {path}")
    if not files:
        raise InputError(f"expected images (.png, .jpg, .tif ...), found none in "
                         f"{', '.join(map(str, paths))}" + (f"; left out: {left}" if left else ""))
    return list(dict.fromkeys(files)), left


def read_images(paths: Iterable[Path], size: int, channels: int = 1, white: float = 0) -> Tensor:
    """`read_image` of each path; uint8 (N, channels, size, size). Raises one InputError that names
    every file that cannot be read."""
    paths, errors = list(paths), []
    images = torch.empty(len(paths), channels, size, size, dtype=torch.uint8)
    for start in range(0, len(paths), CHUNK):
        chunk = try_images(paths[start : start + CHUNK], size, channels, white)
        for i, image in enumerate(chunk, start):
            if isinstance(image, InputError):
                errors.append(str(image))
            else:
                images[i] = image
    if errors:
        n = f"{len(errors)} of {len(paths)} files cannot be read: " if len(errors) > 1 else ""
        raise InputError(n + "; ".join(errors))
    return images


def read_image(path: Path, size: int, channels: int = 1, white: float = 0) -> Tensor:
    """One image in grey levels (1 channel) or RGB (3), resized; uint8 (channels, size, size).
    `white` is the value of white in images of 16 bits or floats; 0 stands for 65,535 or 1. Raises
    InputError for no image, one that is damaged, too large or partly transparent, or has values
    that are not finite or not between 0 and white."""
    return read_images([path], size, channels, white)[0]


def try_images(paths: Iterable[Path], size: int, channels: int = 1, white: float = 0
               ) -> list[Tensor | InputError]:
    """`read_image` of each path, in a few threads, or the error of a file that cannot be read."""
    return _in_threads(lambda path: _read(path, size, channels, white), paths)


def read_masks(paths: Iterable[Path], size: int) -> list[Tensor]:
    """Where each mask, however it was written, is not black: bool (1, size, size), True for a
    pixel with more than some 1/512 of it. Of a JPEG, whose black is not exact, what is lighter
    than half. Raises InputError as `read_image`."""
    def marked(image: Image.Image) -> np.ndarray:
        if image.mode in _WIDE_MODES:
            return np.nan_to_num(np.asarray(image)) != 0
        lowest, pixels = 128 if image.format == "JPEG" else 1, np.asarray(image.convert("RGBA"))
        return (pixels[..., :3] >= lowest).any(-1) & (pixels[..., 3] > 0)

    def read(path: Path) -> Tensor:
        white = _decoded(path, size, marked).astype(np.uint8) * 255
        return resize(torch.from_numpy(white)[None, None], size)[0] > 0

    masks = _in_threads(read, paths)
    for mask in masks:
        if isinstance(mask, InputError):
            raise mask
    return masks


def _in_threads(read: Callable[[Path], Tensor], paths: Iterable[Path]
                ) -> list[Tensor | InputError]:
    def attempt(path: Path) -> Tensor | InputError:
        try:
            return read(path)
        except InputError as error:
            return error

    with warnings.catch_warnings(), ThreadPoolExecutor(_DECODERS) as pool:
        warnings.simplefilter("ignore")  # Pillow's, of files that it reads or refuses anyway
        return list(pool.map(attempt, paths))


def _read(path: Path, size: int, channels: int, white: float) -> Tensor:
    def values(image: Image.Image) -> np.ndarray:
        return _reduced(image, size, lambda strip: _plain(strip, path, channels, white))

    pixels = torch.from_numpy(_decoded(path, size, values))
    pixels = pixels.view(*pixels.shape[:2], -1).permute(2, 0, 1)[None]
    if pixels.is_floating_point():
        pixels = interpolate(pixels, (size, size), mode="bilinear", antialias=True)
        pixels = pixels.round_().clamp_(0, 255).to(torch.uint8).expand(-1, channels, -1, -1)
    return resize(pixels, size)[0]


def _decoded(path: Path, size: int, values: Callable[[Image.Image], np.ndarray]) -> np.ndarray:
    """The `values` (H, W, ...) of a decoded image, upright. Any error becomes InputError."""
    suffix = path.suffix.lower()
    formats = [name for name in _FORMATS  # one without a signature only by its suffix
               if Image.OPEN[name][1] or _SUFFIX_FORMATS.get(suffix) == name]
    try:
        with Image.open(path, formats=formats) as image:
            n = image.width * image.height
            # a JPEG can be decoded at a half to an eighth; a progressive one is held whole
            if n > _LARGE and image.draft(None, (2 * size, 2 * size)) and not (
                    image.info.get("progressive")):
                n = image.width * image.height
            if n > _MOST * 10**6:
                raise Image.DecompressionBombError
            with _ONE_HUGE if n > _HUGE else nullcontext():
                image.load()
                return _upright(values(image), image)
    except InputError:
        raise
    except Image.DecompressionBombError:
        raise InputError(f"expected at most {_MOST} megapixels in {path}, found more: make it "
                         "smaller first") from None
    except Exception as error:  # a decoder may raise anything
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"expected an image in {path}, found something else or a damaged file "
                         f"({reason})") from None


def _upright(pixels: np.ndarray, image: Image.Image) -> np.ndarray:
    """Pixels turned as EXIF says that the camera was held; a broken EXIF says nothing."""
    with suppress(Exception):
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation))
        return np.ascontiguousarray(turn(pixels)) if turn else pixels
    return pixels


def _reduced(image: Image.Image, size: int, plain: Callable[[Image.Image], Image.Image]
             ) -> np.ndarray:
    """`plain` of an image, strip by strip, reduced by the whole factors that leave a large one at
    least twice the size."""
    down = across = 1
    if image.width * image.height > _LARGE:
        down, across = (max(1, side // (2 * size)) for side in (image.height, image.width))
    rows = max(1, _STRIP // (image.width * down)) * down
    if rows >= image.height:
        return np.array(plain(image).reduce((across, down)))
    strips = (image.crop((0, top, image.width, min(top + rows, image.height)))
              for top in range(0, image.height, rows))
    return np.concatenate([np.array(plain(strip).reduce((across, down))) for strip in strips])


def _plain(image: Image.Image, path: Path, channels: int, white: float) -> Image.Image:
    """An image in mode L or RGB, or of wide modes in F with values from 0 to 255."""
    if image.mode in _WIDE_MODES:
        return _scaled(image, path, white or (1.0 if image.mode == "F" else 65535.0))
    if image.has_transparency_data:
        opaque, _ = image.convert("RGBA").getchannel("A").getextrema()
        if opaque < 255:
            raise InputError(f"expected an opaque image in {path}, found transparency: flatten it "
                             "first")
    return image.convert("L" if channels == 1 else "RGB")


def _scaled(image: Image.Image, path: Path, white: float) -> Image.Image:
    values = np.asarray(image if image.mode == "F" else image.convert("I"), dtype=np.float32)
    if not np.isfinite(values).all():
        raise InputError(f"expected finite pixels in {path}, found NaN or infinite ones")
    low, high = values.min(), values.max()
    if low < 0 or high > white:
        raise InputError(f"expected pixels from 0 to {white:g} in {path}, found {low:g} to "
                         f"{high:g}: train with --set white=NUMBER")
    return Image.fromarray(values * np.float32(255 / white))
