"""What README and CONTRIBUTING tell users to type works."""

import json
import re
import subprocess
import sys

import pandas as pd
import pytest

from rscvae_lab.runs import Run
from rscvae_lab.storage.files import project_root

pytestmark = pytest.mark.slow


def code(document: str, containing: str) -> str:
    text = (project_root() / document).read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.S)
    (block,) = (block for block in blocks if containing in block)
    return block


def execute(block: str, folder) -> list[str]:
    """What a block prints, run as a script in an empty folder."""
    (folder / "script.py").write_text(block, "utf-8")
    done = subprocess.run([sys.executable, "-W", "error::UserWarning", "script.py"], cwd=folder,
                          capture_output=True, encoding="utf-8", timeout=600)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_own_arrays_in_twenty_lines(tmp_path):
    block = code("README.md", "Detector(mode=")
    assert len(block.splitlines()) <= 20
    auroc, share, fingerprint = execute(block, tmp_path)
    assert float(auroc.split()[1]) > 0.85
    assert 0.5 < float(share.split()[2]) < 1
    config = Run.load(tmp_path / "runs" / "my-eights").config
    assert (config.dataset, config.data) == ("arrays", fingerprint.split()[0])


def test_a_loss_is_added_as_contributing_says(tmp_path):
    """Its loss is on the record, and another one in its place is another run."""
    block = code("CONTRIBUTING.md", "METHODS[")
    (first,) = execute(block, tmp_path)
    run = tmp_path / "runs" / "squared"
    objective = json.loads((run / "config.json").read_text("utf-8"))["objective"]
    assert objective == first.split()[0] and len(objective) == 12
    history = pd.read_csv(run / "history.csv")
    assert (history.loss < history.recon).all(), "squares of grey levels are below their sizes"
    changed = block.replace(".square()", ".abs()")
    with pytest.raises(AssertionError, match="holds the run of another config"):
        execute(changed, tmp_path)
    commented = block.replace("    return", "    # as before\n    return")
    assert execute(commented, tmp_path) == [first]


def test_an_encoder_is_added_as_contributing_says(tmp_path):
    (line,) = execute(code("CONTRIBUTING.md", "Detector(encoder="), tmp_path)
    assert line.startswith("__main__:Patches ")
    assert float(line.split()[-1]) > 0


def test_a_training_is_followed_in_tensorboard(tmp_path):
    pytest.importorskip("tensorboard", reason="pip install tensorboard")
    execute(code("README.md", "SummaryWriter"), tmp_path)
    assert list((tmp_path / "runs" / "board").glob("events*"))
