"""The compared methods: what each must obey, and for each a check with a known answer (in its own
file)."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from rscvae_lab.baselines.fitting import NOISE, fit_epochs, seeded
from rscvae_lab.config import Config
from rscvae_lab.datasets import load_split
from rscvae_lab.engine.draws import epoch_generator
from rscvae_lab.methods import COMPARED
from rscvae_lab.runs.run import new_model
from rscvae_lab.trainers import train

pytestmark = pytest.mark.slow

INDUSTRIAL_ONLY = ("patch_svdd",)  # they compare patches, and a digit of 32 pixels has none


def small(mode: str) -> Config:
    """One epoch on the digits or, for methods that do not take them, on small plates."""
    plates = (
        {"dataset": "synthetic", "category": "plate", "image_size": 64}
        if mode in INDUSTRIAL_ONLY
        else {}
    )
    return Config(mode=mode, epochs=1, **plates)


@pytest.mark.parametrize("mode", COMPARED)
def test_contract(mode, tmp_path):
    """Of any method: scores are finite, differ, survive saving, and depend on their image alone;
    none of no images."""
    config = small(mode)
    run = train(config, tmp_path, progress=False)
    images = load_split(config).test[:64]
    together = run.model.score(images)
    assert together.shape == (64,) and together.isfinite().all() and together.std() > 0
    alone = torch.cat([run.model.score(image[None]) for image in images[:5]])
    torch.testing.assert_close(alone, together[:5], rtol=1e-4, atol=1e-6)
    assert run.model.score(images[:0]).shape == (0,)
    assert run.scores.novelty_score.to_numpy()[:64] == pytest.approx(
        together.double().numpy(), rel=1e-4
    )


@pytest.mark.parametrize("mode", COMPARED)
def test_the_same_seed_gives_the_same_weights(mode):
    """Whatever other random numbers are drawn meanwhile, and gradients were left."""
    images = load_split(small(mode)).train
    expected, _, other = new_model(small(mode)).fit(images), torch.rand(3), new_model(small(mode))
    for weight in other.parameters():
        weight.grad = torch.full_like(weight, 100.0)
    found = other.fit(images).state_dict()
    assert all(torch.equal(weight, found[name]) for name, weight in expected.state_dict().items())


@pytest.mark.parametrize("mode", COMPARED)
def test_colour_images_of_another_size_and_the_network_for_them(mode, generator):
    plates = {"dataset": "synthetic", "category": "plate", "image_size": 64, "batch_size": 2}
    config = Config(mode=mode, epochs=1, **plates)
    shape = (4, config.channels, 64, 64)
    images = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
    method = new_model(config).fit(images)
    assert config.channels == 3 and torch.tensor(method.losses).isfinite().all()
    assert method.score(images).isfinite().all()


def test_weights_noise_and_batches_are_drawn_from_different_streams():
    config, drawn = small("ae"), []
    with seeded(config.seed):
        drawn.append(torch.rand(4))
    fit_epochs(
        nn.Linear(1, 1),
        load_split(config).train,
        config,
        lambda x: drawn.append(torch.rand(4)) or x.mean(),
    )
    drawn.append(torch.rand(4, generator=epoch_generator(config, 1)))
    first = [numbers.tolist() for numbers in (drawn[0], drawn[1], drawn[-1])]
    assert len({tuple(numbers) for numbers in first}) == 3
    with seeded(config.seed, NOISE):
        assert torch.rand(4).tolist() == first[1]


def test_a_bar_shows_only_where_it_is_wanted(tmp_path, capsys):
    train(Config(mode="ae", epochs=2), tmp_path / "quiet", progress=False)
    assert capsys.readouterr().err == ""
    train(Config(mode="ae", epochs=2), tmp_path / "shown", progress=True)
    assert "epoch" in capsys.readouterr().err


def test_a_floor_is_validated_on_held_out_against_novel_images(tmp_path):
    run = train(Config(mode="pca"), tmp_path, progress=False)
    split = load_split(run.config)
    scores = run.model.score(torch.cat([split.heldout, split.validation]))
    novel = np.arange(len(scores)) >= len(split.heldout)
    assert run.metrics["auroc_validation"] == pytest.approx(roc_auc_score(novel, scores))
