"""The rows of history.csv, by hand."""

import math

import pytest

from rscvae_lab.config import Config
from rscvae_lab.runs.journal import Journal


def test_an_epochs_means_by_hand(tmp_path):
    """Terms over 90 normal images, the loss over all 100; the rate is that of the last step."""
    journal = Journal([Config(mode="e", epochs=4)], [tmp_path], steps=[5])
    sums = [[90, 450.0, 270.0, 180.0, 9.0, 18.0], [10, 30.0, 7.0, 7.0, 7.0, 7.0]]
    journal.enter(0, 2, sums, 1.5, split=None, model=None)
    rate = 0.001 * (1 + math.cos(math.pi * 1.8 / 4)) / 2
    assert journal.histories == [[pytest.approx({
        "epoch": 2, "loss": 4.8, "recon": 3.0, "enc1": 2.0, "enc2": 0.1, "mut": 0.2,
        "consist": 0.3, "anomalous": 3.0, "learning_rate": rate, "seconds": 1.5})]]
