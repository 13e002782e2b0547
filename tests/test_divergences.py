"""Divergences against hand-computed values, torch.distributions, and the order the docstring
promises."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch.distributions import Independent, Normal, kl_divergence

from rscvae_lab import divergences as g
from rscvae_lab.divergences import DIVERGENCES


def scalar(mu: float, variance: float):
    return torch.tensor([mu], dtype=torch.float64), torch.tensor(
        [math.log(variance)], dtype=torch.float64
    )


def normal(mu, log_var):
    return Independent(Normal(mu, (0.5 * log_var).exp()), 1)


def test_kl_to_the_prior_by_hand():
    assert g.kl_standard_normal(*scalar(1, 1)).item() == pytest.approx(0.5)
    assert g.kl_standard_normal(*scalar(0, 4)).item() == pytest.approx(0.5 * (3 - math.log(4)))


def test_kl_agrees_with_torch_distributions(gaussian_pairs):
    mu_p, log_var_p, mu_q, log_var_q = gaussian_pairs
    p, q, prior = normal(mu_p, log_var_p), normal(mu_q, log_var_q), normal(0 * mu_p, 0 * mu_p)
    torch.testing.assert_close(g.kl(*gaussian_pairs), kl_divergence(p, q))
    torch.testing.assert_close(g.kl_standard_normal(mu_p, log_var_p), kl_divergence(p, prior))
    torch.testing.assert_close(
        g.jeffreys(*gaussian_pairs), 0.25 * (kl_divergence(p, q) + kl_divergence(q, p))
    )


@pytest.mark.parametrize(
    ("p", "q", "js"),
    [((0, 1), (1, 1), 0.111421), ((0, 1), (0, 4), 0.092733), ((0, 1), (3, 1), 0.526777)],
)
def test_quadrature_and_monte_carlo_find_the_known_js(p, q, js):
    pair = (*scalar(*p), *scalar(*q))
    assert g.quadrature(*pair).item() == pytest.approx(js, abs=2e-5)
    assert g.monte_carlo(*pair, samples=200_000).item() == pytest.approx(js, abs=2e-3)


@pytest.mark.parametrize("gap", [0, 1, 5])
@pytest.mark.parametrize(
    ("ratio", "bound"),
    [
        (1, 2e-6),
        (1.5, 2e-6),
        (2, 2e-6),
        (5, 2e-6),
        (10, 2e-6),
        (20, 2e-6),
        (100, 5e-5),
        (1000, 5e-5),
    ],
)
def test_quadrature_keeps_the_error_it_states(gap, ratio, bound):
    """Against N(0, 1) and N(gap, ratio^2) on a grid as fine as both need."""
    steps = np.linspace(-12, 12, 40_001)
    x = np.union1d(steps, gap + ratio * steps)
    p, q = norm.logpdf(x), norm.logpdf(x, gap, ratio)
    middle = np.logaddexp(p, q) - math.log(2)
    js = np.trapezoid(0.5 * np.exp(p) * (p - middle) + 0.5 * np.exp(q) * (q - middle), x)
    for pair in ((*scalar(0, 1), *scalar(gap, ratio**2)), (*scalar(gap, ratio**2), *scalar(0, 1))):
        assert g.quadrature(*pair).item() == pytest.approx(js, abs=bound)


def test_quadrature_has_the_gradient_of_its_values():
    """Although the nodes move with the Gaussians."""
    inputs = [part.requires_grad_() for part in (*scalar(0.3, 1.5), *scalar(-1, 30))]
    assert torch.autograd.gradcheck(g.quadrature, inputs, atol=1e-5)


def test_bhattacharyya_by_hand():
    assert g.bhattacharyya(*scalar(0, 1), *scalar(1, 1)).item() == pytest.approx(0.125)
    by_formula = 9 / (4 * 5) + 0.5 * math.log(5 / (2 * math.sqrt(1 * 4)))
    assert g.bhattacharyya(*scalar(0, 1), *scalar(3, 4)).item() == pytest.approx(by_formula)


def test_bhattacharyya_is_the_js_against_averaged_parameters(gaussian_pairs):
    mu_p, log_var_p, mu_q, log_var_q = gaussian_pairs
    middle = 0.5 * (mu_p + mu_q), (0.5 * (log_var_p.exp() + log_var_q.exp())).log()
    by_definition = 0.5 * g.kl(mu_p, log_var_p, *middle) + 0.5 * g.kl(mu_q, log_var_q, *middle)
    torch.testing.assert_close(g.bhattacharyya(*gaussian_pairs), by_definition)


def test_geometric_and_moment_matched_by_their_definitions(gaussian_pairs):
    mu_p, log_var_p, mu_q, log_var_q = gaussian_pairs
    v_p, v_q = log_var_p.exp(), log_var_q.exp()
    v_g = 2 / (1 / v_p + 1 / v_q)
    g_mean = 0.5 * v_g * (mu_p / v_p + mu_q / v_q), v_g.log()
    m_mean = 0.5 * (mu_p + mu_q), (0.5 * (v_p + v_q) + 0.25 * (mu_p - mu_q).square()).log()
    for function, middle in ((g.geometric, g_mean), (g.moment_matched, m_mean)):
        by_definition = 0.5 * g.kl(mu_p, log_var_p, *middle) + 0.5 * g.kl(mu_q, log_var_q, *middle)
        torch.testing.assert_close(function(*gaussian_pairs), by_definition)


def test_the_order_of_the_bounds(gaussian_pairs):
    js = g.monte_carlo(*gaussian_pairs, samples=20_000)
    ordered = [
        js - 0.01,
        g.quadrature(*gaussian_pairs),
        g.moment_matched(*gaussian_pairs),
        g.bhattacharyya(*gaussian_pairs),
        g.geometric(*gaussian_pairs),
        g.jeffreys(*gaussian_pairs),
    ]
    for lower, upper in zip(ordered, ordered[1:], strict=False):
        assert (lower <= upper + 1e-9).all()
    hellinger = g.hellinger(*gaussian_pairs)
    assert (g.LN2 * hellinger <= js + 0.01).all()
    assert (js <= hellinger + 0.01).all()


@pytest.mark.parametrize("name", DIVERGENCES)
def test_every_option_is_a_divergence(name, gaussian_pairs):
    mu_p, log_var_p, mu_q, log_var_q = gaussian_pairs
    function = DIVERGENCES[name]
    found = function(*gaussian_pairs)
    assert found.shape == (60,)
    assert (found > 0).all()
    tolerance = 0.05 if name == "monte_carlo" else 1e-9
    torch.testing.assert_close(
        found, function(mu_q, log_var_q, mu_p, log_var_p), rtol=0, atol=tolerance
    )
    torch.testing.assert_close(
        function(mu_p, log_var_p, mu_p, log_var_p), torch.zeros(60, dtype=torch.float64)
    )


@pytest.mark.parametrize("name", DIVERGENCES)
def test_every_option_has_finite_gradients_at_the_edges_of_log_var(name):
    mu = torch.tensor([[0.0, 3.0]], requires_grad=True)
    log_var = torch.tensor([[-9.9, 9.9]], requires_grad=True)
    DIVERGENCES[name](mu, log_var, torch.zeros(1, 2), torch.zeros(1, 2)).sum().backward()
    assert torch.isfinite(mu.grad).all()
    assert torch.isfinite(log_var.grad).all()


def test_js_saturates_where_the_default_does_not():
    zero, one = torch.zeros(64), torch.ones(64)
    assert g.monte_carlo(zero, zero, one, zero, samples=4000).item() == pytest.approx(
        g.LN2, abs=1e-3
    )
    assert g.bhattacharyya(zero, zero, one, zero).item() == pytest.approx(8.0)


def test_a_silent_second_code_costs_less_than_a_copy(gaussian_pairs):
    """Notebook 02: l_consist of a second code that is the prior is at most half of that of one
    that is the first, by the Bhattacharyya distance; J/4 has no such bound."""
    mu, log_var, *_ = gaussian_pairs
    prior = torch.zeros_like(mu), torch.zeros_like(log_var)
    copy = g.kl_standard_normal(mu, log_var)
    assert (DIVERGENCES["bhattacharyya"](mu, log_var, *prior) <= copy / 2 + 1e-9).all()
    narrow = scalar(0, 0.01)
    zero = torch.zeros(1, dtype=torch.float64)
    assert DIVERGENCES["jeffreys"](*narrow, zero, zero) > g.kl_standard_normal(*narrow)
