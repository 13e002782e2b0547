"""The main job: the main-line notebooks for one category, their results at a glance, and the
region table."""

import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

import pandas as pd
from nbconvert.filters import markdown2html

from rscvae_lab.analysis.surveys import Survey, region_table
from rscvae_lab.config import IMAGE_FOLDERS, Config, short
from rscvae_lab.datasets import require_tests
from rscvae_lab.errors import InputError
from rscvae_lab.methods import FLOORS, MODES
from rscvae_lab.reproduction.reruns import notebooks_folder, rerun
from rscvae_lab.runs.run import ROW_NAMES, Run
from rscvae_lab.storage.files import (
    begins_with,
    is_executed_notebook,
    output_file,
    runs_root,
    write_whole,
)
from rscvae_lab.trainers import trained

MAIN_LINE = {"04_three_training_modes": "category", "06_consistency_table": "categories",
             "07_semantic_deviation": "category"}  # notebook -> its parameter for the category
_TITLE = "RSC-VAE on"  # begins the page's title, by which it is recognised
INDUSTRIAL = {"09_industrial_images": "category"}
GLANCE = "glance"  # the tag of notebook cells whose outputs the page shows


def main_job(dataset: str, category: str, epochs: int | None, seed: int, root: str = "",
             image_size: int | None = None) -> Path:
    """Runs the main-line notebooks, or that of industrial images; leaves them executed, with
    `results.csv` and `index.html`, in the folder that it returns, `runs/<dataset>-<category>/`.
    Raises InputError for an unknown data set or category, or where the data set is not there or
    has no images to test on."""
    config = Config(dataset=dataset, category=category, epochs=epochs, seed=seed, root=root,
                    image_size=image_size)
    require_tests(config, normal=1, novel=1)  # before anything is touched
    industrial = config.dataset in IMAGE_FOLDERS
    if not industrial and config.image_size != Config(dataset=dataset).image_size:
        raise InputError("expected an image size of industrial images alone, found "
                         f"{config.image_size} for {dataset}: its notebooks show 32 pixels a side")
    folder = runs_root() / f"{config.dataset}-{short(config.category)}"
    page = output_file(folder / "index.html", ".html", _is_own_page)
    table = output_file(folder / "results.csv", ".csv",
                        begins_with("dataset", "category", "method"))
    for name in INDUSTRIAL if industrial else MAIN_LINE:
        output_file(folder / f"{name}.ipynb", ".ipynb", is_executed_notebook)
    for stale in (page, table):
        stale.unlink(missing_ok=True)
    given, executed = {"dataset": config.dataset, "epochs": config.epochs, "seed": seed}, []
    if industrial:
        given |= {"root": config.root, "image_size": config.image_size}
    for name, parameter in (INDUSTRIAL if industrial else MAIN_LINE).items():
        file = f"{name}.ipynb"
        executed.append(rerun(notebooks_folder() / file, given | {parameter: config.category},
                              folder / file))
    write_whole(table, results(config).to_csv(index=False))
    write_whole(page, glance(config, executed))
    return folder


def _is_own_page(path: Path) -> bool:
    return f"<title>{_TITLE}" in path.read_text("utf-8", errors="replace")


def results(config: Config) -> pd.DataFrame:
    """One row per method, from the runs in the notebooks' store."""
    names = ("dataset", "category", "epochs", "seed", "root", "image_size")
    settings = {name: getattr(config, name) for name in names}
    modes = (*FLOORS, *MODES)
    if config.dataset in IMAGE_FOLDERS:
        modes = ("brightness", *FLOORS, "o")
        settings["threads"] = 1  # as notebook 09 trains
    rows = [row for mode in modes
            for row in trained(Config(mode=mode, **settings)).result_rows()]
    return pd.DataFrame(rows, columns=ROW_NAMES).astype({"epochs": "Int64"})  # floors have none


def regions(settings: dict[str, Any], seeds: Sequence[int]) -> pd.DataFrame:
    """`region_table` of modes vae, o, d and e for each seed, with the settings, AUROC and commit
    of each run; trains what the store lacks. `settings` are fields of the configs. Raises
    InputError for an unknown data set or category, or where the data set is not there or has too
    few images to test on."""
    configs = [[Config(mode=mode, seed=seed, **settings) for mode in MODES] for seed in seeds]
    require_tests(configs[0][-1], normal=2, novel=2)
    tables = [_regions_of(list(map(trained, of_seed))) for of_seed in configs]
    return pd.concat(tables, ignore_index=True)


def _regions_of(runs: list[Run]) -> pd.DataFrame:
    names = ["dataset", "category", "seed", "epochs", "config_hash", "auroc", "commit"]
    rows = pd.DataFrame([run.result_rows()[0] for run in runs])  # vae: alpha 0, as everywhere
    table = region_table({run.config.mode: Survey.of(run) for run in runs}).reset_index()
    return pd.concat([rows[names], table], axis=1)


def write_regions(settings: dict[str, Any], seeds: Sequence[int], out: str | Path) -> str:
    """Writes the table of `regions` as CSV; returns a summary."""
    out = output_file(out, ".csv", begins_with("dataset", "category", "seed", "epochs"))
    table = regions(settings, seeds)
    write_whole(out, table.round(4).to_csv(index=False))
    rates = table.groupby("method", sort=False).semantic_deviation_rate.mean()
    summary = ", ".join(f"{name} {rate:.3f}" for name, rate in rates.items())
    return f"finished: {out}\nsemantic-deviation rate: {summary}"


def glance(config: Config, notebooks: list[Path]) -> str:
    """`index.html`: the task in two sentences, then the outputs of the notebooks' cells tagged
    `glance`, by section, each with the `caption` in its cell's metadata."""
    contents = [json.loads(notebook.read_text("utf-8")) for notebook in notebooks]
    page = Template(Path(__file__).with_name("page.html").read_text("utf-8"))
    industrial = config.dataset in IMAGE_FOLDERS
    name = html.escape(f"{config.dataset} {config.category}")
    task = (f"sees images of good parts alone, here {name}, and must then tell other good parts "
            "(normal) from defective ones (novel)" if industrial else
            f"sees training images of one class alone, here {name}, and must then tell new images "
            "of that class (normal) from images of all other classes (novel)")
    oracle = (" The oracle column picks its epoch on the test set: it is an upper bound, not a "
              "result.")
    return page.substitute(
        title=f"{_TITLE} {config.dataset}, normal class {html.escape(config.category)}",
        task=f"The task: a network {task} by a score. AUROC is the chance that a novel image "
             "scores higher than a normal one: 1 is perfect, 0.5 is guessing.",
        note=f"{config.epochs} epochs, seed {config.seed}, {config.scale} scale."
             + oracle * (not industrial),
        sections="\n".join(part for content in contents for part in _sections(content)),
        links="\n".join(f'<li><a href="{path.name}">{path.name}</a></li>' for path in notebooks))


def _sections(notebook: dict[str, Any]) -> list[str]:
    parts, heading = [], ""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            for line in "".join(cell["source"]).splitlines():
                if line.startswith("## "):
                    heading = f"<h2>{html.escape(re.sub('[$*`]', '', line[3:]))}</h2>"
        elif GLANCE in cell["metadata"].get("tags", []):
            caption = html.escape(cell["metadata"].get("caption", ""))
            parts += [heading, *(_as_html(output, caption) for output in cell["outputs"])]
            parts += [f'<p class="caption">{caption}</p>'] * bool(caption)
            heading = ""
    return parts


def _as_html(output: dict[str, Any], caption: str) -> str:
    """Prose, an embedded image, or a table; plain text stays in the notebook."""
    data = output.get("data", {})
    if "text/markdown" in data:
        return markdown2html("".join(data["text/markdown"]))
    if "image/png" in data:
        width = output.get("metadata", {}).get("image/png", {}).get("width")  # on the screen
        size = f' width="{width}"' if width else ""
        png = "".join(data["image/png"]).strip()
        return f'<img alt="{caption}"{size} src="data:image/png;base64,{png}">'
    return "".join(data.get("text/html", ""))
