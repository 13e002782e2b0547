"""The package trains what the paper writes: a loop written from Eqs. 4-14 in float64 takes the
same steps. The reference borrows nothing from the package but the network's initial weights, its
four sequences of layers, and the images."""

import pytest
import torch
from torch import Tensor

from rscvae_lab import losses
from rscvae_lab.config import Config
from rscvae_lab.datasets import load_split
from rscvae_lab.engine.batches import Batches
from rscvae_lab.models.vae import VAE
from rscvae_lab.trainers import train_step

LAMBDA, BETA, STEPS = 0.1, 2.0, 4


def encode(model: VAE, x: Tensor) -> tuple[Tensor, Tensor]:
    """mu and Sigma's diagonal; log variances are bounded to (-10, 10)."""
    features = model.encoder(x)
    return model.to_mu(features), torch.exp(10 * torch.tanh(model.to_log_var(features) / 10))


def kl(mu: Tensor, variance: Tensor) -> Tensor:
    return 0.5 * (mu**2 + variance - 1 - torch.log(variance)).sum(1)


def bhattacharyya(mu: Tensor, variance: Tensor, mu_re: Tensor, variance_re: Tensor) -> Tensor:
    between = (variance + variance_re) / 2
    return (
        (mu - mu_re) ** 2 / between / 8
        + 0.5 * torch.log(between / torch.sqrt(variance * variance_re))
    ).sum(1)


def paper_loss(model: VAE, mode: str, x: Tensor, y: Tensor, noise: Tensor) -> Tensor:
    mu, variance = encode(model, x)
    x_hat = model.decoder(mu + torch.sqrt(variance) * noise)
    l_vae = (x - x_hat).abs().sum((1, 2, 3)) + kl(mu, variance)  # Eqs. 4-6
    if mode == "vae":
        return l_vae.mean()
    mu_re, variance_re = encode(model, x_hat)
    l_consist = kl(mu_re, variance_re) + bhattacharyya(mu, variance, mu_re, variance_re)  # 7-9
    l_normal = l_vae + LAMBDA * l_consist  # 10
    l_anomalous = kl(mu, variance) + LAMBDA * l_consist  # 11, 13
    weight = y.double()
    return ((1 - weight) * l_normal + BETA * weight * l_anomalous).mean()  # 12, 14


@pytest.mark.parametrize("mode", ["vae", "o", "d", "e"])
def test_steps_of_every_mode_are_those_of_a_loop_written_from_the_paper(mode):
    config = Config(mode=mode, p=0.2, beta=BETA, batch_size=16, precision="float32")
    batches = list(Batches([config], [load_split(config)]).epoch(1))[:STEPS]
    assert mode in ("vae", "o") or any(batch.y.any() for batch in batches)
    ours, reference = (VAE.from_config(config).double() for _ in range(2))
    adam = torch.optim.Adam(ours.parameters()), torch.optim.Adam(reference.parameters())
    for batch in batches:
        batch = batch._replace(x=batch.x.double(), noise=batch.noise.double())
        measured = train_step(ours, adam[0], batch, losses.Weights.of(config), config)
        for group in adam[1].param_groups:
            group["lr"] = batch.rate
        loss = paper_loss(reference, mode, batch.x, batch.y, batch.noise)
        assert measured[:, 1].mean().item() == pytest.approx(loss.item(), rel=1e-9)
        adam[1].zero_grad()
        loss.backward()
        adam[1].step()
    for (name, found), expected in zip(
        ours.state_dict().items(), reference.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9, msg=name)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_step_computes_in_its_precision_and_measures_in_float32(precision):
    config = Config(precision=precision)
    model, kinds = VAE.from_config(config), {}
    for name in ("encoder", "to_mu", "decoder"):
        model.get_submodule(name).register_forward_hook(
            lambda layer, given, made, name=name: kinds.update({name: made.dtype}))
    batch = next(Batches([config], [load_split(config)]).epoch(1))
    weights = losses.Weights.of(config)
    measured = train_step(model, torch.optim.Adam(model.parameters()), batch, weights, config)
    assert kinds.pop("encoder") == getattr(torch, precision)
    assert {*kinds.values(), measured.dtype} == {torch.float32}
