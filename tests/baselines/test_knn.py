"""k nearest neighbours: distances by hand, and any number of remembered images."""

import pytest
import torch

from rscvae_lab.config import Config
from rscvae_lab.errors import InputError
from rscvae_lab.runs.run import new_model
from rscvae_lab.storage.tensors import load_weights, save_weights


def grey(*levels: int) -> torch.Tensor:
    """Images of one grey level each, whose root mean squared distance is that of the levels."""
    images = torch.tensor(levels, dtype=torch.uint8).view(-1, 1, 1, 1)
    return images.expand(-1, 1, 32, 32).contiguous()


def test_distances_by_hand():
    known, new = grey(0, 51, 102, 153, 204, 255), grey(51, 76, 255)
    one = new_model(Config(mode="knn1")).fit(known).score(new)
    assert one.tolist() == pytest.approx([0, 25 / 255, 0], abs=1e-3)
    five = new_model(Config(mode="knn5")).fit(known).score(new)
    # of 51: 0, 51, 51, 102, 153; of 76: 25, 26, 76, 77, 128; of 255: 0, 51, 102, 153, 204
    assert five.tolist() == pytest.approx([n / 5 / 255 for n in (357, 332, 510)], abs=1e-3)


def test_fewer_images_than_neighbours_are_all_counted():
    score = new_model(Config(mode="knn5")).fit(grey(0, 255)).score(grey(51))
    assert score.item() == pytest.approx((51 + 204) / 2 / 255, abs=1e-3)


@pytest.mark.parametrize("n", (1, 7))
def test_any_number_of_images_is_saved_and_loaded(n, tmp_path):
    model, again = (new_model(Config(mode="knn1")) for _ in range(2))
    save_weights(tmp_path / "w.safetensors", model.fit(grey(*range(n))))
    load_weights(tmp_path / "w.safetensors", again)
    assert torch.equal(again.known, model.known) and len(again.known) == n


def test_images_of_another_size_are_refused(tmp_path):
    save_weights(tmp_path / "w.safetensors", new_model(Config(mode="knn1")).fit(grey(1)))
    other = new_model(Config(mode="knn1", image_size=48))
    with pytest.raises(InputError, match="another model's weights: expected"):
        load_weights(tmp_path / "w.safetensors", other)
