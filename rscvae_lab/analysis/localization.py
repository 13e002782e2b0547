"""Error maps, and how well they find a defect: our addition, which shows where l_recon comes from.

The score of an image stays Eq. 15.
"""

from torch import Tensor

from rscvae_lab._torchvision import torchvision
from rscvae_lab.datasets.images import to_unit
from rscvae_lab.errors import InputError
from rscvae_lab.scoring import auroc

SIGMA = 4 / 256  # of the side: averages the noise of single pixels, keeps defects


def error_maps(images: Tensor, x_hat: Tensor) -> Tensor:
    """|x - x_hat| in grey levels of [0, 1], (N, S, S), of images uint8 (N, C, S, S) and their
    reconstructions in [0, 1]: averaged over channels, then smoothed by a Gaussian that is cut off
    at three standard deviations."""
    error, sigma = (to_unit(images) - x_hat).abs().mean(1, keepdim=True), SIGMA * images.shape[-1]
    width = 2 * max(1, round(3 * sigma)) + 1
    return torchvision.transforms.functional.gaussian_blur(error, width, sigma).squeeze(1)


def pixel_auroc(masks: Tensor, maps: Tensor) -> float:
    """The probability that a defective pixel has a larger error than another, over all images, by
    masks, bool (N, 1, S, S), True on defects, and maps (N, S, S). Raises InputError where no pixel
    is defective, or every one is."""
    defective = masks.flatten()
    if defective.all() or not defective.any():
        raise InputError("pixel AUROC needs defective pixels and others, found "
                         f"{int(defective.sum())} of {len(defective)} defective")
    return auroc(defective.numpy(), maps.flatten().numpy())
