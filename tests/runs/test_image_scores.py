"""Scores of every image in one file: what one computes from them is what the runs say."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from rscvae_lab.cli import main
from rscvae_lab.errors import InputError
from rscvae_lab.runs import Run, image_scores
from rscvae_lab.storage.files import project_root


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A sweep's folder of five runs."""
    folder = tmp_path_factory.mktemp("sweep")
    command = ["sweep", "--categories", "3", "--methods", "o,e,e_all,pca", "--epochs", "3"]
    assert main([*command, "--jobs", "1", "--out", str(folder / "x.csv")]) == 0
    return folder / "x.runs"


def auroc(entries: dict[str, np.ndarray], run: str) -> float:
    """Eq. 15 with alpha 0.5 and means over the test images, by numpy and scikit-learn alone."""
    recon, mut = entries[run].astype(float)
    novel = entries["/".join(run.split("/")[:2]) + "/novel"]
    return roc_auc_score(novel, recon / recon.mean() + mut / mut.mean())


def test_aurocs_follow_from_the_file(runs, tmp_path, capsys):
    assert main(["gather", str(runs), "--out", str(tmp_path / "scores.npz")]) == 0
    assert "the scores of 3 runs" in capsys.readouterr().out  # a floor has a score of its own
    entries = image_scores.read(tmp_path / "scores.npz")
    names = [f"digits/3/{row}/seed-0" for row in ("e", "e_all", "o")]
    assert sorted(name for name in entries if "seed" in name) == sorted(
        [*names, *(f"{name}/config" for name in names)])
    for folder in runs.glob("3-[oe]-*"):
        run = Run.load(folder)
        name = image_scores.key(run.config)
        assert auroc(entries, name) == pytest.approx(run.metrics["auroc"], abs=2e-3)
        assert entries[f"{name}/config"] == run.config.config_hash
    assert entries["digits/3/index"].tolist() == pd.read_csv(folder / "scores.csv")[
        "index"].tolist()


def test_runs_are_added_and_those_of_other_test_images_refused(runs, tmp_path):
    out, (first, second) = tmp_path / "scores.npz", sorted(runs.glob("3-e-*"))
    assert [image_scores.gather([folder], out) for folder in (first, second, first)] == [1, 2, 2]
    shutil.copytree(first, tmp_path / "other")
    scores = pd.read_csv(first / "scores.csv")
    scores.assign(label=1 - scores.label).to_csv(tmp_path / "other" / "scores.csv", index=False)
    before = out.read_bytes()
    with pytest.raises(InputError, match="expected the test images of digits/3"):
        image_scores.gather([tmp_path / "other"], out)
    assert out.read_bytes() == before


def test_two_runs_of_one_name_are_refused(runs, tmp_path):
    """They differ in a setting that the name does not have."""
    first = next(runs.glob("3-o-*"))
    other = shutil.copytree(first, tmp_path / "other")
    config = json.loads((other / "config.json").read_text("utf-8"))
    (other / "config.json").write_text(json.dumps(config | {"lambda_consist": 0.5}), "utf-8")
    out, refusal = tmp_path / "scores.npz", "expected one run of digits/3/o/seed-0, found"
    with pytest.raises(InputError, match=refusal):
        image_scores.gather([first, other], out)
    image_scores.gather([first], out)
    with pytest.raises(InputError, match=refusal):
        image_scores.gather([other], out)


def test_errors_beyond_half_precision_are_kept(runs, tmp_path):
    shutil.copytree(next(runs.glob("3-o-*")), tmp_path / "large")
    scores = pd.read_csv(tmp_path / "large" / "scores.csv")
    large = scores.assign(l_recon=1000 * scores.l_recon)
    large.to_csv(tmp_path / "large" / "scores.csv", index=False)
    image_scores.gather([tmp_path / "large"], tmp_path / "scores.npz")
    recon, _ = image_scores.read(tmp_path / "scores.npz")["digits/3/o/seed-0"]
    assert recon.max() > 65_504 and np.allclose(recon, large.l_recon)


def test_another_file_is_not_replaced(runs, tmp_path):
    (tmp_path / "notes.npz").write_text("mine", "utf-8")
    with pytest.raises(InputError, match="found another file"):
        image_scores.gather([runs], tmp_path / "notes.npz")
    with pytest.raises(InputError, match="expected scores that rscvae gather wrote"):
        image_scores.read(tmp_path / "notes.npz")


@pytest.mark.parametrize("scores, table, least", [("scores", "literal", 70),
                                                  ("scores_gpu", "literal_gpu", 220)])
def test_the_stored_scores_are_those_of_the_stored_rows(scores, table, least):
    entries = image_scores.read(project_root() / "results" / f"{scores}.npz")
    rows = pd.read_csv(project_root() / "results" / f"{table}.csv", dtype={"category": str})
    rows = rows[rows.method != "vae"]  # whose row is scored by l_recon alone
    mode = rows.method.replace("recode_vae", "vae")
    mode = mode.where(rows.anomaly_base == "class", "e_all")
    names = rows.dataset + "/" + rows.category + "/" + mode + "/seed-" + rows.seed.astype(str)
    known = dict(zip(names, rows.auroc, strict=True))
    stored = [name for name in entries if "/seed-" in name]
    assert len(stored) >= least
    for name in stored:
        assert auroc(entries, name) == pytest.approx(known[name], abs=1e-3), name
