"""What `rscvae bench` makes of its measurements; the speeds themselves are no test's business."""

import pandas as pd
import pytest

from rscvae_lab.bench import report
from rscvae_lab.bench.timing import race
from rscvae_lab.config import Config


def test_ratios_are_medians_of_rounds_and_not_ratios_of_medians():
    rounds = pd.DataFrame({"memory_loop": [10.0, 20.0, 40.0], "dataloader_loop": [5.0, 10.0, 20.0],
                           "ours": [30.0, 20.0, 80.0], "stack_40": [10.0, 30.0, 20.0], "sweep": [40.0, 20.0, 80.0]})
    ratios = report.ratios(rounds, flops=2.0, peak=600.0)
    assert ratios == {"vs_memory_loop": 2.0, "vs_dataloader_loop": 4.0, "sweep_vs_memory_loop": 2.0,
                      "vs_eager_gpu": None, "gemm_share": 0.1}
    on_gpu = report.ratios(rounds.drop(columns="sweep"), flops=2.0, peak=600.0)
    assert (on_gpu["vs_eager_gpu"], on_gpu["sweep_vs_memory_loop"]) == (1.0, None)


def test_in_a_race_everyone_runs_once_a_round_and_follows_others():
    ran = []
    contestants = {name: lambda seconds, name=name: ran.append(name) or seconds for name in "abcd"}
    rounds = race(contestants, 0.5, 9)
    assert rounds.shape == (9, 4) and list(rounds) == list("abcd") and (rounds == 0.5).all(axis=None)
    turns = [ran[i : i + 4] for i in range(4, 40, 4)]  # after the warm-up
    assert all(sorted(turn) == list("abcd") for turn in turns)
    assert all(len({turn[turn.index(name) - 1] for turn in turns if turn[0] != name}) == 3 for name in "abcd")


def test_the_operations_of_an_image_grow_as_the_networks_area_does():
    """Doubling every width of convolutions quadruples nearly all of the work."""
    lesson, wide = (report.flops_per_image(Config(widths=widths)) for widths in ("lesson", "wide"))
    assert wide / lesson == pytest.approx(4, rel=0.1)
