"""Codes on a plane (Fig. 7): t-SNE by openTSNE, fitted once; new codes are placed on the finished map."""

from typing import Self

import numpy as np
from openTSNE import TSNE
from sklearn.metrics import silhouette_score

from rscvae_lab.errors import InputError

PERPLEXITY = 30
FEWEST = 16  # of fewer codes no map can be made


class CodeMap:
    """A map of codes, made by one thread: openTSNE's others wait by spinning, which on busy cores costs more than it
    gains."""

    def __init__(self, fitted) -> None:
        self._fitted = fitted

    @classmethod
    def fit(cls, codes: np.ndarray, seed: int = 0) -> Self:
        """Fits t-SNE to codes mu (N, D); the same seed gives the same map.

        Raises:
            InputError: fewer than `FEWEST` codes, of one dimension, all alike, or not finite.
        """
        if len(codes) < FEWEST or codes.shape[1] < 2 or not np.isfinite(codes).all() or not np.ptp(codes, 0).any():
            finite = int(np.isfinite(codes).all(1).sum())
            raise InputError(f"expected at least {FEWEST} finite codes for a map, not all alike, of 2 dimensions up, "
                             f"found {len(codes)}, {finite} finite, of {codes.shape[1]}")
        tsne = TSNE(perplexity=min(PERPLEXITY, len(codes) // 4), n_jobs=1, random_state=seed)
        return cls(tsne.fit(np.asarray(codes, dtype=np.float64)))

    @property
    def points(self) -> np.ndarray:
        """Where the fitted codes lie, (N, 2), no unit."""
        return np.asarray(self._fitted)

    def place(self, codes: np.ndarray) -> np.ndarray:
        """Where new codes (M, D) belong among the fitted ones, which do not move: (M, 2)."""
        return np.asarray(self._fitted.transform(np.asarray(codes, dtype=np.float64)))


def silhouette(codes: np.ndarray, labels: np.ndarray, most: int = 2000, seed: int = 0) -> float:
    """How far apart two groups of codes lie, in the latent space itself: -1 to 1, 0 = mixed (Rousseeuw 1987).

    Of more than `most` codes a seeded sample is measured, of each group in proportion. Raises InputError where there
    are no two groups of at least two codes.
    """
    groups, sizes = np.unique(labels, return_counts=True)
    if len(groups) < 2 or sizes.min() < 2:
        raise InputError(f"expected two groups of at least two codes to compare, found {dict(zip(groups, sizes))}")
    generator, share = np.random.default_rng(seed), min(1.0, most / len(codes))
    kept = [generator.permutation(np.flatnonzero(labels == group))[: max(2, round(share * size))]
            for group, size in zip(groups, sizes)]
    sample = np.sort(np.concatenate(kept))
    return float(silhouette_score(codes[sample], labels[sample]))
