"""The industrial part of `rscvae bench`: what feeds a training step, and the step itself, beside torchvision's
ImageFolder and a DataLoader, on drawn plates of 256 pixels for networks of 64."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import torch

from rscvae_lab.bench import plain_loops
from rscvae_lab.bench.timing import Contestant, training_speed, race, timed
from rscvae_lab.config import Config
from rscvae_lab.datasets import synthetic
from rscvae_lab.datasets.augmentation import augmented
from rscvae_lab.datasets.image_files import pictures_in, read_pictures
from rscvae_lab.datasets.images import to_unit
from rscvae_lab.engine.draws import draw_epoch

SOURCE, SIZE, N_PICTURES = 256, 64, 64


def measured(device: str, seconds: float, rounds: int) -> pd.DataFrame:
    """Images a second of each contestant, a row a round."""
    config = Config(dataset="synthetic", category="plate", image_size=SIZE, device=device)
    with tempfile.TemporaryDirectory() as scratch:
        folder = synthetic.write_set(Path(scratch), size=SOURCE, n_train=N_PICTURES, n_good=0, n_defect=0)
        return race(_contestants(folder / "train", config), seconds, rounds)


def ratios(rounds: pd.DataFrame) -> dict[str, float]:
    """Medians over the rounds of two figures of one round."""
    pairs = {"picture_input_vs_imagefolder": ("picture_input", "imagefolder_input"),
             "picture_step_vs_imagefolder": ("picture_step", "imagefolder_step")}
    return {name: round(float((rounds[ours] / rounds[theirs]).median()), 2) for name, (ours, theirs) in pairs.items()}


def _contestants(folder: Path, config: Config) -> dict[str, Contestant]:
    files = pictures_in(folder / "good")
    images, loader = read_pictures(files, SIZE, 3), plain_loops.from_folder(folder, config)
    fed = plain_loops.training(plain_loops.from_folder(folder, config), config)
    ours = _input(images.to(config.device), config)
    return {
        "picture_decoding": timed(lambda: read_pictures(files, SIZE, 3), len(files), config),
        "imagefolder_input": timed(lambda: next(loader), config.batch_size, config),
        "picture_input": timed(lambda: next(ours), config.batch_size, config),
        "imagefolder_step": timed(fed, config.batch_size, config),
        "picture_step": training_speed(config, images),
    }


def _input(images: torch.Tensor, config: Config) -> Iterator[torch.Tensor]:
    """Our batches without end: drawn for an epoch, taken from memory, flipped and turned."""
    while True:
        drawn = draw_epoch(config, 1, len(images))
        for order, pose in zip(drawn.order, drawn.pose):
            yield augmented(to_unit(images[order]), pose)
