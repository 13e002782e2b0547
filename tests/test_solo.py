"""A lone network of any layers trains as the stack does where the stack knows the layers."""

import pytest
import torch

from rscvae_lab import losses
from rscvae_lab.config import Config
from rscvae_lab.models.solo import SoloVAE
from rscvae_lab.models.stacked import StackedVAE
from rscvae_lab.models.vae import VAE
from rscvae_lab.optimizers import RowwiseAdam


@pytest.mark.parametrize("moves", [True, False])
@pytest.mark.parametrize("fixed_picture", [True, False])
def test_ten_steps_are_those_of_a_stack_of_one(moves, fixed_picture, generator):
    """float64, so that rounding does not hide a difference."""
    models = [kind(model, dtype=torch.float64, fixed_picture=fixed_picture) for kind, model in
              ((SoloVAE, VAE.from_config(Config()).double()), (StackedVAE, [VAE.from_config(Config()).double()]))]
    draws = [(torch.rand(1, 6, 1, 32, 32, generator=generator, dtype=torch.float64),
              torch.randn(1, 6, 64, generator=generator, dtype=torch.float64)) for _ in range(10)]
    for model in models:
        optimizer = RowwiseAdam(model.flat)
        for x, noise in draws:
            coding = model.forward(x, noise, torch.tensor([moves]), torch.tensor([True]))
            loss = losses.objective(losses.terms(x, coding), torch.zeros(1, 6), losses.Weights(0.1, 0.1, 1.0))
            optimizer.step(model.gradient(loss, 1 / 6), torch.tensor([[1e-3]]), torch.tensor([[True]]))
    (solo,), (stacked,) = (model.unstack() for model in models)
    for (name, expected), found in zip(stacked.state_dict().items(), solo.state_dict().values(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-8, msg=name)
