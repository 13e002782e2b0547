r"""The three semantic regions of Secs. 3.2-3.4, made measurable.

The paper describes them in words. Two numbers of an image's code q(z|x) = N(mu, Sigma) tell them apart:

* *information*, l_enc1 (Eq. 5) in nats: how far q(z|x) is from the prior, that is what the code still says;
* *distance*: of mu from the codes of normal training images, the mean Euclidean distance to the nearest K of them.

Unknown: less information than nearly all held-out normal images. Normal: enough information, and as near to the normal
codes as held-out normal images are. Anomalous: enough information, but about something else. All borders come from
held-out normal images (our choice; the paper defines none), no test image moves them.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from sklearn.neighbors import NearestNeighbors

from rscvae_lab.errors import InputError

NORMAL_REGION, ANOMALOUS_REGION, UNKNOWN_REGION = REGIONS = ("normal", "anomalous", "unknown")
CASES = ("case 1", "case 2", "case 3", "deviated")
UNKNOWN_PERCENTILE, NORMAL_PERCENTILE = 1.0, 95.0
K_NEAREST = 5


@dataclass(frozen=True)
class Regions:
    """The borders of one trained model's regions."""

    codes: np.ndarray  # (N, D), mu of normal training images
    least_information: float  # nats; below it a code is unknown
    farthest: float  # distance (no unit) up to which a code is normal
    worst_recon: float  # grey levels; up to it an image counts as well reconstructed

    @classmethod
    def calibrated(cls, codes: np.ndarray, heldout_codes: np.ndarray, heldout_l_enc1: np.ndarray,
                   heldout_l_recon: np.ndarray) -> Self:
        """Borders from held-out normals: 1st percentile of information, 95th of distance and of l_recon.

        Args:
            codes: mu of normal training images, (N, D); `heldout_codes`, (H, D).

        Raises:
            InputError: there are no training or no held-out images.
        """
        if not len(codes) or not len(heldout_codes):
            raise InputError(f"expected training and held-out normal images to calibrate regions on, found "
                             f"{len(codes)} and {len(heldout_codes)}")
        return cls(codes, least_information(heldout_l_enc1),
                   float(np.percentile(distance(heldout_codes, codes), NORMAL_PERCENTILE)),
                   float(np.percentile(heldout_l_recon, NORMAL_PERCENTILE)))

    def assign(self, information: np.ndarray, distances: np.ndarray) -> np.ndarray:
        """The region of each code by its information in nats and its `distance`, (N,) each; `REGIONS`, (N,)."""
        known = np.where(np.asarray(distances) <= self.farthest, NORMAL_REGION, ANOMALOUS_REGION)
        return np.where(np.asarray(information) < self.least_information, UNKNOWN_REGION, known)

    def cases(self, regions: np.ndarray, l_recon: np.ndarray) -> np.ndarray:
        """What becomes of novel images (Sec. 3.3, Fig. 4); `regions` and l_recon (N,), returns `CASES`, (N,).

        Case 1: taken for normal by the encoder. Case 2: understood, and drawn well: a miss of l_recon. Case 3:
        understood, drawn badly. Deviated: the code says too little, which modes d and e aim for (Fig. 4d).
        """
        drawn = np.where(np.asarray(l_recon) <= self.worst_recon, "case 2", "case 3")
        chosen = [np.asarray(regions) == NORMAL_REGION, np.asarray(regions) == UNKNOWN_REGION]
        return np.select(chosen, ["case 1", "deviated"], drawn)


def least_information(heldout_l_enc1: np.ndarray) -> float:
    """The border of the unknown region in nats: the 1st percentile of held-out normals' l_enc1 (N,)."""
    return float(np.percentile(heldout_l_enc1, UNKNOWN_PERCENTILE))


def distance(mu: np.ndarray, codes: np.ndarray, k: int = K_NEAREST) -> np.ndarray:
    """Mean Euclidean distance of each mu (N, D) to the nearest k of `codes` (M, D), (N,); of all where M < k."""
    nearest = NearestNeighbors(n_neighbors=min(k, len(codes)), algorithm="brute").fit(codes)
    return nearest.kneighbors(mu)[0].mean(1)


def semantic_deviation_rate(regions: np.ndarray) -> float:
    """The share of these images, the novel ones, in the unknown region. The claim to test: it rises from vae to e.

    Raises:
        InputError: there are no images.
    """
    if not len(regions):
        raise InputError("expected novel images to measure their semantic deviation, found none")
    return float(np.mean(np.asarray(regions) == UNKNOWN_REGION))
