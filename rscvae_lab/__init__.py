"""RSC-VAE (arXiv 2305.04275) as a laboratory: the model, its losses, its training, and a course.

The paper's route through the package: `datasets.one_class` (Sec. 4.1) -> `models.vae` (Sec. 3.1)
-> `losses` (Eqs. 4-14) -> `trainers` (the loop) -> `scoring` (Eqs. 15-17).

    from rscvae_lab import Config, train
    run = train(Config(dataset="digits", category="8", mode="o"), "runs/x")
"""

from importlib import import_module
from typing import Any

__version__ = "0.2.0"

NORMAL, NOVEL = 0, 1  # labels everywhere; a higher novelty score always means more novel

_HOMES = {"Config": "config", "VAE": "models.vae", "Detector": "detector", "train": "trainers",
          "Run": "runs", "InputError": "errors"}
__all__ = ["NORMAL", "NOVEL", *_HOMES]


def __getattr__(name: str) -> Any:
    """Public names come from their modules on first use: `import rscvae_lab` loads no torch."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
