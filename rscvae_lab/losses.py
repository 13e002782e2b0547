r"""Each loss term of Eqs. 4-14 as a pure function.

Every term is in nats (recon: in grey levels of [0, 1]) *per image*: summed over pixels or latent
dimensions, shape (B,). Only the trainer averages over the batch, where the paper sums (Eqs. 10,
12, 14): that rescales the learning rate and nothing else, and Adam hardly notices.
"""

import inspect
from typing import NamedTuple

import torch
from torch import Tensor

from rscvae_lab.config import Config
from rscvae_lab.config.code import code_name
from rscvae_lab.divergences import DIVERGENCES, kl_standard_normal
from rscvae_lab.errors import InputError
from rscvae_lab.models.vae import Coding


class Terms(NamedTuple):
    """The four measurements of a batch, each (B,); `enc2` and `mut` are None without recoding."""

    recon: Tensor
    enc1: Tensor
    enc2: Tensor | None
    mut: Tensor | None


class Weights(NamedTuple):
    """What the terms count in a training: numbers, or (M, 1) each for M trainings at once."""

    consist: float | Tensor  # lambda, on normal images
    consist_on_anomaly: float | Tensor  # lambda on (pseudo-)anomalies; 0 in Table 5's ablation
    beta: float | Tensor

    @classmethod
    def of(cls, config: Config) -> "Weights":
        """The weights of a config; a mode that does not recode has no consistency."""
        consist = config.lambda_consist if config.method.recodes else 0.0
        return cls(consist, consist if config.consist_on_anomaly else 0.0, config.beta)


def recon(x: Tensor, x_hat: Tensor) -> Tensor:
    """Eq. 4: l_recon = ||x - x_hat||_1, summed over pixels (our choice; the paper leaves the
    reduction open). Raises InputError for images of two shapes."""
    if x.shape != x_hat.shape:
        raise InputError(f"expected x and x_hat of one shape, found {tuple(x.shape)} and "
                         f"{tuple(x_hat.shape)}")
    return (x - x_hat).abs().flatten(-3).sum(-1)


def enc1(mu: Tensor, log_var: Tensor) -> Tensor:
    """Eq. 5: l_enc1 = KL[N(mu, Sigma) || N(0, I)], what the code still says about the image."""
    return kl_standard_normal(mu, log_var)


def enc2(mu_re: Tensor, log_var_re: Tensor) -> Tensor:
    """Eq. 7: l_enc2 = KL[N(mu_hat, Sigma_hat) || N(0, I)]. Our reading: the paper prints Sigma
    without hat."""
    return kl_standard_normal(mu_re, log_var_re)


def mut(mu: Tensor, log_var: Tensor, mu_re: Tensor, log_var_re: Tensor,
        js: str = "bhattacharyya") -> Tensor:
    """Eq. 8: l_mut = D_JS[q(z|x) || q(z_hat|x_hat)]; `js` names the reading of D_JS."""
    return DIVERGENCES[js](mu, log_var, mu_re, log_var_re)


def terms(x: Tensor, coding: Coding, js: str = "bhattacharyya", fixed_target: bool = False
          ) -> Terms:
    """Eqs. 4, 5, 7 and 8 of images x (B, C, S, S) and their coding.

    `fixed_target` makes the first posterior a constant inside D_JS, so that the second is pulled
    to the first and not the first to the second; the gradient through x_hat stays. By default
    both are pulled (our choice).
    """
    mu, log_var, _, x_hat, mu_re, log_var_re = coding
    if mu_re is None:
        return Terms(recon(x, x_hat), enc1(mu, log_var), None, None)
    target = (mu.detach(), log_var.detach()) if fixed_target else (mu, log_var)
    return Terms(recon(x, x_hat), enc1(mu, log_var), enc2(mu_re, log_var_re),
                 mut(*target, mu_re, log_var_re, js))


def vae(recon: Tensor, enc1: Tensor) -> Tensor:
    """Eq. 6: l_vae = l_recon + l_enc1."""
    return recon + enc1


def consist(enc2: Tensor, mut: Tensor) -> Tensor:
    """Eq. 9: l_consist = l_enc2 + l_mut."""
    return enc2 + mut


def normal(vae: Tensor, consist: Tensor, lambda_consist: float = 0.1) -> Tensor:
    """Eq. 10, one image: l_normal = l_vae + lambda l_consist."""
    return vae + lambda_consist * consist


def anomalous(enc1: Tensor, consist: Tensor, lambda_consist: float = 0.1) -> Tensor:
    """Eqs. 11 and 13: l_pseudo = l_anomalous = l_enc1 + lambda l_consist; what an anomaly looks
    like is not learnt."""
    return enc1 + lambda_consist * consist


def mixed(normal: Tensor, anomalous: Tensor, y: Tensor, beta: float = 1.0) -> Tensor:
    """Eqs. 12 and 14, one image: (1 - y) l_normal + beta y l_anomalous, y = 1 for
    (pseudo-)anomalies."""
    return torch.where(y.bool(), beta * anomalous, normal)


def objective(terms: Terms, y: Tensor, weights: Weights) -> Tensor:
    """What each image of a batch contributes, (B,): Eq. 12 or 14, which hold the others.

    Mode vae (Eq. 6) is lambda = 0, mode o (Eq. 10) is y = 0 for every image, d and e differ in
    their images. `y`, (B,), is True for (pseudo-)anomalies. Raises InputError for y of another
    shape than the terms.
    """
    if y.shape != terms.recon.shape:
        raise InputError(f"expected a label y for each image, shape {tuple(terms.recon.shape)}, "
                         f"found {tuple(y.shape)}")
    consistency = 0.0 if terms.mut is None else consist(terms.enc2, terms.mut)
    l_normal = normal(vae(terms.recon, terms.enc1), consistency, weights.consist)
    l_anomalous = anomalous(terms.enc1, consistency, weights.consist_on_anomaly)
    return mixed(l_normal, l_anomalous, y, weights.beta)


def check_unpatched() -> None:
    """Raises InputError for a term or divergence that was replaced from outside: a run's identity
    would not show it."""
    for name, function in {**{name: globals()[name] for name in _OWN}, **DIVERGENCES}.items():
        if function is not {**_OWN, **_DIVERGENCES}.get(name):
            raise InputError(f"expected the package's own {name}, found {code_name(function)}: a "
                             "new loss is a row of methods.py, see 'Add a loss' in "
                             "CONTRIBUTING.md")


_OWN = {name: value for name, value in globals().items() if inspect.isfunction(value)
        and value.__module__.startswith("rscvae_lab.")}
_DIVERGENCES = dict(DIVERGENCES)
