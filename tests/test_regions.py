"""The unknown region on constructed informations with known answers."""

import numpy as np
import pytest

from rscvae_lab.errors import InputError
from rscvae_lab.regions import least_information, semantic_deviation_rate


def test_one_percent_of_heldout_normals_lie_below_the_border():
    information = np.random.default_rng(0).normal(16, 2, 10_000)
    assert (information < least_information(information)).mean() == pytest.approx(0.01, abs=1e-3)


def test_the_rate_counts_novel_images_below_the_border():
    assert semantic_deviation_rate(np.array([1.0, 5.0, 9.9, 10.0]), border=10.0) == 0.75


@pytest.mark.parametrize("call", [lambda: least_information(np.array([])),
                                  lambda: semantic_deviation_rate(np.array([]), 1.0)])
def test_nothing_to_measure_is_refused(call):
    with pytest.raises(InputError, match="found none"):
        call()
