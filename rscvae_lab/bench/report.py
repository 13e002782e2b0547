"""`rscvae bench`: our training beside the loops one would write without this package, in one run.

Machines are noisy: contestants take turns, and every ratio is the median over the rounds of two
figures of one round. What the process does for torch (`engine.process`) serves all of them.
"""

import itertools
import json
import platform
import re
import statistics
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from rscvae_lab import widgets
from rscvae_lab.analysis.atlas import Atlas
from rscvae_lab.analysis.plane import Plane
from rscvae_lab.analysis.surveys import Survey
from rscvae_lab.bench import industrial, plain_loops
from rscvae_lab.bench.page import page_redraws
from rscvae_lab.bench.timing import Contestant, race, timed, training_speed
from rscvae_lab.config import Config
from rscvae_lab.datasets import load_split
from rscvae_lab.engine.process import prepare
from rscvae_lab.errors import InputError
from rscvae_lab.methods import MODES
from rscvae_lab.models.vae import VAE
from rscvae_lab.runs.evaluation import measure
from rscvae_lab.runs.folder import commit
from rscvae_lab.storage.files import make_folder, project_root, write_whole
from rscvae_lab.trainers import train

ROUNDS, MOST_SECONDS = 9, 3600
STACKS = (10, 40)
N_IMAGES = 5_265  # MNIST 8 without its held-out tenth
MEANINGS = {
    "dataloader_loop": "plain float32 loop: torch.nn, torch.optim.Adam, Dataset and DataLoader",
    "memory_loop": "plain float32 loop, all images in one tensor",
    "memory_loop_1": "plain float32 loop, all images in one tensor, one thread",
    "memory_loop_bf16": "plain loop, all images in one tensor, bfloat16 autocast",
    "ours": "our training of one model, in the precision it takes by default",
    "ours_1": "our training of one model, one thread",
    "sweep": "our sweep: one model per core, each in a process with one thread",
    **{f"stack_{n}": f"our training of an ensemble of {n} models" for n in STACKS},
    "scoring": "our scoring with a trained model",
    "gemm_share": "FLOP/s of our training / FLOP/s of one large matrix product",
    "redraw_ms": "milliseconds to redraw the slowest widget",
    "page_ms": "milliseconds to redraw the slowest figure of the page (rscvae explore)",
    **{f"page {name}": f"to redraw figure {name} of the page" for name in "abcd"},
    **industrial.MEANINGS,
    **industrial.SHARES,
}
RATIOS = {
    "vs_memory_loop": ("ours", "memory_loop"),
    "vs_memory_loop_1": ("ours_1", "memory_loop_1"),
    "vs_memory_loop_bf16": ("ours", "memory_loop_bf16"),
    "vs_dataloader_loop": ("ours", "dataloader_loop"),
    "sweep_vs_memory_loop": ("sweep", "memory_loop"),
    "vs_eager_gpu": (f"stack_{STACKS[-1]}", "memory_loop"),  # ensembles run on a GPU alone
    **industrial.RATIOS,
}
MEANINGS |= {name: " / ".join(pair) for name, pair in RATIOS.items()}


def bench(device: str = "auto", seconds: float = 1.0) -> dict[str, Any]:
    """Measures, each contestant for so many seconds per round, and writes the report to
    `results/bench/<host>-<date>.json`."""
    if not 0 <= seconds <= MOST_SECONDS:
        raise InputError(f"seconds must lie between 0 and {MOST_SECONDS}, found {seconds}")
    config = Config(dataset="mnist", device=device, threads=2)
    prepare(config)
    images = industrial.measured(config, seconds, ROUNDS)
    rounds = pd.concat([race(contestants(config), seconds, ROUNDS), images], axis=1)
    flops, peak, redraw_ms = flops_per_image(config), gemm_peak(config), redraws(config)
    page_ms = page_redraws()
    report = {
        "machine": _machine(config), "commit": commit(), "precision": config.precision,
        "images_per_second": {name: round(speed, 1) for name, speed in rounds.median().items()},
        "mflop_per_image": round(flops / 1e6, 1), "gemm_peak_gflops": round(peak / 1e9, 1),
        "redraw_ms": redraw_ms | page_ms,
        "ratios": ratios(rounds, flops, peak) | industrial.shares(images, config, gemm_peak) | {
            "redraw_ms": max(redraw_ms.values()), "page_ms": max(page_ms.values(), default=None)},
    }
    folder = make_folder(project_root() / "results" / "bench")
    path = folder / f"{platform.node()}-{date.today()}.json"
    write_whole(path, json.dumps(report, indent=2) + "\n")
    return report | {"path": str(path)}


def contestants(config: Config) -> dict[str, Contestant]:
    """Those that take images of MNIST's size; `MEANINGS` says what each is."""
    raw, images = (plain_loops.random_images(N_IMAGES, side) for side in (28, config.image_size))
    plain, one = replace(config, precision="float32"), replace(config, threads=1)
    loader = plain_loops.from_loader(plain_loops.ImageDataset(raw, config.image_size), config)
    memory = plain_loops.from_memory(images, config)
    loops = {"dataloader_loop": (loader, plain), "memory_loop": (memory, plain),
             "memory_loop_1": (memory, replace(plain, threads=1)),
             "memory_loop_bf16": (memory, replace(plain, precision="bfloat16"))}
    runs = {name: timed(plain_loops.training(batches, loop), config.batch_size, loop)
            for name, (batches, loop) in loops.items()}
    model = VAE.from_config(config).to(config.device, memory_format=torch.channels_last)
    score = partial(measure, model, images[:2048], config.js)
    runs |= {"ours": _ours(config), "scoring": timed(score, 2048, config)}
    if config.device == "cpu":
        return runs | {"ours_1": _ours(one), "sweep": partial(_sweep, one)}
    return runs | {f"stack_{n}": _ours(replace(config, stack=n)) for n in STACKS}


def _ours(config: Config) -> Contestant:
    """An epoch holds a class of MNIST on a GPU; on a CPU it is short, for rounds are too."""
    n = N_IMAGES if config.device == "cuda" else max(1280, 2 * config.batch_size)
    return training_speed(config, plain_loops.random_images(n, config.image_size))


def _sweep(config: Config, seconds: float) -> float:
    """As sweeps train on a CPU: one process per core."""
    cores = joblib.cpu_count()
    tasks = [joblib.delayed(_in_a_process)(config, seconds)] * cores
    return sum(joblib.Parallel(cores)(tasks))


def _in_a_process(config: Config, seconds: float) -> float:
    prepare(config)
    return _ours(config)(max(seconds, 2.0))  # the processes overlap nearly all the time


def flops_per_image(config: Config) -> float:
    """Of convolutions and matrix products, forward and backward, in mode o."""
    images = plain_loops.random_images(config.batch_size, config.image_size)
    step = plain_loops.training(plain_loops.from_memory(images, config), config)
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops() / config.batch_size


def gemm_peak(config: Config, n: int = 2048) -> float:
    """FLOP/s of one large matrix product in this precision: the best that the machine can do."""
    dtype = torch.bfloat16 if config.precision == "bfloat16" else torch.float32
    a = torch.randn(n, n, device=config.device, dtype=dtype)
    return max(timed(lambda: a @ a, 2 * n**3, config)(0.5) for _ in range(ROUNDS))


def redraws(config: Config) -> dict[str, float]:
    """Median milliseconds from a changed control to the new image, for each widget."""
    with tempfile.TemporaryDirectory() as scratch:
        config = Config(device=config.device, epochs=2, evaluate_every=1, threads=config.threads)
        run = train(config, Path(scratch) / "run", progress=False)
        flat = train(replace(config, latent=2), Path(scratch) / "flat", progress=False)
        survey, images = Survey.of(run), load_split(config).train
        atlases = dict.fromkeys(("vae", "o"), Atlas.of(survey))
        steps = range(0, 361, widgets.rotation.STEP)
        panels = {
            "rotation": (widgets.rotation_explorer(survey), "angle", steps),
            "gaussians": (widgets.gaussian_explorer(), "dimensions", range(1, 65)),
            "alpha": (widgets.alpha_explorer(run), "alpha", widgets.scores.ALPHAS),
            "shifts": (widgets.shift_playground({"8": (images, images)}), "cutout", range(1, 33)),
            "deviation": (widgets.DeviationExplorer(atlases), "chosen", range(1, 100)),
            "chooser": (widgets.run_chooser([run]), "epoch", (1, 2) * ROUNDS),
            "plane": (widgets.LatentPlane(Plane.of(Survey.of(flat))), "z_1", range(-3, 4)),
            "modes": (widgets.mode_switch(), "mode", MODES * ROUNDS),
        }
        return {name: _redraw_ms(*panel) for name, panel in panels.items()}


def _redraw_ms(panel: widgets.Panel, name: str, values: Iterable[Any]) -> float:
    control, times = panel.controls[name], []
    for value in itertools.islice(values, 2 * ROUNDS):
        if value == control.value:
            continue  # nothing to draw
        start = time.perf_counter()
        control.value = value
        times.append(1e3 * (time.perf_counter() - start))
        if panel.error.value:
            raise RuntimeError(panel.error.value)  # a drawing that failed must not count as fast
    return round(statistics.median(times), 1)


def ratios(rounds: pd.DataFrame, flops: float, peak: float) -> dict[str, float | None]:
    """The medians of `RATIOS` over the rounds, None where one of the two did not run; and
    `gemm_share`, our fastest training in the main precision as a share of `peak` FLOP/s."""
    medians = {name: round(float((rounds[a] / rounds[b]).median()), 2) if {a, b} <= {*rounds}
               else None for name, (a, b) in RATIOS.items()}
    ours = [name for name in rounds if name == "ours" or name.startswith("stack")]
    share = rounds[ours].median().max() * flops / peak
    return medians | {"gemm_share": round(float(share), 3)}


def table(report: dict[str, Any]) -> str:
    """The report as text: a figure, its name and its meaning on each line."""
    machine = report["machine"]
    lines = [f"{machine['cpu']}, {machine['accelerator'] or 'no GPU'}; {report['precision']} and "
             f"{machine['threads']} threads unless a line says otherwise",
             f"{report['mflop_per_image']} MFLOP per image; one large matrix product reaches "
             f"{report['gemm_peak_gflops']} GFLOP/s"]
    for title, key in (("images per second, medians over rounds", "images_per_second"),
                       ("milliseconds, medians over changes", "redraw_ms"),
                       ("ratios and shares, medians over rounds; the slowest redraws", "ratios")):
        lines += ["", title]
        lines += [f"{value:>10,}  {name:28}  {MEANINGS.get(name, f'to redraw the widget {name}')}"
                  for name, value in report[key].items() if value is not None]
    return "\n".join(lines)


def _machine(config: Config) -> dict[str, Any]:
    return {"host": platform.node(), "cpu": _cpu_name(), "cores": joblib.cpu_count(),
            "accelerator": torch.cuda.get_device_name() if config.device == "cuda" else None,
            "threads": config.threads, "system": platform.system(),
            "python": platform.python_version(), "torch": torch.__version__}


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text("utf-8") if cpuinfo.exists() else ""
    names = re.findall(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return names[0] if names else platform.machine()
