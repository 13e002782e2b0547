"""The training loop, and `train`, which leaves a finished run on disk.

`train_step` is the whole of RSC-VAE's training, for one model or an ensemble of many; the rest of
this file says with what it is called and what becomes of its results.
"""

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from rscvae_lab import losses
from rscvae_lab.baselines.fitting import following, seeded
from rscvae_lab.config import ARRAYS, Config
from rscvae_lab.config.schema import own_code, resolve_precision
from rscvae_lab.datasets import identified, load_split, survey
from rscvae_lab.datasets.one_class import OneClassSplit
from rscvae_lab.engine.batches import Batch, Batches
from rscvae_lab.engine.ensemble import Ensemble, EnsembleAdam, masked
from rscvae_lab.engine.process import prepare
from rscvae_lab.engine.recorded import recorded
from rscvae_lab.engine.statistics import set_statistics
from rscvae_lab.errors import InputError, TrainingStopped, one_line
from rscvae_lab.models.own import Networks, identity
from rscvae_lab.models.vae import VAE
from rscvae_lab.runs import folder as folders
from rscvae_lab.runs.callbacks import Callback, Epoch, call, write_log
from rscvae_lab.runs.journal import Journal, optimizer_tensors
from rscvae_lab.runs.run import Run
from rscvae_lab.storage.files import WEIGHTS, absolute, runs_root
from rscvae_lab.storage.tensors import save_weights

SAVE_SECONDS = {"cpu": 1.0, "cuda": 30.0}  # between saved states: a kill loses what came after
PER_MODEL = ("dataset", "category", "mode", "seed", "fraction", "heldout", "split_seed", "p",
             "shifts", "anomaly_base", "anomaly_draw", "lambda_consist", "beta",
             "consist_on_anomaly")  # in which the models of an ensemble may differ


def train_step(model: VAE | Ensemble, optimizer: torch.optim.Optimizer, batch: Batch,
               weights: losses.Weights, config: Config) -> Tensor:
    """One step of Eqs. 6, 10, 12 or 14. Returns y, loss, recon, enc1, enc2, mut, (B, 6)."""
    optimizer.param_groups[0]["lr"] = batch.rate
    with torch.autocast(config.device, torch.bfloat16, enabled=config.precision == "bfloat16"):
        coding = model(batch.x, batch.noise, config.method.recodes)
    terms = losses.terms(batch.x, coding, config.js, config.recode_gradient == "fixed_target")
    own = config.method.loss_function()
    loss = (losses.objective(terms, batch.y, weights) if own is None
            else own(batch.x, coding, terms, batch.y, weights))
    if loss.shape != batch.y.shape:
        raise InputError(f"expected a loss for each image, shape {tuple(batch.y.shape)}, found "
                         f"{tuple(loss.shape)}")
    optimizer.zero_grad()
    loss.mean(-1).sum().backward()  # mean over the batch; an ensemble's models share no weights
    optimizer.step()
    measured = [torch.zeros_like(loss) if term is None else term for term in (loss, *terms)]
    return torch.stack([batch.y.to(loss.dtype), *measured], -1).detach()


def train_epoch(step: Callable[[Batch], Tensor], batches: Iterable[Batch]) -> Tensor:
    """The sums of an epoch over normal and over anomalous images, (2, 6): how many they are, and
    their loss, recon, enc1, enc2 and mut; of an ensemble (M, 2, 6)."""
    rows, active = zip(*((step(batch), batch.active) for batch in batches))
    measured = torch.stack(rows).double()  # T (M) B 6
    y = measured[..., :1].clone()
    measured[..., 0] = 1.0
    if active[0] is not None:
        measured *= torch.stack(active)[..., None, None]
    return torch.stack([(part * measured).sum((0, -2)) for part in (1 - y, y)], -2)


def train(config: Config, out: str | Path | None = None, *, resume: bool = False,
          progress: bool | None = True, wait: bool = False, callbacks: Sequence[Callback] = (),
          split: OneClassSplit | None = None, networks: Networks = (None, None)) -> Run:
    """Trains what the config describes, and leaves a finished run in the folder `out`.

    Args:
        out: by default a folder among the runs, named after this one.
        resume: go on with an unfinished run of the same config; begins where nothing was begun.
            A finished run of the same config is returned as it is.
        progress: a bar over the epochs; None shows it on a terminal only.
        wait: where another process trains in the folder, wait for it instead of refusing.
        callbacks: functions of a `runs.callbacks.Epoch`, called after every epoch; one that
            returns False ends the training there.
        split: images of the user's own, instead of the data set's that the config names.
        networks: an encoder and a decoder of the user's own instead of the config's, or None each;
            modules or functions. The run's config names them. They train in float32, unless the
            precision is another than `auto` would be here.

    Raises InputError where the folder holds another config's run or that of other images, the
    data set is not there, training diverged, or losses were replaced from outside;
    TrainingStopped where a callback said so: the run of a VAE can be resumed.

    >>> run = train(Config(dataset="digits", category="8", epochs=1), "runs/eights")
    >>> run.metrics["n_train"], run.history.epoch.tolist(), 0 < run.metrics["auroc"] < 1
    (107, [1], True)
    """
    config = _with_networks(config, networks)
    _check_code(config)
    if split is not None and config.dataset != ARRAYS:
        raise InputError("expected data set arrays, which Detector makes, with a split of one's "
                         f"own, found {config.dataset}")
    config = identified(config)
    out = folders.default(config) if out is None else out
    finished = folders.find(out, config, resume, networks)
    if finished:
        torch.set_num_threads(config.threads)  # as if it had been trained here
        return finished
    if not config.method.is_vae:
        return _fit_baseline(config, out, progress, wait, callbacks, split)
    splits = None if split is None else [split]
    return train_ensemble([config], [out], progress=progress, wait=wait, callbacks=callbacks,
                          splits=splits, networks=networks)[0]


def _with_networks(config: Config, networks: Networks) -> Config:
    """The config of a training with networks of the user's own."""
    own = {half: identity(network) for half, network in zip(("encoder", "decoder"), networks)
           if network is not None}
    if own and config.precision == resolve_precision("auto", config.device) and not (
            config.encoder or config.decoder):
        own["precision"] = "auto"  # with networks of the user's own that is float32
    return replace(config, **own)


def train_ensemble(configs: Sequence[Config], outs: Sequence[str | Path], *,
                   progress: bool | None = True, wait: bool = False,
                   callbacks: Sequence[Callback] = (),
                   splits: Sequence[OneClassSplit] | None = None,
                   networks: Networks = (None, None)) -> list[Run]:
    """Trains M configs side by side and leaves M finished runs, each in its own folder. One that
    was stopped goes on from the state in the first folder; finished runs stay as they are.
    Arguments are those of `train`; networks of the user's own train alone. Raises InputError for
    configs that cannot train together, and for what `train` refuses."""
    _check_ensemble(configs)
    _check_code(configs[0])
    for config, out in zip(configs, outs):
        folders.find(out, config, resume=True)  # refuses another config's run in any folder
    prepare(configs[0])
    splits = [load_split(config) for config in configs] if splits is None else splits
    with folders.claim(outs[0], wait):
        earlier = [folders.find(out, config, True, networks) for config, out in zip(configs, outs)]
        if all(earlier):
            return earlier  # by the process that was waited for
        places = [absolute(out) for out in outs]
        training = Training(configs, places, splits, networks)  # may refuse, before a run is begun
        with folders.begun(places, configs, lambda: training.has_trained):
            say_what_is_read(configs, progress)
            training.run(progress, callbacks)
        finished = [folders.finish(*parts, networks=networks)
                    for parts in zip(places, configs, splits, training.histories)]
        training.journal.discard()
    return finished


def trained(config: Config, progress: bool | None = True) -> Run:
    """The run of a config from the store that notebooks share, trained on first use; where another
    process is training it, that one's."""
    config = identified(config)
    return train(config, runs_root() / "store" / config.config_hash, resume=True,
                 progress=progress, wait=True)


def say_what_is_read(configs: Iterable[Config], progress: bool | None = None) -> None:
    """Prints how many of the user's images each config takes, and what is left out."""
    names = ("dataset", "root", "category", "image_size", "mode", "per_defect", "test_without")
    # in which configs agree whose images are read alike
    alike = {tuple(getattr(config, name) for name in names): config for config in configs}
    notes = dict.fromkeys(map(survey, alike.values() if progress is not False else ()))
    for note in filter(None, notes):
        tqdm.write(f"rscvae: {one_line(note)}", file=sys.stderr)


class Training:
    """M trainings on their way: models, optimizer, batches, and the journal of what they did. A
    GPU always trains an ensemble, of one model too, for its recorded step."""

    def __init__(self, configs: Sequence[Config], places: Sequence[Path],
                 splits: Sequence[OneClassSplit], networks: Networks = (None, None)):
        self.configs, self.splits, self.config = configs, splits, configs[0]
        self.has_own = networks != (None, None)  # need not be fit for vmap or channels_last
        on_gpu = self.config.device == "cuda"
        self.is_ensemble = len(configs) > 1 or (on_gpu and not self.has_own)
        models = [VAE.from_config(config, networks).to(self.config.device) for config in configs]
        if self.is_ensemble:
            self.model = Ensemble(models)
            self.optimizer = EnsembleAdam(self.model.parameters())
            each = torch.tensor([losses.Weights.of(config) for config in configs])
            self.weights = losses.Weights(*each.T[..., None].to(self.config.device))  # (M, 1) each
        else:
            self.model = models[0]
            if not self.has_own:
                self.model.to(memory_format=torch.channels_last)
            self.optimizer = torch.optim.Adam(self.model.parameters(), fused=True)
            self.weights = losses.Weights.of(self.config)
        self.batches = Batches(configs, splits, self.is_ensemble)
        self.step: Callable[[Batch], Tensor] | None = None
        self.places, self.journal = places, Journal(configs, places, self.batches.steps)
        self.journal.restore(self.model, self.optimizer)
        self.histories = self.journal.histories  # the rows of each model's history.csv so far
        self.has_trained = bool(self.journal.epochs)  # an epoch, even if it diverged

    def run(self, progress: bool | None = None, callbacks: Sequence[Callback] = ()) -> None:
        """Trains the epochs that are left."""
        done, saved, epochs = self.journal.epochs, time.monotonic(), self.config.epochs
        with self._bar(done, progress) as bar:
            for epoch in range(done + 1, epochs + 1):
                self.run_epoch(epoch)
                stopped = call((write_log, *callbacks), self._told())
                if stopped or time.monotonic() - saved > SAVE_SECONDS[self.config.device]:
                    self.journal.save(self.model, self.optimizer)
                    saved = time.monotonic()
                if stopped and epoch < epochs:
                    raise TrainingStopped(
                        f"stopped after epoch {epoch} of {epochs}; the run can go on")
                bar.set_postfix(loss=f"{self.histories[0][-1]['loss']:.1f}", refresh=False)
                bar.update()

    def run_epoch(self, epoch: int) -> None:
        """Trains an epoch, evaluates where that is due, and enters both into the journal."""
        start = time.perf_counter()
        if not self.is_ensemble:
            self.model.train()  # whatever a callback did; of an ensemble it had a copy
        with self._seeded(epoch):
            sums = train_epoch(self.step_on, self.batches.epoch(epoch))
        self.has_trained = True
        sums = sums.view(len(self.configs), 2, 6)
        sums, seconds = sums.tolist(), (time.perf_counter() - start) / len(self.configs)
        due = (epoch % self.config.evaluate_every == 0
               or epoch in (self.config.result_epoch, self.config.epochs))
        models = self.models() if due else [None] * len(self.configs)
        for i, (split, model) in enumerate(zip(self.splits, models)):
            if due and self.config.recode_statistics != "training":
                with self._seeded(epoch):
                    set_statistics(model, split.train, self.config.recode_statistics == "both")
            self.journal.enter(i, epoch, sums[i], seconds, split, model)
            if epoch == self.config.result_epoch:
                self.journal.save_result(i, model)

    def _seeded(self, epoch: int) -> AbstractContextManager:
        """Repeats what a user's own code draws, such as dropout."""
        own = self.has_own or self.config.method.objective is not None
        return seeded(self.config.seed, epoch) if own else nullcontext()

    def _told(self) -> list[Epoch]:
        """What callbacks are told of the last epoch."""
        return [Epoch(config, place, history, lambda i=i: self.models()[i])
                for i, (config, place, history)
                in enumerate(zip(self.configs, self.places, self.histories))]

    def models(self) -> list[VAE]:
        """The models as they are now; of an ensemble, copies."""
        return self.model.split() if self.is_ensemble else [self.model]

    def step_on(self, batch: Batch) -> Tensor:
        """Trains on one batch; returns what `train_step` does."""
        if self.step is None:
            self.step = self._make_step(batch)
        return self.step(batch)

    def _make_step(self, first: Batch) -> Callable[[Batch], Tensor]:
        def step(batch: Batch) -> Tensor:
            return train_step(self.model, self.optimizer, batch, self.weights, self.config)

        if len(set(self.batches.steps)) > 1:
            step = masked(step, self._state)
        on_gpu = self.config.device == "cuda"
        return recorded(step, first, self._state) if on_gpu and self.is_ensemble else step

    def _state(self) -> list[Tensor]:
        """All that a step changes."""
        return [*self.model.state_dict().values(), *optimizer_tensors(self.optimizer).values()]

    def _bar(self, done: int, progress: bool | None) -> tqdm:
        first, more = self.config, len(self.configs) - 1
        name = f"{first.dataset} {first.category}, {first.mode}" + f" and {more} more" * (more > 0)
        return tqdm(total=first.epochs, initial=done, unit="epoch", leave=False, desc=name,
                    disable=None if progress is None else not progress)


def _check_ensemble(configs: Sequence[Config]) -> None:
    first, n = configs[0], len(configs)
    for config in configs:
        for name in vars(config).keys() - set(PER_MODEL):
            expected, found = getattr(first, name), getattr(config, name)
            if found != expected:
                raise InputError(f"models of one ensemble must agree in {name}: expected "
                                 f"{expected!r}, found {found!r}")
    if len({config.method.recodes for config in configs}) > 1:
        raise InputError("models of one ensemble must agree in whether they recode: expected mode "
                         "vae apart from the others, found both")
    if n != first.stack:
        raise InputError(f"expected an ensemble of {first.stack} models, found {n}")


def _check_code(config: Config) -> None:
    """Raises InputError where another loss than the config's would train."""
    losses.check_unpatched()
    code = own_code(config.method)
    if code != config.objective:
        expected, found = (text or "the package's" for text in (config.objective, code))
        raise InputError(f"expected the loss whose code is {expected}, found {found}: a new "
                         "Config takes today's")


def _fit_baseline(config: Config, out: str | Path, progress: bool | None, wait: bool,
                  callbacks: Sequence[Callback], split: OneClassSplit | None) -> Run:
    """A compared method has no state to go on with: one that was stopped begins again."""
    prepare(config)
    split = load_split(config) if split is None else split
    model = config.method.model_class()(config)  # may refuse, before anything is left
    with folders.claim(out, wait):
        finished = folders.find(out, config, resume=True)  # by the process that was waited for
        if finished:
            return finished
        place, start = absolute(out), time.perf_counter()
        rows: list[dict[str, float]] = []

        def follow(epoch: int, loss: float) -> None:
            seconds = time.perf_counter() - start - sum(row["seconds"] for row in rows)
            rows.append({"epoch": epoch, "loss": loss, "learning_rate": config.learning_rate,
                         "seconds": seconds})
            told = Epoch(config, place, rows, lambda: model)
            if call((write_log, *callbacks), [told]) and epoch < config.epochs:
                raise TrainingStopped(f"stopped after epoch {epoch} of {config.epochs}; "
                                      f"{config.mode} begins again")

        with folders.begun([place], [config], lambda: bool(rows)), following(progress, follow):
            say_what_is_read([config], progress)
            model.fit(split.train)
        save_weights(place / WEIGHTS, model)
        # of a method that does not follow, its losses
        history = rows or [{"epoch": epoch, "loss": loss}
                           for epoch, loss in enumerate(model.losses, 1)]
        return folders.finish(place, config, split, history, time.perf_counter() - start)
