"""Where a picture differs from its reconstruction, and how well that finds the defect: our addition to the score.

The image-level score stays Eq. 15; a map says only where l_recon comes from.
"""

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from rscvae_lab.datasets.images import to_unit
from rscvae_lab.errors import InputError
from rscvae_lab.evaluation import code
from rscvae_lab.models.vae import VAE
from rscvae_lab.scoring import rank_auroc

SIGMA = 4 / 256  # of the side: single pixels are noise, a defect is a patch


def error_maps(model: VAE, images: Tensor) -> Tensor:
    """|x - x_hat| in grey levels of [0, 1], mean over channels, smoothed; (N, S, S) of uint8 (N, C, S, S)."""
    error = (to_unit(images) - code(model, images).x_hat).abs().mean(1, keepdim=True)
    return _smoothed(error, SIGMA * images.shape[-1]).squeeze(1)


def pixel_auroc(masks: Tensor, maps: Tensor) -> float:
    """The chance that a pixel of a defect has the larger error than one that is of none, over all pictures.

    Args:
        masks: bool (N, 1, S, S), True on defects.
        maps: (N, S, S).

    Raises:
        InputError: no pixel, or every one, is defective.
    """
    defective = masks.flatten()
    if defective.all() or not defective.any():
        found = f"{int(defective.sum())} of {len(defective)} defective"
        raise InputError(f"pixel AUROC needs defective pixels and others, found {found}")
    return float(rank_auroc(defective, maps.flatten()))


def _smoothed(images: Tensor, sigma: float) -> Tensor:
    """A separable Gaussian with mirrored borders; (N, 1, S, S)."""
    radius = max(1, round(3 * sigma))
    weights = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2)
    kernel = (weights / weights.sum()).view(1, 1, 1, -1)
    across = conv2d(pad(images, (radius, radius, 0, 0), mode="reflect"), kernel)
    return conv2d(pad(across, (0, 0, radius, radius), mode="reflect"), kernel.transpose(2, 3))
