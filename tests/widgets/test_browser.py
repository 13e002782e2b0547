"""The widgets in a real browser: headless Chromium drives JupyterLab, and nothing leaves this
machine."""

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import nbformat
import numpy as np
import pytest

from rscvae_lab.errors import TrainingStopped
from rscvae_lab.runs.folder import STATE
from rscvae_lab.runs.run import METRICS, read_config
from rscvae_lab.storage.files import project_root
from rscvae_lab.trainers import train

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed (extra `dev`)"
)
expect = playwright.expect
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome on PATH"
    ),
]

SHOTS = Path(os.environ.get("RSCVAE_SCREENSHOTS") or project_root() / "runs" / "screenshots")
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
MAP = "a map of codes; click a point"
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """JupyterLab's root folder, with the notebook in it."""
    folder = tmp_path_factory.mktemp("lab")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    nbformat.write(notebook, folder / "widgets.ipynb")
    return folder


@pytest.fixture(scope="module")
def server(home, tmp_path_factory):
    """The address of a JupyterLab, and its token."""
    private, token, port = tmp_path_factory.mktemp("jupyter"), secrets.token_hex(16), free_port()
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={home}",
        f"--IdentityProvider.token={token}",
    ]
    environment, address = private_environment(private), f"http://127.0.0.1:{port}"
    with (private / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        wait_for_answer(f"{address}/api/status?token={token}", process, private / "log")
        yield SimpleNamespace(address=address, token=token)
    finally:
        process.terminate()  # it ends its kernels
        process.wait(30)


def private_environment(folder: Path) -> dict[str, str]:
    """In which JupyterLab knows no settings of this user's, and asks nobody for news."""
    names = (
        "JUPYTER_CONFIG_DIR",
        "JUPYTER_DATA_DIR",
        "JUPYTER_RUNTIME_DIR",
        "JUPYTERLAB_SETTINGS_DIR",
        "JUPYTERLAB_WORKSPACES_DIR",
        "IPYTHONDIR",
    )
    notification = (
        folder
        / "JUPYTERLAB_SETTINGS_DIR/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    )
    notification.parent.mkdir(parents=True)
    notification.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    return os.environ | {name: str(folder / name) for name in names}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_answer(url: str, process: subprocess.Popen, log: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            assert process.poll() is None and time.monotonic() < end, (
                f"no JupyterLab:\n{log.read_text()}"
            )
            time.sleep(0.2)


@pytest.fixture(scope="module")
def browser_page(tmp_path_factory):
    """An empty page, and what went wrong in it so far."""
    with playwright.sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"),
            executable_path=CHROMIUM,
            headless=True,
            args=SWITCHES,
            viewport={"width": 1400, "height": 1000},
        )
        page, troubles = context.pages[0], []
        page.set_default_timeout(180_000)
        page.on("pageerror", lambda error: troubles.append(f"error in the page: {error}"))
        for event in ("request", "websocket"):
            page.on(
                event,
                lambda sent: (
                    is_local(sent.url) or troubles.append(f"left this machine: {sent.url}")
                ),
            )
        yield page, troubles
        context.close()


def is_local(url: str) -> bool:
    return (
        urlsplit(url).scheme in ("data", "blob", "about") or urlsplit(url).hostname == "127.0.0.1"
    )


@pytest.fixture(scope="module")
def notebook(server, browser_page):
    """The page after Run All."""
    page, _ = browser_page
    expect.set_options(timeout=180_000)  # ms; the kernel may still run other cells
    page.goto(
        f"{server.address}/lab/workspaces/{secrets.token_hex(4)}/tree/widgets.ipynb"
        f"?token={server.token}&reset"
    )
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    page.get_by_text("| Idle").wait_for()
    page.locator('.lm-MenuBar-itemLabel:text-is("Run")').click()
    page.locator('.lm-Menu-item[data-command="runmenu:run-all"]').click()
    return page


@pytest.fixture(autouse=True)
def no_trouble(browser_page):
    """After each test: no failed cell, no uncaught error in the page, no request to another
    host."""
    yield
    page, troubles = browser_page
    failed = page.locator('[data-mime-type="application/vnd.jupyter.error"]').all_inner_texts()
    assert not failed + troubles


def cell_with(page, source: str):
    """The cell whose source has these words, scrolled to its widget."""
    cell = page.locator(".jp-CodeCell", has_text=source)
    cell.scroll_into_view_if_needed()
    cell.locator(".jp-OutputArea .widget-vbox").first.scroll_into_view_if_needed()
    return cell


def shoot(page, picture, name: str) -> None:
    """Keeps a screenshot, on which the picture is drawn, not stretched, and not cut off at the
    right."""
    sizes = page.wait_for_function(
        "p => p.naturalWidth > 400 && p.clientHeight > 0"
        " && [p.clientWidth, p.clientHeight, p.naturalWidth,"
        " p.naturalHeight, p.parentElement.clientWidth]",
        arg=picture.element_handle(),
    ).json_value()
    page.screenshot(path=SHOTS / f"{name}.png")
    width, height, natural_width, natural_height, room = sizes
    assert width / height == pytest.approx(natural_width / natural_height, rel=0.01)
    assert width <= min(natural_width, room)


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
    expect(cell).to_contain_text("α = 1.00: AUROC")
    before = picture.get_attribute("src")
    handle.press("ArrowLeft")
    expect(cell).to_contain_text("α = 0.97: AUROC")
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
            watch=lambda training: False,
        )
