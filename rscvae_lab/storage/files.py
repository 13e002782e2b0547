"""Files that appear whole or not at all, and the folders they lie in."""

import os
from contextlib import suppress
from pathlib import Path

import psutil

from rscvae_lab.errors import InputError

_PACKAGE = Path(__file__).resolve().parents[1]
_SHIPPED = _PACKAGE / "shipped"  # only in an installed package: pyproject.toml fills it


def is_checkout() -> bool:
    """Whether this package runs from its checkout, where notebooks and results lie beside it."""
    return not _SHIPPED.is_dir()


def project_root() -> Path:
    """The checkout this package runs from, or the working directory where it was installed."""
    return _PACKAGE.parent if is_checkout() else Path.cwd()


def resource(path: str | Path) -> Path:
    """A file or folder that comes with the package, in `notebooks`, `results`, `pretrained` or
    `data/paper`: of the checkout, or of the copy inside an installed package. An absolute path
    stays as it is."""
    return (_PACKAGE.parent if is_checkout() else _SHIPPED) / path


def data_root() -> Path:
    """Where data sets are stored: `RSCVAE_DATA`, else `data`; relative to the checkout, or to the
    working directory where the package was installed."""
    return (project_root() / Path(os.environ.get("RSCVAE_DATA") or "data").expanduser()).resolve()


def runs_root() -> Path:
    """Where runs are stored: `RSCVAE_RUNS`, else `runs`; relative as `data_root`."""
    return (project_root() / Path(os.environ.get("RSCVAE_RUNS") or "runs").expanduser()).resolve()


def make_folder(path: str | Path) -> Path:
    """Creates a folder, and checks that it can be written to before any work is spent. Raises
    InputError if it cannot."""
    folder = Path(path).expanduser().resolve()
    probe = folder / f".probe.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"expected a folder that can be written to, found {folder} "
                         f"({error.strerror})") from None
    return folder


def csv_path(path: str | Path) -> Path:
    """The absolute path of a CSV to write. Raises InputError for another suffix or a folder."""
    path = Path(path).expanduser().resolve()
    if path.suffix != ".csv" or path.is_dir():
        raise InputError(f"expected a CSV to write, found {path}")
    return path


def write_whole(path: Path, content: str | bytes | memoryview) -> None:
    """Writes to a temporary file, then renames it: a reader sees the old file or the new one,
    never a part. Text is written as UTF-8."""
    path = Path(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(part, path)
    except BaseException as error:
        with suppress(OSError):
            part.unlink()
        if isinstance(error, OSError) and not error.filename:
            error.filename = str(path)  # a full disk does not say which file it refused
        raise


def remove_stale_parts(folder: Path) -> None:
    """Removes the temporary files of processes that were killed while writing in a folder."""
    for part in folder.glob(".*.*.part"):
        writer = part.name.split(".")[-2]
        if writer.isdecimal() and not psutil.pid_exists(int(writer)):
            part.unlink(missing_ok=True)
