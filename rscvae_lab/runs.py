"""A run on disk: `config.json`, `weights.safetensors`, `history.csv`, `scores.csv`, `metrics.json`.

`metrics.json` is written last: a folder that holds it holds a finished run.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Self

import pandas as pd
import torch
from filelock import FileLock, Timeout
from torch import Tensor, nn

from rscvae_lab.baselines import METHODS
from rscvae_lab.checkpoints import load_weights
from rscvae_lab.config import VAE_MODES, Config
from rscvae_lab.datasets.one_class import OneClassSplit
from rscvae_lab.epochs import steps_per_epoch
from rscvae_lab.errors import InputError
from rscvae_lab.evaluation import evaluate, score
from rscvae_lab.files import make_folder, project_root, runs_root, sweep_parts, write_whole
from rscvae_lab.models.vae import VAE
from rscvae_lab.scoring import Normalisers
from rscvae_lab.settings import command_of

CONFIG, WEIGHTS, HISTORY = "config.json", "weights.safetensors", "history.csv"
SCORES, METRICS, STATE, LOCK = "scores.csv", "metrics.json", "state.safetensors", ".lock"

HISTORY_NAMES = ("epoch", "loss", "recon", "enc1", "enc2", "mut", "consist", "anomalous", "learning_rate", "seconds",
                 "auroc", "auroc_recon", "auroc_mut")
METRIC_NAMES = (
    "auroc", "auroc_recon", "auroc_mut", "auroc_heldout_norm", "auroc_best", "auroc_final", "threshold", "s_a",
    "s_a_test_mean", "s_a_spearman", "n_train", "n_heldout", "n_anomalous_train", "n_test_normal", "n_test_novel",
    "epochs", "seed", "scale", "seconds", "images_per_second", "device", "torch", "commit", "auroc_validation",
    "auroc_validation_recon", "s_a_relative", "semantic_deviation_rate", "normal_in_unknown",
)
NORMALISER_NAMES = ("heldout_mean_recon", "heldout_mean_mut")  # beside them in metrics.json, for novelty_score
_SETTINGS = ("beta", "p", "anomaly_base", "js", "widths")
_REST = [field.name for field in fields(Config) if field.name not in {"mode", "recipe", *_SETTINGS, *METRIC_NAMES}]
ROW_NAMES = tuple(dict.fromkeys(("dataset", "category", "method", "config_hash", *_SETTINGS, *METRIC_NAMES, *_REST,
                                 "command")))


def new_model(config: Config) -> nn.Module:
    """The untrained model of a config."""
    return METHODS[config.mode](config) if config.mode in METHODS else VAE.from_config(config)


@dataclass(frozen=True)
class Run:
    """A finished run, read from its folder."""

    folder: Path
    config: Config
    metrics: dict[str, Any]

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Raises InputError where the folder holds no finished run."""
        folder = Path(folder).expanduser().resolve()
        if not (folder / METRICS).is_file():
            found = "an unfinished one" if (folder / CONFIG).is_file() else "none"
            raise InputError(f"expected a finished run in {folder}, found {found}")
        return cls(folder, read_config(folder), _read_metrics(folder / METRICS))

    @cached_property
    def model(self) -> nn.Module:
        """The trained model, in eval mode, on the CPU."""
        model = new_model(self.config)
        load_weights(self.folder / WEIGHTS, model)
        return model.eval()

    @cached_property
    def history(self) -> pd.DataFrame:
        return pd.read_csv(self.folder / HISTORY)

    @cached_property
    def scores(self) -> pd.DataFrame:
        return pd.read_csv(self.folder / SCORES)

    def score(self, images: Tensor) -> pd.DataFrame:
        """l_recon, l_mut, l_enc1 and novelty_score of images (N, 1, S, S); a score depends on its image alone."""
        return score(self.model, images, self.config, self.normalisers)

    @property
    def normalisers(self) -> Normalisers | None:
        """The held-out means of novelty_score; None for a baseline, which has its own score."""
        if self.config.mode in VAE_MODES:
            return Normalisers(*(self.metrics[name] for name in NORMALISER_NAMES))
        return None

    def result_rows(self) -> list[dict[str, Any]]:
        """The run as rows of a results table; one `vae` training is two: `vae` (alpha 0) and `recode_vae` (0.5)."""
        config = self.config
        row = {name: value for name, value in vars(config).items() if name in ROW_NAMES}
        row |= {"method": config.mode, "config_hash": config.config_hash, "command": command_of(config),
                "widths": "-".join(map(str, config.widths))} | {name: self.metrics[name] for name in METRIC_NAMES}
        if config.mode != "vae":
            return [row]
        by_reconstruction = {"method": "vae", "auroc": row["auroc_recon"], "auroc_heldout_norm": row["auroc_recon"],
                             "auroc_validation": row["auroc_validation_recon"],
                             "auroc_best": _best(self.history, "auroc_recon"),
                             "auroc_final": _last(self.history, "auroc_recon"), "threshold": None}
        return [row | by_reconstruction, row | {"method": "recode_vae"}]


def finished(folder: str | Path | None = None) -> list[Run]:
    """The finished runs directly in a folder, by default the store that notebooks share; in order of their names. What
    cannot be read, say because an older version wrote it, is left out."""
    folder, found = runs_root() / "store" if folder is None else Path(folder).expanduser(), []
    for metrics in sorted(folder.glob(f"*/{METRICS}")):
        with suppress(InputError):
            found.append(Run.load(metrics.parent))
    return found


def read_config(folder: Path) -> Config:
    """The config of a run. Raises InputError where `config.json` is not one that rscvae wrote."""
    return Config.from_json((folder / CONFIG).read_text(errors="replace"))


def _read_metrics(path: Path) -> dict[str, Any]:
    try:
        metrics = json.loads(path.read_text(errors="replace"))
        missing = {*METRIC_NAMES, *NORMALISER_NAMES} - set(metrics)
    except (json.JSONDecodeError, TypeError) as error:
        raise InputError(f"expected JSON in {path}, found something else ({error})") from None
    if missing:
        raise InputError(f"expected the metrics of a run in {path}, found none named {min(missing)}")
    return metrics


def find(out: str | Path, config: Config, resume: bool) -> Run | None:
    """The finished run of this config in a folder, None where there is work to do; touches nothing.

    Raises:
        InputError: the folder holds the run of another config, or an unfinished one and `resume` is False.
    """
    folder = Path(out).expanduser().resolve()
    if not (folder / CONFIG).is_file():
        return None
    difference = _difference(read_config(folder), config)
    if difference:
        raise InputError(f"{folder} holds the run of another config ({difference}): choose another folder")
    if (folder / METRICS).is_file():
        return Run.load(folder)
    if not resume:
        raise InputError(f"{folder} holds an unfinished run of this config: add --resume to go on with it")
    return None


@contextmanager
def claim(out: str | Path, wait: bool) -> Iterator[None]:
    """Keeps other processes out of a run's folder for as long as it is worked in; a killed one's claim is void.

    Raises:
        InputError: another process is at work in it and `wait` is False, or it cannot be written.
    """
    lock = FileLock(make_folder(out) / LOCK, timeout=-1 if wait else 0)
    try:
        with lock:
            yield
            Path(lock.lock_file).unlink(missing_ok=True)
    except Timeout:
        raise InputError(f"another training is at work in {out}: expected to be the only one") from None


def begin(out: str | Path, config: Config) -> Path:
    """Makes a run's folder and writes `config.json`. Raises InputError where it cannot be written."""
    folder = make_folder(out)
    sweep_parts(folder)
    if not (folder / CONFIG).is_file():  # what lies there without a config belongs to another run
        for name in (STATE, METRICS):
            (folder / name).unlink(missing_ok=True)
    write_whole(folder / CONFIG, config.to_json())
    return folder


def _difference(found: Config, asked: Config) -> str:
    """The first field in which two configs differ, in words; empty where they agree."""
    for name, value in vars(found).items():
        if value != getattr(asked, name):
            return f"{name} is {value!r} there and {getattr(asked, name)!r} here"
    return ""


def finish(folder: Path, config: Config, split: OneClassSplit, history: list[dict[str, Any]],
           seconds: float | None = None) -> Run:
    """Scores the stored weights and writes what is left to write, `metrics.json` last; a finished run stays as it is.

    `seconds` of training are those of the history where it has any.
    """
    if (folder / METRICS).is_file():
        return Run.load(folder)
    seconds = sum(row["seconds"] for row in history) if seconds is None else seconds
    model = new_model(config)
    load_weights(folder / WEIGHTS, model)
    scores, figures = evaluate(model.to(config.device), split, config)
    table = pd.DataFrame(history, columns=HISTORY_NAMES)
    figures |= {"auroc_best": _best(table, "auroc", figures["auroc"]),
                "auroc_final": _last(table, "auroc", figures["auroc"])}
    metrics = dict.fromkeys((*METRIC_NAMES, *NORMALISER_NAMES))
    metrics |= figures | split.counts | _provenance(config, split, history, seconds)
    write_whole(folder / HISTORY, table.to_csv(index=False))
    write_whole(folder / SCORES, scores.to_csv(index=False))
    write_whole(folder / METRICS, json.dumps(metrics, indent=2) + "\n")
    return Run.load(folder)


def _best(history: pd.DataFrame, name: str, otherwise: float | None = None) -> float | None:
    """The oracle: the best figure of the evaluated epochs, chosen on the test set."""
    evaluated = history[name].dropna()
    return float(evaluated.max()) if len(evaluated) else otherwise


def _last(history: pd.DataFrame, name: str, otherwise: float | None = None) -> float | None:
    evaluated = history[name].dropna()
    return float(evaluated.iloc[-1]) if len(evaluated) else otherwise


def _provenance(config: Config, split: OneClassSplit, history: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    epochs, seen = bool(history), len(split.train) + len(split.anomalies)
    if epochs:
        seen = steps_per_epoch(seen, config.batch_size) * config.batch_size * config.epochs
    return {"epochs": config.result_epoch if epochs else None, "seed": config.seed, "scale": config.scale,
            "seconds": round(seconds, 3), "images_per_second": round(seen / seconds, 1), "device": config.device,
            "torch": torch.__version__, "commit": commit()}


@cache
def commit() -> str | None:
    """The checkout's commit, marked `-dirty` where the code that trains differs from it; None outside a checkout."""
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=project_root(), capture_output=True, text=True, check=True,
                              timeout=10).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "rscvae_lab", "pyproject.toml", "requirements.lock")
        return git("describe", "--always", "--abbrev=12", "--exclude=*") + ("-dirty" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None
