"""Distributional shifts: seven symmetries of the square, drawn as the paper says."""

import pytest
import torch

from rscvae_lab.datasets.shifts import (
    apply_operations,
    cut_out,
    draw_operations,
    draw_shifts,
    rotated,
)


def test_the_seven_shifts_are_the_symmetries_of_the_square(generator):
    """No subset of the operations gives the picture back, and no two give the same one."""
    image = torch.rand(1, 1, 5, 5, generator=generator)
    subsets = torch.tensor([[i >> bit & 1 for bit in range(3)] for i in range(8)]).bool()
    shifted = apply_operations(image.expand(8, -1, -1, -1), subsets)
    turns = [image.rot90(k, (-2, -1)) for k in range(4)]
    symmetries = turns + [turn.flip(-1) for turn in turns]
    found = [
        next(i for i, symmetry in enumerate(symmetries) if torch.equal(symmetry[0], one))
        for one in shifted
    ]
    assert found[0] == 0
    assert sorted(found) == list(range(8))
    torch.testing.assert_close(shifted[1], image[0].flip(-1))  # h-flip mirrors left and right
    torch.testing.assert_close(shifted[2], image[0].flip(-2))
    torch.testing.assert_close(shifted[4], image[0].rot90(1, (-2, -1)))


def test_the_number_of_operations_is_uniform(generator):
    drawn = draw_operations(30_000, generator)
    shares = torch.bincount(drawn.sum(1), minlength=4) / len(drawn)
    torch.testing.assert_close(shares, torch.tensor([0, 1 / 3, 1 / 3, 1 / 3]), atol=0.01, rtol=0)
    single = drawn[drawn.sum(1) == 1].float().mean(0)
    torch.testing.assert_close(single, torch.full((3,), 1 / 3), atol=0.02, rtol=0)


def test_safe_shifts_are_quarter_turns(generator):
    image = torch.rand(1, 1, 4, 4, generator=generator)
    shifted = apply_operations(
        image.expand(100, -1, -1, -1), draw_operations(100, generator, "safe")
    )
    quarter, three_quarters = image[0].rot90(1, (-2, -1)), image[0].rot90(3, (-2, -1))
    is_quarter = torch.tensor([torch.equal(one, quarter) for one in shifted])
    assert all(torch.equal(one, three_quarters) for one in shifted[~is_quarter])
    assert 30 < is_quarter.sum() < 70


def test_shifts_reach_a_share_p_and_leave_the_rest_alone(generator):
    images = torch.randint(0, 256, (20_000, 1, 4, 4), generator=generator).to(torch.uint8)
    operations = draw_shifts(20_000, 0.05, generator)
    y = operations.any(1)
    assert y.float().mean().item() == pytest.approx(0.05, abs=0.005)
    shifted = apply_operations(images, operations)
    assert torch.equal((shifted != images).flatten(1).any(1), y)
    two_models = apply_operations(images.view(2, 10_000, 1, 4, 4), operations.view(2, 10_000, 3))
    assert torch.equal(two_models.view_as(images), shifted)


def test_quarter_turns_by_angle_are_exact(generator):
    images = torch.randint(0, 256, (4, 1, 32, 32), generator=generator, dtype=torch.uint8)
    turned = rotated(images, torch.tensor([0, 90, 180, -90]))
    for image, found, quarters in zip(images, turned, (0, 1, 2, 3)):
        assert torch.equal(found, image.rot90(quarters, (-2, -1)))


def test_turning_back_gives_the_middle_of_the_picture_again(generator):
    """Away from the corners and up to what interpolation blurs."""
    smooth = torch.linspace(0, 255, 32).expand(1, 1, 32, 32).to(torch.uint8)
    back = rotated(rotated(smooth, torch.tensor([30])), torch.tensor([-30]))
    middle = slice(10, 22)
    assert (back[..., middle, middle].int() - smooth[..., middle, middle].int()).abs().max() <= 2


def test_a_cut_out_is_black_inside_and_leaves_the_rest():
    images = torch.full((2, 1, 8, 8), 9, dtype=torch.uint8)
    cut = cut_out(images, size=3, top=6, left=0)
    assert (cut[..., 6:, :3] == 0).all()
    assert cut.sum() == 9 * 2 * (64 - 2 * 3)  # a row is beyond the border
    assert (images == 9).all()
