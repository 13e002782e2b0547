"""results/second_code.py: the second code with three choices of batch statistics."""

import runpy

import pandas as pd
import pytest

from rscvae_lab.config import Config
from rscvae_lab.errors import InputError
from rscvae_lab.runs import Run
from rscvae_lab.storage.files import project_root
from rscvae_lab.trainers import train


@pytest.fixture(scope="module")
def main():
    return runpy.run_path(str(project_root() / "results" / "second_code.py"))["main"]


def test_the_rows_are_those_of_the_run(main, short_run, tmp_path):
    assert main([str(short_run.folder.parent)], tmp_path / "x.csv") == 1
    table = pd.read_csv(tmp_path / "x.csv").set_index("statistics")
    both, first, own = table.loc["both"], table.loc["first"], table.loc["own"]
    normal = Run.load(short_run.folder).scores.query("label == 0")
    assert both.auroc == pytest.approx(short_run.metrics["auroc"], abs=2e-4)
    assert both.l_recon == pytest.approx(normal.l_recon.mean(), rel=1e-4)
    assert both.l_mut == pytest.approx(normal.l_mut.mean(), rel=1e-3)
    same = ["l_recon", "l_enc1", "auroc_recon"]  # the first pass of `own` is that of `first`
    assert own[same].tolist() == first[same].tolist() and own.l_enc2 != first.l_enc2
    assert first.l_enc1 != both.l_enc1


def test_runs_are_added_to_a_table(main, short_run, tmp_path):
    other = train(Config(mode="vae", epochs=1), tmp_path / "other", progress=False)
    out = tmp_path / "x.csv"
    assert [main([str(run.folder.parent)], out) for run in (short_run, other, other)] == [1, 2, 2]
    table = pd.read_csv(out)
    assert len(table) == 6
    assert set(table.method) == {"o", "vae"}


def test_the_stored_table_scores_the_stored_runs():
    """Scored as the sweep scored them, they have its AUROCs."""
    second, *rows = (pd.read_csv(project_root() / f"results/{name}.csv").set_index("config_hash")
                     for name in ("second_code", "length", "length_j4"))
    rows = pd.concat(rows).query("method != 'vae'").auroc  # whose row is that of l_recon
    both = second[second.statistics == "both"].auroc
    assert len(both) >= 7 and abs(both - rows[both.index]).max() < 1e-3


def test_another_table_is_not_replaced(main, short_run, tmp_path):
    (tmp_path / "mine.csv").write_text("a,b\n1,2\n", "utf-8")
    with pytest.raises(InputError, match=r"mine\.csv"):
        main([str(short_run.folder.parent)], tmp_path / "mine.csv")
    assert (tmp_path / "mine.csv").read_text("utf-8") == "a,b\n1,2\n"


def test_folders_without_runs_are_refused(main, tmp_path):
    with pytest.raises(InputError, match=r"expected finished runs of VAEs in .*, found none"):
        main([str(tmp_path)], tmp_path / "x.csv")
