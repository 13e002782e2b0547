"""A JupyterLab with a notebook of the test module's `CELLS`, and a browser that shows it."""

import secrets
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest


@pytest.fixture(scope="module")
def home(request, tmp_path_factory) -> Path:
    """JupyterLab's root folder, with the notebook in it."""
    folder = tmp_path_factory.mktemp("lab")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in request.module.CELLS]
    nbformat.write(notebook, folder / "widgets.ipynb")
    return folder


@pytest.fixture(scope="module")
def server(home, tmp_path_factory):
    """The address of a JupyterLab, and its token."""
    from browser import free_port, private_environment, wait_for_answer

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
    with (private / "log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        wait_for_answer(f"{address}/api/status?token={token}", process, private / "log")
        yield SimpleNamespace(address=address, token=token)
    finally:
        process.terminate()  # it ends its kernels
        process.wait(30)


@pytest.fixture(scope="module")
def browser_page(tmp_path_factory):
    """An empty page, and what went wrong in it so far."""
    from browser import CHROMIUM, is_local, playwright

    from rscvae_lab.bench.page import SWITCHES

    with playwright.sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"),
            executable_path=CHROMIUM,
            headless=True,
            args=SWITCHES,
            viewport={"width": 1400, "height": 1000},
        )
        page, troubles = context.pages[0], []
        page.set_default_timeout(300_000)
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


@pytest.fixture(scope="module")
def notebook(server, browser_page):
    """The page after Run All, when every cell has run: until then outputs push others about."""
    from browser import expect

    page, _ = browser_page
    expect.set_options(timeout=300_000)  # ms
    page.goto(
        f"{server.address}/lab/workspaces/{secrets.token_hex(4)}/tree/widgets.ipynb"
        f"?token={server.token}&reset"
    )
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    page.get_by_text("| Idle").wait_for()
    page.locator('.lm-MenuBar-itemLabel:text-is("Run")').click()
    page.locator('.lm-Menu-item[data-command="runmenu:run-all"]').click()
    page.get_by_text("| Busy").wait_for()
    page.get_by_text("| Idle").wait_for()
    return page


@pytest.fixture
def no_trouble(browser_page):
    """After each test: no failed cell, no uncaught error in the page, no request to another
    host."""
    yield
    page, troubles = browser_page
    failed = page.locator('[data-mime-type="application/vnd.jupyter.error"]').all_inner_texts()
    assert not failed + troubles
