"""Settings without effect are those that change neither the training nor the scores."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rscvae_lab.config import ARRAYS, Config, idle, idle_note
from rscvae_lab.trainers import train

OTHERWISE = {
    "p": 0.2, "shifts": "safe", "anomaly_base": "training_set", "anomaly_draw": "pooled",
    "fraction": 0.4, "per_defect": 2, "test_without": 3, "augment": True, "rigid": True,
    "jitter": 0.2, "beta": 5.0, "lambda_consist": 0.4, "consist_on_anomaly": False,
    "recode_gradient": "fixed_image", "recode_statistics": "first", "js": "jeffreys",
    "widths": (8, 16, 32, 64),
}


@pytest.mark.parametrize("mode", ["vae", "o", "d", "e"])
def test_idle_is_what_changes_nothing(mode, tmp_path):
    plain = Config(dataset="digits", category="8", mode=mode, p=0.3, epochs=1,
                   widths=(4, 8, 16, 32), precision="float32", threads=1)

    def outcome(config, place):
        run = train(config, tmp_path / place, progress=False)
        weights = torch.cat([each.flatten() for each in run.model.parameters()])
        return weights, run.scores.to_numpy()

    weights, scores = outcome(plain, "plain")
    unchanged = []
    for name, value in OTHERWISE.items():
        other, others = outcome(replace(plain, **{name: value}), name)
        if torch.equal(weights, other) and np.array_equal(scores, others):
            unchanged.append(name)
    everything = Config(dataset="digits", category="8", mode=mode, **OTHERWISE)
    assert sorted(idle(everything)) == sorted(unchanged)
    assert 0 < len(unchanged) < len(OTHERWISE)


def test_what_is_idle_is_said_of_the_mode_and_data_set():
    assert idle_note(Config()) == idle_note(Config(mode="e", beta=10)) == ""
    assert idle_note(Config(beta=10, p=0.2)) == "without effect in mode o of digits: p, beta"
    plates = Config(dataset="synthetic", category="plate", jitter=0.1, fraction=0.3)
    assert idle_note(plates) == "without effect in mode o of synthetic: fraction"
    assert idle(Config(dataset=ARRAYS, category="x", data="0", mode="e", p=0.4, beta=3)) == ["p"]
