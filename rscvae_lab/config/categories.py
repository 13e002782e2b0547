"""The data sets' class names. A user may write one as number, name or slug, in any case.

Labelled data sets have ten classes, one of which is taken as normal. Each category of industrial
images has normal and defective ones; those of `folder` are the subfolders of a user's folder. Of
`arrays`, images that a user has in memory, the category is whatever the user calls them.
"""

import csv
import re
from pathlib import Path

from rscvae_lab.errors import InputError
from rscvae_lab.storage.files import composed, entries

CATEGORIES: dict[str, tuple[str, ...]] = {
    "digits": tuple("0123456789"),
    "mnist": tuple("0123456789"),
    "fashion_mnist": ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                      "Sneaker", "Bag", "Ankle boot"),
    "mvtec_ad": ("bottle", "cable", "capsule", "carpet", "grid", "hazelnut", "leather",
                 "metal_nut", "pill", "screw", "tile", "toothbrush", "transistor", "wood",
                 "zipper"),
    "synthetic": ("plate",),
}
FOLDER, ARRAYS = "folder", "arrays"
IMAGE_FOLDERS = ("mvtec_ad", "synthetic", FOLDER)  # data sets that are folders of image files
GREY = ("grid", "screw", "zipper")  # grey-level categories of MVTec AD


def slug(name: str) -> str:
    """A class name as a folder name: `T-shirt/top` -> `t-shirt-top`."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def known_dataset(dataset: str) -> str:
    """The data set's canonical name, from any case and with `-` for `_`. Raises InputError."""
    name = str(dataset).strip().lower().replace("-", "_")
    if name not in (*CATEGORIES, FOLDER, ARRAYS):
        expected = ", ".join((*CATEGORIES, FOLDER))
        raise InputError(f"unknown data set {dataset!r}: expected one of {expected}")
    return name


def class_index(dataset: str, category: str | int) -> int:
    """The class number of a category given as number, name or slug. Raises InputError."""
    if known_dataset(dataset) in (FOLDER, ARRAYS):
        raise InputError(f"expected a data set whose classes are known, found {dataset}")
    names = CATEGORIES[known_dataset(dataset)]
    text = str(category).strip()
    if text.isdecimal() and len(text) < 10 and int(text) < len(names):
        return int(text)
    slugs = [slug(name) for name in names]
    if slug(text) in slugs and not slug(text).isdecimal():  # -1 is no 1
        return slugs.index(slug(text))
    expected = ", ".join(f"{i} {name}" if str(i) != name else name for i, name in enumerate(names))
    raise InputError(f"unknown category {text!r} of {dataset}: expected one of {expected}")


def category_slug(dataset: str, category: str | int) -> str:
    """The category in names of runs; for `folder` and `arrays`, the user's own name, accents as
    one character each (file systems differ in that). Raises InputError."""
    if known_dataset(dataset) in (FOLDER, ARRAYS):
        name = composed(str(category)).rstrip("/")
        if name in ("", "..") or Path(name).name != name:
            of = "of a subfolder" if known_dataset(dataset) == FOLDER else "without slashes"
            raise InputError(f"expected the name {of} as category, found {category!r}")
        return name
    return slug(CATEGORIES[known_dataset(dataset)][class_index(dataset, category)])


def category_list(dataset: str, text: str, root: str = "") -> list[str]:
    """The slugs of a comma-separated list of categories, or of `all`; a name that has a comma
    stands alone or in double quotes. Raises InputError."""
    if known_dataset(dataset) == ARRAYS:
        raise InputError("expected a data set on disk, found arrays: Detector trains on these")
    is_folder = known_dataset(dataset) == FOLDER
    every = subfolders(root) if is_folder else CATEGORIES[known_dataset(dataset)]
    try:
        names = list(map(str.strip, next(csv.reader([text], skipinitialspace=True), [])))
    except csv.Error:
        raise InputError(f"expected categories in one line, found {text!r}") from None
    if text.strip().lower() == "all":
        names = every
    elif composed(text) in map(composed, every):
        names = [text]
    if not names:
        expected = f"subfolders in {root or 'a root'}" if is_folder else "categories"
        raise InputError(f"expected {expected}, found none")
    return list(dict.fromkeys(category_slug(dataset, name) for name in names))


def short(category: str) -> str:
    """The start of a category for the names of files: at most 100 bytes, of the usual 255."""
    return category.encode("utf-8", "surrogateescape")[:100].decode("utf-8", "ignore")


def subfolders(root: str | Path) -> list[str]:
    """The names of the folders in a folder, without hidden ones and the system's own, sorted; none
    without a root."""
    folder = Path(root).expanduser()
    if not root or not folder.is_dir():
        return []
    return [path.name for path in entries(folder) if path.is_dir()]
