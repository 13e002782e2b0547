"""What only a GPU can show; skipped where there is none."""

from dataclasses import replace

import pytest
import torch

from rscvae_lab.config import VAE_MODES, Config
from rscvae_lab.datasets import load_split
from rscvae_lab.engine import Engine
from rscvae_lab.trainers import prepare, train, train_stack

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")

CONFIGS = [Config(device="cuda", mode=mode, category=category, precision="float32", stack=4, epochs=3)
           for mode, category in zip(VAE_MODES, "8130", strict=True)]


@pytest.mark.parametrize("configs", [CONFIGS, [replace(CONFIGS[1], stack=1)]], ids=["stack", "alone"])
def test_a_recorded_step_does_what_the_eager_one_does(configs):
    prepare(configs[0])
    splits = [load_split(config) for config in configs]
    recorded, eager = Engine(configs, splits), Engine(configs, splits)
    eager._recorded_step = lambda batch: eager._eager_step
    start = eager.stack.flat.clone()
    for epoch in (1, 2):
        for found, expected in zip(recorded.run_epoch(epoch), eager.run_epoch(epoch), strict=True):
            torch.testing.assert_close(torch.tensor(found), torch.tensor(expected), rtol=1e-3, atol=1e-6)
    moved, expected = (engine.stack.flat - start for engine in (recorded, eager))
    assert (moved - expected).norm() < 0.05 * expected.norm()
    assert torch.equal(recorded.optimizer.steps, eager.optimizer.steps)


def test_a_stack_on_a_gpu_learns_what_lone_models_learn(tmp_path):
    configs = [replace(config, epochs=60, precision="tf32") for config in CONFIGS]
    stacked = train_stack(configs, [tmp_path / config.mode for config in configs], progress=False)
    for run in stacked:
        alone = train(replace(run.config, stack=1, device="cpu", precision="float32"),
                      tmp_path / f"{run.config.mode}-alone", progress=False)
        assert run.metrics["auroc_recon"] == pytest.approx(alone.metrics["auroc_recon"], abs=0.03)


def test_the_same_seed_gives_the_same_bytes_and_resumes_to_them(tmp_path, monkeypatch):
    folders = [[tmp_path / name / config.mode for config in CONFIGS] for name in ("one", "two", "stopped")]
    one, two = (train_stack(CONFIGS, outs, progress=False) for outs in folders[:2])
    monkeypatch.setattr("rscvae_lab.trainers.SAVE_SECONDS", {"cuda": 0.0})
    run_epoch = Engine.run_epoch

    def stop_in_the_third(engine, epoch):
        if epoch == 3:
            raise KeyboardInterrupt
        return run_epoch(engine, epoch)

    monkeypatch.setattr(Engine, "run_epoch", stop_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        train_stack(CONFIGS, folders[2], progress=False)
    monkeypatch.setattr(Engine, "run_epoch", run_epoch)
    resumed = train_stack(CONFIGS, folders[2], progress=False)
    for runs in zip(one, two, resumed, strict=True):
        assert len({(run.folder / "weights.safetensors").read_bytes() for run in runs}) == 1


def test_the_floor_is_the_same_everywhere(tmp_path):
    on_gpu, on_cpu = (train(Config(mode="pca", device=device), tmp_path / device) for device in ("cuda", "cpu"))
    assert on_gpu.metrics["auroc"] == pytest.approx(on_cpu.metrics["auroc"], abs=1e-3)
