"""The three semantic regions of Secs. 3.2-3.4, made measurable.

The paper describes them in words. Two numbers of a code q(z|x) = N(mu, Sigma) separate them:

* *information*, l_enc1 (Eq. 5) in nats: how far q(z|x) is from the prior;
* *distance*: the mean Euclidean distance from mu to the nearest K codes of normal training images.

Unknown: less information than nearly all held-out normal images. Normal: enough information, and
as near to the normal codes as held-out normal images are. Anomalous: enough information, but far
from the normal codes. The thresholds are our choice; the paper defines none.
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
    """The thresholds between the regions of one trained model."""

    codes: np.ndarray  # (N, D), mu of normal training images
    least_information: float  # nats; a code below it is unknown
    farthest: float  # distance (no unit) up to which a code is normal
    worst_recon: float  # grey levels; up to it an image counts as well reconstructed

    @classmethod
    def calibrated(cls, codes: np.ndarray, heldout_codes: np.ndarray, heldout_l_enc1: np.ndarray,
                   heldout_l_recon: np.ndarray) -> Self:
        """Thresholds from held-out normal images (H, ...): the 1st percentile of information, the
        95th of distance to `codes` (N, D), and of l_recon. Raises InputError without images."""
        if not len(codes) or not len(heldout_codes):
            raise InputError("expected training and held-out normal images to calibrate regions "
                             f"on, found {len(codes)} and {len(heldout_codes)}")
        distances = distance(heldout_codes, codes)
        return cls(codes, least_information(heldout_l_enc1),
                   float(np.percentile(distances, NORMAL_PERCENTILE)),
                   float(np.percentile(heldout_l_recon, NORMAL_PERCENTILE)))

    def assign(self, information: np.ndarray, distances: np.ndarray) -> np.ndarray:
        """The region (N,) of each code, by its information in nats (N,) and `distance` (N,)."""
        near = np.asarray(distances) <= self.farthest
        known = np.where(near, NORMAL_REGION, ANOMALOUS_REGION)
        return np.where(np.asarray(information) < self.least_information, UNKNOWN_REGION, known)

    def cases(self, regions: np.ndarray, l_recon: np.ndarray) -> np.ndarray:
        """The case (N,) of each novel image (Sec. 3.3, Fig. 4), by its region and l_recon (N,).

        Case 1: its code is normal. Cases 2 and 3: its code is anomalous; in case 2 it is
        reconstructed well, so l_recon misses it. Deviated: its code is unknown, as in Fig. 4d.
        """
        regions = np.asarray(regions)
        case_1, case_2, case_3, deviated = CASES
        known = np.where(np.asarray(l_recon) <= self.worst_recon, case_2, case_3)
        return np.select([regions == NORMAL_REGION, regions == UNKNOWN_REGION],
                         [case_1, deviated], known)


def least_information(heldout_l_enc1: np.ndarray) -> float:
    """The unknown region's threshold in nats: the 1st percentile of held-out l_enc1 (N,)."""
    return float(np.percentile(heldout_l_enc1, UNKNOWN_PERCENTILE))


def distance(mu: np.ndarray, codes: np.ndarray, k: int = K_NEAREST) -> np.ndarray:
    """Mean Euclidean distance (N,) of each mu (N, D) to the nearest k of `codes` (M, D), or to
    all M where M < k."""
    nearest = NearestNeighbors(n_neighbors=min(k, len(codes)), algorithm="brute").fit(codes)
    return nearest.kneighbors(mu)[0].mean(1)

