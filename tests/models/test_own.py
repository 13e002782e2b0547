"""A user's own networks in a Detector: trained, told apart, and checked on load."""

import numpy as np
import pytest
import torch
from arrays import detector, eights
from sklearn.base import clone
from torch import nn

from rscvae_lab import Config, Detector, train
from rscvae_lab.errors import InputError


class Encoder(nn.Module):
    """One's own, with all that a network may have: dropout, batch norm, a view."""

    def __init__(self, width: int = 4, slope: float = 0.0):
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(1, width, 3, 2, 1), nn.BatchNorm2d(width)
        self.dropout, self.slope = nn.Dropout(0.1), slope

    def forward(self, x):
        x = nn.functional.leaky_relu(self.norm(self.convolution(x)), self.slope)
        return self.dropout(x).view(len(x), -1)


def striped(z):
    """A decoder without weights."""
    return z[:, None, None, :32].sigmoid().expand(-1, 1, 32, 32)


def encoder(*arguments) -> Encoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Encoder(*arguments)


@pytest.mark.slow
def test_own_networks_train_repeat_and_are_checked_on_load(tmp_path):
    own = encoder()
    before = {name: weight.clone() for name, weight in own.state_dict().items()}
    first = detector(encoder=own, decoder=striped, epochs=2).fit(eights())
    again = clone(first).fit(eights())
    assert all(torch.equal(weight, before[name]) for name, weight in own.state_dict().items())
    scores = first.novelty_score(eights(1))
    assert np.array_equal(again.novelty_score(eights(1)), scores)
    assert again.run_.config == first.run_.config
    assert first.run_.config.encoder.startswith(f"{__name__}:Encoder ")
    trained = first.run_.model.encoder.network.state_dict()
    assert not torch.equal(trained["convolution.weight"], before["convolution.weight"])
    first.save(tmp_path / "x")
    loaded = Detector.load(tmp_path / "x", encoder=Encoder(), decoder=striped)
    assert np.array_equal(loaded.novelty_score(eights(1)), scores)
    for networks, message in (
        ({}, f"expected encoder {__name__}:Encoder, found none"),
        ({"encoder": nn.Flatten(), "decoder": striped}, "found torch.nn.modules.flatten:Flatten"),
        ({"encoder": Encoder(5), "decoder": striped}, "other code or another structure"),
        ({"encoder": Encoder()}, f"expected decoder {__name__}:striped, found none"),
    ):
        with pytest.raises(InputError, match=message):
            Detector.load(tmp_path / "x", **networks)


def flattening(sign: int) -> nn.Module:
    class Flattening(nn.Module):
        def forward(self, x):
            return sign * x.flatten(1)

    return Flattening()


@pytest.mark.slow
def test_the_same_name_with_other_code_is_refused_on_load(tmp_path):
    detector(encoder=flattening(1)).fit(eights()).save(tmp_path / "x")
    Detector.load(tmp_path / "x", encoder=flattening(1))
    with pytest.raises(InputError, match="with the code that it was trained with"):
        Detector.load(tmp_path / "x", encoder=flattening(-1))


class WithPlaces(nn.Module):
    """An encoder that makes a tensor of its own: where each pixel lies."""

    def forward(self, x):
        return torch.cat([x, torch.linspace(-1, 1, x.shape[-1]).expand_as(x)], 1).flatten(1)


@pytest.mark.slow
def test_an_encoder_may_make_tensors_of_its_own():
    made = detector("o", encoder=WithPlaces()).fit(eights())
    assert made.run_.model.to_mu.in_features == 2 * 32 * 32


class Shifting(nn.Module):
    def __init__(self, in_place: bool):
        super().__init__()
        self.in_place = in_place

    def forward(self, x):
        if self.in_place:
            x -= 0.5
        else:
            x = x - 0.5
        return x.flatten(1)


@pytest.mark.slow
def test_a_network_that_works_in_place_changes_no_image():
    in_place, anew = (detector(encoder=Shifting(way)).fit(eights()) for way in (True, False))
    assert np.array_equal(in_place.novelty_score(eights(1)), anew.novelty_score(eights(1)))


@pytest.mark.slow
def test_a_network_that_is_refused_leaves_the_folder_free(tmp_path):
    config = Config(epochs=1, precision="auto")
    with pytest.raises(InputError, match="features"):
        train(config, tmp_path, progress=False, networks=(nn.Identity(), None))
    run = train(config, tmp_path, progress=False, networks=(nn.Flatten(), None))
    assert run.config.precision == "float32", "as with Detector"


@pytest.mark.slow
def test_another_network_is_another_run():
    """By class, weights, plain settings, and code."""
    def flat(x):
        return x.flatten(1)

    def faint(x):
        return 0.5 * x.flatten(1)

    networks = [None, encoder(), Encoder(), encoder(4, 0.2), flat, faint]
    hashes = {detector("o", encoder=each).fit(eights()).run_.config.config_hash
              for each in networks}  # fmt: skip
    assert len(hashes) == len(networks)
