"""What `rscvae score --pictures` leaves: images, reconstructions, error maps and scores."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from tqdm.auto import tqdm

from rscvae_lab.datasets.image_files import read_image
from rscvae_lab.errors import InputError
from rscvae_lab.figures.images import show_image
from rscvae_lab.figures.parts import error_map
from rscvae_lab.figures.style import axes, canvas, png
from rscvae_lab.runs import Run
from rscvae_lab.runs.evaluation import code
from rscvae_lab.runs.localization import error_maps
from rscvae_lab.storage.files import make_folder, write_whole

TOP = 0.5  # the error, in grey levels of [0, 1], of the brightest colour in every map


def write_scored(run_folder: str | Path, table: pd.DataFrame, folder: str | Path) -> Path:
    """Writes a PNG for each image of a table of `score_images`, named by its row and file. A
    compared method has no reconstruction to show. Raises InputError for a folder that cannot be
    written to, or where an input would be replaced."""
    run, folder = Run.load(run_folder), make_folder(folder)
    files = [Path(file) for file in table.file]
    names = [file.stem.encode("utf-8", "replace").decode() for file in files]
    targets = [folder / f"{i:04}-{name[:60]}.png" for i, name in enumerate(names)]
    lost = {file.resolve() for file in files} & {target.resolve() for target in targets}
    if lost:
        raise InputError(f"expected another folder than that of the images, found {min(lost)} "
                         "among them")
    rows = tqdm(table.to_dict("records"), unit="image", disable=None, leave=False)
    for row, file, name, target in zip(rows, files, names, targets):
        image = read_image(file, run.config.image_size, run.config.channels,
                           run.config.white)
        panels = {"input": image.numpy()}
        if run.config.method.is_vae:
            x_hat = code(run.model, image[None]).x_hat
            panels |= {"reconstruction": x_hat[0].numpy(),
                       "error map": error_maps(image[None], x_hat)[0].numpy()}
        decision = "novel" if row["novel"] else "normal"
        title = f"{decision}: score {row['novelty_score']:.4g}, threshold {row['threshold']:.4g}"
        write_whole(target, png(scored_image(panels, f"{name}{file.suffix}\n{title}")))
    return folder


def scored_image(panels: dict[str, np.ndarray], title: str) -> Figure:
    """`input` and, where there is one, `reconstruction` and `error map`, side by side."""
    n = len(panels)
    figure = canvas(max(3.4, 2.1 * n), 2.9)
    figure.suptitle(title, fontsize=10)
    for i, (name, image) in enumerate(panels.items()):
        axis = axes(figure, (i + 0.04) / n, 0.03, 0.92 / n, 0.68)
        if name == "error map":
            error_map(axis, panels["input"], image, None, TOP, name)
        else:
            show_image(axis, image, name)
    return figure
