"""Codes in the plane (Fig. 7): t-SNE by openTSNE, fitted once; new codes are placed on the map."""

from typing import Self

import numpy as np
from openTSNE import TSNE, TSNEEmbedding
from sklearn.metrics import silhouette_score

from rscvae_lab.errors import InputError

PERPLEXITY = 30
FEWEST = 16  # codes that a map needs


class CodeMap:
    """A map of codes, computed by one thread: openTSNE's other threads wait by spinning, which on
    busy cores costs more than they gain."""

    def __init__(self, fitted: TSNEEmbedding, n_dimensions: int) -> None:
        self._fitted, self._n_dimensions = fitted, n_dimensions

    @classmethod
    def fit(cls, codes: np.ndarray, seed: int = 0) -> Self:
        """Fits t-SNE to codes mu (N, D); the same seed gives the same map.

        Raises:
            InputError: fewer than `FEWEST` codes, of one dimension, all equal, or not finite.
        """
        n, dimensions = codes.shape
        finite = int(np.isfinite(codes).all(1).sum())
        if n < FEWEST or dimensions < 2 or finite < n or not np.ptp(codes, 0).any():
            raise InputError(f"expected at least {FEWEST} finite codes for a map, not all equal, "
                             "of 2 or more dimensions, found "
                             f"{n}, {finite} finite, of {dimensions}")
        tsne = TSNE(perplexity=min(PERPLEXITY, n // 4), n_jobs=1, random_state=seed)
        return cls(tsne.fit(np.asarray(codes, dtype=np.float64)), dimensions)

    @property
    def points(self) -> np.ndarray:
        """The places of the fitted codes, (N, 2), no unit."""
        return np.asarray(self._fitted)

    def place(self, codes: np.ndarray) -> np.ndarray:
        """The places (M, 2) of new codes (M, D) among the fitted ones, which do not move. Raises
        InputError for codes of another width, or that are not finite."""
        codes, dimensions = np.asarray(codes, dtype=np.float64), self._n_dimensions
        if codes.ndim != 2 or codes.shape[1] != dimensions or not np.isfinite(codes).all():
            raise InputError(f"expected finite codes of {dimensions} dimensions, as the map was "
                             f"fitted to, found shape {codes.shape} with "
                             f"{int((~np.isfinite(codes)).sum())} NaN or infinite values")
        return np.asarray(self._fitted.transform(codes)) if len(codes) else np.empty((0, 2))


def silhouette(codes: np.ndarray, labels: np.ndarray, most: int = 2000, seed: int = 0) -> float:
    """How far apart two groups of codes are in the latent space: -1 to 1, 0 = mixed (Rousseeuw
    1987); of more than `most` codes, a seeded sample stratified by group is measured.

    Raises InputError unless there are two groups of at least two codes.
    """
    groups, sizes = np.unique(labels, return_counts=True)
    if len(groups) < 2 or sizes.min() < 2:
        raise InputError("expected two groups of at least two codes to compare, found "
                         f"{dict(zip(groups, sizes))}")
    generator, share = np.random.default_rng(seed), min(1.0, most / len(codes))
    kept = [generator.permutation(np.flatnonzero(labels == group))[: max(2, round(share * size))]
            for group, size in zip(groups, sizes)]
    sample = np.sort(np.concatenate(kept))
    return float(silhouette_score(codes[sample], labels[sample]))
