"""Error maps against known differences, pixel AUROC against scikit-learn."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, label
from sklearn.metrics import roc_auc_score

from rscvae_lab.config import Config
from rscvae_lab.errors import InputError
from rscvae_lab.models.vae import VAE
from rscvae_lab.runs import localization
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


def test_a_calibrated_map_counts_spreads_above_the_mean(generator):
    """By numpy; the spread of a pixel has that of all pixels beside it."""
    maps = torch.rand(6, 8, 8, generator=generator) * torch.linspace(0, 1, 8)
    new, array = torch.rand(2, 8, 8, generator=generator), maps.double().numpy()
    variance = array.var(0, ddof=1)
    expected = (new.numpy() - array.mean(0)) / np.sqrt(variance + variance.mean())
    calibration = localization.Calibration.of(maps)
    torch.testing.assert_close(calibration.scaled(new), torch.from_numpy(expected).float())


def test_each_map_is_judged_by_the_others_alone(generator):
    maps = torch.rand(5, 8, 8, generator=generator)
    for i, others in enumerate(localization.without_each(maps)):
        rest = localization.Calibration.of(torch.cat([maps[:i], maps[i + 1 :]]))
        torch.testing.assert_close(others.mean, rest.mean)
        torch.testing.assert_close(others.spread, rest.spread)


def test_equal_maps_have_a_spread_that_can_divide():
    calibration = localization.Calibration.of(torch.full((4, 8, 8), 0.3))
    assert torch.isfinite(calibration.scaled(torch.rand(1, 8, 8))).all()


def test_the_local_score_is_the_mean_of_the_highest_hundredth():
    scaled = torch.arange(20 * 20.0).view(1, 20, 20)
    assert localization.local_scores(scaled).tolist() == [[(396 + 397 + 398 + 399) / 4, 399]]


def test_a_small_defect_that_a_sum_drowns_is_found(generator):
    """Noise of one strength in all images, and in half of them 9 of 4,096 pixels of an error that
    is a tenth of the usual deviation of the sum: the sum is at chance, the local score is not."""
    def images(n: int) -> torch.Tensor:
        strength = 0.02 + 0.01 * torch.rand(n, 1, 1, generator=generator)
        return strength * torch.rand(n, 64, 64, generator=generator)

    normal, novel, calibration = images(60), images(60), localization.Calibration.of(images(25))
    novel[:, 20:23, 30:33] += 0.1
    labels, both = np.repeat([0, 1], 60), torch.cat([normal, novel])
    scores = localization.local_scores(calibration.scaled(both))
    assert roc_auc_score(labels, both.sum((1, 2))) < 0.65
    assert roc_auc_score(labels, scores[:, 1]) > 0.95


def brute_force_pro(masks: np.ndarray, maps: np.ndarray, limit: float) -> float:
    """At 20,000 thresholds, region by region."""
    points = []
    for threshold in np.linspace(maps.max() + 1e-6, maps.min(), 20_000):
        shares = []
        for mask, values in zip(masks, maps):
            regions, n = label(mask, np.ones((3, 3)))
            shares += [(values[regions == i] >= threshold).mean() for i in range(1, n + 1)]
        points.append(((maps[~masks] >= threshold).mean(), np.mean(shares)))
        if points[-1][0] > limit:
            break
    alarms, overlap = np.array(points).T
    inside = np.linspace(0, limit, 4001)
    return float(np.trapezoid(np.interp(inside, alarms, overlap), inside) / limit)


def test_pro_is_the_overlap_region_by_region(generator):
    masks = torch.zeros(3, 1, 24, 24, dtype=torch.bool)
    masks[0, 0, 2:4, 2:4] = masks[0, 0, 10:20, 10:20] = masks[1, 0, 5:9, 5:7] = True
    maps = torch.rand(3, 24, 24, generator=generator) + 0.4 * masks.squeeze(1)
    maps = (maps * 50).round() / 50  # with ties
    for limit in (0.3, 0.05):
        expected = brute_force_pro(masks.squeeze(1).numpy(), maps.numpy(), limit)
        assert localization.pro(masks, maps, limit) == pytest.approx(expected, abs=5e-3)


def test_pro_of_a_perfect_map_is_one_and_of_a_useless_one_half_the_limit():
    masks = torch.zeros(2, 1, 16, 16, dtype=torch.bool)
    masks[:, :, :4, :4] = True
    assert localization.pro(masks, masks.squeeze(1).float()) == pytest.approx(1)
    assert localization.pro(masks, torch.zeros(2, 16, 16)) == pytest.approx(0.15)
    with pytest.raises(InputError, match="found 0 of 512"):
        localization.pro(masks & False, torch.zeros(2, 16, 16))
