"""Data sets by name: `load_split` is what trainers and notebooks call."""

from torch import Tensor

from rscvae_lab.config import CATEGORIES, IMAGE_FOLDERS, Config, class_index
from rscvae_lab.datasets import digits, mnist
from rscvae_lab.datasets.images import resize
from rscvae_lab.datasets.industrial import industrial_split, survey, verify_industrial
from rscvae_lab.datasets.one_class import LabelledImages, OneClassSplit, one_class_split
from rscvae_lab.errors import InputError

__all__ = ["describe", "fetch", "images_by_class", "load_parts", "load_split", "survey", "verify"]


def load_parts(dataset: str) -> tuple[LabelledImages, LabelledImages]:
    """Training and test part of a labelled data set. Raises InputError for bad files."""
    return digits.load() if dataset == "digits" else mnist.load(dataset)


def load_split(config: Config) -> OneClassSplit:
    """The one-class split that a config describes. Raises InputError as `load_parts`."""
    if config.dataset in IMAGE_FOLDERS:
        return industrial_split(config)
    normal = class_index(config.dataset, config.category)
    return one_class_split(*load_parts(config.dataset), normal, config)


def images_by_class(config: Config, most: int = 1000) -> dict[str, tuple[Tensor, Tensor]]:
    """The first training and test images of each class, at most so many, uint8 (N, C, S, S)."""
    def of_class(part: LabelledImages, label: int) -> Tensor:
        return resize(part.images[part.labels == label][:most], config.image_size)

    train, test = load_parts(config.dataset)
    return {name: (of_class(train, i), of_class(test, i))
            for i, name in enumerate(CATEGORIES[config.dataset])}


def verify(dataset: str) -> str:
    """One line that says a data set is complete. Raises InputError otherwise."""
    if dataset in IMAGE_FOLDERS:
        return verify_industrial(dataset)
    if dataset != "digits":
        return mnist.verify(dataset)
    train, test = (f"{len(part.labels):,}" for part in digits.load())
    return f"digits: {train} training and {test} test images, part of scikit-learn"


def fetch(dataset: str) -> str:
    """Downloads a data set where that is necessary and possible, then verifies it."""
    return verify(dataset) if dataset in ("digits", *IMAGE_FOLDERS) else mnist.fetch(dataset)


def describe() -> list[str]:
    """One line for each data set: what there is, or what is missing."""
    lines = []
    for dataset in CATEGORIES:
        try:
            lines.append(verify(dataset))
        except InputError as error:
            lines.append(f"{dataset}: not ready; {error}")
    return lines
