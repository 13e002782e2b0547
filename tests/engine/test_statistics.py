"""Running statistics after training: those of the training images, the same way for every mode."""

import pytest
import torch

from rscvae_lab.config import Config
from rscvae_lab.datasets import load_parts, load_split
from rscvae_lab.datasets.images import resize, to_unit
from rscvae_lab.engine.statistics import set_statistics
from rscvae_lab.errors import InputError
from rscvae_lab.models.vae import VAE
from rscvae_lab.runs.evaluation import measure
from rscvae_lab.trainers import train


def first_norm(model: VAE) -> torch.nn.BatchNorm2d:
    return model.encoder[1]


@pytest.mark.parametrize("recode", [False, True])
def test_statistics_are_those_of_the_images_and_their_reconstructions(recode):
    """By hand for the first layer: the mean over x, or over x and x_hat, of its convolution."""
    split, model = load_split(Config()), VAE.from_config(Config()).train()
    x = to_unit(split.train)
    with torch.no_grad():
        outputs = [model.encoder[0](x)]
        if recode:
            outputs.append(model.encoder[0](model(x).x_hat))
    set_statistics(model, split.train, recode)
    for found, expected in (
        (first_norm(model).running_mean, [part.mean((0, 2, 3)) for part in outputs]),
        (first_norm(model).running_var, [part.var((0, 2, 3)) for part in outputs]),
    ):
        torch.testing.assert_close(found, torch.stack(expected).mean(0), rtol=1e-4, atol=1e-6)


def test_nothing_else_of_the_model_changes():
    split, model = load_split(Config()), VAE.from_config(Config()).eval()
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    set_statistics(model, split.train)
    assert not model.training
    assert first_norm(model).momentum == 0.1
    assert all(torch.equal(weight, before[name]) for name, weight in model.named_parameters())


def test_a_run_has_the_statistics_of_its_weights(tmp_path):
    """Repeating the pass over the training images changes nothing: it was the last thing done."""
    for mode in ("vae", "o"):
        run = train(Config(mode=mode, epochs=2), tmp_path / mode, progress=False)
        stored = first_norm(run.model).running_mean.clone()
        set_statistics(run.model, load_split(run.config).train)
        torch.testing.assert_close(
            first_norm(run.model).running_mean, stored, rtol=1e-4, atol=1e-6
        )


def test_torchs_own_averages_can_be_kept(tmp_path):
    run = train(Config(epochs=2, recode_statistics="training"), tmp_path, progress=False)
    stored = first_norm(run.model).running_mean.clone()
    set_statistics(run.model, load_split(run.config).train)
    assert not torch.allclose(first_norm(run.model).running_mean, stored, rtol=1e-3)


def test_one_image_has_statistics_where_a_layer_has_several_values_of_it():
    """A ResNet halves 32 pixels to one, which alone has no variance."""
    image = load_split(Config()).train[:1]
    plain = VAE.from_config(Config())
    set_statistics(plain, image)
    assert all(torch.isfinite(each).all() for each in plain.state_dict().values())
    with pytest.raises(InputError, match="more images to train on at 32 pixels, found 1"):
        set_statistics(VAE.from_config(Config(network="resnet18")), image)


def test_a_score_leaves_torchs_switches_as_they_were():
    switches, defaults = (torch.backends.cudnn, torch.backends.cuda.matmul), (True, False)
    before = [switch.allow_tf32 for switch in switches]
    try:
        for switch, value in zip(switches, defaults):
            switch.allow_tf32 = value
        measure(VAE.from_config(Config()), load_split(Config()).train[:2])
        assert tuple(switch.allow_tf32 for switch in switches) == defaults
    finally:
        for switch, value in zip(switches, before):
            switch.allow_tf32 = value


@pytest.mark.skipif(torch.cuda.is_available(), reason="without a GPU the switches mean nothing")
def test_torchs_newer_switch_is_no_hindrance():
    """Where a caller has used `fp32_precision`, torch refuses to say what `allow_tf32` is."""
    switch = torch.backends.cuda.matmul
    before = switch.fp32_precision
    try:
        switch.fp32_precision = "tf32"
        measure(VAE.from_config(Config()), load_split(Config()).train[:2])
        assert switch.fp32_precision == "tf32"
    finally:
        switch.fp32_precision = before


def test_an_error_of_the_users_network_is_told_as_it_is():
    class Narrow(VAE):
        def forward(self, *_):
            raise ValueError("my network takes at most 32 images")

    with pytest.raises(ValueError, match="at most 32 images"):
        set_statistics(Narrow.from_config(Config()), load_split(Config()).train)


def test_statistics_are_those_of_every_chunk():
    """600 images are two chunks of 256, which count alike; the rest is left out."""
    images = resize(load_parts("digits")[0].images[:600], 32)
    model = VAE.from_config(Config()).train()
    with torch.no_grad():
        expected = model.encoder[0](to_unit(images[:512])).mean((0, 2, 3))
    set_statistics(model, images, recode=False)
    torch.testing.assert_close(first_norm(model).running_mean, expected, rtol=1e-4, atol=1e-6)
