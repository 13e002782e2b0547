"""From loss terms to a decision: Eqs. 15-17 and AUROC, on numpy arrays of shape (N,).

A score divides each term by its mean, to make them comparable. The paper takes means over the
test set, so one image's score depends on the others. We report that too, and the score with means
over held-out normal images, which is the one we store and threshold.
"""

from typing import NamedTuple, Self

import numpy as np
from scipy.stats import beta, spearmanr
from sklearn.metrics import roc_auc_score

from rscvae_lab import NORMAL, NOVEL
from rscvae_lab.errors import InputError

ALPHA = 0.5  # Sec. 4.1
ROUNDING = 1e-5  # relative, of terms computed in float32
THRESHOLD_PERCENTILE = 95.0
FEWEST_HELDOUT = 59  # 0.95^59 < 5 %: with fewer, no held-out score is surely above 95 % of normals


class Normalisers(NamedTuple):
    """E_x[l_recon(x)] and E_x[l_mut(x)] of Eq. 15, over images that the caller chooses."""

    recon: float
    mut: float

    @classmethod
    def over(cls, l_recon: np.ndarray, l_mut: np.ndarray) -> Self:
        """Means over these images. Raises InputError if one is not positive and finite."""
        n = len(l_recon)
        means = cls(float(np.mean(l_recon)), float(np.mean(l_mut))) if n else cls(0.0, 0.0)
        if not all(np.isfinite(mean) and mean > 0 for mean in means):
            raise InputError(f"expected positive finite mean terms, found {means} over {n} images")
        return means


def novelty_score(l_recon: np.ndarray, l_mut: np.ndarray, means: Normalisers,
                  alpha: float = ALPHA) -> np.ndarray:
    """Eq. 15: s = alpha l_mut / E[l_mut] + (1 - alpha) l_recon / E[l_recon]; typically about 1."""
    return alpha * l_mut / means.mut + (1.0 - alpha) * l_recon / means.recon


def min_max(scores: np.ndarray) -> np.ndarray:
    """Eq. 16: scores scaled to [0, 1] for display; no AUROC changes. Equal scores give 0."""
    width = np.ptp(scores)
    return (scores - scores.min()) / width if width else np.zeros_like(scores)


def consistency_ratio(l_recon: np.ndarray, l_mut: np.ndarray, means: Normalisers) -> np.ndarray:
    """Eq. 17: a = (l_mut / E[l_mut]) / (l_recon / E[l_recon]), the ratio of Eq. 15's two parts."""
    return (l_mut / means.mut) / (l_recon / means.recon)


def s_a(l_recon: np.ndarray, l_mut: np.ndarray, means: Normalisers) -> float:
    """S_a of Table 4: the standard deviation (over N) of a_i, of normal test images; low where
    codes change in proportion to images."""
    return float(np.std(consistency_ratio(l_recon, l_mut, means)))


def s_a_relative(l_recon: np.ndarray, l_mut: np.ndarray) -> float:
    """std(a) / mean(a), in which the normalisers of Eq. 17 cancel. Not S_a, since the mean of a
    ratio is not the ratio of means."""
    ratio = l_mut / l_recon
    return float(np.std(ratio) / np.mean(ratio))


def s_a_spearman(l_recon: np.ndarray, l_mut: np.ndarray) -> float | None:
    """Rank correlation of l_mut and l_recon: S_a's purpose, no normalisers. None where one of them
    is constant but for rounding."""
    for term in (l_recon, l_mut):
        if len(term) < 2 or np.ptp(term) <= ROUNDING * np.max(np.abs(term)):
            return None
    return float(spearmanr(l_mut, l_recon).statistic)


def threshold(heldout_scores: np.ndarray) -> float:
    """The 95th percentile of held-out normal scores: about 5 % of normal images count as novel. It
    is raised by what rounding, which depends on the size of the batch, may do to a score: an image
    as novel as the percentile is normal in every batch."""
    value = float(np.percentile(heldout_scores, THRESHOLD_PERCENTILE))
    return value + ROUNDING * abs(value)


class FalseAlarms(NamedTuple):
    """Between which shares of new normal images the threshold calls novel, at 95 % confidence."""

    low: float
    high: float

    @classmethod
    def of(cls, n_heldout: int, confidence: float = 0.95) -> Self | None:
        """The share above the k-th smallest of n scores is distributed as Beta(n - k + 1, k),
        whatever the scores' distribution is, if it is continuous and images are independent
        (David and Nagaraja 2003, Sec. 2.3). The percentile lies between two held-out scores: the
        interval is from the lower end of the upper one to the upper end of the lower one. None
        without scores."""
        if n_heldout < 1:
            return None
        place = (n_heldout - 1) * THRESHOLD_PERCENTILE / 100
        below, above = int(np.floor(place)) + 1, int(np.ceil(place)) + 1
        tail = (1 - confidence) / 2
        return cls(float(beta.ppf(tail, n_heldout - above + 1, above)),
                   float(beta.ppf(1 - tail, n_heldout - below + 1, below)))


def auroc_standard_error(auroc: float, n_normal: int, n_novel: int) -> float:
    """Standard error of an AUROC from the finite test set alone, without the variation between
    training seeds (Hanley and McNeil 1982, exponential scores)."""
    both_novel, both_normal = auroc / (2 - auroc), 2 * auroc**2 / (1 + auroc)
    variance = (auroc * (1 - auroc) + (n_novel - 1) * (both_novel - auroc**2)
                + (n_normal - 1) * (both_normal - auroc**2))
    return float(np.sqrt(variance / (n_normal * n_novel)))


def auroc_difference_error(labels: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """Standard error of the difference between the AUROCs of two scores (N,) of the same test
    images (DeLong et al. 1988). It accounts for their correlation."""
    novel, normal = labels == NOVEL, labels == NORMAL

    def placements(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        beats = 0.5 * np.sign(scores[novel, None] - scores[None, normal]) + 0.5
        return beats.mean(1), beats.mean(0)

    pairs = zip(placements(np.asarray(first)), placements(np.asarray(second)))
    return float(np.sqrt(sum(np.var(a - b, ddof=1) / len(a) for a, b in pairs)))


def auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve: the probability that a novel image scores higher than a normal
    one, ties counted half. Raises InputError for a single label, or scores that are not finite."""
    n_normal, n_novel = int(np.sum(labels == NORMAL)), int(np.sum(labels == NOVEL))
    if not (n_normal and n_novel):
        raise InputError("AUROC needs normal and novel test images, "
                         f"found {n_normal} normal and {n_novel} novel")
    broken, n = int(np.sum(~np.isfinite(scores))), len(scores)
    if broken:
        raise InputError(f"AUROC needs finite scores, found {broken} NaN or infinite of {n}")
    return float(roc_auc_score(labels == NOVEL, scores))
