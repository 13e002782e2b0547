"""Industrial parts under inspection: figures by hand, the widget without a browser."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score

from rscvae_lab import NORMAL, NOVEL, figures, widgets
from rscvae_lab.analysis.inspections import Inspection
from rscvae_lab.config import Config
from rscvae_lab.datasets import synthetic
from rscvae_lab.errors import InputError
from rscvae_lab.trainers import train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of mode e on few plates: one defective part of each kind was shown to it and is not
    tested."""
    scratch = tmp_path_factory.mktemp("plates")
    synthetic.write_set(scratch, size=32, n_train=10, n_good=4, n_defect=3)
    settings = {
        "dataset": "folder",
        "root": str(scratch),
        "category": "plate",
        "image_size": 32,
        "epochs": 1,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RSCVAE_RUNS", str(scratch / "runs"))
        yield {
            mode: train(Config(**settings, mode=mode), scratch / mode, progress=False)
            for mode in ("e", "pca")
        }


@pytest.fixture(scope="module")
def inspection(runs):
    return Inspection.of(runs["e"])


def test_the_frame_is_that_of_the_run(inspection):
    frame, run = inspection.frame, inspection.run
    assert list(frame.novelty_score) == pytest.approx(list(run.scores.novelty_score), rel=1e-4)
    assert list(frame.label) == list(run.scores.label)
    assert dict(frame.kind.value_counts()) == {"good": 4, "corner": 2, "scratch": 2, "spot": 2}
    for row in frame.itertuples():
        assert row.file.startswith(f"test/{row.kind}/")
        assert row.label == (NORMAL if row.kind == "good" else NOVEL)


def test_pictures_masks_and_brightness_are_those_of_the_files(inspection):
    """Read anew from the files that the frame names."""
    root = inspection.run.config.root
    for i, row in enumerate(inspection.frame.itertuples()):
        with Image.open(f"{root}/plate/{row.file}") as picture:
            pixels = np.array(picture)
        assert torch.equal(inspection.images[i], torch.from_numpy(pixels).permute(2, 0, 1))
        assert row.brightness == pytest.approx(pixels.mean(), rel=1e-5)
        mask = inspection.masks[i, 0].numpy()
        if row.label == NOVEL:
            name = row.file.replace("test/", "").replace(".png", "_mask.png")
            with Image.open(f"{root}/plate/ground_truth/{name}") as truth:
                assert (mask == (np.array(truth) > 0)).all()
        else:
            assert not mask.any()


def test_without_the_lamp_all_pictures_are_as_bright_as_the_training_pictures(inspection):
    """By hand for one picture; the scores are those of the shifted pixels."""
    light, relit = inspection.train_brightness, inspection.relit()
    assert relit.frame.brightness.to_numpy() == pytest.approx(light, abs=1.0)  # clipped at black
    assert np.ptp(inspection.frame.brightness) > 2
    shifted = inspection.images[3] + (light - inspection.images[3].float().mean())
    expected = shifted.round().clamp(0, 255).to(torch.uint8)
    assert torch.equal(relit.images[3], expected)
    score = inspection.run.score(expected[None]).novelty_score[0]
    assert relit.frame.novelty_score[3] == pytest.approx(score, rel=1e-3)
    assert list(relit.frame.columns) == list(inspection.frame.columns)


def test_each_kind_is_judged_against_all_good_parts(inspection):
    table, frame = inspection.by_kind(), inspection.frame
    assert list(table.index) == ["corner", "scratch", "spot"] and set(table.n) == {2}
    both = frame[frame.kind.isin(["good", "spot"])]
    for name in ("brightness", "l_recon", "novelty_score"):
        assert table.loc["spot", name] == pytest.approx(roc_auc_score(both.label, both[name]))


def test_a_part_is_what_the_maps_and_pictures_say(inspection):
    part = inspection.look(7)
    assert torch.equal(part.image, inspection.images[7]) and torch.equal(
        part.mask, inspection.masks[7, 0]
    )
    torch.testing.assert_close(part.error, inspection.maps[7], rtol=1e-4, atol=1e-5)
    assert part.x_hat.shape == part.x_re.shape == part.image.shape
    assert 0 < inspection.pixel_auroc < 1


def test_without_masks_there_is_no_pixel_auroc(inspection):
    blind = replace(inspection, masks=None)
    assert blind.look(7).mask is None
    with pytest.raises(InputError, match="needs ground-truth masks, found none of plate"):
        blind.pixel_auroc  # noqa: B018


def test_with_a_calibration_the_parts_show_what_the_local_score_sees(runs, tmp_path):
    """Without one, as of the run with a single held-out part, the error itself."""
    settings = {"heldout": 0.4, "mode": "o", "image_size": 32, "epochs": 1}
    where = {"dataset": "folder", "root": runs["e"].config.root, "category": "plate"}
    seen = Inspection.of(train(Config(**settings, **where), tmp_path / "x", progress=False))
    calibration, limit = seen.run.calibration, seen.run.metrics["threshold_local_max"]
    maps, top = seen.heat
    expected = (seen.maps - calibration.mean) / calibration.spread
    torch.testing.assert_close(maps, expected)
    assert top == pytest.approx(2 * limit)
    table = seen.by_kind(("novelty_score", "local_score"))
    both = seen.frame[seen.frame.kind.isin(["good", "spot"])]
    assert table.loc["spot", "local_score"] == pytest.approx(
        roc_auc_score(both.label, both.local_score))
    figure, text = widgets.PartInspector(seen).show("spot", 0)
    assert [axis.get_title().partition("\n")[0] for axis in figure.axes[:4]] == [
        "input", "reconstruction", "from the second code", "where the local score looks"]
    spot = seen.frame[seen.frame.kind == "spot"].iloc[0]
    assert f"local score {spot.local_score:.2f}" in text
    blind = Inspection.of(runs["e"])
    assert blind.scaled is None and torch.equal(blind.heat[0], blind.maps)
    figure, text = widgets.PartInspector(blind).show("spot", 0)
    assert "error map" in figure.axes[3].get_title() and "local score" not in text


def test_other_runs_have_nothing_to_look_at(runs, short_run):
    with pytest.raises(InputError, match="expected a run of mode"):
        Inspection.of(runs["pca"])
    with pytest.raises(
        InputError, match="expected a run on mvtec_ad, synthetic, folder, found one on digits"
    ):
        Inspection.of(short_run)


def test_the_inspector_pages_within_a_kind(inspection):
    inspector = widgets.PartInspector(inspection)
    before, draw, calls = inspector.image.value, inspector.draw, []
    inspector.draw = lambda **values: calls.append(values) or draw(**values)
    inspector.controls["number"].value = 9
    assert inspector.image.value != before and "defective" in inspector.text.value
    inspector.controls["kind"].value = "scratch"  # of which there are two: the number follows
    assert inspector.controls["number"].max == 1 and not inspector.error.value
    assert calls == [{"kind": "all kinds", "number": 9}, {"kind": "scratch", "number": 1}]
    assert "test/scratch/" in inspector.text.value
    assert Image.open(io.BytesIO(inspector.image.value)).size[0] > 400
    scores = inspection.frame.novelty_score[inspection.frame.kind == "scratch"]
    verdict = "novel" if scores.iloc[1] > inspection.threshold else "normal"
    assert f"called <b>{verdict}</b>" in inspector.text.value


def test_a_figure_shows_parts_with_and_without_masks(inspection):
    part = inspection.look(7)
    shown = (part.image.numpy(), part.x_hat.numpy(), part.error.numpy())
    figure = figures.part_rows({"a": (*shown, part.mask.numpy()), "b": (*shown, None)}, 0.5)
    outlined, plain = (len(axis.collections) for axis in (figure.axes[0], figure.axes[1]))
    assert (outlined, plain) == (1, 0)
