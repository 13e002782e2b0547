"""Every term of Eqs. 4-14 on numbers small enough to do by hand, and the mistakes that must not
pass."""

import math

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from rscvae_lab import losses
from rscvae_lab.config import Config
from rscvae_lab.errors import InputError
from rscvae_lab.methods import MODES
from rscvae_lab.models.vae import Coding

X = torch.zeros(2, 1, 2, 2)
X_HAT = torch.tensor([[0.1, 0.2, 0.3, 0.4], [1.0, 0.0, 0.0, 0.5]]).reshape(2, 1, 2, 2)
CODING = Coding(
    mu=torch.tensor([[1.0, 0.0], [0.0, 0.0]]),
    log_var=torch.zeros(2, 2),
    z=torch.zeros(2, 2),
    x_hat=X_HAT,
    mu_re=torch.tensor([[0.0, 0.0], [2.0, 0.0]]),
    log_var_re=torch.tensor([[math.log(4.0), 0.0], [0.0, 0.0]]),
)
TERMS = losses.terms(X, CODING)


def test_eq_4_sums_over_pixels():
    torch.testing.assert_close(TERMS.recon, torch.tensor([1.0, 1.5]))


def test_eq_5_sums_over_latent_dimensions():
    torch.testing.assert_close(TERMS.enc1, torch.tensor([0.5, 0.0]))


def test_eq_7_wears_its_hat_on_both_parameters():
    """Sigma without hat, as printed, would give 0 for the first image: its first covariance is the
    identity."""
    torch.testing.assert_close(TERMS.enc2, torch.tensor([0.5 * (3 - math.log(4)), 2.0]))


def test_eq_8_compares_the_two_codes():
    first = 1 / (4 * 5) + 0.5 * math.log(5 / 4)
    torch.testing.assert_close(TERMS.mut, torch.tensor([first, 4 / 8]))


def test_terms_agree_with_torch_distributions(generator):
    mu, log_var, mu_re, log_var_re = torch.randn(4, 5, 3, generator=generator)
    x, x_hat = torch.rand(2, 5, 1, 4, 4, generator=generator)
    terms = losses.terms(x, Coding(mu, log_var, mu, x_hat, mu_re, log_var_re))
    prior = Independent(Normal(torch.zeros(5, 3), 1), 1)
    first, second = (
        Independent(Normal(m, (v / 2).exp()), 1) for m, v in ((mu, log_var), (mu_re, log_var_re))
    )
    torch.testing.assert_close(terms.enc1, kl_divergence(first, prior))
    torch.testing.assert_close(terms.enc2, kl_divergence(second, prior))
    torch.testing.assert_close(
        terms.recon, torch.nn.functional.l1_loss(x_hat, x, reduction="none").sum((1, 2, 3))
    )


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("vae", [1.5, 1.5]),
        ("o", [1.5 + 0.1 * (0.80685 + 0.16157), 1.5 + 0.1 * 2.5]),
        ("d", [1.5 + 0.1 * (0.80685 + 0.16157), 5.0 * (0.0 + 0.1 * 2.5)]),
        ("e", [1.5 + 0.1 * (0.80685 + 0.16157), 5.0 * (0.0 + 0.1 * 2.5)]),
    ],
)
def test_the_objective_of_each_mode_by_hand(mode, expected):
    """The second image is a (pseudo-)anomaly: in d and e it loses its reconstruction term and
    gains the weight beta."""
    y = torch.tensor([0, 1 if mode in "de" else 0])
    found = losses.objective(
        TERMS, y, losses.Weights.of(Config(mode=mode, lambda_consist=0.1, beta=5.0))
    )
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-4, rtol=0)


def test_a_fixed_target_is_a_constant_inside_the_divergence(generator):
    posterior = [torch.randn(3, 4, generator=generator).requires_grad_() for _ in range(4)]
    mu, log_var, mu_re, log_var_re = posterior
    coding = Coding(mu, log_var, mu, torch.zeros(3, 1, 8, 8), mu_re, log_var_re)
    free, fixed = (
        losses.terms(torch.zeros(3, 1, 8, 8), coding, fixed_target=fixed).mut
        for fixed in (False, True)
    )
    assert torch.equal(free, fixed)
    assert all(part is not None for part in torch.autograd.grad(free.sum(), posterior))
    found = torch.autograd.grad(fixed.sum(), posterior, allow_unused=True)
    assert [part is None for part in found] == [True, True, False, False]


def test_without_consistency_on_anomalies_only_enc1_is_left():
    weights = losses.Weights.of(Config(mode="e", beta=2.0, consist_on_anomaly=False))
    found = losses.objective(TERMS, torch.tensor([1, 1]), weights)
    torch.testing.assert_close(found, 2.0 * TERMS.enc1)


@pytest.mark.parametrize("mode", MODES)
def test_each_image_contributes_on_its_own(mode, generator):
    """No term may be averaged or summed over the batch: permuting images permutes the
    contributions."""
    columns = torch.rand(4, 6, generator=generator)
    y, order = torch.tensor([0, 1, 0, 0, 1, 0]), torch.tensor([5, 3, 0, 1, 4, 2])
    weights = losses.Weights.of(Config(mode=mode, beta=2.0))
    whole = losses.objective(losses.Terms(*columns), y, weights)
    assert whole.shape == (6,)
    torch.testing.assert_close(
        losses.objective(losses.Terms(*columns[:, order]), y[order], weights), whole[order]
    )


def test_models_side_by_side_each_have_their_own_weights(generator):
    """(M, B) terms and (M, 1) weights: every row is what its model alone would contribute."""
    columns, y = (
        torch.rand(4, 3, 6, generator=generator),
        torch.rand(3, 6, generator=generator) < 0.5,
    )
    each = [
        losses.Weights.of(Config(mode=mode, beta=beta))
        for mode, beta in (("vae", 1.0), ("o", 1.0), ("e", 7.0))
    ]
    together = losses.Weights(*(torch.tensor(column).unsqueeze(1) for column in zip(*each)))
    found = losses.objective(losses.Terms(*columns), y, together)
    for i, weights in enumerate(each):
        torch.testing.assert_close(
            found[i], losses.objective(losses.Terms(*columns[:, i]), y[i], weights)
        )


def test_without_recoding_there_is_no_consistency_to_weigh():
    bare = losses.Terms(TERMS.recon, TERMS.enc1, None, None)
    torch.testing.assert_close(
        losses.objective(bare, torch.tensor([0, 0]), losses.Weights.of(Config(mode="vae"))),
        TERMS.recon + TERMS.enc1,
    )


def test_images_and_labels_of_other_shapes_are_refused_and_not_broadcast():
    with pytest.raises(InputError, match=r"x and x_hat of one shape, found \(2, 1, 2, 2\) and"):
        losses.recon(X, X_HAT[:1])
    with pytest.raises(InputError, match=r"a label y for each image, shape \(2,\), found \(1,\)"):
        losses.objective(TERMS, torch.tensor([0]), losses.Weights(0.1, 0.1, 1.0))


def test_d_b_of_nearly_equal_codes_is_never_negative_and_keeps_its_digits():
    """ln cosh h = h^2 / 2 for small h; |h| + ln(1 + e^-2|h|) - ln 2 rounds to -6e-8 there."""
    mu = torch.zeros(7, 1)
    log_var = torch.tensor([0.0, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 20.0]).unsqueeze(1)
    found = losses.mut(mu, log_var, mu, mu)
    half = 0.5 * log_var.double().squeeze(1)
    torch.testing.assert_close(
        found.double(), 0.5 * torch.log(torch.cosh(half)), rtol=1e-5, atol=1e-12
    )
    assert found[0] == 0 and (found[1:] > 0).all()


def test_d_b_has_a_gradient_at_equality_and_far_away():
    log_var = torch.tensor([[0.0], [40.0]], requires_grad=True)
    mu = torch.zeros(2, 1)
    losses.mut(mu, log_var, mu, torch.zeros(2, 1)).sum().backward()
    assert log_var.grad.isfinite().all() and log_var.grad[0] == 0
