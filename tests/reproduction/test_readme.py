"""The README's tables from made-up boards."""

import numpy as np
import pandas as pd
import pytest

from rscvae_lab.reproduction import readme


@pytest.mark.parametrize("own, lines", [(0.975, 5), (np.nan, 4)])
def test_compared_methods_by_source(own, lines):
    rows = {
        ("pca", "ours"): [0.959, np.nan, 1, np.nan, 0.7],
        ("ocgan", "printed"): [0.9751, *[np.nan] * 4],
        ("ocgan", "ours"): [0.962, 0.002, 2, 8400, 107.4],
    }
    if own == own:
        rows["ocgan", "own paper"] = [own, *[np.nan] * 4]
    board = pd.DataFrame(rows, index=["mean", "spread", "n_seeds", "steps", "seconds"]).T
    found = readme.compared_rows("MNIST", board, ["pca", "ae", "ocgan"])
    assert len(found) == lines
    assert found[0] == "| MNIST: paper, mean of its rows | – | – | 0.975 |"
    assert found[-3] == "| ours, 2 seeds | 0.959 | – | 0.962 ± 0.002 |"
    assert found[-2] == "| optimizer steps per class | – | – | 8,400 |"
    assert found[-1].endswith("| 0.7 | – | 107 |")
