"""`rscvae doctor` says what works; what is broken or absent comes with advice."""

import pytest

from rscvae_lab.bench.doctor import Finding, examine, works
from rscvae_lab.cli import main


@pytest.fixture
def findings(tmp_path, monkeypatch):
    """By subject, on a machine without data sets."""
    monkeypatch.setenv("RSCVAE_DATA", str(tmp_path / "nothing"))

    def of_now() -> dict[str, Finding]:
        return {finding.subject: finding for finding in examine()}

    return of_now


def test_what_is_absent_is_named_with_what_to_do_and_does_no_harm(findings):
    absent = findings()["mnist"]
    assert "rscvae data fetch mnist" in absent.advice
    assert "absent" in str(absent)
    assert works(list(findings().values()))


@pytest.mark.parametrize(
    ("name", "value", "subject"),
    [("RSCVAE_DEVICE", "tpu", "device"), ("RSCVAE_RUNS", __file__, "runs")],
)
def test_what_the_course_needs_is_broken_without(name, value, subject, findings, monkeypatch):
    monkeypatch.setenv(name, value)
    broken = findings()[subject]
    assert name in broken.advice
    assert str(broken).startswith("BROKEN")
    assert not works([broken])


def test_the_exit_status_says_whether_the_course_works(findings, monkeypatch, capsys):
    assert main(["doctor"]) == 0
    monkeypatch.setenv("RSCVAE_DEVICE", "tpu")
    assert main(["doctor"]) == 1
    assert "does not work here" in capsys.readouterr().out
