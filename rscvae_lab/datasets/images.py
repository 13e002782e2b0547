"""Images as tensors: uint8 in memory, [0, 1] as a network's input."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from rscvae_lab.errors import InputError


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
    """uint8 in 0-255 to float32 in [0, 1], the range of the decoder's sigmoid."""
    return images.float().div_(255.0)


def as_network_input(images: Tensor, channels: int, size: int) -> Tensor:
    """Images (N, channels, size, size), uint8 in 0-255 or float in [0, 1], as float32 in [0, 1].
    Raises InputError for another shape, NaN or infinite pixels, or floats outside [0, 1]."""
    if images.dim() != 4 or images.shape[1:] != (channels, size, size):
        raise InputError(f"expected images of shape (N, {channels}, {size}, {size}), "
                         f"found {tuple(images.shape)}")
    if images.dtype == torch.uint8:
        return to_unit(images)
    if not images.is_floating_point():
        raise InputError(f"expected uint8 in 0-255 or floats in [0, 1], found {images.dtype}")
    broken = int((~torch.isfinite(images)).sum())
    if broken:
        raise InputError(f"expected finite pixels, found {broken} NaN or infinite")
    if len(images) and (images.min() < 0 or images.max() > 1):
        raise InputError("expected pixels in [0, 1], "
                         f"found {images.min():.3g} to {images.max():.3g}")
    return images.float()
