"""Files that appear whole or not at all, and the folders they live in."""

import os
from contextlib import suppress
from pathlib import Path

from rscvae_lab.errors import InputError

_CHECKOUT = Path(__file__).resolve().parents[2]


def project_root() -> Path:
    """The checkout this package runs from; the working directory when it was installed without one."""
    return _CHECKOUT if (_CHECKOUT / "pyproject.toml").exists() else Path.cwd()


def data_root() -> Path:
    """Where data sets lie: `RSCVAE_DATA`, else `data`; relative to the checkout, never to a kernel's folder."""
    return (project_root() / Path(os.environ.get("RSCVAE_DATA") or "data").expanduser()).resolve()


def runs_root() -> Path:
    """Where runs are left: `RSCVAE_RUNS`, else `runs`; relative to the checkout."""
    return (project_root() / Path(os.environ.get("RSCVAE_RUNS") or "runs").expanduser()).resolve()


def make_folder(path: str | Path) -> Path:
    """Creates a folder and proves that it can be written to, before any work is spent.

    Raises:
        InputError: the path is a file, or cannot be created or written.
    """
    folder = Path(path).expanduser().resolve()
    probe = folder / f".probe.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"expected a folder that can be written to, found {folder} ({error.strerror})") from None
    return folder


def csv_path(path: str | Path) -> Path:
    """The absolute path of a CSV to write. Raises InputError for another suffix or a folder."""
    path = Path(path).expanduser().resolve()
    if path.suffix != ".csv" or path.is_dir():
        raise InputError(f"expected a CSV to write, found {path}")
    return path


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes beside the target, then renames: a reader sees the old file or the new one, never a part."""
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(beside, path)
    except BaseException as error:
        with suppress(OSError):
            beside.unlink()
        if isinstance(error, OSError) and not error.filename:
            error.filename = str(path)  # a full disk does not say which file it refused
        raise


def remove_stale_parts(folder: Path) -> None:
    """Removes what killed processes left half-written in a folder; a living one's part is its own."""
    for part in folder.glob(".*.*.part"):
        writer = part.name.split(".")[-2]
        if writer.isdecimal() and not _is_alive(int(writer)):
            part.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's, and alive
    return True
