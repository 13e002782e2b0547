"""Figures of training: curves of finished runs, and a training in progress."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from rscvae_lab.figures.images import show_image
from rscvae_lab.figures.style import axes, canvas, empty_figure
from rscvae_lab.methods import METHOD_COLOURS, METHOD_NAMES


def learning_curves(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """Reconstruction error of training normals, and test AUROC where evaluated, by epoch; one
    history a mode."""
    figure, ((recon, auroc),) = empty_figure(1, 2, (10, 3.6))
    log_scale(recon)
    _curves(recon, histories, "recon")
    aurocs = {}
    for mode, history in histories.items():
        scored = {mode: "auroc"} if mode != "vae" else {"vae": "auroc_recon",
                                                        "recode_vae": "auroc"}
        aurocs |= {method: history.set_index("epoch")[column].dropna()
                   for method, column in scored.items()}
    for method, values in aurocs.items():
        auroc.plot(values, "o-", markersize=4, color=METHOD_COLOURS[method])
    recon.set_ylabel("$l_{recon}$ (grey levels, log scale)")
    recon.set_title("training normals: error", fontsize=10)
    auroc.set(xlabel="epoch", ylabel="AUROC (each by its own score)")
    auroc.set_title("test images, at evaluated epochs", fontsize=10)
    label_ends(auroc, aurocs)
    return figure


def mode_curves(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """What tells the modes apart while they train, by epoch: l_mut and l_enc2 of training normals,
    the loss of (pseudo-)anomalies, and l_enc1 of novel test images at evaluated epochs, beside
    that of training normals (dotted)."""
    figure, ((mut, enc2), (anomalous, enc1)) = empty_figure(2, 2, (10, 6.4), sharex=True)
    for axis, column, title in (
            (mut, "mut", "$l_{mut}$ of training normals"),
            (enc2, "enc2", "$l_{enc2}$ of training normals"),
            (anomalous, "anomalous", "loss of the (pseudo-)anomalies, before $\\beta$")):
        _curves(axis, histories, column)
        axis.set_ylabel("nats")
        axis.set_title(title, fontsize=10)
    _curves(enc1, histories, "enc1", linestyle=":", alpha=0.7, labelled=False)
    _curves(enc1, histories, "enc1_novel", marker="o", markersize=4)
    enc1.set_ylabel("nats")
    enc1.set_title("$l_{enc1}$ of novel test images (dotted: training normals)", fontsize=10)
    for axis in (mut, enc2):
        axis.set_xlabel("")
    return figure


def _curves(axis: Axes, histories: Mapping[str, pd.DataFrame], column: str, labelled: bool = True,
            **style: Any) -> None:
    """One column of each history that has it, named at its end."""
    lines = {method: history.set_index("epoch")[column].dropna()
             for method, history in histories.items() if history[column].notna().any()}
    for method, values in lines.items():
        axis.plot(values, **{"color": METHOD_COLOURS.get(method), "linewidth": 1.5} | style)
    axis.set_xlabel("epoch")
    if labelled:
        label_ends(axis, lines)


def label_ends(axis: Axes, lines: Mapping[str, pd.Series], apart: float = 0.075) -> None:
    """Writes each method's name right of the axis at its line's end, `apart` of the height from
    the next one at least."""
    if not lines:
        return
    scaled = axis.yaxis.get_transform().transform
    low, high = scaled(np.array(axis.get_ylim()))
    ends = {name: (scaled(values.iloc[-1:].to_numpy())[0] - low) / (high - low)
            for name, values in lines.items()}
    names = sorted(ends, key=ends.get)
    heights = np.array([ends[name] for name in names])
    for i in range(1, len(heights)):
        heights[i] = max(heights[i], heights[i - 1] + apart)
    heights -= max(0, heights[-1] - 1)
    for name, height in zip(names, heights):
        axis.text(1.01, height, METHOD_NAMES.get(name, name), transform=axis.transAxes,
                  color=METHOD_COLOURS.get(name), va="center", fontweight="bold")


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
