"""Fig. 7: maps of the codes of sampled images, each point with its image, scores and region.

`write` and `read` keep them as a table and a sheet of images, for where the data set is not.
"""

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from rscvae_lab import NORMAL
from rscvae_lab.analysis.embedding import PERPLEXITY, CodeMap
from rscvae_lab.analysis.surveys import Examined, Survey
from rscvae_lab.config import CATEGORIES, IMAGE_FOLDERS, class_index
from rscvae_lab.datasets.industrial import category_folder, kinds_of
from rscvae_lab.datasets.mvtec_ad import files_of
from rscvae_lab.errors import InputError
from rscvae_lab.methods import METHOD_NAMES
from rscvae_lab.runs import Run
from rscvae_lab.runs.evaluation import code
from rscvae_lab.storage.files import absolute, begins_with, output_file, write_whole

PERPLEXITIES = (5, PERPLEXITY, 100)
_PER_ROW = 30  # images of the sheet


@dataclass(frozen=True)
class Atlas:
    """One run's maps. Atlases of one split, size and seed have the same images in one order."""

    run: Run
    images: Tensor  # uint8 (N, C, S, S)
    examined: Examined  # its frame has also group (train, normal, novel) and category
    maps: Mapping[int, CodeMap]  # by perplexity

    @classmethod
    def of(cls, survey: Survey, most: int = 300, seed: int = 0,
           perplexities: Sequence[int] = (PERPLEXITY,)) -> Self:
        """Draws at most so many training images, normal test images and novel test images, and
        fits t-SNE to their codes. Of few codes the perplexities are at most N / 4, and the maps
        have the numbers that were used."""
        images, labels = _sample(survey, most, seed)
        examined = survey.examine(images)
        codes = examined.coding.mu.numpy()
        used = dict.fromkeys(min(each, len(codes) // 4) for each in perplexities)
        maps = {perplexity: CodeMap.fit(codes, seed, perplexity) for perplexity in used}
        examined = examined._replace(frame=examined.frame.assign(**labels))
        return cls(survey.run, images, examined, maps)

    @property
    def frame(self) -> pd.DataFrame:
        """What was measured of each image, with x and y on the usual map."""
        return self.at(self.usual)

    @property
    def usual(self) -> int:
        """The perplexity nearest to `PERPLEXITY` that has a map."""
        return min(self.maps, key=lambda each: abs(each - PERPLEXITY))

    def at(self, perplexity: int) -> pd.DataFrame:
        """The same with x and y on the map of a perplexity."""
        x, y = self.maps[perplexity].points.T
        return self.examined.frame.assign(x=x, y=y)

    @property
    def name(self) -> str:
        """The method, in modes that are shown anomalies with how many they were."""
        config, given = self.run.config, self.run.metrics["n_anomalous_train"]
        name = METHOD_NAMES[config.mode]
        return f"{name}, {given} anomalies" if given else name

    @property
    def class_names(self) -> Sequence[str]:
        """What the numbers in the frame's column `category` stand for."""
        config = self.run.config
        if config.dataset in IMAGE_FOLDERS:
            return kinds_of(files_of(category_folder(config))[2])
        return CATEGORIES[config.dataset]


def _sample(survey: Survey, most: int, seed: int) -> tuple[Tensor, dict[str, np.ndarray]]:
    """Images, and the group and the class number of each."""
    split, config = survey.split, survey.run.config
    generator, normal = torch.Generator().manual_seed(seed), split.test_labels == NORMAL
    industrial = config.dataset in IMAGE_FOLDERS  # of which class 0 is good
    own_class = torch.tensor(0 if industrial else class_index(config.dataset, config.category))
    images = (split.train, split.test[normal], split.test[~normal])
    classes = (own_class.expand(len(split.train)), split.test_classes[normal],
               split.test_classes[~normal])
    index = [torch.randperm(len(group), generator=generator)[:most] for group in images]
    images, classes = (torch.cat([group[i] for group, i in zip(groups, index)])
                       for groups in (images, classes))
    groups = np.repeat(["train", "normal", "novel"], [len(i) for i in index])
    return images, {"group": groups, "category": classes.numpy()}


def draw(runs: Sequence[Run], out: str | Path, most: int) -> Path:
    """Fits the atlases of runs at `PERPLEXITIES` and writes them as `write` does. Raises
    InputError as `write`, and for two runs of one method: all but other images are refused before
    anything is fitted."""
    _outputs(out)
    if most < 1:
        raise InputError(f"expected at least 1 point of each group, found {most}")
    (name, n), = Counter(run.config.row for run in runs).most_common(1)
    if n > 1:
        raise InputError(f"expected one run of each method, found {n} of {name}")
    for run in runs:
        _require_grey(run.config.channels)
    return write({run.config.row: Atlas.of(Survey.of(run), most, perplexities=PERPLEXITIES)
                  for run in runs}, out)


def write(atlases: Mapping[str, Atlas], out: str | Path) -> Path:
    """Writes atlases of the same grey images: a CSV with a row a method and image, and beside it
    the images in one PNG. Returns the CSV. Raises InputError for an output that is not its own,
    images in colour, or atlases of other images than the first's."""
    first = require_same_images(atlases)
    _require_grey(first.images.shape[1])
    out, sheet = _outputs(out)
    tables = []
    for method, atlas in atlases.items():
        places = {f"{axis}_{perplexity}": points for perplexity, each in atlas.maps.items()
                  for axis, points in zip("xy", each.points.T)}
        table = atlas.examined.frame.assign(**places)
        for place, value in enumerate((method, atlas.run.config.config_hash, range(len(table)))):
            table.insert(place, ("method", "config_hash", "image")[place], value)
        tables.append(table.round(3))
    write_whole(out, pd.concat(tables).to_csv(index=False))  # first: it says whose the sheet is
    write_whole(sheet, as_sheet(first.images, _PER_ROW))
    return out


def _outputs(out: str | Path) -> tuple[Path, Path]:
    out = output_file(out, ".csv", begins_with("method", "config_hash", "image"))
    return out, output_file(out.with_suffix(".png"), ".png", lambda _: out.is_file())


def _require_grey(channels: int) -> None:
    if channels != 1:
        raise InputError(f"expected grey images, found {channels} channels: the sheet of a map "
                         "has grey levels")


def read(table: str | Path, runs: Mapping[str, Run]) -> dict[str, Atlas]:
    """The atlases that `write` left, with codes and reconstructions computed anew by the runs.

    Raises:
        InputError: nothing is there, or the table was measured of other runs than these.
    """
    images, rows = read_images(table)
    atlases = {}
    for method, frame in rows.groupby("method", sort=False):
        if method not in runs or set(frame.config_hash) != {runs[method].config.config_hash}:
            raise InputError(f"expected the run that {Path(table).name} was measured of as "
                             f"{method}, found another or none")
        atlases[method] = _atlas(runs[method], images, frame.reset_index(drop=True))
    return atlases


def read_images(table: str | Path) -> tuple[Tensor, pd.DataFrame]:
    """The images beside a table that `write` left, uint8 (N, 1, S, S), and its rows. Raises
    InputError where nothing is there."""
    table = absolute(table)
    place = table.with_suffix(".png")
    for file in (table, place):
        if not file.is_file():
            raise InputError(f"expected maps in {file}, found none")
    rows = pd.read_csv(table, dtype={"config_hash": str})
    with Image.open(place) as sheet:
        return _images_of(np.asarray(sheet), rows.image.max() + 1), rows


def require_same_images(atlases: Mapping[str, Atlas]) -> Atlas:
    """The first atlas. Raises InputError where another has other images."""
    first = next(iter(atlases.values()))
    if not all(torch.equal(atlas.images, first.images) for atlas in atlases.values()):
        raise InputError("expected maps of the same images, found others: make all from one "
                         "split, size and seed")
    return first


def _atlas(run: Run, images: Tensor, frame: pd.DataFrame) -> Atlas:
    perplexities = [int(name[2:]) for name in frame if name.startswith("x_")]
    maps = {each: CodeMap(frame[[f"x_{each}", f"y_{each}"]].to_numpy()) for each in perplexities}
    coding = code(run.model, images)
    with torch.inference_mode():
        examined = Examined(frame, coding, run.model.decode(coding.mu_re))
    return Atlas(run, images, examined, maps)


def as_sheet(images: Tensor, per_row: int) -> bytes:
    """Grey images, uint8 (N, 1, S, S), row by row in one PNG, black where none is left."""
    missing = -len(images) % per_row
    padded = torch.cat([images[:, 0], images.new_zeros(missing, *images.shape[2:])])
    rows = padded.unflatten(0, (-1, per_row)).transpose(1, 2).flatten(0, 1).flatten(1)
    buffer = io.BytesIO()
    Image.fromarray(rows.numpy()).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _images_of(sheet: np.ndarray, n: int) -> Tensor:
    """The first n images of a sheet, uint8 (n, 1, S, S)."""
    size = sheet.shape[1] // _PER_ROW
    rows = torch.from_numpy(sheet.copy()).unflatten(0, (-1, size)).unflatten(2, (_PER_ROW, size))
    return rows.transpose(1, 2).flatten(0, 1)[:n, None]
