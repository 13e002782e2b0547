"""What an epoch shows a model, in which order, and how fast it learns from it."""

import pytest
import torch

from rscvae_lab.config import Config
from rscvae_lab.engine.draws import draw_epoch, epoch_generator, learning_rate, side_by_side


def test_the_paper_schedule_is_pytorchs_cosine_annealing():
    config = Config(scale="paper", dataset="mnist")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.01)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=50)
    for passed in range(500):
        for step in (0, 0.5, 0.99):
            assert learning_rate(config, passed + step) == pytest.approx(
                optimizer.param_groups[0]["lr"], abs=1e-9
            )
        optimizer.step()
        scheduler.step()
    assert learning_rate(config, 449) < 2e-5, (
        "epoch 450, the result, is trained at the lowest rate"
    )
    assert learning_rate(config, 499) > 0.0099, "epoch 500 is trained at the peak"


def test_the_lesson_schedule_starts_high_and_ends_low():
    config = Config(epochs=10)
    rates = [learning_rate(config, step / 7) for step in range(71)]
    assert rates[0] == 0.001
    assert rates[35] == pytest.approx(0.0005)
    assert rates[-1] == pytest.approx(0.0, abs=1e-12)
    assert rates == sorted(rates, reverse=True)


def test_epochs_draw_differently_and_repeatably():
    def draw(seed, epoch):
        return torch.rand(4, generator=epoch_generator(Config(seed=seed), epoch)).tolist()

    assert draw(0, 1) == draw(0, 1)
    assert len({tuple(draw(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9


def test_every_batch_is_full_and_every_image_is_seen():
    """70 images in batches of 32: three steps, the last filled up with 26 images of the same
    epoch."""
    drawn = draw_epoch(Config(seed=5), 3, 70)
    counts = torch.bincount(drawn.order.flatten(), minlength=70)
    assert drawn.order.shape == (3, 32)
    assert counts.min() == 1
    assert (counts == 2).sum() == 26
    assert drawn.active.all()
    assert not drawn.shifts.any()
    assert drawn.noise.mean().abs() < 0.05
    assert drawn.noise.std().item() == pytest.approx(1.0, abs=0.05)


def test_only_mode_d_shifts():
    assert draw_epoch(Config(mode="d", p=0.5), 1, 320).shifts.any(
        -1
    ).float().mean().item() == pytest.approx(0.5, abs=0.1)
    assert not draw_epoch(Config(mode="e", p=0.5), 1, 320).shifts.any()


def test_safe_shifts_are_cut_outs_alone():
    shifts = draw_epoch(Config(mode="d", p=0.5, shifts="safe"), 1, 320).shifts
    assert torch.equal(shifts[..., 2], shifts.any(-1)) and shifts.any()


def test_in_an_ensemble_each_model_draws_as_alone_and_is_then_inactive():
    configs, sizes = [Config(mode="d", p=0.3), Config(seed=1)], [40, 130]
    each = [draw_epoch(config, 7, size) for config, size in zip(configs, sizes)]
    drawn = side_by_side(each, sizes)
    assert drawn.active.T.tolist() == [[True] * 2 + [False] * 3, [True] * 5]
    for i, (alone, steps) in enumerate(zip(each, (2, 5), strict=True)):
        for part, expected in zip(
            drawn._replace(order=drawn.order - sum(sizes[:i])), alone, strict=True
        ):
            assert torch.equal(part[:steps, i], expected)
    assert drawn.order.max() < sum(sizes)
