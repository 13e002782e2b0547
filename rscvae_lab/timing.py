"""A stopwatch for `rscvae bench`, and the speed of our training by it."""

import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from rscvae_lab.config import Config
from rscvae_lab.datasets.one_class import OneClassSplit
from rscvae_lab.engine import Engine

Contestant = Callable[[float], float]  # runs for so many seconds and says how many images a second it saw


def race(contestants: dict[str, Contestant], seconds: float, rounds: int) -> pd.DataFrame:
    """Images a second of each, a row a round. Each round has another order, for what the one before leaves behind
    (memory, processes going to sleep) must not always hit the same."""
    for run in contestants.values():
        run(0.0)  # warmed up
    names, draw = list(contestants), random.Random(0)
    orders = [draw.sample(names, len(names)) for _ in range(rounds)]
    return pd.DataFrame([{name: contestants[name](seconds) for name in order} for order in orders])[names]


def timed(step: Callable[[], Any], images: int, config: Config) -> Contestant:
    """Repeats a step, which sees so many images, at least once."""
    def run(seconds: float) -> float:
        start, n = time.perf_counter(), 0
        while n < 1 or time.perf_counter() - start < seconds:
            step()
            n += 1
        if config.device == "cuda":
            torch.cuda.synchronize()
        return n * images / (time.perf_counter() - start)

    return run


def engine_speed(config: Config, images: Tensor) -> Contestant:
    """Our training of M = `stack` models on these images each, whole epochs with their draws."""
    nothing = images[:0]
    split = OneClassSplit(images, *[nothing] * 5, *[torch.empty(0)] * 3)
    engine = Engine([replace(config, seed=seed) for seed in range(config.stack)], [split] * config.stack)
    return timed(lambda: engine.run_epoch(1), len(images) * config.stack, config)
