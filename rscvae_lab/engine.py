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
        self._sums = torch.zeros(len(configs), 2, 6, dtype=torch.float64, device=device)
        self._batch: Batch | None = None  # where every step finds its draws: a recorded step knows addresses, not names
        self._step: Callable[[], None] | None = None

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
        step = self._step or self._make_step(drawn)
        self._sums.zero_()
        for i in range(len(drawn.order)):
            self._load(drawn, i)
            step()
        return self._sums.tolist()

    def _draw_anomalies(self, epoch: int) -> None:
        """Puts others in the anomalies' places, for models that meet fresh ones every epoch."""
        end = 0
        for config, size, split in zip(self.configs, self.sizes, self.splits):
            end += size
            if config.mode == "e" and config.anomaly_draw == "fresh":
                self._images[end - len(split.anomalies) : end] = fresh_anomalies(split, config.seed, epoch)

    def _load(self, drawn: Batch, i: int) -> None:
        for static, part in zip(self._batch, drawn):
            static.copy_(part[i])

    def _make_step(self, drawn: Batch) -> Callable[[], None]:
        """The step as a call without arguments: on a GPU its kernels, recorded and launched as one (a CUDA graph)."""
        self._batch = Batch(*(part[0].clone() for part in drawn))
        self._step = self._eager_step if self.configs[0].device == "cpu" else self._recorded_step()
        return self._step

    def _recorded_step(self) -> Callable[[], None]:
        changed = [*self.state.values(), self._sums]
        before = [tensor.clone() for tensor in changed]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UP):
                self._eager_step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # other threads may go on
            self._eager_step()
        for tensor, old in zip(changed, before):  # the warm-up trained nothing
            tensor.copy_(old)
        return graph.replay

    def _eager_step(self) -> None:
        order, noise, shifts, pose, rate, active = self._batch
        images, y = self._images[order], self._anomalous[order]
        if self._shifting:
            images, y = apply_operations(images, shifts), y | shifts.any(-1)
        x = to_unit(images)
        if pose.shape[-1]:
            x, y = posed(x, pose), y | (pose[..., POSE_SIDE] > 0)
        coding = self.stack.forward(x, noise, self._recode, active.squeeze(1))
        terms = losses.terms(x, coding, self.configs[0].js, self.configs[0].recode_gradient == "fixed_target")
        loss = losses.objective(terms, y, self._weights)
        self.optimizer.step(self.stack.gradient(loss, 1 / loss.shape[1]), rate, active)
        self._sums += _sums(loss.detach(), terms, y) * active.unsqueeze(2)


def _sums(loss: Tensor, terms: losses.Terms, y: Tensor) -> Tensor:
    """What `run_epoch` returns, of one batch."""
    measured = [loss, *(torch.zeros_like(loss) if term is None else term.detach() for term in terms)]
    columns = torch.stack([torch.ones_like(loss), *measured], -1).double()  # (M, B, 6)
    return torch.stack([~y, y], 1).double() @ columns
