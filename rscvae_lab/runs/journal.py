"""What M trainings have done so far: their histories, and the state that survives a kill."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rscvae_lab.config import Config
from rscvae_lab.datasets.one_class import OneClassSplit
from rscvae_lab.engine.draws import learning_rate
from rscvae_lab.engine.ensemble import Ensemble
from rscvae_lab.errors import InputError
from rscvae_lab.models.vae import VAE
from rscvae_lab.runs.evaluation import during_training
from rscvae_lab.storage.files import METRICS, STATE, WEIGHTS
from rscvae_lab.storage.tensors import load_tensors, save_tensors, save_weights

_MODEL, _OPTIMIZER = "model.", "optimizer."


class Journal:
    """The rows of each model's history.csv, and where state and results are written: in `folders`,
    one a model, the state in the first. `steps` are those each model takes in an epoch."""

    def __init__(self, configs: Sequence[Config], folders: Sequence[Path], steps: Sequence[int]):
        self.configs, self.folders, self.steps = configs, folders, steps
        self.histories: list[list[dict[str, Any]]] = [[] for _ in configs]

    @property
    def epochs(self) -> int:
        """How many are done."""
        return len(self.histories[0])

    def enter(self, i: int, epoch: int, sums: list[list[float]], seconds: float,
              split: OneClassSplit, model: VAE | None) -> None:
        """Adds an epoch of a model to its history; with a model, also what it makes
        of the test set."""
        row = self._means(self.configs[i], epoch, sums, self.steps[i]) | {"seconds": seconds}
        if model is not None:
            row |= during_training(model, split, self.configs[i].js)
        self.histories[i].append(row)

    def save_result(self, i: int, model: VAE) -> None:
        """Writes a model's weights, unless its run is finished."""
        if not (self.folders[i] / METRICS).is_file():
            save_weights(self.folders[i] / WEIGHTS, model)

    def save(self, model: VAE | Ensemble, optimizer: torch.optim.Optimizer) -> None:
        """Writes the state that `restore` reads."""
        state = {_MODEL + name: tensor for name, tensor in model.state_dict().items()}
        state |= {_OPTIMIZER + name: tensor
                  for name, tensor in optimizer_tensors(optimizer).items()}
        note = {"configs": [config.config_hash for config in self.configs],
                "histories": self.histories}
        save_tensors(self.folders[0] / STATE, state, note)

    def restore(self, model: VAE | Ensemble, optimizer: torch.optim.Optimizer) -> None:
        """Puts model, optimizer and histories where `save` left them; without a state, nothing.
        Raises InputError where the state is another training's."""
        path = self.folders[0] / STATE
        if not path.is_file():
            return
        tensors, note = load_tensors(path)
        hashes = [config.config_hash for config in self.configs]
        if len(hashes) > 1 and note.get("configs") != hashes:
            return  # of an ensemble of another plan that began with the same model
        own = model.state_dict()
        saved, memory = ({name.removeprefix(part): tensor for name, tensor in tensors.items()
                          if name.startswith(part)} for part in (_MODEL, _OPTIMIZER))
        if note.get("configs") != hashes or {name: part.shape for name, part in saved.items()} != {
                name: part.shape for name, part in own.items()}:
            raise InputError(f"expected the state of run {hashes[0]} in {path}, found another "
                             "training's")
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(saved[name])
        restore_optimizer(optimizer, memory)
        self.histories = note["histories"]

    def discard(self) -> None:
        """Removes the state of a finished training."""
        (self.folders[0] / STATE).unlink(missing_ok=True)

    @staticmethod
    def _means(config: Config, epoch: int, sums: list[list[float]], steps: int
               ) -> dict[str, float | None]:
        """An epoch's means: `loss` over all images, the terms over normal ones, `anomalous` (the
        loss) over the others. Raises InputError where training diverged."""
        (n_normal, loss, recon, enc1, enc2, mut), (n_anomalous, anomalous, *_) = sums
        loss += anomalous
        if not math.isfinite(loss):
            raise InputError(
                f"training diverged in epoch {epoch}: expected a finite loss of {config.dataset} "
                f"{config.category}, {config.mode}, found {loss}; try a learning_rate below "
                f"{config.learning_rate:g} in another folder" + (
                    f" (it ends its ensemble of {config.stack} models; --stack 1 trains each "
                    "alone)" if config.stack > 1 else ""))
        totals = {"recon": recon, "enc1": enc1}
        if config.method.recodes:
            totals |= {"enc2": enc2, "mut": mut, "consist": enc2 + mut}
        means = {name: totals[name] / n_normal if n_normal and name in totals else None
                 for name in ("recon", "enc1", "enc2", "mut", "consist")}
        return {"epoch": epoch, "loss": loss / (n_normal + n_anomalous), **means,
                "anomalous": anomalous / n_anomalous if n_anomalous else None,
                "learning_rate": learning_rate(config, epoch - 1 + (steps - 1) / steps)}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What an optimizer remembers, by name: `0.exp_avg` is that of the first parameter."""
    state = optimizer.state_dict()["state"]
    return {f"{i}.{name}": tensor for i, own in state.items() for name, tensor in own.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """The inverse of `optimizer_tensors`."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        i, name = key.split(".")
        parameter = parameters[int(i)]
        if tensor.shape == parameter.shape:  # in the parameter's own memory format
            tensor = torch.empty_like(parameter).copy_(tensor)
        state.setdefault(int(i), {})[name] = tensor.to(parameter.device)
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
