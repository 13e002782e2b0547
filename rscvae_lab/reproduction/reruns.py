"""Notebooks executed by papermill: parameters are checked first, outputs appear whole."""

import base64
import io
import json
import logging
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from rscvae_lab.errors import InputError, NotebookFailed
from rscvae_lab.storage.files import (
    absolute,
    is_executed_notebook,
    make_folder,
    output_file,
    project_root,
    runs_root,
    write_whole,
)

_CELL_SECONDS = 24 * 3600  # a training cell at paper scale may take hours
_PARSERS = {"int": int, "float": float, "bool": {"true": True, "false": False}.__getitem__}


def notebooks_folder() -> Path:
    return project_root() / "notebooks"


def checked_parameters(notebook: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters converted to the types that the notebook declares.

    Raises:
        InputError: the notebook has no such parameter, or a value is not of its type. Papermill
            itself would warn and run with the default.
    """
    import papermill

    try:
        declared = papermill.inspect_notebook(str(notebook))
    except Exception as error:  # of a dozen types, for files that are no notebooks
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"expected a notebook with a kernel in {notebook}, found something else "
                         f"({reason})") from None
    unknown = given.keys() - declared.keys()
    if unknown:
        raise InputError(f"unknown parameter {min(unknown)!r} of {notebook.name}: expected "
                         f"{', '.join(declared) or 'none'}")
    return {name: _converted(name, value, declared[name]["inferred_type_name"])
            for name, value in given.items()}


def _converted(name: str, value: Any, kind: str) -> Any:
    try:
        return _PARSERS.get(kind, str)(str(value).lower() if kind == "bool" else value)
    except (ValueError, KeyError):
        raise InputError(f"parameter {name} expects {kind}, found {value!r}") from None


def rerun(notebook: str | Path, parameters: Mapping[str, Any], out: str | Path) -> Path:
    """Executes a notebook with parameters, in the notebooks' folder and on this environment's
    kernel, and writes the result.

    Raises:
        InputError: no such notebook, a parameter is refused, or a cell raised InputError.
        NotebookFailed: a cell failed otherwise; `<out>.failed.ipynb` is the notebook up to there.
    """
    notebook = absolute(notebook)
    if notebook.suffix != ".ipynb" or not notebook.is_file():
        raise InputError(f"expected a notebook (.ipynb), found none at {notebook}")
    if absolute(out) == notebook:
        raise InputError(f"expected another output file than the notebook, found {notebook}")
    parameters = checked_parameters(notebook, parameters)
    out = output_file(out, ".ipynb", is_executed_notebook)
    failed = output_file(out.with_suffix(".failed.ipynb"), ".ipynb", is_executed_notebook)
    with tempfile.TemporaryDirectory() as scratch:
        executed = Path(scratch) / out.name
        _execute(notebook, executed, parameters, out)
        write_whole(out, executed.read_bytes())
    failed.unlink(missing_ok=True)
    return out


def _execute(notebook: Path, executed: Path, parameters: dict[str, Any], out: Path) -> None:
    import papermill

    logging.getLogger("papermill").setLevel(logging.WARNING)
    try:
        papermill.execute_notebook(str(notebook), str(executed), parameters, kernel_name="python3",
                                   cwd=str(notebooks_folder()), execution_timeout=_CELL_SECONDS,
                                   progress_bar={"desc": notebook.stem, "disable": None},
                                   extra_arguments=["--log-level=CRITICAL"])
    except papermill.PapermillExecutionError as error:
        if error.ename == InputError.__name__:
            raise InputError(error.evalue) from None
        failed = out.with_suffix(".failed.ipynb")
        write_whole(failed, executed.read_bytes())
        raise NotebookFailed(f"{notebook.name} failed in cell {error.exec_count} with "
                             f"{error.ename}: {' '.join(error.evalue.split())} (see {failed})"
                             ) from None


def regenerate() -> list[Path]:
    """Executes every notebook with its defaults, from an empty store, and stores the cleaned
    outputs in place.

    Raises:
        NotebookFailed: a cell failed; this notebook and the following ones keep their old outputs.
    """
    notebooks = [notebook for pattern in ("*.ipynb", "solutions/*.ipynb")
                 for notebook in sorted(notebooks_folder().glob(pattern))]
    with tempfile.TemporaryDirectory() as scratch:
        failures = make_folder(runs_root())
        os.environ["RSCVAE_RUNS"] = scratch  # inherited by the kernels
        for notebook in notebooks:
            executed = Path(scratch) / notebook.name
            _execute(notebook, executed, {}, failures / notebook.name)
            clean(executed)
            write_whole(notebook, executed.read_bytes())
    return notebooks


def clean(notebook: Path) -> None:
    """Removes from an executed notebook what differs between runs or needs a live kernel: timings,
    progress bars and widget views. Figures, tables and text stay."""
    content = json.loads(notebook.read_text("utf-8"))
    for key in ("widgets", "papermill", "language_info"):
        content["metadata"].pop(key, None)
    for cell in content["cells"]:
        for key in ("papermill", "execution"):
            cell["metadata"].pop(key, None)
        if cell["cell_type"] == "code":
            cell["outputs"] = [output for output in cell["outputs"] if not _is_transient(output)]
            for output in cell["outputs"]:
                if "image/png" in output.get("data", {}):
                    output["data"]["image/png"] = _smaller("".join(output["data"]["image/png"]))
    write_whole(notebook, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _smaller(png: str) -> str:
    """A base64 figure in 256 colours instead of 16 million: a third of the bytes."""
    smaller = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(png))) as figure:
        reduced = figure.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE,
                                                 dither=Image.Dither.NONE)
        reduced.save(smaller, "PNG", optimize=True)
    return base64.b64encode(smaller.getvalue()).decode()


def _is_transient(output: dict[str, Any]) -> bool:
    is_progress = output.get("output_type") == "stream" and output.get("name") == "stderr"
    return is_progress or "application/vnd.jupyter.widget-view+json" in output.get("data", {})
