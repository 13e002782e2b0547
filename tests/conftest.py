"""Shared by all tests: folders of their own, small pictures, and one short trained run."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

from rscvae_lab.cli import main
from rscvae_lab.config import Config
from rscvae_lab.storage.files import project_root
from rscvae_lab.trainers import train

torch.set_num_threads(1)  # two threads that wait for a busy core are a hundred times slower
for profile, n in (("default", 200), ("thorough", 5000)):
    settings.register_profile(profile, max_examples=n, deadline=None, database=None,
                              derandomize=profile == "default",
                              suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")
REAL_DATA = Path(os.environ.get("RSCVAE_DATA") or project_root() / "data")


def pytest_collection_modifyitems(items):
    missing = [
        name for name in ("MNIST", "FashionMNIST") if not (REAL_DATA / name / "raw").is_dir()
    ]
    skip = pytest.mark.skip(reason=f"no {' or '.join(missing)} in RSCVAE_DATA")
    for item in items:
        if missing and item.get_closest_marker("real_data"):
            item.add_marker(skip)


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def gaussian_pairs(generator):
    """60 pairs of diagonal Gaussians in 7 dimensions, standard deviations within a factor of about
    4, in float64."""

    def draw(scale: float) -> torch.Tensor:
        return scale * torch.randn(60, 7, generator=generator, dtype=torch.float64)

    return draw(1.0), draw(0.7), draw(1.0), draw(0.7)


@pytest.fixture(scope="session")
def short_run(tmp_path_factory):
    """Mode o on the digit 8, as `make run` trains it: a few seconds."""
    return train(Config(), tmp_path_factory.mktemp("run") / "o", progress=False)


@pytest.fixture
def refusal(capsys):
    """Runs a command that must be refused: status 2, one line on stderr, which it returns, nothing
    on stdout."""

    def refused(*arguments: object) -> str:
        capsys.readouterr()
        assert main([str(argument) for argument in arguments]) == 2
        printed = capsys.readouterr()
        assert printed.err.startswith("rscvae: ")
        assert printed.err.count("\n") == 1
        assert not printed.out
        return printed.err

    return refused
