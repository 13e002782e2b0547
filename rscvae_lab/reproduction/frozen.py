"""Frozen weights, scored otherwise: what a setting of the scores alone is worth.

Trained again, on another machine or after another update of torch, weights differ by rounding,
and that moves an AUROC as much as such a setting does. So the comparison needs the same weights.
"""

from dataclasses import replace
from pathlib import Path

from rscvae_lab.datasets import load_split
from rscvae_lab.engine.process import prepare, restored
from rscvae_lab.engine.statistics import set_statistics
from rscvae_lab.errors import InputError
from rscvae_lab.runs import folder as folders
from rscvae_lab.runs.evaluation import during_training
from rscvae_lab.runs.run import EVALUATED, Run, finished
from rscvae_lab.storage.files import WEIGHTS
from rscvae_lab.storage.tensors import save_weights
from rscvae_lab.sweeps import folder_name


def with_one_pass(runs: str | Path) -> list[Run]:
    """For each finished run in a sweep's folder that was trained with `recode_statistics` training
    the run that the same training leaves with `both`: the batch statistics of one pass over the
    training images, set in the same weights. It lies beside the other, where the sweep of that
    setting finds it finished. Of its epochs only that of the result is evaluated; its commit is
    that of the scoring, and on another machine its command trains other weights. Raises InputError
    where the folder has no such run of a VAE."""
    trained = [run for run in finished(runs) if run.config.method.is_vae
               and run.config.recode_statistics == "training"]
    if not trained:
        raise InputError(f"expected runs of VAEs in {runs}, trained with recode_statistics "
                         "training, found none")
    with restored():
        return [_with_one_pass(run, Path(runs)) for run in trained]


def _with_one_pass(run: Run, runs: Path) -> Run:
    config = replace(run.config, recode_statistics="both")
    place, model, split = runs / folder_name(config), run.model, load_split(config)
    with folders.claim(place, wait=False):
        there = folders.find(place, config, resume=True)
        if there:
            return there
        prepare(config)
        set_statistics(model, split.train)
        history = run.history.assign(**dict.fromkeys(EVALUATED)).to_dict("records")
        history[config.result_epoch - 1] |= during_training(model, split, config.js)
        with folders.begun([place], [config], lambda: True):
            save_weights(place / WEIGHTS, model)
            return folders.finish(place, config, split, history)
