"""How fast the page of `rscvae explore` follows the hand, in a real browser."""

import shutil
import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rscvae_lab.bench.doctor import BROWSERS
from rscvae_lab.explorable import write_page
from rscvae_lab.explorable.server import address_of, server_of

SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
# of each figure: what the mouse drags, from where to where, in fractions of its width and height
DRAGS = {"a": ("#plane .plane", (0.6, 0.6), (0.2, 0.5)),
         "b": ("#turning .dial", (0.5, 0.1), (0.9, 0.5)),
         "d": ("#alpha .map.drags", (0.9, 0.85), (0.3, 0.1))}
STEPS = 25


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of the page in a folder, as `rscvae explore` serves it."""
    server = server_of(folder)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield address_of(server)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def page_redraws() -> dict[str, float]:
    """Median milliseconds from a move of the mouse to the frame that shows it, by figure of the
    page; of figure c from a click on a digit. Empty without playwright or a browser."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None or not find_spec("playwright"):
        return {}
    from playwright.sync_api import sync_playwright

    with (TemporaryDirectory() as folder, served(write_page(folder)) as address,
          sync_playwright() as driver):
        chromium = driver.chromium.launch(executable_path=browser, args=SWITCHES)
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(180_000)
        page.goto(address)
        page.locator("[data-ready] [data-field=drawn]").wait_for()  # all is loaded and computed
        redraws = {f"page {figure}": milliseconds(page, figure) for figure in "abcd"}
        chromium.close()
    return redraws


def milliseconds(page: Any, figure: str) -> float:
    """The median over one drag of a loaded page's figure."""
    page.evaluate("figure => { explorable.redraws[figure].length = 0 }", figure)
    if figure in DRAGS:
        selector, start, end = DRAGS[figure]
        drag(page, selector, start, end)
    else:
        for digit in page.locator("#modes .choice").first.locator("button").all()[:10]:
            digit.click()
            page.wait_for_timeout(100)
    page.wait_for_function("figure => explorable.redraws[figure].length > 2", arg=figure)
    return round(statistics.median(page.evaluate("f => explorable.redraws[f]", figure)), 1)


def drag(page: Any, selector: str, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Presses the mouse at one place of an element and moves it to another."""
    target = page.locator(selector)
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    (x0, y0), (x1, y1) = ((box["x"] + u * box["width"], box["y"] + v * box["height"])
                          for u, v in (start, end))
    page.mouse.move(x0, y0)
    page.mouse.down()
    for step in range(1, STEPS + 1):
        page.mouse.move(x0 + (x1 - x0) * step / STEPS, y0 + (y1 - y0) * step / STEPS)
    page.mouse.up()
