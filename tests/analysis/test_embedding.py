"""The map of codes: groups that are apart stay apart, new codes find their own, the seed
decides."""

import numpy as np
import pytest

from rscvae_lab.analysis.embedding import CodeMap, silhouette
from rscvae_lab.errors import InputError


@pytest.fixture(scope="module")
def two_groups():
    generator = np.random.default_rng(0)
    return np.concatenate(
        [generator.normal(-5, 1, (40, 8)), generator.normal(5, 1, (40, 8))]
    ), np.repeat([0, 1], 40)


def test_groups_stay_apart_and_new_codes_join_their_own(two_groups):
    codes, labels = two_groups
    fitted = CodeMap.fit(codes, seed=0)
    assert silhouette(fitted.points, labels) > 0.5
    centres = np.stack([fitted.points[labels == label].mean(0) for label in (0, 1)])
    placed = fitted.place(np.random.default_rng(1).normal(5, 1, (10, 8)))
    nearer = np.linalg.norm(placed[:, None] - centres, axis=2).argmin(1)
    assert (nearer == 1).all()


def test_the_same_seed_gives_the_same_map(two_groups):
    one, two = (CodeMap.fit(two_groups[0], seed=3).points for _ in range(2))
    assert np.array_equal(one, two)


def test_silhouette_of_one_cloud_is_near_zero(two_groups):
    cloud = np.random.default_rng(2).normal(size=(200, 4))
    assert abs(silhouette(cloud, np.arange(200) % 2)) < 0.05
    assert silhouette(*two_groups) > 0.7


@pytest.mark.parametrize(
    "codes", [np.zeros((3, 2)), np.full((40, 2), np.nan), np.ones((40, 1)), np.ones((40, 5))]
)
def test_what_no_map_can_be_made_of_is_refused(codes):
    with pytest.raises(InputError, match="at least 16 finite codes for a map"):
        CodeMap.fit(codes)


def test_new_codes_are_finite_and_as_wide_as_the_map(two_groups):
    code_map = CodeMap.fit(two_groups[0])
    assert code_map.place(two_groups[0][:0]).shape == (0, 2)
    for codes in (np.full((1, 8), np.nan), np.zeros((1, 3)), np.zeros(8)):
        with pytest.raises(InputError, match="expected finite codes of 8 dimensions"):
            code_map.place(codes)


def test_too_few_of_a_group_have_no_silhouette():
    for labels in (np.zeros(20), np.arange(20) == 0):
        with pytest.raises(InputError, match="two groups of at least two"):
            silhouette(np.zeros((20, 2)), labels)


def test_a_rare_group_is_in_every_sample():
    codes = np.concatenate(
        [np.random.default_rng(0).normal(size=(5000, 2)), np.full((3, 2), 50.0)]
    )
    assert silhouette(codes, np.repeat([0, 1], [5000, 3])) > 0.9
