"""GANomaly: the score is a distance between codes, and neither player moves the other."""

import copy
import math

import pytest
import torch
from torch import nn

from rscvae_lab.baselines import ganomaly
from rscvae_lab.baselines.fitting import seeded
from rscvae_lab.baselines.ganomaly import AsPublished, GANomaly
from rscvae_lab.config import Config
from rscvae_lab.errors import InputError
from rscvae_lab.trainers import train

pytestmark = pytest.mark.slow


@pytest.fixture
def method() -> GANomaly:
    return GANomaly(Config(mode="ganomaly", epochs=2, batch_size=8))


@pytest.fixture
def images(generator) -> torch.Tensor:
    return torch.randint(256, (8, 1, 32, 32), dtype=torch.uint8, generator=generator)


class Scaled(nn.Module):
    def __init__(self, factor: float):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * x.flatten(1)


def test_score_by_hand(method, images):
    """Identities score 0; a second encoder that doubles scores the mean square of the code."""
    method.encoder, method.decoder = Scaled(1.0), nn.Unflatten(1, (1, 32, 32))
    method.recoder = Scaled(1.0)
    assert method.score(images).tolist() == [0.0] * 8
    method.recoder = Scaled(2.0)
    torch.testing.assert_close(method.score(images), (images / 255).square().mean((1, 2, 3)))


def test_losses_by_hand():
    """With f(x) = x and d(x) = 1 + mean of x every term can be told by hand."""
    method = GANomaly(Config(mode="ganomaly"), adversarial=2.0, contextual=3.0, latent=5.0)
    method.discriminator = nn.Sequential(nn.Flatten(), nn.Linear(32 * 32, 1))
    nn.init.constant_(method.discriminator[1].weight, 1 / 32**2)
    nn.init.constant_(method.discriminator[1].bias, 1.0)
    x, x_hat = torch.zeros(4, 1, 32, 32), torch.full((4, 1, 32, 32), 0.5)
    z, z_re = torch.zeros(4, 100), torch.full((4, 100), 2.0)
    assert method.generator_loss(x, z, x_hat, z_re).item() == pytest.approx(
        2 * 0.25 + 3 * 0.5 + 5 * 4
    )
    real, fake = math.log1p(math.exp(-1.0)), math.log1p(math.exp(1.5))
    assert method.discriminator_loss(x, x_hat).item() == pytest.approx((real + fake) / 2)


def test_the_discriminator_does_not_teach_what_it_is_fed(method):
    """Its loss leaves no gradient in F, G and F'; the generator's reaches all three."""
    x = torch.rand(4, 1, 32, 32)
    coded = method(x)
    method.discriminator_loss(x, coded[1]).backward()
    generator = [
        *method.encoder.parameters(),
        *method.decoder.parameters(),
        *method.recoder.parameters(),
    ]
    assert all(weight.grad is None for weight in generator)
    method.generator_loss(x, *coded).backward()
    assert all(weight.grad is not None for weight in generator)


@pytest.mark.parametrize(
    "silent, moving",
    [
        ("generator_loss", {"discriminator"}),
        ("discriminator_loss", {"encoder", "decoder", "recoder"}),
    ],
)
def test_each_loss_moves_one_player(method, images, monkeypatch, silent, moving):
    """With one loss times 0 its player stays, whatever gradient the other loss would have for
    it."""
    monkeypatch.setattr(ganomaly, "RESTART_BELOW", -1.0)
    loss = getattr(method, silent)
    monkeypatch.setattr(method, silent, lambda *given: 0.0 * loss(*given))
    before = copy.deepcopy(dict(method.named_parameters()))
    method.fit(images)
    moved = {
        name.split(".")[0]
        for name, weight in method.named_parameters()
        if not torch.equal(weight, before[name])
    }
    assert moved == moving


def test_a_discriminator_that_wins_starts_again(method, images, monkeypatch):
    restarts = []
    monkeypatch.setattr(method, "restart_discriminator", lambda: restarts.append(1))
    loss = method.discriminator_loss
    monkeypatch.setattr(method, "discriminator_loss", lambda *given: 1e-9 * loss(*given))
    method.fit(images)
    assert len(restarts) == 2  # one batch an epoch


def test_a_restart_gives_initial_weights(method):
    before = copy.deepcopy(method.state_dict())
    with torch.no_grad():
        for weight in method.discriminator.parameters():
            weight.fill_(7.0)
    with seeded(1):
        method.restart_discriminator()
    assert all(weight.abs().max() <= 1 for weight in method.discriminator.parameters())
    others = [name for name in before if not name.startswith("discriminator")]
    assert all(torch.equal(method.state_dict()[name], before[name]) for name in others)


@pytest.mark.real_data
def test_digit_8(tmp_path):
    config = Config(dataset="mnist", mode="ganomaly", epochs=3, threads=1)
    assert train(config, tmp_path, progress=False).metrics["auroc"] > 0.86


def test_as_published_has_its_authors_layers_and_initial_weights():
    """On 32 x 32 pixels: 64, 128 and 256 channels, then one convolution of 4 x 4."""
    method = AsPublished(Config(mode="ganomaly_dcgan"))
    shapes = [tuple(part.weight.shape) for part in method.encoder if isinstance(part, nn.Conv2d)]
    assert shapes == [(64, 1, 4, 4), (128, 64, 4, 4), (256, 128, 4, 4), (100, 256, 4, 4)]
    weights = torch.cat([part.weight.flatten() for part in method.modules()
                         if isinstance(part, nn.Conv2d | nn.ConvTranspose2d)])
    assert weights.std().item() == pytest.approx(0.02, rel=0.01)
    x = method.scaled(torch.rand(2, 1, 32, 32))
    z, x_hat, z_re = method(x)
    assert z.shape == z_re.shape == (2, 100) and x_hat.shape == x.shape
    assert x.min() < 0 and method.discriminator[0](x).shape == (2, 256, 4, 4)
    assert method.discriminator(x).numel() == 2


def test_as_published_learns_and_starts_again_from_its_own_weights(images):
    method = AsPublished(Config(mode="ganomaly_dcgan", epochs=30, batch_size=8)).fit(images)
    assert method.losses[-1] < 0.7 * method.losses[0]
    method.restart_discriminator()
    convolutions = [part for part in method.discriminator.modules() if isinstance(part, nn.Conv2d)]
    assert all(part.weight.std().item() == pytest.approx(0.02, rel=0.1) for part in convolutions)


def test_as_published_takes_sides_that_are_powers_of_two():
    assert AsPublished(Config(mode="ganomaly_dcgan", image_size=64)).encoder is not None
    with pytest.raises(InputError, match="a power of 2, found 48"):
        AsPublished(Config(mode="ganomaly_dcgan", image_size=48))
