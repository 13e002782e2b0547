"""Images as tensors: uint8 in memory, [0, 1] as a network's input."""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from rscvae_lab.errors import InputError

_ROUNDING = 1e-6  # by so much float pixels may leave [0, 1]


def resize(images: Tensor, size: int) -> Tensor:
    """Bilinear resize, antialiased (Sec. 4.1: 28 x 28 becomes 32 x 32), uint8 (N, C, H, W) to
    (N, C, size, size); a copy only where the size changes."""
    if not len(images):
        return images.reshape(*images.shape[:2], size, size)
    if images.shape[-2:] == (size, size):
        return images
    resized = interpolate(images.float(), (size, size), mode="bilinear", antialias=True)
    return resized.round_().clamp_(0, 255).to(torch.uint8)


def to_unit(images: Tensor) -> Tensor:
    """uint8 in 0-255 to float32 in [0, 1], the range of the decoder's sigmoid; floats are in
    [0, 1] already."""
    return images.float() if images.is_floating_point() else images.float().div_(255.0)


def as_images(images: Any, size: int | None = None) -> Tensor:
    """A user's images in the package's layout: (N, C, S, S), uint8 in 0-255 or float32 in [0, 1].

    Args:
        images: numpy or torch; (N, S, S), (N, C, S, S) or (N, S, S, C) with 1 or 3 channels C;
            uint8 or floats in [0, 1]. (3, S, S) are three grey images, not one in colour.
        size: resizes to so many pixels a side; the result is uint8, as data sets are resized.

    Raises InputError for another shape or type, NaN pixels, or floats outside [0, 1].
    """
    images = images.detach() if torch.is_tensor(images) else _tensor(images)
    images = _checked_pixels(_channels_first(images))
    if size is None or images.shape[-2:] == (size, size):
        return images
    if images.is_floating_point():  # those of 8 bits exactly as if they were uint8
        images = images * 255
        images = torch.where((images - images.round()).abs() < 1e-3, images.round(), images)
    return resize(images, size)


def as_network_input(images: Any, channels: int, size: int) -> Tensor:
    """Images (N, channels, size, size), uint8 in 0-255 or float in [0, 1], as float32 in [0, 1];
    the other layouts of `as_images` too. Raises InputError for another shape, NaN or infinite
    pixels, or floats outside [0, 1]."""
    images = as_images(images)
    if images.shape[1:] != (channels, size, size):
        raise InputError(f"expected images of shape (N, {channels}, {size}, {size}), "
                         f"found {tuple(images.shape)}")
    return to_unit(images)


def _tensor(images: Any) -> Tensor:
    try:
        array = np.asarray(images)
    except ValueError:
        raise InputError("expected images of one shape, found several") from None
    if array.dtype.kind not in "uif":
        raise InputError(f"expected images as uint8 or floats, found {array.dtype}")
    if array.dtype.itemsize > 8:  # of long doubles, which torch does not have
        array = array.astype(np.float64)
    array = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def _channels_first(images: Tensor) -> Tensor:
    shape = tuple(images.shape)
    if images.dim() == 3 and shape[1] != shape[2] and shape[2] in (1, 3):
        raise InputError(f"expected several images, found one of shape {shape}: images[None] is "
                         "a batch of it")
    if images.dim() == 3:
        return images.unsqueeze(1)
    if images.dim() == 4 and shape[1] in (1, 3):
        return images
    if images.dim() == 4 and shape[3] in (1, 3):
        return images.permute(0, 3, 1, 2).contiguous()
    raise InputError("expected images of shape (N, S, S), (N, C, S, S) or (N, S, S, C) with 1 or "
                     f"3 channels C, found {shape}")


def _checked_pixels(images: Tensor) -> Tensor:
    """uint8 as it is, floats as float32."""
    if images.dtype == torch.uint8:
        return images
    if not images.is_floating_point():
        raise InputError(f"expected uint8 in 0-255 or floats in [0, 1], found {images.dtype}")
    broken = int((~torch.isfinite(images)).sum())
    if broken:
        raise InputError(f"expected finite pixels, found {broken} NaN or infinite")
    if len(images) and (images.min() < -_ROUNDING or images.max() > 1 + _ROUNDING):
        raise InputError("expected pixels in [0, 1], "
                         f"found {images.min():.7g} to {images.max():.7g}")
    return images.float().clamp(0, 1)
