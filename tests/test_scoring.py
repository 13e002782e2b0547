"""Eqs. 15-17 and AUROC by hand, against scikit-learn, and where they must refuse."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from rscvae_lab import scoring
from rscvae_lab.errors import InputError

RECON, MUT = np.array([1.0, 2.0, 3.0]), np.array([0.2, 0.2, 0.8])
MEANS = scoring.Normalisers.over(RECON, MUT)


def test_eq_15_by_hand():
    assert pytest.approx((2.0, 0.4)) == MEANS
    np.testing.assert_allclose(scoring.novelty_score(RECON, MUT, MEANS), [0.5, 0.75, 1.75])
    np.testing.assert_allclose(scoring.novelty_score(RECON, MUT, MEANS, alpha=0), RECON / 2.0)
    np.testing.assert_allclose(scoring.novelty_score(RECON, MUT, MEANS, alpha=1), MUT / 0.4)


def test_a_typical_image_scores_one():
    assert scoring.novelty_score(RECON, MUT, MEANS).mean() == pytest.approx(1.0)


def test_eq_16_keeps_the_order_and_survives_equal_scores():
    np.testing.assert_allclose(scoring.min_max(np.array([2.0, 4.0, 3.0])), [0.0, 1.0, 0.5])
    np.testing.assert_allclose(scoring.min_max(np.ones(3)), 0.0)


def test_eq_17_by_hand():
    ratio = np.array([0.5 / 0.5, 0.5 / 1.0, 2.0 / 1.5])
    np.testing.assert_allclose(scoring.consistency_ratio(RECON, MUT, MEANS), ratio)
    assert scoring.s_a(RECON, MUT, MEANS) == pytest.approx(ratio.std())


def test_s_a_is_zero_when_codes_follow_pictures():
    assert scoring.s_a(
        RECON, 7 * RECON, scoring.Normalisers.over(RECON, 7 * RECON)
    ) == pytest.approx(0.0)
    assert scoring.s_a_spearman(RECON, RECON**3) == pytest.approx(1.0)
    assert scoring.s_a_spearman(RECON, -RECON) == pytest.approx(-1.0)


def test_auroc_counts_pairs_and_higher_means_novel():
    labels, scores = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.4, 0.9])
    assert scoring.auroc(labels, scores) == pytest.approx(3.5 / 4)
    assert scoring.auroc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))
    assert scoring.auroc(np.array([0, 1]), np.array([0.0, 1.0])) == 1.0


def test_the_standard_error_of_an_auroc_agrees_with_resampling():
    """Exponential scores, for which Hanley and McNeil's formula is exact."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [50, 200])
    drawn = [
        scoring.auroc(labels, rng.exponential(np.where(labels == 1, 8.0, 1.0)))
        for _ in range(1000)
    ]
    expected = scoring.auroc_standard_error(8 / 9, 50, 200)
    assert np.mean(drawn) == pytest.approx(8 / 9, abs=0.005)
    assert np.std(drawn) == pytest.approx(expected, rel=0.1)


def test_the_threshold_lets_95_percent_of_normals_pass():
    scores = np.random.default_rng(0).gamma(3.0, size=10_000)
    assert (scores > scoring.threshold(scores)).mean() == pytest.approx(0.05, abs=1e-3)


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 0], [1.0, 2.0], "found 2 normal and 0 novel"),
        ([1, 1, 1], [1.0, 2.0, 3.0], "found 0 normal and 3 novel"),
        ([0, 1], [np.nan, 1.0], "found 1 NaN or infinite of 2"),
    ],
)
def test_auroc_refuses(labels, scores, message):
    with pytest.raises(InputError, match=message):
        scoring.auroc(np.array(labels), np.array(scores))


@pytest.mark.parametrize("terms", [([], []), ([1.0], [0.0]), ([np.nan], [1.0])])
def test_normalisers_refuse_what_cannot_normalise(terms):
    with pytest.raises(InputError, match="positive finite"):
        scoring.Normalisers.over(*map(np.array, terms))


def test_the_error_of_a_paired_difference_is_what_a_bootstrap_finds():
    """Two scores that share most of their noise: far less than independent errors would add up
    to."""
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1], [80, 150])
    shared = labels + generator.normal(size=230)
    first, second = (shared + 0.5 * generator.normal(size=230) for _ in range(2))
    differences = []
    for _ in range(1000):
        drawn = np.concatenate([generator.integers(0, 80, 80), generator.integers(80, 230, 150)])
        differences.append(
            scoring.auroc(labels[drawn], first[drawn])
            - scoring.auroc(labels[drawn], second[drawn])
        )
    found = scoring.auroc_difference_error(labels, first, second)
    assert found == pytest.approx(np.std(differences), rel=0.15)
    alone = scoring.auroc_standard_error(scoring.auroc(labels, first), 80, 150)
    assert found < 0.8 * alone * 2**0.5
    assert scoring.auroc_difference_error(labels, first, first) == 0


@pytest.mark.parametrize("n", [1, 3, 12, 59, 585])
def test_the_claim_about_false_alarms_holds_for_scores_of_any_distribution(n):
    """20,000 thresholds from n held-out scores: 2.5 % of true rates lie beyond each end at most;
    the interval is exact where the percentile is one of the scores."""
    low, high = scoring.FalseAlarms.of(n)
    scores = np.random.default_rng(n).random((20_000, n))
    thresholds = np.percentile(scores, scoring.THRESHOLD_PERCENTILE, axis=1)
    rates = 1 - thresholds  # of uniform scores; those of others are the same
    assert np.mean(rates < low) <= 0.025 + 0.004
    assert np.mean(rates > high) <= 0.025 + 0.004
    assert np.mean((rates < low) | (rates > high)) >= (0.03 if n == 1 else 0.002)


def test_fewer_than_59_cannot_promise_five_percent():
    """The highest of n scores is above 95 % of normals with a confidence of 1 - 0.95^n."""
    assert 1 - 0.95 ** scoring.FEWEST_HELDOUT >= 0.95 > 1 - 0.95 ** (scoring.FEWEST_HELDOUT - 1)
    assert scoring.FalseAlarms.of(0) is None


def test_a_rank_correlation_needs_terms_that_vary():
    constant = np.full(4, 0.3) * (1 + 1e-7 * np.arange(4))  # but for rounding
    assert scoring.s_a_spearman(constant, np.arange(4.0)) is None
    assert scoring.s_a_spearman(np.arange(4.0), constant) is None
    assert scoring.s_a_spearman(np.arange(4.0), np.arange(4.0) ** 2) == pytest.approx(1)
    assert scoring.s_a_spearman(np.arange(1.0), np.arange(1.0)) is None
