"""A batch's images are what its labels say."""

import pytest
from torch import Tensor

from rscvae_lab.config import Config
from rscvae_lab.datasets import load_split
from rscvae_lab.datasets.images import to_unit
from rscvae_lab.engine.batches import Batches


def images_of(x: Tensor) -> set[bytes]:
    return {(255 * image).round().byte().numpy().tobytes() for image in x}


@pytest.mark.parametrize("mode", ["o", "d", "e"])
def test_batches_show_what_their_labels_say(mode):
    config = Config(mode=mode, p=0.3)
    split, shown = load_split(config), {False: set(), True: set()}
    for batch in Batches([config], [split]).epoch(1):
        for y in shown:
            shown[y] |= images_of(batch.x[batch.y == y])
    normal = images_of(to_unit(split.train))
    assert shown[False] <= normal and not shown[True] & normal
    assert bool(shown[True]) == (mode != "o")
    assert mode != "e" or shown == {False: normal, True: images_of(to_unit(split.anomalies))}
