"""Training repeats to the byte, survives being killed, learns, and says when it cannot."""

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest

from rscvae_lab import losses
from rscvae_lab.config import Config
from rscvae_lab.errors import InputError
from rscvae_lab.methods import METHODS, Method
from rscvae_lab.runs import ROW_NAMES, Run
from rscvae_lab.trainers import train, trained

pytestmark = pytest.mark.slow

RUN_FILES = {
    "config.json",
    "weights.safetensors",
    "history.csv",
    "scores.csv",
    "metrics.json",
    "log.txt",
}
METRICS = """auroc auroc_recon auroc_mut auroc_heldout_norm auroc_best auroc_final threshold s_a
    s_a_test_mean s_a_spearman n_train n_heldout n_anomalous_train n_test_normal n_test_novel
    epochs seed scale seconds images_per_second device torch commit""".split()
HISTORY = """epoch loss recon enc1 enc2 mut consist anomalous learning_rate seconds auroc
    auroc_recon auroc_mut enc1_novel""".split()


def weights(folder) -> bytes:
    return (folder / "weights.safetensors").read_bytes()


@pytest.mark.parametrize("mode", ["vae", "o", "d", "e", "pca"])
def test_a_run_leaves_its_files_and_every_metric(mode, tmp_path):
    run = train(Config(mode=mode, epochs=2), tmp_path, progress=False)
    assert {file.name for file in tmp_path.iterdir()} == RUN_FILES
    metrics = json.loads((tmp_path / "metrics.json").read_text("utf-8"))
    assert list(metrics)[:23] == METRICS
    is_vae = mode != "pca"
    missing = {name for name in METRICS if metrics[name] is None}
    assert missing <= (
        {"commit"}
        if is_vae
        else {
            "commit",
            "auroc_recon",
            "auroc_mut",
            "auroc_heldout_norm",
            "epochs",
            "s_a",
            "s_a_test_mean",
            "s_a_spearman",
        }
    )
    assert 0 < metrics["auroc_validation"] <= 1
    assert list(run.scores) == ["index", "label", "l_recon", "l_mut", "l_enc1", "novelty_score"]
    assert run.scores.notna().all().all() == is_vae
    assert list(run.history) == HISTORY
    assert list(run.history.epoch) == ([1, 2] if is_vae else [])


def test_the_metrics_follow_from_the_scores(short_run):
    """Eq. 15 by hand from scores.csv, against a rank-sum count of pairs."""
    scores, metrics = short_run.scores, short_run.metrics
    paper_score = (
        0.5 * scores.l_mut / scores.l_mut.mean() + 0.5 * scores.l_recon / scores.l_recon.mean()
    )
    n_novel, n_normal = metrics["n_test_novel"], metrics["n_test_normal"]
    for name, score in {
        "auroc": paper_score,
        "auroc_recon": scores.l_recon,
        "auroc_mut": scores.l_mut,
        "auroc_heldout_norm": scores.novelty_score,
    }.items():
        rank_sum = score.rank()[scores.label == 1].sum()
        by_hand = (rank_sum - n_novel * (n_novel + 1) / 2) / (n_novel * n_normal)
        assert metrics[name] == pytest.approx(by_hand)
    normal = scores[scores.label == 0]
    ratio = normal.l_mut / normal.l_recon * normal.l_recon.mean() / normal.l_mut.mean()
    assert metrics["s_a"] == pytest.approx(ratio.std(ddof=0))
    over_all = normal.l_mut / normal.l_recon * scores.l_recon.mean() / scores.l_mut.mean()
    assert metrics["s_a_test_mean"] == pytest.approx(over_all.std(ddof=0))
    assert metrics["s_a_relative"] == pytest.approx(ratio.std(ddof=0) / ratio.mean())
    assert metrics["s_a_spearman"] == pytest.approx(
        normal.l_mut.corr(normal.l_recon, method="spearman")
    )


def test_training_learns_to_tell_novel_from_normal(short_run):
    """A flipped score, a KL forced to zero or an untrained network fails here."""
    assert short_run.metrics["auroc"] >= 0.85
    history = short_run.history
    assert history.recon.iloc[-1] < 0.6 * history.recon.iloc[0]
    assert 2 < history.enc1.iloc[-1] < 40  # nats: neither collapsed nor unregularised
    measured = short_run.scores.l_enc1[short_run.scores.label == 1].mean()
    assert history.enc1_novel.iloc[-1] == pytest.approx(measured)
    novel, normal = (
        short_run.scores.novelty_score[short_run.scores.label == label].mean() for label in (1, 0)
    )
    assert novel > 1.2 * normal


def test_a_history_of_an_older_version_can_be_read(short_run, tmp_path):
    """It lacks the novel images' information, which is then unknown, and nothing else."""
    folder = shutil.copytree(short_run.folder, tmp_path / "old")
    pd.read_csv(folder / "history.csv").iloc[:, :-1].to_csv(folder / "history.csv", index=False)
    history = Run.load(folder).history
    assert list(history) == HISTORY
    assert history.enc1_novel.isna().all()
    assert history.auroc.equals(short_run.history.auroc)


@pytest.mark.parametrize("mode", ["vae", "d", "e"])
def test_the_same_seed_gives_the_same_bytes(mode, tmp_path):
    one, two, other = (
        train(Config(mode=mode, epochs=2, seed=seed), tmp_path / name, progress=False)
        for name, seed in (("one", 3), ("two", 3), ("other", 4))
    )
    assert weights(one.folder) == weights(two.folder)
    assert weights(one.folder) != weights(other.folder)
    pd.testing.assert_frame_equal(one.scores, two.scores)


def command(folder, *extra):
    return [
        sys.executable,
        "-m",
        "rscvae_lab",
        "train",
        "--mode",
        "d",
        "--epochs",
        "60",
        "--out",
        str(folder),
        *extra,
    ]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    subprocess.run(command(folder), check=True, capture_output=True)
    return weights(folder)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM", "SIGINT"])
def test_a_stopped_run_resumes_to_the_same_bytes(how, undisturbed, tmp_path):
    # a job in the background ignores them
    heed_interrupts = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    process = subprocess.Popen(
        command(tmp_path), stderr=subprocess.PIPE, encoding="utf-8", preexec_fn=heed_interrupts
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "state.safetensors").exists():
        assert process.poll() is None, "the run ended before its state was ever saved"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(getattr(signal, how))
    _, message = process.communicate()
    assert not (tmp_path / "metrics.json").exists(), "the run was stopped too late for this test"
    if how != "SIGKILL":
        assert process.returncode == 130
        assert "--resume" in message.strip().splitlines()[-1]
    refused = subprocess.run(command(tmp_path), capture_output=True, encoding="utf-8")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "add --resume" in refused.stderr
    subprocess.run(command(tmp_path, "--resume"), check=True, capture_output=True)
    assert weights(tmp_path) == undisturbed
    assert {file.name for file in tmp_path.iterdir()} == RUN_FILES


def test_a_finished_run_is_left_alone_and_another_config_refused(tmp_path):
    run = train(Config(epochs=1), tmp_path, progress=False)
    stamp = (tmp_path / "weights.safetensors").stat().st_mtime_ns
    assert train(Config(epochs=1), tmp_path, progress=False).metrics == run.metrics
    assert (tmp_path / "weights.safetensors").stat().st_mtime_ns == stamp
    with pytest.raises(InputError, match=r"another config \(epochs is 1 there and 2 here\)"):
        train(Config(epochs=2), tmp_path, progress=False)


def test_the_store_trains_once(tmp_path, monkeypatch):
    monkeypatch.setenv("RSCVAE_RUNS", str(tmp_path))
    config = Config(epochs=1)
    run = trained(config, progress=False)
    assert run.folder == tmp_path / "store" / config.config_hash
    assert trained(config, progress=False).metrics["seconds"] == run.metrics["seconds"]


def test_paper_scale_reports_the_epoch_of_lowest_rate(tmp_path):
    """With 52 epochs the result is epoch 50; the last epoch is recorded as `auroc_final`."""
    run = train(Config(scale="paper", epochs=52, evaluate_every=25), tmp_path, progress=False)
    auroc = run.history.set_index("epoch").auroc.dropna()
    assert list(auroc.index) == [25, 50, 52]
    assert run.metrics["epochs"] == 50
    assert run.metrics["auroc"] == pytest.approx(auroc[50])
    assert run.metrics["auroc_final"] == auroc[52]
    assert run.metrics["auroc_best"] == auroc.max()


def test_divergence_is_said_in_words_and_leaves_no_result(tmp_path, monkeypatch):
    def not_a_number(x, coding, terms, y, weights):
        return float("nan") * losses.objective(terms, y, weights)

    row = Method("not a number", "black", objective=not_a_number)
    monkeypatch.setitem(METHODS, "not_a_number", row)
    message = (
        r"training diverged in epoch 1: .* found nan; try a learning_rate below 0\.001 in "
        "another folder"
    )
    with pytest.raises(InputError, match=message):
        train(Config(mode="not_a_number", epochs=2), tmp_path, progress=False)
    assert not (tmp_path / "metrics.json").exists()
    assert "training diverged in epoch 1" in (tmp_path / "log.txt").read_text("utf-8")


@pytest.mark.parametrize(
    ("mode", "has_anomalies", "has_recoding"),
    [("vae", False, False), ("o", False, True), ("d", True, True), ("e", True, True)],
)
def test_each_mode_trains_on_its_own_images_and_terms(mode, has_anomalies, has_recoding, tmp_path):
    history = train(Config(mode=mode, epochs=2, p=0.3), tmp_path, progress=False).history
    assert history.anomalous.notna().all() == history.anomalous.notna().any() == has_anomalies
    assert history.mut.notna().all() == history.mut.notna().any() == has_recoding
    if has_anomalies:
        assert (history.anomalous < history.recon).all(), (
            "no reconstruction is asked of a (pseudo-)anomaly"
        )


def test_one_vae_training_gives_two_rows(tmp_path):
    run = train(Config(mode="vae", epochs=3, evaluate_every=1), tmp_path, progress=False)
    vae, recode = run.result_rows()
    assert (vae["method"], recode["method"]) == ("vae", "recode_vae")
    assert vae["auroc"] == run.metrics["auroc_recon"]
    assert vae["auroc_best"] == run.history.auroc_recon.max()
    assert recode["auroc"] == run.metrics["auroc"]
    assert vae["auroc_heldout_norm"] == vae["auroc"] and vae["threshold"] is None
    assert vae["auroc_validation"] == run.metrics["auroc_validation_recon"]
    assert vae["auroc_final"] == run.history.auroc_recon.iloc[-1]
    assert recode["auroc_final"] == run.history.auroc.iloc[-1] != vae["auroc_final"]
    shown = 3 * 4 * 32  # epochs, steps, a batch
    assert recode["images_per_second"] == pytest.approx(shown / recode["seconds"], rel=0.01)
    assert vae["config_hash"] == recode["config_hash"]
    identity = "dataset category method config_hash beta p anomaly_base js widths".split()
    assert list(ROW_NAMES)[: len(identity + METRICS)] == identity + METRICS
    assert set(vae) == set(recode) == set(ROW_NAMES)


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path, monkeypatch):
    def no_space(source, target):
        if str(target).endswith("metrics.json"):
            raise OSError(28, "No space left on device")
        replace(source, target)

    replace = os.replace
    monkeypatch.setattr(os, "replace", no_space)
    with pytest.raises(OSError, match="No space left") as refusal:
        train(Config(epochs=1), tmp_path, progress=False)
    assert refusal.value.filename.endswith("metrics.json")
    assert not list(tmp_path.glob(".*.part"))
    monkeypatch.undo()
    assert train(Config(epochs=1), tmp_path, resume=True, progress=False).metrics["auroc"] > 0


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("dataset", "category", "name", "floor"),
    [("mnist", "8", "auroc_recon", 0.75), ("fashion_mnist", "Trouser", "auroc_recon", 0.96)],
)
def test_real_pictures_are_learnt_in_two_epochs(dataset, category, name, floor, tmp_path):
    run = train(Config(dataset=dataset, category=category, epochs=2), tmp_path, progress=False)
    assert run.metrics[name] >= floor


@pytest.mark.real_data
def test_the_floor_is_where_it_should_be(tmp_path):
    """PCA-32 on MNIST 8 scored .849 on 28x28 pixels and the whole test set; the split's seeded
    half moves it little."""
    run = train(Config(dataset="mnist", mode="pca"), tmp_path, progress=False)
    assert run.metrics["auroc"] == pytest.approx(0.849, abs=0.01)


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="no other C library is told to keep memory"
)
def test_memory_that_is_freed_is_kept_for_the_next_step():
    """64 MB written, freed and written again: 16,384 pages of 4 KB would be fetched anew."""
    code = """
import resource, torch
from rscvae_lab.config import Config
from rscvae_lab.engine.process import prepare
prepare(Config())
for _ in range(4):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    parts = [torch.ones(2**21) for _ in range(8)]
    del parts
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    fetched = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, encoding="utf-8"
    ).stdout
    assert int(fetched) < 1000
