"""The page of scored images that `rscvae score --pictures` and a training on a folder leave: each
image with its reconstruction, error map, scores and decisions, worst first."""

import html
import io
from collections.abc import Iterable
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
from matplotlib import colormaps
from PIL import Image, ImageDraw
from scipy.ndimage import binary_erosion
from torch import Tensor, stack
from tqdm.auto import tqdm

from rscvae_lab.datasets.image_files import try_images
from rscvae_lab.datasets.industrial import judged_files
from rscvae_lab.errors import InputError
from rscvae_lab.figures.parts import MASK_COLOUR
from rscvae_lab.runs import Run
from rscvae_lab.runs.evaluation import code
from rscvae_lab.runs.inference import score_files
from rscvae_lab.runs.localization import error_maps
from rscvae_lab.storage.files import absolute, make_folder, output_file, write_whole

SIDE, GAP, LINE = 160, 4, 16  # pixels: of a panel, between panels, of the line above them
TOP = 0.5  # the error, in grey levels of [0, 1], of the brightest colour where none is calibrated
PAGE = "page"  # the folder in a run's own
_CHUNK = 16  # images drawn at once: at 256 px each takes several MB
_HEAT = (255 * colormaps["inferno"](np.arange(256))[:, :3]).astype(np.float32)
_OPACITY = 0.75  # of the heat over its image
_MARK = "<!DOCTYPE html><!-- scored by rscvae -->"
_HTML = Template(_MARK + """
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>$title</title>
<style>
body { font: 15px/1.5 sans-serif; max-width: 62em; margin: 1em auto; padding: 0 1em }
li { display: flex; flex-wrap: wrap; gap: 1em; align-items: center; padding: .4em;
     border-left: .5em solid #2b6cb0; margin: .5em 0; overflow-wrap: anywhere }
li.novel { border-color: #dd6b20; background: #fffaf0 }
li > div { flex: 1; min-width: 16em } ol { list-style: none; padding: 0 } img { max-width: 100% }
</style>
<h1>$title</h1>
$about
<ol>
$items
</ol></html>
""")


def page_for(folder: str | Path, images: Iterable[str | Path] = ()) -> Path:
    """The page that `write_scored` writes in a folder. Raises InputError where it cannot be
    written to, or is one of these folders of images: next time, pictures would be taken for
    images."""
    folder = make_folder(folder)
    if folder in map(absolute, images):
        raise InputError(f"expected another folder for pictures than that of the images, {folder}")
    return output_file(folder / "index.html", ".html", _is_own)


def write_scored(run: Run, table: pd.DataFrame, folder: str | Path,
                 title: str = "Scored images") -> Path:
    """Writes a PNG for each image of a table of `score_files`, named by its row and file, and
    `index.html`, which shows them worst first; returns the page. A compared method has no
    reconstruction to show. Raises InputError for a folder that cannot be written to, or where an
    input or a page of something else would be replaced."""
    page = page_for(folder)
    folder = page.parent
    files = [Path(file) for file in table.file]
    names = [file.stem.encode("utf-8", "replace").decode() for file in files]
    targets = [folder / f"{i:04}-{name[:60]}.png" for i, name in enumerate(names)]
    lost = {file.resolve() for file in files} & {target.resolve() for target in targets}
    if lost:
        raise InputError(f"expected another folder than that of the images, found {min(lost)} "
                         "among them")
    rows = table.to_dict("records")
    with tqdm(total=len(rows), unit="image", disable=None, leave=False) as bar:
        for start in range(0, len(rows), _CHUNK):
            part = slice(start, start + _CHUNK)
            for target, row, panels in zip(targets[part], rows[part], _panels(run, files[part])):
                write_whole(target, strip(panels, _decision(row)))
                bar.update()
    worst = np.argsort(-_excess(table), kind="stable")
    items = (_item(rows[i], files[i], targets[i].name) for i in worst)
    write_whole(page, _HTML.substitute(title=html.escape(title), about=_about(run, table),
                                       items="\n".join(items)))
    return page


def write_judged(run: Run) -> Path:
    """The same page of the test images of a run on image files, or, where it has none, of its
    held-out ones, in the run's folder; one that is there stays. Raises InputError as
    `write_scored`, and where the images are no longer there."""
    page = run.folder / PAGE / "index.html"
    if page.is_file():
        return page
    what, files = judged_files(run.config)
    table, _ = score_files(run, files)
    return write_scored(run, table, run.folder / PAGE, f"{run.config.category}: {what}")


def strip(panels: list[np.ndarray], line: str) -> bytes:
    """Panels (S, S, 3), uint8, side by side below a line of ASCII text, as a PNG."""
    width = max(len(panels) * (SIDE + GAP) - GAP, 3 * SIDE)
    image = Image.new("RGB", (width, LINE + SIDE), "white")
    ImageDraw.Draw(image).text((2, 2), line, fill="black")
    for i, panel in enumerate(panels):
        image.paste(Image.fromarray(panel).resize((SIDE, SIDE), Image.Resampling.BILINEAR),
                    (i * (SIDE + GAP), LINE))
    content = io.BytesIO()
    image.save(content, "png", compress_level=4)
    return content.getvalue()


def heated(image: np.ndarray, heat: np.ndarray, region: np.ndarray | None) -> np.ndarray:
    """An image (S, S, 3), uint8, below the colours of `heat` (S, S), 0 to 1 and clipped, with the
    outline of a region, bool (S, S)."""
    colours = _HEAT[(255 * np.clip(heat, 0, 1)).astype(np.uint8)]
    mixed = ((1 - _OPACITY) * image + _OPACITY * colours).astype(np.uint8)
    if region is not None:
        edge = tuple(bytes.fromhex(MASK_COLOUR[1:]))
        mixed[region & ~binary_erosion(region)] = edge
    return mixed


def _panels(run: Run, files: list[Path]) -> list[list[np.ndarray]]:
    """The panels of each image: input and, of a VAE, reconstruction and error map. Where the run
    has a calibration the map shows it, from the usual error up to twice the threshold of
    local_max, with an outline where it is above."""
    config = run.config
    read = try_images(files, config.image_size, config.channels, config.white)
    broken = [each for each in read if isinstance(each, InputError)]
    if broken:  # it could be read when it was scored
        raise broken[0]
    images = stack(read)
    panels = [[image] for image in map(_rgb, images)]
    if config.method.is_vae:
        x_hat = code(run.model, images).x_hat
        maps, regions = error_maps(images, x_hat), [None] * len(images)
        heat, top = maps, TOP
        if run.calibration:
            limit = run.metrics["threshold_local_max"]
            heat, top = run.calibration.scaled(maps), 2 * limit
            regions = (heat > limit).numpy()
        for panel, output, own, region in zip(panels, x_hat, heat, regions):
            output = _rgb((255 * output).round().byte())
            panel += [output, heated(panel[0], own.numpy() / top, region)]
    return panels


def _rgb(image: Tensor) -> np.ndarray:
    """uint8 (C, S, S) as (S, S, 3)."""
    return image.expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy()


def _excess(table: pd.DataFrame) -> np.ndarray:
    """By how much the larger of an image's scores exceeds its threshold, in units of its size (a
    score may be negative)."""
    def over(score: pd.Series, threshold: pd.Series) -> pd.Series:
        return (score - threshold) / threshold.abs().clip(lower=1e-9)

    excess = [over(table.novelty_score, table.threshold)]
    if "novel_local" in table:
        excess.append(over(table.local_score, table.threshold_local))
    return np.max(excess, axis=0)


def _decision(row: dict[str, Any]) -> str:
    def told(name: str, novel: bool, score: float, threshold: float) -> str:
        return f"{name}{'novel' if novel else 'normal'}: {score:.4g}, threshold {threshold:.4g}"

    text = told("", row["novel"], row["novelty_score"], row["threshold"])
    if "novel_local" not in row:
        return text
    local = told("local ", row["novel_local"], row["local_score"], row["threshold_local"])
    return f"{text}; {local}"


def _item(row: dict[str, Any], file: Path, image: str) -> str:
    novel = row["novel"] or row.get("novel_local", 0)
    name = str(file).encode("utf-8", "replace").decode()
    return (f'<li class="{"novel" if novel else "normal"}"><img src="{quote(image)}" '
            'loading="lazy" alt="">'
            f"<div>{html.escape(name)}<br>"
            f"{_decision(row).replace('; ', '<br>')}</div></li>")


def _about(run: Run, table: pd.DataFrame) -> str:
    is_vae = run.config.method.is_vae
    score = "the paper's score (Eq. 15)" if is_vae else f"the score of {run.config.method.label}"
    text = (f"{len(table)} images, {int(table.novel.sum())} called novel by {score}, "
            f"whose threshold {run.metrics['threshold']:.4g} is one that 95 % of "
            "held-out normal images do not exceed")
    if "novel_local" in table:
        text += (f"; {int(table.novel_local.sum())} by the local score, which asks whether the "
                 "error is unusual anywhere, threshold "
                 f"{run.metrics['threshold_local']:.4g} likewise. Outlined: where the error is "
                 "higher than anywhere in 95 % of held-out images")
    order = ("Each image with its reconstruction and error map; worst first." if is_vae else
             "Worst first.")
    notes = [f"{text}. {order}", run.threshold_note]
    return "\n".join(f"<p>{html.escape(note)}</p>" for note in notes if note)


def _is_own(page: Path) -> bool:
    with page.open("rb") as file:
        return file.read(len(_MARK)) == _MARK.encode()
