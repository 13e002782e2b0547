"""What ablations vary does vary the training, and what they are judged by is no test figure."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from rscvae_lab import divergences
from rscvae_lab.analysis.surveys import Survey
from rscvae_lab.config import Config
from rscvae_lab.datasets import load_split
from rscvae_lab.errors import TrainingStopped
from rscvae_lab.runs.evaluation import code, evaluate, measure
from rscvae_lab.trainers import train

pytestmark = pytest.mark.slow


def weights(folder) -> bytes:
    return (folder / "weights.safetensors").read_bytes()


def test_the_figure_to_choose_by_never_saw_the_test_set(short_run):
    """Held-out normal against novel training images, Eq. 15 by hand with means over these."""
    split = load_split(short_run.config)
    seen = measure(short_run.model, torch.cat([split.heldout, split.validation]))
    paper_score = seen.l_mut / seen.l_mut.mean() + seen.l_recon / seen.l_recon.mean()
    novel = np.arange(len(seen)) >= len(split.heldout)
    assert short_run.metrics["auroc_validation"] == pytest.approx(
        roc_auc_score(novel, paper_score)
    )
    assert short_run.metrics["auroc_validation_recon"] == pytest.approx(
        roc_auc_score(novel, seen.l_recon)
    )


def test_the_semantic_deviation_of_a_run_is_that_of_its_regions(short_run):
    survey = Survey.of(short_run)
    for name, label in (("semantic_deviation_rate", 1), ("normal_in_unknown", 0)):
        regions = survey.test.frame.region[survey.test.frame.label == label]
        assert short_run.metrics[name] == pytest.approx((regions == "unknown").mean())


@pytest.mark.parametrize(
    "setting",
    [
        {"anomaly_draw": "pooled"},
        {"anomaly_draw": "fresh"},
        {"recode_statistics": "first"},
        {"recode_gradient": "fixed_picture"},
        {"recode_gradient": "fixed_target"},
        {"consist_on_anomaly": False},
        {"js": "jeffreys"},
    ],
)
def test_each_setting_to_ablate_changes_the_training(setting, tmp_path):
    usual, changed = (
        train(Config(mode="e", epochs=2, p=0.3, **more), tmp_path / name, progress=False)
        for name, more in (("usual", {}), ("changed", setting))
    )
    assert weights(usual.folder) != weights(changed.folder)


def test_fresh_anomalies_are_others_in_the_second_epoch_and_again_after_a_stop(tmp_path):
    config = Config(mode="e", epochs=3, p=0.3, anomaly_draw="fresh")
    whole = train(config, tmp_path / "whole", progress=False)
    with pytest.raises(TrainingStopped):
        train(
            config,
            tmp_path / "stopped",
            progress=False,
            callbacks=[lambda epoch: len(epoch.history) < 2],
        )
    resumed = train(config, tmp_path / "stopped", resume=True, progress=False)
    assert weights(whole.folder) == weights(resumed.folder)


def test_a_run_is_scored_by_its_own_reading_of_d_js(short_run):
    config = replace(short_run.config, js="jeffreys")
    split = load_split(config)
    scores, metrics, _ = evaluate(short_run.model, split, config)
    test, heldout = (code(short_run.model, part) for part in (split.test, split.heldout))
    test, heldout = (divergences.jeffreys(each.mu, each.log_var, each.mu_re, each.log_var_re)
                     for each in (test, heldout))
    assert scores.l_mut.to_numpy() == pytest.approx(test.numpy(), rel=1e-3)
    assert metrics["heldout_mean_mut"] == pytest.approx(heldout.mean().item(), rel=1e-3)
