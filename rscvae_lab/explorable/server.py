"""The page on this machine alone: `rscvae explore`."""

import tempfile
import webbrowser
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from rscvae_lab.errors import InputError
from rscvae_lab.explorable.page import write_page


class _Quiet(SimpleHTTPRequestHandler):
    """Files of one folder; types from here, since a Windows registry may know others."""

    extensions_map = {  # noqa: RUF012
        ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css",
        ".json": "application/json", ".png": "image/png", "": "application/octet-stream"}

    def log_message(self, *_: Any) -> None:
        pass


def explore(port: int = 0, show: bool = True) -> None:
    """Serves the page on 127.0.0.1 until it is interrupted, at a free port unless one is named,
    and opens it in a browser if `show`. Raises InputError for a port that is taken."""
    with tempfile.TemporaryDirectory(prefix="rscvae-explore-") as folder:
        write_page(folder)
        with server_of(folder, port) as server:
            address = address_of(server)
            print(f"{address}   (Ctrl-C stops it)", flush=True)
            if show:
                webbrowser.open_new_tab(address)
            server.serve_forever()


def server_of(folder: str | Path, port: int = 0) -> ThreadingHTTPServer:
    """A static server for a folder on 127.0.0.1, at a free port unless one is named. Raises
    InputError for a port that is taken."""
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), partial(_Quiet, directory=folder))
    except (OSError, OverflowError) as error:
        raise InputError(f"expected a free port, found {port} ({error})") from None


def address_of(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}/"
