"""The widgets in a real browser: headless Chromium drives JupyterLab, and nothing leaves this
machine."""

import re

import numpy as np
import pytest
from browser import MAP, NEEDS_CHROMIUM, SHOTS, cell_with, expect, shoot

from rscvae_lab.errors import TrainingStopped
from rscvae_lab.runs.run import read_config
from rscvae_lab.storage.files import METRICS, STATE
from rscvae_lab.trainers import train

pytestmark = NEEDS_CHROMIUM
CELLS = [
    """\
from rscvae_lab import widgets
from rscvae_lab.analysis.atlas import Atlas
from rscvae_lab.config import Config
from rscvae_lab.analysis.surveys import Survey
from rscvae_lab.trainers import trained
surveys = {mode: Survey.of(trained(Config(mode=mode, epochs=2))) for mode in ("vae", "o")}
widgets.rotation_explorer(surveys["o"])""",
    """\
import numpy as np
atlases = {mode: Atlas.of(survey, 40) for mode, survey in surveys.items()}
explorer = widgets.DeviationExplorer(atlases)
np.save("places.npy", explorer.places)
explorer""",
    """\
from rscvae_lab.analysis.inspections import Inspection
plates = Config(dataset="synthetic", category="plate", image_size=32, epochs=1, mode="o")
widgets.PartInspector(Inspection.of(trained(plates)))""",
    """\
from rscvae_lab.analysis.plane import Plane
flat = Config(mode="vae", latent=2, epochs=2)
plane = widgets.LatentPlane(Plane.of(Survey.of(trained(flat))))
np.save("plane.npy", plane.place)
plane""",
    "widgets.mode_switch()",
    """\
widgets.LiveTraining(Config(category="3", epochs=2000, mode="o"), "live")""",
]


def test_the_rotation_slider_obeys_the_keyboard(notebook):
    """Focus and one arrow key: a step of 5 degrees, another picture and another text."""
    cell = cell_with(notebook, "rotation_explorer")
    picture, handle = cell.locator("img.widget-image"), cell.locator(".noUi-handle")
    expect(cell).to_contain_text("turned by 0°")
    shoot(notebook, picture, "1-rotation-at-0")
    before = picture.get_attribute("src")
    assert before.startswith("blob:")
    handle.focus()
    handle.press("ArrowRight")
    expect(cell).to_contain_text("turned by 5°")
    expect(cell.locator(".widget-readout")).to_have_text("5")
    expect(picture).not_to_have_attribute("src", before)
    shoot(notebook, picture, "2-rotation-at-5")


def test_a_click_on_the_map_chooses_the_image_under_it(notebook, home):
    """The loneliest training image of the first map, so that a pixel more or less does not choose
    its neighbour."""
    cell = cell_with(notebook, "DeviationExplorer")
    picture = cell.get_by_alt_text(MAP)
    shoot(notebook, picture, "3-map")
    places, before = np.load(home / "places.npy")[0], picture.get_attribute("src")
    distances = np.linalg.norm(places[:40, None] - places, axis=-1)
    chosen = int(np.sort(distances)[:, 1].argmax())
    box, (x, y) = picture.bounding_box(), places[chosen]
    picture.click(position={"x": x * box["width"], "y": (1 - y) * box["height"]})
    expect(cell).to_contain_text(f"image {chosen}: a training image, class 8")
    expect(cell.locator(".widget-readout")).to_have_text(str(chosen))
    expect(picture).not_to_have_attribute("src", before)
    shoot(notebook, picture, "4-map-clicked")


@pytest.fixture
def screen(notebook, request):
    """The page in another size, and back."""
    before, sidebar = notebook.viewport_size, notebook.locator("#jp-left-stack")
    notebook.set_viewport_size(request.param)
    if sidebar.is_visible():
        notebook.keyboard.press("Control+b")
        expect(sidebar).to_be_hidden()
    yield notebook
    notebook.set_viewport_size(before)


SCREENS = [{"width": 1280, "height": 720}, {"width": 900, "height": 720}]


@pytest.mark.parametrize("screen", SCREENS, indirect=True, ids=["1280", "900"])
def test_the_point_follows_a_fast_drag_to_its_last_position(screen, home):
    """Thirty moves at once: however busy the kernel is, the last of them is what stays."""
    cell, width = cell_with(screen, "LatentPlane"), screen.viewport_size["width"]
    picture = cell.get_by_alt_text("the latent plane; drag the ring")
    expect(cell).to_contain_text("nats of information")
    shoot(screen, picture, f"9-plane-at-{width}")
    left, bottom, wide, high = np.load(home / "plane.npy")

    def place(z_1: float, z_2: float) -> tuple[float, float]:
        box = picture.bounding_box()
        x, y = left + wide * (z_1 / 3.2 + 1) / 2, 1 - bottom - high * (z_2 / 3.2 + 1) / 2
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    before = picture.get_attribute("src")
    screen.mouse.move(*place(-2, -2))
    screen.mouse.down()
    screen.mouse.move(*place(2, 1), steps=30)
    screen.mouse.up()
    expect(cell).to_contain_text(re.compile(r"z = \((1\.9|2\.0)\d, (0\.9|1\.0)\d\)"))
    expect(picture).not_to_have_attribute("src", before)
    screen.mouse.move(*place(0, 0))  # without a button pressed, the point stays
    shoot(screen, picture, f"10-plane-dragged-at-{width}")
    readouts = cell.locator(".widget-readout").all_inner_texts()
    assert [float(text) for text in readouts] == pytest.approx([2, 1], abs=0.05)


@pytest.mark.parametrize("screen", SCREENS, indirect=True, ids=["1280", "900"])
def test_the_switch_lights_the_losses_of_another_mode(screen):
    cell, width = cell_with(screen, "mode_switch"), screen.viewport_size["width"]
    picture = cell.locator("img.widget-image")
    for mode, image, losses in (("d", "a (pseudo-)anomaly", "l_enc1, l_enc2, l_mut"),
                                ("vae", "a normal image", "l_recon, l_enc1")):
        cell.locator("select").first.select_option(label={"d": "RSC-VAE_d", "vae": "VAE"}[mode])
        cell.locator("select").last.select_option(label=image)
        expect(cell.get_by_text("losses asked:")).to_have_text(f"losses asked: {losses}")
        shoot(screen, picture, f"11-mode-{mode}-at-{width}")


def test_parts_can_be_paged_through(notebook):
    """Another kind by the dropdown, then the next part of it by the keyboard."""
    cell = cell_with(notebook, "PartInspector")
    picture = cell.locator("img.widget-image")
    expect(cell).to_contain_text("test/corner/")
    before = picture.get_attribute("src")
    cell.locator("select").select_option("scratch")
    expect(cell).to_contain_text("test/scratch/")
    expect(picture).not_to_have_attribute("src", before)
    first = cell.locator(".widget-html", has_text="novelty score").inner_text()
    cell.locator(".noUi-handle").focus()
    cell.locator(".noUi-handle").press("ArrowRight")
    expect(cell.locator(".widget-readout")).to_have_text("1")
    expect(cell.locator(".widget-html", has_text="novelty score")).not_to_have_text(first)
    shoot(notebook, picture, "8-part")


def test_live_training_stops_at_the_button_and_can_go_on(notebook, home):
    """The state that the button leaves on disk is one that `train` goes on from, with the next
    epoch."""
    cell, folder = cell_with(notebook, "LiveTraining"), home / "live"
    picture = cell.locator("img.widget-image")
    notebook.screenshot(path=SHOTS / "5-training-ready.png")
    train_button, stop_button = (
        cell.get_by_role("button", name=name, exact=True) for name in ("train", "stop")
    )
    train_button.click()
    expect(cell.locator(".widget-html", has_text="training")).to_be_visible()
    shoot(notebook, picture, "6-training")
    expect(picture).not_to_have_attribute("src", picture.get_attribute("src"))  # it grows
    stop_button.click()
    stopped = cell.get_by_text(re.compile(r"stopped after epoch \d+ of 2000"))
    epoch = int(re.search(r"epoch (\d+)", stopped.inner_text())[1])
    expect(stop_button).to_be_disabled()
    shoot(notebook, picture, "7-training-stopped")
    assert (folder / STATE).is_file()
    assert not (folder / METRICS).exists()
    with pytest.raises(TrainingStopped, match=f"stopped after epoch {epoch + 1} of 2000"):
        train(
            read_config(folder),
            folder,
            resume=True,
            progress=False,
            callbacks=[lambda epoch: False],
        )
