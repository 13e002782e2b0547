"""A trained model on many images: its terms, its scores, and every figure of `metrics.json`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from rscvae_lab import NORMAL, NOVEL, losses, scoring
from rscvae_lab.config import IMAGE_FOLDERS, Config
from rscvae_lab.datasets.images import as_images, as_network_input
from rscvae_lab.datasets.industrial import test_masks
from rscvae_lab.datasets.one_class import OneClassSplit
from rscvae_lab.engine.process import restored, tf32_switches
from rscvae_lab.models.vae import VAE, Coding
from rscvae_lab.regions import least_information
from rscvae_lab.runs import localization
from rscvae_lab.runs.localization import LOCAL, Calibration, error_maps, local_scores

MEASURES = ["l_recon", "l_mut", "l_enc1"]
_CHUNK = {"cpu": 256, "cuda": 4096}  # images of 32 x 32 per forward pass; fewer if they are larger


@contextmanager
def _inference(model: VAE) -> Iterator[None]:
    """Eval mode and float32: no image's score depends on the others of its batch."""
    was_training = model.training
    model.eval()
    try:
        with restored(), torch.inference_mode():
            for backend in tf32_switches():
                backend.allow_tf32 = False
            yield
    finally:
        model.train(was_training)


def _chunks(model: VAE, images: Any) -> Iterator[tuple[Tensor, Coding]]:
    images, device = as_images(images), next(model.parameters()).device
    for chunk in images.split(max(1, _CHUNK[device.type] * 32**2 // model.image_size**2)):
        x = as_network_input(chunk.to(device), model.channels, model.image_size)
        yield x, model(x.contiguous(memory_format=torch.channels_last))


def measure(model: VAE, images: Any, js: str = "bhattacharyya",
            calibration: Calibration | None = None) -> pd.DataFrame:
    """A row for each of the images (N, C, S, S), uint8 or float in [0, 1], or as `as_images` takes
    them: `l_recon` (grey levels summed over pixels), `l_mut` and `l_enc1` (nats), with z = mu in
    both passes; with a calibration also `local_score` and `local_max`. Raises InputError for
    images of another shape or range, or with NaN pixels."""
    names, parts = [*MEASURES, *(LOCAL if calibration else ())], []
    if not len(images):  # which a user's own network may not take
        return pd.DataFrame(np.empty((0, len(names))), columns=names)
    with _inference(model):
        for x, coding in _chunks(model, images):
            term = losses.terms(x, coding, js)
            measured = torch.stack([term.recon, term.mut, term.enc1], dim=1).cpu()
            if calibration:
                scaled = calibration.scaled(error_maps(x, coding.x_hat).cpu())
                measured = torch.cat([measured, local_scores(scaled)], 1)
            parts.append(measured)
    return pd.DataFrame(torch.cat(parts).double().numpy(), columns=names)


def maps_of(model: VAE, images: Any) -> Tensor:
    """The error map of each image, (N, S, S), on the CPU. Raises InputError as `measure`."""
    with _inference(model):
        parts = [error_maps(x, coding.x_hat).cpu() for x, coding in _chunks(model, images)]
    return torch.cat(parts)


def during_training(model: VAE, split: OneClassSplit, js: str) -> dict[str, float | None]:
    """What `history.csv` has of an evaluated epoch: `aurocs` on the test set, and the mean l_enc1
    of its novel images in nats (None without novel images)."""
    labels, test = split.test_labels.numpy(), measure(model, split.test, js)
    novel = test.l_enc1[labels == NOVEL]
    return aurocs(labels, test) | {"enc1_novel": float(novel.mean()) if len(novel) else None}


def code(model: VAE, images: Any) -> Coding:
    """Each image's codes (N, D) and reconstruction (N, C, S, S) with z = mu, on the CPU."""
    with _inference(model):
        codings = [coding for _, coding in _chunks(model, images)]
    return Coding(*(torch.cat(parts).cpu() for parts in zip(*codings, strict=True)))


def aurocs(labels: np.ndarray, test: pd.DataFrame) -> dict[str, float | None]:
    """The paper's AUROC (Eq. 15, alpha 0.5, test-set means) and those of its two terms alone; None
    where a label is missing."""
    if len(np.unique(labels)) < 2:
        return dict.fromkeys(("auroc", "auroc_recon", "auroc_mut"))
    means = scoring.Normalisers.over(test.l_recon, test.l_mut)
    scores = {"auroc": scoring.novelty_score(test.l_recon, test.l_mut, means),
              "auroc_recon": test.l_recon, "auroc_mut": test.l_mut}
    return {name: scoring.auroc(labels, values) for name, values in scores.items()}


def score(model: nn.Module, images: Any, config: Config, means: scoring.Normalisers | None,
          calibration: Calibration | None = None) -> pd.DataFrame:
    """l_recon, l_mut, l_enc1 and novelty_score of each image, with a calibration also its local
    scores; baselines have only their score."""
    images = as_images(images)
    if not config.method.is_vae:
        frame = pd.DataFrame(np.nan, index=range(len(images)), columns=MEASURES)
        return frame.assign(novelty_score=model.score(images).double().numpy())
    frame = measure(model, images, config.js, calibration)
    scores = scoring.novelty_score(frame.l_recon, frame.l_mut, means)
    frame.insert(len(MEASURES), "novelty_score", scores)
    return frame


def evaluate(model: nn.Module, split: OneClassSplit, config: Config
             ) -> tuple[pd.DataFrame, dict[str, Any], Calibration | None]:
    """The rows of `scores.csv` for a trained model, the figures of `metrics.json`, and of
    industrial images what the local score is calibrated with."""
    labels, calibration = split.test_labels.numpy(), None
    if config.method.is_vae:
        heldout = measure(model, split.heldout, config.js)
        means = scoring.Normalisers.over(heldout.l_recon, heldout.l_mut)
        calibration, chosen = _calibrated(model, split, config)
        test = score(model, split.test, config, means, calibration)
        metrics = score_metrics(labels, test, heldout, means) | chosen
        metrics |= _validation(heldout, measure(model, split.validation, config.js))
        if calibration:
            metrics |= {"auroc_local": _auroc(labels, test.local_score),
                        "auroc_local_max": _auroc(labels, test.local_max),
                        "local_gain_error": _difference_error(labels, test)}
            metrics |= _by_pixel(model, split, config, calibration)
    else:
        test, heldout, novel = (score(model, images, config, None)
                                for images in (split.test, split.heldout, split.validation))
        both = np.concatenate([heldout.novelty_score, novel.novelty_score])
        metrics = {"auroc": _auroc(labels, test.novelty_score),
                   "auroc_validation": _auroc(_labels(heldout, novel), both),
                   "threshold": scoring.threshold(heldout.novelty_score)}
    test.insert(0, "index", split.test_index.numpy())
    test.insert(1, "label", labels)
    return test, metrics, calibration


def _calibrated(model: nn.Module, split: OneClassSplit, config: Config
                ) -> tuple[Calibration | None, dict[str, float | None]]:
    """The calibration of industrial images on the held-out ones, and what follows of the local
    scores without the test set: thresholds, and AUROCs against shifted held-out images."""
    if config.dataset not in IMAGE_FOLDERS or len(split.heldout) < localization.FEWEST:
        return None, {}
    maps, shifted = maps_of(model, split.heldout), maps_of(model, split.validation)
    normal, novel = [], []
    for i, others in enumerate(localization.without_each(maps)):
        normal.append(local_scores(others.scaled(maps[i : i + 1])))
        novel.append(local_scores(others.scaled(shifted[i :: len(maps)])))
    normal, novel = torch.cat(normal).numpy(), torch.cat(novel).numpy()
    labels = _labels(normal, novel)
    figures = {"threshold_local": scoring.threshold(normal[:, 0]),
               "threshold_local_max": scoring.threshold(normal[:, 1])}
    for name, scores in zip(("local", "local_max"), np.concatenate([normal, novel]).T):
        figures[f"auroc_validation_{name}"] = _auroc(labels, scores)
    return Calibration.of(maps), figures


def _by_pixel(model: nn.Module, split: OneClassSplit, config: Config, calibration: Calibration
              ) -> dict[str, float | None]:
    """Pixel AUROC and per-region overlap of the calibrated maps, where there are masks."""
    masks = test_masks(config, split.test_index)
    if masks is None or not masks.any():
        return {}
    scaled = calibration.scaled(maps_of(model, split.test))
    return {"pixel_auroc": localization.pixel_auroc(masks, scaled),
            "pro": localization.pro(masks, scaled)}


def _auroc(labels: np.ndarray, scores: np.ndarray) -> float | None:
    return scoring.auroc(labels, scores) if len(np.unique(labels)) == 2 else None


def _difference_error(labels: np.ndarray, test: pd.DataFrame) -> float | None:
    """The standard error of auroc_local - auroc_heldout_norm, from the finite test set alone."""
    if min(np.bincount(labels, minlength=2)) < 2:
        return None
    return scoring.auroc_difference_error(labels, test.local_score, test.novelty_score)


def _validation(heldout: pd.DataFrame, novel: pd.DataFrame) -> dict[str, float | None]:
    """The AUROCs that settings may be chosen by: held-out normal against novel *training* images,
    none of them trained on; Eq. 15 with means over these images, and alpha 0."""
    figures = aurocs(_labels(heldout, novel), pd.concat([heldout, novel], ignore_index=True))
    return {"auroc_validation": figures["auroc"], "auroc_validation_recon": figures["auroc_recon"]}


def _labels(normal: pd.DataFrame, novel: pd.DataFrame) -> np.ndarray:
    return np.repeat([NORMAL, NOVEL], [len(normal), len(novel)])


def score_metrics(labels: np.ndarray, test: pd.DataFrame, heldout: pd.DataFrame,
                  means: scoring.Normalisers) -> dict[str, float | None]:
    """The figures that follow from `score` on test and `measure` on held-out images, whose means
    normalise `novelty_score` and its threshold; None where undefined."""
    heldout_scores = scoring.novelty_score(heldout.l_recon, heldout.l_mut, means)
    return (aurocs(labels, test) | {"auroc_heldout_norm": _auroc(labels, test.novelty_score),
                                    "threshold": scoring.threshold(heldout_scores)}
            | _consistency(labels, test)
            | _deviation(labels, test, least_information(heldout.l_enc1))
            | {"heldout_mean_recon": means.recon, "heldout_mean_mut": means.mut})


def _consistency(labels: np.ndarray, test: pd.DataFrame) -> dict[str, float | None]:
    """S_a (Eq. 17, Table 4) over test normals with both readings of its means; two variants."""
    normal = test[labels == NORMAL]
    if len(normal) < 2:
        return dict.fromkeys(("s_a", "s_a_test_mean", "s_a_spearman", "s_a_relative"))
    recon, mut = normal.l_recon, normal.l_mut
    over_normals = scoring.Normalisers.over(recon, mut)
    over_all = scoring.Normalisers.over(test.l_recon, test.l_mut)
    return {"s_a": scoring.s_a(recon, mut, over_normals),
            "s_a_test_mean": scoring.s_a(recon, mut, over_all),
            "s_a_spearman": scoring.s_a_spearman(recon, mut),
            "s_a_relative": scoring.s_a_relative(recon, mut)}


def _deviation(labels: np.ndarray, test: pd.DataFrame, border: float) -> dict[str, float | None]:
    """The shares of novel and of normal test images in the unknown region, where l_enc1 is below
    `border` nats; the first is the semantic-deviation rate."""
    def share(label: int) -> float | None:
        group = test.l_enc1[labels == label]
        return float((group < border).mean()) if len(group) else None

    return {"semantic_deviation_rate": share(NOVEL), "normal_in_unknown": share(NORMAL)}
