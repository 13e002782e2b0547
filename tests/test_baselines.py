"""The compared methods: what each must obey, and for each a check with a known answer (in its own file)."""

import pytest
import torch

from rscvae_lab.baselines import METHODS
from rscvae_lab.config import BASELINES, Config
from rscvae_lab.datasets import load_split
from rscvae_lab.trainers import train


def test_every_method_of_the_config_exists():
    assert METHODS.keys() == BASELINES.keys()


@pytest.mark.parametrize("mode", METHODS)
def test_contract(mode, tmp_path):
    """Of any method: scores are finite, differ, survive saving, and depend on their image alone; none of no images."""
    config = Config(mode=mode, epochs=1)
    run = train(config, tmp_path, progress=False)
    images = load_split(config).test[:64]
    together = run.model.score(images)
    assert together.shape == (64,) and together.isfinite().all() and together.std() > 0
    alone = torch.cat([run.model.score(image[None]) for image in images[:5]])
    torch.testing.assert_close(alone, together[:5], rtol=1e-4, atol=1e-6)
    assert run.model.score(images[:0]).shape == (0,)
    assert run.scores.novelty_score.to_numpy()[:64] == pytest.approx(together.double().numpy(), rel=1e-4)


@pytest.mark.parametrize("mode", METHODS)
def test_same_seed_same_weights(mode, tmp_path):
    """Whatever other random numbers are drawn meanwhile."""
    first = METHODS[mode](Config(mode=mode, epochs=1)).fit(load_split(Config(mode=mode)).train)
    torch.rand(3)
    second = METHODS[mode](Config(mode=mode, epochs=1)).fit(load_split(Config(mode=mode)).train)
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, second.state_dict()[name]), name
