"""Live training: curves and reconstructions that grow, and a stop button that leaves a run to go on with."""

import atexit
import threading
import time
from pathlib import Path

import ipywidgets
import pandas as pd
from torch import Tensor

from rscvae_lab import NOVEL
from rscvae_lab.config import Config, require_vae
from rscvae_lab.datasets import load_split
from rscvae_lab.errors import TrainingStopped
from rscvae_lab.figures import panels
from rscvae_lab.models.vae import VAE
from rscvae_lab.runs.evaluation import code
from rscvae_lab.runs.folder import STATE, find
from rscvae_lab.runs.run import HISTORY_NAMES, Run
from rscvae_lab.storage.files import runs_root
from rscvae_lab.trainers import Training, train
from rscvae_lab.widgets.base import ShownErrors, empty_picture, show

REDRAW_SECONDS = 0.4  # drawing takes its time from training
_LATEST: dict[Path, "LiveTraining"] = {}  # the widget at work in each folder


class LiveTraining(ipywidgets.VBox):
    """Buttons *train* and *stop*, a progress bar, and a figure of the training so far.

    Training runs in a thread beside the kernel's own, so that the buttons work meanwhile. After a stop *train* goes on
    where it was, as `rscvae train --resume` on the same folder would; the result is the same to the byte. A cell
    that is run again makes another widget, which takes the training over.

    Attributes:
        folder: where the run is left; run: the finished run, or None.

    Raises:
        InputError: the config is of a baseline, or the folder holds the run of another config.
    """

    def __init__(self, config: Config, folder: str | Path | None = None):
        require_vae(config)
        self.config = config
        self.folder = Path(folder or runs_root() / "live" / config.config_hash).expanduser().resolve()
        self.run: Run | None = find(self.folder, config, resume=True)
        self._stopping, self._thread, self._drawn = threading.Event(), threading.Thread(), 0.0
        self.train_button = ipywidgets.Button(description="train", button_style="primary")
        self.stop_button = ipywidgets.Button(description="stop", disabled=True)
        self.bar = ipywidgets.IntProgress(0, max=config.epochs, description="epochs")
        self.picture, begun = empty_picture(), (self.folder / STATE).is_file()
        self.text, self.error = ipywidgets.HTML("ready to go on" if begun else "ready"), ipywidgets.HTML()
        self.train_button.on_click(lambda button: self.start())
        self.stop_button.on_click(lambda button: self.stop())
        buttons = ipywidgets.HBox([self.train_button, self.stop_button, self.bar])
        super().__init__([buttons, self.error, self.text, self.picture])
        if self.run:
            self.train_button.disabled, self.text.value = True, self._finished(_examples(config))

    def start(self) -> None:
        """Begins, or goes on; returns at once."""
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
        """Asks for an end after the epoch in hand; its state is saved."""
        if self._thread.is_alive():
            self.text.value = "stopping after this epoch"
            self._stopping.set()

    def wait(self, seconds: float | None = None) -> None:
        """Until the training has ended or was stopped."""
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _train(self) -> None:
        self.text.value, ended = "training", ""
        with ShownErrors(self.error):
            images = _examples(self.config)
            try:
                self.run = train(self.config, self.folder, resume=True, progress=False,
                                 watch=lambda training: self._watch(training, images))
                ended = self._finished(images)
            except TrainingStopped as stopped:
                ended = str(stopped)
        self.text.value = ended
        self.train_button.disabled, self.stop_button.disabled = self.run is not None, True

    def _finished(self, images: Tensor) -> str:
        """Draws the finished run; returns what is to be said of it."""
        self._draw(self.run.history, self.run.model, images)
        auroc = self.run.metrics["auroc"]
        return "finished" if auroc is None else f"finished: AUROC {auroc:.3f} (α = 0.5)"

    def _watch(self, training: Training, images: Tensor) -> bool:
        """After every epoch: draws where it is time to; False ends the training."""
        history = pd.DataFrame(training.histories[0], columns=HISTORY_NAMES)
        if time.monotonic() - self._drawn > REDRAW_SECONDS or self._stopping.is_set():
            self._draw(history, training.models()[0], images)
        return not self._stopping.is_set()

    def _draw(self, history: pd.DataFrame, model: VAE, images: Tensor) -> None:
        pictures = {"test": images.numpy(), "output": code(model, images).x_hat.numpy()}
        show(self.picture, panels.live(history, self.config.epochs, pictures, self.config.mode))
        self.bar.value, self._drawn = len(history), time.monotonic()


def _examples(config: Config, n: int = 3) -> Tensor:
    """Normal test images, then novel ones."""
    split = load_split(config)
    novel = split.test_labels == NOVEL
    return split.test[[*(~novel).nonzero().flatten()[:n].tolist(), *novel.nonzero().flatten()[:n].tolist()]]


@atexit.register
def _end() -> None:
    """Stops what still trains, its state saved: a thread in torch's midst would abort an interpreter that ends."""
    for live in _LATEST.values():
        live.stop()
    for live in _LATEST.values():
        live.wait()
