"""OCGAN: codes fill a cube, the classifier leads to its bad corners, and neither player moves the
other."""

import copy
import math

import pytest
import torch
from torch import nn

from rscvae_lab.baselines.ocgan import OCGAN, bce
from rscvae_lab.config import Config
from rscvae_lab.trainers import train

pytestmark = pytest.mark.slow

CODER, JUDGES = {"encoder", "decoder"}, {"d_latent", "d_visual", "classifier"}


@pytest.fixture
def method() -> OCGAN:
    return OCGAN(Config(mode="ocgan", epochs=2, batch_size=8))


@pytest.fixture
def images(generator) -> torch.Tensor:
    return torch.randint(256, (8, 1, 32, 32), dtype=torch.uint8, generator=generator)


def draws(generator: torch.Generator, n: int = 16) -> torch.Tensor:
    return 2 * torch.rand(n, 16, generator=generator) - 1


class Mean(nn.Module):
    """A judge whose logit is the mean of what it is shown; and it remembers that."""

    def __init__(self):
        super().__init__()
        self.shown = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.shown.append(x)
        return x.flatten(1).mean(1, keepdim=True)


def test_identity_scores_0_and_half_grey_its_square(method, images):
    method.encoder, method.decoder = nn.Flatten(), nn.Unflatten(1, (1, 32, 32))
    assert method.score(images).tolist() == [0.0] * 8
    method.decoder = nn.Sequential(
        nn.Unflatten(1, (1, 32, 32)), nn.Threshold(2.0, 0.5)
    )  # always 0.5
    torch.testing.assert_close(method.score(images), (images / 255 - 0.5).square().mean((1, 2, 3)))


def test_codes_lie_within_the_cube(method, generator):
    codes = method.encoder(100 * torch.randn(64, 1, 32, 32, generator=generator))
    assert codes.shape == (64, 16) and codes.abs().max() <= 1 and codes.std() > 0


def test_cross_entropy_by_hand():
    logits = torch.tensor([[0.0], [math.log(3.0)]])  # probabilities 1/2 and 3/4
    assert bce(logits, 1).item() == pytest.approx((math.log(2) + math.log(4 / 3)) / 2)
    assert bce(logits, 0).item() == pytest.approx((math.log(2) + math.log(4)) / 2)


def test_who_is_told_what(method):
    """Codes are wrong to D_l and draws right, images right to D_v, reconstructions right to C,
    G(l2) wrong to both."""
    x, l1, l2 = torch.full((4, 1, 32, 32), 0.5), torch.zeros(4, 16), torch.ones(4, 16)
    black, white = torch.zeros_like(x), torch.ones_like(x)
    method.decoder = nn.Sequential(
        nn.Unflatten(1, (1, 4, 4)), nn.Upsample(scale_factor=8)
    )  # 0 is black, 1 white
    method.d_latent, method.d_visual, method.classifier = judges = Mean(), Mean(), Mean()

    def loss(right: float, wrong: float) -> float:
        return math.log1p(math.exp(-right)) + math.log1p(math.exp(wrong))

    expected = loss(right=1, wrong=0) + loss(right=0.5, wrong=1) + loss(right=0, wrong=1)
    assert method.discriminator_loss(x, l1, l2).item() == pytest.approx(expected)
    for judge, shown in zip(judges, [[l1, l2], [x, white], [torch.cat([black, white])]]):
        torch.testing.assert_close(judge.shown, shown)


def test_coder_loss_by_hand():
    method = OCGAN(Config(mode="ocgan"), fidelity=10.0)
    method.decoder = nn.Sequential(nn.Unflatten(1, (1, 4, 4)), nn.Upsample(scale_factor=8))
    method.d_latent, method.d_visual = Mean(), Mean()
    x, l1, mined = torch.full((2, 1, 32, 32), 0.2), torch.full((2, 16), 0.7), torch.ones(2, 16)
    right = math.log1p(math.exp(-0.7)) + math.log1p(math.exp(-1))
    assert method.generator_loss(x, l1, mined).item() == pytest.approx(right + 10 * 0.25)


def test_mining_lowers_what_a_frozen_classifier_says(method, generator):
    method.train()
    before, l2 = copy.deepcopy(method.state_dict()), draws(generator)
    mined = method.mine(l2)
    assert method.training and not mined.requires_grad
    for name, value in method.state_dict().items():
        assert torch.equal(value, before[name]), name  # running statistics too
    method.eval()
    verdicts = [method.classifier(method.decoder(codes)) for codes in (l2, mined)]
    assert verdicts[1].mean() < verdicts[0].mean()


def test_mining_by_hand(method):
    """Where C falls along every axis it is followed, stride by stride, up to the cube's face."""
    method.decoder, method.classifier, method.mining_steps, method.stride = (
        nn.Identity(),
        nn.Linear(2, 1),
        3,
        0.25,
    )
    method.classifier.weight.data = torch.tensor([[5.0, -0.1]])
    found = method.mine(torch.tensor([[0.5, 0.0], [-0.9, 0.9]]))
    torch.testing.assert_close(found, torch.tensor([[-0.25, 0.75], [-1.0, 1.0]]))


@pytest.mark.parametrize(
    "silent, moving", [("generator_loss", JUDGES), ("discriminator_loss", CODER)]
)
def test_each_loss_moves_one_player(method, images, monkeypatch, silent, moving):
    """With one loss times 0 its player stays, whatever gradient the other loss would have for
    it."""
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


def test_what_runs_in_eval_mode_was_trained_on_mixed_batches(method, generator):
    """G and C get codes and draws together: else their running statistics would fit neither, and C
    mislead `mine`."""
    seen = []
    for network in (method.decoder, method.classifier):
        network.register_forward_hook(
            lambda module, given, result: seen.append((module, len(given[0])))
        )
    x = torch.rand(4, 1, 32, 32, generator=generator)
    method.discriminator_loss(x, draws(generator, 4), draws(generator, 4))
    method.generator_loss(x, draws(generator, 4), draws(generator, 4))
    assert seen == [(method.decoder, 8), (method.classifier, 8), (method.decoder, 8)]


@pytest.mark.real_data
def test_digit_8(tmp_path):
    """A picture that is grey all over, for want of training, would give .77."""
    config = Config(dataset="mnist", mode="ocgan", epochs=2, threads=1)
    assert train(config, tmp_path, progress=False).metrics["auroc"] > 0.8
