"""What torch and the process are set to for a training, and how that is undone."""

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from rscvae_lab.config import Config
from rscvae_lab.errors import InputError


def tf32_switches() -> tuple[Any, ...]:
    """torch's backends with a switch `allow_tf32`. None without a GPU: there it has no effect, but
    raises where the caller has used torch's newer `fp32_precision`."""
    has_gpu = torch.cuda.is_available()
    return (torch.backends.cudnn, torch.backends.cuda.matmul) if has_gpu else ()


def prepare(config: Config) -> None:
    """Sets torch to what the config says and to repeatable kernels. Raises InputError for a GPU
    that is not there."""
    if config.device == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda was asked for, but torch finds no CUDA GPU here")
    torch.set_num_threads(config.threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # for repeatable products
    torch.backends.cudnn.deterministic = True
    for backend in tf32_switches():
        backend.allow_tf32 = config.precision == "tf32"
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Has glibc keep the few MB that every step frees: giving them back to the system and getting
    them again costs up to 500 page faults a step, a tenth of the time."""
    if platform.libc_ver()[0] == "glibc":
        m_trim_threshold, m_mmap_threshold = -1, -3  # of malloc.h
        libc = ctypes.CDLL(None)
        libc.mallopt(m_trim_threshold, 128 * 2**20)
        libc.mallopt(m_mmap_threshold, 32 * 2**20)  # larger blocks still go back at once


@contextmanager
def restored() -> Iterator[None]:
    """Puts back, at the end, the threads and kernels that torch had before."""
    threads, deterministic = torch.get_num_threads(), torch.backends.cudnn.deterministic
    tf32 = [(backend, backend.allow_tf32) for backend in tf32_switches()]
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.backends.cudnn.deterministic = deterministic
        for backend, allowed in tf32:
            backend.allow_tf32 = allowed
