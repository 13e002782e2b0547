"""A finished run, read from its folder: `config.json`, `weights.safetensors`, `history.csv`,
`scores.csv`, `metrics.json`."""

import json
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import pandas as pd
from torch import nn

from rscvae_lab.config import Config
from rscvae_lab.config.text import command_of
from rscvae_lab.errors import InputError
from rscvae_lab.methods import rows_of
from rscvae_lab.models.own import Networks
from rscvae_lab.models.vae import VAE
from rscvae_lab.runs.evaluation import score
from rscvae_lab.runs.localization import Calibration
from rscvae_lab.scoring import FEWEST_HELDOUT, FalseAlarms, Normalisers
from rscvae_lab.storage.files import (
    CALIBRATION,
    CONFIG,
    HISTORY,
    METRICS,
    SCORES,
    WEIGHTS,
    absolute,
    runs_root,
)
from rscvae_lab.storage.tensors import load_tensors, load_weights

EVALUATED = ("auroc", "auroc_recon", "auroc_mut", "enc1_novel")  # of some epochs alone
HISTORY_NAMES = ("epoch", "loss", "recon", "enc1", "enc2", "mut", "consist", "anomalous",
                 "learning_rate", "seconds", *EVALUATED)
METRIC_NAMES = ("auroc", "auroc_recon", "auroc_mut", "auroc_heldout_norm", "auroc_best",
                "auroc_final", "threshold", "s_a", "s_a_test_mean", "s_a_spearman", "n_train",
                "n_heldout", "n_anomalous_train", "n_test_normal", "n_test_novel", "epochs",
                "seed", "scale", "seconds", "images_per_second", "device", "torch", "commit",
                "auroc_validation", "auroc_validation_recon", "s_a_relative",
                "semantic_deviation_rate", "normal_in_unknown", "false_alarms_low",
                "false_alarms_high", "auroc_local", "auroc_local_max", "auroc_validation_local",
                "auroc_validation_local_max", "threshold_local", "threshold_local_max",
                "pixel_auroc", "pro", "local_gain_error")
FALSE_ALARMS = ("false_alarms_low", "false_alarms_high")
# which older runs and tables lack
LATER_METRICS = METRIC_NAMES[METRIC_NAMES.index(FALSE_ALARMS[0]):]
NORMALISER_NAMES = ("heldout_mean_recon", "heldout_mean_mut")  # beside them, for novelty_score
_SETTINGS = ("beta", "p", "anomaly_base", "js", "widths")
_REST = [field.name for field in fields(Config)
         if field.name not in {"mode", *_SETTINGS, *METRIC_NAMES}]
ROW_NAMES = tuple(dict.fromkeys(("dataset", "category", "method", "config_hash", *_SETTINGS,
                                 *METRIC_NAMES, *_REST, "command")))


def new_model(config: Config, networks: Networks = (None, None)) -> nn.Module:
    """The untrained model of a config, with the user's own networks where it names some."""
    method = config.method
    return VAE.from_config(config, networks) if method.is_vae else method.model_class()(config)


@dataclass(frozen=True)
class Run:
    """A finished run, read from its folder.

    >>> import torch
    >>> from rscvae_lab.storage.files import resource
    >>> run = Run.load(resource("pretrained/mnist-5/o"))  # comes with the package
    >>> noise = torch.randint(256, (3, 1, 32, 32), dtype=torch.uint8)
    >>> (run.score(noise).novelty_score > run.metrics["threshold"]).tolist()
    [True, True, True]
    """

    folder: Path
    config: Config
    metrics: dict[str, Any]
    networks: Networks = (None, None)  # the user's own encoder and decoder, where it has some

    @classmethod
    def load(cls, folder: str | Path, networks: Networks = (None, None)) -> Self:
        """Raises InputError where the folder holds no finished run."""
        folder = absolute(folder)
        if not (folder / METRICS).is_file():
            what = "an unfinished one" if (folder / CONFIG).is_file() else "none"
            raise InputError(f"expected a finished run in {folder}, found {what}")
        return cls(folder, read_config(folder), _read_metrics(folder / METRICS), networks)

    @cached_property
    def model(self) -> nn.Module:
        """The trained model, in eval mode, on the CPU."""
        model = new_model(self.config, self.networks)
        load_weights(self.folder / WEIGHTS, model)
        return model.eval()

    @cached_property
    def history(self) -> pd.DataFrame:
        """`history.csv`; columns that an older version did not write are empty."""
        return pd.read_csv(self.folder / HISTORY).reindex(columns=list(HISTORY_NAMES))

    @cached_property
    def scores(self) -> pd.DataFrame:
        return pd.read_csv(self.folder / SCORES)

    def score(self, images: Any) -> pd.DataFrame:
        """l_recon, l_mut, l_enc1 and novelty_score of images, each by itself; of industrial ones
        also local_score and local_max.

        Args:
            images: (N, S, S), (N, C, S, S) or (N, S, S, C) of the run's size and channels; uint8,
                or float in [0, 1]; numpy or torch.

        Raises InputError for images of another shape, type or range, or with NaN pixels.
        """
        return score(self.model, images, self.config, self.normalisers, self.calibration)

    @cached_property
    def calibration(self) -> Calibration | None:
        """What the local score is calibrated with; None where the run has none."""
        path = self.folder / CALIBRATION
        return Calibration(**load_tensors(path)[0]) if path.is_file() else None

    @property
    def normalisers(self) -> Normalisers | None:
        """The held-out means of novelty_score; None for a method that has a score of its own."""
        if self.config.method.is_vae:
            return Normalisers(*(self.metrics[name] for name in NORMALISER_NAMES))
        return None

    @property
    def threshold_note(self) -> str:
        """What the threshold cannot promise, for too few held-out images; else empty."""
        n, (low, high) = self.metrics["n_heldout"], (self.metrics[name] for name in FALSE_ALARMS)
        if n >= FEWEST_HELDOUT:
            return ""
        return (f"the threshold rests on {n} held-out image{'s' * (n != 1)}: it may call "
                f"{low:.1%} to {high:.0%} of new normal images novel (95 % confidence), where 5 % "
                f"is meant; {FEWEST_HELDOUT} or more held out would do")

    def result_rows(self) -> list[dict[str, Any]]:
        """The run as rows of a results table, one a method that is scored from this training:
        `vae` is `vae` (alpha 0) and `recode_vae` (alpha 0.5)."""
        config = self.config
        row = {name: value for name, value in vars(config).items() if name in ROW_NAMES}
        row |= {"config_hash": config.config_hash, "command": command_of(config),
                "widths": "-".join(map(str, config.widths))}
        row |= {name: self.metrics[name] for name in METRIC_NAMES}
        return [row | self._own(method) for method in rows_of(config.mode)]

    def _own(self, method: str) -> dict[str, Any]:
        """What a method's row has of its own: plain `vae` is scored by reconstruction alone."""
        if method != "vae":
            return {"method": method}
        return {"method": method, "threshold": None,
                "auroc": self.metrics["auroc_recon"],
                "auroc_heldout_norm": self.metrics["auroc_recon"],
                "auroc_validation": self.metrics["auroc_validation_recon"],
                "auroc_best": best(self.history, "auroc_recon"),
                "auroc_final": last(self.history, "auroc_recon")}


def finished(folder: str | Path | None = None) -> list[Run]:
    """The finished runs directly in a folder, by default the store that notebooks share, in order
    of their names; without those that cannot be read, say because an older version wrote them."""
    folder = runs_root() / "store" if folder is None else Path(folder).expanduser()
    runs = []
    for metrics in sorted(folder.glob(f"*/{METRICS}")):
        with suppress(InputError):
            runs.append(Run.load(metrics.parent))
    return runs


def read_config(folder: Path) -> Config:
    """The config of a run. Raises InputError where `config.json` is not one that rscvae wrote."""
    path = folder / CONFIG
    try:
        return Config.from_json(path.read_text("utf-8", errors="replace"))
    except (InputError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path}: {reason}") from None


def best(history: pd.DataFrame, name: str, otherwise: float | None = None) -> float | None:
    """The oracle: the best figure of the evaluated epochs, chosen on the test set."""
    evaluated = history[name].dropna()
    return float(evaluated.max()) if len(evaluated) else otherwise


def last(history: pd.DataFrame, name: str, otherwise: float | None = None) -> float | None:
    """The figure of the last evaluated epoch."""
    evaluated = history[name].dropna()
    return float(evaluated.iloc[-1]) if len(evaluated) else otherwise


def false_alarms(n_heldout: int | None) -> dict[str, float | None]:
    """`scoring.FalseAlarms` under the names of metrics.json."""
    return dict(zip(FALSE_ALARMS, FalseAlarms.of(n_heldout or 0) or (None, None)))


def _read_metrics(path: Path) -> dict[str, Any]:
    try:
        metrics = json.loads(path.read_text("utf-8", errors="replace"))
        metrics = (dict.fromkeys(LATER_METRICS) | false_alarms(metrics.get("n_heldout")) | metrics)
        missing = {*METRIC_NAMES, *NORMALISER_NAMES} - set(metrics)
    except (json.JSONDecodeError, TypeError, AttributeError) as error:
        raise InputError(f"expected JSON in {path}, found something else ({error})") from None
    if missing:
        raise InputError(f"expected the metrics of a run in {path}, found none named "
                         f"{min(missing)}")
    return metrics
