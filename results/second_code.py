"""What became of the second code in finished runs of VAEs, at the epoch of their result: the four
terms of normal test images; `l_consist_silent`, l_mut between the first code and the prior, which
is l_consist if the second code is the prior; and AUROCs. Scored with three choices of statistics
for batch normalisation, each set by one pass over the training images: `both` (the average of the
two passes', each taken while the pass is normalised by its own batch; as everywhere else here),
`first` (those of images), and `own` (those of images for images, those of reconstructions for
reconstructions; as in training, but over all images and at z = mu).

    python results/second_code.py RUNS... OUT.csv     # a sweep's folder, or several
"""

import sys
from copy import deepcopy

import pandas as pd
import torch

from rscvae_lab import NORMAL, losses
from rscvae_lab.datasets import load_split
from rscvae_lab.datasets.images import as_network_input
from rscvae_lab.datasets.one_class import OneClassSplit
from rscvae_lab.engine.statistics import set_statistics
from rscvae_lab.errors import InputError
from rscvae_lab.models.vae import Coding
from rscvae_lab.runs import finished
from rscvae_lab.runs.evaluation import MEASURES, aurocs, code
from rscvae_lab.runs.run import Run
from rscvae_lab.storage.files import begins_with, output_file, write_whole

KEYS = ["dataset", "category", "method", "js", "seed", "epochs", "config_hash", "statistics"]
TERMS = ["l_recon", "l_enc1", "l_enc2", "l_mut", "l_consist_silent"]
AUROCS = ["auroc", "auroc_recon", "auroc_mut"]


def codings(run: Run, split: OneClassSplit) -> dict[str, Coding]:
    """The test images' codes with each choice of statistics."""
    both, first = deepcopy(run.model), deepcopy(run.model)
    set_statistics(both, split.train)
    set_statistics(first, split.train, recode=False)
    own, coding = deepcopy(first), code(first, split.test)
    set_statistics(own, code(first, split.train).x_hat, recode=False)
    again = code(own, coding.x_hat)
    return {"both": code(both, split.test), "first": coding,
            "own": coding._replace(mu_re=again.mu, log_var_re=again.log_var)}


def rows(run: Run) -> list[dict[str, object]]:
    """One row a choice of statistics."""
    split, config, result = load_split(run.config), run.config, []
    x = as_network_input(split.test, run.model.channels, run.model.image_size)
    for name, coding in codings(run, split).items():
        terms = losses.terms(x, coding, config.js)
        table = pd.DataFrame({f"l_{term}": value.numpy()
                              for term, value in terms._asdict().items()})
        zero = torch.zeros_like(coding.mu)
        silent = losses.mut(coding.mu, coding.log_var, zero, zero, config.js)
        table["l_consist_silent"] = silent.numpy()
        normal = table[TERMS][split.test_labels.numpy() == NORMAL].mean()
        measured = aurocs(split.test_labels.numpy(), table[MEASURES].astype(float))
        key = (config.dataset, config.category, config.row, config.js, config.seed,
               config.result_epoch, config.config_hash, name)
        result.append(dict(zip(KEYS, key)) | normal.to_dict() | {k: measured[k] for k in AUROCS})
    return result


def main(folders: list[str], out: str) -> int:
    """Adds the runs to the table, in place of earlier rows of the same ones; returns how many it
    has. Raises InputError where there are none to add, and where `out` is another table."""
    out = output_file(out, ".csv", begins_with(*KEYS))
    runs = [run for folder in folders for run in finished(folder) if run.config.method.is_vae]
    if not runs:
        raise InputError(f"expected finished runs of VAEs in {', '.join(folders)}, found none")
    table = pd.DataFrame([row for run in runs for row in rows(run)])
    if out.is_file():
        earlier = pd.read_csv(out, dtype={"category": str, "config_hash": str})
        table = pd.concat([earlier[~earlier.config_hash.isin(table.config_hash)], table])
    write_whole(out, table.to_csv(index=False, lineterminator="\n", float_format="%.6g"))
    return table.config_hash.nunique()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("expected folders of runs and a table to write, found "
                 f"{len(sys.argv) - 1} arguments")
    try:
        main(sys.argv[1:-1], sys.argv[-1])
    except InputError as error:
        sys.exit(str(error))
