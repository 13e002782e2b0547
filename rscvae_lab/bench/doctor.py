"""`rscvae doctor`: what works on this machine, what does not, and what to do about it."""

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import NamedTuple

import torch
from filelock import FileLock, Timeout
from jupyter_client.kernelspec import KernelSpecManager
from packaging.requirements import Requirement

from rscvae_lab import __version__
from rscvae_lab.config import CATEGORIES
from rscvae_lab.config.schema import resolve_device, resolve_precision
from rscvae_lab.datasets import verify
from rscvae_lab.errors import InputError
from rscvae_lab.storage.files import data_root, is_checkout, make_folder, resource, runs_root

MIB = 2**20
LEAST_SPACE = 500 * MIB  # the course's runs and executed notebooks take a tenth of it
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")


class Finding(NamedTuple):
    """What a check found, and what to do where that is not enough."""

    subject: str
    result: str
    advice: str = ""  # empty where all is well
    needed: bool = False  # whether the course does not work without it

    def __str__(self) -> str:
        state = "ok" if not self.advice else "BROKEN" if self.needed else "absent"
        advice = f"\n{'':22}-> {self.advice}" if self.advice else ""
        return f"{state:8}{self.subject:14}{self.result}{advice}"


def examine() -> list[Finding]:
    """The findings of all checks, the needed ones first. Changes nothing but the folder of runs,
    which it makes where there is none."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _versions, _shipped, _kernel, _runs, _device, _data_sets, _optional)
    return [finding for check in checks for finding in check()]


def works(findings: list[Finding]) -> bool:
    """Whether nothing is missing that the course needs."""
    return not any(finding.advice and finding.needed for finding in findings)


def _versions() -> Iterator[Finding]:
    place = "a checkout" if is_checkout() else "an installed package"
    yield Finding("rscvae", f"{__version__}, {place}; Python {platform.python_version()}, "
                  f"{platform.system()} {platform.machine()}")
    try:
        wanted = [Requirement(text) for text in requires("rscvae_lab") or ()]
    except PackageNotFoundError:
        yield Finding("packages", "rscvae_lab runs without being installed",
                      "install it, so that versions are checked: pip install -e .")
        return
    wanted = [each for each in wanted if each.marker is None or each.marker.evaluate()]
    broken = [each for each in wanted
              if not each.specifier.contains(_version(each.name) or "0", prereleases=True)]
    wrong = ", ".join(f"{each.name} {_version(each.name) or 'missing'}" for each in broken)
    advice = "pip install " + " ".join(f'"{each}"' for each in broken) if broken else ""
    yield Finding("packages", wrong or f"all {len(wanted)} as required", advice, needed=True)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _shipped() -> Iterator[Finding]:
    for name, pattern in {"notebooks": "[0-9]*.ipynb", "results": "*.csv",
                          "pretrained": "*/*/weights.safetensors", "data/paper": "*.csv"}.items():
        count = len(list(resource(name).glob(pattern)))
        yield Finding(name, f"{count} files in {resource(name)}",
                      "" if count else "install the package anew: it is not whole", needed=True)


def _kernel() -> Iterator[Finding]:
    """The notebooks' kernel must run in this very environment."""
    known = KernelSpecManager().find_kernel_specs()
    advice = "" if "python3" in known else f"{sys.executable} -m ipykernel install --sys-prefix"
    yield Finding("kernel", known.get("python3", "no kernel named python3"), advice, needed=True)


def _runs() -> Iterator[Finding]:
    try:
        folder = make_folder(runs_root())
        with FileLock(folder / ".doctor.lock", timeout=5):
            free = shutil.disk_usage(folder).free
    except (InputError, Timeout, OSError) as error:
        yield Finding("runs", str(error), "name another folder in RSCVAE_RUNS", needed=True)
        return
    advice = "" if free > LEAST_SPACE else f"make room: {LEAST_SPACE // MIB} MiB are wanted"
    yield Finding("runs", f"{folder}, {free / 2**30:.1f} GiB free", advice, needed=True)


def _device() -> Iterator[Finding]:
    try:
        device = resolve_device("auto")
    except InputError as error:
        yield Finding("device", str(error), "set RSCVAE_DEVICE to one of them", needed=True)
        return
    cores, threads = os.cpu_count(), torch.get_num_threads()
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no CUDA GPU"
    lacks = device == "cuda" and not torch.cuda.is_available()
    yield Finding("device", f"{device}; {gpu}; {cores} cores, torch uses {threads} threads",
                  "RSCVAE_DEVICE asks for a GPU that torch does not find" * lacks, needed=True)
    precision = resolve_precision("auto", "cpu")
    yield Finding("bfloat16", "native" if precision == "bfloat16" else
                  "not native: trainings on the CPU are float32, and slower")


def _data_sets() -> Iterator[Finding]:
    for dataset in CATEGORIES:
        try:
            for line in verify(dataset).splitlines():
                yield Finding(dataset, line.removeprefix(f"{dataset}: "))
        except InputError as error:
            yield Finding(dataset, f"not in {data_root()}", str(error), dataset == "digits")


def _optional() -> Iterator[Finding]:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    yield Finding("Chromium", browser or "none; only tests of widgets use one",
                  "" if browser else "install chromium with the system's packages")
    dask = _version("distributed")
    yield Finding("Dask", f"distributed {dask}" if dask else "none; only sweeps on a cluster do",
                  "" if dask else "pip install distributed")
