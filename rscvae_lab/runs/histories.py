"""What many trainings were worth while they lasted, in one small table: a row for each epoch that
was evaluated on the test set. `results/length_history.csv` has those of `results/length.csv`, the
paper's own 500 epochs."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from rscvae_lab.errors import InputError
from rscvae_lab.runs.run import Run, read_config
from rscvae_lab.storage.files import METRICS, begins_with, output_file, stored, write_whole

KEYS = ("dataset", "category", "method", "js", "seed", "config_hash")
MEASURED = ("epoch", "learning_rate", "loss", "auroc", "auroc_recon", "auroc_mut")
TERMS = ("recon", "enc1", "enc2", "mut")  # means over training normals; not in older tables


def gather(folders: Iterable[str | Path], out: str | Path) -> int:
    """Adds the evaluated epochs of the finished runs of VAEs among these folders to the CSV `out`,
    in place of earlier ones of the same run, with the `TERMS` of training there. `method` is the
    mode, or `e_all`; of a plain VAE `auroc` is that of the mixture, Recode VAE. Returns how many
    runs the table holds. Raises InputError where `out` is something else."""
    out = output_file(out, ".csv", begins_with(*KEYS, *MEASURED))
    tables = [_read(out)] if out.is_file() else []
    for folder in sorted(map(Path, folders)):
        if (folder / METRICS).is_file() and (config := read_config(folder)).method.is_vae:
            of_run = (config.dataset, config.category, config.row, config.js, config.seed,
                      config.config_hash)
            history = Run.load(folder).history.dropna(subset="auroc")
            tables.append(history.assign(**dict(zip(KEYS, of_run))))
    columns = [*KEYS, *MEASURED, *TERMS]
    table = pd.concat(tables) if tables else pd.DataFrame(columns=columns)
    table = table.drop_duplicates(["config_hash", "epoch"], keep="last")
    table = table.reindex(columns=columns).sort_values([*KEYS, "epoch"], kind="stable")
    write_whole(out, table.to_csv(index=False, lineterminator="\n", float_format="%.6g"))
    return table.config_hash.nunique()


def read(path: str | Path) -> pd.DataFrame:
    """The table that `gather` wrote, found as `storage.files.stored` finds it. Raises InputError
    where there is none."""
    path = stored(path)
    if not path.is_file() or not begins_with(*KEYS, *MEASURED)(path):
        raise InputError(f"expected a table of rscvae gather in {path}, found "
                         f"{'another file' if path.is_file() else 'no such file'}")
    return _read(path)


def _read(path: Path) -> pd.DataFrame:
    texts = dict.fromkeys(("category", "config_hash"), str)  # else 87619990e401 is a number
    return pd.read_csv(path, dtype=texts)
