"""A wheel is the whole product: installed elsewhere, it runs from an empty folder without the
checkout."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from rscvae_lab.storage.files import project_root

pytestmark = pytest.mark.slow

SOURCES = ("pyproject.toml", "setup.cfg", "README.md", "LICENSE", "NOTATION.md", "rscvae_lab",
           "notebooks", "results", "pretrained", "data/paper", "docs/explorable/site")


@pytest.fixture(scope="module")
def venv(tmp_path_factory) -> Path:
    """An environment with the wheel, and with the packages of this one but not its checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    source, site = folder / "source", folder / "venv"
    for name in SOURCES:
        place, copy = project_root() / name, source / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if place.is_dir():
            shutil.copytree(place, copy, ignore=shutil.ignore_patterns("__pycache__", "*.runs"))
        else:
            shutil.copy(place, copy)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, *build, "--wheel-dir", folder, source], check=True)
    assert not (source / "build").exists()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", site], check=True)
    python = site / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    packages = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True, capture_output=True, encoding="utf-8").stdout.strip()
    shared = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (Path(packages) / "shared.pth").write_text("\n".join(shared), "utf-8")  # not their .pth files
    install = ["install", "--quiet", "--no-deps", "--no-index", "--ignore-installed"]
    subprocess.run([*pip, "--python", python, *install, *folder.glob("*.whl")], check=True)
    shutil.rmtree(source)
    return python.parent


@pytest.fixture
def rscvae(venv, tmp_path):
    """Runs the installed command in an empty folder; returns what it printed."""
    mine = ("RSCVAE_", "PYTHONPATH", "COV_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}

    def run(*arguments: str, cwd: Path = tmp_path) -> str:
        done = subprocess.run([venv / "rscvae", *arguments], cwd=cwd, env=environment,
                              capture_output=True, encoding="utf-8", check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def files_below(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_the_doctor_finds_everything_in_the_installed_package(rscvae, venv, tmp_path):
    lines = rscvae("doctor").splitlines()
    assert "an installed package" in lines[0]
    assert not any(line.startswith("BROKEN") for line in lines)
    assert any(str(tmp_path / "runs") in line for line in lines)
    site = str(venv.parent)
    assert sum(site in line for line in lines) >= 4  # notebooks, results, pretrained, data/paper


def test_the_main_job_leaves_everything_in_the_working_directory(rscvae, venv, tmp_path):
    before = files_below(venv.parent)
    rscvae("run", "--epochs", "2", "--device", "cpu")
    page = (tmp_path / "runs" / "digits-8" / "index.html").read_text("utf-8")
    assert page.count("data:image/png") >= 4
    assert (tmp_path / "runs" / "digits-8" / "results.csv").read_text("utf-8").count("\n") >= 6
    assert files_below(venv.parent) == before
    assert {path.name for path in tmp_path.iterdir()} == {"runs"}


@pytest.mark.parametrize("notebook", ["10_the_scoreboard", "notebooks/08_ablations.ipynb"])
def test_a_notebook_of_the_course_reruns_by_its_name(rscvae, tmp_path, notebook):
    rscvae("rerun", notebook, "--out", "mine.ipynb")
    assert (tmp_path / "mine.ipynb").read_text("utf-8").count('"image/png"') >= 2
    assert {path.name for path in tmp_path.iterdir()} == {"mine.ipynb"}


def test_the_page_is_written_from_what_comes_with_it(rscvae, tmp_path):
    rscvae("explore", "--out", "page")
    names = {path.name for path in (tmp_path / "page").iterdir()}
    assert {"index.html", "page.js", "ort.wasm.gz", "facts.json", "e_all-encoder.onnx.gz"} <= names


def test_the_claims_are_checked_against_the_tables_that_come_with_it(rscvae):
    assert rscvae("claims").count("\n") >= 10


def test_the_course_is_copied_out_and_its_links_lead_somewhere(rscvae, tmp_path):
    """Kernels work in their notebook's folder; the store is that of the command all the same."""
    rscvae("notebooks", "--copy", "course")
    course = tmp_path / "course"
    notebooks = [*course.glob("*.ipynb"), *course.glob("solutions/*.ipynb")]
    assert len(notebooks) == 26
    for notebook in notebooks:
        for link in re.findall(r"\]\(([\w./]+\.\w+)\)", notebook.read_text("utf-8")):
            assert (notebook.parent / link).is_file(), f"{notebook.name} links to {link}"
    for folder in (course, course / "solutions"):
        assert str(tmp_path / "runs") in rscvae("doctor", cwd=folder)
