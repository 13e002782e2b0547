"""`rscvae bench`: what is fast, by how much, and how far from the machine's limit, side by side in one run.

Machines are noisy: contestants take turns, every ratio is the median over the rounds of two figures of one round.
"""

import itertools
import json
import platform
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from rscvae_lab import widgets
from rscvae_lab.analysis.atlas import Atlas
from rscvae_lab.analysis.surveys import Survey
from rscvae_lab.bench import industrial, plain_loops
from rscvae_lab.bench.timing import Contestant, training_speed, race, timed
from rscvae_lab.config import Config
from rscvae_lab.datasets import load_split
from rscvae_lab.models.vae import VAE
from rscvae_lab.runs.evaluation import measure
from rscvae_lab.runs.folder import commit
from rscvae_lab.storage.files import make_folder, project_root, write_whole
from rscvae_lab.trainers import prepare, train

ROUNDS = 9
STACKS = (10, 40)
N_IMAGES = 5_265  # MNIST 8 without its held-out tenth
_SOURCE_SIZE = 28


def bench(device: str = "auto", seconds: float = 1.0) -> dict[str, Any]:
    """Measures, and leaves `results/bench/<host>-<date>.json`.

    Args:
        seconds: how long each contestant runs in a round.
    """
    config = Config(dataset="mnist", device=device)
    prepare(config)
    rounds = race(_contestants(config), seconds, ROUNDS)
    speeds, pictures = rounds.median(), industrial.measured(device, seconds, ROUNDS)
    flops, peak = flops_per_image(config), gemm_peak(config)
    report = {
        "machine": _machine(config), "commit": commit(), "precision": config.precision,
        "images_per_second": {name: round(value, 1) for name, value in [*speeds.items(), *pictures.median().items()]},
        "mflop_per_image": round(flops / 1e6, 1), "gemm_peak_gflops": round(peak / 1e9, 1),
        "scored_images_per_second": round(_scoring_speed(config), 1),
        "redrawn_ms": (redrawn := redraws(config)),
        "ratios": ratios(rounds, flops, peak) | industrial.ratios(pictures)
        | {"redraw_ms": max(redrawn.values())},
    }
    path = make_folder(project_root() / "results" / "bench") / f"{platform.node()}-{date.today()}.json"
    write_whole(path, json.dumps(report, indent=2) + "\n")
    return report | {"path": str(path)}


def _contestants(config: Config) -> dict[str, Contestant]:
    raw, images = (plain_loops.synthetic(N_IMAGES, size) for size in (_SOURCE_SIZE, config.image_size))
    plain = {"dataloader_loop": plain_loops.from_loader(raw, config),
             "memory_loop": plain_loops.from_memory(images, config)}
    contestants = {name: timed(plain_loops.training(batches, config), config.batch_size, config)
                   for name, batches in plain.items()}
    contestants["ours"] = training_speed(config, _in_memory(config))
    for stacked in (replace(config, stack=n) for n in STACKS):
        contestants[f"stack_{stacked.stack}"] = training_speed(stacked, _in_memory(stacked))
    if config.device == "cpu":
        contestants["sweep"] = _Processes(replace(config, threads=1))
    return contestants


def _in_memory(config: Config) -> Tensor:
    """Images for an epoch of a few steps on a CPU, or of a class of MNIST on a GPU."""
    n = N_IMAGES if config.device == "cuda" else max(2 * config.batch_size, 2560 // config.stack)
    return plain_loops.synthetic(n, config.image_size)


class _Processes:
    """A sweep's way on a CPU: one process a core, one thread each."""

    def __init__(self, config: Config):
        self.config, self.jobs = config, joblib.cpu_count()

    def __call__(self, seconds: float) -> float:
        tasks = [joblib.delayed(_in_a_process)(self.config, seconds) for _ in range(self.jobs)]
        return sum(joblib.Parallel(self.jobs)(tasks))


def _in_a_process(config: Config, seconds: float) -> float:
    prepare(config)
    run = training_speed(config, _in_memory(config))
    run(0.0)
    return run(max(seconds, 2.0))  # the processes overlap for the better part of it


def flops_per_image(config: Config) -> float:
    """Floating-point operations of convolutions and products, forward and backward, of one image in mode o."""
    batches = plain_loops.from_memory(plain_loops.synthetic(config.batch_size, config.image_size), config)
    step = plain_loops.training(batches, config)
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops() / config.batch_size


def gemm_peak(config: Config, n: int = 2048) -> float:
    """FLOP/s of one large matrix product in the precision we train in: the best that this machine can do."""
    dtype = torch.bfloat16 if config.precision == "bfloat16" else torch.float32
    a = torch.randn(n, n, device=config.device, dtype=dtype)
    return max(timed(lambda: a @ a, 2 * n**3, config)(0.5) for _ in range(ROUNDS))


def _scoring_speed(config: Config) -> float:
    model = VAE.from_config(config).to(config.device, memory_format=torch.channels_last).eval()
    images = plain_loops.synthetic(2048, config.image_size)
    measure(model, images, config.js)
    return max(timed(lambda: measure(model, images, config.js), len(images), config)(1.0) for _ in range(3))


def redraws(config: Config) -> dict[str, float]:
    """Milliseconds from a moved control to its picture, for each panel of the course on the digits: medians."""
    with tempfile.TemporaryDirectory() as scratch:
        run = train(Config(device=config.device, epochs=2, evaluate_every=1), Path(scratch) / "run", progress=False)
        survey, images = Survey.of(run), load_split(run.config).train
        atlas = Atlas.of(survey)
        panels = {
            "rotation": (widgets.rotation_explorer(survey), "angle", range(0, 361, widgets.rotation.STEP)),
            "gaussians": (widgets.gaussian_explorer(), "dimensions", range(1, 65)),
            "alpha": (widgets.alpha_explorer(run), "alpha", widgets.scores.ALPHAS),
            "shifts": (widgets.shift_playground({"8": (images, images)}), "cutout", range(1, 33)),
            "deviation": (widgets.DeviationExplorer({"vae": atlas, "o": atlas}), "chosen", range(1, 100)),
            "chooser": (widgets.run_chooser([run]), "epoch", (1, 2) * ROUNDS),
        }
        return {name: _redraw_ms(*case) for name, case in panels.items()}


def _redraw_ms(panel: widgets.Panel, name: str, values: Iterable[float]) -> float:
    control, times = panel.controls[name], []
    for value in itertools.islice(values, 2 * ROUNDS):
        if value == control.value:
            continue  # nothing to draw
        start = time.perf_counter()
        control.value = value
        times.append(1e3 * (time.perf_counter() - start))
        if panel.error.value:
            raise RuntimeError(panel.error.value)  # a picture that was not drawn is no fast one
    return round(float(np.median(times)), 1)


def ratios(rounds: pd.DataFrame, flops: float, peak: float) -> dict[str, float | None]:
    def over(name: str, other: str) -> float | None:
        return round(float((rounds[name] / rounds[other]).median()), 2) if name in rounds else None

    best = rounds[[name for name in rounds if name.startswith(("ours", "stack"))]].median().max()
    on_gpu = "sweep" not in rounds
    return {
        "vs_memory_loop": over("ours", "memory_loop"), "vs_dataloader_loop": over("ours", "dataloader_loop"),
        "sweep_vs_memory_loop": over("sweep", "memory_loop"),
        "vs_eager_gpu": over(f"stack_{STACKS[-1]}", "memory_loop") if on_gpu else None,
        "gemm_share": round(float(best * flops / peak), 3),
    }


def table(report: dict[str, Any]) -> str:
    """The report as lines to read."""
    speeds = report["images_per_second"]
    lines = [f"{report['machine']['cpu']}, {report['machine']['accelerator'] or 'no GPU'}, {report['precision']}",
             f"{report['mflop_per_image']} MFLOP an image; matrix products reach {report['gemm_peak_gflops']} GFLOP/s"]
    lines += [f"{name:24} {speed:12,.0f} images/s" for name, speed in speeds.items()]
    lines += [f"{'scoring':24} {report['scored_images_per_second']:12,.0f} images/s"]
    lines += [f"{f'{name} redrawn':24} {milliseconds:12,.0f} ms" for name, milliseconds in report["redrawn_ms"].items()]
    return "\n".join([*lines, *(f"{name:24} {value}" for name, value in report["ratios"].items() if value is not None)])


def _machine(config: Config) -> dict[str, Any]:
    accelerator = torch.cuda.get_device_name() if config.device == "cuda" else None
    return {"host": platform.node(), "cpu": _cpu_name(), "cores": joblib.cpu_count(), "threads": config.threads,
            "accelerator": accelerator, "system": platform.system(), "python": platform.python_version(),
            "torch": torch.__version__, "numpy": np.__version__}


def _cpu_name() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
