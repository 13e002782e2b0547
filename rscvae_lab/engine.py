"""The step: M models, their optimizer and all their images on the device, with no word to the host inside an epoch."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rscvae_lab import losses
from rscvae_lab.categories import PICTURE_SETS
from rscvae_lab.config import Config
from rscvae_lab.datasets.images import to_unit
from rscvae_lab.datasets.one_class import OneClassSplit, fresh_anomalies
from rscvae_lab.datasets.poses import POSE_SIDE, posed
from rscvae_lab.datasets.shifts import apply_operations
from rscvae_lab.epochs import Batch, draw_epochs
from rscvae_lab.models.solo import SoloVAE
from rscvae_lab.models.stacked import StackedVAE
from rscvae_lab.models.vae import VAE
from rscvae_lab.optimizers import RowwiseAdam

_WARM_UP = 3  # steps before a GPU's kernels are recorded, in which libraries choose and allocate


class Engine:
    """M trainings in progress. A single run is M = 1.

    Args:
        configs: they agree in everything but what `trainers.PER_MODEL` names.
        splits: the images of each.
    """

    def __init__(self, configs: Sequence[Config], splits: Sequence[OneClassSplit]):
        self.configs, self.splits, device = configs, splits, configs[0].device
        dtype = torch.bfloat16 if configs[0].precision == "bfloat16" else torch.float32
        models, fixed = [VAE.from_config(config) for config in configs], configs[0].recode_gradient == "fixed_picture"
        plain = configs[0].network == "plain"
        self.stack = (StackedVAE(models, device, dtype, fixed_picture=fixed) if plain else
                      SoloVAE(models[0], device, dtype, fixed))
        self.optimizer = RowwiseAdam(self.stack.flat)
        self.sizes = [len(split.train) + len(split.anomalies) for split in splits]
        self._images = torch.cat([part for split in splits for part in (split.train, split.anomalies)]).to(device)
        real = [torch.arange(n) >= len(split.train) for n, split in zip(self.sizes, splits)]
        self._anomalous = torch.cat(real).to(device)
        self._weights = losses.Weights(*(torch.tensor(column, dtype=torch.float32, device=device).unsqueeze(1)
                                         for column in zip(*map(losses.Weights.of, configs))))
        self._shifting = any(config.mode == "d" and config.dataset not in PICTURE_SETS for config in configs)
        self._recode = self._recoding() if any(config.mode != "vae" for config in configs) else False
        self._step: Callable[[Batch], Tensor] | None = None

    @property
    def state(self) -> dict[str, Tensor]:
        """Everything that a step changes and a later one needs."""
        return {"flat": self.stack.flat, "stats": self.stack.stats, **self.optimizer.state}

    def _recoding(self) -> Tensor:
        """Whose running statistics a second encoding moves."""
        moved = [config.mode != "vae" and config.recode_statistics == "both" for config in self.configs]
        return torch.tensor(moved, device=self._images.device if self.stack.batched else "cpu")

    def run_epoch(self, epoch: int) -> list[list[list[float]]]:
        """Trains one epoch of each model. The host waits for the device once, at the end.

        Returns:
            For each model the epoch's sums over its normal and over its anomalous images, in each the number of images,
            and their loss, recon, enc1, enc2 and mut.
        """
        self._draw_anomalies(epoch)
        drawn = draw_epochs(self.configs, epoch, self.sizes)
        log = drawn.noise.new_empty(*drawn.order.shape, 6)
        for i, parts in enumerate(zip(*drawn)):
            batch = Batch(*parts)
            self._step = self._step or self._make_step(batch)
            log[i] = self._step(batch)
        return _sums(log, drawn.active).tolist()

    def _draw_anomalies(self, epoch: int) -> None:
        """Puts others in the anomalies' places, for models that meet fresh ones every epoch."""
        end = 0
        for config, size, split in zip(self.configs, self.sizes, self.splits):
            end += size
            if config.mode == "e" and config.anomaly_draw == "fresh":
                self._images[end - len(split.anomalies) : end] = fresh_anomalies(split, config.seed, epoch)

    def _make_step(self, batch: Batch) -> Callable[[Batch], Tensor]:
        return self._eager_step if self.configs[0].device == "cpu" else self._recorded_step(batch)

    def _recorded_step(self, first: Batch) -> Callable[[Batch], Tensor]:
        """The step's kernels, recorded and launched as one (a CUDA graph). It knows addresses and no names: every batch
        is copied to where the first one was, and what a step returns is overwritten by the next."""
        static = Batch(*(part.clone() for part in first))
        before = {name: tensor.clone() for name, tensor in self.state.items()}
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UP):
                self._eager_step(static)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # other threads may go on
            measured = self._eager_step(static)
        for name, tensor in self.state.items():  # the warm-up trained nothing
            tensor.copy_(before[name])

        def step(batch: Batch) -> Tensor:
            for place, part in zip(static, batch):
                place.copy_(part)
            graph.replay()
            return measured

        return step

    def _eager_step(self, batch: Batch) -> Tensor:
        """Trains on one batch. Returns y, loss, recon, enc1, enc2 and mut of every image, (M, B, 6)."""
        order, noise, shifts, pose, rate, active = batch
        images = self._images.index_select(0, order.flatten()).view(*order.shape, *self._images.shape[1:])
        y = self._anomalous.take(order)
        if self._shifting:
            images, y = apply_operations(images, shifts), y | shifts.any(-1)
        x = to_unit(images)
        if pose.shape[-1]:
            x, y = posed(x, pose), y | (pose[..., POSE_SIDE] > 0)
        coding = self.stack.forward(x, noise, self._recode, active.squeeze(1))
        terms = losses.terms(x, coding, self.configs[0].js, self.configs[0].recode_gradient == "fixed_target")
        loss = losses.objective(terms, y, self._weights)
        self.optimizer.step(self.stack.gradient(loss, 1 / loss.shape[1]), rate, active)
        measured = [loss, *(torch.zeros_like(loss) if term is None else term for term in terms)]
        return torch.stack([y.to(loss.dtype), *measured], -1).detach()


def _sums(log: Tensor, active: Tensor) -> Tensor:
    """What `run_epoch` returns, (M, 2, 6), from what its steps returned, (T, M, B, 6), but for resting ones."""
    y = log[..., :1]
    columns = torch.cat([torch.ones_like(y), log[..., 1:]], -1).double() * active.unsqueeze(-1)
    return torch.stack([(columns * (1 - y)).sum((0, 2)), (columns * y).sum((0, 2))], 1)
