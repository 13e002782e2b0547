"""Detector beside other threads and processes, and what it says of itself."""

import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from rscvae_lab import Detector
from rscvae_lab.datasets import load_parts


def eights() -> np.ndarray:
    """The digit 8 as a user has it: uint8 (N, 8, 8)."""
    images, labels = load_parts("digits")[0]
    return images[labels == 8][:, 0].numpy()


def detector(mode: str = "o", **arguments) -> Detector:
    return Detector(mode, **{"epochs": 1, "resize": 32, "progress": False} | arguments)


@pytest.mark.slow
def test_threads_train_what_each_would_alone():
    """And torch is left as it was."""
    threads = torch.get_num_threads()
    alone = [detector(seed=seed).fit(eights()).threshold_ for seed in (0, 1)]
    with ThreadPoolExecutor(2) as pool:
        each = [pool.submit(detector(seed=seed).fit, eights()) for seed in (0, 1)]
        together = [trained.result().threshold_ for trained in each]
    assert together == alone
    assert torch.get_num_threads() == threads


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_leaves_the_run_to_its_parent():
    owner = detector("pca").fit(eights())
    child = multiprocessing.get_context("fork").Process(target=owner.__dict__.clear)
    child.start()
    child.join()
    assert owner.run_.folder.exists()


def test_a_threshold_is_normal_in_every_batch():
    """Equal images have equal scores but for rounding, which must not decide."""
    same = np.full((20, 32, 32), 0.5)
    constant = detector().fit(same)
    assert {constant.is_novel(same[:n]).any() for n in (1, 3, 20)} == {np.False_}


def test_it_says_what_the_threshold_rests_on(capsys):
    detector("pca", progress=None, name="told").fit(eights()[:9])
    assert "the threshold rests on 1 held-out image" in capsys.readouterr().err
