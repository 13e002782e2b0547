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
    busy cores costs more than they gain.

    `points` are the places of the fitted codes, (N, 2), no unit.
    """

    def __init__(self, points: np.ndarray, fitted: TSNEEmbedding | None = None,
                 n_dimensions: int = 0) -> None:
        self.points, self._fitted, self._n_dimensions = points, fitted, n_dimensions

    @classmethod
    def fit(cls, codes: np.ndarray, seed: int = 0, perplexity: int = PERPLEXITY) -> Self:
        """Fits t-SNE to codes mu (N, D); the same seed gives the same map. `perplexity` is about
        how many neighbours each code keeps near; at most N / 4 are. Raises InputError for fewer
        than `FEWEST` codes, and for codes of one dimension, all equal, or not finite."""
        n, d = codes.shape
        finite = int(np.isfinite(codes).all(1).sum())
        if n < FEWEST or d < 2 or finite < n or not np.ptp(codes, 0).any():
            raise InputError(f"expected at least {FEWEST} finite codes for a map, not all equal, "
                             f"of 2 or more dimensions, found {n}, {finite} finite, of {d}")
        tsne = TSNE(perplexity=min(perplexity, n // 4), n_jobs=1, random_state=seed)
        fitted = tsne.fit(np.asarray(codes, dtype=np.float64))
        return cls(np.asarray(fitted), fitted, d)

    def place(self, codes: np.ndarray) -> np.ndarray:
        """The places (M, 2) of new codes (M, D) among the fitted ones, which do not move. Raises
        InputError for codes of another width or that are not finite, and for a map that was read
        from a file: it holds places, no codes."""
        if self._fitted is None:
            raise InputError("expected a map that was fitted here to place new codes on, found a "
                             "stored one")
        codes, dimensions = np.asarray(codes, dtype=np.float64), self._n_dimensions
        if codes.ndim != 2 or codes.shape[1] != dimensions or not np.isfinite(codes).all():
            raise InputError(f"expected finite codes of {dimensions} dimensions, as the map was "
                             f"fitted to, found shape {codes.shape} with "
                             f"{int((~np.isfinite(codes)).sum())} NaN or infinite values")
        return np.asarray(self._fitted.transform(codes)) if len(codes) else np.empty((0, 2))


def silhouette(codes: np.ndarray, labels: np.ndarray, most: int = 2000, seed: int = 0) -> float:
    """How far apart two groups of codes are in the latent space: -1 to 1, 0 = mixed (Rousseeuw
    1987); of more than `most` codes, a seeded sample stratified by group is measured. Raises
    InputError unless there are two groups of at least two codes."""
    groups, sizes = np.unique(labels, return_counts=True)
    if len(groups) < 2 or sizes.min() < 2:
        raise InputError("expected two groups of at least two codes to compare, found "
                         f"{dict(zip(groups.tolist(), sizes.tolist()))}")
    generator, share = np.random.default_rng(seed), min(1.0, most / len(codes))
    kept = [generator.permutation(np.flatnonzero(labels == group))[: max(2, round(share * size))]
            for group, size in zip(groups, sizes)]
    sample = np.sort(np.concatenate(kept))
    return float(silhouette_score(codes[sample], labels[sample]))
