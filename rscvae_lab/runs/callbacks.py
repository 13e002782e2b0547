"""What is told of a training after every epoch: to callbacks, to its log, to a terminal."""

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from rscvae_lab.config import Config
from rscvae_lab.storage.files import LOG


class Epoch(NamedTuple):
    """What a callback is told after an epoch of a model; of an ensemble, one after the other."""

    config: Config
    folder: Path  # of the run
    history: list[dict[str, Any]]  # the rows of history.csv so far; the last is this epoch's
    model: Callable[[], nn.Module]  # gives the model as it is now, in train mode

    @property
    def row(self) -> dict[str, Any]:
        """`epoch`, `loss`, `learning_rate` and `seconds`; of a VAE also its terms and, where
        evaluated, AUROCs."""
        return self.history[-1]


Callback = Callable[[Epoch], bool | None]  # False, and nothing else, interrupts the training


def call(callbacks: Iterable[Callback], epochs: Iterable[Epoch]) -> bool:
    """Tells every callback of every model's epoch. Returns whether one interrupts the training."""
    answers = [callback(epoch) for epoch in epochs for callback in callbacks]
    return any(isinstance(answer, bool | np.bool_) and not answer for answer in answers)


def write_log(epoch: Epoch) -> None:
    """The callback that every training has: a line of the run's `log.txt`."""
    log(epoch.folder, _line(epoch))


def print_epoch(epoch: Epoch) -> None:
    """The callback of `--verbose`: one line on stderr."""
    config = epoch.config
    print(f"{config.dataset} {config.category}, {config.mode}: {_line(epoch)}", file=sys.stderr,
          flush=True)


def log(folder: Path, text: str) -> None:
    """Adds a line with date and time to a run's log."""
    with open(Path(folder) / LOG, "a", encoding="utf-8", errors="replace") as file:
        file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}\n")


def _line(epoch: Epoch) -> str:
    values = [f"{name} {value:.4g}" for name, value in epoch.row.items()
              if name != "epoch" and value is not None]
    return f"epoch {epoch.row['epoch']} of {epoch.config.epochs}: {', '.join(values)}"
