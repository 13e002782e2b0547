"""Training: one path for the modes vae, o, d and e.

All chance of an epoch (order, noise, shifts) comes from one generator seeded by (seed, epoch). A run stopped at any
moment therefore goes on from its last saved epoch to the same bytes, with no generator state to keep.
"""

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from rscvae_lab import losses, runs
from rscvae_lab.checkpoints import load_state, save_state, save_weights
from rscvae_lab.config import PAPER_HALF_PERIOD, VAE_MODES, Config
from rscvae_lab.datasets import load_split
from rscvae_lab.datasets.images import to_unit
from rscvae_lab.datasets.one_class import OneClassSplit
from rscvae_lab.datasets.shifts import shift_some
from rscvae_lab.errors import InputError
from rscvae_lab.evaluation import aurocs, measure
from rscvae_lab.files import runs_root
from rscvae_lab.models.vae import VAE

SAVE_SECONDS = 1.0  # at most this much training, and the epoch in hand, is lost to a kill


def train(config: Config, out: str | Path, *, resume: bool = False, progress: bool | None = True) -> runs.Run:
    """Trains what the config describes, and leaves a finished run in the folder `out`.

    Args:
        resume: go on with an unfinished run of the same config; begins where nothing was begun. A finished run of
            the same config is returned as it is.
        progress: a bar over the epochs; None shows it on a terminal only.

    Raises:
        InputError: the folder holds another config's run, the data set is not there, training diverged.
    """
    finished = runs.find(out, config, resume)
    if finished:
        return finished
    _prepare(config)
    split = load_split(config)
    folder = runs.begin(out, config)
    if config.mode not in VAE_MODES:
        return _fit_baseline(config, folder, split)
    history = Training(config, folder, split).run(progress)
    return runs.finish(folder, config, split, history, sum(row["seconds"] for row in history))


def _prepare(config: Config) -> None:
    """Sets torch to what the config says and to repeatable kernels. Raises InputError for a GPU that is not there."""
    torch.set_num_threads(config.threads)
    if config.device == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda was asked for, but torch finds no CUDA GPU here")
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False


def trained(config: Config, progress: bool | None = True) -> runs.Run:
    """The run of a config from the store that notebooks share, trained on first use."""
    return train(config, runs_root() / "store" / config.config_hash, resume=True, progress=progress)


def learning_rate(config: Config, passed: float) -> float:
    """The rate after so many epochs: rate_0 (1 + cos(pi passed / T)) / 2.

    `lesson`: T = epochs, half a cosine followed step by step down to 0. `paper`: T = 50 taken literally (Sec. 4.1)
    and moved once an epoch, so that the rate is back at its peak every 100 epochs, and a run of 500 ends there.
    """
    if config.scale == "paper":
        return config.learning_rate * 0.5 * (1.0 + math.cos(math.pi * int(passed) / PAPER_HALF_PERIOD))
    return config.learning_rate * 0.5 * (1.0 + math.cos(math.pi * passed / config.epochs))


def epoch_generator(config: Config, epoch: int) -> torch.Generator:
    """The generator of everything that is random in an epoch."""
    seed = np.random.SeedSequence((config.seed, epoch)).generate_state(1, np.uint64)[0]
    return torch.Generator(config.device).manual_seed(int(seed >> np.uint64(1)))


class Training:
    """One training in progress: the network, its optimizer, its images on the device, and the history so far."""

    def __init__(self, config: Config, folder: Path, split: OneClassSplit):
        self.config, self.folder, self.split = config, folder, split
        self.model = VAE.from_config(config, runs.CHANNELS).to(config.device, memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=config.learning_rate, fused=True)
        self.images = torch.cat([split.train, split.anomalies]).to(config.device)
        self.y = torch.arange(len(self.images), device=config.device) >= len(split.train)  # real anomalies come last
        self.history: list[dict[str, Any]] = []
        if (folder / runs.STATE).is_file():
            self.history = load_state(folder / runs.STATE, self.model, self.optimizer)["history"]

    def run(self, progress: bool | None) -> list[dict[str, Any]]:
        """Trains the epochs that are left; returns one row of history.csv for each epoch of the whole run."""
        config, saved = self.config, time.monotonic()
        bar = tqdm(total=config.epochs, initial=len(self.history), unit="epoch", leave=False,
                   desc=f"{config.dataset} {config.category}, {config.mode}",
                   disable=None if progress is None else not progress)
        with bar:
            for epoch in range(len(self.history) + 1, config.epochs + 1):
                self.history.append(self._epoch(epoch) | self._evaluation(epoch))
                if epoch == config.result_epoch:
                    save_weights(self.folder / runs.WEIGHTS, self.model)
                if time.monotonic() - saved > SAVE_SECONDS:
                    save_state(self.folder / runs.STATE, self.model, self.optimizer, {"history": self.history})
                    saved = time.monotonic()
                bar.set_postfix(loss=f"{self.history[-1]['loss']:.1f}", refresh=False)
                bar.update()
        return self.history

    def _epoch(self, epoch: int) -> dict[str, Any]:
        start = time.perf_counter()
        generator = epoch_generator(self.config, epoch)
        self.model.train()
        order = torch.randperm(len(self.images), generator=generator, device=self.config.device)
        batches, sums = order.split(self.config.batch_size), 0
        for i, batch in enumerate(batches):
            rate = learning_rate(self.config, epoch - 1 + i / len(batches))
            sums = sums + self._step(batch, rate, generator)
        row = self._means(epoch, sums.tolist())
        return {"epoch": epoch, **row, "learning_rate": rate, "seconds": time.perf_counter() - start}

    def _step(self, batch: Tensor, rate: float, generator: torch.Generator) -> Tensor:
        """One optimizer step on the images of these indices; returns the sums that `_means` turns into a row."""
        config = self.config
        images, y = self.images[batch], self.y[batch]
        if config.mode == "d":
            images, y = shift_some(images, config.p, generator, config.shifts)
        x = to_unit(images).contiguous(memory_format=torch.channels_last)
        noise = torch.randn(len(x), config.latent, generator=generator, device=config.device)
        terms = losses.terms(x, self.model(x, noise, recode=config.mode != "vae"), config.js)
        loss = losses.objective(terms, y, config.mode, config.lambda_consist, config.beta, config.consist_on_anomaly)
        self.optimizer.param_groups[0]["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        loss.mean().backward()
        self.optimizer.step()
        return _sums(loss.detach(), terms, y)

    def _means(self, epoch: int, sums: list[float]) -> dict[str, float | None]:
        """An epoch's means: `loss` over all images, the terms over normal ones, `anomalous` over the others."""
        loss, n_normal, n_anomalous, anomalous, recon, enc1, enc2, mut = sums
        if not math.isfinite(loss):
            raise InputError(f"training diverged in epoch {epoch}: expected a finite loss, found {loss}; "
                             f"try a learning_rate below {self.config.learning_rate:g} in another folder")
        recoded = self.config.mode != "vae"
        over_normal = {"recon": recon, "enc1": enc1, "enc2": enc2, "mut": mut, "consist": enc2 + mut}
        row = {name: total / n_normal if n_normal and (recoded or name in ("recon", "enc1")) else None
               for name, total in over_normal.items()}
        return {"loss": loss / (n_normal + n_anomalous), **row,
                "anomalous": anomalous / n_anomalous if n_anomalous else None}

    def _evaluation(self, epoch: int) -> dict[str, float]:
        """The AUROCs on the test set, where this epoch is one to evaluate and both labels are there."""
        config, counts = self.config, self.split.counts
        due = epoch % config.evaluate_every == 0 or epoch in (config.result_epoch, config.epochs)
        if not due or not (counts["n_test_normal"] and counts["n_test_novel"]):
            return {}
        return aurocs(self.split.test_labels.numpy(), measure(self.model, self.split.test, config.js))


def _sums(loss: Tensor, terms: losses.Terms, y: Tensor) -> Tensor:
    """loss, normal images, anomalous images, loss of the anomalous, then recon, enc1, enc2, mut of the normal: (8,)."""
    normal = (~y).to(loss.dtype)
    nothing = torch.zeros_like(loss)
    columns = [loss, normal, 1 - normal, loss * (1 - normal)]
    columns += [(nothing if term is None else term.detach()) * normal for term in terms]
    return torch.stack(columns).double().sum(1)


def _fit_baseline(config: Config, folder: Path, split: OneClassSplit) -> runs.Run:
    start = time.perf_counter()
    model = runs.new_model(config).fit(split.train)
    save_weights(folder / runs.WEIGHTS, model)
    return runs.finish(folder, config, split, [], time.perf_counter() - start)
