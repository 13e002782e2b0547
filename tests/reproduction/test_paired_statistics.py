"""Intervals against known distributions, and pairings by hand."""

import numpy as np
import pandas as pd
import pytest

from rscvae_lab.errors import InputError
from rscvae_lab.reproduction import statistics


def rows(method: str, values: list[list[float]]) -> pd.DataFrame:
    """One list a class, one value a seed."""
    return pd.DataFrame([{"method": method, "category": str(c), "seed": s, "auroc": value}
                         for c, of_class in enumerate(values) for s, value in enumerate(of_class)])


def test_differences_are_taken_within_class_and_seed():
    table = pd.concat([rows("o", [[0.9, 0.8], [0.7, 0.6]]), rows("d", [[0.8, 0.9], [0.7, 0.7]]),
                       rows("pca", [[0.5], [0.75]])])
    assert statistics.paired(table, "o", "d").to_numpy().tolist() == pytest.approx(
        np.array([[0.1, -0.1], [0.0, -0.1]]))
    assert statistics.paired(table, "o", "pca").to_numpy().tolist() == pytest.approx(
        np.array([[0.4, 0.3], [-0.05, -0.15]]))


def test_only_seeds_that_both_have_are_compared():
    table = pd.concat([rows("o", [[0.9, 0.1], [0.7, 0.1]]), rows("d", [[0.8], [0.7]])])
    assert statistics.estimate(statistics.paired(table, "o", "d"))[:1] == pytest.approx((0.05,))


def test_means_are_compared_over_the_seeds_that_all_have():
    table = pd.concat([rows("o", [[0.9, 0.1]]), rows("d", [[0.8]])])
    assert statistics.of_common_seeds(table).auroc.tolist() == [0.9, 0.8]


def test_the_interval_has_the_width_that_theory_gives():
    """Classes of deviation 1, seeds within a class of deviation 0.5: a mean over 40 classes of 4
    seeds has the variance (1 + 0.25 / 4) / 40; the bootstrap adds what resampling seeds adds."""
    generator = np.random.default_rng(1)
    values = generator.normal(size=(40, 1)) + 0.5 * generator.normal(size=(40, 4))
    found = statistics.estimate(pd.DataFrame(values))
    error = values.mean(1).std() / np.sqrt(40)
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert found.mean == pytest.approx(values.mean()) and found[3:] == (40, 4)


def test_a_seed_that_moves_all_classes_alike_widens_the_interval():
    """Seeds of -1 and +1 for every class: with chance 1/4 each a resample has only one of them, so
    the interval reaches both. Were the seeds of each class drawn apart, they would cancel."""
    found = statistics.estimate(pd.DataFrame([[-1.0, 1.0]] * 10))
    assert found[:3] == pytest.approx((0.0, -1.0, 1.0))


def test_equal_values_have_no_width_and_seeds_alone_have_some():
    assert statistics.estimate(pd.DataFrame([[0.9, 0.9]] * 10))[:3] == pytest.approx((0.9,) * 3)
    one_class = statistics.estimate(pd.DataFrame([[0.8, 0.9, 1.0]]))
    assert one_class.low < 0.9 < one_class.high, "seeds of a single class are resampled too"


def test_the_best_floor_is_the_one_with_the_best_mean():
    table = pd.concat([rows("pca", [[0.9], [0.9]]), rows("knn5", [[0.95], [0.87]]),
                       rows("o", [[1.0], [1.0]])])
    assert statistics.best_floor(table) == "knn5"
    with pytest.raises(InputError, match="expected rows of a floor"):
        statistics.best_floor(rows("o", [[1.0]]))


def test_one_class_may_carry_it_all():
    without = statistics.without_each_class(pd.DataFrame([[0.3], [0.0], [0.0]]))
    assert without.tolist() == pytest.approx([0.0, 0.15, 0.15])


def test_what_cannot_be_paired_is_refused():
    table = pd.concat([rows("o", [[0.9], [0.7]]), rows("d", [[0.8]]), rows("pca", [[0.5]]),
                       rows("e", [[0.9], [0.8]]).assign(seed=1)])
    for other in ("d", "pca"):
        with pytest.raises(InputError, match=f"o and {other} in the same classes, found 1 of one"):
            statistics.paired(table, "o", other)
    with pytest.raises(InputError, match="a seed that both o and e have, found none"):
        statistics.paired(table, "o", "e")


def test_refusals():
    with pytest.raises(InputError, match="method o, found none"):
        statistics.units(rows("d", [[1.0]]), "o")
    with pytest.raises(InputError, match="in seed 1, found some missing"):
        statistics.units(rows("o", [[0.9, 0.8], [0.7]]), "o")
    with pytest.raises(InputError, match="found several"):
        statistics.units(pd.concat([rows("o", [[0.9]])] * 2), "o")
