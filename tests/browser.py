"""What the browser tests share: headless Chromium drives JupyterLab, and nothing leaves this
machine."""

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from rscvae_lab.bench.doctor import BROWSERS
from rscvae_lab.storage.files import project_root

playwright = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed (extra `dev`)"
)
expect = playwright.expect
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
NEEDS_CHROMIUM = [
    pytest.mark.usefixtures("no_trouble"),
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome on PATH"
    ),
]

SHOTS = Path(os.environ.get("RSCVAE_SCREENSHOTS") or project_root() / "runs" / "screenshots")
MAP = "a map of codes; click a point"


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
    notification.write_text('{"fetchNews": "false", "checkForUpdates": false}', "utf-8")
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
                f"no JupyterLab:\n{log.read_text('utf-8')}"
            )
            time.sleep(0.2)


def is_local(url: str) -> bool:
    return (
        urlsplit(url).scheme in ("data", "blob", "about") or urlsplit(url).hostname == "127.0.0.1"
    )


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
