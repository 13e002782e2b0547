"""Tests and notebooks train from scratch: no result of an earlier checkout can make them pass.

They train on the CPU, on a machine with a GPU too, unless RSCVAE_DEVICE says otherwise;
`tests/test_gpu.py` names its device itself.
"""

import atexit
import os
import shutil
import tempfile


def pytest_configure(config):
    if hasattr(config, "workerinput"):
        return  # one of several processes, which share what the first one made
    os.environ.setdefault("RSCVAE_DEVICE", "cpu")
    os.environ["RSCVAE_RUNS"] = scratch = tempfile.mkdtemp(prefix="rscvae-runs-")
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
