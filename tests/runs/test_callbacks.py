"""Callbacks, the log of a run, and the lines of --verbose."""

import numpy as np
import pytest
import torch

from rscvae_lab.cli import main
from rscvae_lab.config import Config
from rscvae_lab.errors import TrainingStopped
from rscvae_lab.runs import Run
from rscvae_lab.trainers import train, train_ensemble

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("mode", ["o", "ae"])
def test_a_callback_is_told_of_every_epoch(mode, tmp_path):
    told, weights = [], []

    def callback(epoch):
        told.append((epoch.row["epoch"], epoch.row["loss"], epoch.folder, epoch.config.mode))
        weights.append(next(epoch.model().parameters()).detach().clone())

    run = train(Config(mode=mode, epochs=3), tmp_path, progress=False, callbacks=[callback])
    expected = zip(run.history.epoch, run.history.loss)
    assert told == [(epoch, loss, tmp_path, mode) for epoch, loss in expected]
    assert not torch.equal(weights[0], weights[2])
    log = (tmp_path / "log.txt").read_text("utf-8").splitlines()
    assert len(log) == 5
    assert run.config.config_hash in log[0] and "finished: AUROC" in log[-1]
    assert all(f"epoch {i} of 3: loss {told[i - 1][1]:.4g}" in log[i] for i in (1, 2, 3))


@pytest.mark.parametrize("mode", ["o", "ganomaly"])
def test_a_callback_that_looks_at_the_model_in_eval_mode_changes_nothing(mode, tmp_path):
    """Both have batch normalisation, which would train on its running averages from then on."""
    config, looks = Config(mode=mode, epochs=3), [lambda epoch: epoch.model().eval() and None]
    for name, callbacks in (("looked at", looks), ("alone", [])):
        train(config, tmp_path / name, progress=False, callbacks=callbacks)
    found, expected = ((tmp_path / name / "weights.safetensors").read_bytes()
                       for name in ("looked at", "alone"))  # fmt: skip
    assert found == expected


@pytest.mark.parametrize("mode", ["o", "ocgan"])
def test_what_a_callback_draws_changes_nothing(mode, tmp_path):
    config = Config(mode=mode, epochs=2)
    drawing, alone = (train(config, tmp_path / name, progress=False, callbacks=callbacks)
                      for name, callbacks in (("drawing", [lambda epoch: torch.rand(1) and None]),
                                              ("alone", [])))
    assert drawing.history.loss.equals(alone.history.loss)


@pytest.mark.parametrize(("mode", "resumes"), [("o", True), ("ae", False)])
def test_a_callback_that_returns_false_ends_the_training(mode, resumes, tmp_path):
    config, seen = Config(mode=mode, epochs=3), []

    def stop(epoch):
        return epoch.row["epoch"] < 2

    def nothing(epoch):
        seen.append(epoch.row["epoch"])

    with pytest.raises(TrainingStopped, match="stopped after epoch 2 of 3"):
        train(config, tmp_path / "x", progress=False, callbacks=[stop, nothing])
    assert seen == [1, 2], "all are told before it ends; None does not end it"
    assert "ended by TrainingStopped" in (tmp_path / "x" / "log.txt").read_text("utf-8")
    resumed = train(config, tmp_path / "x", resume=True, progress=False, callbacks=[nothing])
    assert seen[2:] == ([3] if resumes else [1, 2, 3])
    straight = train(config, tmp_path / "y", progress=False)
    assert (resumed.folder / "weights.safetensors").read_bytes() == (
        straight.folder / "weights.safetensors"
    ).read_bytes()


@pytest.mark.parametrize("answer", [0, 0.0, np.zeros(2), np.True_])
def test_false_alone_interrupts_a_training(answer, tmp_path):
    run = train(Config(mode="ae", epochs=2), tmp_path, progress=False,
                callbacks=[lambda epoch: answer])
    assert run.history.epoch.tolist() == [1, 2]


def test_each_model_of_an_ensemble_is_told_of(tmp_path):
    shared = {"epochs": 2, "stack": 2, "threads": 1, "precision": "float32"}
    configs = [Config(seed=seed, **shared) for seed in (0, 1)]
    told = []
    runs = train_ensemble(
        configs,
        [tmp_path / "0", tmp_path / "1"],
        progress=False,
        callbacks=[lambda epoch: told.append((epoch.config.seed, epoch.row["loss"]))],
    )
    assert told == [(seed, runs[seed].history.loss[i]) for i in (0, 1) for seed in (0, 1)]


def test_verbose_prints_a_line_an_epoch_where_there_is_no_terminal(tmp_path, capsys):
    command = ["train", "--epochs", "2", "--out"]
    assert main(["--verbose", *command, str(tmp_path / "x")]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "epoch" in line]
    loss = Run.load(tmp_path / "x").history.loss
    assert [line.split(", recon")[0] for line in lines] == [
        f"digits 8, o: epoch {i} of 2: loss {loss[i - 1]:.4g}" for i in (1, 2)
    ]
    assert main([*command, str(tmp_path / "y")]) == 0
    assert "epoch" not in capsys.readouterr().err


def test_a_verbose_sweep_prints_the_lines_of_its_processes(tmp_path, capfd):
    command = ["sweep", "--categories", "1,8", "--methods", "o", "--epochs", "2", "--jobs", "2"]
    assert main([*command, "--out", str(tmp_path / "x.csv"), "--verbose"]) == 0
    lines = [line for line in capfd.readouterr().err.splitlines() if "epoch" in line]
    assert sorted(line.split(": loss")[0] for line in lines) == [
        f"digits {category}, o: epoch {epoch} of 2" for category in (1, 8) for epoch in (1, 2)
    ]
