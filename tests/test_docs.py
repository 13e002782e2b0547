"""The documentation: examples in docstrings run, and the site is whole and loads nothing."""

import doctest
import importlib
import inspect
import re
import subprocess
import sys
from importlib.util import find_spec

import pytest

import rscvae_lab
from rscvae_lab.explorable import write_page
from rscvae_lab.storage.files import project_root

ROOT = project_root()
NAMES = [name for name in rscvae_lab.__all__ if not isinstance(getattr(rscvae_lab, name), int)]


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_has_an_example_that_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RSCVAE_DEVICE", "cpu")
    given = getattr(rscvae_lab, name)
    home = vars(importlib.import_module(inspect.getmodule(given).__name__))
    (example, *_) = doctest.DocTestFinder(recurse=False).find(given, name, globs=dict(home))
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(example)
    assert runner.tries >= 2
    assert not runner.failures
    assert re.search(rf"rscvae_lab\.{name}$", (ROOT / "docs/public.md").read_text("utf-8"), re.M)


def test_the_reference_has_every_module_once():
    """Those of figures and widgets by what these import; the detector is a public name."""
    page = (ROOT / "docs" / "package.md").read_text("utf-8")
    named = re.findall(r"automodule:: ([\w.]+)$", page, re.MULTILINE)
    assert all(find_spec(name) for name in named)
    assert len(set(named)) == len(named)
    for room in ("figures", "widgets"):
        assert f"automodule:: rscvae_lab.{room}\n   :imported-members:\n" in page
    places = (path.relative_to(ROOT) for path in (ROOT / "rscvae_lab").rglob("[!_]*.py"))
    modules = {".".join(place.with_suffix("").parts) for place in places
               if place.parts[1] not in ("figures", "widgets", "detector.py")}
    assert modules <= set(named)


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("sphinx"), reason="no Sphinx: see docs/requirements.lock")
def test_the_site_builds_without_a_warning_and_its_links_lead_somewhere(tmp_path):
    site, places = tmp_path / "html", ["-c", "docs", "-d", tmp_path / "cache", "."]
    build = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", *places, site]
    built = subprocess.run(build, cwd=ROOT, capture_output=True, encoding="utf-8")
    assert (built.returncode, built.stderr) == (0, "")
    write_page(site / "explorable")
    check = [sys.executable, ROOT / "docs" / "check.py", site]
    assert subprocess.run(check, capture_output=True, encoding="utf-8").stdout.strip() == ""
    pages = list(site.rglob("*_*.html"))
    assert len([page for page in pages if page.parent.name == "notebooks"]) == 13
    (site / "NOTATION.html").unlink()
    broken = subprocess.run(check, capture_output=True, encoding="utf-8")
    assert broken.returncode == 1
    assert "NOTATION.html, which is not there" in broken.stdout
