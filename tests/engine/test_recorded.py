"""Where a step cannot be recorded, training goes on without; recording itself needs a GPU."""

import pytest
import torch

from rscvae_lab.engine.batches import Batch
from rscvae_lab.engine.recorded import recorded


@pytest.mark.skipif(torch.cuda.is_available(), reason="here the step can be recorded")
def test_a_step_that_cannot_be_recorded_runs_as_it_is_and_says_so():
    weight = torch.zeros(3)

    def step(batch: Batch) -> torch.Tensor:
        weight.add_(1)
        return weight

    x = torch.zeros(2, 4)
    first = Batch(x, x[:, 0] > 0, x, torch.ones(2), torch.ones(2, dtype=torch.bool))
    with pytest.warns(RuntimeWarning, match="could not be recorded as a CUDA graph"):
        usable = recorded(step, first, lambda: [weight])
    assert not weight.any(), "warming up must train nothing"
    usable(first)
    assert weight.tolist() == [1, 1, 1]
