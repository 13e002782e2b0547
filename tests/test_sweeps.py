"""A sweep's table: every result once, whatever is stopped, killed or fails on the way."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace

import pandas as pd
import pytest
from filelock import FileLock

from rscvae_lab import sweeps
from rscvae_lab.cli import main
from rscvae_lab.config import Config
from rscvae_lab.errors import InputError
from rscvae_lab.methods import METHODS, Method
from rscvae_lab.runs import ROW_NAMES, Run
from rscvae_lab.runs.folder import LOCK
from rscvae_lab.sweeps import plan, sweep

pytestmark = pytest.mark.slow

TIMES = ["seconds", "images_per_second"]
SHORT = {"epochs": 2}


def read(path) -> pd.DataFrame:
    return pd.read_csv(path).drop(columns=TIMES)


def test_a_plan_is_every_combination_once():
    units = plan("digits", "3,8,3", "vae,recode_vae,o", "0,1", SHORT)
    assert [(c.seed, c.category, c.mode) for (c,) in units] == [
        (seed, category, mode)
        for seed in (0, 1)
        for category in ("3", "8")
        for mode in ("vae", "o")
    ]
    assert all(config.threads == 1 for (config,) in units)
    assert plan("digits", "3", "o", "0", {"threads": 2})[0][0].threads == 2


def test_e_all_is_mode_e_with_anomalies_of_the_whole_training_set():
    units = plan("digits", "8", "e,e_all", "0", {"anomaly_base": "class"})
    assert [(config.mode, config.anomaly_base) for (config,) in units] == [
        ("e", "class"), ("e", "training_set"),
    ]


def test_on_a_gpu_a_plan_is_ensembles_of_models_that_recode_alike():
    units = plan("mnist", "all", "vae,o,d,e,pca", "0,1", {"device": "cuda", "scale": "paper"})
    assert [len(unit) for unit in units] == [1] * 20 + [40, 20, 20]
    assert {config.mode for config in units[-1]} == {"vae"}
    assert all(config.stack == 40 and config.precision == "tf32" for config in units[20])
    larger = plan("mnist", "all", "o,d,e", "0,1,2", {"device": "cuda"}, stack=90)
    assert [len(unit) for unit in larger] == [90]
    with pytest.raises(InputError, match="at least one model in an ensemble, found a stack of 0"):
        plan("mnist", "all", "o", "0", {"device": "cuda"}, stack=0)


def test_models_with_a_loss_or_settings_of_their_own_are_in_other_ensembles(monkeypatch):
    own = Method("own", "black", objective=lambda x, coding, terms, y, weights: terms.recon)
    monkeypatch.setitem(METHODS, "own", own)
    monkeypatch.setitem(METHODS, "large", Method("large", "black", settings={"batch_size": 64}))
    units = plan("digits", "1,2", "o,own,large,d,vae", "0", {"device": "cuda"})
    assert [{config.mode for config in unit} for unit in units] == [
        {"o", "d"}, {"own"}, {"large"}, {"vae"},
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("arrays", "all", "o", "0"), "expected a data set on disk, found arrays"),
        (("digits", "11", "o", "0"), "unknown category"),
        (("digits", "1", "z", "0"), "unknown mode"),
        (("digits", "1", "o", "zero"), "seeds expects integers"),
        (("digits", "1", "", "0"), "expected names"),
        (("letters", "1", "o", "0"), "unknown data set"),
    ],
)
def test_a_wrong_plan_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        plan(*arguments, SHORT)


def test_what_a_sweep_varies_is_no_setting():
    with pytest.raises(InputError, match="expected no setting seed: a sweep sets it"):
        plan("digits", "8", "o", "0", {"seed": 3})


def test_half_a_result_is_none(tmp_path):
    units = plan("digits", "8", "vae", "0", SHORT)
    sweep(units, tmp_path / "x.csv", jobs=1)
    whole = (tmp_path / "x.csv").read_text("utf-8")
    (tmp_path / "x.csv").write_text("".join(whole.splitlines(keepends=True)[:2]), "utf-8")
    sweep(units, tmp_path / "x.csv", jobs=1)
    assert (tmp_path / "x.csv").read_text("utf-8") == whole


def test_a_sweep_leaves_rows_and_runs(tmp_path, capsys):
    out = tmp_path / "deep" / "x.csv"
    arguments = [
        "sweep",
        "--categories",
        "3,8",
        "--methods",
        "vae,o,pca",
        "--epochs",
        "2",
        "--out",
        str(out),
    ]
    assert main(arguments) == 0
    assert "6 of 6 runs" in capsys.readouterr().out
    table = pd.read_csv(out)
    assert list(table) == list(ROW_NAMES)
    assert list(table.method) == ["vae", "recode_vae", "o", "pca"] * 2
    assert not table.duplicated(["config_hash", "method"]).any()
    written = out.read_bytes()
    assert main(arguments) == 0, "what is finished is not trained again"
    assert out.read_bytes() == written
    folders = [folder for folder in out.with_suffix(".runs").iterdir() if folder.is_dir()]
    rows = [row for folder in folders for row in Run.load(folder).result_rows()]
    assert {row["config_hash"] for row in rows} == set(table.config_hash)


def test_rows_of_another_sweep_are_kept_as_they_are(tmp_path):
    out = tmp_path / "x.csv"
    sweep(plan("digits", "8", "pca", "0", {}), out)
    first = out.read_text("utf-8")
    sweep(plan("digits", "3", "pca", "0", {}), out)
    assert out.read_text("utf-8").startswith(first)
    assert len(pd.read_csv(out)) == 2


def test_a_failed_run_is_reported_and_stops_no_other(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RSCVAE_DATA", str(tmp_path / "nothing"))
    good, bad = plan("digits", "8", "pca", "0", {})[0], plan("mnist", "8", "pca", "0", {})[0]
    failures = sweep([bad, good], tmp_path / "x.csv", jobs=1)
    assert len(failures) == 1
    assert "mnist 8, pca, seed 0: expected" in failures[0].failure
    assert "mnist 8, pca" in capsys.readouterr().err
    assert list(pd.read_csv(tmp_path / "x.csv").dataset) == ["digits"]


def test_a_process_that_dies_is_tried_again_then_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(sweeps, "train_in_worker", _die)
    failures = sweep(plan("digits", "8", "pca", "0", {}), tmp_path / "x.csv", jobs=2)
    assert [outcome.failure for outcome in failures] == [
        "digits 8, pca, seed 0: its process was killed; is memory short?"
    ]


def _die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_is_no_table_of_ours_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n", "utf-8")
    with pytest.raises(InputError, match="found another file"):
        sweep(plan("digits", "8", "pca", "0", {}), tmp_path / "x.csv")
    assert (tmp_path / "x.csv").read_text("utf-8") == "a,b\n1,2\n"
    (tmp_path / "z.csv").write_bytes(b"")
    with pytest.raises(InputError, match="found something else"):
        sweep([], tmp_path / "z.csv")
    with pytest.raises(InputError, match=r"expected a new \.csv file"):
        sweep([], tmp_path)
    with pytest.raises(InputError, match="at least one job"):
        sweep([], tmp_path / "y.csv", jobs=0)
    with pytest.raises(InputError, match="expected backend"):
        sweep([], tmp_path / "y.csv", backend="dask")
    assert not list(tmp_path.glob("*.runs"))


def test_two_sweeps_do_not_write_to_one_table(tmp_path):
    (tmp_path / "x.runs").mkdir()
    with (
        FileLock(tmp_path / "x.runs" / LOCK),
        pytest.raises(InputError, match="another sweep is writing"),
    ):
        sweep(plan("digits", "8", "pca", "0", {}), tmp_path / "x.csv")


def command(out, *more: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "rscvae_lab",
        "sweep",
        "--categories",
        "3,8",
        "--methods",
        "vae,o,e",
        "--epochs",
        "30",
        "--out",
        str(out),
        *more,
    ]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The table of a sweep, and the seconds that it takes here."""
    out, start = tmp_path_factory.mktemp("sweep") / "x.csv", time.monotonic()
    subprocess.run(command(out), check=True, capture_output=True)
    return read(out), time.monotonic() - start


def test_five_kills_change_nothing(undisturbed, tmp_path):
    """SIGKILL of the sweep alone, at random moments of its life."""
    out, chance, (whole, seconds) = tmp_path / "x.csv", random.Random(0), undisturbed
    for _ in range(5):
        process = subprocess.Popen(
            command(out), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        time.sleep(chance.uniform(0.2, 0.9) * seconds)
        process.kill()
        process.wait()
        if out.exists():
            assert not read(out).duplicated(["config_hash", "method"]).any()
    subprocess.run(command(out), check=True, capture_output=True)
    pd.testing.assert_frame_equal(read(out), whole)


@pytest.fixture
def cluster():
    """A Dask scheduler and two workers as processes of this machine: its address, and the
    workers."""
    pytest.importorskip("distributed", reason="the extra [dask] is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address, dask = f"tcp://127.0.0.1:{port}", [sys.executable, "-m"]
    worker = [
        *dask,
        "distributed.cli.dask_worker",
        address,
        "--nthreads",
        "2",
        "--no-nanny",
        "--no-dashboard",
    ]
    commands = [
        [*dask, "distributed.cli.dask_scheduler", "--port", str(port), "--no-dashboard"],
        worker,
        worker,
    ]
    children = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for command in commands]
    yield address, children[1:]
    for child in children:
        child.kill()
        child.wait()


def test_a_dask_worker_may_be_killed(cluster, undisturbed, tmp_path):
    (address, workers), out = cluster, tmp_path / "x.csv"
    arguments = command(out, "--backend", "dask", "--scheduler", address)
    with subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while not out.exists():
            assert process.poll() is None
            time.sleep(0.1)
        workers[0].kill()
        assert process.wait(timeout=300) == 0
    pd.testing.assert_frame_equal(read(out), undisturbed[0])
    assert (
        len([Run.load(folder) for folder in (tmp_path / "x.runs").iterdir() if folder.is_dir()])
        == 6
    )


def test_no_cluster_is_said_in_words(tmp_path):
    with pytest.raises(InputError, match="expected a Dask scheduler"):
        sweep(
            [(Config(mode="pca"),)],
            tmp_path / "x.csv",
            backend="dask",
            scheduler="tcp://127.0.0.1:1",
        )


def test_a_distant_run_comes_home_whole(tmp_path):
    unit = (replace(Config(mode="pca"), threads=1),)
    outcome = sweeps.train_remotely(unit)
    sweeps.store_runs(outcome.files, tmp_path)
    (folder,) = tmp_path.iterdir()
    assert Run.load(folder).result_rows()[0]["auroc"] == outcome.rows[0]["auroc"]
