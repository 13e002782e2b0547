"""Figures of training: curves of finished runs, and a training in progress."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from rscvae_lab.figures.images import show_image
from rscvae_lab.figures.lines import name_ends
from rscvae_lab.figures.style import FONT, WIDEST, axes, canvas, empty_figure
from rscvae_lab.methods import METHOD_COLOURS, METHOD_NAMES

FEWEST = 10  # epochs on the axis of a training in progress


def learning_curves(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """Reconstruction error of training normals, and test AUROC where evaluated, by epoch; one
    history a mode."""
    figure, ((recon, auroc),) = empty_figure(1, 2, (WIDEST, 3.6))
    log_scale(recon)
    _curves(recon, histories, "recon")
    aurocs = {}
    for mode, history in histories.items():
        scored = {mode: "auroc"} if mode != "vae" else {"vae": "auroc_recon",
                                                        "recode_vae": "auroc"}
        aurocs |= {method: history.set_index("epoch")[column].dropna()
                   for method, column in scored.items()}
    for method, values in aurocs.items():
        auroc.plot(values, "o-", markersize=4, color=METHOD_COLOURS[method],
                   label=METHOD_NAMES[method])
    recon.set_ylabel("$l_{recon}$ (grey levels, log scale)")
    recon.set_title("training normals: error")
    recon.autoscale_view()
    name_ends(recon)
    auroc.set(xlabel="epoch", ylabel="AUROC (each by its own score)")
    auroc.set_title("test images, at evaluated epochs")
    auroc.autoscale_view()
    name_ends(auroc)
    return figure


def mode_curves(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """What tells the modes apart while they train, by epoch: l_mut and l_enc2 of training normals,
    the loss of (pseudo-)anomalies, and l_enc1 of novel test images at evaluated epochs, beside
    that of training normals (dotted)."""
    figure, ((mut, enc2), (anomalous, enc1)) = empty_figure(2, 2, (WIDEST, 6.4), sharex=True)
    for axis, column, title in (
            (mut, "mut", "$l_{mut}$ of training normals"),
            (enc2, "enc2", "$l_{enc2}$ of training normals"),
            (anomalous, "anomalous", "loss of the (pseudo-)anomalies, times $\\beta$")):
        _curves(axis, histories, column)
        axis.set_ylabel("nats")
        axis.set_title(title)
    _curves(enc1, histories, "enc1_novel", marker="o", markersize=4)
    enc1.set_ylabel("nats")
    enc1.set_title("$l_{enc1}$ of novel test images (dotted: training normals)")
    for axis in (mut, enc2):
        axis.set_xlabel("")
    both = pd.concat(history[["enc1", "enc1_novel"]] for history in histories.values())
    enc1.set_ylim(0, 1.05 * both.max().max())
    for axis in figure.axes:
        axis.autoscale_view()
        name_ends(axis)
    _curves(enc1, histories, "enc1", linestyle=":", alpha=0.7)
    return figure


def _curves(axis: Axes, histories: Mapping[str, pd.DataFrame], column: str, **style: Any) -> None:
    """One column of each history that has it."""
    for method, history in histories.items():
        values = history.set_index("epoch")[column].dropna()
        if len(values):
            axis.plot(values, **{"color": METHOD_COLOURS[method], "linewidth": 1.5,
                                 "label": METHOD_NAMES[method]} | style)
    axis.set_xlabel("epoch")


def log_scale(axis: Axes) -> None:
    """A logarithmic y axis with few plain numbers."""
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axis.yaxis.set_major_formatter("{x:g}")
    axis.minorticks_off()


def live(history: pd.DataFrame, epochs: int, rows: Mapping[str, np.ndarray], mode: str) -> Figure:
    """A training in progress: error and information of training normals, AUROC where evaluated,
    and named rows of images."""
    method = "recode_vae" if mode == "vae" else mode  # whose score `auroc` in the history is
    figure, last = canvas(WIDEST, 5.2), min(epochs, max(FEWEST, 2 * len(history)))
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
    most = max(map(len, rows.values()), default=0) or 1  # without test images none are drawn
    wide = min(0.425 / most, 0.4 / max(len(rows), 1) * 5.2 / WIDEST)
    high = wide * WIDEST / 5.2
    for i, (name, images) in enumerate(rows.items()):
        bottom = 0.43 - high * (i + 1)
        figure.text(0.562, bottom + 0.5 * high, name, ha="right", va="center", fontsize=FONT)
        for j, image in enumerate(images):
            show_image(axes(figure, 0.57 + wide * j, bottom, 0.95 * wide, 0.95 * high), image)
    figure.suptitle(f"{METHOD_NAMES[method]}, epoch {len(history)} of {epochs}", fontsize=FONT,
                    fontweight="bold", y=0.99)
    return figure
