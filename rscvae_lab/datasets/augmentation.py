"""How industrial pictures are shown in training: flipped where the object allows it, turned by up to 5 degrees, and in
mode d cut (Sec. 4.1: "Cutout"). Drawn for a whole epoch, applied batched, on the device.

The paper augments "by category" without saying how; the table of flips is our reading of the objects.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from rscvae_lab.config import FOLDER, PICTURE_SETS, Config

DEGREES = 5.0
SIDES = (32, 96)  # of the cut square, in pixels of a picture of 256
SQUARE_SIDE = 5  # the column that holds it; 0 where nothing is cut
_BOTH = ("carpet", "grid", "hazelnut", "leather", "screw", "tile", "wood", "plate")
_ACROSS = ("bottle", "toothbrush", "transistor", "zipper")  # left and right may change places


def flips(config: Config) -> tuple[bool, bool]:
    """Whether a category's pictures may be flipped left to right, and upside down. Never: a cable, whose colours have
    their places; capsule and pill, which are printed on; a metal nut, for which it is a defect; the user's own objects,
    of which nothing is known."""
    known = config.category if config.dataset != FOLDER else ""
    return known in _BOTH + _ACROSS, known in _BOTH


def draw_poses(config: Config, n: int, generator: torch.Generator) -> Tensor:
    """Poses of n pictures, (n, 6): flip across, flip down (0 or 1), degrees; the cut square's top, left and side in
    pixels (side 0: none). (n, 0) for labelled sets."""
    device = generator.device
    if config.dataset not in PICTURE_SETS:
        return torch.zeros(n, 0, device=device)
    drawn = torch.rand(n, 7, generator=generator, device=device)
    across, down = flips(config)
    low, high = (side * config.image_size / 256 for side in SIDES)
    side = (low + (high - low) * drawn[:, 3]).round()
    top, left = ((drawn[:, i] * (config.image_size - side + 1)).floor() for i in (4, 5))
    side = torch.where(drawn[:, 6] < config.p, side, 0) if config.method.anomalies == "shifted" else torch.zeros_like(side)
    turn = DEGREES * (2 * drawn[:, 2] - 1)
    flipped = (drawn[:, :2] < 0.5 * torch.tensor([across, down], device=device)).float()
    moved = torch.cat([flipped, turn[:, None]], 1) * config.augment
    return torch.cat([moved, torch.stack([top, left, side], 1)], 1)


def augmented(x: Tensor, pose: Tensor) -> Tensor:
    """Pictures x in [0, 1], (..., C, S, S), in poses (..., 6): turned anticlockwise, flipped, then cut to black. What
    a turn uncovers takes the nearest edge pixel."""
    flat, size = x.flatten(0, -4), x.shape[-1]
    across, down, degrees, top, left, side = pose.flatten(0, -2).to(x.dtype).unbind(1)
    angle = degrees * (math.pi / 180)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    right, under = 1 - 2 * across, 1 - 2 * down
    rows = [torch.stack([cos * right, -sin * under, zero], 1), torch.stack([sin * right, cos * under, zero], 1)]
    turn = torch.stack(rows, 1)
    grid = affine_grid(turn, list(flat.shape), align_corners=False)
    turned = grid_sample(flat, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return (turned * ~_squares(top, left, side, size)).view(x.shape)


def _squares(top: Tensor, left: Tensor, side: Tensor, size: int) -> Tensor:
    """Bool (N, 1, S, S), True inside each square."""
    place = torch.arange(size, device=top.device)

    def within(start: Tensor) -> Tensor:
        return (place >= start[:, None]) & (place < (start + side)[:, None])

    return (within(top)[:, :, None] & within(left)[:, None, :]).unsqueeze(1)
