"""Data sets by name: `load_split` is what trainers and notebooks call."""

from torch import Tensor

from rscvae_lab.config import ARRAYS, CATEGORIES, IMAGE_FOLDERS, Config, class_index
from rscvae_lab.datasets import digits, mnist
from rscvae_lab.datasets.images import resize
from rscvae_lab.datasets.industrial import (
    identified,
    industrial_split,
    kinds_of,
    parts_of,
    survey,
    verify_industrial,
)
from rscvae_lab.datasets.one_class import LabelledImages, OneClassSplit, one_class_split
from rscvae_lab.errors import InputError


def load_parts(dataset: str) -> tuple[LabelledImages, LabelledImages]:
    """Training and test part of a labelled data set. Raises InputError for bad files."""
    return digits.load() if dataset == "digits" else mnist.load(dataset)


def load_split(config: Config) -> OneClassSplit:
    """The one-class split that a config describes. Raises InputError as `load_parts`."""
    if config.dataset in IMAGE_FOLDERS:
        return industrial_split(config)
    if config.dataset == ARRAYS:
        raise InputError(f"the images {config.category!r} were arrays in memory, which a run does "
                         "not keep: expected them again, through Detector.fit")
    normal = class_index(config.dataset, config.category)
    return one_class_split(*load_parts(config.dataset), normal, config)


def require_tests(config: Config, normal: int = 0, novel: int = 0) -> None:
    """Raises InputError unless a config's test set has so many normal and novel images."""
    counts = load_split(config).counts
    if counts["n_test_normal"] < normal or counts["n_test_novel"] < novel:
        raise InputError(f"expected at least {normal} normal and {novel} novel test images of "
                         f"{config.category} to compare scores on, found "
                         f"{counts['n_test_normal']} and {counts['n_test_novel']}; rscvae train "
                         "needs none")


def images_by_class(config: Config, most: int = 1000) -> dict[str, tuple[Tensor, Tensor]]:
    """The first training and test images of each class, at most so many, uint8 (N, C, S, S).
    Raises InputError for folders of images, which have no classes, and as `load_parts`."""
    if config.dataset in IMAGE_FOLDERS:
        raise InputError("images by class are those of digits, mnist or fashion_mnist, found "
                         f"{config.dataset}")

    def of_class(part: LabelledImages, label: int) -> Tensor:
        return resize(part.images[part.labels == label][:most], config.image_size)

    train, test = load_parts(config.dataset)
    return {name: (of_class(train, i), of_class(test, i))
            for i, name in enumerate(CATEGORIES[config.dataset])}


def verify(dataset: str) -> str:
    """One line that says a data set is complete. Raises InputError otherwise."""
    if dataset == ARRAYS:
        raise InputError("arrays in memory are verified when they are trained on: use Detector")
    if dataset in IMAGE_FOLDERS:
        return verify_industrial(dataset)
    if dataset != "digits":
        return mnist.verify(dataset)
    train, test = (f"{len(part.labels):,}" for part in digits.load())
    return f"digits: {train} training and {test} test images, part of scikit-learn"


def fetch(dataset: str) -> str:
    """Downloads a data set where that is necessary and possible, then verifies it."""
    complete = ("digits", ARRAYS, *IMAGE_FOLDERS)  # or not for us to fetch
    return verify(dataset) if dataset in complete else mnist.fetch(dataset)


def describe() -> list[str]:
    """One line for each data set: what there is, or what is missing."""
    lines = []
    for dataset in CATEGORIES:
        try:
            lines.append(verify(dataset))
        except InputError as error:
            lines.append(f"{dataset}: not ready; {error}")
    return lines
