"""The house rules: imports one way, small files, versions written once."""

import ast
import json
import re
import tomllib
from graphlib import TopologicalSorter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import rscvae_lab
from rscvae_lab.storage.files import project_root

ROOT = project_root()
PACKAGE = ROOT / "rscvae_lab"

# The layers of the house, lowest first: a module may import what stands before it, and inside a
# package what its own order below says.
LAYERS = [
    "rscvae_lab",
    "errors",
    "storage",
    "divergences",
    "methods",
    "config",
    "_torchvision",
    "datasets",
    "models",
    "losses",
    "scoring",
    "regions",
    "engine",
    "baselines",
    "runs",
    "trainers",
    "detector",
    "sweeps",
    "analysis",
    "figures",
    "widgets",
    "explorable",
    "reproduction",
    "bench",
    "cli",
    "__main__",
]


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "rscvae_lab"


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported(path: Path) -> set[str]:
    """The package's own modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "rscvae_lab":
            base = node.module.removeprefix("rscvae_lab").lstrip(".")
            for alias in node.names:
                name = f"{base}.{alias.name}".lstrip(".")
                found.add(name if name in MODULES else base or "rscvae_lab")
        elif isinstance(node, ast.Import):
            for alias in node.names:
                assert not alias.name.startswith("rscvae_lab"), "import names from modules"
    return found


def layer(module: str) -> int:
    room = module.split(".")[0]
    assert room in LAYERS, f"{room} has no layer: add it"
    return LAYERS.index(room)


@pytest.mark.parametrize("name", MODULES)
def test_imports_between_rooms_point_down(name):
    above = {
        other
        for other in imported(MODULES[name])
        if layer(other) > layer(name) and other != "rscvae_lab"
    }
    assert not above, f"{name} imports {above}, which stand above it"


def test_contributors_are_told_the_same_order():
    table = re.findall(r"^\| (`[^|]+`) \|", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.M)
    told = [name.strip("`/ ").removesuffix(".py") for row in table for name in row.split(",")]
    assert told == [name for name in LAYERS[1:] if not name.startswith("_")]


def test_imports_inside_a_room_have_no_circles():
    graph = {
        name: {other for other in imported(path) if other.split(".")[0] == name.split(".")[0]}
        for name, path in MODULES.items()
    }
    list(TopologicalSorter(graph).static_order())  # raises CycleError


def test_few_modules_lie_flat_and_few_rooms_are_to_be_known():
    flat = [name for name in MODULES if "." not in name and not (PACKAGE / name).is_dir()]
    assert len(flat) <= 14
    assert len(LAYERS) <= 26
    assert {name.split(".")[0] for name in MODULES} == set(LAYERS)


@pytest.mark.parametrize(
    "path",
    sorted([*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_files_and_lines_stay_short(path):
    lines = path.read_text("utf-8").splitlines()
    assert len(lines) < 400
    assert max(map(len, lines), default=0) < 100


@pytest.mark.parametrize("path", [*PACKAGE.rglob("*.py"), *(ROOT / "notebooks").rglob("*.ipynb")],
                         ids=lambda path: str(path.relative_to(ROOT)))
def test_variables_say_what_they_hold(path):
    """`expected, found` are the two halves of a message."""
    source = path.read_text("utf-8")
    if path.suffix == ".ipynb":
        cells = [cell["source"] for cell in json.loads(source)["cells"]
                 if cell["cell_type"] == "code"]
        source = "\n".join(re.sub(r"^( *)%.*", r"\1pass", "".join(cell), flags=re.M)
                           for cell in cells)
    for node in ast.walk(ast.parse(source)):
        stored = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        name = node.id if stored else getattr(node, "arg", None)
        assert name not in {"shown", "drawn"}, f"line {node.lineno}: {name}"
        if name == "found":
            line = source.splitlines()[node.lineno - 1]
            assert "expected, found = " in line, line


def test_nothing_unpickles():
    for path in PACKAGE.rglob("*.py"):
        assert not re.search(r"torch\.load|pickle|joblib\.load", path.read_text("utf-8")), path


def test_text_is_utf_8_on_every_platform():
    """Where no encoding is named the locale decides, and on Windows that is another one."""
    for path in [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py"), ROOT / "conftest.py"]:
        text = path.read_text("utf-8")
        for node in ast.walk(ast.parse(text)):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            call = ast.get_source_segment(text, node) if name else ""
            if re.search(r"read_text$|write_text$|\bopen$", name) and (
                    name not in ("Image.open", "os.open")):
                assert "utf-8" in call or "b\"" in call, f"{path}: {call}"
            keywords = [ast.unparse(word) for word in getattr(node, "keywords", ())]
            assert "text=True" not in keywords, f"{path}: {call}"


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def pins() -> dict[str, str]:
    lines = [line for name in ("requirements.lock", "docs/requirements.lock")
             for line in (ROOT / name).read_text("utf-8").splitlines()]
    return dict(line.lower().split("==") for line in lines if line and not line.startswith("#"))


def test_the_lock_pins_every_dependency_within_its_range():
    extras = project()["optional-dependencies"].values()
    for requirement in [*project()["dependencies"], *(name for extra in extras for name in extra)]:
        name, lowest = re.fullmatch(r"([\w-]+)>=([\d.]+)(?:,<[\d.]+)?", requirement).groups()
        pinned = pins()[name.lower()]
        assert [int(part) for part in pinned.split(".")[:2]] >= [
            int(part) for part in lowest.split(".")[:2]
        ], name


def test_what_is_installed_is_what_is_locked():
    for name in ("torch", "torchvision", "papermill", "nbval", "numpy", "safetensors"):
        assert version(name).split("+")[0] == pins()[name]


def test_conda_and_binder_install_the_same():
    text = (ROOT / "environment.yml").read_text("utf-8")
    assert "-r requirements.lock" in text
    assert "-e ." in text
    python = re.search(r"python=([\d.]+)", text)[1]
    assert project()["requires-python"] == f">={python}"


def test_the_public_address_is_the_same_everywhere():
    owner = project()["urls"]["Repository"].removeprefix("https://github.com/")
    texts = [ROOT / "README.md", *(ROOT / "notebooks").rglob("*.ipynb")]
    for path in texts:
        owners = re.findall(r"(?:github\.com/|/github/|/gh/)([\w-]+/rscvae_lab)",
                            path.read_text("utf-8"))
        assert set(owners) <= {owner}, path


def test_the_version_is_written_once():
    assert version("rscvae_lab") == rscvae_lab.__version__
