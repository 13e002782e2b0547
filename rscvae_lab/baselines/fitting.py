"""What the compared methods share: batches, descent, seeds, and scores in chunks. Each method has the rest."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from rscvae_lab.config import Config
from rscvae_lab.datasets.images import as_network_input, to_unit
from rscvae_lab.engine.draws import draw_order, epoch_generator
from rscvae_lab.errors import InputError

Step = Callable[[Tensor], Tensor]
_progress: ContextVar[bool | None] = ContextVar("progress", default=None)


@contextmanager
def show_progress(progress: bool | None) -> Iterator[None]:
    """Whether trainings in here show a bar over their epochs; None shows it on a terminal only."""
    token = _progress.set(progress)
    try:
        yield
    finally:
        _progress.reset(token)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """torch's own random numbers from this seed, and as they were afterwards."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> Tensor:
    """One step of an optimizer down its own weights; what else the loss depends on stays as it is. Returns the loss."""
    optimizer.zero_grad()
    loss.backward(inputs=[weight for group in optimizer.param_groups for weight in group["params"]])
    optimizer.step()
    return loss


def minimise(model: nn.Module, images: Tensor, config: Config, loss: Callable[[Tensor], Tensor]) -> list[float]:
    """`fit_epochs` by Adam at the config's rate, on all weights of a model; `loss` of a batch is a scalar."""
    optimizer = torch.optim.Adam(model.parameters(), config.learning_rate)
    return fit_epochs(model, images, config, lambda x: descend(optimizer, loss(x)))


def fit_epochs(model: nn.Module, images: Tensor, config: Config, step: Step) -> list[float]:
    """Calls `step` with every batch of every epoch: x in [0, 1], (B, C, S, S), on the config's device.

    Batches are full and drawn like those of the VAEs; the noise that a step draws is seeded too. The model is in train
    mode meanwhile and in eval mode afterwards.

    Args:
        step: changes the weights and returns the loss to be shown, a scalar.

    Returns:
        The mean loss of each epoch.

    Raises:
        InputError: the loss is not finite.
    """
    images, losses, progress = images.to(config.device), [], _progress.get()
    model.to(config.device).train()
    with seeded(config.seed), tqdm(total=config.epochs, unit="epoch", leave=False,
                                   desc=f"{config.dataset} {config.category}, {config.mode}",
                                   disable=None if progress is None else not progress) as bar:
        for epoch in range(1, config.epochs + 1):
            order = draw_order(epoch_generator(config, epoch), len(images), config.batch_size)
            found = torch.stack([step(to_unit(images[batch])).detach() for batch in order]).mean().item()
            if not math.isfinite(found):
                raise InputError(f"training diverged in epoch {epoch}: expected a finite loss of {config.mode}, found "
                                 f"{found}; try a learning_rate below {config.learning_rate:g}")
            losses.append(found)
            bar.set_postfix(loss=f"{found:.3g}", refresh=False)
            bar.update()
    model.eval()
    return losses


def score_chunks(model: nn.Module, images: Tensor, config: Config, score: Callable[[Tensor], Tensor],
                 chunk: int = 256) -> Tensor:
    """`score` of x in [0, 1], (n, C, S, S) -> (n,), over all images, in eval mode; (N,) on the CPU.

    `chunk` images of 32 x 32 pixels at once, of larger ones as many fewer as they have more pixels.

    Gradients are on for methods that need them, so a score that needs none should say `torch.no_grad`.

    Raises:
        InputError: images of another shape or range, NaN pixels.
    """
    device, chunk = next(model.parameters()).device, max(1, chunk * 32**2 // config.image_size**2)
    model.eval()
    parts = [score(as_network_input(part.to(device), config.channels, config.image_size)).detach().cpu()
             for part in images.split(chunk) if len(part)]  # split leaves one empty part of no images
    return torch.cat(parts) if parts else torch.empty(0)
