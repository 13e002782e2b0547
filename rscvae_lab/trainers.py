"""Training: one path for the modes vae, o, d and e, for one model (M = 1) or many side by side."""

import ctypes
import math
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from rscvae_lab import runs
from rscvae_lab.baselines.fitting import showing
from rscvae_lab.checkpoints import load_tensors, save_tensors, save_weights
from rscvae_lab.config import VAE_MODES, Config
from rscvae_lab.datasets import load_split
from rscvae_lab.datasets.one_class import OneClassSplit
from rscvae_lab.engine import Engine
from rscvae_lab.epochs import learning_rate, steps_per_epoch
from rscvae_lab.errors import InputError, TrainingStopped
from rscvae_lab.evaluation import aurocs_of
from rscvae_lab.files import runs_root

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
SAVE_SECONDS = {"cpu": 1.0, "cuda": 30.0}  # at most this much training, and the epoch in hand, is lost to a kill
Watch = Callable[["Training"], bool]
PER_MODEL = ("dataset", "category", "mode", "seed", "fraction", "heldout", "split_seed", "p", "shifts", "anomaly_base",
             "anomaly_draw", "lambda_consist", "beta", "consist_on_anomaly")  # here the models of a stack may differ


def train(config: Config, out: str | Path, *, resume: bool = False, progress: bool | None = True,
          wait: bool = False, watch: Watch | None = None) -> runs.Run:
    """Trains what the config describes, and leaves a finished run in the folder `out`.

    Args:
        resume: go on with an unfinished run of the same config; begins where nothing was begun. A finished run of
            the same config is returned as it is.
        progress: a bar over the epochs; None shows it on a terminal only.
        wait: where another process is training in the folder, for it to end; otherwise that is refused.
        watch: called after every epoch; False ends the training there.

    Raises:
        InputError: the folder holds another config's run, the data set is not there, training diverged.
        TrainingStopped: `watch` said so; the run can be resumed.
    """
    finished = runs.find(out, config, resume)
    if finished:
        return finished
    if config.mode not in VAE_MODES:
        return _fit_baseline(config, out, progress, wait)
    return train_stack([config], [out], progress=progress, wait=wait, watch=watch)[0]


def train_stack(configs: Sequence[Config], outs: Sequence[str | Path], *, progress: bool | None = True,
                wait: bool = False, watch: Watch | None = None) -> list[runs.Run]:
    """Trains M configs side by side and leaves M finished runs, each in its own folder.

    A stack that was stopped goes on from the state in the first folder; finished runs in it stay as they are.

    Raises:
        InputError: configs that cannot share a network or a schedule, and whatever `train` refuses.
    """
    _check_stack(configs)
    for config, out in zip(configs, outs):
        runs.find(out, config, resume=True)  # refuses another config's run in any of the folders
    prepare(configs[0])
    splits = [load_split(config) for config in configs]
    with runs.claim(outs[0], wait):
        found = [runs.find(out, config, resume=True) for config, out in zip(configs, outs)]
        if all(found):
            return found  # by the process that was waited for
        folders = [runs.begin(out, config) for config, out in zip(configs, outs)]
        training = Training(configs, folders, splits)
        histories = training.run(progress, watch)
        finished = [runs.finish(*parts) for parts in zip(folders, configs, splits, histories)]
        training.state_path.unlink(missing_ok=True)
    return finished


def trained(config: Config, progress: bool | None = True) -> runs.Run:
    """The run of a config from the store that notebooks share, trained on first use."""
    return train(config, runs_root() / "store" / config.config_hash, resume=True, progress=progress)


def _check_stack(configs: Sequence[Config]) -> None:
    for config in configs:
        for name in vars(config).keys() - set(PER_MODEL):
            expected, found = getattr(configs[0], name), getattr(config, name)
            if found != expected:
                raise InputError(f"models of one stack must agree in {name}: expected {expected!r}, found {found!r}")
    if len(configs) > 1 and configs[0].network != "plain":
        raise InputError(f"only plain networks can be stacked, found {len(configs)} of {configs[0].network}")
    if len(configs) != configs[0].stack:
        raise InputError(f"expected a stack of {configs[0].stack} models, found {len(configs)}")


def prepare(config: Config) -> None:
    """Sets torch to what the config says and to repeatable kernels, and this process to keep the memory it frees.

    Raises InputError for a GPU that is not there.
    """
    torch.set_num_threads(config.threads)
    if config.device == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda was asked for, but torch finds no CUDA GPU here")
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # NVIDIA's condition for repeatable products
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = config.precision == "tf32"
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Has glibc keep the few MB that every step frees. By luck of what lies behind them it would give them back to the
    system, and fetch them again page by page, 500 of them a step: up to a tenth of the time."""
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_TRIM_THRESHOLD, 128 * 2**20)
        libc.mallopt(_M_MMAP_THRESHOLD, 32 * 2**20)  # what is larger comes from the system, and goes back at once


class Training:
    """A stack on its way: epochs, evaluations, the histories so far, and the state that survives a kill."""

    def __init__(self, configs: Sequence[Config], folders: Sequence[Path], splits: Sequence[OneClassSplit]):
        self.configs, self.folders, self.splits, self.config = configs, folders, splits, configs[0]
        self.engine = Engine(configs, splits)
        self.histories: list[list[dict[str, Any]]] = [[] for _ in configs]
        self.state_path = folders[0] / runs.STATE
        if self.state_path.is_file():
            self._restore()

    def run(self, progress: bool | None = None, watch: Watch | None = None) -> list[list[dict[str, Any]]]:
        """Trains the epochs that are left; returns the rows of history.csv of each model's whole run."""
        done, saved = len(self.histories[0]), time.monotonic()
        with self._bar(done, progress) as bar:
            for epoch in range(done + 1, self.config.epochs + 1):
                self._one_epoch(epoch)
                stopped = watch is not None and not watch(self)
                if stopped or time.monotonic() - saved > SAVE_SECONDS[self.config.device]:
                    self._save()
                    saved = time.monotonic()
                if stopped and epoch < self.config.epochs:
                    raise TrainingStopped(f"stopped after epoch {epoch} of {self.config.epochs}; the run can go on")
                bar.set_postfix(loss=f"{self.histories[0][-1]['loss']:.1f}", refresh=False)
                bar.update()
        return self.histories

    def _bar(self, done: int, progress: bool | None) -> tqdm:
        first, more = self.config, len(self.configs) - 1
        name = f"{first.dataset} {first.category}, {first.mode}" + (f" and {more} more" if more else "")
        return tqdm(total=first.epochs, initial=done, unit="epoch", leave=False, desc=name,
                    disable=None if progress is None else not progress)

    def _one_epoch(self, epoch: int) -> None:
        start = time.perf_counter()
        sums = self.engine.run_epoch(epoch)
        seconds = (time.perf_counter() - start) / len(self.configs)  # each model's share
        due = epoch % self.config.evaluate_every == 0 or epoch in (self.config.result_epoch, self.config.epochs)
        models = self.engine.stack.unstack() if due else [None] * len(self.configs)
        for i, model in enumerate(models):
            row = self._means(i, epoch, sums[i]) | {"seconds": seconds}
            if due:
                row |= aurocs_of(model, self.splits[i], self.config.js)
            if epoch == self.config.result_epoch and not (self.folders[i] / runs.METRICS).is_file():
                save_weights(self.folders[i] / runs.WEIGHTS, model)
            self.histories[i].append(row)

    def _means(self, i: int, epoch: int, sums: list[list[float]]) -> dict[str, float | None]:
        """An epoch's means: `loss` over all images, the terms over normal ones, `anomalous` over the others."""
        config, own = self.configs[i], steps_per_epoch(self.engine.sizes[i], self.config.batch_size)
        (n_normal, loss, recon, enc1, enc2, mut), (n_anomalous, anomalous, *_) = sums
        loss += anomalous
        if not math.isfinite(loss):
            raise InputError(f"training diverged in epoch {epoch}: expected a finite loss of {config.dataset} "
                             f"{config.category}, {config.mode}, found {loss}; try a learning_rate below "
                             f"{config.learning_rate:g} in another folder")
        over_normal = {"recon": recon, "enc1": enc1, "enc2": enc2, "mut": mut, "consist": enc2 + mut}
        measured = ("recon", "enc1") if config.mode == "vae" else tuple(over_normal)
        row = {name: total / n_normal if n_normal and name in measured else None for name, total in over_normal.items()}
        rate = learning_rate(config, epoch - 1 + (own - 1) / own)
        return {"epoch": epoch, "loss": loss / (n_normal + n_anomalous), **row,
                "anomalous": anomalous / n_anomalous if n_anomalous else None, "learning_rate": rate}

    def _save(self) -> None:
        note = {"configs": [config.config_hash for config in self.configs], "histories": self.histories}
        save_tensors(self.state_path, self.engine.state, note)

    def _restore(self) -> None:
        tensors, note = load_tensors(self.state_path)
        state, hashes = self.engine.state, [config.config_hash for config in self.configs]
        if len(hashes) > 1 and note.get("configs") != hashes:
            return  # of a stack of another plan that began with the same model
        if note.get("configs") != hashes or {n: t.shape for n, t in tensors.items()} != {
                n: t.shape for n, t in state.items()}:
            raise InputError(f"expected the state of run {hashes[0]} in {self.state_path}, found another training's")
        for name, tensor in state.items():
            tensor.copy_(tensors[name])
        self.histories = note["histories"]


def _fit_baseline(config: Config, out: str | Path, progress: bool | None, wait: bool) -> runs.Run:
    """A compared method has no state to go on with: one that was stopped begins again."""
    prepare(config)
    split, model = load_split(config), runs.new_model(config)  # a method may refuse the config: before anything is left
    with runs.claim(out, wait):
        finished = runs.find(out, config, resume=True)  # by the process that was waited for
        if finished:
            return finished
        folder, start = runs.begin(out, config), time.perf_counter()
        with showing(progress):
            model.fit(split.train)
        save_weights(folder / runs.WEIGHTS, model)
        history = [{"epoch": epoch, "loss": loss} for epoch, loss in enumerate(model.losses, 1)]
        return runs.finish(folder, config, split, history, time.perf_counter() - start)
