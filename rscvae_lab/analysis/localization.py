"""Where a picture differs from its reconstruction, and how well that finds the defect: our addition to the score.

The image-level score stays Eq. 15; a map says only where l_recon comes from.
"""

from torch import Tensor

from rscvae_lab._torchvision import torchvision
from rscvae_lab.datasets.images import to_unit
from rscvae_lab.errors import InputError
from rscvae_lab.scoring import auroc

SIGMA = 4 / 256  # of the side: single pixels are noise, a defect is a patch


def error_maps(images: Tensor, x_hat: Tensor) -> Tensor:
    """|x - x_hat| in grey levels of [0, 1], mean over channels, smoothed by a Gaussian cut at three deviations.

    Args:
        images: uint8, (N, C, S, S).
        x_hat: their reconstructions in [0, 1].

    Returns:
        (N, S, S).
    """
    error, sigma = (to_unit(images) - x_hat).abs().mean(1, keepdim=True), SIGMA * images.shape[-1]
    width = 2 * max(1, round(3 * sigma)) + 1
    return torchvision.transforms.functional.gaussian_blur(error, width, sigma).squeeze(1)


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
    return auroc(defective.numpy(), maps.flatten().numpy())
