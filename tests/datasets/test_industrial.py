"""The split of a category of industrial pictures, and what a ResNet trained on one leaves
behind."""

import shutil

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from rscvae_lab import trainers
from rscvae_lab.analysis.inspections import Inspection
from rscvae_lab.config import Config
from rscvae_lab.datasets import identified, load_split, synthetic
from rscvae_lab.datasets.industrial import kinds_of, parts_of
from rscvae_lab.datasets.one_class import OneClassSplit
from rscvae_lab.errors import InputError
from rscvae_lab.runs import Run
from rscvae_lab.runs.callbacks import Epoch
from rscvae_lab.runs.evaluation import maps_of
from rscvae_lab.runs.localization import (
    LOCAL,
    Calibration,
    local_scores,
    pixel_auroc,
    pro,
    without_each,
)
from rscvae_lab.scoring import auroc_difference_error
from rscvae_lab.trainers import train

pytestmark = pytest.mark.slow

N_TRAIN, N_GOOD, N_DEFECT = 12, 5, 4  # as in `root`
KINDS = ["good", "corner", "scratch", "spot"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    synthetic.write_set(folder, size=64, n_train=N_TRAIN, n_good=N_GOOD, n_defect=N_DEFECT)
    return folder


@pytest.fixture
def plate(root):
    """Configs of the small set by what they change."""
    return lambda **changes: Config(
        **{
            "dataset": "folder",
            "root": str(root),
            "category": "plate",
            "image_size": 64,
            "epochs": 2,
            "threads": 1,
        }
        | changes
    )


def pictures(images: torch.Tensor) -> list[bytes]:
    return [bytes(image.numpy()) for image in images]


def assert_same(one: OneClassSplit, two: OneClassSplit, *names: str) -> None:
    for name in names:
        assert torch.equal(getattr(one, name), getattr(two, name)), name


def test_counts_add_up_to_what_lies_in_the_folder(plate):
    counts = {mode: load_split(plate(mode=mode)).counts for mode in ("vae", "o", "d", "e")}
    assert counts["e"] == {
        "n_train": 11,
        "n_heldout": 1,
        "n_anomalous_train": 3,
        "n_test_normal": 5,
        "n_test_novel": 9,
    }
    for mode in ("vae", "o", "d"):
        assert counts[mode] == counts["e"] | {"n_anomalous_train": 0}


def test_no_picture_plays_two_parts(plate):
    split = load_split(plate(mode="e", heldout=0.25))
    parts = [split.train, split.heldout, split.anomalies, split.test]
    together = [picture for part in parts for picture in pictures(part)]
    assert len(set(together)) == len(together) == N_TRAIN + N_GOOD + 3 * N_DEFECT
    normal = pictures(parts_of(plate()).train)
    assert sorted(pictures(split.train) + pictures(split.heldout)) == sorted(normal)


@pytest.mark.parametrize("per_defect", [1, 2])
def test_mode_e_is_shown_so_many_of_each_defect(per_defect, plate):
    parts, split = parts_of(plate()), load_split(plate(mode="e", per_defect=per_defect))
    kind_of = dict(zip(pictures(parts.test), parts.kinds))
    shown = [kind_of[picture] for picture in pictures(split.anomalies)]
    assert sorted(shown) == sorted(per_defect * synthetic.DEFECTS)


def test_every_mode_and_seed_is_judged_on_the_same_pictures(plate):
    shown = load_split(plate(mode="e", per_defect=2))
    for mode in ("vae", "o", "d", "e", "pca"):
        other = load_split(plate(mode=mode, per_defect=2, seed=7))
        assert_same(
            shown, other, "train", "heldout", "test", "test_labels", "test_classes", "test_index"
        )
        assert not set(pictures(shown.anomalies)) & set(pictures(other.test))
        assert len(other.anomalies) == (6 if mode == "e" else 0)


def test_one_test_set_for_every_mode_and_number_of_anomalies(plate):
    """Three of each kind are set aside; seeds draw which of them are shown to mode e, and those
    shown one by one are among those shown by twos."""
    tested = load_split(plate(test_without=3))
    assert tested.counts["n_test_novel"] == 3 and tested.counts["n_test_normal"] == N_GOOD
    shown = {}
    for per_defect in (1, 2, 3):
        for seed in range(6):
            split = load_split(plate(mode="e", per_defect=per_defect, test_without=3, seed=seed))
            assert_same(tested, split, "train", "heldout", "test", "test_index")
            shown[per_defect, seed] = set(pictures(split.anomalies))
            assert len(shown[per_defect, seed]) == 3 * per_defect
            assert not shown[per_defect, seed] & set(pictures(split.test))
            assert per_defect == 1 or shown[per_defect - 1, seed] < shown[per_defect, seed]
    assert len(set(map(frozenset, (shown[1, seed] for seed in range(6))))) > 2
    assert len(set(map(frozenset, (shown[3, seed] for seed in range(6))))) == 1


def test_settings_are_chosen_on_changed_heldout_pictures_and_no_others(plate):
    split = load_split(plate(heldout=0.25))
    assert len(split.heldout) == 3 and len(split.validation) == 100
    for i, changed in enumerate(split.validation):
        own = (changed != split.heldout[i % 3]).float().mean()
        others = min((changed != split.heldout[j]).float().mean() for j in range(3) if j != i % 3)
        assert own <= (48 / 256 + 1 / 64) ** 2 < others
    again = load_split(plate(heldout=0.25, mode="e", seed=5))
    assert torch.equal(split.validation, again.validation)


def test_a_run_leaves_the_local_score_beside_eq_15(plate, tmp_path):
    """Computed anew from the stored weights: the calibration is over held-out pictures alone."""
    config = plate(heldout=0.5, epochs=3)
    run, split = train(config, tmp_path / "run", progress=False), load_split(config)
    read = Run.load(tmp_path / "run")
    calibration = Calibration.of(maps_of(read.model, split.heldout))
    scaled = calibration.scaled(maps_of(read.model, split.test))
    expected = local_scores(scaled).double().numpy()
    assert read.scores[list(LOCAL)].to_numpy() == pytest.approx(expected, rel=1e-3)
    assert read.score(split.test)[list(LOCAL)].to_numpy() == pytest.approx(expected, rel=1e-3)
    metrics = read.metrics
    for name, column in (("auroc_local", 0), ("auroc_local_max", 1)):
        by_hand = roc_auc_score(split.test_labels, expected[:, column])
        assert metrics[name] == pytest.approx(by_hand)
    scores = read.scores
    error = auroc_difference_error(scores.label, scores.local_score, scores.novelty_score)
    assert metrics["local_gain_error"] == pytest.approx(error)
    masks = parts_of(config).masks[split.test_index]
    assert metrics["pixel_auroc"] == pytest.approx(pixel_auroc(masks, scaled), abs=1e-4)
    assert metrics["pro"] == pytest.approx(pro(masks, scaled), abs=1e-4)
    assert 0 < metrics["auroc_validation"] < 1 and 0 < metrics["auroc_validation_local"] < 1
    row = run.result_rows()[0]
    assert row["auroc_local"] == metrics["auroc_local"] and row["pro"] == metrics["pro"]


def test_the_local_threshold_is_of_pictures_that_were_not_calibrated_on(plate, tmp_path):
    """With a single other picture there is no spread: then there is no local score."""
    run = train(plate(heldout=0.5), tmp_path / "many", progress=False)
    split = load_split(run.config)
    maps, shifted = maps_of(run.model, split.heldout), maps_of(run.model, split.validation)
    judges = list(enumerate(without_each(maps)))
    apart = torch.cat([local_scores(each.scaled(maps[i : i + 1])) for i, each in judges])
    novel = torch.cat([local_scores(each.scaled(shifted[i :: len(maps)])) for i, each in judges])
    labels = np.repeat([0, 1], [len(apart), len(novel)])
    for name, column in (("local", 0), ("local_max", 1)):
        limit = np.percentile(apart[:, column], 95)
        assert run.metrics[f"threshold_{name}"] == pytest.approx(limit, rel=1e-3)
        by_hand = roc_auc_score(labels, torch.cat([apart, novel])[:, column])
        assert run.metrics[f"auroc_validation_{name}"] == pytest.approx(by_hand, abs=1e-3)
    few = train(plate(heldout=0.2), tmp_path / "few", progress=False)
    assert few.metrics["n_heldout"] == 2 and few.metrics["auroc_local"] is None
    assert few.calibration is None and not set(LOCAL) & set(few.scores)


def test_masks_that_cannot_be_read_stop_no_training(root, plate, tmp_path):
    shutil.copytree(root, tmp_path / "set")
    (tmp_path / "set" / "plate" / "ground_truth" / "spot" / "000_mask.png").write_text("", "utf-8")
    config = plate(root=str(tmp_path / "set"), heldout=0.5, epochs=1)
    metrics = train(config, tmp_path / "run", progress=False).metrics
    assert metrics["pixel_auroc"] is metrics["pro"] is None and metrics["auroc_local"] > 0


def test_what_is_shown_cannot_be_tested(plate):
    with pytest.raises(InputError, match="per_defect must be at most test_without 2, found 3"):
        plate(mode="e", per_defect=3, test_without=2)


def test_the_split_seed_alone_draws(plate):
    one, again, other = (load_split(plate(mode="e", split_seed=seed)) for seed in (0, 0, 1))
    assert_same(one, again, *vars(one))
    assert not torch.equal(one.heldout, other.heldout)
    assert not torch.equal(one.anomalies, other.anomalies)
    assert not torch.equal(one.test_index, other.test_index)


def test_test_pictures_keep_their_place_kind_and_label(plate):
    parts, split = parts_of(plate()), load_split(plate())
    assert kinds_of(parts.kinds) == KINDS
    assert torch.equal(split.test, parts.test[split.test_index])
    assert torch.equal(split.test_index, split.test_index.sort().values)
    kinds = [parts.kinds[i] for i in split.test_index]
    assert [KINDS[number] for number in split.test_classes] == kinds
    assert split.test_labels.tolist() == [int(kind != "good") for kind in kinds]


def test_none_shown_leaves_all_to_be_tested(plate):
    split = load_split(plate(per_defect=0))
    assert split.counts == {
        "n_train": 11,
        "n_heldout": 1,
        "n_anomalous_train": 0,
        "n_test_normal": 5,
        "n_test_novel": 12,
    }


def test_one_of_each_defect_is_always_left_to_be_tested(plate):
    """Good pictures are never shown."""
    split = load_split(plate(mode="e", per_defect=99))
    counts = split.counts
    assert (counts["n_anomalous_train"], counts["n_test_normal"], counts["n_test_novel"]) == (
        9,
        5,
        3,
    )
    assert sorted(split.test_classes[split.test_labels == 1].tolist()) == [1, 2, 3]


def test_what_needs_a_defect_is_null_without_one(root, tmp_path):
    """A folder whose test pictures are all good."""
    shutil.copytree(root / "plate" / "train", tmp_path / "set" / "part" / "train")
    shutil.copytree(root / "plate" / "test" / "good", tmp_path / "set" / "part" / "test" / "good")
    config = Config(
        dataset="folder",
        root=str(tmp_path / "set"),
        category="part",
        image_size=64,
        epochs=1,
        threads=1,
    )
    run = train(config, tmp_path / "run", progress=False)
    assert (
        run.metrics["auroc"]
        is run.metrics["auroc_best"]
        is run.metrics["semantic_deviation_rate"]
        is None
    )
    assert run.metrics["threshold"] > 0 and run.metrics["s_a"] > 0
    with pytest.raises(
        InputError, match="expected good and defective test images, found only good"
    ):
        Inspection.of(run).by_kind()


def test_sizes_and_channels_are_those_of_the_config(plate):
    assert load_split(plate()).test.shape[1:] == (3, 64, 64)
    grey = load_split(plate(image_size=32, channels=1, mode="e"))
    assert grey.train.shape[1:] == grey.anomalies.shape[1:] == (1, 32, 32)
    assert grey.train.dtype == torch.uint8


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"anomaly_draw": "fresh"},
            "must be stratified on folder, by type of defect, found fresh",
        ),
        (
            {"anomaly_draw": "pooled"},
            "must be stratified on folder, by type of defect, found pooled",
        ),
        ({"root": ""}, "expects a root"),
        ({"category": "a/b"}, "name of a subfolder"),
        ({"category": ".."}, "subfolder"),
        ({"channels": 2}, "channels must be 1"),
        ({"dataset": "synthetic"}, "a root goes with data set folder"),
    ],
)
def test_configs_that_pictures_cannot_have(wrong, message, plate):
    with pytest.raises(InputError, match=message):
        plate(**wrong)


def test_a_root_is_one_folder_however_it_is_written(root, plate, monkeypatch):
    monkeypatch.chdir(root.parent)
    assert plate(root=root.name) == plate(root=f"{root}/") == plate()
    assert plate(root="elsewhere").config_hash != plate().config_hash


def weights(run: Run) -> bytes:
    return (run.folder / "weights.safetensors").read_bytes()


def test_a_run_killed_between_two_saves_resumes_to_the_same_bytes(plate, tmp_path, monkeypatch):
    """Dies in epoch 2, of which nothing is saved; what the state leaves out, such as a count of
    batches, shows here."""

    def die_in_the_second(epoch: Epoch) -> None:
        if len(epoch.history) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(trainers, "SAVE_SECONDS", {"cpu": 0.0})
    config = plate(mode="d", epochs=3, image_size=32, p=0.4)
    undisturbed = train(config, tmp_path / "one", progress=False)
    with pytest.raises(KeyboardInterrupt):
        train(config, tmp_path / "two", progress=False, callbacks=[die_in_the_second])
    assert (tmp_path / "two" / "state.safetensors").is_file()
    resumed = train(config, tmp_path / "two", progress=False, resume=True)
    assert weights(resumed) == weights(undisturbed)
    assert (resumed.folder / "scores.csv").read_bytes() == (
        undisturbed.folder / "scores.csv"
    ).read_bytes()
    assert list(resumed.history.epoch) == [1, 2, 3]


def test_a_stored_run_scores_as_it_did_and_single_pictures_alike(plate, tmp_path):
    config = plate(mode="d", p=0.3)
    run, split = train(config, tmp_path, progress=False), load_split(config)
    read = Run.load(tmp_path)
    assert read.config == identified(config)
    whole = read.score(split.test)
    for name in whole:
        torch.testing.assert_close(
            torch.tensor(whole[name]), torch.tensor(run.scores[name]), rtol=1e-4, atol=1e-6
        )
    alone = read.score(split.test[3:4])
    assert alone.novelty_score[0] == pytest.approx(whole.novelty_score[3], rel=2e-3)
    assert read.metrics["auroc_recon"] == pytest.approx(
        roc_auc_score(split.test_labels, whole.l_recon)
    )
    assert read.history.anomalous.notna().any(), "cut pictures are its anomalies"
