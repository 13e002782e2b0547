"""The split of a category of industrial images (Sec. 4.1): normal ones to train on, normal and
defective ones to test on. The data set itself separates the two; only the held-out images, and the
defective ones that mode e is trained on, are drawn at random."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from rscvae_lab import NORMAL, NOVEL
from rscvae_lab.config import (
    CATEGORIES,
    FOLDER,
    IMAGE_FOLDERS,
    Config,
    class_index,
    subfolders,
)
from rscvae_lab.datasets import mvtec_ad, synthetic
from rscvae_lab.datasets.augmentation import pasted
from rscvae_lab.datasets.image_cache import Digests, fingerprint
from rscvae_lab.datasets.image_files import images_in
from rscvae_lab.datasets.mvtec_ad import GOOD, Parts
from rscvae_lab.datasets.one_class import OneClassSplit, draw, held_out
from rscvae_lab.errors import InputError
from rscvae_lab.storage.files import absolute, data_root

N_VALIDATION = 100  # pseudo-defects to choose settings by


def category_folder(config: Config) -> Path:
    """The folder of a config's images; `synthetic` is drawn on first use. Raises InputError."""
    if config.dataset == FOLDER:
        return mvtec_ad.category_folder(config.root, config.category)
    if config.dataset == "synthetic":
        return synthetic.cached_set(config.image_size)
    name = CATEGORIES[config.dataset][class_index(config.dataset, config.category)]
    return mvtec_ad.category_folder(None, name)


def only_category(root: str) -> tuple[str, str]:
    """Root and category where no category is named: the only subfolder's, or, of a root that is
    itself a category (see `mvtec_ad.LAYOUT`), its parent and its name. Raises InputError where
    neither is clear."""
    folder = absolute(root)
    names = subfolders(folder)
    if folder.is_dir() and (mvtec_ad.child(folder, "train") or images_in(folder)
                            or ((good := mvtec_ad.child(folder, GOOD)) and images_in(good))):
        return str(folder.parent), folder.name
    if len(names) != 1:
        raise InputError(f"expected --category, a subfolder of {folder}, found none; there are "
                         f"{', '.join(names) or 'no subfolders'}")
    return str(folder), names[0]


def verify_industrial(dataset: str) -> str:
    """One line for each category present. Raises InputError for none, or for a damaged file."""
    if dataset == FOLDER:
        raise InputError("a folder is verified when it is trained on: "
                         "rscvae train --dataset folder --root PATH")
    if dataset == "synthetic":
        return "synthetic: plates with three kinds of defect, drawn on first use"
    root = data_root() / dataset
    present = [name for name in CATEGORIES[dataset] if (root / name).is_dir()]
    if not present:
        nested = mvtec_ad.deeper(root, *CATEGORIES[dataset])
        raise InputError(f"expected categories of MVTec AD in {root}, found none{nested}: "
                         f"get them at {mvtec_ad.SOURCE}")
    return "\n".join(f"{dataset}: {mvtec_ad.verify(root / name)}" for name in present)


def digests_of(config: Config) -> Digests:
    """The digests of a config's own image files, by name; none of data sets that are not the
    user's files. Raises InputError as `mvtec_ad.load`, but for damaged files."""
    if config.dataset not in ("mvtec_ad", FOLDER):
        return {}
    return mvtec_ad.digests_of(category_folder(config))


def identified(config: Config) -> Config:
    """The config with the fingerprint of its own images: other images are another training.

    Raises:
        InputError: it has a fingerprint, and the images have another; and as `digests_of`.
    """
    digests = digests_of(config)
    if not digests:
        return config
    _check(config, digests)
    return replace(config, data=fingerprint(digests))


def _check(config: Config, digests: Digests) -> None:
    if config.data and config.data != fingerprint(digests):
        raise InputError(f"expected the images of {config.category} that have the fingerprint "
                         f"{config.data}, found others in {category_folder(config)}: some were "
                         "added, removed or changed since; train anew, or name the root of the "
                         "former ones")


def parts_of(config: Config, masks: bool = True) -> Parts:
    """A config's images; masks only if asked for. Raises InputError as `mvtec_ad.load`, and where
    they are not those that the config's fingerprint is of."""
    parts = mvtec_ad.load(category_folder(config), config.image_size, config.channels, masks,
                          config.white)
    _check(config, parts.digests)
    return parts


def test_masks(config: Config, index: Tensor) -> Tensor | None:
    """The masks of these test images, bool (N, 1, S, S), True on the defect; None without ground
    truth, or where `masks_of` cannot be used: no training fails for it."""
    with suppress(InputError):
        masks = mvtec_ad.masks_of(category_folder(config), config.image_size, len(index))
        return None if masks is None else masks[index]
    return None


def judged_files(config: Config) -> tuple[str, list[Path]]:
    """What a config's training is judged on, in words, and the files: its test images, or where
    there are none the held-out ones. Raises InputError as `mvtec_ad.load`, but for damaged
    files."""
    train, test, kinds = mvtec_ad.files_of(category_folder(config))
    if test:
        order = kinds_of(kinds)
        classes = torch.tensor([order.index(kind) for kind in kinds])
        return "test images", [test[i] for i in _anomalies_and_tested(classes, config)[1]]
    return "held-out images, of which none was trained on", [
        train[i] for i in held_out(len(train), config)[0]]


def survey(config: Config) -> str:
    """How many of the user's images a config takes, and what is left out; empty for data sets that
    are complete or not there."""
    if config.dataset not in IMAGE_FOLDERS or config.dataset == "synthetic":
        return ""
    with suppress(InputError):
        n_tested = len(judged_files(config)[1])
        return mvtec_ad.survey(category_folder(config), config.image_size, n_tested)
    return ""


def industrial_split(config: Config) -> OneClassSplit:
    """The split that a config describes. Raises InputError as `parts_of` and `split_of`."""
    return split_of(parts_of(config, masks=False), config, take=_move)


def split_of(parts: Parts, config: Config,
             take: Callable[[Tensor, Tensor], Tensor] = Tensor.__getitem__) -> OneClassSplit:
    """The split of a category's images; `take` says how images (N, ...) of an index are taken.
    `test_without` test images of each type of defect, drawn by `split_seed`, leave the test set of
    every mode, so that all have the same one (our choice; in the paper, only mode e's);
    `per_defect` of them, drawn by `seed`, are mode e's anomalies. Without `test_without` these are
    the same, drawn by `split_seed`. Raises InputError for fewer than two normal images, or where
    mode e has no defective ones."""
    n, mode_e = len(parts.train), config.method.anomalies == "real"
    if n < 2:
        raise InputError(f"expected at least 2 normal images of {config.category} to train on, "
                         f"found {n}")
    if mode_e and not set(parts.kinds) - {GOOD}:
        raise InputError(f"mode e trains on defective images of {config.category}, found none: "
                         "expected another mode")
    heldout, rest = held_out(n, config)
    order = kinds_of(parts.kinds)
    classes = torch.tensor([order.index(kind) for kind in parts.kinds], dtype=torch.long)
    anomalies, tested = _anomalies_and_tested(classes, config)
    none = parts.train[:0]
    if mode_e and not len(anomalies):
        raise InputError(f"mode e trains on {config.per_defect} defective image(s) of each kind "
                         f"and tests on others, found kinds of a single image of "
                         f"{config.category}: expected another mode, or two images of a kind")
    heldout, defects = parts.train[heldout], parts.test[anomalies] if mode_e else none
    validation = pasted(heldout, N_VALIDATION, config.split_seed)
    return OneClassSplit(
        train=take(parts.train, rest), anomalies=defects, heldout=heldout,
        validation=validation, pool=none, test=take(parts.test, tested),
        test_labels=torch.where(classes[tested] == 0, NORMAL, NOVEL),
        test_classes=classes[tested], test_index=tested)


def _move(images: Tensor, index: Tensor) -> Tensor:
    """The images of an ascending index, moved to the front of the same memory: a copy would need
    as much again."""
    for place, i in enumerate(index.tolist()):
        if place != i:
            images[place] = images[i]
    return images[: len(index)]


def kinds_of(kinds: Sequence[str]) -> list[str]:
    """The distinct kinds of test images, good first: `test_classes` are positions in this list."""
    return [GOOD, *sorted(set(kinds) - {GOOD})]


def _anomalies_and_tested(classes: Tensor, config: Config) -> tuple[Tensor, Tensor]:
    """Positions of the test images that are mode e's anomalies, and of those that are tested."""
    anomalies, tested = [classes[:0]], torch.ones(len(classes), dtype=torch.bool)
    for number in filter(None, classes.unique().tolist()):
        of_kind = torch.nonzero(classes == number).flatten()
        n = min(config.test_without or config.per_defect, len(of_kind) - 1)  # one is tested
        sample, _ = draw(len(of_kind), n, config.split_seed, stream=200 + number)
        tested[of_kind[sample]] = False
        if config.test_without:
            chosen, _ = draw(n, min(config.per_defect, n), config.seed, stream=300 + number)
            sample = sample[chosen]
        anomalies.append(of_kind[sample])
    return torch.cat(anomalies), torch.nonzero(tested).flatten()
