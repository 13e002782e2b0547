"""ADGAN's penalty by hand, and its search where the best code is known."""

import pytest
import torch
from torch import Tensor, nn

from rscvae_lab.baselines.adgan import ADGAN, gradient_penalty, search
from rscvae_lab.config import Config

pytestmark = pytest.mark.slow

PIXELS, LATENT = 32 * 32, 3


@pytest.fixture
def linear(generator) -> nn.Sequential:
    """G(z) = A z, as pictures."""
    layer = nn.Linear(LATENT, PIXELS, bias=False)
    nn.init.normal_(layer.weight, std=0.3, generator=generator)
    return nn.Sequential(layer, nn.Unflatten(1, (1, 32, 32)))


@pytest.fixture
def pictures(generator) -> Tensor:
    return torch.rand(6, 1, 32, 32, generator=generator)


def test_penalty_of_a_linear_critic(pictures):
    """c(x) = w.x has the slope w everywhere: (||w|| - 1)^2, which falls by 2 (||w|| - 1) w /
    ||w||."""
    critic = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, 1))
    w = critic[1].weight
    penalty = gradient_penalty(critic, pictures, pictures.flip(0))
    penalty.backward()
    size = w.detach().norm()
    torch.testing.assert_close(penalty.detach(), (size - 1) ** 2)
    torch.testing.assert_close(w.grad, 2 * (size - 1) * w.detach() / size, rtol=1e-4, atol=1e-6)


def test_penalty_is_of_each_image_and_between_the_pair():
    """c(u) = ||u||^2 / 2 has the slope u. Real 2 r and fake 0 put ||u|| at 2 ||r|| e, e ~ U(0, 1):
    the mean penalty over many pairs is E (2 e - 1)^2 = 1/3 for ||r|| = 1, and 9 at the real image
    itself for ||r|| = 2."""
    critic = lambda u: u.square().flatten(1).sum(1, keepdim=True) / 2  # noqa: E731
    unit = torch.full((4000, 1, 2, 2), 0.5)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert gradient_penalty(critic, 2 * unit, 0 * unit).item() == pytest.approx(
            1 / 3, abs=0.02
        )
    assert gradient_penalty(critic, 4 * unit, 4 * unit).item() == pytest.approx(9, rel=1e-5)


def test_critic_loss_by_hand(pictures):
    """c(x) = w.x with ||w|| = 3 and G = 0: -mean w.x, and the penalty 10 (3 - 1)^2."""
    black = nn.Sequential(nn.Linear(LATENT, PIXELS), nn.Unflatten(1, (1, 32, 32))).requires_grad_(
        False
    )
    for parameter in black.parameters():
        parameter.zero_()
    model = ADGAN(Config(mode="adgan", latent=LATENT), black)
    model.critic = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, 1))
    w = model.critic[1].weight.data
    w *= 3 / w.norm()
    expected = 40 - (pictures.flatten(1) @ w.T).mean()
    torch.testing.assert_close(model.critic_loss(pictures).detach(), expected)


def test_generator_follows_the_images():
    """Trained on black images, it turns from grey to black: wrong signs would make it lighter."""
    config = Config(
        mode="adgan", widths=(4, 4, 8, 8), latent=8, batch_size=8, epochs=10, learning_rate=1e-2
    )
    model = ADGAN(config).fit(torch.zeros(32, 1, 32, 32, dtype=torch.uint8))
    with torch.no_grad():
        assert 0.4 < ADGAN(config).eval().sample(16).mean() < 0.6
        assert model.sample(16).mean() < 0.3


def test_search_reaches_the_least_squares_residual(linear, pictures, generator):
    starts = torch.randn(4, LATENT, generator=generator)
    found = search(linear, pictures, starts, steps=400, rate=0.05)
    flat, a = pictures.flatten(1).T, linear[0].weight.detach()
    residual = (flat - a @ torch.linalg.lstsq(a, flat).solution).square().sum(0)
    torch.testing.assert_close(found, residual[:, None].expand(-1, 4), rtol=1e-4, atol=1e-4)


def test_a_picture_of_the_generator_scores_0(linear, generator):
    """Where the search starts at its code: that start counts, and what follows cannot be
    better."""
    code = torch.randn(1, LATENT, generator=generator)
    assert search(linear, linear(code).detach(), code).item() == 0


def test_best_error_never_increases(linear, pictures, generator):
    """With a rate at which single steps do; without a step it is the error of the start."""
    starts = torch.randn(4, LATENT, generator=generator)
    best = torch.stack([search(linear, pictures, starts, steps, rate=2.0) for steps in range(8)])
    assert (best.diff(dim=0) <= 0).all() and (best.diff(dim=0) == 0).any()
    by_hand = (linear(starts)[None] - pictures[:, None]).square().sum((2, 3, 4)).detach()
    torch.testing.assert_close(best[0], by_hand)


def test_each_image_and_start_is_a_search_of_its_own(linear, pictures, generator):
    starts = torch.randn(4, LATENT, generator=generator)
    together = search(linear, pictures, starts)
    for i, j in [(0, 0), (2, 3), (5, 1)]:
        alone = search(linear, pictures[i : i + 1], starts[j : j + 1])
        torch.testing.assert_close(together[i, j], alone[0, 0], rtol=1e-4, atol=1e-5)


def test_score_is_the_mean_over_the_starts_that_are_saved(linear, pictures, generator):
    model = ADGAN(Config(mode="adgan", latent=LATENT), linear)
    model.starts.copy_(torch.randn(model.starts.shape, generator=generator))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    expected = search(linear, pictures, before["starts"]).mean(1) / PIXELS
    torch.testing.assert_close(model.score(pictures), expected)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(weight.grad is None for weight in model.parameters())


def test_two_critic_steps_for_one_of_the_generator(generator):
    """One batch trains the critic alone; with the second the generator follows."""
    images = torch.randint(0, 256, (32, 1, 32, 32), generator=generator, dtype=torch.uint8)
    begun = ADGAN(Config(mode="adgan"))
    for batch_size, moved in [(32, False), (16, True)]:
        trained = ADGAN(Config(mode="adgan", epochs=1, batch_size=batch_size)).fit(images)
        for part, expected in [("critic", True), ("generator", moved)]:
            pairs = zip(getattr(begun, part).parameters(), getattr(trained, part).parameters())
            assert any(not torch.equal(a, b) for a, b in pairs) == expected, (part, batch_size)


def test_critic_judges_each_image_alone(pictures):
    """No batch normalisation: the penalty is of one image."""
    critic = ADGAN(Config(mode="adgan")).critic.train()
    torch.testing.assert_close(critic(pictures)[:1], critic(pictures[:1]))
