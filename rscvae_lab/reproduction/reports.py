"""The main job: the main-line notebooks for one category, and what they leave at a glance."""

import html
import json
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

import pandas as pd
from nbconvert.filters import markdown2html

from rscvae_lab.analysis.surveys import Survey, region_table
from rscvae_lab.config import PICTURE_SETS, Config
from rscvae_lab.datasets import load_split
from rscvae_lab.errors import InputError
from rscvae_lab.methods import MODES
from rscvae_lab.reproduction.reruns import notebooks_folder, rerun
from rscvae_lab.runs.run import ROW_NAMES
from rscvae_lab.storage.files import csv_path, make_folder, runs_root, write_whole
from rscvae_lab.trainers import trained

MAIN_LINE = {  # notebook -> its parameter that takes the category
    "03_three_training_modes": "category", "05_consistency_table": "categories", "06_semantic_deviation": "category",
}
_TRAINED = ("pca", *MODES)
GLANCE = "glance"  # the tag of notebook cells whose outputs the page shows

_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
  body { max-width: 66rem; margin: 2.5rem auto; padding: 0 1.5rem; color: #1a202c; background: #fff;
         font: 16px/1.55 system-ui, sans-serif; }
  h1 { font-size: 1.7rem; margin-bottom: .2rem; } h2 { font-size: 1.2rem; margin-top: 2.4rem; }
  img { max-width: 100%; } p.note { color: #4a5568; }
  table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
  th, td { padding: .3rem .9rem; text-align: right; border-bottom: 1px solid #e2e8f0; }
  th:first-child, td:first-child { text-align: left; white-space: nowrap; }
  thead th { border-bottom: 2px solid #4a5568; }
  caption { caption-side: bottom; text-align: left; color: #4a5568; padding-top: .5rem; }
</style>
<h1>$title</h1>
<p class="note">$note</p>
$sections
<h2>Go on</h2>
<ul>$links</ul>
</html>
""")


def main_job(dataset: str, category: str, epochs: int | None, seed: int) -> Path:
    """Runs the main-line notebooks; leaves them executed, `results.csv` and `index.html` in one folder.

    Returns:
        The folder, `runs/<dataset>-<category>/`.

    Raises:
        InputError: unknown data set or category, or the data set is not there.
    """
    config = Config(dataset=dataset, category=category, epochs=epochs, seed=seed)
    if config.dataset in PICTURE_SETS:
        raise InputError(f"expected digits, mnist or fashion_mnist, found {config.dataset}: for industrial pictures, "
                         "rscvae rerun notebooks/08_industrial_images.ipynb")
    load_split(config)  # refuse what is not there before anything is touched
    folder = make_folder(runs_root() / f"{config.dataset}-{config.category}")
    for stale in (folder / "index.html", folder / "results.csv"):
        stale.unlink(missing_ok=True)
    given = {"dataset": config.dataset, "epochs": config.epochs, "seed": seed}
    executed = []
    for name, chooser in MAIN_LINE.items():
        parameters = given | {chooser: config.category}
        executed.append(rerun(notebooks_folder() / f"{name}.ipynb", parameters, folder / f"{name}.ipynb"))
    write_whole(folder / "results.csv", results(config).to_csv(index=False))
    write_whole(folder / "index.html", glance(config, executed))
    return folder


def results(config: Config) -> pd.DataFrame:
    """One row a method, for the runs that the notebooks share through the store."""
    settings = {"dataset": config.dataset, "category": config.category, "epochs": config.epochs, "seed": config.seed}
    rows = [row for mode in _TRAINED for row in trained(Config(mode=mode, **settings)).result_rows()]
    return pd.DataFrame(rows, columns=ROW_NAMES).astype({"epochs": "Int64"})  # the floor has none


def regions(dataset: str, category: str, epochs: int | None, seeds: Sequence[int]) -> pd.DataFrame:
    """The region table of modes vae, o, d and e for each seed, with what reproduces it; trains what the store lacks.

    Raises:
        InputError: unknown data set or category, or the data set is not there.
    """
    settings, tables = {"dataset": dataset, "category": category, "epochs": epochs}, []
    plans = [{mode: Config(mode=mode, seed=seed, **settings) for mode in MODES} for seed in seeds]
    for seed, plan in zip(seeds, plans):
        surveys = {mode: Survey.of(trained(config)) for mode, config in plan.items()}
        runs = [survey.run for survey in surveys.values()]
        known = pd.DataFrame({"dataset": [run.config.dataset for run in runs], "category": runs[0].config.category,
                              "seed": seed, "epochs": runs[0].config.epochs,
                              "config_hash": [run.config.config_hash for run in runs],
                              "auroc": [run.result_rows()[0]["auroc"] for run in runs],  # each by its own score
                              "commit": [run.metrics["commit"] for run in runs]})
        tables.append(pd.concat([known, region_table(surveys).reset_index()], axis=1))
    return pd.concat(tables, ignore_index=True)


def write_regions(dataset: str, category: str, epochs: int | None, seeds: Sequence[int], out: str | Path) -> str:
    """Writes the table of `regions` as CSV; returns what it says in a line."""
    out = csv_path(out)
    make_folder(out.parent)
    table = regions(dataset, category, epochs, seeds)
    write_whole(out, table.round(4).to_csv(index=False))
    rates = table.groupby("method", sort=False).semantic_deviation_rate.mean()
    said = ", ".join(f"{name} {rate:.3f}" for name, rate in rates.items())
    return f"finished: {out}\nsemantic-deviation rate: {said}"


def glance(config: Config, notebooks: list[Path]) -> str:
    """`index.html`: the outputs of the notebooks' cells tagged `glance`, each under its section's heading."""
    sections = [section for notebook in notebooks for section in _sections(json.loads(notebook.read_text()))]
    return _PAGE.substitute(
        title=f"RSC-VAE on {config.dataset}, normal class {config.category}",
        note=f"{config.epochs} epochs, seed {config.seed}, {config.scale} scale. Higher AUROC is better; the oracle "
             "column picks its epoch on the test set and is no honest result.",
        sections="\n".join(sections),
        links="".join(f'<li><a href="{path.name}">{path.name}</a></li>' for path in notebooks)
              + '<li><a href="results.csv">results.csv</a>: every figure, one row a method</li>',
    )


def _sections(notebook: dict[str, Any]) -> list[str]:
    sections, heading = [], ""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            lines = "".join(cell["source"]).splitlines()
            heading = next((f"<h2>{html.escape(line[3:])}</h2>" for line in lines if line.startswith("## ")), heading)
        elif GLANCE in cell["metadata"].get("tags", []):
            sections += [heading, *map(_shown, cell["outputs"])]
            heading = ""
    return sections


def _shown(output: dict[str, Any]) -> str:
    """An output as HTML: a picture embedded, a table as it is, prose set; other text is left to the notebook."""
    data = output.get("data", {})
    if "text/markdown" in data:
        return markdown2html("".join(data["text/markdown"]))
    if "image/png" in data:
        return f'<img alt="" src="data:image/png;base64,{"".join(data["image/png"]).strip()}">'
    return "".join(data.get("text/html", ""))
