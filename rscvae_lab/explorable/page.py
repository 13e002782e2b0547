"""Everything the page loads, written into one folder: its files as they were built, the shipped
weights as ONNX, training codes, test images, and what Python measured of them."""

import gzip
import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rscvae_lab import NORMAL, NOVEL
from rscvae_lab.analysis.atlas import as_sheet, read_images
from rscvae_lab.analysis.surveys import Survey
from rscvae_lab.config import CATEGORIES
from rscvae_lab.datasets import load_split
from rscvae_lab.explorable.calibration import stored_regions
from rscvae_lab.explorable.onnx import decoder_bytes, encoder_bytes
from rscvae_lab.figures import lit_terms
from rscvae_lab.figures.style import NORMAL_COLOUR, NOVEL_COLOUR
from rscvae_lab.methods import METHODS
from rscvae_lab.regions import REGIONS
from rscvae_lab.runs import Run
from rscvae_lab.storage.files import make_folder, output_file, resource, write_whole
from rscvae_lab.widgets.rotation import Turning, starts

SITE = "docs/explorable/site"
TRAININGS = ("vae", "o", "d", "e", "e_all")
RUNS = {"plane": "pretrained/digits-8/plane",
        **{mode: f"pretrained/mnist-5/{mode}" for mode in TRAININGS}}
N_DIGITS, N_MNIST, N_TURNING = 40, 100, 5  # novel ones; of each group; eights to turn
EXTRA_BITS = 4.0  # of the small network of two latent dimensions
FACTS = "facts.json"  # which marks a folder as this page's
OF_A_MODEL, SHEETS = ("encoder.onnx", "decoder.onnx", "codes"), ("digits.png", "mnist.png")
_PER_ROW = 20


def write_page(folder: str | Path) -> Path:
    """Writes the whole page into a folder, for any static server. Raises InputError where the
    folder cannot be written to, or has files of another page."""
    folder = make_folder(folder)
    site = sorted(resource(SITE).iterdir(), key=lambda file: file.name == "index.html")
    models = [f"{name}-{part}.gz" for name in RUNS for part in OF_A_MODEL]
    for name in (*(file.name for file in site), *models, *SHEETS, FACTS):
        output_file(folder / name, Path(name).suffix, lambda _: _is_own(folder / FACTS))
    runs = {name: Run.load(resource(place)) for name, place in RUNS.items()}
    surveys = {name: _survey(run) for name, run in runs.items()}
    digits, digit_images = _digits(surveys["plane"])
    mnist, mnist_images = _mnist(surveys)
    facts = {"models": {name: _model(name, survey) for name, survey in surveys.items()},
             "digits": digits, "mnist": mnist,
             "colours": {"normal": NORMAL_COLOUR, "novel": NOVEL_COLOUR}}
    write_whole(folder / FACTS, json.dumps(facts, separators=(",", ":")))  # first: it marks it
    for name, images in zip(SHEETS, (digit_images, mnist_images)):
        write_whole(folder / name, as_sheet(images, _PER_ROW))
    for name, survey in surveys.items():
        model, levels = survey.run.model, stored_regions(survey.run)[1]
        extra = EXTRA_BITS * (name == "plane")
        contents = (encoder_bytes(model, extra), decoder_bytes(model, extra),
                    levels.T.tobytes())  # by dimension: it compresses better
        for part, content in zip(OF_A_MODEL, contents):
            write_whole(folder / f"{name}-{part}.gz", gzip.compress(content, mtime=0))
    for file in site:  # index.html last
        write_whole(folder / file.name, file.read_bytes())
    return folder


def _is_own(facts: Path) -> bool:
    return facts.is_file() and facts.read_bytes().startswith(b'{"models":')


def _survey(run: Run) -> Survey:
    """A survey with the stored regions; of MNIST's it has no images."""
    split = load_split(run.config) if run.config.dataset == "digits" else None
    return Survey(run, split, stored_regions(run)[0])


def _model(name: str, survey: Survey) -> dict[str, Any]:
    """What the page must know of a run, to say what the package says."""
    run, (regions, levels, step) = survey.run, stored_regions(survey.run)
    mode, (n, latent) = run.config.mode, levels.shape
    row = METHODS[name if name in METHODS else mode]
    given = run.metrics["n_anomalous_train"]
    return {
        "least_information": regions.least_information, "farthest": regions.farthest,
        "label": row.label, "colour": row.colour, "mode": mode, "anomalies": given,
        "latent": latent, "codes": n, "step": step,
        "means": run.normalisers, "threshold": run.metrics["threshold"],
        "lit": [lit_terms(mode, anomaly) for anomaly in (False, True)]}


def _digits(survey: Survey) -> tuple[dict[str, Any], Tensor]:
    """Test images of scikit-learn's digits: all normal ones, some novel ones, and which to turn:
    eights whose code lies in all three regions on their way. What the page must know of them, and
    the images."""
    split = survey.split
    normal, novel = (torch.where(split.test_labels == label)[0] for label in (NORMAL, NOVEL))
    index = torch.cat([normal, novel[:N_DIGITS]])
    typical = sorted(starts(survey), key=survey.test.frame.novelty_score.get)
    crossing = (i for i in typical if set(REGIONS) == set(
        Turning.of(survey, split.test[i]).examined.frame.region))
    turning = list(islice(crossing, N_TURNING))
    facts = {"labels": split.test_labels[index].tolist(),
             "categories": split.test_classes[index].tolist(),
             "turning": [index.tolist().index(i) for i in turning]}
    return facts, split.test[index]


def _mnist(surveys: dict[str, Survey]) -> tuple[dict[str, Any], Tensor]:
    """As `_digits`, of test images of `results/fig7.png`, with the terms of each model as Python
    measures them."""
    images, rows = read_images(resource("results/fig7.csv"))
    groups = [np.flatnonzero(rows.group == group)[:N_MNIST] for group in ("normal", "novel")]
    index = np.concatenate(groups)
    images = images[index]
    measured = {}
    for mode in TRAININGS:
        frame = surveys[mode].examine(images).frame
        measured[mode] = {term: [float(f"{value:.5g}") for value in frame[term]]
                          for term in ("l_recon", "l_mut", "l_enc1", "distance")}
        measured[mode]["region"] = [REGIONS.index(region) for region in frame.region]
    names = CATEGORIES["mnist"]
    facts = {"labels": np.repeat([NORMAL, NOVEL], N_MNIST).tolist(),
             "categories": [int(names[i]) for i in rows.category[index]], "measured": measured}
    return facts, images
