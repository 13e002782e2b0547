"""Curves by epoch: which mode has which line, and what stands at its end."""

import numpy as np
import pandas as pd

from rscvae_lab import figures
from rscvae_lab.figures import METHOD_COLOURS


def history(**columns) -> pd.DataFrame:
    names = ("recon", "enc1", "enc2", "mut", "anomalous", "auroc", "auroc_recon", "enc1_novel")
    empty = {name: [np.nan] * 3 for name in names}
    return pd.DataFrame({"epoch": [1, 2, 3]} | empty | columns)


HISTORIES = {
    "vae": history(recon=[9.0, 5, 4], enc1=[3.0, 1, 4], enc1_novel=[np.nan, 5, 6]),
    "e": history(
        recon=[9.0, 6, 5],
        enc1=[3.0, 1, 4],
        enc2=[2.0, 1, 3],
        mut=[1.0, 2, 1],
        anomalous=[8.0, 7, 5],
        enc1_novel=[np.nan, 4, 2],
    ),
}


def lines(axis) -> dict[str, list]:
    """The last point of each solid line, by its colour."""
    return {
        line.get_color(): line.get_xydata()[-1].tolist()
        for line in axis.lines
        if line.get_linestyle() == "-"
    }


def test_each_mode_has_the_terms_it_trains():
    mut, enc2, anomalous, enc1 = figures.mode_curves(HISTORIES).axes
    vae, e = METHOD_COLOURS["vae"], METHOD_COLOURS["e"]
    assert lines(mut) == {e: [3, 1]}
    assert lines(enc2) == {e: [3, 3]}
    assert lines(anomalous) == {e: [3, 5]}
    assert lines(enc1) == {vae: [3, 6], e: [3, 2]}
    dotted = [line.get_ydata().tolist() for line in enc1.lines if line.get_linestyle() == ":"]
    assert dotted == [[3, 1, 4], [3, 1, 4]], "training normals"


def test_names_stand_in_the_order_of_the_ends():
    enc1 = figures.mode_curves(HISTORIES).axes[-1]
    heights = {text.get_text(): text.get_position()[1] for text in enc1.texts}
    assert list(heights) == ["VAE", "RSC-VAE_e"]
    assert heights["VAE"] > heights["RSC-VAE_e"]
    assert enc1.get_ylim()[0] == 0


def test_a_vae_is_scored_with_and_without_its_recoding():
    scores = {"auroc": [0.5, np.nan, 0.9], "auroc_recon": [0.6, np.nan, 0.8]}
    auroc = figures.learning_curves({"vae": HISTORIES["vae"].assign(**scores)}).axes[1]
    ends = {"vae": [3, 0.8], "recode_vae": [3, 0.9]}
    assert lines(auroc) == {METHOD_COLOURS[method]: end for method, end in ends.items()}
