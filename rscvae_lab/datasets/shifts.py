"""Distributionally-shifted augmentation (DSA) of mode d (Secs. 3.4 and 4.1), on whole batches.

On images of 28x28 the paper picks "1-3 options" of horizontal flip, vertical flip and rotation by
90 degrees. Our reading: the number is uniform on 1-3, the operations are distinct and applied in
that order. None of the seven subsets is the identity: they give the two flips, the two diagonal
reflections, and rotations by 90, 180 and 270 degrees.
"""

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

H_FLIP, V_FLIP, ROTATE_90 = range(3)


def draw_operations(n: int, generator: torch.Generator, shifts: str = "paper") -> Tensor:
    """Random operations for each of n images: bool (n, 3), columns H_FLIP, V_FLIP, ROTATE_90.

    `paper`: a uniform number of operations, then a uniform subset of that size. `safe`: a rotation
    by 90 or 270 degrees (both flips are half a turn): a flipped 0 or T-shirt is still normal.
    """
    device = generator.device
    if shifts == "safe":
        half_turn = torch.rand(n, 1, generator=generator, device=device) < 0.5
        return torch.cat([half_turn, half_turn, torch.ones_like(half_turn)], dim=1)
    number = torch.randint(1, 4, (n, 1), generator=generator, device=device)
    rank = torch.rand(n, 3, generator=generator, device=device).argsort(1).argsort(1)
    return rank < number


def apply_operations(images: Tensor, operations: Tensor) -> Tensor:
    """ds(x) of Eq. 11 for square images (..., C, S, S) and operations bool (..., 3)."""
    chosen = operations.movedim(-1, 0)[..., None, None, None]
    images = torch.where(chosen[H_FLIP], images.flip(-1), images)
    images = torch.where(chosen[V_FLIP], images.flip(-2), images)
    return torch.where(chosen[ROTATE_90], images.rot90(dims=(-2, -1)), images)


def draw_shifts(n: int, p: float, generator: torch.Generator, shifts: str = "paper") -> Tensor:
    """Operations, bool (n, 3), for n images, each shifted with probability p (Eq. 12:
    y_i ~ Bernoulli(p)); y is True where a row has a True."""
    y = torch.rand(n, 1, generator=generator, device=generator.device) < p
    return draw_operations(n, generator, shifts) & y


def rotated(images: Tensor, degrees: Tensor) -> Tensor:
    """Images, uint8 (N, C, S, S), rotated anticlockwise about their centre by `degrees` (N,),
    bilinearly, black where uncovered; multiples of 360 change nothing."""
    angle = torch.deg2rad(degrees.double())
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    turn = torch.stack([torch.stack([cos, -sin, zero], 1), torch.stack([sin, cos, zero], 1)], 1)
    grid = affine_grid(turn, list(images.shape), align_corners=False)
    turned = grid_sample(images.double(), grid, mode="bilinear", align_corners=False)
    return turned.round_().clamp_(0, 255).to(torch.uint8)


def cut_out(images: Tensor, size: int, top: int, left: int) -> Tensor:
    """Images (..., S, S) with a black square at (top, left), clipped at the border."""
    cut = images.clone()
    cut[..., top : top + size, left : left + size] = 0
    return cut
