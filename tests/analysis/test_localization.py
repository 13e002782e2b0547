"""Error maps against known differences, pixel AUROC against scikit-learn."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_auc_score

from rscvae_lab.analysis import localization
from rscvae_lab.config import Config
from rscvae_lab.errors import InputError
from rscvae_lab.models.vae import VAE
from rscvae_lab.runs.evaluation import code


def test_a_map_is_the_smoothed_difference(generator):
    """Against scipy's Gaussian, cut at three deviations and mirrored without its edge."""
    model = VAE.from_config(
        Config(dataset="synthetic", category="plate", image_size=64, latent=8)
    ).eval()
    images = torch.randint(0, 256, (3, 3, 64, 64), generator=generator, dtype=torch.uint8)
    x_hat = code(model, images).x_hat
    maps = localization.error_maps(images, x_hat)
    error = (images / 255 - x_hat).abs().mean(1).numpy()
    expected = np.stack(
        [gaussian_filter(picture, 1.0, mode="mirror", radius=3) for picture in error]
    )
    assert maps.shape == (3, 64, 64)
    torch.testing.assert_close(maps, torch.from_numpy(expected), rtol=1e-4, atol=1e-5)


def test_pixel_auroc_is_scikit_learns(generator):
    masks = torch.rand(4, 1, 16, 16, generator=generator) < 0.1
    maps = torch.rand(4, 16, 16, generator=generator) + 0.3 * masks.squeeze(1)
    expected = roc_auc_score(masks.flatten(), maps.flatten())
    assert localization.pixel_auroc(masks, maps) == pytest.approx(expected)


def test_masks_without_a_defect_are_refused():
    with pytest.raises(InputError, match="found 0 of 256"):
        localization.pixel_auroc(
            torch.zeros(1, 1, 16, 16, dtype=torch.bool), torch.zeros(1, 16, 16)
        )
