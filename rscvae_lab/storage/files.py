"""Files that appear whole or not at all, and the folders they lie in."""

import json
import os
import unicodedata
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from rscvae_lab.errors import InputError

_PACKAGE = Path(__file__).resolve().parents[1]
_SHIPPED = _PACKAGE / "shipped"  # only in an installed package: pyproject.toml fills it


def is_checkout() -> bool:
    """Whether this package runs from its checkout, where notebooks and results lie beside it."""
    return not _SHIPPED.is_dir()

# The files of a run: no other output may take their place.
CONFIG, WEIGHTS, HISTORY = "config.json", "weights.safetensors", "history.csv"
SCORES, METRICS = "scores.csv", "metrics.json"  # metrics.json is written last
STATE, IMAGES, LOG = "state.safetensors", "images.json", "log.txt"
CALIBRATION = "calibration.safetensors"  # of the local score
COURSE = ".rscvae_lab"  # in a copied course: the path from there to the folder of data and runs
RUN_FILES = (CONFIG, WEIGHTS, HISTORY, SCORES, METRICS, STATE, IMAGES, LOG, CALIBRATION)
_SYSTEM = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir",
           "$recycle.bin", "system volume information", "lost+found"}


def is_hidden(name: str) -> bool:
    """Whether an entry of a folder is hidden or the system's own: such are never data."""
    return name.startswith((".", "~$")) or name.casefold() in _SYSTEM


def composed(name: str) -> str:
    """A name with accents as one character each: file systems differ in how they write them."""
    return unicodedata.normalize("NFC", name)


def entries(folder: Path) -> list[Path]:
    """What lies directly in a folder, without what is hidden, in the order of the names: the same
    on every system (paths themselves sort without case on Windows)."""
    visible = (path for path in folder.iterdir() if not is_hidden(path.name))
    return sorted(visible, key=lambda path: composed(path.name))


def absolute(path: str | Path) -> Path:
    """An absolute path without `~` or links. Raises InputError for links in a circle."""
    try:
        return Path(os.path.expanduser(path)).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"expected a path, found {str(path)!r} ({error})") from None


def project_root() -> Path:
    """The checkout this package runs from, or, where it was installed, the working directory; from
    within a copied course (whose kernels work in its folder), the one it was copied from."""
    if is_checkout():
        return _PACKAGE.parent
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / COURSE).is_file():
            root = folder / (folder / COURSE).read_text("utf-8").strip()
            return root.resolve() if root.is_dir() else here
    return here


def resource(path: str | Path) -> Path:
    """A file or folder that comes with the package, in `notebooks`, `results`, `pretrained`,
    `docs/explorable/site` or `data/paper`: of the checkout, or of the copy inside an installed
    package. An absolute path stays as it is."""
    return (_PACKAGE.parent if is_checkout() else _SHIPPED) / path


def stored(path: str | Path) -> Path:
    """A file of the checkout or, where the package was installed, of the working directory, and
    if there is none there, of what comes with the package."""
    path = Path(path).expanduser()
    own = project_root() / path
    return own if own.is_file() else resource(path)


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
    folder = absolute(path)
    probe = folder / f".probe.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(f"expected a folder that can be written to, found {folder} "
                         f"({error.strerror})") from None
    return folder


def output_file(path: str | Path, suffix: str, is_own: Callable[[Path], bool]) -> Path:
    """The absolute path of a file that a command is about to write, checked before any work.

    Args:
        suffix: such as `.csv`.
        is_own: says of an existing file whether the same command wrote it; others are not touched.

    Raises:
        InputError: another suffix, a folder, a device, a run's own file, a file that something
            else wrote, or a place that cannot be written to.
    """
    path = absolute(path)
    expected = f"expected a new {suffix} file or an earlier output of this command in --out, found"
    if path.suffix.lower() != suffix:
        raise InputError(f"{expected} {path}")
    if path.name in RUN_FILES and (path.parent / CONFIG).is_file():
        raise InputError(f"{expected} a run's own file: {path}")
    if path.is_dir():
        raise InputError(f"{expected} a folder: {path}")
    if path.exists() and not path.is_file():
        raise InputError(f"{expected} no regular file: {path}")
    if path.exists() and path.stat().st_size and not is_own(path):
        raise InputError(f"{expected} another file: {path}")
    make_folder(path.parent)
    return path


def begins_with(*columns: str) -> Callable[[Path], bool]:
    """A test of whether a file is a CSV whose first columns are these."""
    def is_own(path: Path) -> bool:
        with path.open("rb") as file:
            header = file.readline(65536).decode("utf-8-sig", errors="replace")
        return header.strip().replace('"', "").split(",")[: len(columns)] == list(columns)

    return is_own


def is_executed_notebook(path: Path) -> bool:
    """Whether papermill wrote a notebook."""
    try:
        return "papermill" in json.loads(path.read_text("utf-8"))["metadata"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def write_whole(path: Path, content: str | bytes | memoryview) -> None:
    """Writes to a temporary file, then renames it: a reader sees the old file or the new one,
    never a part. Text is written as UTF-8; undecodable bytes of a file name become
    `\\udcff` and the like."""
    path = Path(path)
    part = path.with_name(f"{_part_of(path.name)}{os.getpid()}.part")
    try:
        if isinstance(content, str):
            content = content.encode(errors="backslashreplace")
        part.write_bytes(content)
        os.replace(part, path)
    except BaseException as error:
        with suppress(OSError):
            part.unlink()
        if isinstance(error, OSError) and not error.filename:
            error.filename = str(path)  # a full disk does not say which file it refused
        raise


def _part_of(name: str) -> str:
    """How the names of a file's temporary parts begin; short enough for any file system."""
    return f".{name[:50]}."


def remove_stale_parts(folder: Path, names: Iterable[str] | None = None) -> None:
    """Removes what killed processes left in a folder while writing files with these names; without
    names, any, in a folder where nobody else writes."""
    own = None if names is None else set(map(_part_of, names))
    for part in folder.glob(".*.*.part"):
        begin, writer = part.name.removesuffix(".part").rsplit(".", 1)
        if ((own is None or f"{begin}." in own) and writer.isdecimal()
                and not psutil.pid_exists(int(writer))):
            part.unlink(missing_ok=True)
