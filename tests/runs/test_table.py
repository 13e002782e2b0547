"""Tables of older versions are read, and go on, with today's columns."""

import shutil

import pandas as pd

from rscvae_lab.config import Config
from rscvae_lab.reproduction import scoreboard
from rscvae_lab.runs import ROW_NAMES
from rscvae_lab.runs.table import Table
from rscvae_lab.storage.files import project_root
from rscvae_lab.trainers import train


def test_a_table_without_todays_columns_keeps_its_rows(tmp_path):
    older = project_root() / "results" / "synthetic.csv"
    path = shutil.copy(older, tmp_path / "x.csv")
    former = pd.read_csv(older, dtype=str, keep_default_na=False)
    missing = set(ROW_NAMES) - set(former)
    assert {"false_alarms_low", "false_alarms_high", "data"} <= missing
    assert scoreboard.stored("synthetic").false_alarms_low.isna().all()
    config = Config(mode="pca")
    rows = train(config, tmp_path / "run", progress=False).result_rows()
    Table(path, [(config,)]).add(rows)
    now = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert list(now) == list(ROW_NAMES)
    assert (now[list(former)].iloc[:-1] == former).all(axis=None)
    assert now.false_alarms_low.iloc[0] == ""
    assert 0 < float(now.false_alarms_low.iloc[-1]) < 0.05 < float(now.false_alarms_high.iloc[-1])
