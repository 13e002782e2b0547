"""The evaluated epochs of many runs in one table."""

import pandas as pd
import pytest

from rscvae_lab.cli import main
from rscvae_lab.errors import InputError
from rscvae_lab.runs import Run, histories
from rscvae_lab.storage.files import project_root


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A sweep's folder: two VAEs, evaluated after two of four epochs, and a floor."""
    folder = tmp_path_factory.mktemp("sweep")
    command = ["sweep", "--categories", "3", "--methods", "vae,e_all,pca", "--epochs", "4"]
    assert main([*command, "--set", "evaluate_every=2", "--set", "js=jeffreys",
                 "--jobs", "1", "--out", str(folder / "x.csv")]) == 0
    return folder / "x.runs"


def test_the_table_has_every_evaluated_epoch_once(runs, tmp_path, capsys):
    out = tmp_path / "epochs.csv"
    for _ in range(2):
        assert main(["gather", str(runs), "--out", str(out)]) == 0
        assert "the evaluated epochs of 2 runs" in capsys.readouterr().out
    table = histories.read(out)
    assert list(zip(table.method, table.epoch)) == [
        ("e_all", 2), ("e_all", 4), ("vae", 2), ("vae", 4)]
    assert set(table.js) == {"jeffreys"}
    for folder in runs.glob("3-[ev]*"):
        run = Run.load(folder)
        rows = table[table.config_hash == run.config.config_hash]
        there = run.history.dropna(subset="auroc")
        for name in ("auroc", *histories.TERMS):  # a VAE has no second code in training
            expected = pytest.approx(there[name].tolist(), rel=1e-5, nan_ok=True)
            assert rows[name].tolist() == expected


def test_a_folder_without_runs_is_refused(tmp_path, capsys):
    messages = {tmp_path: "found none in", tmp_path / "nowhere": "found no folder"}
    for folder, message in messages.items():
        assert main(["gather", str(folder), "--out", str(tmp_path / "x.csv")]) == 2
        assert f"expected folders with finished runs, {message}" in capsys.readouterr().err
    assert not (tmp_path / "x.csv").exists()


def test_runs_are_added_one_by_one(runs, tmp_path):
    """A run's identity may look like a number."""
    first, second = sorted(runs.glob("3-[ev]*"))
    out = tmp_path / "epochs.csv"
    histories.gather([first], out)
    alike = out.read_text("utf-8").replace(Run.load(first).config.config_hash, "87619990e401")
    out.write_text(alike, "utf-8")
    assert histories.gather([first], out) == 2
    assert "87619990e401" in set(histories.read(out).config_hash)
    out.unlink()
    assert [histories.gather([folder], out) for folder in (second, first, second)] == [1, 2, 2]
    assert len(histories.read(out)) == 4


def test_another_table_is_not_replaced(runs, tmp_path):
    (tmp_path / "mine.csv").write_text("a,b\n1,2\n", "utf-8")
    with pytest.raises(InputError, match="found another file"):
        histories.gather([runs], tmp_path / "mine.csv")
    assert (tmp_path / "mine.csv").read_text("utf-8") == "a,b\n1,2\n"


@pytest.mark.parametrize("content, found", [(None, "no such file"), ("a,b\n1,2\n", "another")])
def test_only_its_own_table_is_read(content, found, tmp_path):
    if content:
        (tmp_path / "mine.csv").write_text(content, "utf-8")
    with pytest.raises(InputError, match=f"expected a table of rscvae gather .* found {found}"):
        histories.read(tmp_path / "mine.csv")


@pytest.mark.parametrize("name", ["length", "length_j4"])
def test_the_stored_epochs_are_those_of_the_stored_rows(name):
    epochs = histories.read(f"results/{name}_history.csv").set_index("config_hash")
    rows = pd.read_csv(project_root() / f"results/{name}.csv", dtype={"category": str})
    rows = rows[rows.method != "vae"]  # whose row is scored by l_recon alone
    assert set(rows.config_hash) == set(epochs.index)
    for row in rows.itertuples():
        auroc = epochs.loc[row.config_hash].set_index("epoch").auroc
        found = auroc[450], auroc.max(), auroc[500]
        assert found == pytest.approx((row.auroc, row.auroc_best, row.auroc_final), abs=1e-5)
