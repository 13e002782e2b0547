"""The notebooks as documents, and how they are rerun; nbval executes them beside this file."""

import base64
import io
import json
import re
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from PIL import Image

from rscvae_lab.cli import main
from rscvae_lab.errors import InputError
from rscvae_lab.reproduction.reruns import checked_parameters, clean, notebooks_folder, rerun

NOTEBOOKS = sorted(notebooks_folder().glob("*.ipynb"))
SOLUTIONS = sorted(notebooks_folder().glob("solutions/*.ipynb"))


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


@pytest.mark.parametrize("path", NOTEBOOKS + SOLUTIONS, ids=lambda path: path.stem)
def test_stored_notebooks_are_clean(path):
    notebook, text = read(path), path.read_text("utf-8")
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert path.stat().st_size < 1_000_000
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata) == {"kernelspec"}
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), (
        "run `make notebooks`"
    )
    assert not any(
        output.output_type in ("error", "stream") and output.get("name") != "stdout"
        for cell in cells
        for output in cell.outputs
    )
    assert "widget-view" not in text
    assert not re.search(r"T_[0-9a-f]{5}_(row|level)| at 0x[0-9a-f]+>", text), (
        "run `make notebooks`"
    )
    assert not re.search(r"/(home|root|Users|tmp|work)/", text), "a path of the author's machine"


@pytest.mark.parametrize("path", NOTEBOOKS + SOLUTIONS, ids=lambda path: path.stem)
def test_notebooks_keep_the_contract(path):
    notebook = read(path)
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    for line in tagged[0].source.splitlines():
        assert re.match(r"\w+: (int|float|str|bool) = .+  # .+", line), (
            f"name, type, literal and meaning: {line}"
        )
    longest = max(
        len(cell.source.splitlines()) for cell in notebook.cells if cell.cell_type == "code"
    )
    assert longest <= 15
    for link in re.findall(r"\]\(([\w./]+\.(?:ipynb|md))\)", path.read_text("utf-8")):
        assert (path.parent / link).is_file(), f"dead link to {link}"


ALL = NOTEBOOKS + SOLUTIONS


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_sources_can_be_read_on_a_screen(path):
    for cell in read(path).cells:
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", cell.source), "a control character"
        if cell.cell_type == "code":
            assert max(map(len, cell.source.splitlines())) <= 100


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_figures_are_stored_with_180_dots_an_inch_and_fit_900_pixels(path):
    for output in (output for cell in read(path).cells for output in cell.get("outputs", [])):
        if "image/png" in output.get("data", {}):
            picture = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
            shown = output.metadata["image/png"]["width"]
            assert shown <= 925  # what savefig adds around a figure
            assert abs(picture.width - 2 * shown) <= 1


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_cells_that_only_report_are_collapsed(path):
    for cell in read(path).cells:
        if cell.cell_type == "code":
            reports = "report" in cell.metadata.get("tags", [])
            assert reports == cell.metadata.get("jupyter", {}).get("source_hidden", False)
            assert reports or not re.match(r"\w+ = .*\nMarkdown\(f", cell.source)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_predictions_are_answered_where_they_can_be_hidden(path):
    """No answer stands open before the reader has predicted, or after."""
    cells = read(path).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    computed = sum("widgets.answer(" in cell.source for cell in cells)
    assert "**What we saw.**" not in text
    assert text.count("<summary>What we saw</summary>") + computed >= 3
    assert text.count("<details>") == text.count("</details>")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_lesson_asks_predicts_and_ends_in_three_solved_exercises(path):
    cells = read(path).cells
    assert all(word in cells[0].source for word in ("**Question.**", "**You need:**", "**Time:**"))
    assert sum("*Predict:*" in cell.source for cell in cells) >= 2
    exercises = cells[-1].source.split("## Exercises")[1]
    solution = path.parent / re.search(r"\((solutions/\w+\.ipynb)\)", exercises)[1]
    assert re.findall(r"^(\d)\. ", exercises, re.MULTILINE) == ["1", "2", "3"]
    assert [
        cell.source[:13] for cell in read(solution).cells if cell.source.startswith("## Exercise")
    ] == [f"## Exercise {i}" for i in (1, 2, 3)]


def test_parameters_are_converted_to_the_declared_types():
    notebook = notebooks_folder() / "04_three_training_modes.ipynb"
    assert checked_parameters(notebook, {"category": "007", "epochs": "3"}) == {
        "category": "007",
        "epochs": 3,
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"nsamples": 3}, "unknown parameter 'nsamples'"),
        ({"epochs": "many"}, "epochs expects int, found 'many'"),
    ],
)
def test_wrong_parameters_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        checked_parameters(notebooks_folder() / "04_three_training_modes.ipynb", given)


@pytest.fixture
def small_notebook(tmp_path):
    """A notebook that divides by its parameter, or raises InputError for 13."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    cell = nbformat.v4.new_code_cell(
        "divisor: int = 2  # what to divide by", metadata={"tags": ["parameters"]}
    )
    work = nbformat.v4.new_code_cell(
        "from rscvae_lab.errors import InputError\nif divisor == 13:\n"
        "    raise InputError('expected luck, found 13')\nprint(84 // divisor)"
    )
    notebook.cells = [cell, work]
    nbformat.write(notebook, tmp_path / "small.ipynb")
    return tmp_path / "small.ipynb"


@pytest.mark.slow
def test_rerun_injects_parameters_and_leaves_one_whole_file(small_notebook, tmp_path):
    out = tmp_path / "deep" / "er" / "out.ipynb"
    assert main(["rerun", str(small_notebook), "-p", "divisor", "4", "--out", str(out)]) == 0
    assert read(out).cells[-1].outputs[0].text == "21\n"
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.slow
def test_a_mistake_inside_a_notebook_is_one_line(small_notebook, tmp_path, capsys):
    arguments = [
        "rerun",
        str(small_notebook),
        "-p",
        "divisor",
        "13",
        "--out",
        str(tmp_path / "out.ipynb"),
    ]
    assert main(arguments) == 2
    assert capsys.readouterr().err == "rscvae: expected luck, found 13\n"
    assert not list(tmp_path.glob("out*"))


@pytest.mark.slow
def test_a_mistake_shows_one_line_in_the_notebook_itself(small_notebook, tmp_path):
    """In Jupyter, and under papermill's own command: no traceback."""
    papermill = pytest.importorskip("papermill")
    out = tmp_path / "out.ipynb"
    with pytest.raises(papermill.PapermillExecutionError):
        papermill.execute_notebook(small_notebook, out, {"divisor": 13}, progress_bar=False)
    error = read(out).cells[-1].outputs[-1]
    assert error.traceback == ["InputError: expected luck, found 13"]


@pytest.mark.slow
def test_a_failing_notebook_is_kept_for_inspection(small_notebook, tmp_path, capsys):
    arguments = [
        "rerun",
        str(small_notebook),
        "-p",
        "divisor",
        "0",
        "--out",
        str(tmp_path / "out.ipynb"),
    ]
    assert main(arguments) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert not (tmp_path / "out.ipynb").exists()
    assert read(tmp_path / "out.failed.ipynb").cells[-1].outputs[-1].ename == "ZeroDivisionError"


@pytest.mark.slow
def test_a_dead_kernel_is_said_and_its_notebook_kept(small_notebook, tmp_path, capsys):
    content = read(small_notebook)
    content.cells.append(nbformat.v4.new_code_cell("import os; os._exit(1)"))
    nbformat.write(content, small_notebook)
    assert main(["rerun", str(small_notebook), "--out", str(tmp_path / "out.ipynb")]) == 1
    assert "its kernel died; is memory short?" in capsys.readouterr().err
    assert read(tmp_path / "out.failed.ipynb").cells[-2].outputs


@pytest.mark.parametrize(
    ("notebook", "out", "message"),
    [
        ("absent.ipynb", "out.ipynb", "found none at"),
        ("small.ipynb", "out.html", "expected a new .ipynb file"),
        ("small.ipynb", "small.ipynb", "another output"),
    ],
)
def test_impossible_reruns_are_refused(notebook, out, message, small_notebook):
    with pytest.raises(InputError, match=message):
        rerun(small_notebook.parent / notebook, {}, small_notebook.parent / out)


@pytest.mark.parametrize(
    "content", ["", "{}", "[1]", "no JSON", '{"cells": [], "metadata": {}, "nbformat": 4}']
)
def test_files_that_are_no_notebooks_are_refused(content, tmp_path, capsys):
    (tmp_path / "x.ipynb").write_text(content, "utf-8")
    assert main(["rerun", str(tmp_path / "x.ipynb"), "--out", str(tmp_path / "out.ipynb")]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "expected a notebook with a kernel" in message
    assert not (tmp_path / "out.ipynb").exists()


def test_cleaning_drops_what_needs_a_kernel_and_keeps_the_rest(small_notebook):
    notebook = read(small_notebook)
    view = nbformat.v4.new_output(
        "display_data", {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "0%"}
    )
    figure = nbformat.v4.new_output("display_data", {"text/plain": "<Figure at 0x7f4>"})
    styled = pd.DataFrame({"a": [0.5]}).style
    tables = [
        nbformat.v4.new_output("display_data", {"text/html": styled.set_uuid(name).to_html()})
        for name in ("0a1b2", "3c4d5")
    ]
    bar = nbformat.v4.new_output("stream", name="stderr", text="50%")
    notebook.cells[1].outputs = [view, figure, bar, *tables]
    notebook.metadata.papermill = {"duration": 3}
    nbformat.write(notebook, small_notebook)
    clean(small_notebook)
    content = json.loads(small_notebook.read_text("utf-8"))
    kept, *tables = [output["data"] for output in content["cells"][1]["outputs"]]
    assert kept == {"text/plain": ["<Figure>"]}
    name, table = content["cells"][1]["id"], "".join(tables[1]["text/html"])
    assert "3c4d5" not in table  # a random name, which would differ in each run
    assert table.count(f"T_{name}_2") == styled.to_html().count("T_")
    assert "papermill" not in content["metadata"]
