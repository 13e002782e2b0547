"""A training step of a GPU, recorded once and replayed as one launch (a CUDA graph)."""

import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from rscvae_lab.engine.batches import Batch

_WARM_UP = 3  # steps before the recording, in which libraries choose kernels and allocate

Step = Callable[[Batch], Tensor]


def recorded(step: Step, first: Batch, state: Callable[[], list[Tensor]]) -> Step:
    """The step as a CUDA graph. A graph knows addresses and no names: every batch is copied to
    where `first` was. Where the step cannot be recorded it stays as it is, with a warning. `state`
    returns all tensors that the step changes, so that warming up trains nothing."""
    static = Batch(*(part.clone() for part in first))
    before = [tensor.detach().clone() for tensor in state()]
    try:
        graph, measured = _record(step, static)
    except RuntimeError as error:
        warnings.warn(f"the training step could not be recorded as a CUDA graph and runs without: "
                      f"{' '.join(str(error).split())}", RuntimeWarning, stacklevel=2)
        graph = None
    with torch.no_grad():
        for tensor, old in zip(state(), before):
            tensor.copy_(old)
    if graph is None:
        return step

    def replay(batch: Batch) -> Tensor:
        for place, part in zip(static, batch):
            place.copy_(part)
        graph.replay()
        return measured.clone()

    return replay


def _record(step: Step, static: Batch) -> tuple[torch.cuda.CUDAGraph, Tensor]:
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(_WARM_UP):
            step(static)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):  # other threads may go on
        measured = step(static)
    return graph, measured
