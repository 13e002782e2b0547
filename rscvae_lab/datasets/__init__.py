"""Data sets by name: `load_split` is what trainers and notebooks call."""

from torch import Tensor

from rscvae_lab.config import CATEGORIES, PICTURE_SETS, Config, class_index
from rscvae_lab.datasets import digits, mnist
from rscvae_lab.datasets.images import resize
from rscvae_lab.datasets.industrial import industrial_split, verify_pictures
from rscvae_lab.datasets.one_class import LabelledImages, OneClassSplit, one_class_split
from rscvae_lab.errors import InputError

__all__ = ["describe", "fetch", "images_by_class", "load_parts", "load_split", "verify"]


def load_parts(dataset: str) -> tuple[LabelledImages, LabelledImages]:
    """A data set's own train and test parts. Raises InputError where its files are missing or broken."""
    return digits.load() if dataset == "digits" else mnist.load(dataset)


def load_split(config: Config) -> OneClassSplit:
    """The one-class split that a config describes."""
    if config.dataset in PICTURE_SETS:
        return industrial_split(config)
    return one_class_split(*load_parts(config.dataset), class_index(config.dataset, config.category), config)


def images_by_class(config: Config, most: int = 1000) -> dict[str, tuple[Tensor, Tensor]]:
    """For each class of a config's data set its first training and test images, uint8 (N, C, S, S), at most so many."""
    def of_class(part: LabelledImages, label: int) -> Tensor:
        return resize(part.images[part.labels == label][:most], config.image_size)

    train, test = load_parts(config.dataset)
    return {name: (of_class(train, i), of_class(test, i)) for i, name in enumerate(CATEGORIES[config.dataset])}


def verify(dataset: str) -> str:
    """One line that says a data set is whole. Raises InputError otherwise."""
    if dataset in PICTURE_SETS:
        return verify_pictures(dataset)
    if dataset != "digits":
        return mnist.verify(dataset)
    train, test = digits.load()
    return f"digits: {len(train.labels):,} training and {len(test.labels):,} test images, part of scikit-learn"


def fetch(dataset: str) -> str:
    """Downloads a data set where that is needed and possible, then verifies it."""
    return verify(dataset) if dataset in ("digits", *PICTURE_SETS) else mnist.fetch(dataset)


def describe() -> list[str]:
    """A line for each data set: there, or what is missing."""
    lines = []
    for dataset in CATEGORIES:
        try:
            lines.append(verify(dataset))
        except InputError as error:
            lines.append(f"{dataset}: not ready; {error}")
    return lines
