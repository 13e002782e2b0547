"""Industrial images in `rscvae bench`: the input of a training step and the whole step, beside
torchvision's ImageFolder with a DataLoader; synthetic plates of 256 pixels, a network for 64."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from torch import Tensor

from rscvae_lab.bench import plain_loops
from rscvae_lab.bench.timing import Contestant, race, timed, training_speed
from rscvae_lab.config import Config
from rscvae_lab.datasets import synthetic
from rscvae_lab.datasets.augmentation import augmented
from rscvae_lab.datasets.image_files import images_in, read_images
from rscvae_lab.datasets.images import to_unit
from rscvae_lab.engine.draws import draw_epoch

SOURCE, SIZE, N_IMAGES = 256, 64, 64
MEANINGS = {
    "imagefolder_input": "ImageFolder, transforms and DataLoader: decode, resize, augment",
    "imagefolder_step": "the plain loop on these batches, one ResNet",
    "image_decoding": "our decoding and resizing, once per training",
    "image_input": "our batches, augmented from memory",
    "image_step": "our training of one ResNet",
}
RATIOS = {"image_input_vs_imagefolder": ("image_input", "imagefolder_input"),
          "image_step_vs_imagefolder": ("image_step", "imagefolder_step")}


def measured(config: Config, seconds: float, rounds: int) -> pd.DataFrame:
    """Images per second as `race`, with this config's device, precision and threads."""
    config = Config(dataset="synthetic", category="plate", image_size=SIZE, device=config.device,
                    precision=config.precision, threads=config.threads)
    with tempfile.TemporaryDirectory() as scratch:
        plates = synthetic.write_set(Path(scratch), size=SOURCE, n_train=N_IMAGES, n_good=0,
                                     n_defect=0)
        return race(_contestants(plates / "train", config), seconds, rounds)


def _contestants(folder: Path, config: Config) -> dict[str, Contestant]:
    files, n = images_in(folder / "good"), config.batch_size
    images, dataset = read_images(files, SIZE, 3), plain_loops.image_folder(folder, config)
    alone, fed = (plain_loops.from_loader(dataset, config) for _ in range(2))
    ours = _input(images.to(config.device), config)
    return {
        "imagefolder_input": timed(lambda: next(alone), n, config),
        "imagefolder_step": timed(plain_loops.training(fed, config), n, config),
        "image_decoding": timed(lambda: read_images(files, SIZE, 3), len(files), config),
        "image_input": timed(lambda: next(ours), n, config),
        "image_step": training_speed(config, images),
    }


def _input(images: Tensor, config: Config) -> Iterator[Tensor]:
    """Our endless batches: drawn for an epoch, taken from memory, augmented."""
    while True:
        draws = draw_epoch(config, 1, len(images))
        for order, augmentation in zip(draws.order, draws.augmentation):
            yield augmented(to_unit(images[order]), augmentation, config.rigid)
