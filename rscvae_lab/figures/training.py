"""Figures of training: curves of finished runs, and a training in progress."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from rscvae_lab.figures.images import show_image
from rscvae_lab.figures.style import axes, canvas, empty_figure
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
    width, height = 10.7, 3.3
    figure, last = canvas(width, height), min(epochs, max(10, 2 * len(history)))
    columns = {"recon": "$l_{recon}$ (grey levels)", "enc1": "$l_{enc1}$ (nats)",
               "auroc": "AUROC, α = 0.5"}
    for i, (column, name) in enumerate(columns.items()):
        axis = axes(figure, 0.045 + 0.175 * i, 0.15, 0.115, 0.68)
        measured = history.dropna(subset=column)
        axis.plot(measured.epoch, measured[column], "o-" if len(measured) < 12 else "-",
                  markersize=3, color=METHOD_COLOURS[method])
        axis.set(xlim=(0, last), xlabel="epoch")
        axis.set_title(name, fontsize=9.5)
        if not len(measured):
            axis.set(yticks=[])
            axis.text(0.5, 0.5, "not yet\nevaluated", transform=axis.transAxes, ha="center",
                      va="center", fontsize=8.5)
    wide = 0.4 / max(map(len, rows.values()))
    high = min(0.84 / len(rows), 1.08 * wide * width / height)
    for i, (name, images) in enumerate(rows.items()):
        figure.text(0.585, 0.84 - high * (i + 0.45), name, ha="right", va="center", fontsize=9.5)
        for j, image in enumerate(images):
            show_image(axes(figure, 0.595 + wide * j, 0.84 - high * (i + 0.95), 0.94 * wide,
                            0.94 * high), image)
    figure.suptitle(f"{METHOD_NAMES[method]}, epoch {len(history)} of {epochs}", fontsize=11,
                    y=0.99)
    return figure
