"""Fingerprints of image files, and their decoded pixels, kept in `runs/cache` for next time.

A file's digest is computed from its bytes and remembered by its size, times and inode. Pixels are
stored under the digests that they were decoded from, so they are never those of other files, and a
folder that was moved or touched needs no second copy. All of it may be lost, damaged, full or not
writable at any time: then it is computed again, and one warning says so.
"""

import hashlib
import json
import os
import time
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from rscvae_lab.datasets.image_files import DECODER, read_images
from rscvae_lab.errors import InputError, warn_once
from rscvae_lab.storage.files import (
    composed,
    make_folder,
    remove_stale_parts,
    runs_root,
    write_whole,
)

MOST_BYTES = 4 * 2**30  # of decoded pixels; those unused for longest go first
_SETTLED_NS = 2 * 10**9  # a file changed within this time may change again unseen: coarse clocks
_DIGITS = 16  # hexadecimal ones, of SHA-256

Digests = dict[str, str]  # by the file's path relative to its category
_remembered: dict[Path, dict[str, list]] = {}  # even where the cache cannot be written


class Changes(NamedTuple):
    """How many files differ between two states of a folder."""

    added: int
    removed: int
    changed: int

    @classmethod
    def between(cls, old: Digests, new: Digests) -> Self:
        old, new = _composed(old), _composed(new)
        common = old.keys() & new.keys()
        return cls(len(new.keys() - common), len(old.keys() - common),
                   sum(old[name] != new[name] for name in common))

    def __str__(self) -> str:
        parts = [f"{n} {name}" for name, n in self._asdict().items() if n]
        return ", ".join(parts) or "in another order"


def digests(folder: Path, files: Iterable[Path]) -> Digests:
    """The first 16 hexadecimal digits of each file's SHA-256, in the order of the files; none of
    a file that cannot be read, which its decoder will say better."""
    files, place = list(files), folder.resolve()
    memory = cache_folder() / f"digests-{_short(str(place))}.json"
    known = _remembered.get(place) or _read(memory)

    def entry(file: Path) -> list:
        stat, now = file.stat(), time.time_ns()
        stamp = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
        old = known.get(file.relative_to(folder).as_posix())
        if old and old[:-1] == stamp:
            return old
        try:
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()[:_DIGITS]
        except OSError:
            return [0, 0, 0, 0, ""]
        settled = now - max(stat.st_mtime_ns, stat.st_ctime_ns) > _SETTLED_NS
        return [*(stamp if settled else [0] * 4), digest]

    with ThreadPoolExecutor() as pool:
        names = [file.relative_to(folder).as_posix() for file in files]
        entries = dict(zip(names, pool.map(entry, files)))
    if entries != known:
        _remembered[place] = entries
        _keep(memory, json.dumps(entries))
    return {name: row[-1] for name, row in entries.items()}


def fingerprint(of: Digests) -> str:
    """16 hexadecimal digits over names and contents, wherever the folder lies."""
    return _short("".join(f"{digest} {name}\n" for name, digest in _composed(of).items()))


def decoded(files: Sequence[Path], of: Sequence[str], size: int, channels: int, white: float = 0
            ) -> Tensor:
    """`read_images` of files with these digests, from the cache where they are in it."""
    shape = (len(files), channels, size, size)
    if not files:
        return torch.empty(shape, dtype=torch.uint8)
    key = _short(f"{DECODER} {size} {channels} {white:g} {' '.join(of)}")
    name, n_bytes = f"{size}-{key}", int(np.prod(shape))
    for path in cache_folder().glob(f"{name}-*.pixels"):
        with suppress(OSError):
            pixels = np.fromfile(path, np.uint8)
            if len(pixels) == n_bytes and path.stem == f"{name}-{zlib.crc32(pixels):08x}":
                os.utime(path)  # used just now
                return torch.from_numpy(pixels).view(shape)
    images = read_images(files, size, channels, white)
    if n_bytes <= MOST_BYTES:
        pixels = images.numpy()
        _keep(cache_folder() / f"{name}-{zlib.crc32(pixels):08x}.pixels", memoryview(pixels))
    return images


def cache_folder() -> Path:
    return runs_root() / "cache"


def _keep(path: Path, content: str | memoryview) -> None:
    """Writes into the cache; where that fails, warns and goes on."""
    try:
        make_folder(path.parent)
        remove_stale_parts(path.parent)
        _make_room(path.parent, len(content) if isinstance(content, str) else content.nbytes)
        write_whole(path, content)
    except (OSError, InputError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        warn_once(f"decoded images are not kept for next time in {path.parent} ({reason}); set "
                  "RSCVAE_RUNS to a folder with space")


def _make_room(folder: Path, n_bytes: int) -> None:
    """Removes the pixels unused for longest until so many more bytes may be added."""
    stored = [(file.stat(), file) for file in folder.glob("*.pixels")]
    total = sum(stat.st_size for stat, _ in stored) + n_bytes
    for stat, file in sorted(stored, key=lambda each: each[0].st_mtime_ns):
        if total <= MOST_BYTES:
            break
        file.unlink(missing_ok=True)
        total -= stat.st_size


def _read(memory: Path) -> dict[str, list]:
    with suppress(OSError, ValueError):
        entries = json.loads(memory.read_bytes())
        if isinstance(entries, dict) and all(isinstance(row, list) and len(row) == 5
                                             for row in entries.values()):
            return entries
    return {}


def _composed(of: Digests) -> Digests:
    return {composed(name): digest for name, digest in of.items()}


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
