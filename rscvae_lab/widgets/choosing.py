"""The run chooser: finished runs by data set, category, mode, epochs and seed."""

from collections.abc import Sequence
from functools import cache

from matplotlib.figure import Figure

from rscvae_lab import figures
from rscvae_lab.datasets import load_split
from rscvae_lab.errors import InputError
from rscvae_lab.runs import Run
from rscvae_lab.widgets.base import Panel, dropdown, inputs_and_outputs, slider

N_IMAGES = 4
FIELDS = ("dataset", "category", "mode", "epochs", "seed",
          "config_hash")  # the hash separates runs that differ in other settings


class RunChooser(Panel):
    """Dropdowns that list finished runs, each restricted by those before it, and a slider that
    shows the training up to an epoch. `runs` have a history, and the first is selected first;
    `run` is the chosen one."""

    def __init__(self, runs: Sequence[Run]):
        if not runs:
            raise InputError("expected finished runs to choose from, found none: train some first")
        self.runs, self.run = list(runs), runs[0]
        self._split = cache(load_split)
        fields = {name: dropdown(name, _options(name, runs), getattr(self.run.config, name))
                  for name in FIELDS}
        last = self.run.config.epochs
        epoch = slider("look back at epoch", last, 1, last, 1)
        super().__init__(self.show, fields | {"epoch": epoch})

    def narrow(self) -> None:
        """Restricts each dropdown to what the choices before it leave."""
        runs, before, epoch = self.runs, self.run, self.controls["epoch"]
        for name in FIELDS:
            control, options = self.controls[name], _options(name, runs)
            value = control.value if control.value in options else options[0]
            control.options, control.value = options, value
            runs = [run for run in runs if getattr(run.config, name) == value]
        self.run = runs[0]
        epoch.max = self.run.config.epochs
        if self.run is not before:
            epoch.value = epoch.max

    def show(self, epoch: int, **choices: str | int) -> tuple[Figure, str]:
        """The chosen run's curves up to an epoch, and its final reconstructions of test images."""
        run, config, history = self.run, self.run.config, self.run.history
        test, history = self._split(config).test, history[history.epoch <= epoch]
        images = test[:: max(1, len(test) // N_IMAGES)][:N_IMAGES]
        rows = inputs_and_outputs(run.model, images)
        metrics = {name: run.metrics[name]
                   for name in ("auroc", "auroc_recon", "auroc_mut", "auroc_best", "s_a")}
        numbers = ", ".join(f"{name} {value:.3f}"
                            for name, value in metrics.items() if value is not None)
        last = history.iloc[-1]
        return figures.live(history, config.epochs, rows, config.mode), (
            f"mode {config.mode} on {config.dataset} {config.category}: {numbers}<br>at epoch "
            f"{epoch}: l_recon {last.recon:.1f}, l_enc1 {last.enc1:.1f} nats (images: the final "
            "weights)")


def _options(name: str, runs: Sequence[Run]) -> list:
    return sorted({getattr(run.config, name) for run in runs})


def run_chooser(runs: Sequence[Run]) -> RunChooser:
    """A chooser over finished runs of VAEs: compared methods have no such terms to show."""
    return RunChooser([run for run in runs if run.config.method.is_vae])
