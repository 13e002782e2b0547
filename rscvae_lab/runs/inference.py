"""A trained run on the user's own pictures: `rscvae score`."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import torch
from tqdm.auto import tqdm

from rscvae_lab.datasets.image_files import find_pictures, read_picture
from rscvae_lab.errors import InputError
from rscvae_lab.storage.files import make_folder, write_whole
from rscvae_lab.runs.run import Run


def score_pictures(run_folder: str | Path, paths: Iterable[str | Path],
                   out: str | Path) -> tuple[pd.DataFrame, list[str]]:
    """Scores pictures, compares them with the run's threshold, and writes a CSV.

    Returns:
        The table (`file`, `l_recon`, `l_mut`, `l_enc1`, `novelty_score`, `threshold`, `novel`: 1 above the
        threshold), and one message for each file that could not be read and was skipped.

    Raises:
        InputError: no finished run, no pictures, none that can be read, or an output that cannot be written.
    """
    run, out = Run.load(run_folder), Path(out).expanduser().resolve()
    files = find_pictures(paths)
    make_folder(out.parent)
    pictures, unreadable = {}, []
    for file in tqdm(files, unit="picture", disable=None, leave=False):
        try:
            pictures[str(file)] = read_picture(file, run.config.image_size, run.config.channels)
        except InputError as error:
            unreadable.append(str(error))
    if not pictures:
        raise InputError(f"expected pictures that can be read, found none among {len(files)} files; {unreadable[0]}")
    table = run.score(torch.stack(list(pictures.values())))
    table.insert(0, "file", list(pictures))
    threshold = run.metrics["threshold"]
    table = table.assign(threshold=threshold, novel=(table.novelty_score > threshold).astype(int))
    write_whole(out, table.to_csv(index=False))
    return table, unreadable
