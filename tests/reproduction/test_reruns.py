"""Parameters as a command line writes them, this environment's kernel, and two at one run."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from rscvae_lab.cli import main
from rscvae_lab.config import Config
from rscvae_lab.errors import InputError
from rscvae_lab.reproduction.reruns import (
    checked_parameters,
    copy_notebooks,
    notebooks_folder,
    rerun,
)
from rscvae_lab.runs import folder
from rscvae_lab.trainers import trained

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
DECLARED = """from typing import Optional, Union
alpha: float = 0.5
epochs: Optional[int] = 5
either: Union[int, list] = 5
items: list[int] = [1, 2]
names: dict = {"a": 1}
flag: bool = True
word: str = "x"
plain = [1]
rate = 1
nothing = None
product = 3 * 4"""


@pytest.fixture
def notebook(tmp_path):
    """Its name has braces, which papermill takes for parameters."""

    def write(code: str, parameters: str = DECLARED) -> Path:
        cells = [
            nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
            nbformat.v4.new_code_cell(code),
        ]
        path, about = tmp_path / "a {note}.ipynb", {"kernelspec": KERNEL}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=about), path)
        return path

    return write


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("alpha", "-1e-3", -0.001),
        ("alpha", "3", 3.0),
        ("epochs", "None", None),
        ("epochs", "007", 7),
        ("either", "[7]", [7]),
        ("items", "[3, 4]", [3, 4]),
        ("names", "{'b': [1, None]}", {"b": [1, None]}),
        ("flag", "false", False),
        ("word", "[3, 4]", "[3, 4]"),
        ("plain", "[]", []),
        ("rate", "0.5", 0.5),
        ("nothing", "(1, 2)", (1, 2)),
        ("nothing", "some text", "some text"),
        ("product", "7", 7),
    ],
)
def test_text_becomes_a_literal_of_the_declared_type(name, text, value, notebook):
    assert checked_parameters(notebook(""), {name: text}) == {name: value}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("alpha", "nan"),
        ("alpha", "None"),
        ("alpha", True),
        ("epochs", "2.5"),
        ("epochs", 2.5),
        ("items", "{}"),
        ("items", "__import__('os')"),
        ("items", "[" * 10_000),
        ("names", "[1]"),
        ("flag", "1"),
        ("plain", "3"),
        ("rate", "fast"),
    ],
)
def test_other_types_are_refused(name, text, notebook):
    with pytest.raises(InputError, match=f"parameter {name} expects "):
        checked_parameters(notebook(""), {name: text})


@pytest.mark.parametrize("name", ["00_start_here.ipynb", "claims.csv"])
def test_a_copied_course_replaces_no_file(name, tmp_path):
    (tmp_path / name).write_text("the user's own", "utf-8")
    with pytest.raises(InputError, match=f"without files of the course, found .*{name}"):
        copy_notebooks(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_notebooks_about_classes_do_not_take_folders():
    for path in notebooks_folder().glob("0[0-7]*.ipynb"):
        if path.name.startswith("06"):
            continue
        with pytest.raises(InputError, match=f"{path.name} is about digits"):
            checked_parameters(path, {"dataset": "folder"})


@pytest.mark.slow
def test_negative_numbers_and_lists_from_the_command_line(notebook, tmp_path):
    path, out = notebook("print(alpha, items, nothing)"), tmp_path / "{out}.ipynb"
    assert main(["rerun", str(path), "-p", "alpha", "-1e-3", "-p", "items", "[3, 4]",
                 "-p", "nothing", "-inf", "--out", str(out)]) == 0
    assert nbformat.read(out, 4).cells[-1].outputs[0].text == "-0.001 [3, 4] -inf\n"


@pytest.mark.slow
def test_the_kernel_is_this_environments(notebook, tmp_path, monkeypatch):
    """A broken python3 of somewhere else comes first in JUPYTER_PATH."""
    spec = tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({"argv": ["/nowhere/python", "{connection_file}"],
                                "display_name": "Python 3", "language": "python"}),
                    "utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    path = rerun(notebook("import sys\nprint(sys.executable)"), {}, tmp_path / "out.ipynb")
    assert nbformat.read(path, 4).cells[-1].outputs[0].text.strip() == sys.executable


@pytest.mark.slow
def test_a_plain_folder_of_good_images_is_refused_before_training(tmp_path, monkeypatch):
    from PIL import Image

    monkeypatch.setenv("RSCVAE_RUNS", str(tmp_path / "runs"))
    (tmp_path / "root" / "parts").mkdir(parents=True)
    for i in range(3):
        Image.new("L", (32, 32), i).save(tmp_path / "root" / "parts" / f"{i}.png")
    monkeypatch.chdir(tmp_path)  # where a relative root starts
    for name, more in (("09_industrial_images", {"category": "parts"}),
                       ("06_consistency_table", {"categories": "parts"})):
        given = {"dataset": "folder", "root": "root", "image_size": 32} | more
        with pytest.raises(InputError, match="test images of parts"):
            rerun(notebooks_folder() / f"{name}.ipynb", given, tmp_path / "out.ipynb")
    assert not (tmp_path / "runs" / "store").exists()


@pytest.mark.slow
def test_the_second_of_two_waits_for_the_stored_run(tmp_path, monkeypatch):
    monkeypatch.setenv("RSCVAE_RUNS", str(tmp_path))
    code = "from rscvae_lab.config import Config; from rscvae_lab.trainers import trained\n"
    code += "print(trained(Config(epochs=2), progress=False).metrics['seconds'])"
    store = tmp_path / "store" / Config(epochs=2).config_hash
    command = [sys.executable, "-c", code]
    with folder.claim(store, wait=False):
        waiting = [subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8")
                   for _ in range(2)]
        time.sleep(1)
    printed = [process.communicate(timeout=300)[0] for process in waiting]
    assert printed[0] == printed[1] == f"{trained(Config(epochs=2)).metrics['seconds']}\n"
    assert os.listdir(tmp_path / "store") == [store.name]
