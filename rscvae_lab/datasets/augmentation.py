"""Augmentation of industrial images: flips where the object allows them, rotations by up to 5
degrees, and in mode d a cutout (Sec. 4.1). Drawn for an epoch, applied to batches on the device.

The paper augments "by category" without saying how; the table of flips is our choice.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from rscvae_lab.config import FOLDER, IMAGE_FOLDERS, Config

DEGREES = 5.0
SIDES = (32, 96)  # of the square that is cut out, in pixels of an image of 256
SQUARE_SIDE = 5  # its column in the draws; 0 where nothing is cut out
_BOTH = ("carpet", "grid", "hazelnut", "leather", "screw", "tile", "wood", "plate")
_HORIZONTAL = ("bottle", "toothbrush", "transistor", "zipper")


def flips(config: Config) -> tuple[bool, bool]:
    """Whether a category's images may be flipped horizontally, and vertically. Never: cables, with
    an order of colours; capsules and pills, which carry print; metal nuts, for which a flip is a
    defect; the user's own objects."""
    category = config.category if config.dataset != FOLDER else ""
    return category in _BOTH + _HORIZONTAL, category in _BOTH


def draw_augmentation(config: Config, n: int, generator: torch.Generator) -> Tensor:
    """Random augmentation of n images, (n, 6): horizontal and vertical flip (0 or 1), degrees,
    and the cut square's top, left and side in pixels (side 0: none); (n, 0) for labelled sets."""
    device = generator.device
    if config.dataset not in IMAGE_FOLDERS:
        return torch.zeros(n, 0, device=device)
    uniform = torch.rand(n, 7, generator=generator, device=device)
    low, high = (side * config.image_size / 256 for side in SIDES)
    side = (low + (high - low) * uniform[:, 3]).round()
    top, left = ((uniform[:, i] * (config.image_size - side + 1)).floor() for i in (4, 5))
    cut = uniform[:, 6] < (config.p if config.method.anomalies == "shifted" else 0)
    degrees = DEGREES * (2 * uniform[:, 2] - 1)
    flipped = (uniform[:, :2] < 0.5 * torch.tensor(flips(config), device=device)).float()
    moved = torch.cat([flipped, degrees[:, None]], 1) * config.augment
    return torch.cat([moved, torch.stack([top, left, torch.where(cut, side, 0)], 1)], 1)


def augmented(x: Tensor, augmentation: Tensor) -> Tensor:
    """Images x in [0, 1], (..., C, S, S), after augmentation (..., 6): rotated anticlockwise,
    flipped, a square set to 0. Pixels that a rotation uncovers take the nearest edge value."""
    flat, size = x.flatten(0, -4), x.shape[-1]
    across, down, degrees, top, left, side = augmentation.flatten(0, -2).to(x.dtype).unbind(1)
    angle = degrees * (math.pi / 180)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    sign_x, sign_y = 1 - 2 * across, 1 - 2 * down
    rows = [torch.stack([cos * sign_x, -sin * sign_y, zero], 1),
            torch.stack([sin * sign_x, cos * sign_y, zero], 1)]
    grid = affine_grid(torch.stack(rows, 1), list(flat.shape), align_corners=False)
    moved = grid_sample(flat, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return (moved * ~_squares(top, left, side, size)).view(x.shape)


def _squares(top: Tensor, left: Tensor, side: Tensor, size: int) -> Tensor:
    """Bool (N, 1, S, S), True inside each square."""
    pixel = torch.arange(size, device=top.device)

    def inside(start: Tensor) -> Tensor:
        return (pixel >= start[:, None]) & (pixel < (start + side)[:, None])

    return (inside(top)[:, :, None] & inside(left)[:, None, :]).unsqueeze(1)
