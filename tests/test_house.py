"""The house rules: imports one way, small files, versions written once."""

import ast
import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import rscvae_lab
from rscvae_lab.files import project_root

ROOT = project_root()
PACKAGE = ROOT / "rscvae_lab"

# Each module may import only what stands before it.
ORDER = [
    "rscvae_lab", "errors", "files", "categories", "gaussians", "config", "settings", "paper", "plots", "charts",
    "panels", "part_panels", "rival_panels", "_torchvision", "checkpoints", "datasets.images", "datasets.one_class",
    "datasets.digits", "datasets.mnist", "datasets.shifts", "datasets.poses", "datasets.pictures",
    "datasets.mvtec_ad", "datasets.synthetic", "datasets.industrial", "datasets", "models", "models.layers",
    "models.resnet", "models.vae", "models.kernels", "models.stacked", "models.solo", "losses", "plain_loops",
    "scoring", "regions", "embedding", "optimizers", "epochs", "baselines.fitting", "baselines.brightness",
    "baselines.pca", "baselines.ae", "baselines.ganomaly", "baselines.ocgan", "baselines.gradcon",
    "baselines.adgan", "baselines.dsebm", "baselines.patch_svdd", "baselines", "engine", "evaluation",
    "localization", "runs", "inspections", "tables", "scoreboard", "surveys", "atlas", "trainers", "sweeps",
    "widgets.base", "widgets.clickable", "widgets.rotation", "widgets.gaussians", "widgets.scores",
    "widgets.shifting", "widgets.deviation", "widgets.choosing", "widgets.parts", "widgets.training", "widgets",
    "timing", "picture_benchmarks", "benchmarks", "inference", "reruns", "reports", "readme", "commands",
    "__main__",
]


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "rscvae_lab"


def imported(path: Path) -> set[str]:
    """The package's own modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "rscvae_lab":
            base = node.module.removeprefix("rscvae_lab").lstrip(".")
            names = {f"{base}.{alias.name}".lstrip(".") for alias in node.names}
            found |= {name if name in ORDER else base or "rscvae_lab" for name in names}
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("rscvae_lab") for alias in node.names), "import names from modules"
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=module_name)
def test_imports_point_one_way(path):
    name = module_name(path)
    assert name in ORDER, f"{name} has no place in the order: add it"
    above = {other for other in imported(path) if ORDER.index(other) >= ORDER.index(name)}
    assert not above, f"{name} imports {above}, which stand above it"


@pytest.mark.parametrize("path", sorted([*PACKAGE.rglob("*.py"), *(ROOT / "tests").glob("*.py")]), ids=lambda p: p.name)
def test_files_stay_small(path):
    assert len(path.read_text().splitlines()) <= 250


def test_nothing_unpickles():
    for path in PACKAGE.rglob("*.py"):
        assert not re.search(r"torch\.load|pickle|joblib\.load", path.read_text()), path


def pins() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return dict(line.lower().split("==") for line in lines if line and not line.startswith("#"))


def test_the_lock_pins_every_dependency_within_its_range():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    for requirement in [*project["dependencies"], *(name for extra in extras for name in extra)]:
        name, lowest = re.fullmatch(r"([\w-]+)>=([\d.]+)(?:,<[\d.]+)?", requirement).groups()
        pinned = pins()[name.lower()]
        assert [int(part) for part in pinned.split(".")[:2]] >= [int(part) for part in lowest.split(".")[:2]], name


def test_what_is_installed_is_what_is_locked():
    for name in ("torch", "torchvision", "papermill", "nbval", "numpy", "safetensors"):
        assert version(name).split("+")[0] == pins()[name]


def test_conda_and_binder_install_the_same():
    text = (ROOT / "environment.yml").read_text()
    assert "-r requirements.lock" in text
    assert "-e ." in text
    python = re.search(r"python=([\d.]+)", text)[1]
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert wanted == f">={python}"


def test_the_version_is_written_once():
    assert version("rscvae_lab") == rscvae_lab.__version__
