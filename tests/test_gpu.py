"""What only a GPU can show; skipped where there is none."""

from dataclasses import replace

import pytest
import torch

from rscvae_lab import trainers
from rscvae_lab.config import Config
from rscvae_lab.datasets import load_split
from rscvae_lab.engine.process import prepare
from rscvae_lab.trainers import Training, train, train_ensemble

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU"),
]

# Sets of different sizes, so that models are masked at the end of an epoch.
CONFIGS = [
    Config(
        device="cuda",
        mode=mode,
        category=category,
        heldout=heldout,
        precision="float32",
        stack=3,
        epochs=3,
    )
    for mode, category, heldout in (("o", "1", 0.4), ("d", "3", 0.1), ("e", "0", 0.1))
]


@pytest.mark.parametrize(
    "configs",
    [CONFIGS, [replace(CONFIGS[0], stack=1)], [replace(CONFIGS[0], stack=1, mode="vae")]],
    ids=["ensemble", "alone", "vae"],
)
def test_a_recorded_step_does_what_the_eager_one_does(configs, tmp_path, monkeypatch):
    prepare(configs[0])
    splits, trainings = [load_split(config) for config in configs], []
    for record in (trainers.recorded, lambda step, *_: step):
        monkeypatch.setattr(trainers, "recorded", record)
        trainings.append(Training(configs, [tmp_path] * len(configs), splits))
        start = [weight.detach().clone() for weight in trainings[-1].model.parameters()]
        for epoch in (1, 2):
            trainings[-1].run_epoch(epoch)
    recorded, eager = trainings
    for found, expected in zip(recorded.journal.histories, eager.journal.histories, strict=True):
        assert [row["loss"] for row in found] == pytest.approx(
            [row["loss"] for row in expected], rel=1e-3
        )
    for before, found, expected in zip(
        start, recorded.model.parameters(), eager.model.parameters(), strict=True
    ):
        assert (found - expected).norm() < 0.05 * (expected - before).norm()


@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
@pytest.mark.parametrize("network", ["plain", "resnet18"])
def test_the_step_of_every_network_can_be_recorded_in_every_precision(
    network, precision, tmp_path
):
    """Of one that cannot a warning tells, which is an error here."""
    config = Config(
        dataset="synthetic", category="plate", image_size=64, epochs=2,
        network=network, precision=precision, device="cuda",
    )
    assert train(config, tmp_path / "run", progress=False).history.loss.is_monotonic_decreasing


def test_an_ensemble_on_a_gpu_learns_what_lone_models_learn(tmp_path):
    configs = [replace(config, epochs=60, precision="tf32") for config in CONFIGS]
    for run in train_ensemble(
        configs, [tmp_path / config.mode for config in configs], progress=False
    ):
        alone = train(
            replace(run.config, stack=1, device="cpu", precision="float32"),
            tmp_path / f"{run.config.mode}-alone",
            progress=False,
        )
        assert run.metrics["auroc_recon"] == pytest.approx(alone.metrics["auroc_recon"], abs=0.03)


def test_the_same_seed_gives_the_same_bytes_and_resumes_to_them(tmp_path):
    folders = [
        [tmp_path / name / config.mode for config in CONFIGS] for name in ("one", "two", "stopped")
    ]
    one, two = (train_ensemble(CONFIGS, outs, progress=False) for outs in folders[:2])
    with pytest.raises(trainers.TrainingStopped):
        train_ensemble(
            CONFIGS, folders[2], progress=False, callbacks=[lambda epoch: len(epoch.history) < 2]
        )
    resumed = train_ensemble(CONFIGS, folders[2], progress=False)
    for runs in zip(one, two, resumed, strict=True):
        assert len({(run.folder / "weights.safetensors").read_bytes() for run in runs}) == 1


def test_the_floor_is_the_same_everywhere(tmp_path):
    on_gpu, on_cpu = (
        train(Config(mode="pca", device=device), tmp_path / device) for device in ("cuda", "cpu")
    )
    assert on_gpu.metrics["auroc"] == pytest.approx(on_cpu.metrics["auroc"], abs=1e-3)
