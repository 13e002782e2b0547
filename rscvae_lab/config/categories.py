"""The data sets' class names, and the three ways a user may write one: number, name or slug, in any case.

Labelled sets have ten classes, of which one is normal. Sets of industrial pictures have categories, each with normal
and defective pictures of its own; `folder` is any folder of the user's, whose categories are its subfolders.
"""

import re
from pathlib import Path

from rscvae_lab.errors import InputError

_TEN_DIGITS = tuple("0123456789")

CATEGORIES: dict[str, tuple[str, ...]] = {
    "digits": _TEN_DIGITS,
    "mnist": _TEN_DIGITS,
    "fashion_mnist": ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
                      "Ankle boot"),
    "mvtec_ad": ("bottle", "cable", "capsule", "carpet", "grid", "hazelnut", "leather", "metal_nut", "pill", "screw",
                 "tile", "toothbrush", "transistor", "wood", "zipper"),
    "synthetic": ("plate",),
}
FOLDER = "folder"
PICTURE_SETS = ("mvtec_ad", "synthetic", FOLDER)
GREY = ("grid", "screw", "zipper")  # of MVTec AD


def slug(name: str) -> str:
    """A class name as a folder name: `T-shirt/top` -> `t-shirt-top`."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def known_dataset(dataset: str) -> str:
    """The data set's own name, in any case and with `-` for `_`. Raises InputError when it is unknown."""
    name = str(dataset).strip().lower().replace("-", "_")
    if name not in (*CATEGORIES, FOLDER):
        raise InputError(f"unknown data set {dataset!r}: expected one of {', '.join((*CATEGORIES, FOLDER))}")
    return name


def class_index(dataset: str, category: str | int) -> int:
    """The class number of a category written as number, name or slug. Raises InputError when it is unknown."""
    names = CATEGORIES[known_dataset(dataset)]
    text = str(category).strip()
    if text.isdecimal() and int(text) < len(names):
        return int(text)
    slugs = [slug(name) for name in names]
    if text and slug(text) in slugs:
        return slugs.index(slug(text))
    expected = ", ".join(f"{i} {name}" if str(i) != name else name for i, name in enumerate(names))
    raise InputError(f"unknown category {text!r} of {dataset}: expected one of {expected}")


def category_slug(dataset: str, category: str | int) -> str:
    """The category as runs and folders write it; that of a folder is the subfolder's own name."""
    if known_dataset(dataset) == FOLDER:
        if str(category) in ("", "..") or Path(str(category)).name != str(category):
            raise InputError(f"expected the name of a subfolder as category, found {category!r}")
        return str(category)
    return slug(CATEGORIES[known_dataset(dataset)][class_index(dataset, category)])


def category_list(dataset: str, text: str) -> list[str]:
    """The slugs of a comma-separated list of categories; `all` names every one."""
    if known_dataset(dataset) == FOLDER and text.strip().lower() == "all":
        raise InputError("expected the names of subfolders, found all: a folder's categories are not known beforehand")
    names = CATEGORIES[known_dataset(dataset)] if text.strip().lower() == "all" else map(str.strip, text.split(","))
    return list(dict.fromkeys(category_slug(dataset, name) for name in names))
