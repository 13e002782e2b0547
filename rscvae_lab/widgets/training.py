"""Live training: curves and reconstructions that grow, and a button that stops a training so that
it can be resumed."""

import atexit
import threading
import time
from pathlib import Path

import ipywidgets
import pandas as pd
import torch
from torch import Tensor

from rscvae_lab import NORMAL, NOVEL, figures
from rscvae_lab.config import Config, require_vae
from rscvae_lab.datasets import identified, load_split
from rscvae_lab.errors import TrainingStopped
from rscvae_lab.models.vae import VAE
from rscvae_lab.runs import Run
from rscvae_lab.runs.callbacks import Epoch
from rscvae_lab.runs.folder import find
from rscvae_lab.runs.run import HISTORY_NAMES
from rscvae_lab.storage.files import STATE, runs_root
from rscvae_lab.trainers import train
from rscvae_lab.widgets.base import empty_image, errors_shown_in, inputs_and_outputs, show

REDRAW_SECONDS = 0.4  # drawing slows the training down
_LATEST: dict[Path, "LiveTraining"] = {}  # the last widget that trained in each folder


class LiveTraining(ipywidgets.VBox):
    """Buttons *train* and *stop*, a progress bar, and a figure of the training so far.

    Training runs in its own thread, so that the buttons stay responsive. After a stop, *train*
    resumes it, as `rscvae train --resume` on the same folder would; the result is the same to the
    byte. Running the cell again makes a new widget, which takes the training over. `folder` is the
    run's, `run` the finished run or None. Raises InputError where the config is of a baseline, the
    folder holds the run of another config, or a user's images are not there.
    """

    def __init__(self, config: Config, folder: str | Path | None = None):
        require_vae(config)
        self.config = config = identified(config)
        folder = folder or runs_root() / "live" / config.config_hash
        self.folder = Path(folder).expanduser().resolve()
        self.run: Run | None = find(self.folder, config, resume=True)
        self._stopping, self._thread, self._drawn = threading.Event(), threading.Thread(), 0.0
        self.train_button = ipywidgets.Button(description="train", button_style="primary")
        self.stop_button = ipywidgets.Button(description="stop", disabled=True)
        self.bar = ipywidgets.IntProgress(0, max=config.epochs, description="epochs")
        begun = (self.folder / STATE).is_file()
        self.text = ipywidgets.HTML("ready to resume" if begun else "ready")
        self.error, self.image = ipywidgets.HTML(), empty_image()
        self.train_button.on_click(lambda button: self.start())
        self.stop_button.on_click(lambda button: self.stop())
        buttons = ipywidgets.HBox([self.train_button, self.stop_button, self.bar])
        super().__init__([buttons, self.error, self.text, self.image])
        if self.run:
            self.train_button.disabled, self.text.value = True, self._finish(_examples(config))

    def start(self) -> None:
        """Starts or resumes the training; returns at once."""
        if self._thread.is_alive():
            return
        before = _LATEST.get(self.folder)
        if before not in (None, self):
            before.stop()
            before.wait()
        _LATEST[self.folder] = self
        self._stopping.clear()
        self.train_button.disabled, self.stop_button.disabled = True, False
        self._thread = threading.Thread(target=self._train, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Asks for a stop after the current epoch; the state is saved."""
        if self._thread.is_alive():
            self.text.value = "stopping after this epoch"
            self._stopping.set()

    def wait(self, seconds: float | None = None) -> None:
        """Waits until the training has finished or stopped."""
        if self._thread.is_alive():
            self._thread.join(seconds)

    def watch(self, epoch: Epoch, images: Tensor) -> bool:
        """Called after every epoch: redraws where that is due; False ends the training."""
        if time.monotonic() - self._drawn > REDRAW_SECONDS or self._stopping.is_set():
            history = pd.DataFrame(epoch.history, columns=HISTORY_NAMES)
            self._draw(history, epoch.model(), images)
        return not self._stopping.is_set()

    def _train(self) -> None:
        self.text.value, outcome = "training", ""
        with errors_shown_in(self.error):
            images = _examples(self.config)
            try:
                self.run = train(self.config, self.folder, resume=True, progress=False,
                                 callbacks=[lambda epoch: self.watch(epoch, images)])
                outcome = self._finish(images)
            except TrainingStopped as stopped:
                outcome = str(stopped)
        self.text.value = outcome
        self.train_button.disabled, self.stop_button.disabled = self.run is not None, True

    def _finish(self, images: Tensor) -> str:
        """Draws the finished run; returns the text for it."""
        self._draw(self.run.history, self.run.model, images)
        auroc = self.run.metrics["auroc"]
        return "finished" if auroc is None else f"finished: AUROC {auroc:.3f} (α = 0.5)"

    def _draw(self, history: pd.DataFrame, model: VAE, images: Tensor) -> None:
        rows = inputs_and_outputs(model, images)
        show(self.image, figures.live(history, self.config.epochs, rows, self.config.mode))
        self.bar.value, self._drawn = len(history), time.monotonic()


def _examples(config: Config, n: int = 3) -> Tensor:
    """The first normal test images, then the first novel ones."""
    split = load_split(config)
    return torch.cat([split.test[split.test_labels == label][:n] for label in (NORMAL, NOVEL)])


@atexit.register
def _stop_all() -> None:
    """Stops all trainings and saves their states: a thread inside torch would abort the exiting
    interpreter."""
    for live in _LATEST.values():
        live.stop()
    for live in _LATEST.values():
        live.wait()
