"""The energy-based model against what can be worked out by hand."""

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from rscvae_lab.baselines.dsebm import DSEBM, ByEnergy
from rscvae_lab.baselines.fitting import seeded
from rscvae_lab.config import Config
from rscvae_lab.trainers import train

pytestmark = pytest.mark.slow

PIXELS = 32 * 32


def shallow(units: int) -> nn.Sequential:
    """h(x) = softplus(W x + c)."""
    with seeded(0):
        return nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, units), nn.Softplus())


class Nothing(nn.Module):
    """h(x) = 0, no more than a place for gradients."""

    def forward(self, x):
        return 0 * x.flatten(1)[:, :1]


@pytest.fixture
def images(generator):
    return torch.randint(0, 256, (64, 1, 32, 32), generator=generator, dtype=torch.uint8)


def test_one_layer_denoises_as_worked_out(images):
    """f(x) = b' + W^T sigmoid(W x + c), and E(x) as it is written; a wrong sign or a missing half
    is far off."""
    model = DSEBM(Config(mode="dsebm"), shallow(5)).double().eval()
    nn.init.uniform_(model.centre)
    x, linear = images.double() / 255, model.h[1]
    wx = linear(x.flatten(1))
    expected = model.centre.flatten() + torch.sigmoid(wx) @ linear.weight
    torch.testing.assert_close(model.denoise(x).flatten(1), expected, rtol=0, atol=1e-6)
    energy = ((x - model.centre) ** 2).sum((1, 2, 3)) / 2 - softplus(wx).sum(1)
    torch.testing.assert_close(model.energy(x), energy)


def test_the_loss_reaches_every_weight_through_the_second_derivative():
    """In train mode; the last bias of h shifts dE/dx only inside the softplus that follows it."""
    model = DSEBM(Config(mode="dsebm"))
    x = torch.rand(4, 1, 32, 32)
    (x - model.denoise(x)).square().sum().backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None and weight.grad.abs().max() > 0, name


def test_without_potentials_the_centre_becomes_the_mean(images):
    """Then f(x) = b' for every x, and the best constant answer is the mean; noise in the target
    would move it."""
    model = DSEBM(
        Config(mode="dsebm", epochs=300, batch_size=64, learning_rate=0.02), Nothing()
    ).fit(images)
    assert (model.centre - images.float().mean(0) / 255).abs().max() < 1e-3


def test_scores_are_the_distance_moved_and_the_energy(images):
    model = DSEBM(Config(mode="dsebm"), shallow(5))
    x = images / 255
    moved = (x - model.eval().denoise(x)).square().mean((1, 2, 3))
    torch.testing.assert_close(model.score(images), moved.detach())
    by_energy = ByEnergy(Config(mode="dsebm_energy"), shallow(5))
    torch.testing.assert_close(by_energy.score(images), model.energy(x).detach())


def test_it_learns_to_denoise(short_dsebm):
    """The loss ends far below the noise it is given, which is what doing nothing costs."""
    assert short_dsebm.history.loss.iloc[-1] < 0.5 * 0.25**2 * PIXELS
    assert short_dsebm.metrics["auroc"] > 0.85


@pytest.fixture(scope="module")
def short_dsebm(tmp_path_factory):
    return train(Config(mode="dsebm"), tmp_path_factory.mktemp("dsebm"), progress=False)


@pytest.mark.real_data
def test_digit_8(tmp_path):
    """A low floor: the energy of a digit follows its ink, and PCA is far above."""
    assert (
        train(Config(dataset="mnist", mode="dsebm", epochs=3), tmp_path, progress=False).metrics[
            "auroc"
        ]
        > 0.55
    )
