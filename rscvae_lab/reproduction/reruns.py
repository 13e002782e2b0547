"""Notebooks executed by papermill: parameters are checked first, outputs appear whole."""

import ast
import base64
import io
import json
import logging
import math
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from rscvae_lab.config import IMAGE_FOLDERS
from rscvae_lab.errors import InputError, NotebookFailed
from rscvae_lab.storage.files import (
    COURSE,
    absolute,
    is_executed_notebook,
    make_folder,
    output_file,
    project_root,
    resource,
    runs_root,
    write_whole,
)

_CELL_SECONDS = 24 * 3600  # a training cell at paper scale may take hours
_KINDS = {"int", "float", "bool", "str", "list", "dict", "tuple", "set"}
_TABLE = re.compile(r"\bT_[0-9a-f]{5}(?![0-9a-z])")  # pandas' Styler names each at random
_ADDRESS = re.compile(r" at 0x[0-9a-f]+>")  # in memory, of an object
_LINKED = ("NOTATION.md", "results/claims.csv")  # from notebooks
_FOR_FOLDERS = "root"  # the parameter that notebooks on folders of images have


def notebooks_folder() -> Path:
    return resource("notebooks")


def copy_notebooks(folder: str | Path) -> list[Path]:
    """Copies the course, with its solutions and what its links lead to, into a folder; its
    notebooks use the data and runs of the working directory, as commands do. Raises InputError
    where a file of the same name lies there, or the folder cannot be written to."""
    folder = make_folder(folder)
    places = {notebook: folder / notebook.relative_to(notebooks_folder())
              for notebook in _notebooks()}
    linked_places = {linked: folder / Path(linked).name for linked in _LINKED}
    for place in (*places.values(), *linked_places.values()):
        if place.exists():
            raise InputError(f"expected a folder without files of the course, found {place}")
    make_folder(folder / "solutions")
    for notebook, place in places.items():
        text = notebook.read_text("utf-8")
        text = text.replace("[the instruments as a page](../docs/explorable)",
                            "the instruments as a page, `rscvae explore`")
        for linked in _LINKED:
            text = text.replace(f"](../{linked})", f"]({Path(linked).name})")
        write_whole(place, text)
    for linked, place in linked_places.items():
        write_whole(place, resource(linked).read_bytes())
    write_whole(folder / COURSE, f"{os.path.relpath(project_root(), folder)}\n")
    return list(places.values())


def _notebooks() -> list[Path]:
    """The course in its order, then the solutions."""
    return [notebook for pattern in ("*.ipynb", "solutions/*.ipynb")
            for notebook in sorted(notebooks_folder().glob(pattern))]


def _find(notebook: str | Path) -> Path:
    """A notebook by its path, or one of the course by its name or its path in a checkout. Raises
    InputError where there is none."""
    path, folder = Path(notebook).expanduser().resolve(), notebooks_folder()
    name = f"{str(notebook).removesuffix('.ipynb')}.ipynb"
    for place in (path, resource(name), folder / name, folder / "solutions" / name):
        if place.suffix == ".ipynb" and place.is_file():
            return place
    raise InputError("expected a notebook (.ipynb), or the name of one of the course such as "
                     f"{_notebooks()[0].stem}, found none at {path}")


def checked_parameters(notebook: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters converted to the types that the notebook declares. Raises InputError for unknown
    ones and for values of another type: papermill itself would warn and run with the default."""
    import papermill

    try:
        declared = papermill.inspect_notebook(_verbatim(notebook))
    except Exception as error:  # of a dozen types, for files that are no notebooks
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"expected a notebook with a kernel in {notebook}, found something else "
                         f"({reason})") from None
    unknown = given.keys() - declared.keys()
    if unknown:
        raise InputError(f"unknown parameter {min(unknown)!r} of {notebook.name}: expected "
                         f"{', '.join(declared) or 'none'}")
    values = {name: _converted(name, value, declared[name]) for name, value in given.items()}
    if values.get("dataset") in IMAGE_FOLDERS and _FOR_FOLDERS not in declared:
        raise InputError(f"{notebook.name} is about digits, mnist or fashion_mnist, found dataset "
                         f"{values['dataset']}: notebook 09 is about folders of images")
    return values


def _converted(name: str, value: Any, declared: Mapping[str, Any]) -> Any:
    """A value in one of the types that a parameter declares, or else in that of its default."""
    kind = declared["inferred_type_name"]
    kinds = [kind.removeprefix("Optional[").split("[")[0].rstrip("]")]
    kinds += ["None"] * kind.startswith("Optional[")
    if kind == "None":  # declares none
        kinds = _kinds_like(declared["default"])
    elif kinds[0] not in _KINDS:
        kinds = ["literal", "str"]
    for each in sorted(kinds, key="str".__eq__):  # text could be anything: last
        try:
            return _parsed(value, each)
        except (ValueError, TypeError, OverflowError):
            continue
    raise InputError(f"parameter {name} expects {' or '.join(kinds)}, found {value!r}")


def _kinds_like(default: str) -> list[str]:
    """The types of values that may stand for a default, given as Python text."""
    try:
        kind = type(_literal(default)).__name__
    except ValueError:
        kind = "NoneType"  # of an expression nothing is known
    return {"NoneType": ["literal", "str"], "int": ["int", "float"]}.get(kind, [kind])


def _parsed(value: Any, kind: str) -> Any:
    """A value, or the text of one, as this type. Raises ValueError or TypeError for others."""
    if kind == "str":
        return str(value)
    if kind == "bool" and isinstance(value, str):
        value = value.capitalize()
    if kind in ("int", "float") and not isinstance(value, bool):
        number = int(value) if kind == "int" else float(value)
        if math.isfinite(number) and (isinstance(value, str) or number == value):
            return number
    value = _literal(value) if isinstance(value, str) else value
    if kind in ("literal", "Any") or type(value).__name__.removesuffix("Type") == kind:
        return value
    raise ValueError(kind)


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise ValueError("expected a literal") from None


def rerun(notebook: str | Path, parameters: Mapping[str, Any], out: str | Path) -> Path:
    """Executes a notebook with parameters, on this environment's kernel, and writes the result.
    The notebook is a path, or one of the course by name, such as `07_semantic_deviation`. Raises
    InputError where there is no such notebook, a parameter is refused, or a cell raised
    InputError; NotebookFailed where a cell failed otherwise, with the notebook up to there in
    `<out>.failed.ipynb`."""
    notebook = _find(notebook)
    if absolute(out) == notebook:
        raise InputError(f"expected another output file than the notebook, found {notebook}")
    parameters = checked_parameters(notebook, parameters)
    if parameters.get(_FOR_FOLDERS):  # from here, and not from the notebooks' folder
        parameters[_FOR_FOLDERS] = str(absolute(parameters[_FOR_FOLDERS]))
    out = output_file(out, ".ipynb", is_executed_notebook)
    failed = output_file(out.with_suffix(".failed.ipynb"), ".ipynb", is_executed_notebook)
    with tempfile.TemporaryDirectory() as scratch:
        executed = Path(scratch) / "executed.ipynb"
        _execute(notebook, executed, parameters, out)
        write_whole(out, executed.read_bytes())
    failed.unlink(missing_ok=True)
    return out


def _execute(notebook: Path, executed: Path, parameters: dict[str, Any], out: Path) -> None:
    import papermill
    from nbclient.exceptions import DeadKernelError

    failed = out.with_suffix(".failed.ipynb")
    logging.getLogger("papermill").setLevel(logging.WARNING)
    try:
        papermill.execute_notebook(_verbatim(notebook), _verbatim(executed), parameters,
                                   kernel_name="python3", kernel_manager_class=_this_kernel(),
                                   cwd=str(project_root()), execution_timeout=_CELL_SECONDS,
                                   progress_bar={"desc": notebook.stem, "disable": None},
                                   extra_arguments=["--log-level=CRITICAL"])
    except papermill.PapermillExecutionError as error:
        if error.ename == InputError.__name__:
            raise InputError(error.evalue) from None
        write_whole(failed, executed.read_bytes())
        raise NotebookFailed(f"{notebook.name} failed in cell {error.exec_count} with "
                             f"{error.ename}: {' '.join(error.evalue.split())} (see {failed})"
                             ) from None
    except DeadKernelError:
        write_whole(failed, executed.read_bytes())
        raise NotebookFailed(f"{notebook.name} failed: its kernel died; is memory short? (see "
                             f"{failed})") from None


def _verbatim(path: Path) -> str:
    """A path for papermill, which takes braces in it for parameters."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _this_kernel() -> type:
    """A manager that starts this environment's Python, whatever kernel called python3 is installed
    elsewhere."""
    from ipykernel.kernelspec import RESOURCES, get_kernel_dict
    from jupyter_client import AsyncKernelManager
    from jupyter_client.kernelspec import KernelSpec

    class ThisKernel(AsyncKernelManager):
        @property
        def kernel_spec(self) -> KernelSpec:
            return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())

    return ThisKernel


def regenerate() -> list[Path]:
    """Executes every notebook of the checkout with its defaults, from an empty store, and stores
    the cleaned outputs in place. Raises NotebookFailed where a cell failed: this notebook and the
    following ones keep their old outputs."""
    notebooks = _notebooks()
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
    progress bars, widget views and random names and addresses. Figures, tables and text stay."""
    content = json.loads(notebook.read_text("utf-8"))
    for key in ("widgets", "papermill", "language_info"):
        content["metadata"].pop(key, None)
    for cell in content["cells"]:
        for key in ("papermill", "execution"):
            cell["metadata"].pop(key, None)
        if cell["cell_type"] == "code":
            cell["outputs"] = [output for output in cell["outputs"] if not _is_transient(output)]
            for i, output in enumerate(cell["outputs"]):
                _clean_data(output.get("data", {}), f"T_{cell['id']}_{i}")
    write_whole(notebook, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _clean_data(data: dict[str, Any], table: str) -> None:
    if "image/png" in data:
        data["image/png"] = _smaller("".join(data["image/png"]))
    for kind, random, name in (("text/html", _TABLE, table), ("text/plain", _ADDRESS, ">")):
        if kind in data:
            data[kind] = random.sub(name, "".join(data[kind])).splitlines(keepends=True)


def _smaller(png: str) -> str:
    """A base64 figure in 192 colours instead of 16 million: a third of the bytes. Each is the mean
    of those it stands for (k-means), or photographs in grey would be tinted."""
    smaller = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(png))) as figure:
        reduced = figure.convert("RGB").quantize(192, Image.Quantize.MAXCOVERAGE, kmeans=1,
                                                 dither=Image.Dither.NONE)
        reduced.save(smaller, "PNG", optimize=True)
    return base64.b64encode(smaller.getvalue()).decode()


def _is_transient(output: dict[str, Any]) -> bool:
    is_progress = output.get("output_type") == "stream" and output.get("name") == "stderr"
    return is_progress or "application/vnd.jupyter.widget-view+json" in output.get("data", {})
