"""Many trainings into one table: planned, spread over processes, a cluster or a GPU, and safe to
stop at any moment.

A sweep leaves `x.csv`, one row per result, and beside it `x.runs/` with every run's folder. After
a stop, finished trainings are kept, and unfinished ones go on from their last saved state.
"""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import psutil
import torch
from filelock import FileLock, Timeout
from joblib.executor import get_memmapping_executor
from tqdm.auto import tqdm

from rscvae_lab.config import IMAGE_FOLDERS, Config, category_list, short
from rscvae_lab.datasets import identified
from rscvae_lab.errors import InputError, warn_once
from rscvae_lab.methods import training_of
from rscvae_lab.runs.callbacks import Callback
from rscvae_lab.runs.folder import LOCK, changes
from rscvae_lab.runs.run import Run
from rscvae_lab.runs.table import Table, Unit
from rscvae_lab.storage.files import (
    CONFIG,
    METRICS,
    STATE,
    begins_with,
    make_folder,
    output_file,
    remove_stale_parts,
    write_whole,
)
from rscvae_lab.trainers import PER_MODEL, say_what_is_read, train, train_ensemble

STACK = 40  # models of an ensemble on a GPU: the ten classes of a data set in four modes
_ATTEMPTS = 3  # at units whose process dies, most likely for want of memory
_ONE_AT_A_TIME = threading.Lock()  # for Dask workers' threads: torch's settings are global


class Outcome(NamedTuple):
    """The result of a unit: its rows, or why there are none."""

    unit: Unit
    rows: list[dict[str, Any]]
    failure: str | None = None
    files: dict[str, dict[str, bytes]] = {}  # noqa: RUF012  by folder, of a unit trained elsewhere


def plan(dataset: str, categories: str, methods: str, seeds: str, settings: dict[str, Any],
         stack: int = STACK) -> list[Unit]:
    """The units of a sweep; lists are separated by commas, `all` means every category. Ensembles
    depend on the plan alone and not on what is already finished, because a model's bytes can
    depend on the others in its ensemble. Own images are fingerprinted here, so that the rows of
    others are not taken for theirs. Raises InputError for a name or value that is unknown, or
    images that are not there."""
    if stack < 1:
        raise InputError(f"expected at least one model in an ensemble, found a stack of {stack}")
    for name in ("dataset", "category", "mode", "seed", "stack"):
        if name in settings:
            raise InputError(f"expected no setting {name}: a sweep sets it itself")
    settings = {"threads": 1} | settings  # one model per core is faster than threads
    names = category_list(dataset, categories, settings.get("root", ""))
    combinations = product(parse_seeds(seeds), names, map(training_of, _names(methods)))
    configs = list(dict.fromkeys(
        Config(dataset=dataset, category=category, seed=seed, **(settings | mode))
        for seed, category, mode in combinations))
    data = {config.category: config for config in configs}
    data = {category: identified(config).data for category, config in data.items()}
    configs = [replace(config, data=data[config.category]) for config in configs]
    if configs[0].device == "cuda":
        return _ensembles(configs, stack)
    return [(config,) for config in configs]


def parse_seeds(text: str) -> list[int]:
    """Seeds from text such as 0,1,2. Raises InputError for anything else."""
    try:
        return [int(seed) for seed in _names(text)]
    except ValueError:
        raise InputError(f"seeds expects integers such as 0,1,2, found {text!r}") from None


def _names(text: str) -> list[str]:
    names = [part.strip() for part in text.split(",") if part.strip()]
    if not names:
        raise InputError(f"expected names separated by commas, found {text!r}")
    return names


def _ensembles(configs: list[Config], stack: int) -> list[Unit]:
    """Ensembles of up to `stack` models that agree in all but `PER_MODEL`, after the configs that
    must train alone."""
    small = [config for config in configs if config.method.is_vae
             and config.network == "plain" and config.dataset not in IMAGE_FOLDERS]
    units: list[Unit] = [(config,) for config in configs if config not in small]
    groups: dict[tuple, list[Config]] = {}
    for config in small:
        shared = [value for name, value in vars(config).items() if name not in PER_MODEL]
        groups.setdefault((not config.method.recodes, *shared), []).append(config)
    for _, alike in sorted(groups.items(), key=lambda group: group[0][0]):
        for start in range(0, len(alike), stack):
            unit = alike[start : start + stack]
            units.append(tuple(replace(config, stack=len(unit)) for config in unit))
    return units


def folder_name(config: Config) -> str:
    """The name of a run's folder in the `.runs` beside a table."""
    return f"{short(config.category)}-{config.mode}-{config.seed}-{config.config_hash}"


def sweep(units: Sequence[Unit], out: str | Path, *, backend: str = "loky",
          scheduler: str | None = None, jobs: int | None = None,
          callbacks: Sequence[Callback] = ()) -> list[Outcome]:
    """Trains what the table `out` lacks and adds each result's rows as soon as it is there.

    Args:
        backend: loky, processes of this machine (one drives a GPU); dask, an existing cluster.
        scheduler: the cluster's address, such as tcp://host:8786.
        jobs: number of processes on a CPU; by default one per core.
        callbacks: those of `trainers.train`, called where the training runs; they are sent to
            other processes, so each is a function of a module.

    Returns the failures; they stop no other unit. Raises InputError where `out` holds something
    else, or another sweep is writing to it.
    """
    if backend not in ("loky", "dask") or (backend == "dask") != bool(scheduler):
        raise InputError("expected backend loky, or dask with a scheduler's address, found "
                         f"{backend} with {scheduler}")
    if jobs is not None and jobs < 1:
        raise InputError(f"expected at least one job, found {jobs}")
    out = output_file(out, ".csv", begins_with("dataset", "category", "method"))
    on_gpu = backend == "loky" and any(unit[0].device == "cuda" for unit in units)
    if on_gpu and not torch.cuda.is_available():
        raise InputError("device cuda was asked for, but torch finds no CUDA GPU here")
    Table(out, units)  # refuses another file before anything is made
    runs = make_folder(out.with_suffix(".runs"))
    try:
        with FileLock(runs / LOCK, timeout=0):
            remove_stale_parts(out.parent, [out.name])
            table = Table(out, units)
            _say_what_changed(table, runs)
            todo = table.unfinished()
            say_what_is_read(config for unit in todo for config in unit)
            outcomes = (_on_dask(todo, scheduler, callbacks) if backend == "dask"
                        else _on_this_machine(todo, runs, jobs, callbacks))
            return _collect(outcomes, table, len(todo), runs)
    except Timeout:
        raise InputError(f"another sweep is writing to {out}: expected to be alone") from None


def _say_what_changed(table: Table, runs: Path) -> None:
    """Rows of a category's other images stay in the table; so does the news of them."""
    for config in {unit[0].category: unit[0] for unit in table.units if unit[0].data}.values():
        for row in table.of_other_images(config)[-1:]:
            of_run = next(runs.glob(f"*-{row['config_hash']}"), runs)
            warn_once(f"{table.path} has rows of other images of {config.category} "
                      f"({changes(of_run, config)}): they stay as they are, under their "
                      "fingerprint (column data); those of today are trained anew")


def _collect(outcomes: Iterator[Outcome], table: Table, n_todo: int, runs: Path) -> list[Outcome]:
    """Adds the outcomes to the table as they come; returns the failures."""
    failures, n = [], len(table.units)
    bar = tqdm(total=n, initial=n - n_todo, unit="unit", desc=table.path.name, disable=None)
    with closing(outcomes), bar:
        for outcome in outcomes:
            if outcome.failure:
                failures.append(outcome)
                bar.write(f"rscvae: failed: {outcome.failure}", file=sys.stderr)
            store_runs(outcome.files, runs)
            table.add(outcome.rows)
            bar.update()
    return failures


def _failed(unit: Unit, reason: object) -> Outcome:
    first, reason = unit[0], " ".join(str(reason).split()) or type(reason).__name__
    what = f"{first.dataset} {first.category}, {first.mode}, seed {first.seed}"
    return Outcome(unit, [], f"{what}: {reason}")


def _train_unit(unit: Unit, runs: Path, callbacks: Sequence[Callback],
                progress: bool | None = False) -> Outcome:
    """Trains a unit in its folders. Any error becomes the unit's failure, so that others go on."""
    folders = [runs / folder_name(config) for config in unit]
    try:
        if len(unit) == 1:
            done = [train(unit[0], folders[0], resume=True, progress=progress, wait=True,
                          callbacks=callbacks)]
        else:
            done = train_ensemble(unit, folders, progress=progress, wait=True,
                                  callbacks=callbacks)
    except Exception as error:
        return _failed(unit, error)
    return Outcome(unit, [row for run in done for row in run.result_rows()])


def train_in_worker(unit: Unit, runs: Path, parent: int, callbacks: Sequence[Callback]
                    ) -> Outcome:
    """Trains a unit in a process of its own, or in the sweep's where there is a single job."""
    if os.getpid() != parent:
        _end_with(parent)
    return _train_unit(unit, runs, callbacks)


@cache
def _end_with(parent: int) -> None:
    """Ends this worker process when the sweep is killed; loky alone would let it train on."""
    def watch() -> None:
        while os.getppid() == parent and psutil.pid_exists(parent):  # Windows has the latter only
            time.sleep(0.5)
        os._exit(1)  # safe: files appear whole or not at all

    threading.Thread(target=watch, daemon=True).start()


def _on_this_machine(units: Iterable[Unit], runs: Path, jobs: int | None,
                     callbacks: Sequence[Callback]) -> Iterator[Outcome]:
    """On a GPU one unit after the other; on a CPU one per process, again if its process dies."""
    left, jobs = list(units), jobs or joblib.cpu_count()
    if left and left[0][0].device == "cuda":
        yield from (_train_unit(unit, runs, callbacks, progress=None) for unit in left)
        return
    deaths = 0
    while left and deaths < _ATTEMPTS:
        before = len(left)
        try:
            for outcome in _in_processes(left, runs, jobs, callbacks):
                left.remove(outcome.unit)
                yield outcome
        except BrokenProcessPool:  # one of those at work is the cause: they go last
            deaths = 0 if len(left) < before else deaths + 1
            left = left[jobs:] + left[:jobs]
    yield from (_failed(unit, "its process was killed; is memory short?") for unit in left)


def _in_processes(units: Sequence[Unit], runs: Path, jobs: int, callbacks: Sequence[Callback]
                  ) -> Iterator[Outcome]:
    """The outcomes as they come, from at most `jobs` processes and no more than there are units; a
    single job is done in this one."""
    shared = runs, os.getpid(), callbacks
    if jobs > 1 and len(units) == 1:  # which joblib would do in this process, and die with it
        alone = get_memmapping_executor(1)  # the one that Parallel takes
        yield alone.submit(train_in_worker, units[0], *shared).result()
        return
    tasks = [joblib.delayed(train_in_worker)(unit, *shared) for unit in units]
    yield from joblib.Parallel(min(jobs, len(units)), return_as="generator_unordered")(tasks)


def _on_dask(units: Sequence[Unit], scheduler: str, callbacks: Sequence[Callback]
             ) -> Iterator[Outcome]:
    """One unit per task of a cluster, repeated elsewhere when a worker dies. The workers need the
    data sets."""
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise InputError("backend dask needs the package distributed: pip install distributed"
                         ) from None
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise InputError(f"expected a Dask scheduler at {scheduler}, found none ({error})"
                         ) from None
    with client:
        tasks = {client.submit(train_remotely, unit, callbacks, pure=False, retries=_ATTEMPTS):
                 unit for unit in units}
        for task in as_completed(list(tasks)):
            unit = tasks.pop(task)  # lets the cluster forget the result
            try:
                yield task.result()
            except Exception as error:  # of the cluster; the training's own are outcomes
                yield _failed(unit, error)


def train_remotely(unit: Unit, callbacks: Sequence[Callback] = ()) -> Outcome:
    """Trains a unit in a temporary folder; its runs come back as the outcome's `files`."""
    with _ONE_AT_A_TIME, tempfile.TemporaryDirectory() as scratch:
        outcome = _train_unit(unit, Path(scratch), callbacks)
        files = {folder.name: {file.name: file.read_bytes() for file in folder.glob("[!.]*")}
                 for folder in Path(scratch).iterdir() if (folder / METRICS).is_file()}
    return outcome._replace(files=files)


def store_runs(files: dict[str, dict[str, bytes]], runs: Path) -> None:
    """Writes and checks runs that were trained elsewhere: `config.json` is written first, which
    makes the folder a run's, and `metrics.json` last."""
    for name, contents in files.items():
        folder = make_folder(runs / name)
        for file in sorted(contents, key=lambda file: (file == METRICS) - (file == CONFIG)):
            write_whole(folder / file, contents[file])
        (folder / STATE).unlink(missing_ok=True)  # of a training that was begun here
        Run.load(folder)
