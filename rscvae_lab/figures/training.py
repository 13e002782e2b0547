"""Figures of training: curves of finished runs, and a training in progress."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from rscvae_lab.figures.images import show_image
from rscvae_lab.figures.style import FONT, WIDEST, axes, canvas, empty_figure
from rscvae_lab.methods import METHOD_COLOURS, METHOD_NAMES


def learning_curves(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """Reconstruction error and information of training normals, and test AUROC where evaluated,
    by epoch; one history a mode."""
    figure, ((recon, enc1, auroc),) = empty_figure(1, 3, (11, 3.2))
    for mode, history in histories.items():
        style = {"color": METHOD_COLOURS[mode], "linewidth": 1.5,
                 "marker": "o" if len(history) < 5 else None}
        recon.plot(history.epoch, history.recon, **style)
        enc1.plot(history.epoch, history.enc1, **style)
        evaluated = history.dropna(subset="auroc")
        curves = {mode: evaluated.auroc}
        if mode == "vae":
            curves = {"vae": evaluated.auroc_recon, "recode_vae": evaluated.auroc}
        for method, values in curves.items():
            auroc.plot(evaluated.epoch, values, "o-", markersize=3, color=METHOD_COLOURS[method],
                       label=METHOD_NAMES[method])
    recon.set(xlabel="epoch", ylabel="$l_{recon}$ (grey levels per image, log scale)",
              title="training normals: error")
    enc1.set(xlabel="epoch", ylabel="$l_{enc1}$ (nats per image, log scale)",
             title="training normals: information")
    auroc.set(xlabel="epoch", ylabel="AUROC (each by its own score)",
              title="test images, evaluated epochs")
    for axis in (recon, enc1):
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
        axis.yaxis.set_major_formatter("{x:g}")
        axis.minorticks_off()
    auroc.legend(frameon=False, fontsize=8)
    return figure


def live(history: pd.DataFrame, epochs: int, rows: Mapping[str, np.ndarray], mode: str) -> Figure:
    """A training in progress: error and information of training normals, AUROC where evaluated,
    and named rows of images."""
    method = "recode_vae" if mode == "vae" else mode  # whose score `auroc` in the history is
    figure, last = canvas(WIDEST, 5.2), min(epochs, max(10, 2 * len(history)))
    columns = {"recon": "$l_{recon}$ of training images (grey levels)",
               "enc1": "$l_{enc1}$ of training images (nats)",
               "auroc": "AUROC on test images, α = 0.5"}
    for i, (column, name) in enumerate(columns.items()):
        axis = axes(figure, 0.06 + 0.51 * (i % 2), (0.565, 0.085)[i // 2], 0.42, 0.32)
        measured = history.dropna(subset=column)
        axis.plot(measured.epoch, measured[column], "o-" if len(measured) < 12 else "-",
                  markersize=4, color=METHOD_COLOURS[method])
        axis.set(xlim=(0, last), xlabel="epoch")
        axis.set_title(name)
        if not len(measured):
            axis.set(yticks=[])
            axis.text(0.5, 0.5, "not yet evaluated", transform=axis.transAxes, ha="center",
                      va="center", fontsize=FONT)
    wide = min(0.425 / max(map(len, rows.values())), 0.4 / len(rows) * 5.2 / WIDEST)
    high = wide * WIDEST / 5.2
    for i, (name, images) in enumerate(rows.items()):
        bottom = 0.43 - high * (i + 1)
        figure.text(0.562, bottom + 0.5 * high, name, ha="right", va="center", fontsize=FONT)
        for j, image in enumerate(images):
            show_image(axes(figure, 0.57 + wide * j, bottom, 0.95 * wide, 0.95 * high), image)
    figure.suptitle(f"{METHOD_NAMES[method]}, epoch {len(history)} of {epochs}", fontsize=FONT,
                    fontweight="bold", y=0.99)
    return figure
