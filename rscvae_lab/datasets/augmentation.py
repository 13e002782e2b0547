"""Augmentation of industrial images (Sec. 4.1): flips where the object allows them, a "slightly
rigid transformation", and in mode d a cutout; drawn for an epoch, applied to batches.

The paper augments "by category" without saying how. Our choice: the table of flips, rotations by
up to 5 degrees, shifts by up to a fiftieth of the side; and by bicubic interpolation, since scored
images are not interpolated. Of the fine detail (the mean absolute Laplacian at 128 pixels) it
leaves .90 to .95 on screws, capsules and pills, where bilinear interpolation left .71 to .79.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from rscvae_lab.config import FOLDER, IMAGE_FOLDERS, Config

DEGREES, SHIFT = 5.0, 0.02  # at most, to either side; of the image's side
SIDES = (32, 96)  # of the square that is cut out, in pixels of an image of 256
PASTED_SIDES = (16, 48)  # of the square that is pasted, likewise
SQUARE_SIDE = 5  # its column in the draws; 0 where nothing is cut out
_BOTH = ("carpet", "grid", "hazelnut", "leather", "screw", "tile", "wood", "plate")
_HALF_TURNED = ("screw",)  # flipped both ways or not at all: a mirrored thread is left-handed
_HORIZONTAL = ("bottle", "toothbrush", "transistor", "zipper")


def flips(config: Config) -> tuple[bool, bool]:
    """Whether a category's images may be flipped horizontally, and vertically. Never: cables, with
    an order of colours; capsules and pills, which carry print; metal nuts, for which a flip is a
    defect; the user's own objects."""
    category = config.category if config.dataset != FOLDER else ""
    return category in _BOTH + _HORIZONTAL, category in _BOTH


def draw_augmentation(config: Config, n: int, generator: torch.Generator) -> Tensor:
    """Random augmentation of n images, (n, 9): horizontal and vertical flip (0 or 1), degrees, the
    cut square's top, left and side in pixels (side 0: none), shifts to the right and down in
    pixels, and the factor of brightness. (n, 6) for configs that neither shift nor change the
    light, whose numbers are those of former versions; (n, 0) for labelled sets."""
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
    if config.rigid and config.dataset != FOLDER and config.category in _HALF_TURNED:
        flipped = flipped[:, :1].expand(-1, 2)
    moved = torch.cat([flipped, degrees[:, None]], 1) * config.augment
    former = torch.cat([moved, torch.stack([top, left, torch.where(cut, side, 0)], 1)], 1)
    if not (config.rigid or config.jitter):
        return former
    around = 2 * torch.rand(n, 3, generator=generator, device=device) - 1
    shift = SHIFT * config.image_size * around[:, :2] * (config.augment and config.rigid)
    return torch.cat([former, shift, 1 + config.jitter * around[:, 2:]], 1)


def augmented(x: Tensor, augmentation: Tensor, bicubic: bool = False) -> Tensor:
    """Images x in [0, 1], (..., C, S, S), after augmentation (..., 6) or (..., 9): rotated
    anticlockwise, flipped, shifted, made brighter or darker, a square set to 0. Uncovered pixels
    take the nearest edge value; what overshoots [0, 1] is clipped."""
    flat, size = x.flatten(0, -4), x.shape[-1]
    across, down, degrees, top, left, side, *more = (
        augmentation.flatten(0, -2).to(x.dtype).unbind(1))
    angle = degrees * (math.pi / 180)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    sign_x, sign_y = 1 - 2 * across, 1 - 2 * down
    right, below, factor = more or (zero, zero, zero + 1)
    from_x, from_y = -2 * right / size, -2 * below / size  # in units of half the side
    rows = [torch.stack([cos * sign_x, -sin * sign_y, cos * sign_x * from_x
                         - sin * sign_y * from_y], 1),
            torch.stack([sin * sign_x, cos * sign_y, sin * sign_x * from_x
                         + cos * sign_y * from_y], 1)]
    grid = affine_grid(torch.stack(rows, 1), list(flat.shape), align_corners=False)
    moved = grid_sample(flat, grid, mode="bicubic" if bicubic else "bilinear",
                        padding_mode="border", align_corners=False)
    if more or bicubic:
        moved = (moved * factor.view(-1, 1, 1, 1)).clamp_(0, 1)
    return (moved * ~_squares(top, left, side, size)).view(x.shape)


def pasted(images: Tensor, n: int, seed: int) -> Tensor:
    """n pseudo-defects to choose settings by, uint8 (n, C, S, S): image i modulo N with a square
    of itself pasted elsewhere (Li et al. 2021), half as large as mode d's cut squares, which are
    black: no mode is trained on these. Our choice, where the paper chooses on the test set."""
    generator, size = np.random.default_rng((seed, 400)), images.shape[-1]
    changed = images[torch.arange(n) % len(images)].clone()
    for image in changed:
        side = round(generator.uniform(*PASTED_SIDES) * size / 256)
        top, left, *source = generator.integers(0, size - side + 1, 4).tolist()
        square = image[:, source[0] : source[0] + side, source[1] : source[1] + side].clone()
        image[:, top : top + side, left : left + side] = square
    return changed


def _squares(top: Tensor, left: Tensor, side: Tensor, size: int) -> Tensor:
    """Bool (N, 1, S, S), True inside each square."""
    pixel = torch.arange(size, device=top.device)

    def inside(start: Tensor) -> Tensor:
        return (pixel >= start[:, None]) & (pixel < (start + side)[:, None])

    return (inside(top)[:, :, None] & inside(left)[:, None, :]).unsqueeze(1)
