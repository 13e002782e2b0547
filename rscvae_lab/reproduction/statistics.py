"""What tables of results allow one to say: means, paired differences, and their intervals.

The unit is a class in a seed. Classes differ far more than seeds, so methods are compared within
a class and a seed. A seed's first weights and its noise are those of all its classes, which indeed
rise and fall together, so an interval resamples classes and, for all of them at once, seeds (a
bootstrap of crossed factors; Owen 2007, The pigeonhole bootstrap). One seed gives an interval over
classes alone, and says so by `n_seeds`.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from rscvae_lab.errors import InputError
from rscvae_lab.methods import FLOORS

RESAMPLES, LEVEL = 10_000, 95.0  # per cent


class Estimate(NamedTuple):
    """A mean over classes and seeds with its 95 % interval."""

    mean: float
    low: float
    high: float
    n_classes: int
    n_seeds: int


def units(table: pd.DataFrame, method: str, value: str = "auroc") -> pd.DataFrame:
    """A method's values in one data set: a row a class, a column a seed.

    Raises InputError where the method is not there, or a seed lacks a class.
    """
    rows = table[table.method == method]
    if rows.empty:
        raise InputError(f"expected rows of method {method}, found none")
    if rows.duplicated(["category", "seed"]).any():
        raise InputError(f"expected one row of {method} for each class and seed, found several")
    wide = rows.pivot(index="category", columns="seed", values=value)
    if wide.isna().any(axis=None):
        missing = wide.columns[wide.isna().any()][0]
        raise InputError(f"expected {value} of {method} for every class in seed {missing}, "
                         "found some missing")
    return wide


def paired(table: pd.DataFrame, method: str, other: str, value: str = "auroc") -> pd.DataFrame:
    """`method` minus `other` as `units`, over the seeds that both have; a floor, which has no
    chance in it, is subtracted in every seed. Raises InputError as `units`, without a common seed,
    and where one has other classes."""
    ours, theirs = units(table, method, value), units(table, other, value)
    if set(ours.index) != set(theirs.index):
        lacks = min({*ours.index} ^ {*theirs.index})
        raise InputError(f"expected {method} and {other} in the same classes, found {lacks} of "
                         "one alone")
    if other in FLOORS:
        return ours.sub(theirs.iloc[:, 0], axis=0)
    seeds = ours.columns.intersection(theirs.columns)
    if seeds.empty:
        raise InputError(f"expected a seed that both {method} and {other} have, found none")
    return ours[seeds] - theirs[seeds]


def of_common_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the seeds that every method of a table has: their means can be compared."""
    seeds = table.groupby("method").seed.unique()
    return table[table.seed.isin(set.intersection(*map(set, seeds)))]


def estimate(values: pd.DataFrame) -> Estimate:
    """The mean of `units` or `paired` with its interval, by 10,000 resamples from a fixed seed."""
    array, generator = values.to_numpy(dtype=float), np.random.default_rng(0)
    n_classes, n_seeds = array.shape
    classes = generator.integers(n_classes, size=(RESAMPLES, n_classes, 1))
    seeds = generator.integers(n_seeds, size=(RESAMPLES, 1, n_seeds))
    means = array[classes, seeds].mean((1, 2))
    low, high = np.percentile(means, [50 - LEVEL / 2, 50 + LEVEL / 2])
    return Estimate(float(array.mean()), float(low), float(high), n_classes, n_seeds)


def best_floor(table: pd.DataFrame, value: str = "auroc") -> str:
    """The floor with the best mean over classes. Raises InputError where there is none."""
    means = table[table.method.isin(FLOORS)].groupby("method")[value].mean()
    if means.empty:
        raise InputError(f"expected rows of a floor ({', '.join(FLOORS)}), found none")
    return str(means.idxmax())


def without_each_class(values: pd.DataFrame) -> pd.Series:
    """The mean of `paired` differences without each class in turn: whether one class carries it
    all."""
    by_class = values.mean(axis=1)
    return (by_class.sum() - by_class) / (len(by_class) - 1)
