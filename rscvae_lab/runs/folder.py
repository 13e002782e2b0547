"""Writing a run's folder: found or claimed, begun, and finished with `metrics.json` last."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from filelock import FileLock, Timeout

from rscvae_lab.config import Config
from rscvae_lab.datasets.one_class import OneClassSplit
from rscvae_lab.engine.draws import steps_per_epoch
from rscvae_lab.errors import InputError
from rscvae_lab.runs.evaluation import evaluate
from rscvae_lab.runs.run import (
    HISTORY_NAMES,
    METRIC_NAMES,
    NORMALISER_NAMES,
    Run,
    best,
    last,
    new_model,
    read_config,
)
from rscvae_lab.storage.files import (
    CONFIG,
    HISTORY,
    METRICS,
    RUN_FILES,
    SCORES,
    WEIGHTS,
    absolute,
    make_folder,
    project_root,
    remove_stale_parts,
    write_whole,
)
from rscvae_lab.storage.tensors import load_weights

LOCK = ".rscvae.lock"


def find(out: str | Path, config: Config, resume: bool) -> Run | None:
    """The finished run of this config in a folder, None where work is left; touches nothing.

    Raises:
        InputError: the folder holds the run of another config, an unfinished one and `resume` is
            False, or files of these names that are no run's.
    """
    folder = absolute(out)
    if not (folder / CONFIG).is_file():
        for name in RUN_FILES:
            if os.path.lexists(folder / name):
                raise InputError(f"expected a folder for a run in --out, found {name} in {folder} "
                                 "without its config.json: choose another folder")
        return None
    difference = _difference(read_config(folder), config)
    if difference:
        raise InputError(f"{folder} holds the run of another config ({difference}): "
                         "choose another folder")
    if (folder / METRICS).is_file():
        return Run.load(folder)
    if not resume:
        raise InputError(f"{folder} holds an unfinished run of this config: add --resume to go on "
                         "with it")
    return None


@contextmanager
def claim(out: str | Path, wait: bool) -> Iterator[None]:
    """Keeps other processes out of a run's folder while it is worked in; a killed one's claim is
    void.

    Raises:
        InputError: another process is at work in it and `wait` is False, or it cannot be written.
    """
    lock = FileLock(make_folder(out) / LOCK, timeout=-1 if wait else 0)
    try:
        with lock:
            yield
            Path(lock.lock_file).unlink(missing_ok=True)
    except Timeout:
        raise InputError(f"another training is at work in {out}: expected to be the only one"
                         ) from None


def begin(out: str | Path, config: Config) -> Path:
    """Makes a run's folder and writes `config.json`. Raises InputError where it cannot."""
    folder = make_folder(out)
    remove_stale_parts(folder, RUN_FILES)
    write_whole(folder / CONFIG, config.to_json())
    return folder


def finish(folder: Path, config: Config, split: OneClassSplit, history: list[dict[str, Any]],
           seconds: float | None = None) -> Run:
    """Scores the stored weights and writes the remaining files, `metrics.json` last; a finished
    run stays as it is.

    `seconds` of training are those of the history where it has any.
    """
    if (folder / METRICS).is_file():
        return Run.load(folder)
    seconds = sum(row["seconds"] for row in history) if seconds is None else seconds
    model = new_model(config)
    load_weights(folder / WEIGHTS, model)
    scores, figures = evaluate(model.to(config.device), split, config)
    table = pd.DataFrame(history, columns=HISTORY_NAMES)
    figures |= {"auroc_best": best(table, "auroc", figures["auroc"]),
                "auroc_final": last(table, "auroc", figures["auroc"])}
    metrics = dict.fromkeys((*METRIC_NAMES, *NORMALISER_NAMES))
    metrics |= figures | split.counts | _provenance(config, split, history, seconds)
    write_whole(folder / HISTORY, table.to_csv(index=False))
    write_whole(folder / SCORES, scores.to_csv(index=False))
    write_whole(folder / METRICS, json.dumps(metrics, indent=2) + "\n")
    return Run.load(folder)


def _difference(found: Config, asked: Config) -> str:
    """The first field in which two configs differ, in words; empty where they agree."""
    for name, value in vars(found).items():
        if value != getattr(asked, name):
            return f"{name} is {value!r} there and {getattr(asked, name)!r} here"
    return ""


def _provenance(config: Config, split: OneClassSplit, history: list[dict[str, Any]],
                seconds: float) -> dict[str, Any]:
    epochs, seen = bool(history), len(split.train) + len(split.anomalies)
    if epochs:
        seen = steps_per_epoch(seen, config.batch_size) * config.batch_size * config.epochs
    return {"epochs": config.result_epoch if epochs else None, "seed": config.seed,
            "scale": config.scale, "seconds": round(seconds, 3),
            "images_per_second": round(seen / seconds, 1), "device": config.device,
            "torch": torch.__version__, "commit": commit()}


@cache
def commit() -> str | None:
    """The checkout's commit, marked `-dirty` where the code that trains differs from it; None
    outside a checkout."""
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=project_root(), capture_output=True, text=True,
                              check=True, timeout=10).stdout.strip()

    try:
        trains = ("rscvae_lab", "pyproject.toml", "requirements.lock")
        changed = git("status", "--porcelain", "--", *trains)
        described = git("describe", "--always", "--abbrev=12", "--exclude=*")
        return described + ("-dirty" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None
