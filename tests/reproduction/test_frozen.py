"""Frozen weights scored otherwise are what a training with that setting leaves."""

import numpy as np
import pandas as pd
import pytest
import torch

from rscvae_lab.errors import InputError
from rscvae_lab.reproduction.frozen import with_one_pass
from rscvae_lab.runs import Run
from rscvae_lab.sweeps import plan, sweep


@pytest.mark.slow
def test_one_pass_goes_on_after_an_error_and_takes_vaes_alone(tmp_path, monkeypatch):
    settings = {"epochs": 51, "scale": "paper", "widths": (2, 2, 2, 2), "precision": "float32",
                "recode_statistics": "training"}
    assert not sweep(plan("digits", "8", "vae,pca", "0", settings), tmp_path / "x.csv", jobs=1)
    with monkeypatch.context() as broken:
        broken.setattr("rscvae_lab.runs.folder.evaluate", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            with_one_pass(tmp_path / "x.runs")
    (run,) = with_one_pass(tmp_path / "x.runs")
    evaluated = run.history.dropna(subset="auroc")
    assert evaluated.epoch.tolist() == [run.config.result_epoch] == [50]
    assert run.metrics["auroc_best"] == pytest.approx(run.metrics["auroc"], abs=1e-6)
    with pytest.raises(InputError, match=r"expected runs of VAEs in .*nothing\.runs"):
        with_one_pass(tmp_path / "nothing.runs")


@pytest.mark.slow
def test_one_pass_gives_what_training_with_it_gives(tmp_path):
    settings = {"epochs": 2, "widths": (4, 8, 16, 32), "precision": "float32"}
    of = {name: plan("digits", "8", "vae,o", "0", settings | {"recode_statistics": name})
          for name in ("training", "both")}
    assert not sweep(of["training"], tmp_path / "frozen.csv", jobs=1)
    assert not sweep(of["both"], tmp_path / "trained.csv", jobs=1)
    derived = with_one_pass(tmp_path / "frozen.runs")
    assert len(derived) == 2
    for run in derived:
        trained = Run.load(tmp_path / "trained.runs" / run.folder.name)
        for name, weight in run.model.state_dict().items():
            assert torch.allclose(weight, trained.model.state_dict()[name], 1e-4, 1e-5), name
        assert np.allclose(run.scores.novelty_score, trained.scores.novelty_score, rtol=1e-3)
        assert run.history.auroc.notna().sum() == 1
    assert not sweep(of["both"], tmp_path / "frozen.csv", jobs=1)  # which trains nothing
    assert with_one_pass(tmp_path / "frozen.runs") == derived
    frozen, trained = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("frozen", "trained"))
    kept, scored = (frozen[frozen.recode_statistics == name].reset_index(drop=True)
                    for name in ("training", "both"))
    assert scored.seconds.equals(kept.seconds) and not scored.seconds.equals(trained.seconds)
    assert np.allclose(scored.auroc, trained.auroc, atol=1e-4)
    assert not np.allclose(scored.s_a, kept.s_a, atol=1e-3)
