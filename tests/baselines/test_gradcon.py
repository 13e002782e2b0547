"""GradCon's gradients against loops, analysis and finite differences; its running mean against a
plain one."""

import pytest
import torch
from torch import nn

from rscvae_lab.baselines.fitting import seeded
from rscvae_lab.baselines.gradcon import GradCon
from rscvae_lab.config import Config
from rscvae_lab.errors import InputError

pytestmark = pytest.mark.slow


@pytest.fixture
def model() -> GradCon:
    """Untrained, with a reference of random numbers."""
    made = GradCon(Config(mode="gradcon"))
    generator = torch.Generator().manual_seed(1)
    for mean in made.reference:
        mean.copy_(torch.randn(mean.shape, generator=generator))
    return made


def set_reference(model: GradCon, gradients: list[torch.Tensor]) -> None:
    for mean, gradient in zip(model.reference, gradients):
        mean.copy_(gradient.detach())


def test_gradients_of_each_image_equal_a_loop(model, generator):
    x = torch.rand(5, 1, 32, 32, generator=generator)
    errors, gradients = model.errors_and_gradients(x)
    assert len(gradients) == 4
    for i, image in enumerate(x):
        error = (model(image[None]) - image).square().mean()
        torch.testing.assert_close(errors[i], error)
        for found, expected in zip(
            gradients, torch.autograd.grad(error, list(model.phi.values()))
        ):
            torch.testing.assert_close(found[i], expected, rtol=1e-4, atol=1e-7)


def test_gradient_of_a_linear_layer(generator):
    """x_hat = W z + b has dL/dW = (2 / N) (x_hat - x) z^T, N the number of pixels; b is not part
    of phi."""
    pixels, k = 32 * 32, 3
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(pixels, k))
    decoder = nn.Sequential(nn.Linear(k, pixels), nn.Unflatten(1, (1, 32, 32)))
    model = GradCon(Config(mode="gradcon"), encoder, decoder)
    x = torch.rand(4, 1, 32, 32, generator=generator)
    _, gradients = model.errors_and_gradients(x)
    residual, z = (model(x) - x).flatten(1), encoder(x)
    assert len(gradients) == 1
    torch.testing.assert_close(gradients[0], 2 / pixels * residual[:, :, None] * z[:, None, :])


def test_align_is_a_mean_over_layers_of_cosines(model, generator):
    """1 with itself, -1 with its opposite, 0 with no past; one layer of four in line and three
    against give -1/2, whatever their sizes."""
    x = torch.rand(1, 1, 32, 32, generator=generator)
    gradients = model.errors_and_gradients(x)[1]
    own = [g[0] for g in gradients]
    by_hand = [(g * m).sum() / (g.norm() * m.norm()) for g, m in zip(own, model.reference)]
    assert model.align(gradients).item() == pytest.approx(
        torch.stack(by_hand).mean().item(), abs=1e-6
    )
    for factors, expected in [
        ((1, 1, 1, 1), 1.0),
        ((-1, -1, -1, -1), -1.0),
        ((0, 0, 0, 0), 0.0),
        ((7, -1, -1, -1), -0.5),
    ]:
        set_reference(model, [factor * g for factor, g in zip(factors, own)])
        assert model.align(gradients).item() == pytest.approx(expected, abs=1e-5)


def test_score_by_hand(model, generator):
    """An image in line with the past is 0.12 below its error."""
    x = torch.rand(3, 1, 32, 32, generator=generator)
    errors, gradients = model.errors_and_gradients(x)
    set_reference(model, [g[1] for g in gradients])
    scores = model.score(x)
    assert scores[1].item() == pytest.approx(errors[1].item() - 0.12, abs=1e-6)
    assert (scores > errors - 0.12 - 1e-6).all() and (
        scores[[0, 2]] > errors[[0, 2]] - 0.119
    ).all()


def test_objective_by_hand(model, generator):
    """A batch in line with the past is 0.03 below its error; its gradient is that of the mean over
    all its images."""
    x = torch.rand(3, 1, 32, 32, generator=generator)
    errors, gradients = model.errors_and_gradients(x)
    set_reference(model, [g.mean(0) for g in gradients])
    assert model.objective(x).item() == pytest.approx(errors.mean().item() - 0.03, abs=1e-6)


def test_objective_by_finite_differences(generator):
    """dJ/dphi needs the second derivatives of L. A smooth decoder, since the gradient of a ReLU
    jumps."""
    with seeded(0):
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(32 * 32, 3))
        decoder = nn.Sequential(
            nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 32 * 32), nn.Unflatten(1, (1, 32, 32))
        )
    model = GradCon(Config(mode="gradcon"), encoder, decoder).double()

    def draw(like):
        return torch.randn(like.shape, generator=generator, dtype=torch.float64)

    set_reference(model, [draw(mean) for mean in model.reference])
    x, weight = (
        torch.rand(8, 1, 32, 32, generator=generator, dtype=torch.float64),
        model.phi["0.weight"],
    )
    begun, direction, ends = weight.detach().clone(), draw(weight), []
    slope = (torch.autograd.grad(model.objective(x), weight)[0] * direction).sum().item()
    slope_of_loss = (
        (torch.autograd.grad((model(x) - x).square().mean(), weight)[0] * direction).sum().item()
    )
    for step in (1e-5, -1e-5):
        weight.data = begun + step * direction
        ends.append(model.objective(x).item())
    assert slope == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4)
    assert abs(slope - slope_of_loss) > 0.01 * abs(slope)


def test_reference_is_the_mean_of_all_past_gradients(generator):
    model = GradCon(Config(mode="gradcon"))
    past = [
        [torch.randn(w.shape, generator=generator) for w in model.phi.values()] for _ in range(3)
    ]
    for gradients in past:
        for weight, gradient in zip(model.phi.values(), gradients):
            weight.grad = gradient
        model.update_reference()
    for found, *seen in zip(model.reference, *past):
        torch.testing.assert_close(found, torch.stack(seen).mean(0), rtol=1e-4, atol=1e-6)


def test_first_step_of_a_training_has_no_past(generator):
    """It minimises L alone, and leaves the gradient of L behind; both are saved with the
    weights."""
    config = Config(mode="gradcon", epochs=1, batch_size=16)
    images = torch.randint(0, 256, (16, 1, 32, 32), generator=generator, dtype=torch.uint8)
    fresh, x = GradCon(config), images / 255
    loss = (fresh(x) - x).square().mean()
    gradients = torch.autograd.grad(loss, list(fresh.phi.values()))
    trained = GradCon(config).fit(images)
    assert trained.losses[0] == pytest.approx(loss.item(), rel=1e-5)
    assert trained.steps == 1
    for i, gradient in enumerate(gradients):
        torch.testing.assert_close(
            trained.state_dict()[f"reference_{i}"], gradient, rtol=1e-4, atol=1e-7
        )


def test_images_of_other_channels_are_refused(generator):
    config = Config(mode="gradcon", dataset="mvtec_ad", category="bottle", image_size=64)
    x, model = torch.rand(2, 3, 64, 64, generator=generator), GradCon(config)
    with pytest.raises(InputError, match="shape"):
        model.score(x[:, :1])
