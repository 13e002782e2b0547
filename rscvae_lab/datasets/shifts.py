"""Distributionally-shifted augmentation (DSA) of mode d (Secs. 3.4 and 4.1), batched, without a loop over images.

On 28x28 pictures the paper picks "1-3 options" of horizontal flip, vertical flip and rotation by 90 degrees. Our
reading: the number is uniform on 1-3, the operations are distinct and applied in that order. Of the seven subsets
none composes to the identity: they give the two flips, the two diagonal reflections, and rotations by 90, 180, 270.
"""

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

H_FLIP, V_FLIP, ROTATE_90 = range(3)


def draw_operations(n: int, generator: torch.Generator, shifts: str = "paper") -> Tensor:
    """Which operations each of n images undergoes: bool (n, 3), columns H_FLIP, V_FLIP, ROTATE_90.

    `paper`: a uniform number of operations, then a uniform subset of that size. `safe`: a rotation by 90 or 270
    degrees (both flips are half a turn), since a flipped 0 or T-shirt is still normal.
    """
    device = generator.device
    if shifts == "safe":
        half_turn = torch.rand(n, 1, generator=generator, device=device) < 0.5
        return torch.cat([half_turn, half_turn, torch.ones_like(half_turn)], dim=1)
    number = torch.randint(1, 4, (n, 1), generator=generator, device=device)
    rank = torch.rand(n, 3, generator=generator, device=device).argsort(1).argsort(1)
    return rank < number


def apply_operations(images: Tensor, operations: Tensor) -> Tensor:
    """ds(x) of Eq. 11 for square images (..., C, S, S) and operations (..., 3); without a True nothing changes."""
    chosen = operations.movedim(-1, 0)[..., None, None, None]
    images = torch.where(chosen[H_FLIP], images.flip(-1), images)
    images = torch.where(chosen[V_FLIP], images.flip(-2), images)
    return torch.where(chosen[ROTATE_90], images.rot90(dims=(-2, -1)), images)


def draw_shifts(n: int, p: float, generator: torch.Generator, shifts: str = "paper") -> Tensor:
    """The operations of n images of which each is shifted with probability p (Eq. 12: y_i ~ Bernoulli(p)).

    Returns:
        bool (n, 3); y is True where a row has a True, for no drawn set of operations is empty.
    """
    y = torch.rand(n, 1, generator=generator, device=generator.device) < p
    return draw_operations(n, generator, shifts) & y


def rotated(images: Tensor, degrees: Tensor) -> Tensor:
    """Images turned counter-clockwise about their centre, bilinearly, black where nothing was.

    Args:
        images: uint8, (N, C, S, S).
        degrees: (N,).

    Returns:
        uint8, (N, C, S, S); multiples of 360 leave an image as it is.
    """
    angle = torch.deg2rad(degrees.double())
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    turn = torch.stack([torch.stack([cos, -sin, zero], 1), torch.stack([sin, cos, zero], 1)], 1)
    grid = affine_grid(turn, list(images.shape), align_corners=False)
    turned = grid_sample(images.double(), grid, mode="bilinear", align_corners=False)
    return turned.round_().clamp_(0, 255).to(torch.uint8)


def cut_out(images: Tensor, size: int, top: int, left: int) -> Tensor:
    """Images (..., S, S) with a black square of `size` pixels, its corner at (top, left), clipped at the border."""
    cut = images.clone()
    cut[..., top : top + size, left : left + size] = 0
    return cut
