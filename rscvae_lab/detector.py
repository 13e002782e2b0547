"""The laboratory's training on one's own arrays of images, as a scikit-learn outlier detector."""

import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from numbers import Integral
from pathlib import Path
from threading import RLock
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils import Tags

from rscvae_lab.config import ARRAYS, Config, idle_note
from rscvae_lab.config.text import check_names
from rscvae_lab.datasets.arrays import array_split, fingerprint
from rscvae_lab.datasets.images import as_images
from rscvae_lab.engine.process import restored
from rscvae_lab.errors import InputError, warn_once
from rscvae_lab.models.own import Network, identity
from rscvae_lab.runs import Run
from rscvae_lab.runs.callbacks import Callback
from rscvae_lab.storage.files import METRICS, make_folder, write_whole
from rscvae_lab.trainers import train

_STEP = 16  # the plain network halves images four times
_OF_IMAGES = ("channels", "image_size", "data")  # follow from the images, and are no settings
_ARGUMENTS = {"mode": "mode", "epochs": "epochs", "seed": "seed", "category": "name"}
_OF_RUNS = ("dataset", "root", "data", "stack", "recipe", "objective", "device")  # not settings
_GIVEN = ("mode", "epochs", "seed", "channels", "image_size", "category", "encoder", "decoder")
_ONE_AT_A_TIME = RLock()  # trainings, since torch's random generator is one for all threads


def _remove(folder: Path, owner: int) -> None:
    """A forked process leaves its parent's folder alone."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


class Detector(OutlierMixin, BaseEstimator):
    """Learns what normal images look like, and scores how novel others are.

    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> eights = digits.images[digits.target == 8] / 16
    >>> detector = Detector(mode="o", epochs=1, resize=32).fit(eights[:100])
    >>> detector.novelty_score(eights[100:103]).shape  # higher = more novel
    (3,)
    >>> detector.is_novel(eights[100:103]).dtype  # above 95 % of held-out normal images
    dtype('bool')

    Images are (N, S, S), (N, C, S, S) or (N, S, S, C) with 1 or 3 channels, uint8 or float in
    [0, 1], numpy or torch; S is a multiple of 16, or `resize` makes it one. A tenth of them is
    held out, for the threshold and the score's normalisers. The methods of scikit-learn keep its
    contract: higher = more normal, `predict` gives +1 for normal images and -1 for novel ones.

    Args:
        mode: o, d, e (with anomalies), vae, or a compared method such as pca, ae, ganomaly.
        epochs: how often every training image is seen; None takes the mode's usual number.
        seed: of weights, batches and noise; the same seed and images give the same scores.
        resize: pixels a side that images are resized to; None takes them as they are.
        encoder: images (B, C, S, S) to features (B, F), a module or a function of the user's own,
            which is copied; None: the package's.
        decoder: codes (B, D) to images (B, C, S, S) in [0, 1], likewise; D is the setting latent.
        name: what the images are, for `config.json` and messages.
        settings: other fields of `Config`, for example {"beta": 10.0, "widths": "wide"}.
        progress: a bar over the epochs; None shows it on a terminal only.

    Attributes:
        run_: the finished run. Its folder is temporary; `save` keeps it.
        threshold_, offset_: of `novelty_score`; and of `score_samples`, its negative.
        n_features_in_: C * S * S.
    """

    def __init__(self, mode: str = "o", *, epochs: int | None = 20, seed: int = 0,
                 resize: int | None = None, encoder: Network | None = None,
                 decoder: Network | None = None, name: str = "normal",
                 settings: dict[str, Any] | None = None, progress: bool | None = None):
        self.mode = mode
        self.epochs = epochs
        self.seed = seed
        self.resize = resize
        self.encoder = encoder
        self.decoder = decoder
        self.name = name
        self.settings = settings
        self.progress = progress

    def fit(self, images: Any, y: Any = None, *, anomalies: Any = None,
            callbacks: Sequence[Callback] = ()) -> Self:
        """Trains on normal images.

        Args:
            y: ignored, as in every outlier detector of scikit-learn.
            anomalies: a few real ones for mode e, which learns what they are not to look like.
            callbacks: as those of `train`; a detector whose training one interrupts is not fitted.

        Raises InputError for images, networks or settings that cannot be trained with.
        """
        normal = self._taken(images)
        anomalous = normal[:0] if anomalies is None else self._taken(anomalies)
        settings = self.settings or {}
        if not isinstance(settings, Mapping):
            raise InputError(f"expected settings as a dictionary, found {settings!r}")
        for name in _OF_IMAGES:
            if name in settings:
                raise InputError(f"expected no setting {name}: it follows from the images"
                                 + (", resize=N resizes them" if name == "image_size" else ""))
        for name, argument in _ARGUMENTS.items():
            if name in settings:
                raise InputError(f"expected no setting {name}: Detector({argument}=...) has it")
        check_names(settings)
        config = Config(**{
            "dataset": ARRAYS, "category": self.name, "mode": self.mode, "epochs": self.epochs,
            "seed": self.seed, "channels": normal.shape[1], "image_size": normal.shape[-1],
            "data": fingerprint(normal, anomalous), "encoder": identity(self.encoder),
            "decoder": identity(self.decoder)} | settings)
        self._say(idle_note(config))
        with _ONE_AT_A_TIME, restored():
            run = train(config, self._new_folder(), progress=self.progress, callbacks=callbacks,
                        split=array_split(normal, anomalous, config),
                        networks=(self.encoder, self.decoder))
        self._say(run.threshold_note)
        return self._hold(run)

    def novelty_score(self, images: Any) -> np.ndarray:
        """How novel each image is, (N,), by itself; higher = more novel. Eq. 15 with held-out
        means, or a compared method's own score. Raises InputError for images of another shape."""
        run = self._fitted()
        images = as_images(images, self.resize)
        return run.score(images).novelty_score.to_numpy()

    def is_novel(self, images: Any) -> np.ndarray:
        """bool (N,): above the threshold, which 95 % of held-out normal images do not exceed."""
        return self.novelty_score(images) > self.threshold_

    def score_samples(self, images: Any) -> np.ndarray:
        """scikit-learn's: -novelty_score, (N,); higher = more normal."""
        return -self.novelty_score(images)

    def decision_function(self, images: Any) -> np.ndarray:
        """scikit-learn's: score_samples minus the attribute offset, (N,); negative = novel."""
        return self.score_samples(images) - self.offset_

    def predict(self, images: Any) -> np.ndarray:
        """scikit-learn's: +1 for normal images, -1 for novel ones, (N,)."""
        return np.where(self.is_novel(images), -1, 1)

    def save(self, folder: str | Path) -> Path:
        """Copies the run to a folder, which must be empty; `load` and `rscvae score` read it."""
        run, folder = self._fitted(), make_folder(folder)
        if any(folder.iterdir()):
            raise InputError(f"expected an empty folder to save to, found files in {folder}")
        others = shutil.ignore_patterns(METRICS)  # which says that all is there, so it comes last
        shutil.copytree(run.folder, folder, ignore=others, dirs_exist_ok=True)
        write_whole(folder / METRICS, (run.folder / METRICS).read_bytes())
        return folder

    @classmethod
    def load(cls, folder: str | Path, *, encoder: Network | None = None,
             decoder: Network | None = None) -> Self:
        """The detector of a run: one that was saved, or any that `rscvae train` left. Images of
        other sizes are resized to the run's.

        Args:
            encoder, decoder: new instances of the classes that it was trained with, or the same
                functions: a run keeps their weights and not their code.

        Raises InputError for no finished run, and for networks of other classes or shapes.
        """
        run = Run.load(folder, (encoder, decoder))
        config = run.config
        given = {name: getattr(config, name) for name in _GIVEN}
        usual = Config(**given | {"dataset": ARRAYS, "data": "none"})
        settings = {name: value for name, value in vars(config).items()
                    if name not in _OF_RUNS and value != getattr(usual, name)}
        if config.precision != "float32":  # which every machine has
            settings.pop("precision", None)
        detector = cls(config.mode, epochs=config.epochs, seed=config.seed,
                       resize=config.image_size, encoder=encoder, decoder=decoder,
                       name=config.category, settings=settings or None)
        return detector._hold(run)

    def _taken(self, images: Any) -> Any:
        if self.resize is not None and not (isinstance(self.resize, Integral) and self.resize > 0):
            raise InputError(f"expected resize as a number of pixels, found {self.resize!r}")
        images = as_images(images, self.resize)
        *_, height, width = images.shape
        if not len(images):
            raise InputError("expected images to train on, found none")
        if height != width or height % _STEP or height < 2 * _STEP:
            raise InputError(f"expected square images of a multiple of {_STEP} pixels, at least "
                             f"{2 * _STEP}, found {height} x {width}: resize=N resizes them")
        return images

    def _fitted(self) -> Run:
        if not hasattr(self, "run_"):
            raise NotFittedError("this Detector is not fitted yet: call fit(images) first")
        return self.run_

    def _say(self, note: str) -> None:
        if note and self.progress is not False:
            warn_once(note)

    def _new_folder(self) -> Path:
        """A folder that goes when the detector goes."""
        folder = Path(tempfile.mkdtemp(prefix="rscvae-"))
        weakref.finalize(self, _remove, folder, os.getpid())
        return folder

    def _hold(self, run: Run) -> Self:
        """Takes a finished run."""
        _ = run.model  # refuses other networks now
        self.run_ = run
        self.threshold_ = run.metrics["threshold"]
        self.offset_ = -self.threshold_
        self.n_features_in_ = run.config.channels * run.config.image_size**2
        return self

    def __getstate__(self) -> dict[str, Any]:
        """A copy in another process has its own folder."""
        state = dict(super().__getstate__())
        run = state.pop("run_", None)
        if run is not None:
            state["_files"] = {file.name: file.read_bytes() for file in run.folder.iterdir()
                               if file.is_file()}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        files = state.pop("_files", None)
        super().__setstate__(state)
        if files is not None:
            folder = self._new_folder()
            for name, content in files.items():
                (folder / name).write_bytes(content)
            self.run_ = Run.load(folder, (self.encoder, self.decoder))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, True
        return tags
