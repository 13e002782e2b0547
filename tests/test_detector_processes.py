"""Detector beside other threads and processes, and what it says of itself."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from arrays import detector, eights

from rscvae_lab.errors import warn_once


@pytest.mark.slow
def test_threads_train_what_each_would_alone():
    alone = [detector(seed=seed).fit(eights()).threshold_ for seed in (0, 1)]
    with ThreadPoolExecutor(2) as pool:
        each = [pool.submit(detector(seed=seed).fit, eights()) for seed in (0, 1)]
        together = [trained.result().threshold_ for trained in each]
    assert together == alone


def test_torch_keeps_its_number_of_threads():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        detector("pca").fit(eights())
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_leaves_the_run_to_its_parent():
    program = """
import os, sys
from arrays import detector, eights
owner = detector("pca").fit(eights())
child = os.fork()
if not child:
    sys.exit()
os.waitpid(child, 0)
sys.exit(not owner.run_.folder.exists())
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parent, check=False)
    assert done.returncode == 0


def test_a_threshold_is_normal_in_every_batch():
    """Equal images have equal scores but for rounding, which must not decide."""
    same = np.full((20, 32, 32), 0.5)
    constant = detector().fit(same)
    assert {constant.is_novel(same[:n]).any() for n in (1, 3, 20)} == {np.False_}


def test_it_says_what_the_threshold_rests_on(capsys):
    warn_once.cache_clear()  # of what other tests were told
    detector("pca", progress=None, name="told").fit(eights()[:9])
    assert "the threshold rests on 1 held-out image" in capsys.readouterr().err
