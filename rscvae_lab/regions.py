r"""The semantic regions of Secs. 3.2-3.4, made measurable.

The paper describes them in words. What separates the unknown region from the others is *information*: l_enc1 in nats,
how far q(z|x) is from the prior, that is what the code still says about its image.
"""

import numpy as np

from rscvae_lab.errors import InputError

UNKNOWN_PERCENTILE = 1.0


def least_information(heldout_l_enc1: np.ndarray) -> float:
    """The border of the unknown region, in nats: the 1st percentile of held-out normals' l_enc1 (our choice)."""
    if not len(heldout_l_enc1):
        raise InputError("expected held-out normal images to calibrate the unknown region on, found none")
    return float(np.percentile(heldout_l_enc1, UNKNOWN_PERCENTILE))


def semantic_deviation_rate(novel_l_enc1: np.ndarray, border: float) -> float:
    """The share of novel images whose code says less than `border`. The claim to test: it rises from vae to e."""
    if not len(novel_l_enc1):
        raise InputError("expected novel images to measure their semantic deviation, found none")
    return float(np.mean(np.asarray(novel_l_enc1) < border))
