"""What classrooms see: the score's line, Fig. 7 and a slow image, in a browser of a projector's
size and in half a screen."""

import numpy as np
import pytest
from browser import MAP, NEEDS_CHROMIUM, cell_with, expect, shoot

pytestmark = NEEDS_CHROMIUM
CELLS = [
    """\
import numpy as np
from rscvae_lab import widgets
from rscvae_lab.config import Config
from rscvae_lab.trainers import trained""",
    """\
widgets.alpha_explorer(trained(Config(mode="o", epochs=2)))""",
    """\
from rscvae_lab.analysis import atlas
from rscvae_lab.runs import Run
from rscvae_lab.storage.files import project_root
folder = project_root() / "pretrained" / "mnist-5"
shipped = {name: Run.load(folder / name) for name in ("vae", "e", "e_all")}
stored = atlas.read(project_root() / "results" / "fig7.csv", shipped)
fig7 = widgets.DeviationExplorer({each.name: each for each in stored.values()})
np.save("fig7.npy", fig7.places)
fig7""",
    """\
import time
from rscvae_lab import figures
def slow(angle):
    time.sleep(0.5)
    return figures.canvas(6, 2), f"drawn at {angle} degrees"
widgets.Panel(slow, {"angle": widgets.slider("angle", 0, 0, 360, 5)})""",
]
SIZES = {"1280": (1280, 720), "900": (900, 720)}  # of a projector, and of half a screen


def fits(page, cell, size: tuple[int, int]) -> None:
    """Asserts that controls and image are in sight together in a window of this size."""
    page.set_viewport_size(dict(zip(("width", "height"), size)))
    parts = cell.locator(".jp-OutputArea .widget-vbox").first.locator(
        ".widget-slider, .widget-dropdown, img"
    )
    parts.last.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    left, top, right, bottom = page.locator(".jp-WindowedPanel-outer").first.evaluate(
        "e => { const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom] }"
    )
    boxes = [part.bounding_box() for part in parts.all() if part.is_visible()]
    assert len(boxes) >= 2
    assert min(box["x"] for box in boxes) >= left
    assert max(box["x"] + box["width"] for box in boxes) <= right
    lowest = max(box["y"] + box["height"] for box in boxes)
    assert lowest - min(box["y"] for box in boxes) <= bottom - top


@pytest.mark.parametrize("name", SIZES)
def test_alpha_turns_the_line_on_every_screen(notebook, name):
    """End and arrow keys: l_mut alone, then one step back."""
    cell = cell_with(notebook, "alpha_explorer")
    picture, handle = cell.locator("img.widget-image"), cell.locator(".noUi-handle")
    fits(notebook, cell, SIZES[name])
    handle.focus()
    handle.press("End")
    expect(cell).to_contain_text("α = 1.000: AUROC")
    before = picture.get_attribute("src")
    handle.press("ArrowLeft")
    expect(cell).to_contain_text("α = 0.975: AUROC")
    expect(picture).not_to_have_attribute("src", before)
    shoot(notebook, picture, f"9-alpha-{name}")


@pytest.mark.parametrize("name", SIZES)
def test_fig_7_can_be_explored_on_every_screen(notebook, home, name):
    """A click on the loneliest novel image of the VAE's map, then another perplexity."""
    cell = cell_with(notebook, "fig7.csv")
    picture = cell.get_by_alt_text(MAP)
    fits(notebook, cell, SIZES[name])
    cell.locator("select").last.select_option("30")
    places = np.load(home / "fig7.npy")[0]
    distances = np.linalg.norm(places[600:, None] - places, axis=-1)
    chosen = 600 + int(np.sort(distances)[:, 1].argmax())
    box, (x, y) = picture.bounding_box(), places[chosen]
    picture.click(position={"x": x * box["width"], "y": (1 - y) * box["height"]})
    expect(cell).to_contain_text(f"image {chosen}: a novel test image")
    expect(cell).to_contain_text("RSC-VAE_e, 594 anomalies")
    before = picture.get_attribute("src")
    cell.locator("select").last.select_option("5")
    expect(picture).not_to_have_attribute("src", before)
    shoot(notebook, picture, f"10-fig7-{name}")


def test_the_last_position_wins_and_an_image_behind_says_so(notebook):
    """Twenty quick steps, each drawn in half a second: the browser says at once that the image is
    behind, and the last one is drawn."""
    cell = cell_with(notebook, "slow")
    status, handle = cell.get_by_role("status"), cell.locator(".noUi-handle")
    expect(cell).to_contain_text("drawn at 0 degrees")
    expect(status).to_have_text("")
    handle.focus()
    for _ in range(20):
        handle.press("ArrowRight")
    expect(status).to_contain_text("the image is behind")
    expect(cell).to_contain_text("drawn at 100 degrees")
    expect(status).to_have_text("")
    expect(cell.locator(".widget-readout")).to_have_text("100")
