"""An ensemble of M models is M models: each ends where it would have ended alone."""

from dataclasses import replace

import pytest
import torch

from rscvae_lab import losses
from rscvae_lab.config import Config
from rscvae_lab.datasets import load_split
from rscvae_lab.engine.batches import Batches
from rscvae_lab.engine.ensemble import Ensemble, EnsembleAdam, masked
from rscvae_lab.errors import InputError, TrainingStopped
from rscvae_lab.models.vae import VAE
from rscvae_lab.runs.journal import optimizer_tensors
from rscvae_lab.trainers import train, train_ensemble, train_step

# Sets of different sizes, so that one model has 3 steps in an epoch and the others 4 or 5.
RECODING = [
    Config(
        mode=mode,
        category=category,
        seed=seed,
        p=p,
        beta=beta,
        heldout=heldout,
        stack=3,
        batch_size=27,
        precision="float32",
    )
    for mode, category, seed, p, beta, heldout in (
        ("o", "1", 1, 0.01, 1, 0.4),
        ("d", "3", 2, 0.3, 2, 0.1),
        ("e", "0", 3, 0.1, 3, 0.1),
    )
]
PLAIN = [
    Config(
        mode="vae",
        category=category,
        seed=seed,
        heldout=heldout,
        stack=2,
        batch_size=27,
        precision="float32",
    )
    for category, seed, heldout in (("8", 0, 0.1), ("2", 5, 0.5))
]


def double(batch):
    return batch._replace(x=batch.x.double(), noise=batch.noise.double())


def trained_alone(config: Config, epochs: int) -> tuple[VAE, torch.optim.Optimizer, list]:
    model = VAE.from_config(config).double()
    optimizer = torch.optim.Adam(model.parameters())
    weights, measured = losses.Weights.of(config), []
    batches = Batches([config], [load_split(config)])
    for epoch in range(1, epochs + 1):
        measured += [
            train_step(model, optimizer, double(batch), weights, config)
            for batch in batches.epoch(epoch)
        ]
    return model, optimizer, measured


def trained_together(configs: list[Config], epochs: int):
    ensemble = Ensemble([VAE.from_config(config).double() for config in configs])
    optimizer = EnsembleAdam(ensemble.parameters())
    columns = zip(*map(losses.Weights.of, configs))
    weights = losses.Weights(*(torch.tensor(column).unsqueeze(1) for column in columns))

    def step(batch):
        return train_step(ensemble, optimizer, double(batch), weights, configs[0])

    def state():
        return [*ensemble.state_dict().values(), *optimizer_tensors(optimizer).values()]

    step, measured = masked(step, state), [[] for _ in configs]
    batches = Batches(configs, [load_split(config) for config in configs], ensemble=True)
    for epoch in range(1, epochs + 1):
        for batch in batches.epoch(epoch):
            rows = step(batch)
            for i in batch.active.nonzero().flatten():
                measured[i].append(rows[i])
    return ensemble, optimizer, measured, batches


@pytest.mark.parametrize("configs", [RECODING, PLAIN], ids=["o-d-e", "vae"])
def test_every_model_ends_where_it_would_have_ended_alone(configs):
    """In float64, in every mode, with models that have no step left at the end of an epoch."""
    ensemble, optimizer, measured, batches = trained_together(configs, epochs=2)
    assert len(set(batches.steps)) > 1
    for i, (model, config) in enumerate(zip(ensemble.split(), configs, strict=True)):
        alone, its_optimizer, expected = trained_alone(config, epochs=2)
        torch.testing.assert_close(torch.stack(measured[i]), torch.stack(expected))
        for (name, tensor), wanted in zip(
            model.state_dict().items(), alone.state_dict().values(), strict=True
        ):
            torch.testing.assert_close(tensor, wanted, rtol=1e-6, atol=1e-8, msg=name)
        remembered, alone_remembered = map(optimizer_tensors, (optimizer, its_optimizer))
        for name, tensor in remembered.items():
            torch.testing.assert_close(
                tensor[i], alone_remembered[name].to(tensor.dtype), rtol=1e-6, atol=1e-8, msg=name
            )


@pytest.mark.parametrize("setting", ["fixed_image", "fixed_target"])
def test_settings_of_the_recoding_hold_in_an_ensemble(setting):
    configs = [replace(config, recode_gradient=setting) for config in RECODING]
    ensemble, *_ = trained_together(configs, epochs=1)
    alone, *_ = trained_alone(configs[1], epochs=1)
    for tensor, expected in zip(
        ensemble.split()[1].state_dict().values(), alone.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(tensor, expected, rtol=1e-6, atol=1e-8)


def test_models_go_in_and_come_out_unchanged():
    models = [VAE.from_config(config) for config in RECODING]
    for model, copy in zip(models, Ensemble(models).split(), strict=True):
        expected = model.state_dict()
        assert copy.state_dict().keys() == expected.keys()
        assert all(torch.equal(part, expected[name]) for name, part in copy.state_dict().items())


def test_fresh_anomalies_are_those_of_a_lone_model():
    """The first of two, so that the second's images lie behind the places that change."""
    configs = [
        Config(mode="e", category=category, p=0.3, stack=2, anomaly_draw=draw)
        for category, draw in (("3", "fresh"), ("5", "stratified"))
    ]
    splits = [load_split(config) for config in configs]
    together = Batches(configs, splits, ensemble=True)
    alone = [Batches([config], [split]) for config, split in zip(configs, splits)]
    seen = []
    for epoch in (1, 2):
        batches = list(together.epoch(epoch))
        for i, own in enumerate(alone):
            for batch, expected in zip(batches, own.epoch(epoch)):
                assert torch.equal(batch.x[i], expected.x)
                assert torch.equal(batch.y[i], expected.y)
        seen.append(torch.cat([batch.x[0][batch.y[0]] for batch in batches]))
    assert seen[0].shape != seen[1].shape or not torch.equal(*seen)


def test_an_ensemble_leaves_runs_that_agree_with_lone_ones(tmp_path):
    configs = [replace(config, epochs=2) for config in RECODING]
    together = train_ensemble(
        configs, [tmp_path / config.mode for config in configs], progress=False
    )
    for run, config in zip(together, configs, strict=True):
        alone = train(replace(config, stack=1), tmp_path / f"{config.mode}-alone", progress=False)
        assert run.config == config
        assert run.metrics["auroc"] == pytest.approx(alone.metrics["auroc"], abs=0.01)
        for name in ("loss", "recon", "anomalous", "learning_rate"):
            assert run.history[name].tolist() == pytest.approx(
                alone.history[name].tolist(), rel=1e-2, nan_ok=True)
    assert not list(tmp_path.glob("*/state*"))


def test_a_stopped_ensemble_goes_on_to_the_same_bytes(tmp_path):
    configs = [replace(config, epochs=2) for config in RECODING]
    whole, stopped = ([tmp_path / how / c.mode for c in configs] for how in ("whole", "stopped"))
    train_ensemble(configs, whole, progress=False)
    with pytest.raises(TrainingStopped):
        train_ensemble(configs, stopped, progress=False, callbacks=[lambda epoch: False])
    train_ensemble(configs, stopped, progress=False)
    for folders in zip(whole, stopped):
        assert len({(folder / "weights.safetensors").read_bytes() for folder in folders}) == 1


def test_an_ensemble_touches_no_other_run(tmp_path):
    other = train(Config(mode="pca"), tmp_path / "b", progress=False)
    configs = [replace(config, epochs=1, stack=2) for config in RECODING[:2]]
    with pytest.raises(InputError, match="holds the run of another config"):
        train_ensemble(configs, [tmp_path / "a", tmp_path / "b"], progress=False)
    assert other.config == type(other).load(tmp_path / "b").config
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latent": 8}, "must agree in latent: expected 64, found 8"),
        ({"epochs": 3}, "must agree in"),
        ({"mode": "vae"}, "must agree in whether they recode"),
        ({}, "expected an ensemble of 3 models, found 2"),
    ],
)
def test_what_cannot_train_together_is_refused(changes, message, tmp_path):
    configs = [RECODING[0], replace(RECODING[1], **changes)]
    with pytest.raises(InputError, match=message):
        train_ensemble(configs, [tmp_path / "a", tmp_path / "b"], progress=False)
    assert not list(tmp_path.iterdir())
