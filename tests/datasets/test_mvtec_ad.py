"""Folders of pictures in MVTec AD's shape: what is read, what is kept, and what is refused by
name."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score

from rscvae_lab.config import Config
from rscvae_lab.datasets import image_cache, load_split, mvtec_ad, synthetic
from rscvae_lab.datasets.mvtec_ad import category_folder, load, verify
from rscvae_lab.errors import InputError
from rscvae_lab.storage.files import data_root


@pytest.fixture(autouse=True)
def runs_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("RSCVAE_RUNS", str(tmp_path / "runs"))


@pytest.fixture
def plate(tmp_path):
    return synthetic.write_set(tmp_path / "set", size=64, n_train=6, n_good=5, n_defect=4)


def test_a_category_is_read_whole(plate):
    parts = load(plate, 32, 3)
    assert parts.train.shape == (6, 3, 32, 32)
    assert parts.test.shape == (5 + 3 * 4, 3, 32, 32)
    assert parts.train.dtype == torch.uint8
    assert [parts.kinds.count(kind) for kind in ("good", *synthetic.DEFECTS)] == [5, 4, 4, 4]
    covered = parts.masks.flatten(1).any(1)
    assert covered.tolist() == [kind != "good" for kind in parts.kinds]
    assert load(plate, 32, 1).train.shape == (6, 1, 32, 32)


def test_the_mask_is_where_the_picture_differs(tmp_path):
    """A spot raises grey levels by 70 under its mask, on a ground that varies by a dozen."""
    picture, mask = synthetic.draw_part("spot", 64, np.random.default_rng(3))
    inside = np.array(mask) > 0
    ring = (np.array(mask.resize((16, 16)).resize((64, 64))) > 0) & ~inside
    grey = np.array(picture.convert("L")).astype(float)
    assert grey[inside].mean() - grey[ring].mean() > 30


def test_brightness_tells_nothing_of_synthetic_defects(tmp_path):
    parts = load(synthetic.write_set(tmp_path / "set", n_train=1), 32, 1)
    novel = [kind != "good" for kind in parts.kinds]
    assert 0.35 < roc_auc_score(novel, parts.test.float().mean((1, 2, 3))) < 0.65


def test_equal_seeds_draw_equal_pictures(tmp_path):
    one, two, other = (
        load(
            synthetic.write_set(tmp_path / name, n_train=2, n_good=1, n_defect=1, seed=seed), 64, 3
        )
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert torch.equal(one.test, two.test)
    assert not torch.equal(one.test, other.test)


def test_pictures_are_decoded_once_and_again_when_a_file_changed(plate, monkeypatch):
    first = load(plate, 32, 3)
    monkeypatch.setattr(image_cache, "read_images", lambda *_: pytest.fail("decoded again"))
    assert torch.equal(load(plate, 32, 3).train, first.train)
    monkeypatch.undo()
    Image.new("RGB", (80, 40), "white").save(plate / "train" / "good" / "000.png")
    assert (load(plate, 32, 3).train[0] == 255).all()
    (plate / "train" / "good" / "001.png").unlink()
    assert len(load(plate, 32, 3).train) == 5


def test_what_spoils_a_result_is_said(plate):
    """Test images that are training images, and masks that cannot be used."""
    category = plate / "plate" if (plate / "plate").is_dir() else plate
    train, test = sorted((category / "train" / "good").iterdir()), category / "test" / "good"
    for i, path in enumerate(train[:3]):
        shutil.copy(path, test / f"again-{i}.png")
    mask = next((category / "ground_truth").rglob("*_mask.png"))
    note = mvtec_ad.survey(category, 32, 20)
    assert "; 3 test images are training images, byte for byte" in note
    assert "no masks are used" not in note
    assert "; no masks are used: expected at most 16,777,216 pixels in all test images" in (
        mvtec_ad.survey(category, 4096, 2))
    mask.write_text("", "utf-8")
    spoiled = mvtec_ad.survey(category, 32, 20)
    assert "; no masks are used: " in spoiled and str(mask) in spoiled
    mask.unlink()
    assert "; no masks are used: expected the mask of" in mvtec_ad.survey(category, 32, 20)


def test_a_plain_folder_of_mixed_pictures_is_normal(tmp_path):
    for i, size in enumerate(((40, 30), (100, 100), (33, 64))):
        Image.new("RGB", size, (10 * i, 0, 0)).save(tmp_path / f"{i}.jpg")
    parts = load(tmp_path, 32, 3)
    assert parts.train.shape == (3, 3, 32, 32)
    assert len(parts.test) == 0
    assert parts.masks is None


def test_folders_of_masks_may_be_in_another_case(plate):
    masks = load(plate, 32, 1).masks
    for folder in plate.glob("ground_truth/*"):
        folder.rename(folder.with_name(folder.name.upper()))
    assert torch.equal(load(plate, 32, 1).masks, masks)


def test_ground_truth_may_be_missing(plate):
    for file in plate.glob("ground_truth/*/*"):
        file.unlink()
    for folder in plate.glob("ground_truth/*"):
        folder.rmdir()
    (plate / "ground_truth").rmdir()
    assert load(plate, 32, 1).masks is None


def damaged(plate):
    path = plate / "train" / "good" / "003.png"
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damaged, r"003\.png"),
        (
            lambda plate: [file.unlink() for file in plate.glob("train/good/*")],
            r"normal images in .*good, found",
        ),
        (
            lambda plate: (plate / "ground_truth" / "spot" / "001_mask.png").unlink(),
            r"mask of .*001\.png",
        ),
        (
            lambda plate: (plate / "test" / "spot" / "001.png").unlink(),
            r"none for .*001_mask\.png",
        ),
    ],
)
def test_broken_folders_are_refused_by_name(damage, message, plate):
    damage(plate)
    with pytest.raises(InputError, match=message):
        verify(plate)


def test_a_missing_category_says_what_is_there(plate):
    with pytest.raises(InputError, match=r"expected a folder .*bolt, found plate there"):
        category_folder(plate.parent, "bolt")


@pytest.mark.skipif(
    not (data_root() / "mvtec_ad" / "screw").is_dir(), reason="no mvtec_ad/screw in RSCVAE_DATA"
)
def test_the_real_screw():
    """Counts as published; and the artefact: mean brightness alone tells every defect of this
    category."""
    folder = category_folder(None, "screw")
    assert verify(folder) == (
        "screw: 320 to train, 41 good, 24 manipulated_front, 24 scratch_head, 25 scratch_neck, "
        "23 thread_side, 23 thread_top, 119 masks"
    )
    parts = load(folder, 64, 1)
    assert (len(parts.train), parts.kinds.count("good"), len(parts.test)) == (320, 41, 160)
    novel = torch.tensor([kind != "good" for kind in parts.kinds])
    assert torch.equal(parts.masks.flatten(1).any(1), novel)
    assert roc_auc_score(novel, parts.test.float().mean((1, 2, 3))) == 1


@pytest.mark.skipif(
    not (data_root() / "mvtec_ad" / "screw").is_dir(), reason="no mvtec_ad/screw in RSCVAE_DATA"
)
def test_the_split_of_the_real_screw():
    counts = load_split(
        Config(dataset="mvtec_ad", category="screw", mode="e", image_size=64)
    ).counts
    assert counts == {
        "n_train": 288,
        "n_heldout": 32,
        "n_anomalous_train": 5,
        "n_test_normal": 41,
        "n_test_novel": 114,
    }
