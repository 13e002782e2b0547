"""The scores of every test image of many runs in one small file, for statistics of one's own.

`results/scores.npz` has those of `results/literal.csv`, as far as its runs were kept, and
`results/scores_gpu.npz` those of `results/literal_gpu.csv`. Entries are arrays; numpy reads them:

    mnist/8/index           (N,) int32, the image's place among the data set's test images
    mnist/8/novel           (N,) bool, False for normal images
    mnist/8/o/seed-0        (2, N) float16, l_recon and l_mut of the run of mode o, seed 0
    mnist/8/o/seed-0/config the `config_hash` of that run (older files have none)

Half precision keeps three digits; no AUROC of ours moves by more than .001 for it. Of large
images, whose l_recon is beyond its range, they are float32.
"""

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from rscvae_lab.config import Config
from rscvae_lab.errors import InputError
from rscvae_lab.runs.run import read_config
from rscvae_lab.storage.files import METRICS, SCORES, output_file, write_whole

QUANTITIES = ["l_recon", "l_mut"]


def key(config: Config) -> str:
    """The entry of a config's run."""
    return f"{config.dataset}/{config.category}/{config.row}/seed-{config.seed}"


def gather(folders: Iterable[str | Path], out: str | Path) -> int:
    """Adds the finished runs of VAEs among these folders to the file `out`, in place of earlier
    entries of the same run. Returns how many runs it holds. Raises InputError where `out` is
    something else, for two runs of one name, which differ in other settings than it has, and for
    a run whose test images are others than those of the same class in the file."""
    out = output_file(out, ".npz", zipfile.is_zipfile)
    entries = read(out) if out.is_file() else {}
    for folder in sorted(map(Path, folders)):
        if not (folder / METRICS).is_file() or not (config := read_config(folder)).method.is_vae:
            continue
        scores, place = pd.read_csv(folder / SCORES), f"{config.dataset}/{config.category}"
        test = {f"{place}/index": scores["index"].to_numpy(np.int32),
                f"{place}/novel": scores.label.to_numpy(bool)}
        for name, images in test.items():
            if not np.array_equal(entries.setdefault(name, images), images):
                raise InputError(f"expected the test images of {place} in {out}, found others in "
                                 f"{folder}")
        terms = scores[QUANTITIES].to_numpy(np.float32).T
        in_range = np.abs(terms).max(initial=0) <= np.finfo(np.float16).max
        earlier = entries.setdefault(f"{key(config)}/config", np.array(config.config_hash))
        if earlier != config.config_hash:
            raise InputError(f"expected one run of {key(config)}, found {config.config_hash} in "
                             f"{folder} beside {earlier}: gather those of other settings into "
                             "another file")
        entries[key(config)] = terms.astype(np.float16) if in_range else terms
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **dict(sorted(entries.items())))
    write_whole(out, buffer.getvalue())
    return sum(name.split("/")[-1].startswith("seed-") for name in entries)


def read(path: str | Path) -> dict[str, np.ndarray]:
    """All entries. Raises InputError for a file that is no archive of arrays."""
    try:
        with np.load(path) as archive:
            return dict(archive)
    except (OSError, ValueError, zipfile.BadZipFile, AttributeError) as error:
        raise InputError(f"expected scores that rscvae gather wrote in {path}, found something "
                         f"else ({error})") from None
