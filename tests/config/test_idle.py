"""Settings without effect are those that change neither the training nor the scores."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rscvae_lab import Detector
from rscvae_lab.config import ARRAYS, Config, idle_note, idle_settings
from rscvae_lab.trainers import train

OTHERWISE = {
    "p": 0.2, "shifts": "safe", "anomaly_base": "training_set", "anomaly_draw": "pooled",
    "fraction": 0.4, "per_defect": 2, "test_without": 3, "augment": True, "rigid": True,
    "jitter": 0.2, "beta": 5.0, "lambda_consist": 0.4, "consist_on_anomaly": False,
    "recode_gradient": "fixed_image", "recode_statistics": "first", "js": "jeffreys",
    "widths": (8, 16, 32, 64),
}


DIGITS = {"dataset": "digits", "category": "8", "p": 0.3, "widths": (4, 8, 16, 32)}
PLATES = {"dataset": "synthetic", "category": "plate", "image_size": 64, "network": "plain",
          "p": 0.3, "widths": (4, 8, 16, 32), "heldout": 0.3, "batch_size": 32}


@pytest.mark.slow
@pytest.mark.parametrize("images, mode", [
    *((DIGITS, mode) for mode in ("vae", "o", "d", "e", "ae", "adgan")),
    *((PLATES, mode) for mode in ("d", "e", "ae"))],
    ids=lambda value: value if isinstance(value, str) else value["dataset"])
def test_idle_is_what_changes_nothing(images, mode, tmp_path):
    plain = Config(**images, mode=mode, epochs=1, precision="float32", threads=1)

    def outcome(config, place):
        run = train(config, tmp_path / place, progress=False)
        weights = torch.cat([each.flatten() for each in run.model.parameters()])
        return weights, run.scores.to_numpy()

    weights, scores = outcome(plain, "plain")
    others = OTHERWISE | ({"augment": False, "rigid": False} if images is PLATES else {})
    if images is PLATES:
        del others["anomaly_draw"]  # which is refused there
    said = []
    for name, value in others.items():
        config = replace(plain, **{name: value})
        changed, rescored = outcome(config, name)
        same = (weights.shape == changed.shape and torch.equal(weights, changed)
                and np.array_equal(scores, rescored, equal_nan=True))
        said += [name] * (name in idle_settings(config))
        assert (name in said) == same, name
    assert 0 < len(said) < len(others)


def test_what_is_idle_is_said_of_the_mode_and_data_set():
    assert idle_note(Config()) == idle_note(Config(mode="e", beta=10)) == ""
    assert idle_note(Config(beta=10, p=0.2)) == "without effect in mode o of digits: p, beta"
    plates = Config(dataset="synthetic", category="plate", jitter=0.1, fraction=0.3)
    assert idle_note(plates) == "without effect in mode o of synthetic: fraction"
    arrays = Config(dataset=ARRAYS, category="x", data="0", mode="e", p=0.4, beta=3)
    assert idle_settings(arrays) == ["p"]
    own = Config(encoder="mine:Encoder-0", decoder="mine:Decoder-0", widths="wide")
    assert idle_settings(own) == ["widths"]


def test_a_detector_says_what_is_idle_before_it_trains(capsys):
    images = np.random.default_rng(0).random((40, 32, 32))
    Detector(epochs=1, settings={"beta": 7.0, "widths": (4, 8, 16, 32)}).fit(images)
    assert "rscvae: without effect in mode o of arrays: beta\n" in capsys.readouterr().err
    Detector(epochs=1, settings={"beta": 8.0, "p": 0.3}, progress=False).fit(images)
    assert "without effect" not in capsys.readouterr().err
