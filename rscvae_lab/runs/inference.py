"""A trained run on the user's own images: `rscvae score`."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from tqdm.auto import tqdm

from rscvae_lab.datasets.image_files import CHUNK, LeftOut, find_images, try_images
from rscvae_lab.errors import InputError
from rscvae_lab.runs.run import FALSE_ALARMS, Run
from rscvae_lab.storage.files import begins_with, output_file, write_whole


class Scored(NamedTuple):
    table: pd.DataFrame
    unreadable: list[str]  # why each file was skipped
    left: LeftOut  # what was passed over in folders


def score_images(run: Run, paths: str | Path | Iterable[str | Path], out: str | Path) -> Scored:
    """Scores image files, or those in folders, compares them with the run's threshold, and writes
    a CSV, which must be new or one that this function wrote. Returns the table of `score_files`,
    and what is not in it. Raises InputError for no readable image, or an output that cannot be
    written."""
    out = output_file(out, ".csv", begins_with("file", "l_recon", "l_mut", "l_enc1"))
    files, left = find_images(paths)
    table, unreadable = score_files(run, files)
    if table.empty:
        raise InputError(f"expected readable images, found none among {len(files)} files; "
                         f"{unreadable[0]}")
    write_whole(out, table.to_csv(index=False))
    return Scored(table, unreadable, left)


def score_files(run: Run, files: list[Path]) -> tuple[pd.DataFrame, list[str]]:
    """The scores of image files: `file`, `l_recon`, `l_mut`, `l_enc1`, `novelty_score`,
    `threshold`, `novel` (1 above the threshold), and `false_alarms_low` and `_high`, the shares of
    new normal images between which that is to be expected; of a run with a calibration also
    `local_score`, `local_max`, `threshold_local` and `novel_local`. Beside the table, why each
    file that is not in it was skipped."""
    tables, unreadable = [], []
    with tqdm(total=len(files), unit="image", disable=None, leave=False) as bar:
        for start in range(0, len(files), CHUNK):
            chunk = files[start : start + CHUNK]
            table, errors = _score_chunk(run, chunk)
            tables.append(table)
            unreadable += errors
            bar.update(len(chunk))
    table = pd.concat(tables, ignore_index=True)
    threshold, local = run.metrics["threshold"], run.metrics["threshold_local"]
    table = table.assign(threshold=threshold, novel=(table.novelty_score > threshold).astype(int),
                         **{name: run.metrics[name] for name in FALSE_ALARMS})
    if "local_score" in table:
        table = table.assign(threshold_local=local,
                             novel_local=(table.local_score > local).astype(int))
    return table, unreadable


def _score_chunk(run: Run, files: list[Path]) -> tuple[pd.DataFrame, list[str]]:
    config = run.config
    images = try_images(files, config.image_size, config.channels, config.white)
    readable = {str(file): image for file, image in zip(files, images)
                if not isinstance(image, InputError)}
    empty = torch.empty(0, config.channels, config.image_size, config.image_size)
    table = run.score(torch.stack(list(readable.values())) if readable else empty)
    table.insert(0, "file", list(readable))
    return table, [str(image) for image in images if isinstance(image, InputError)]
