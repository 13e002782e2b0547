r"""From loss terms to a decision: Eqs. 15-17 and AUROC, on numpy arrays of shape (N,).

A score needs the two means that make its terms comparable. The paper takes them over the test set, so that one
image's score depends on the others; we report that figure, and beside it the one with means over held-out normals,
which is also the score we write down and threshold.
"""

from typing import NamedTuple

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from rscvae_lab import NORMAL, NOVEL
from rscvae_lab.errors import InputError

ALPHA = 0.5  # Sec. 4.1
THRESHOLD_PERCENTILE = 95.0


class Normalisers(NamedTuple):
    """E_x[l_recon(x)] and E_x[l_mut(x)] of Eq. 15, over whichever images one chooses to trust."""

    recon: float
    mut: float

    @classmethod
    def over(cls, l_recon: np.ndarray, l_mut: np.ndarray) -> "Normalisers":
        """Means over these images. Raises InputError where there are none or a mean is not positive and finite."""
        means = cls(float(np.mean(l_recon)), float(np.mean(l_mut))) if len(l_recon) else cls(0.0, 0.0)
        if not all(np.isfinite(mean) and mean > 0 for mean in means):
            raise InputError(f"expected positive finite mean terms, found {means} over {len(l_recon)} images")
        return means


def novelty_score(l_recon: np.ndarray, l_mut: np.ndarray, means: Normalisers, alpha: float = ALPHA) -> np.ndarray:
    """Eq. 15: s = alpha l_mut / E[l_mut] + (1 - alpha) l_recon / E[l_recon]; no unit, about 1 for a typical image."""
    return alpha * l_mut / means.mut + (1.0 - alpha) * l_recon / means.recon


def min_max(scores: np.ndarray) -> np.ndarray:
    """Eq. 16: scores stretched to [0, 1] for display; monotone, so no AUROC changes. All equal: all 0."""
    spread = np.ptp(scores)
    return (scores - scores.min()) / spread if spread else np.zeros_like(scores)


def consistency_ratio(l_recon: np.ndarray, l_mut: np.ndarray, means: Normalisers) -> np.ndarray:
    """Eq. 17: a = (l_mut / E[l_mut]) / (l_recon / E[l_recon]), the two components of Eq. 15 held against each other."""
    return (l_mut / means.mut) / (l_recon / means.recon)


def s_a(l_recon: np.ndarray, l_mut: np.ndarray, means: Normalisers) -> float:
    """S_a of Table 4: the standard deviation (over N) of a_i over test normals; lower = codes follow pictures."""
    return float(np.std(consistency_ratio(l_recon, l_mut, means)))


def s_a_relative(l_recon: np.ndarray, l_mut: np.ndarray) -> float:
    """std(a) / mean(a): the spread of Eq. 17 whatever its normalisers, which cancel. Not S_a over test normals: the
    mean of a ratio is not the ratio of means."""
    ratio = l_mut / l_recon
    return float(np.std(ratio) / np.mean(ratio))


def s_a_spearman(l_recon: np.ndarray, l_mut: np.ndarray) -> float:
    """Rank correlation of l_mut with l_recon: what S_a is after, without its normalisers. NaN if one is constant."""
    return float(spearmanr(l_mut, l_recon).statistic)


def threshold(heldout_scores: np.ndarray) -> float:
    """The 95th percentile of held-out normals' scores: about 5 % of normal images will be called novel."""
    return float(np.percentile(heldout_scores, THRESHOLD_PERCENTILE))


def auroc_standard_error(auroc: float, n_normal: int, n_novel: int) -> float:
    """How far an AUROC may be off because the test set is finite (Hanley and McNeil 1982, exponential scores).

    It knows nothing of seeds: a second training can move the figure further.
    """
    both_novel, both_normal = auroc / (2 - auroc), 2 * auroc**2 / (1 + auroc)
    variance = auroc * (1 - auroc) + (n_novel - 1) * (both_novel - auroc**2) + (n_normal - 1) * (both_normal - auroc**2)
    return float(np.sqrt(variance / (n_normal * n_novel)))


def auroc_difference_error(labels: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """The standard error of the difference of two AUROCs on the same test images (DeLong et al. 1988).

    `first` and `second` are scores (N,). Pairing matters: what is hard for one score is often hard for the other.
    """
    novel, normal = labels == NOVEL, labels == NORMAL

    def placements(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        beats = 0.5 * np.sign(scores[novel, None] - scores[None, normal]) + 0.5
        return beats.mean(1), beats.mean(0)

    (novel_a, normal_a), (novel_b, normal_b) = placements(np.asarray(first)), placements(np.asarray(second))
    variance = np.var(novel_a - novel_b, ddof=1) / novel.sum() + np.var(normal_a - normal_b, ddof=1) / normal.sum()
    return float(np.sqrt(variance))


def auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a novel image scores higher than a normal one, ties counted half.

    Raises:
        InputError: a label is missing from the test set, or a score is not finite.
    """
    n_normal, n_novel = int(np.sum(labels == NORMAL)), int(np.sum(labels == NOVEL))
    if not (n_normal and n_novel):
        raise InputError(f"AUROC needs normal and novel test images, found {n_normal} normal and {n_novel} novel")
    broken = int(np.sum(~np.isfinite(scores)))
    if broken:
        raise InputError(f"AUROC needs finite scores, found {broken} NaN or infinite of {len(scores)}")
    return float(roc_auc_score(labels == NOVEL, scores))
