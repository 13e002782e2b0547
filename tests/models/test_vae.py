"""The network: shapes, seeds, the recoding pass, and scores that depend on their image alone."""

import pytest
import torch

from rscvae_lab.baselines.pca import PCA
from rscvae_lab.config import WIDTHS, Config
from rscvae_lab.datasets import load_split
from rscvae_lab.errors import InputError
from rscvae_lab.models.vae import LOG_VAR_BOUND, VAE, halves
from rscvae_lab.runs.evaluation import code, measure


@pytest.mark.parametrize(
    ("size", "widths", "latent"), [(32, WIDTHS["lesson"], 64), (48, WIDTHS["wide"], 8)]
)
def test_shapes_and_ranges(size, widths, latent, generator):
    model = VAE.from_config(Config(image_size=size, widths=widths, latent=latent))
    coding = model(torch.rand(3, 1, size, size, generator=generator), torch.zeros(3, latent))
    assert coding.x_hat.shape == (3, 1, size, size)
    assert all(part.shape == (3, latent) for part in coding if part is not coding.x_hat)
    assert 0 <= coding.x_hat.min() <= coding.x_hat.max() <= 1


def test_the_recoding_uses_the_same_encoder_on_the_reconstruction(generator):
    model = VAE.from_config(Config()).eval()
    coding = model(torch.rand(2, 1, 32, 32, generator=generator))
    torch.testing.assert_close(model.encode(coding.x_hat), (coding.mu_re, coding.log_var_re))
    assert model(coding.x_hat, recode=False).mu_re is None


def test_z_is_mu_in_scores_and_a_sample_in_training(generator):
    model = VAE.from_config(Config()).eval()
    x, noise = (
        torch.rand(2, 1, 32, 32, generator=generator),
        torch.randn(2, 64, generator=generator),
    )
    assert torch.equal(model(x).z, model(x).mu)
    sampled = model(x, noise)
    torch.testing.assert_close((sampled.z - sampled.mu) / noise, (0.5 * sampled.log_var).exp())


def test_log_var_stays_in_range_with_a_gradient_that_leads_back():
    model = VAE.from_config(Config())
    torch.nn.init.constant_(model.to_log_var.bias, 40.0)
    log_var = model.encode(torch.zeros(2, 1, 32, 32))[1]
    assert log_var.max() <= LOG_VAR_BOUND
    log_var.sum().backward()
    assert (model.to_log_var.bias.grad > 0).all()


def test_the_seed_alone_decides_the_weights():
    before = torch.random.get_rng_state()
    one, same, other = (VAE.from_config(Config(seed=seed)).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["to_mu.weight"], other["to_mu.weight"])


def test_scores_do_not_depend_on_their_batch(short_run):
    """Batch normalisation left in training mode, or a normaliser taken over the batch, fails
    here."""
    images = load_split(short_run.config).test[:64]
    whole = short_run.score(images)
    single = [short_run.score(image.unsqueeze(0)).iloc[0] for image in images]
    for name in whole:
        torch.testing.assert_close(
            torch.tensor([row[name] for row in single]),
            torch.tensor(whole[name].to_numpy()),
            rtol=1e-4,
            atol=1e-4,
        )


def test_measuring_leaves_the_model_in_its_mode_and_refuses_nan(short_run):
    model = short_run.model
    model.train()
    measure(model, torch.zeros(2, 1, 32, 32))
    assert model.training
    model.eval()
    with pytest.raises(InputError, match="expected finite pixels, found 1024 NaN"):
        measure(
            model, torch.stack([torch.zeros(1, 32, 32), torch.full((1, 32, 32), float("nan"))])
        )
    assert measure(model, torch.zeros(0, 1, 32, 32)).empty


def test_code_is_the_way_that_measure_measures(short_run):
    images = load_split(short_run.config).test[:300]
    coding = code(short_run.model, images)
    by_hand = (images / 255.0 - coding.x_hat).abs().flatten(1).sum(1)
    torch.testing.assert_close(
        torch.tensor(measure(short_run.model, images).l_recon.to_numpy()).float(), by_hand
    )


def test_pca_finds_a_plane_and_scores_the_distance_to_it(generator):
    basis = torch.linalg.qr(torch.randn(1024, 3, generator=generator))[0]
    weights = 0.05 * torch.randn(200, 3, generator=generator)
    images = (0.5 + weights @ basis.T).reshape(-1, 1, 32, 32)
    model = PCA(Config(), n_components=3).fit(images)
    torch.testing.assert_close(model.score(images), torch.zeros(200), atol=1e-9, rtol=0)
    off = images[:1].clone()
    off[0, 0, 0, 0] += 0.1
    direction = torch.zeros(1024)
    direction[0] = 0.1
    outside = direction - basis @ (basis.T @ direction)
    torch.testing.assert_close(
        model.score(off), outside.square().mean().reshape(1), rtol=1e-3, atol=0
    )


def test_few_images_lie_in_their_own_plane():
    """PCA of fewer images than components leaves no residual on them."""
    images = load_split(Config()).heldout
    assert PCA(Config()).fit(images).score(images).max() < 1e-8


def test_initial_weights_are_torchs_defaults_and_move_no_global_generator():
    config = Config(seed=3)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    found = VAE.from_config(config).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    own = VAE(*halves(config), config.latent, config.channels, config.image_size)
    torch.manual_seed(3)
    for layer in own.modules():
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()  # torch's, in the order of the network's layers
    expected = own.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in found.items())
