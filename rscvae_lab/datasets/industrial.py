"""The split of a category of industrial pictures (Sec. 4.1): normal ones to learn from, normal and defective ones to be
judged on. The data set itself makes the split; only what is held out, and what mode e is shown, is drawn."""

from collections.abc import Sequence

import torch
from torch import Tensor

from rscvae_lab import NORMAL, NOVEL
from rscvae_lab.config import CATEGORIES, FOLDER, Config, class_index
from rscvae_lab.datasets import mvtec_ad, synthetic
from rscvae_lab.datasets.mvtec_ad import GOOD, Parts
from rscvae_lab.datasets.one_class import OneClassSplit, draw
from rscvae_lab.errors import InputError
from rscvae_lab.storage.files import data_root


def category_folder(config: Config):
    """Where the pictures of a config lie; those of `synthetic` are drawn on first use. Raises InputError."""
    if config.dataset == FOLDER:
        return mvtec_ad.category_folder(config.root, config.category)
    if config.dataset == "synthetic":
        return synthetic.kept(config.image_size)
    name = CATEGORIES[config.dataset][class_index(config.dataset, config.category)]
    return mvtec_ad.category_folder(None, name)


def verify_pictures(dataset: str) -> str:
    """A line for each category that is there. Raises InputError where none is, or a file is damaged."""
    if dataset == FOLDER:
        raise InputError("a folder is verified when it is trained on: rscvae train --dataset folder --root PATH")
    if dataset == "synthetic":
        return "synthetic: plates with three kinds of defect, drawn on first use"
    root = data_root() / dataset
    there = [name for name in CATEGORIES[dataset] if (root / name).is_dir()]
    if not there:
        raise InputError(f"expected categories of MVTec AD in {root}, found none: get them at {mvtec_ad.SOURCE}")
    return "\n".join(f"{dataset}: {mvtec_ad.verify(root / name)}" for name in there)


def parts_of(config: Config, masks: bool = True) -> Parts:
    """A config's pictures with the kinds of its test pictures and, where they are wanted, their masks."""
    return mvtec_ad.load(category_folder(config), config.image_size, config.channels, masks)


def industrial_split(config: Config) -> OneClassSplit:
    """The split that a config describes. Raises InputError as `split_of`, and where the pictures cannot be read."""
    return split_of(parts_of(config, masks=False), config)


def split_of(parts: Parts, config: Config) -> OneClassSplit:
    """The split of a category's pictures.

    Of each type of defect `per_defect` test pictures, drawn by `split_seed`, are shown to mode e and leave the test set
    of every mode, so that all are judged on the same pictures (our choice; the paper removes them for mode e alone).

    Raises:
        InputError: fewer than two pictures are normal, or mode e finds none to be shown.
    """
    n = len(parts.train)
    _check(n, parts.kinds, config)
    heldout, kept = draw(n, max(1, round(config.heldout * n)), config.split_seed, stream=0)
    shown, tested = _shown_and_tested(parts.kinds, config)
    labels = torch.tensor([NORMAL if kind == GOOD else NOVEL for kind in parts.kinds], dtype=torch.long)
    none = parts.train[:0]
    return OneClassSplit(
        train=parts.train[kept], anomalies=parts.test[shown] if config.method.anomalies == "real" else none,
        heldout=parts.train[heldout], validation=none, pool=none, test=parts.test[tested], test_labels=labels[tested],
        test_classes=_kind_numbers(parts.kinds)[tested], test_index=tested)


def kinds_of(kinds: Sequence[str]) -> list[str]:
    """The different kinds of test pictures, good first; their places are the numbers in `test_classes`."""
    return [GOOD, *sorted(set(kinds) - {GOOD})]


def _check(n_train: int, kinds: tuple[str, ...], config: Config) -> None:
    if n_train < 2:
        raise InputError(f"expected at least 2 normal pictures of {config.category} to train on, found {n_train}")
    if config.method.anomalies == "real" and config.per_defect and not set(kinds) - {GOOD}:
        raise InputError(f"mode e is shown defective pictures of {config.category}, found none: expected another mode")


def _kind_numbers(kinds: tuple[str, ...]) -> Tensor:
    order = kinds_of(kinds)
    return torch.tensor([order.index(kind) for kind in kinds], dtype=torch.long)


def _shown_and_tested(kinds: tuple[str, ...], config: Config) -> tuple[Tensor, Tensor]:
    """Positions of test pictures: those that mode e is shown, and the others."""
    numbers, shown = _kind_numbers(kinds), []
    for number in numbers.unique().tolist():
        of_kind = torch.nonzero(numbers == number).flatten()
        if number:
            n = min(config.per_defect, len(of_kind) - 1)  # one is left to be judged on
            shown.append(of_kind[draw(len(of_kind), n, config.split_seed, stream=200 + number)[0]])
    drawn = torch.cat(shown) if shown else torch.empty(0, dtype=torch.long)
    left = torch.ones(len(kinds), dtype=torch.bool)
    left[drawn] = False
    return drawn, torch.nonzero(left).flatten()
