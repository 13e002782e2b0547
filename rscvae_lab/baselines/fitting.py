"""What the compared methods share: batches, optimizer steps, seeds, and scores in chunks."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from tqdm.auto import tqdm

from rscvae_lab.config import Config
from rscvae_lab.datasets.images import as_network_input, to_unit
from rscvae_lab.engine.draws import draw_order, epoch_generator
from rscvae_lab.errors import InputError

NOISE, MEMORY = 1, 2  # streams of random numbers: training noise, Patch SVDD's memory
Step = Callable[[Tensor], Tensor]  # from a batch x: a step's loss, or scores
Follow = Callable[[int, float], None]  # an epoch and its mean loss
_following: ContextVar[tuple[bool | None, Follow]] = ContextVar(
    "following", default=(None, lambda epoch, loss: None))


@contextmanager
def following(progress: bool | None, follow: Follow) -> Iterator[None]:
    """Has trainings inside show a bar over their epochs (None: on a terminal only), and call
    `follow` after each of them."""
    token = _following.set((progress, follow))
    try:
        yield
    finally:
        _following.reset(token)


@contextmanager
def seeded(seed: int, *stream: int) -> Iterator[None]:
    """Seeds torch's global generators, and restores them afterwards. Initial weights use the seed
    itself; what else is random uses a `stream` of the seed, so that training noise does not repeat
    the numbers that the weights were drawn from."""
    if stream:
        seed = int(np.random.SeedSequence(seed, spawn_key=stream).generate_state(1)[0])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def bce(logits: Tensor, label: float) -> Tensor:
    """Mean binary cross-entropy, in nats, of logits that all have one label."""
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> Tensor:
    """One step of an optimizer on its own weights alone. Returns the loss."""
    optimizer.zero_grad()
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    loss.backward(inputs=weights)
    optimizer.step()
    return loss


def minimise(model: nn.Module, images: Tensor, config: Config, loss: Step) -> list[float]:
    """`fit_epochs` with Adam at the config's rate; `loss` of a batch is a scalar."""
    optimizer = torch.optim.Adam(model.parameters(), config.learning_rate)
    return fit_epochs(model, images, config, lambda x: descend(optimizer, loss(x)))


def fit_epochs(model: nn.Module, images: Tensor, config: Config, step: Step) -> list[float]:
    """Calls `step` with every batch x in [0, 1], (B, C, S, S); returns each epoch's mean loss.

    Batches are full and drawn like those of the VAEs; the random numbers of a step come from the
    seed's stream `NOISE`. The model is in train mode here and in eval mode afterwards. `step`
    changes the weights and returns the loss, a scalar. Raises InputError where it is not finite.
    """
    images, losses, (progress, follow) = images.to(config.device), [], _following.get()
    model.to(config.device)
    bar = tqdm(range(1, config.epochs + 1), f"{config.dataset} {config.category}, {config.mode}",
               unit="epoch", leave=False, disable=None if progress is None else not progress)
    with seeded(config.seed, NOISE), bar:
        for epoch in bar:
            model.train()  # whatever a callback did
            order = draw_order(epoch_generator(config, epoch), len(images), config.batch_size)
            steps = [step(to_unit(images[batch])).detach() for batch in order]
            loss = torch.stack(steps).mean().item()
            if not math.isfinite(loss):
                raise InputError(f"training diverged in epoch {epoch}: expected a finite loss of "
                                 f"{config.mode}, found {loss}; try a learning_rate below "
                                 f"{config.learning_rate:g}")
            losses.append(loss)
            bar.set_postfix(loss=f"{loss:.3g}", refresh=False)
            with torch.random.fork_rng():  # a callback's draws change nothing
                follow(epoch, loss)
    model.eval()
    return losses


def score_chunks(model: nn.Module, images: Tensor, config: Config, score: Step,
                 chunk: int = 256) -> Tensor:
    """`score` of x in [0, 1], (n, C, S, S) -> (n,), of all images, in eval mode: (N,) on the CPU.
    A chunk has as many pixels as `chunk` images of 32 x 32. Gradients are on, for methods that
    need them. Raises InputError as `as_network_input`."""
    device = next(model.parameters()).device
    chunk = max(1, chunk * 32**2 // config.image_size**2)
    model.eval()
    parts = [score(as_network_input(part.to(device), config.channels, config.image_size))
             .detach().cpu() for part in images.split(chunk) if len(part)]
    return torch.cat(parts) if parts else torch.empty(0)
