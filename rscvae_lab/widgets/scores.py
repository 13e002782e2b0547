"""The alpha slider: Eq. 15 as a line that turns over the plane of its two terms."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from matplotlib.figure import Figure

from rscvae_lab import figures, scoring
from rscvae_lab.config import require_vae
from rscvae_lab.runs import Run
from rscvae_lab.widgets.base import Panel, slider

ALPHAS = np.linspace(0, 1, 41)


@dataclass(frozen=True)
class Mixtures:
    """The scores of a run's test images at any alpha, by both normalisers."""

    labels: np.ndarray
    l_recon: np.ndarray
    l_mut: np.ndarray
    means: dict[str, scoring.Normalisers]
    curves: dict[str, np.ndarray]  # AUROC at each of `ALPHAS`

    @classmethod
    def of(cls, run: Run) -> Self:
        """Raises InputError where the run's test set lacks a label, or for a baseline's run."""
        require_vae(run.config)
        labels, l_recon, l_mut = (run.scores[name].to_numpy()
                                  for name in ("label", "l_recon", "l_mut"))
        means = {"held-out normals": run.normalisers,
                 "the test set (paper)": scoring.Normalisers.over(l_recon, l_mut)}
        curves = {name: np.array([scoring.auroc(labels, scoring.novelty_score(
            l_recon, l_mut, mean, alpha)) for alpha in ALPHAS]) for name, mean in means.items()}
        return cls(labels, l_recon, l_mut, means, curves)

    def at(self, alpha: float) -> tuple[Figure, str]:
        """The figure at one alpha, and its two AUROCs as text."""
        aurocs = ", ".join(f"{np.interp(alpha, ALPHAS, curve):.3f} by {name}"
                           for name, curve in self.curves.items())
        means = next(iter(self.means.values()))
        parts = np.stack([self.l_recon / means.recon, self.l_mut / means.mut], axis=-1)
        return (figures.alpha_panels(parts, self.labels, alpha, ALPHAS, self.curves),
                f"α = {alpha:.3f}: AUROC {aurocs}")


def alpha_explorer(run: Run) -> Panel:
    """A slider over alpha for a finished run."""
    return Panel(Mixtures.of(run).at, {"alpha": slider("α", scoring.ALPHA, 0.0, 1.0, 0.025)})
