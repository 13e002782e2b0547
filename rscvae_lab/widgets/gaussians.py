"""Two Gaussians under sliders, and readings of the paper's D_JS beside its true value."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.stats import norm

from rscvae_lab import figures
from rscvae_lab.divergences import DIVERGENCES, monte_carlo
from rscvae_lab.widgets.base import Panel, slider

SAMPLES = 16_384
NAMES = {"monte_carlo": "Monte Carlo estimate", "quadrature": "quadrature",
         "moment_matched": "moment matched", "bhattacharyya": "Bhattacharyya (ours)",
         "geometric": "geometric", "jeffreys": "J/4", "hellinger": "Hellinger"}
READINGS = ("monte_carlo", "bhattacharyya", "jeffreys")  # those that notebook 02 explains


def divergences(mean: float, sigma: float, dimensions: int) -> dict[str, float]:
    """Each reading of D_JS between N(0, I) and N(mean, sigma^2 I), in nats, by `NAMES`."""
    p = torch.zeros(2, 1, dimensions, dtype=torch.float64)
    q = torch.tensor([mean, 2 * math.log(sigma)]).double()[:, None, None].expand_as(p)
    values = {NAMES[name]: DIVERGENCES[name](*p, *q) for name in NAMES}
    values[NAMES["monte_carlo"]] = monte_carlo(*p, *q, samples=SAMPLES)
    return {name: value.item() for name, value in values.items()}


def two_gaussians(mean: float, sigma: float, dimensions: int, readings: Sequence[str] = READINGS
                  ) -> tuple[Figure, str]:
    """The figure of q(z|x) = N(0, I) and a recoding N(mean, sigma^2 I) with some readings of D_JS,
    and its main numbers."""
    x = np.linspace(-5, 5 + max(mean, 0), 400)
    p, q = norm.pdf(x), norm.pdf(x, mean, sigma)
    densities = {"first code: N(0, 1)": p, f"second code: N({mean:.1f}, {sigma:.2f}²)": q,
                 "their mixture": (p + q) / 2}
    values = divergences(mean, sigma, dimensions)
    truth, ours = values[NAMES["monte_carlo"]], values[NAMES["bhattacharyya"]]
    marked = {NAMES[name]: values[NAMES[name]] for name in readings}
    return (figures.two_gaussians(x, densities, marked, dimensions),
            f"JS is about {truth:.3f} nats, of at most ln 2 = 0.693; our choice, the "
            f"Bhattacharyya distance, is {ours:.3f}")


def gaussian_explorer() -> Panel:
    """Sliders for the second code's mean and sigma, and for the number of dimensions."""
    return Panel(two_gaussians, {"mean": slider("mean of the second", 1.0, 0.0, 4.0, 0.1),
                                 "sigma": slider("its σ", 1.0, 0.2, 4.0, 0.1),
                                 "dimensions": slider("dimensions D", 1, 1, 64, 1)})
