"""Writing a run's folder: found or claimed, begun, and finished with `metrics.json` last.

A run of own images also leaves `images.json`, the digest of each, to tell later what changed.
"""

import json
import math
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from filelock import FileLock, Timeout

from rscvae_lab.config import Config, short
from rscvae_lab.datasets.image_cache import Changes
from rscvae_lab.datasets.industrial import digests_of
from rscvae_lab.datasets.one_class import OneClassSplit
from rscvae_lab.engine.draws import steps_per_epoch
from rscvae_lab.errors import InputError, one_line
from rscvae_lab.models.own import Networks
from rscvae_lab.runs import run
from rscvae_lab.runs.callbacks import log
from rscvae_lab.runs.evaluation import evaluate
from rscvae_lab.runs.run import Run
from rscvae_lab.storage.files import (
    CALIBRATION,
    CONFIG,
    HISTORY,
    IMAGES,
    LOG,
    METRICS,
    RUN_FILES,
    SCORES,
    WEIGHTS,
    absolute,
    is_checkout,
    make_folder,
    project_root,
    remove_stale_parts,
    runs_root,
    write_whole,
)
from rscvae_lab.storage.tensors import load_weights, save_tensors

LOCK = ".rscvae.lock"


def default(config: Config) -> Path:
    """The folder of a run for which none was named."""
    name = f"{config.dataset}-{short(config.category)}-{config.mode}-{config.config_hash}"
    return runs_root() / name


def find(out: str | Path, config: Config, resume: bool, networks: Networks = (None, None)
         ) -> Run | None:
    """The finished run of this config in a folder, None where work is left; touches nothing.
    Raises InputError where the folder holds the run of another config, of other images, an
    unfinished one and `resume` is False, or files that are not of a run."""
    folder = absolute(out)
    if not (folder / CONFIG).is_file():
        _refuse_foreign(folder)
        return None
    there = run.read_config(folder)
    difference = _difference(there, config)
    if difference:
        raise InputError(f"{folder} holds the run of another config ({difference}): "
                         "choose another folder")
    if there.data != config.data:
        raise InputError(f"{folder} holds a run of other images of {config.category} "
                         f"({changes(folder, config)}): choose another folder to train on those "
                         "of today, or bring the former ones back")
    if (folder / METRICS).is_file():
        return replace(Run.load(folder, networks), config=config)  # its images may have been moved
    if not resume:
        raise InputError(f"{folder} holds an unfinished run of this config: add --resume to go on "
                         "with it")
    return None


@contextmanager
def claim(out: str | Path, wait: bool) -> Iterator[None]:
    """Keeps other processes out of a run's folder while it is worked in; a killed one's claim is
    void. Raises InputError where another process is at work in it and `wait` is False, or where it
    cannot be written."""
    folder = make_folder(out)
    lock = FileLock(folder / LOCK, timeout=-1 if wait else 0)
    try:
        with lock:
            try:
                yield
            except BaseException as error:
                if (folder / CONFIG).is_file():
                    log(folder, f"ended by {type(error).__name__}: {one_line(error)}")
                raise
            if os.name == "posix":  # who waits for it notices; on Windows filelock removes it
                Path(lock.lock_file).unlink(missing_ok=True)
    except Timeout:
        raise InputError(f"another training is at work in {out}: expected to be the only one"
                         ) from None


def begin(out: str | Path, config: Config) -> Path:
    """Makes a run's folder and writes `config.json`. Raises InputError where it cannot."""
    folder = make_folder(out)
    remove_stale_parts(folder, RUN_FILES)
    write_whole(folder / CONFIG, config.to_json())
    digests = digests_of(config)
    if digests:
        write_whole(folder / IMAGES, json.dumps(digests, indent=1) + "\n")
    log(folder, f"run {config.config_hash}: {config.dataset} {config.category}, {config.mode}, "
                f"seed {config.seed}, {config.epochs} epochs on {config.device}, torch "
                f"{torch.__version__}, commit {commit()}")
    return folder


@contextmanager
def begun(folders: Sequence[Path], configs: Sequence[Config], has_trained: Callable[[], bool]
          ) -> Iterator[None]:
    """`begin` of each. An error before anything `has_trained` takes back what was written: a
    corrected loss or network is another config, and finds the folder free."""
    new = [folder for folder in folders if not (folder / CONFIG).is_file()]
    try:
        for folder, config in zip(folders, configs):
            begin(folder, config)
        yield
    except Exception:
        if not has_trained():
            for file in (folder / name for folder in new for name in (CONFIG, IMAGES, LOG)):
                with suppress(OSError):  # the first error is the one to tell
                    file.unlink(missing_ok=True)
        raise


def finish(folder: Path, config: Config, split: OneClassSplit, history: list[dict[str, Any]],
           seconds: float | None = None, networks: Networks = (None, None)) -> Run:
    """Scores the stored weights and writes the remaining files, `metrics.json` last; a finished
    run stays as it is. `seconds` of training are those of the history where it has any."""
    if (folder / METRICS).is_file():
        return Run.load(folder, networks)
    seconds = sum(row["seconds"] for row in history) if seconds is None else seconds
    model = run.new_model(config, networks)
    load_weights(folder / WEIGHTS, model)
    scores, figures, calibration = evaluate(model.to(config.device), split, config)
    table = pd.DataFrame(history, columns=run.HISTORY_NAMES)
    figures |= {"auroc_best": run.best(table, "auroc", figures["auroc"]),
                "auroc_final": run.last(table, "auroc", figures["auroc"])}
    metrics = dict.fromkeys((*run.METRIC_NAMES, *run.NORMALISER_NAMES))
    metrics |= figures | split.counts | _provenance(config, split, history, seconds)
    metrics |= run.false_alarms(metrics["n_heldout"])
    metrics = {name: None if isinstance(value, float) and not math.isfinite(value) else value
               for name, value in metrics.items()}  # JSON has no NaN
    if calibration:
        save_tensors(folder / CALIBRATION, calibration._asdict())
    write_whole(folder / HISTORY, table.to_csv(index=False))
    write_whole(folder / SCORES, scores.to_csv(index=False))
    write_whole(folder / METRICS, json.dumps(metrics, indent=2) + "\n")
    log(folder, f"finished: AUROC {metrics['auroc']}, {seconds:.1f} s")
    return Run.load(folder, networks)


def _refuse_foreign(folder: Path) -> None:
    """A run's first file is its config: what bears a run's names without it is somebody else's."""
    for name in RUN_FILES:
        if os.path.lexists(folder / name):
            raise InputError(f"{folder} holds {name} but no {CONFIG}, so it was not written by "
                             "rscvae: choose another folder")


def _difference(stored: Config, asked: Config) -> str:
    """The first field in which two configs differ, in words; empty where they agree. What
    fingerprints say is not compared here, nor where the images lie that have one."""
    skipped = ("data", "root") if stored.data else ("data",)
    for name, value in vars(stored).items():
        if name not in skipped and value != getattr(asked, name):
            return f"{name} is {value!r} there and {getattr(asked, name)!r} here"
    return ""


def changes(folder: Path, config: Config) -> str:
    """How today's images differ from those that a run was begun with, in words."""
    try:
        return f"{Changes.between(json.loads((folder / IMAGES).read_bytes()), digests_of(config))}"
    except (OSError, ValueError, AttributeError):
        return "which was begun before images were fingerprinted, or lost the list of them"


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
        return subprocess.run(["git", *words], cwd=project_root(), capture_output=True,
                              encoding="utf-8", check=True, timeout=10).stdout.strip()

    if not is_checkout():
        return None  # the working directory may lie in a repository of the user's
    try:
        trains = ("rscvae_lab", "pyproject.toml", "requirements.lock")
        changed = git("status", "--porcelain", "--", *trains)
        described = git("describe", "--always", "--abbrev=12", "--exclude=*")
        return described + ("-dirty" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None
