"""A config is checked, hashed and read back; settings come from text."""

import shlex
import sys

import pytest

from rscvae_lab.cli import main
from rscvae_lab.config import WIDTHS, Config
from rscvae_lab.config.text import command_of, parse_settings
from rscvae_lab.errors import InputError


def test_json_round_trip_and_hash():
    config = Config(dataset="fashion_mnist", category="Ankle boot", widths="wide", beta=10)
    assert Config.from_json(config.to_json()) == config
    assert config.category == "ankle-boot"
    assert config.widths == WIDTHS["wide"]
    assert len(config.config_hash) == 12


def test_the_hash_tells_any_two_configs_apart_and_spellings_alike():
    assert Config(category="8").config_hash == Config(category=8).config_hash
    assert Config(mode="vae") == Config(mode="recode_vae")
    assert Config(beta=10).config_hash == Config(beta=10.0).config_hash
    assert Config(widths=[16, 32, 64, 128]).config_hash == Config(widths="lesson").config_hash
    changes = [
        {"seed": 1},
        {"beta": 2.0},
        {"epochs": 61},
        {"js": "jeffreys"},
        {"consist_on_anomaly": False},
        {"threads": 2},
        {"split_seed": 1},
    ]
    assert len({Config(**change).config_hash for change in [{}, *changes]}) == 1 + len(changes)


def test_defaults_follow_data_set_and_scale():
    assert Config().epochs == 60
    assert Config(dataset="mnist").epochs == 10
    paper = Config(dataset="mnist", scale="paper")
    assert (paper.epochs, paper.evaluate_every, paper.result_epoch) == (500, 10, 450)
    assert Config(epochs=7).result_epoch == 7
    assert Config(scale="paper", epochs=60).result_epoch == 50


def test_a_result_that_is_not_the_last_epoch_is_announced():
    assert Config(scale="paper", epochs=120).result_note == (
        "paper scale: the result is epoch 50 of 120, where the rate is lowest; "
        "epoch 120 is recorded as auroc_final"
    )
    for config in (Config(), Config(scale="paper", epochs=50), Config(mode="ae", scale="paper")):
        assert config.result_note == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "x"},
        {"js": "wasserstein"},
        {"shifts": "none"},
        {"scale": "huge"},
        {"device": "tpu"},
        {"epochs": 0},
        {"p": -0.1},
        {"fraction": 0},
        {"heldout": 0.9},
        {"image_size": 33},
        {"widths": (1, 2)},
        {"batch_size": 0},
        {"learning_rate": float("nan")},
        {"dataset": "svhn"},
        {"category": "eleven"},
        {"epochs": 2.5},
        {"epochs": "3"},
        {"seed": None},
        {"consist_on_anomaly": 1},
        {"beta": True},
        {"widths": 64},
        {"widths": (1.5, 2, 3, 4)},
        {"threads": 0},
        {"precision": "float16"},
    ],
)
def test_impossible_values_are_refused_in_one_line(wrong):
    with pytest.raises(InputError) as refusal:
        Config(**wrong)
    assert "\n" not in str(refusal.value)


def test_settings_from_text():
    found = parse_settings(
        {"widths": "32-64-128-256", "beta": "5", "epochs": "3", "consist_on_anomaly": "False"}
    )
    assert found == {
        "widths": (32, 64, 128, 256),
        "beta": 5.0,
        "epochs": 3,
        "consist_on_anomaly": False,
    }


@pytest.mark.parametrize(
    "config",
    [
        Config(),
        Config(
            dataset="fashion_mnist",
            category="t-shirt/top",
            mode="e",
            seed=3,
            beta=10,
            widths="wide",
            threads=1,
            consist_on_anomaly=False,
            anomaly_draw="fresh",
            precision="float32",
        ),
        Config(dataset="mnist", scale="paper", epochs=60, learning_rate=0.005, evaluate_every=7),
        Config(
            dataset="mvtec_ad",
            category="metal_nut",
            mode="e",
            per_defect=3,
            image_size=128,
            batch_size=16,
        ),
        Config(
            dataset="folder",
            root="/some where",
            category="my parts",
            mode="d",
            p=0.1,
            latent=16,
            channels=1,
            augment=False,
            network="plain",
            image_size=96,
        ),
        Config(mode="ae", latent=64, batch_size=32),
        Config(dataset="mnist", mode="ganomaly", learning_rate=1e-3),
        Config(mode="adgan", latent=64),
        Config(
            dataset="synthetic",
            category="plate",
            mode="patch_svdd",
            learning_rate=3e-4,
            image_size=64,
        ),
    ],
)
def test_the_command_of_a_config_makes_it_again(config, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "rscvae_lab.trainers.train", lambda made, *_, **__: seen.append(made) or sys.exit(5)
    )
    with pytest.raises(SystemExit):
        main(shlex.split(command_of(config))[1:])
    assert seen == [config]


@pytest.mark.parametrize(
    "settings",
    [
        {"colour": "red"},
        {"epochs": "many"},
        {"consist_on_anomaly": "perhaps"},
        {"widths": "a-b"},
        {"recipe": "2"},
    ],
)
def test_unknown_or_unreadable_settings_are_refused(settings):
    with pytest.raises(InputError, match=r"expected one of|expects"):
        parse_settings(settings)


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"mode": "x"}'])
def test_foreign_config_files_are_refused(text):
    with pytest.raises(InputError):
        Config.from_json(text)


def test_compared_methods_take_what_they_usually_take():
    """In float32, whatever the CPU can; on large pictures eight at a time like every method."""
    ae = Config(mode="ae")
    assert (ae.batch_size, ae.learning_rate, ae.latent, ae.precision) == (64, 1e-3, 32, "float32")
    assert Config(mode="ae", batch_size=16, latent=8).batch_size == 16
    assert Config(mode="ae", dataset="synthetic", category="plate").batch_size == 8
    assert Config(mode="pca").config_hash == Config(mode="pca", channels=1).config_hash
    assert Config(mode="ae", scale="paper").result_epoch == 500, (
        "its rate never falls: the last epoch is the result"
    )
