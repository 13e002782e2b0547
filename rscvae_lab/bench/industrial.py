"""Industrial images in `rscvae bench`: the input of a training step and the whole step, beside
torchvision's ImageFolder with a DataLoader, from synthetic plates of 256 pixels at 64; and our
training and scoring at 128 and 256 pixels, also as a share of what matrix products reach."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from rscvae_lab.bench import plain_loops
from rscvae_lab.bench.timing import Contestant, race, timed, training_speed
from rscvae_lab.config import Config
from rscvae_lab.datasets import synthetic
from rscvae_lab.datasets.augmentation import augmented
from rscvae_lab.datasets.image_files import images_in, read_images
from rscvae_lab.datasets.images import to_unit
from rscvae_lab.engine.draws import draw_epoch
from rscvae_lab.models.vae import VAE
from rscvae_lab.runs.evaluation import measure

SOURCE, SIZE, N_IMAGES = 256, 64, 64
SIZES, N_TIMED = (128, 256), 16  # pixels; images, two steps
MEANINGS = {
    "imagefolder_input": "ImageFolder, transforms and DataLoader: decode, resize, augment",
    "imagefolder_step": "the plain loop on these batches, one ResNet",
    "image_decoding": "our decoding and resizing, once per training",
    "image_input": "our batches, augmented from memory",
    "image_step": "our training of one ResNet",
    **{f"image_{what}_{size}": f"our {what} with one ResNet, {size} pixels"
       for size in SIZES for what in ("training", "scoring")},
}
SHARES = {f"image_{what}_{size}_share": f"FLOP/s of image_{what}_{size} / FLOP/s of one large "
          f"matrix product{' in float32' * (what == 'scoring')}"
          for size in SIZES for what in ("training", "scoring")}
RATIOS = {"image_input_vs_imagefolder": ("image_input", "imagefolder_input"),
          "image_step_vs_imagefolder": ("image_step", "imagefolder_step")}


def measured(config: Config, seconds: float, rounds: int) -> pd.DataFrame:
    """Images per second as `race`, with this config's device, precision and threads."""
    sized = {size: _plates(config, size) for size in (SIZE, *SIZES)}
    config = sized[SIZE]
    with tempfile.TemporaryDirectory() as scratch:
        plates = synthetic.write_set(Path(scratch), size=SOURCE, n_train=N_IMAGES, n_good=0,
                                     n_defect=0)
        runs = _contestants(plates / "train", config)
        for size in SIZES:
            runs |= _at_size(sized[size])
        return race(runs, seconds, rounds)


def shares(rounds: pd.DataFrame, config: Config, peak: Callable[[Config], float]
           ) -> dict[str, float]:
    """`SHARES`, from the medians over the rounds; `peak` gives the FLOP/s of one large matrix
    product with a config's device and precision."""
    plain, by_name = replace(config, precision="float32"), {}
    peaks = {"training": peak(config), "scoring": peak(plain)}
    for size in SIZES:
        for what, flops in flops_per_image(_plates(config, size)).items():
            name = f"image_{what}_{size}"
            share = rounds[name].median() * flops / peaks[what]
            by_name[f"{name}_share"] = round(float(share), 3)
    return by_name


def flops_per_image(config: Config) -> dict[str, float]:
    """Of convolutions and matrix products in mode o: `training`, forward and backward, and
    `scoring`."""
    images, n = _noise(config), config.batch_size
    step = plain_loops.training(plain_loops.from_memory(images, config), config)
    counts = {}
    for name, run, per in (("training", step, n),
                           ("scoring", _scoring(config, images), len(images))):
        with FlopCounterMode(display=False) as counter:
            run()
        counts[name] = counter.get_total_flops() / per
    return counts


def _plates(config: Config, size: int) -> Config:
    return Config(dataset="synthetic", category="plate", image_size=size, device=config.device,
                  precision=config.precision, threads=config.threads)


def _noise(config: Config) -> Tensor:
    return plain_loops.random_images(N_TIMED, config.image_size).expand(-1, 3, -1, -1).contiguous()


def _scoring(config: Config, images: Tensor) -> Callable[[], pd.DataFrame]:
    model = VAE.from_config(config).to(config.device, memory_format=torch.channels_last)
    return partial(measure, model, images, config.js)


def _at_size(config: Config) -> dict[str, Contestant]:
    images, size = _noise(config), config.image_size
    return {f"image_training_{size}": training_speed(config, images),
            f"image_scoring_{size}": timed(_scoring(config, images), N_TIMED, config)}


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
