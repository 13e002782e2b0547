"""Widgets without a browser: values in, pictures and numbers out; what goes wrong is shown."""

import io
import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from rscvae_lab import widgets
from rscvae_lab.analysis.atlas import Atlas
from rscvae_lab.analysis.surveys import Survey, region_table
from rscvae_lab.config import Config
from rscvae_lab.datasets import load_split, synthetic
from rscvae_lab.errors import InputError
from rscvae_lab.figures import canvas
from rscvae_lab.methods import METHODS, Method
from rscvae_lab.runs import Run
from rscvae_lab.trainers import train
from rscvae_lab.widgets.base import slider

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def survey(short_run):
    return Survey.of(short_run)


def is_drawn(panel) -> bool:
    return not panel.error.value and Image.open(io.BytesIO(panel.image.value)).size[0] > 400


def test_every_control_redraws(survey, short_run):
    train_images, test_images = (
        survey.split.train,
        survey.split.test[survey.split.test_labels == 0],
    )
    panels = {
        "angle": (widgets.rotation_explorer(survey), 90),
        "mean": (widgets.gaussian_explorer(), 2.0),
        "alpha": (widgets.alpha_explorer(short_run), 0.1),
        "epoch": (widgets.run_chooser([short_run]), 3),
        "h_flip": (widgets.shift_playground({"8": (train_images, test_images)}), True),
    }
    for name, (panel, value) in panels.items():
        before, text = panel.image.value, panel.text.value
        panel.controls[name].value = value
        assert is_drawn(panel), panel.error.value
        assert panel.image.value != before, name
        assert panel.text.value != text, name
    for first, name, value in (
        ("angle", "image", 1),
        ("mean", "sigma", 2.0),
        ("mean", "dimensions", 8),
        ("h_flip", "v_flip", True),
        ("h_flip", "rotate", True),
        ("h_flip", "cutout", 9),
    ):
        panel = panels[first][0]
        before, panel.controls[name].value = panel.image.value, value
        assert panel.image.value != before, name


def test_a_mistake_in_a_callback_is_shown_and_the_picture_stays():
    def draw(x):
        if x == 2:
            raise InputError("expected <luck>, found 2")
        return canvas(5, 2), str(x)

    panel = widgets.Panel(draw, {"x": slider("x", 1, 0, 3, 1)})
    before = panel.image.value
    panel.controls["x"].value = 2
    assert "InputError:</b> expected &lt;luck&gt;, found 2" in panel.error.value
    assert panel.image.value == before
    panel.controls["x"].value = 3
    assert not panel.error.value
    assert panel.text.value == "3"


def test_rotation_starts_and_ends_at_the_image_itself(survey):
    image = survey.split.test[survey.split.test_labels == 0][0]
    turning = widgets.Turning.of(survey, image)
    measured = turning.examined.frame
    own = survey.examine(image.unsqueeze(0)).frame.iloc[0]
    for at in (0, -1):
        assert measured.l_enc1.iloc[at] == pytest.approx(own.l_enc1, rel=1e-5)
        assert measured.novelty_score.iloc[at] == pytest.approx(own.novelty_score, rel=1e-5)
    assert torch.equal(turning.images[18], image.rot90(1, (-2, -1)))


def test_divergences_are_the_closed_forms():
    found = widgets.gaussians.divergences(1.0, 1.0, 1)
    assert found["Bhattacharyya (ours)"] == pytest.approx(0.125)
    assert found["quadrature"] == pytest.approx(0.111421, abs=1e-5)
    assert found["Monte Carlo estimate"] == pytest.approx(0.111421, abs=0.01)
    assert widgets.gaussians.divergences(1.0, 1.0, 64)["Bhattacharyya (ours)"] == pytest.approx(
        8.0
    )
    far = widgets.gaussians.divergences(3.0, 1.0, 64)
    assert far["Monte Carlo estimate"] == pytest.approx(math.log(2), abs=1e-3)


def test_alpha_ends_are_the_two_terms_alone(short_run):
    mixtures = widgets.Mixtures.of(short_run)
    for curve in mixtures.curves.values():
        assert curve[0] == pytest.approx(short_run.metrics["auroc_recon"])
        assert curve[-1] == pytest.approx(short_run.metrics["auroc_mut"])
    assert mixtures.curves["the test set (paper)"][20] == pytest.approx(short_run.metrics["auroc"])
    assert mixtures.curves["held-out normals"][20] == pytest.approx(
        short_run.metrics["auroc_heldout_norm"]
    )


def test_what_is_drawn_is_noted_for_the_browser():
    """The position of each control at the last drawing, also where it failed: then the error is
    about that position."""
    controls = {"x": slider("x", 1, 0, 3, 1), "name": widgets.dropdown("name", ["a", "b"])}

    def draw(x, name):
        if x == 2:
            raise InputError("expected luck, found 2")
        return canvas(5, 2), name

    panel = widgets.Panel(draw, controls)
    line = panel.children[0].children[-1]
    assert line.controls == list(controls.values())
    assert json.loads(line.last) == [1, 0]
    controls["name"].value, controls["x"].value = "b", 2
    assert json.loads(line.last) == [2, 1]
    assert "expected luck" in panel.error.value


def test_answers_are_folded():
    text = widgets.answer("**42**").data
    assert text.startswith("<details><summary>")
    assert "\n\n**42**\n\n" in text, "Markdown between HTML needs empty lines"


def test_the_referee_knows_its_class_and_sees_a_quarter_turn():
    ones = load_split(Config(category="1", mode="pca"))
    referee = widgets.Referee.of(ones.train)
    normal = ones.test[ones.test_labels == 0]
    assert referee.looks_normal(normal).mean() > 0.7
    assert referee.looks_normal(widgets.shifted(normal, False, False, True, 0)).mean() < 0.1
    assert torch.equal(widgets.shifted(normal, False, False, False, 0), normal)
    assert (widgets.shifted(normal, False, False, False, 32) == 0).all()


def test_a_click_chooses_the_nearest_point(survey):
    explorer = widgets.DeviationExplorer({"o": Atlas.of(survey, most=30)})
    assert is_drawn(explorer)
    for chosen in (3, 40, 70):
        x, y = explorer.places[0, chosen]
        explorer.image.point = [float(x), float(1 - y), float(chosen)]
        nearest = explorer.controls["chosen"].value
        assert np.allclose(explorer.places[0, nearest], explorer.places[0, chosen])
        assert f"image {nearest}: " in explorer.text.value
    explorer.image.point = [0.0, 0.0, 99.0]  # far from every point: nothing is meant
    assert explorer.controls["chosen"].value == nearest
    for colour in widgets.deviation.COLOURINGS:
        explorer.controls["colour"].value = colour
        assert is_drawn(explorer), explorer.error.value


def test_an_atlas_places_its_own_images_where_they_lie(survey):
    atlas = Atlas.of(survey, most=30)
    assert (atlas.frame.groupby("group").size() == 30).all()
    map, examined = atlas.maps[atlas.usual], survey.examine(atlas.images[:10])
    places = map.place(examined.coding.mu.numpy())
    assert examined.frame.l_recon.to_numpy() == pytest.approx(
        atlas.frame.l_recon[:10].to_numpy(), rel=1e-5
    )
    assert np.median(np.linalg.norm(places - map.points[:10], axis=1)) < map.points.std()


def test_the_perplexity_chooses_the_map(survey):
    explorer = widgets.DeviationExplorer({"o": Atlas.of(survey, 30, perplexities=(5, 30))})
    assert explorer.controls["perplexity"].value == 22, "a quarter of 90 codes"
    before = explorer.places
    explorer.controls["perplexity"].value = 5
    assert is_drawn(explorer), explorer.error.value
    assert not np.allclose(explorer.places, before)


def test_the_region_table_counts_every_image_once(survey, short_run):
    row = region_table({"o": survey}).loc["o"]
    for group in ("normal", "novel"):
        assert sum(
            row[f"{group}_in_{region}"] for region in ("normal", "anomalous", "unknown")
        ) == pytest.approx(1)
    assert row.case_1 == pytest.approx(row.novel_in_normal)
    assert row.case_2 + row.case_3 == pytest.approx(row.novel_in_anomalous)
    assert row.deviated == row.semantic_deviation_rate == pytest.approx(row.novel_in_unknown)
    novel = short_run.scores.query("label == 1")
    assert row.semantic_deviation_rate == pytest.approx((novel.l_enc1 < row.border_nats).mean())


def test_examined_images_are_measured_as_the_run_measured_them(survey, short_run):
    frame = survey.test.frame
    for name in ("l_recon", "l_mut", "l_enc1", "novelty_score"):
        assert frame[name].to_numpy() == pytest.approx(short_run.scores[name].to_numpy(), rel=1e-4)


def test_a_chooser_offers_what_is_there(short_run, tmp_path):
    """Compared methods have a history too, but no terms to show."""
    other = train(Config(category="3", mode="vae", epochs=2), tmp_path / "vae", progress=False)
    ae = train(Config(category="3", mode="ae", epochs=1), tmp_path / "ae", progress=False)
    chooser = widgets.run_chooser([short_run, other, ae])
    assert chooser.controls["category"].options == ("3", "8")
    chooser.controls["category"].value = "8"
    assert chooser.run is short_run
    assert chooser.controls["mode"].options == ("o",)
    chooser.controls["category"].value = "3"
    assert chooser.controls["mode"].options == ("vae",)
    chooser.controls["category"].value = "8"
    assert chooser.controls["epoch"].value == short_run.config.epochs
    with pytest.raises(InputError, match="found none"):
        widgets.run_chooser([])


def test_runs_that_differ_elsewhere_can_be_told_apart(tmp_path):
    runs = [
        train(Config(category="3", mode="d", p=p, epochs=1), tmp_path / str(p), progress=False)
        for p in (0.1, 0.3)
    ]
    chooser = widgets.run_chooser(runs)
    assert len(chooser.controls["config_hash"].options) == 2
    chooser.controls["config_hash"].value = runs[1].config.config_hash
    assert chooser.run is runs[1]


def test_what_was_read_once_is_not_read_again(short_run, survey, monkeypatch):
    calls, referee = [], widgets.Referee(np.zeros((9, 1024)), 1.0)
    monkeypatch.setattr(
        widgets.choosing, "load_split", lambda config: calls.append(config) or survey.split
    )
    monkeypatch.setattr(widgets.Referee, "of", lambda images: calls.append(images) or referee)
    chooser = widgets.run_chooser([short_run])
    playground = widgets.shift_playground({"8": (survey.split.train, survey.split.test)})
    for epoch in (3, 5, 7):
        chooser.controls["epoch"].value, playground.controls["cutout"].value = epoch, epoch
    assert len(calls) == 2


def test_baselines_and_mismatched_maps_are_refused(survey, tmp_path):
    pca = train(Config(mode="pca"), tmp_path, progress=False)
    for look in (Survey.of, widgets.alpha_explorer):
        with pytest.raises(InputError, match="expected a run of mode vae, o, d, e, found pca"):
            look(pca)
    with pytest.raises(InputError, match="maps of the same images"):
        widgets.DeviationExplorer({"o": Atlas.of(survey, 20), "e": Atlas.of(survey, 21)})


def test_live_training_stops_and_goes_on_to_the_same_bytes(tmp_path):
    config = Config(category="3", epochs=12)
    live = widgets.LiveTraining(config, tmp_path / "live")
    watch = live.watch

    def stop_in_the_third(epoch, images):
        if len(epoch.history) == 3:
            live.stop()
        return watch(epoch, images)

    live.watch = stop_in_the_third
    live.start()
    live.wait(60)
    assert "stopped after epoch 3 of 12" in live.text.value
    assert live.bar.value == 3
    assert not live.train_button.disabled
    assert not (tmp_path / "live" / "metrics.json").exists()
    live.watch = watch
    live.start()
    live.wait(60)
    assert not live.error.value
    assert live.text.value.startswith("finished: AUROC 0.")
    straight = train(config, tmp_path / "straight", progress=False)
    found, expected = (
        (run.folder / "weights.safetensors").read_bytes()
        for run in (Run.load(live.folder), straight)
    )
    assert found == expected


def test_live_training_of_a_users_own_mode_on_a_folder_without_test_images(tmp_path, monkeypatch):
    own = Method("own", "#123456", objective=lambda x, coding, terms, y, weights: terms.recon)
    monkeypatch.setitem(METHODS, "own", own)
    synthetic.write_set(tmp_path, size=32, n_train=8, n_good=0, n_defect=0)
    config = Config(dataset="folder", root=str(tmp_path), category="plate", image_size=32,
                    mode="own", epochs=1)
    live = widgets.LiveTraining(config, tmp_path / "live")
    live.start()
    live.wait(60)
    assert (live.error.value, live.text.value) == ("", "finished")
    again = widgets.LiveTraining(config, tmp_path / "live")
    assert not again.error.value and again.run is not None


def test_live_training_shows_what_went_wrong(tmp_path):
    live = widgets.LiveTraining(Config(dataset="mnist", epochs=1), tmp_path)
    live.watch = lambda *_: 1 / 0
    live.config = Config(epochs=1)
    live.start()
    live.wait(60)
    assert "ZeroDivisionError" in live.error.value
    assert not live.text.value
    assert not live.train_button.disabled
    live.stop()  # a click that comes late says nothing
    assert not live.text.value


def test_a_second_widget_takes_a_training_over_and_shows_a_finished_one(tmp_path):
    config = Config(category="3", epochs=400)
    first = widgets.LiveTraining(config, tmp_path / "run")
    first.start()
    second = widgets.LiveTraining(config, tmp_path / "run")
    second.watch = lambda *_: False
    second.start()
    second.wait(60)
    assert "stopped after epoch" in first.text.value
    assert "stopped after epoch" in second.text.value
    assert widgets.LiveTraining(config, tmp_path / "run").text.value == "ready to resume"
    short = Config(category="3", epochs=2)
    train(short, tmp_path / "done", progress=False)
    finished = widgets.LiveTraining(short, tmp_path / "done")
    assert finished.text.value.startswith("finished: AUROC")
    assert (finished.bar.value, finished.train_button.disabled) == (2, True)
    with pytest.raises(InputError, match="another config"):
        widgets.LiveTraining(config, tmp_path / "done")
    with pytest.raises(InputError, match="expected a run of mode vae, o, d, e, found pca"):
        widgets.LiveTraining(Config(mode="pca"), tmp_path / "pca")
