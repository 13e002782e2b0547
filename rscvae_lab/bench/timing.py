"""How `rscvae bench` measures: contestants that take turns, and the speed of our training."""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from torch.utils.benchmark import Timer

from rscvae_lab.config import Config
from rscvae_lab.datasets.one_class import OneClassSplit
from rscvae_lab.trainers import Training, train_epoch

Contestant = Callable[[float], float]  # runs for so many seconds, returns images per second


def race(contestants: Mapping[str, Contestant], seconds: float, rounds: int) -> pd.DataFrame:
    """Images per second: a column per contestant, a row per round. The order is drawn anew each
    round, so that nobody always inherits the caches and busy threads of the same predecessor."""
    for run in contestants.values():
        run(0.0)  # warm-up
    names, draw = list(contestants), random.Random(0)
    orders = [draw.sample(names, len(names)) for _ in range(rounds)]
    return pd.DataFrame([{name: contestants[name](seconds) for name in order}
                         for order in orders])[names]


def timed(step: Callable[[], Any], images: int, config: Config) -> Contestant:
    """Repeats a step over so many images, at least once, with the config's number of threads."""
    timer = Timer("step()", globals={"step": step}, num_threads=config.threads)
    return lambda seconds: images / timer.blocked_autorange(min_run_time=seconds).mean


def training_speed(config: Config, images: Tensor) -> Contestant:
    """Our training of M = `stack` models on these images each: whole epochs with their draws."""
    nothing, n = images[:0], config.stack
    split = OneClassSplit(images, *[nothing] * 5, *[torch.empty(0)] * 3)
    configs = [replace(config, seed=seed) for seed in range(n)]
    training = Training(configs, [Path("unused")] * n, [split] * n)
    return timed(lambda: train_epoch(training.step_on, training.batches.epoch(1)), len(images) * n,
                 config)
