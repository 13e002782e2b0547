"""The latent plane under the mouse, and the mode switch, without a browser."""

import pytest

from rscvae_lab import widgets
from rscvae_lab.analysis.plane import Plane
from rscvae_lab.analysis.surveys import Survey
from rscvae_lab.config import Config
from rscvae_lab.trainers import train


@pytest.fixture(scope="module")
def panel(tmp_path_factory):
    config = Config(mode="vae", latent=2, epochs=2)
    run = train(config, tmp_path_factory.mktemp("flat") / "run", progress=False)
    return widgets.LatentPlane(Plane.of(Survey.of(run)))


def point(panel, z_1: float, z_2: float) -> list[float]:
    """Where the mouse must be for z, as fractions from the upper left corner."""
    left, bottom, width, height = panel.place
    reach = panel.plane.reach
    return [left + width * (z_1 / reach + 1) / 2, 1 - bottom - height * (z_2 / reach + 1) / 2]


@pytest.mark.slow
def test_dragging_moves_the_point_to_the_mouse_and_draws_once(panel, monkeypatch):
    draws, draw = [], panel.draw
    monkeypatch.setattr(panel, "draw", lambda **z: draws.append(z) or draw(**z))
    for i, z in enumerate([(1.0, 0.5), (1.5, -2.0), (-3.0, 3.0)]):
        before, panel.image.point = panel.image.value, [*point(panel, *z), float(i)]
        assert not panel.error.value
        assert draws[-1] == pytest.approx({"z_1": z[0], "z_2": z[1]}, abs=0.011)
        assert f"z = ({panel.controls['z_1'].value:.2f}, " in panel.text.value
        assert panel.image.value != before
    assert len(draws) == 3
    panel.image.point = [0.99, 0.0, 9.0]  # beside the plane: its corner
    assert (panel.controls["z_1"].value, panel.controls["z_2"].value) == (3.2, 3.2)


@pytest.mark.slow
def test_sliders_move_it_too(panel):
    before, panel.controls["z_2"].value = panel.image.value, -1.0
    assert panel.image.value != before
    assert "-1.00)" in panel.text.value


def test_the_switch_lights_the_losses_of_a_mode():
    panel = widgets.mode_switch()
    assert panel.text.value == "losses asked: l_recon, l_enc1, l_enc2, l_mut"
    panel.controls["mode"].value = "vae"
    assert panel.text.value == "losses asked: l_recon, l_enc1"
    panel.controls["image"].value = "a (pseudo-)anomaly"
    assert panel.text.value == "losses asked: none"
    before, panel.controls["mode"].value = panel.image.value, "e"
    assert panel.text.value == "losses asked: l_enc1, l_enc2, l_mut"
    assert panel.image.value != before and not panel.error.value
