"""Many trainings into one table: planned, spread over processes, a cluster or a GPU, and safe to stop at any moment.

A sweep leaves `x.csv`, a row a result, and beside it `x.runs/` with every run's folder. Whatever was finished when a
sweep was stopped is not trained again, and what was half-trained goes on from its last state.
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
import torch
from filelock import FileLock, Timeout
from tqdm.auto import tqdm

from rscvae_lab.config import PICTURE_SETS, Config, category_list
from rscvae_lab.errors import InputError
from rscvae_lab.runs.run import METRICS, Run
from rscvae_lab.runs.table import Table, Unit
from rscvae_lab.storage.files import csv_path, make_folder, remove_stale_parts, write_whole
from rscvae_lab.trainers import train, train_ensemble

STACK = 40  # models side by side on a GPU: the ten classes of a data set in four modes
_ATTEMPTS = 3  # at what makes its process die, for want of memory most likely
_ONE_AT_A_TIME = threading.Lock()  # a Dask worker has many threads, torch's settings are the process's


class Outcome(NamedTuple):
    """What came of a unit: its rows, or why there are none; `files` where it was trained on another machine."""

    unit: Unit
    rows: list[dict[str, Any]]
    failure: str | None = None
    files: dict[str, dict[str, bytes]] = {}  # noqa: RUF012  (never changed)


def plan(dataset: str, categories: str, methods: str, seeds: str, settings: dict[str, Any],
         stack: int = STACK) -> list[Unit]:
    """The units of a sweep; lists are separated by commas, `all` is every category.

    The same plan gives the same stacks, whatever of it is finished: a model's bytes can depend on its neighbours.

    Raises:
        InputError: an unknown name or a bad value.
    """
    taken = settings.keys() & {"dataset", "category", "mode", "seed", "stack"}
    if taken:
        raise InputError(f"a sweep varies {min(taken)} itself: expected other settings, found {min(taken)} among them")
    numbers = parse_seeds(seeds)
    settings = {"threads": 1} | settings  # processes share cores better than threads do
    chosen = product(numbers, category_list(dataset, categories), _listed(methods))
    configs = list(dict.fromkeys(Config(dataset=dataset, category=name, mode=method, seed=seed, **settings)
                                 for seed, name, method in chosen))
    return _stacked(configs, stack) if configs[0].device == "cuda" else [(config,) for config in configs]


def parse_seeds(text: str) -> list[int]:
    """Seeds from text such as 0,1,2. Raises InputError for anything else."""
    try:
        return [int(seed) for seed in _listed(text)]
    except ValueError:
        raise InputError(f"seeds expects integers such as 0,1,2, found {text!r}") from None


def _listed(text: str) -> list[str]:
    found = [part.strip() for part in text.split(",") if part.strip()]
    if not found:
        raise InputError(f"expected names separated by commas, found {text!r}")
    return found


def _stacked(configs: list[Config], stack: int) -> list[Unit]:
    """Units of at most so many models that can train in one ensemble; the others are alone."""
    small = [config for config in configs if config.method.is_vae
             and config.network == "plain" and config.dataset not in PICTURE_SETS]
    units: list[Unit] = [(config,) for config in configs if config not in small]
    for recodes in (True, False):
        alike = [config for config in small if config.method.recodes == recodes]
        for start in range(0, len(alike), stack):
            unit = alike[start : start + stack]
            units.append(tuple(replace(config, stack=len(unit)) for config in unit))
    return units


def sweep(units: Sequence[Unit], out: str | Path, *, backend: str = "loky", scheduler: str | None = None,
          jobs: int | None = None) -> list[Outcome]:
    """Trains what is missing in the table `out` and adds a row for each result as it comes.

    Args:
        backend: loky, processes of this machine (a GPU is driven from one); dask, an existing cluster.
        scheduler: the cluster's address, such as tcp://host:8786.
        jobs: how many processes, on a CPU; one a core by default.

    Returns:
        What failed; the others were not stopped by it.

    Raises:
        InputError: `out` holds something else, or another sweep is writing to it.
    """
    if backend not in ("loky", "dask") or (backend == "dask") != bool(scheduler):
        raise InputError(f"expected backend loky, or dask with a scheduler's address, found {backend} with {scheduler}")
    if jobs is not None and jobs < 1:
        raise InputError(f"expected at least one job, found {jobs}")
    out = csv_path(out)
    if backend == "loky" and any(unit[0].device == "cuda" for unit in units) and not torch.cuda.is_available():
        raise InputError("device cuda was asked for, but torch finds no CUDA GPU here")
    Table(out, units)  # refuses what is no table before anything is made
    runs = make_folder(out.with_suffix(".runs"))
    try:
        with FileLock(runs / ".lock", timeout=0):
            remove_stale_parts(out.parent)
            return _drive(Table(out, units), runs, backend, scheduler, jobs)
    except Timeout:
        raise InputError(f"another sweep is writing to {out}: expected to be the only one") from None


def _drive(table: Table, runs: Path, backend: str, scheduler: str | None, jobs: int | None) -> list[Outcome]:
    todo, failures = table.unfinished(), []
    outcomes = _on_dask(todo, scheduler) if backend == "dask" else _on_this_machine(todo, runs, jobs)
    done = len(table.units) - len(todo)
    bar = tqdm(total=len(table.units), initial=done, unit="unit", desc=table.path.name, disable=None)
    with closing(outcomes), bar:
        for outcome in outcomes:
            if outcome.failure:
                failures.append(outcome)
                bar.write(f"rscvae: failed: {outcome.failure}", file=sys.stderr)
            _store(outcome.files, runs)
            table.add(outcome.rows)
            bar.update()
    return failures


def _folder(runs: Path, config: Config) -> Path:
    return runs / f"{config.category}-{config.mode}-{config.seed}-{config.config_hash}"


def _train_unit(unit: Unit, runs: Path, progress: bool | None = False) -> Outcome:
    """Trains a unit in its folders. What goes wrong with it is said, and concerns no other."""
    folders = [_folder(runs, config) for config in unit]
    try:
        if len(unit) == 1:
            done = [train(unit[0], folders[0], resume=True, progress=progress, wait=True)]
        else:
            done = train_ensemble(unit, folders, progress=progress, wait=True)
    except Exception as error:  # whatever it is, the other runs go on
        what = f"{unit[0].dataset} {unit[0].category}, {unit[0].mode}, seed {unit[0].seed}"
        return Outcome(unit, [], f"{what}: {' '.join(str(error).split()) or type(error).__name__}")
    return Outcome(unit, [row for run in done for row in run.result_rows()])


def _in_a_process(unit: Unit, runs: Path, sweep_process: int) -> Outcome:
    if os.getpid() != sweep_process:  # a single job needs no other
        _end_with(sweep_process)
    return _train_unit(unit, runs)


@cache
def _end_with(parent: int) -> None:
    """Makes a worker process end when the sweep is killed; loky's own would train on, unseen."""
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)  # whatever is written is written whole

    threading.Thread(target=watch, daemon=True).start()


def _on_this_machine(units: Iterable[Unit], runs: Path, jobs: int | None) -> Iterator[Outcome]:
    """A GPU takes one unit after the other; a CPU one a process, and again after a process died."""
    left = list(units)
    if left and left[0][0].device == "cuda":
        yield from (_train_unit(unit, runs, progress=None) for unit in left)
        return
    deaths = 0
    while left and deaths < _ATTEMPTS:
        tasks = [joblib.delayed(_in_a_process)(unit, runs, os.getpid()) for unit in left]
        before = len(left)
        try:
            for outcome in joblib.Parallel(jobs or joblib.cpu_count(), return_as="generator_unordered")(tasks):
                left.remove(outcome.unit)
                yield outcome
        except BrokenProcessPool:  # whoever was at work is suspect, and goes last
            deaths = 0 if len(left) < before else deaths + 1
            left = left[jobs or joblib.cpu_count():] + left[: jobs or joblib.cpu_count()]
    yield from (Outcome(unit, [], f"{unit[0].category}, {unit[0].mode}: its process was killed; is memory short?")
                for unit in left)


def _on_dask(units: Sequence[Unit], scheduler: str) -> Iterator[Outcome]:
    """One unit a task on a cluster, which tries again elsewhere when a worker dies; data sets lie with the workers."""
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise InputError("backend dask needs the package distributed: pip install 'rscvae_lab[dask]'") from None
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise InputError(f"expected a Dask scheduler at {scheduler}, found none ({error})") from None
    with client:
        tasks = {client.submit(_train_away, unit, pure=False, retries=_ATTEMPTS): unit for unit in units}
        for task in as_completed(list(tasks)):
            unit = tasks.pop(task)  # a result that was delivered need not be kept there
            try:
                yield task.result()
            except Exception as error:  # of the cluster, not of the training
                yield Outcome(unit, [], f"{unit[0].category}, {unit[0].mode}: {' '.join(str(error).split())}")


def _train_away(unit: Unit) -> Outcome:
    """Trains a unit in a folder of the worker's own, and sends the files home with the rows."""
    with _ONE_AT_A_TIME, tempfile.TemporaryDirectory() as scratch:
        outcome = _train_unit(unit, Path(scratch))
        files = {folder.name: {file.name: file.read_bytes() for file in folder.iterdir()}
                 for folder in Path(scratch).iterdir() if (folder / METRICS).is_file()}
    return outcome._replace(files=files)


def _store(files: dict[str, dict[str, bytes]], runs: Path) -> None:
    """Puts a distant run's files in place, `metrics.json` last, as a run does itself."""
    for name, contents in files.items():
        folder = make_folder(runs / name)
        for file in sorted(contents, key=lambda file: file == METRICS):
            write_whole(folder / file, contents[file])
        Run.load(folder)
