"""A trained run on the user's own images: `rscvae score`."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import torch
from tqdm.auto import tqdm

from rscvae_lab.datasets.image_files import find_images, read_image
from rscvae_lab.errors import InputError
from rscvae_lab.runs.run import LATER_METRICS, Run
from rscvae_lab.storage.files import make_folder, write_whole


def score_images(run_folder: str | Path, paths: Iterable[str | Path], out: str | Path
                 ) -> tuple[pd.DataFrame, list[str]]:
    """Scores image files, compares them with the run's threshold, and writes a CSV. Returns the
    table (`file`, `l_recon`, `l_mut`, `l_enc1`, `novelty_score`, `threshold`, `novel`: 1 above the
    threshold, and `false_alarms_low` and `_high`, the shares of new normal images between which
    that is to be expected), and a message for each file that was skipped as unreadable. Raises
    InputError for no finished run, no readable image, or an output that cannot be written."""
    run, out = Run.load(run_folder), Path(out).expanduser().resolve()
    files = find_images(paths)
    make_folder(out.parent)
    images, unreadable = {}, []
    for file in tqdm(files, unit="image", disable=None, leave=False):
        try:
            images[str(file)] = read_image(file, run.config.image_size, run.config.channels)
        except InputError as error:
            unreadable.append(str(error))
    if not images:
        raise InputError(f"expected readable images, found none among {len(files)} files; "
                         f"{unreadable[0]}")
    table = run.score(torch.stack(list(images.values())))
    table.insert(0, "file", list(images))
    threshold = run.metrics["threshold"]
    table = table.assign(threshold=threshold, novel=(table.novelty_score > threshold).astype(int),
                         **{name: run.metrics[name] for name in LATER_METRICS})
    write_whole(out, table.to_csv(index=False))
    return table, unreadable
