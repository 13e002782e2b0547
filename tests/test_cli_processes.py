"""The command line as a process of its own: how it starts, and what it writes to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rscvae_lab import __version__
from rscvae_lab.cli import main


@pytest.mark.parametrize("how", ["module", "script"])
def test_help_lists_the_commands(how):
    start = (
        [sys.executable, "-m", "rscvae_lab"]
        if how == "module"
        else [Path(sys.executable).with_name("rscvae")]
    )
    printed = subprocess.run(
        [*start, "--help"], check=True, capture_output=True, encoding="utf-8"
    ).stdout
    for command in ("train", "score", "rerun", "run", "data"):
        assert command in printed


@pytest.mark.slow
def test_a_console_that_lacks_a_letter_shows_its_number(tmp_path):
    missing = tmp_path / "données-数据"
    environment = os.environ | {"PYTHONIOENCODING": "cp1252", "RSCVAE_DATA": str(missing)}
    listed = subprocess.run(
        [sys.executable, "-m", "rscvae_lab", "data", "list"], check=True, capture_output=True,
        encoding="cp1252", env=environment,
    ).stdout
    assert "donn\xe9es-\\u6570\\u636e" in listed


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_is_no_error(tmp_path, monkeypatch):
    """As in `rscvae data list | head -1`."""
    monkeypatch.setenv("RSCVAE_DATA", str(tmp_path))
    command = [sys.executable, "-m", "rscvae_lab", "data", "list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as listing:
        listing.stdout.close()
        assert listing.stderr.read() == b""
    assert listing.returncode == 1


def test_the_version_is_the_packages(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"rscvae {__version__}\n"


def test_help_loads_no_torch():
    code = (
        "import sys, rscvae_lab.cli as cli; cli.command_line(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
