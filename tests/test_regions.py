"""Regions on constructed codes with known answers."""

import numpy as np
import pytest

from rscvae_lab.errors import InputError
from rscvae_lab.regions import Regions, distance

CODES = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.5, 0.5]])
REGIONS = Regions(CODES, least_information=10.0, farthest=2.0, worst_recon=50.0)


def test_distance_is_the_mean_to_the_nearest_k():
    codes = np.array([[3.0, 0.0], [0.0, 4.0], [100.0, 0.0]])
    assert distance(np.zeros((1, 2)), codes, k=2) == pytest.approx([3.5])
    assert distance(np.zeros((1, 2)), codes, k=9) == pytest.approx([107 / 3])


@pytest.mark.parametrize(
    ("information", "mu", "region"),
    [
        (20.0, [0.5, 0.5], "normal"),  # says enough, near
        (20.0, [9.0, 9.0], "anomalous"),  # says enough, far
        (9.9, [0.5, 0.5], "unknown"),  # says too little, wherever it lies
        (9.9, [9.0, 9.0], "unknown"),
        (10.0, [0.5, 0.5], "normal"),  # the border itself is enough
    ],
)
def test_regions_of_constructed_codes(information, mu, region):
    assert REGIONS.assign(np.array([information]), distance(np.array([mu]), CODES)).tolist() == [
        region
    ]


def test_the_four_fates_of_novel_images():
    regions = np.array(["normal", "anomalous", "anomalous", "unknown", "anomalous"])
    l_recon = np.array([999.0, 49.0, 51.0, 1.0, 50.0])
    assert REGIONS.cases(regions, l_recon).tolist() == [
        "case 1",
        "case 2",
        "case 3",
        "deviated",
        "case 2",
    ]


def test_borders_are_percentiles_of_heldout_normals():
    generator = np.random.default_rng(0)
    codes, heldout = generator.normal(size=(500, 3)), generator.normal(size=(10_000, 3))
    information, l_recon = generator.normal(16, 2, 10_000), generator.normal(60, 9, 10_000)
    regions = Regions.calibrated(codes, heldout, information, l_recon)
    found = regions.assign(information, distance(heldout, codes))
    assert (found == "unknown").mean() == pytest.approx(0.01, abs=1e-3)
    assert (distance(heldout, codes) <= regions.farthest).mean() == pytest.approx(0.95, abs=1e-3)
    assert (found == "normal").mean() == pytest.approx(
        0.99 * 0.95, abs=0.01
    )  # the two are independent here
    assert (l_recon <= regions.worst_recon).mean() == pytest.approx(0.95, abs=1e-3)


@pytest.mark.parametrize(
    "call",
    [
        lambda: Regions.calibrated(CODES, CODES[:0], np.array([]), np.array([])),
        lambda: Regions.calibrated(CODES[:0], CODES, np.ones(5), np.ones(5)),
    ],
)
def test_nothing_to_measure_is_refused(call):
    with pytest.raises(InputError, match=r"expected .* found"):
        call()
