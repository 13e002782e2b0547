"""The regions of a shipped run beside its weights, for where its data set is not."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from rscvae_lab.analysis.surveys import Survey
from rscvae_lab.errors import InputError
from rscvae_lab.regions import Regions
from rscvae_lab.runs import Run
from rscvae_lab.runs.evaluation import code
from rscvae_lab.storage.tensors import load_tensors, save_tensors

REGIONS = "regions.safetensors"
PARTS = 10  # codes are rounded to so many parts of the normal region's distance


def calibrate(folder: str | Path) -> Path:
    """Measures the regions of a run, whose data must be at hand, and writes them beside its
    weights: the codes of its normal training images, rounded to `farthest / 10` and stored as
    int8, and thresholds calibrated on these. (Of 600 images of MNIST 98 % or more stay in the
    region that exact codes give.) Raises InputError for missing data, or codes too wide."""
    run = Run.load(folder)
    survey = Survey.of(run)
    step = survey.regions.farthest / PARTS
    levels = np.round(survey.regions.codes / step)
    if np.abs(levels).max(initial=0) > 127:
        raise InputError(f"expected codes within 127 steps of {step:.3g}, found one at "
                         f"{np.abs(levels).max():.0f}")
    heldout = run.score(survey.split.heldout)
    regions = Regions.calibrated((levels * step).astype(np.float32),
                                 code(run.model, survey.split.heldout).mu.numpy(),
                                 heldout.l_enc1.to_numpy(), heldout.l_recon.to_numpy())
    thresholds = {name: value for name, value in vars(regions).items() if name != "codes"}
    save_tensors(run.folder / REGIONS, {"levels": torch.from_numpy(levels.astype(np.int8))},
                 {"config_hash": run.config.config_hash, "step": step} | thresholds)
    return run.folder / REGIONS


def stored_regions(run: Run) -> tuple[Regions, np.ndarray, float]:
    """What `calibrate` left: the regions, and their codes as int8 (N, D) and the step between two
    of these. Raises InputError where nothing is stored, or another run's."""
    tensors, note = load_tensors(run.folder / REGIONS)
    _require_own(run, note)
    levels, step = tensors["levels"].numpy(), note.pop("step")
    return Regions((levels * step).astype(np.float32), **note), levels, step


def _require_own(run: Run, note: dict[str, Any]) -> None:
    owner = note.pop("config_hash", "none")
    if owner != run.config.config_hash:
        raise InputError(f"expected the regions of run {run.config.config_hash} in "
                         f"{run.folder / REGIONS}, found those of {owner}")
