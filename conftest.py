"""Tests and notebooks train from scratch: no result of an earlier checkout can make them pass."""

import atexit
import os
import shutil
import tempfile


def pytest_configure(config):
    if hasattr(config, "workerinput"):
        return  # one of several processes, which share what the first one made
    os.environ["RSCVAE_RUNS"] = scratch = tempfile.mkdtemp(prefix="rscvae-runs-")
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
