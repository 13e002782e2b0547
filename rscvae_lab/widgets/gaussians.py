"""Two Gaussians under sliders, and every reading of the paper's D_JS beside the Monte-Carlo truth."""

import math

import numpy as np
import torch
from matplotlib.figure import Figure

from rscvae_lab.divergences import DIVERGENCES, monte_carlo
from rscvae_lab.figures import panels
from rscvae_lab.widgets.base import Panel, slider

SAMPLES = 16_384
NAMES = {"monte_carlo": "Monte Carlo estimate", "quadrature": "quadrature", "moment_matched": "moment matched",
         "bhattacharyya": "Bhattacharyya (ours)", "geometric": "geometric", "jeffreys": "J/4", "hellinger": "Hellinger"}


def divergences(mean: float, sigma: float, dimensions: int) -> dict[str, float]:
    """Each reading of D_JS of N(0, I) and N(mean, sigma^2 I) in so many dimensions, in nats, by `NAMES`."""
    p = torch.zeros(2, 1, dimensions, dtype=torch.float64)
    q = torch.stack([torch.full((1, dimensions), mean), torch.full((1, dimensions), 2 * math.log(sigma))]).double()
    found = {name: DIVERGENCES[name](*p, *q) for name in NAMES} | {"monte_carlo": monte_carlo(*p, *q, samples=SAMPLES)}
    return {NAMES[name]: value.item() for name, value in found.items()}


def two_gaussians(mean: float, sigma: float, dimensions: int) -> tuple[Figure, str]:
    """The figure of q(z|x) = N(0, I) against a recoding N(mean, sigma^2 I), and what it shows in words."""
    x = np.linspace(-5, 5 + max(mean, 0), 400)
    p, q = (np.exp(-0.5 * ((x - m) / s) ** 2) / (s * math.sqrt(2 * math.pi)) for m, s in ((0, 1), (mean, sigma)))
    densities = {"first code: N(0, 1)": p, f"second code: N({mean:.1f}, {sigma:.2f}²)": q, "their mixture": (p + q) / 2}
    values = divergences(mean, sigma, dimensions)
    truth, ours = values[NAMES["monte_carlo"]], values[NAMES["bhattacharyya"]]
    return (panels.two_gaussians(x, densities, values, dimensions),
            f"JS about {truth:.3f} of at most ln 2 = 0.693 nats; our choice, the Bhattacharyya distance, {ours:.3f}")


def gaussian_explorer() -> Panel:
    """Sliders for the second code's mean and width, and for how many dimensions differ like that."""
    return Panel(two_gaussians, {"mean": slider("mean of the second", 1.0, 0.0, 4.0, 0.1),
                                 "sigma": slider("its σ", 1.0, 0.2, 4.0, 0.1),
                                 "dimensions": slider("dimensions D", 1, 1, 64, 1)})
