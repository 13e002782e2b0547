"""What `rscvae bench` makes of its measurements; the speeds themselves are no test's business."""

import pandas as pd
import pytest

from rscvae_lab.bench import industrial, plain_loops, report
from rscvae_lab.bench.timing import race
from rscvae_lab.config import Config
from rscvae_lab.models.conv import Conv2d


def test_ratios_are_medians_of_rounds_and_not_ratios_of_medians():
    rounds = pd.DataFrame(
        {
            "memory_loop": [10.0, 20.0, 40.0],
            "dataloader_loop": [5.0, 10.0, 20.0],
            "ours": [30.0, 20.0, 80.0],
            "sweep": [40.0, 20.0, 80.0],
        }
    )
    ratios = report.ratios(rounds, flops=2.0, peak=600.0)
    assert {name: value for name, value in ratios.items() if value is not None} == {
        "vs_memory_loop": 2.0,
        "vs_dataloader_loop": 4.0,
        "sweep_vs_memory_loop": 2.0,
        "gemm_share": 0.1,
    }
    rounds = rounds.drop(columns="sweep").assign(stack_40=[10.0, 30.0, 20.0])
    on_gpu = report.ratios(rounds, flops=2.0, peak=600.0)
    assert (on_gpu["vs_eager_gpu"], on_gpu["sweep_vs_memory_loop"]) == (1.0, None)


def test_in_a_race_everyone_runs_once_a_round_and_follows_others():
    ran = []
    contestants = {name: lambda seconds, name=name: ran.append(name) or seconds for name in "abcd"}
    rounds = race(contestants, 0.5, 9)
    assert rounds.shape == (9, 4) and list(rounds) == list("abcd")
    assert (rounds == 0.5).all(axis=None)
    turns = [ran[i : i + 4] for i in range(4, 40, 4)]  # after the warm-up
    assert all(sorted(turn) == list("abcd") for turn in turns)
    assert all(
        len({turn[turn.index(name) - 1] for turn in turns if turn[0] != name}) == 3
        for name in "abcd"
    )


def test_the_operations_of_an_image_grow_as_the_networks_area_does():
    """Doubling every width of convolutions quadruples nearly all of the work."""
    lesson, wide = (report.flops_per_image(Config(widths=widths)) for widths in ("lesson", "wide"))
    assert wide / lesson == pytest.approx(4, rel=0.1)


def test_the_operations_of_an_industrial_image_grow_with_its_pixels():
    """Forward and backward are three times forward; each of these recodes."""
    settings = {"dataset": "synthetic", "category": "plate", "device": "cpu"}
    small, large = (industrial.flops_per_image(Config(**settings, image_size=size))
                    for size in (64, 128))
    for name in ("training", "scoring"):
        assert large[name] / small[name] == pytest.approx(4, rel=0.05)
    assert small["training"] / small["scoring"] == pytest.approx(3, rel=0.05)


def test_shares_are_of_the_peak_in_the_precision_that_is_used(monkeypatch):
    flops = {"training": 6.0, "scoring": 2.0}
    monkeypatch.setattr(industrial, "flops_per_image", lambda config: flops)
    speeds = {f"image_{what}_{size}": [1.0, 100.0, 10.0] for size in industrial.SIZES
              for what in flops}
    peaks = {"bfloat16": 240.0, "float32": 80.0}
    config = Config(device="cpu", precision="bfloat16")
    found = industrial.shares(pd.DataFrame(speeds), config, lambda each: peaks[each.precision])
    assert set(found) == set(industrial.SHARES) <= set(report.MEANINGS)
    assert set(found.values()) == {0.25}


def test_on_a_cpu_like_runs_beside_like_and_every_line_says_what_it_is():
    names = set(report.contestants(Config(dataset="mnist", device="cpu", precision="float32")))
    loops = {"memory_loop", "memory_loop_1", "memory_loop_bf16", "dataloader_loop"}
    assert names == loops | {"ours", "ours_1", "scoring", "sweep"}
    pairs = set(report.RATIOS) - {"vs_eager_gpu"}
    compared = {name for pair in pairs for name in report.RATIOS[pair]}
    assert compared <= {*names, *industrial.MEANINGS}
    machine = {"cpu": "a CPU", "accelerator": None, "threads": 2}
    text = report.table(
        {
            "machine": machine,
            "precision": "float32",
            "mflop_per_image": 21.8,
            "gemm_peak_gflops": 200.0,
            "redraw_ms": {"alpha": 100.0},
            "images_per_second": dict.fromkeys(names, 1234.5),
            "ratios": dict.fromkeys(pairs, 1.5) | {"vs_eager_gpu": None},
        }
    )
    lines = {line.split()[1]: line for line in text.splitlines() if line.startswith("   ")}
    assert set(lines) == names | pairs | {"alpha"}
    assert lines["vs_memory_loop_1"].endswith("ours_1 / memory_loop_1")
    assert lines["memory_loop_1"].split(maxsplit=2) == [
        "1,234.5",
        "memory_loop_1",
        report.MEANINGS["memory_loop_1"],
    ]


@pytest.mark.slow
def test_every_widget_is_redrawn_by_a_control_that_it_has(monkeypatch):
    monkeypatch.setattr(report, "ROUNDS", 1)
    redrawn = report.redraws(Config(device="cpu"))
    assert len(redrawn) == 8
    assert min(redrawn.values()) > 0


def test_the_plain_loop_has_torchs_own_layers_and_learns(monkeypatch):
    monkeypatch.setattr(Conv2d, "__call__", lambda *_: pytest.fail("one of our layers"))
    config = Config(widths="wide", device="cpu", precision="bfloat16")
    images = plain_loops.random_images(config.batch_size, config.image_size)
    step = plain_loops.training(plain_loops.from_memory(images, config), config)
    losses = [step() for _ in range(5)]
    assert losses[-1] < losses[0]
