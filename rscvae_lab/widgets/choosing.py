"""The run chooser: finished runs by data set, category, mode, epochs and seed."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from rscvae_lab.datasets import load_split
from rscvae_lab.datasets.one_class import OneClassSplit
from rscvae_lab.errors import InputError
from rscvae_lab.figures import panels
from rscvae_lab.runs.evaluation import code
from rscvae_lab.runs.run import Run
from rscvae_lab.widgets.base import Panel, dropdown, slider

SHOWN = 4
FIELDS = ("dataset", "category", "mode", "epochs", "seed", "config_hash")  # the last where others leave a choice


class RunChooser(Panel):
    """Dropdowns that offer what is there, each within the choices before it, and an epoch to look back at.

    Args:
        runs: finished ones with a history; the first is shown first.

    Attributes:
        run: the chosen run.
    """

    def __init__(self, runs: Sequence[Run]):
        if not runs:
            raise InputError("expected finished runs to choose from, found none: train some first")
        self.runs, self.run = list(runs), runs[0]
        self._splits: dict[str, OneClassSplit] = {}
        fields = {name: dropdown(name, self._options(name, self.runs), getattr(self.run.config, name))
                  for name in FIELDS}
        self._narrowing = False
        super().__init__(self.show, {**fields, "epoch": slider("look back at epoch", 1, 1, 1, 1)})
        self.controls["epoch"].value = self.controls["epoch"].max

    def redraw(self) -> None:
        """Offers what the choices so far leave, then draws."""
        if self._narrowing:
            return
        self._narrowing = True
        try:
            self._narrow()
        finally:
            self._narrowing = False
        super().redraw()

    def _narrow(self) -> None:
        left = self.runs
        for name in FIELDS:
            control, options = self.controls[name], self._options(name, left)
            wanted = control.value if control.value in options else options[0]
            control.options, control.value = options, wanted
            left = [run for run in left if getattr(run.config, name) == wanted]
        changed, self.run = left[0] is not self.run, left[0]
        self.controls["epoch"].max = self.run.config.epochs
        if changed:
            self.controls["epoch"].value = self.run.config.epochs

    @staticmethod
    def _options(name: str, runs: Sequence[Run]) -> list:
        return sorted({getattr(run.config, name) for run in runs})

    def show(self, epoch: int, **chosen: str | int) -> tuple[Figure, str]:
        """Curves of the chosen run up to an epoch, and what its final weights make of test images."""
        run, history = self.run, self.run.history
        history = history[history.epoch <= epoch]
        if run.config.config_hash not in self._splits:
            self._splits[run.config.config_hash] = load_split(run.config)
        split = self._splits[run.config.config_hash]
        images = split.test[:: max(1, len(split.test) // SHOWN)][:SHOWN]
        pictures = {"test": images.numpy(), "output": code(run.model, images).x_hat.numpy()}
        shown = {name: run.metrics[name] for name in ("auroc", "auroc_recon", "auroc_mut", "auroc_best", "s_a")}
        figures = ", ".join(f"{name} {value:.3f}" for name, value in shown.items() if value is not None)
        last = history.iloc[-1]
        return panels.live(history, run.config.epochs, pictures, run.config.mode), (
            f"mode {run.config.mode} on {run.config.dataset} {run.config.category}: {figures}<br>at epoch "
            f"{epoch}: l_recon {last.recon:.1f}, l_enc1 {last.enc1:.1f} nats (pictures: the final weights)")


def run_chooser(runs: Sequence[Run]) -> RunChooser:
    """A chooser over finished runs; baselines, which have no training history, are left out."""
    return RunChooser([run for run in runs if len(run.history)])
