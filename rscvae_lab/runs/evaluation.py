"""A trained model over many images: the three measured terms, and every figure of `metrics.json`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from rscvae_lab import NORMAL, NOVEL, losses, scoring
from rscvae_lab.config import Config
from rscvae_lab.datasets.images import as_network_input
from rscvae_lab.datasets.one_class import OneClassSplit
from rscvae_lab.models.vae import VAE, Coding
from rscvae_lab.regions import least_information

MEASURES = ["l_recon", "l_mut", "l_enc1"]
_CHUNK = {"cpu": 256, "cuda": 4096}  # images of 32 x 32 a forward pass, of larger ones as many pixels


@contextmanager
def _inference(model: VAE) -> Iterator[None]:
    """Batch normalisation by its running statistics, so that no image's score depends on its neighbours; float32."""
    was_training, tf32 = model.training, torch.backends.cuda.matmul.allow_tf32
    model.eval()
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
        model.train(was_training)


def _chunks(model: VAE, images: Tensor) -> Iterator[tuple[Tensor, Coding]]:
    device = next(model.parameters()).device
    at_once = max(1, _CHUNK[device.type] * 32**2 // model.image_size**2)
    for chunk in images.split(at_once):
        x = as_network_input(chunk.to(device), model.channels, model.image_size)
        yield x, model(x.contiguous(memory_format=torch.channels_last))


def measure(model: VAE, images: Tensor, js: str = "bhattacharyya") -> pd.DataFrame:
    """l_recon, l_mut and l_enc1 of each image, with z = mu in both passes.

    Args:
        images: (N, C, S, S), uint8 or float in [0, 1].

    Returns:
        A frame of N rows with the columns `l_recon` (grey levels summed over pixels), `l_mut` and `l_enc1` (nats).

    Raises:
        InputError: images of another shape or range, NaN pixels.
    """
    with _inference(model):
        parts = [torch.stack([terms.recon, terms.mut, terms.enc1], dim=1)
                 for terms in (losses.terms(x, coding, js) for x, coding in _chunks(model, images))]
    table = torch.cat(parts).double() if parts else torch.empty(0, 3, dtype=torch.float64)
    return pd.DataFrame(table.cpu().numpy(), columns=MEASURES)


def aurocs_on_test(model: VAE, split: OneClassSplit, js: str) -> dict[str, float]:
    """`aurocs` of a model on its test set; nothing where a label is missing."""
    labels = split.test_labels.numpy()
    return aurocs(labels, measure(model, split.test, js)) if len(np.unique(labels)) == 2 else {}


def code(model: VAE, images: Tensor) -> Coding:
    """The whole way of each image through the network, on the CPU: codes (N, D), reconstructions (N, C, S, S)."""
    with _inference(model):
        codings = [coding for _, coding in _chunks(model, images)]
    return Coding(*(torch.cat(parts).cpu() for parts in zip(*codings, strict=True)))


def aurocs(labels: np.ndarray, test: pd.DataFrame) -> dict[str, float]:
    """The paper's AUROC (Eq. 15, alpha 0.5, test-set means) and those of its two components alone."""
    means = scoring.Normalisers.over(test.l_recon, test.l_mut)
    return {
        "auroc": scoring.auroc(labels, scoring.novelty_score(test.l_recon, test.l_mut, means)),
        "auroc_recon": scoring.auroc(labels, test.l_recon),
        "auroc_mut": scoring.auroc(labels, test.l_mut),
    }


def score(model: nn.Module, images: Tensor, config: Config, means: scoring.Normalisers | None) -> pd.DataFrame:
    """l_recon, l_mut, l_enc1 and novelty_score of each image; a baseline has its own score and no terms."""
    if not config.method.is_vae:
        frame = pd.DataFrame(np.nan, index=range(len(images)), columns=MEASURES)
        return frame.assign(novelty_score=model.score(images).double().numpy())
    frame = measure(model, images, config.js)
    return frame.assign(novelty_score=scoring.novelty_score(frame.l_recon, frame.l_mut, means))


def evaluate(model: nn.Module, split: OneClassSplit, config: Config) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The rows of `scores.csv` for a trained model's test set, and the figures of `metrics.json` that follow."""
    labels = split.test_labels.numpy()
    if config.method.is_vae:
        heldout = measure(model, split.heldout, config.js)
        means = scoring.Normalisers.over(heldout.l_recon, heldout.l_mut)
        test = score(model, split.test, config, means)
        metrics = score_metrics(labels, test, heldout) | _validation(model, split, heldout, config.js)
    else:
        test, heldout, novel = (score(model, images, config, None)
                                for images in (split.test, split.heldout, split.validation))
        both = np.concatenate([heldout.novelty_score, novel.novelty_score])
        metrics = {"auroc": _own_auroc(labels, test.novelty_score),
                   "auroc_validation": _own_auroc(_labels(heldout, novel), both),
                   "threshold": scoring.threshold(heldout.novelty_score)}
    test.insert(0, "index", split.test_index.numpy())
    test.insert(1, "label", labels)
    return test, metrics


def _own_auroc(labels: np.ndarray, scores: np.ndarray) -> float | None:
    """A baseline's AUROC by its own score; None where a label is missing."""
    return scoring.auroc(labels, scores) if len(np.unique(labels)) == 2 else None


def _validation(model: VAE, split: OneClassSplit, heldout: pd.DataFrame, js: str) -> dict[str, float]:
    """The figures that settings may be chosen by: held-out normal against novel *training* images, none of them seen
    in training; Eq. 15 with means over these images, and alpha 0."""
    novel = measure(model, split.validation, js)
    both = pd.concat([heldout, novel], ignore_index=True)
    found = aurocs(_labels(heldout, novel), both) if len(novel) else {}
    return {"auroc_validation": found.get("auroc"), "auroc_validation_recon": found.get("auroc_recon")}


def _labels(normal: pd.DataFrame, novel: pd.DataFrame) -> np.ndarray:
    return np.repeat([NORMAL, NOVEL], [len(normal), len(novel)])


def score_metrics(labels: np.ndarray, test: pd.DataFrame, heldout: pd.DataFrame) -> dict[str, float | None]:
    """Every figure that follows from measured test and held-out images; None where there is nothing to measure.

    `test` and `heldout` are frames of `measure`. The held-out means normalise the score that is written down.
    """
    means = scoring.Normalisers.over(heldout.l_recon, heldout.l_mut)
    metrics = {name: None for name in ("auroc", "auroc_recon", "auroc_mut", "auroc_heldout_norm")}
    if len(np.unique(labels)) == 2:
        heldout_norm_score = scoring.novelty_score(test.l_recon, test.l_mut, means)
        metrics = aurocs(labels, test) | {"auroc_heldout_norm": scoring.auroc(labels, heldout_norm_score)}
    metrics["threshold"] = scoring.threshold(scoring.novelty_score(heldout.l_recon, heldout.l_mut, means))
    metrics |= _consistency(labels, test) | _deviation(labels, test, least_information(heldout.l_enc1))
    return metrics | {"heldout_mean_recon": means.recon, "heldout_mean_mut": means.mut}


def _consistency(labels: np.ndarray, test: pd.DataFrame) -> dict[str, float | None]:
    """S_a (Table 4) over test normals, with both readings of Eq. 17's means, and its rank companion."""
    normal = test[labels == NORMAL]
    if len(normal) < 2:
        return dict.fromkeys(("s_a", "s_a_test_mean", "s_a_spearman", "s_a_relative"))
    over_normals = scoring.Normalisers.over(normal.l_recon, normal.l_mut)
    over_all = scoring.Normalisers.over(test.l_recon, test.l_mut)
    return {
        "s_a": scoring.s_a(normal.l_recon, normal.l_mut, over_normals),
        "s_a_test_mean": scoring.s_a(normal.l_recon, normal.l_mut, over_all),
        "s_a_spearman": scoring.s_a_spearman(normal.l_recon, normal.l_mut),
        "s_a_relative": scoring.s_a_relative(normal.l_recon, normal.l_mut),
    }


def _deviation(labels: np.ndarray, test: pd.DataFrame, border: float) -> dict[str, float | None]:
    """The shares of novel and of normal test images in the unknown region, that is with less information than `border`
    nats; the first is the semantic-deviation rate."""
    def share(label: int) -> float | None:
        group = test.l_enc1[labels == label]
        return float((group < border).mean()) if len(group) else None

    return {"semantic_deviation_rate": share(NOVEL), "normal_in_unknown": share(NORMAL)}
