"""What a config trains today is what it trained when its results were stored."""

import pytest

from rscvae_lab.config import Config
from rscvae_lab.datasets import load_split, synthetic
from rscvae_lab.trainers import train

# the sum of three epochs' losses, and the mean novelty score of the test images
TRAINED = {"vae": (793.165, 1.15175), "o": (796.506, 1.14221), "d": (558.755, 1.13342),
           "e": (606.852, 1.06239), "ae": (410.036, 0.164235), "dsebm": (628.387, 0.196022),
           "ganomaly": (48.2435, 0.00438632), "ocgan": (215.111, 0.137858)}


@pytest.mark.slow
@pytest.mark.parametrize("mode", TRAINED)
def test_an_unchanged_config_trains_what_it_trained(mode, tmp_path):
    """Red after a change of draws, splits, networks, steps or scores, which asks for another
    RECIPE and for new numbers here. Other processors round otherwise: hence the tolerance."""
    config = Config(mode=mode, p=0.3, epochs=3, threads=1, precision="float32", device="cpu")
    run = train(config, tmp_path, progress=False)
    found = run.history.loss.sum(), run.scores.novelty_score.mean()
    assert found == pytest.approx(TRAINED[mode], rel=2e-3)


def test_the_test_set_of_parts_is_the_one_that_results_rest_on(tmp_path):
    synthetic.write_set(tmp_path, size=32, n_train=9, n_good=2, n_defect=5)
    config = Config(dataset="folder", root=str(tmp_path), category="plate", image_size=32,
                    test_without=2)
    assert load_split(config).test_index.tolist() == [1, 2, 4, 5, 6, 7, 8, 9, 14, 15, 16]
