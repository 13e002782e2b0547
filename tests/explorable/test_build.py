"""What is committed of the page is what its source builds; its models say what they should."""

import gzip
import re
import shutil
import socket
import subprocess
import sys
import urllib.request

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator

from rscvae_lab import VAE, Config
from rscvae_lab.config.schema import RECIPE
from rscvae_lab.datasets import load_split
from rscvae_lab.errors import InputError
from rscvae_lab.explorable import (
    calibrate,
    decoder_bytes,
    encoder_bytes,
    explore,
    stored_regions,
)
from rscvae_lab.explorable.page import RUNS, SITE
from rscvae_lab.runs import Run
from rscvae_lab.runs.evaluation import evaluate
from rscvae_lab.storage.files import project_root, resource

SOURCE = project_root() / "docs" / "explorable"


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("npm"), reason="no Node: the page stays as it was built")
def test_the_committed_page_is_what_the_source_builds(tmp_path):
    copy, site = tmp_path / "explorable", resource(SITE)
    shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("node_modules", "site"))
    installed = subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=copy, capture_output=True,
                               encoding="utf-8")
    if installed.returncode:
        pytest.skip(f"npm ci failed: {installed.stderr.splitlines()[0]}")
    for command in (["npm", "run", "check"], ["node", "build.mjs", "built"]):
        subprocess.run(command, cwd=copy, check=True, capture_output=True)
    for name in ("page.js", "ort.js", "ort.wasm.gz"):
        built, committed = ((place / name).read_bytes() for place in (copy / "built", site))
        if name.endswith(".gz"):  # zlib may differ
            built, committed = gzip.decompress(built), gzip.decompress(committed)
        assert built == committed, f"{name}: run docs/explorable/build.sh"


def test_the_source_is_small_and_loads_nothing_from_elsewhere():
    files = sorted(SOURCE.glob("src/*.ts"))
    lines = [line for path in files for line in path.read_text("utf-8").splitlines()]
    assert len(lines) < 1200
    assert max(map(len, lines)) <= 140
    page = (resource(SITE) / "index.html").read_text("utf-8")
    assert not re.findall(r"(?:src|<link[^>]*href)=\"https?:", page)
    assert not re.search(r"url\(|@import", (resource(SITE) / "style.css").read_text("utf-8"))


@pytest.mark.parametrize("name", RUNS)
def test_regions_are_those_of_the_weights_beside_them(name):
    run = Run.load(resource(RUNS[name]))
    regions, levels, step = stored_regions(run)
    assert regions.codes.shape == (run.metrics["n_train"], run.config.latent) == levels.shape
    assert regions.farthest == pytest.approx(10 * step, rel=0.05)
    assert 0 < regions.least_information < 20 < regions.worst_recon


def test_other_networks_are_refused():
    resnet = VAE.from_config(Config(network="resnet18", image_size=32))
    for written in (encoder_bytes, decoder_bytes):
        with pytest.raises(InputError, match="plain network"):
            written(resnet)


def test_the_graphs_compute_what_the_model_does():
    """By ONNX's own reference implementation; only the weights' rounding lies between."""
    run = Run.load(resource(RUNS["plane"]))
    x = load_split(run.config).test[:20].float() / 255
    encoder, decoder = (onnx.load_from_string(part(run.model, extra=2.0))
                        for part in (encoder_bytes, decoder_bytes))
    for graph in (encoder, decoder):
        onnx.checker.check_model(graph, full_check=True)
    with torch.inference_mode():
        mu, log_var = run.model.encode(x)
        expected = run.model.decode(mu)
    found = ReferenceEvaluator(encoder).run(["mu", "log_var"], {"x": x.numpy()})
    assert found[0] == pytest.approx(mu.numpy(), rel=1e-3, abs=1e-3)
    assert found[1] == pytest.approx(log_var.numpy(), rel=1e-3, abs=1e-3)
    [x_hat] = ReferenceEvaluator(decoder).run(["x_hat"], {"z": mu.numpy()})
    assert x_hat == pytest.approx(expected.numpy(), abs=1e-3)


def test_the_same_weights_give_the_same_bytes():
    model = VAE.from_config(Config(latent=2)).eval()
    assert encoder_bytes(model) == encoder_bytes(model)


@pytest.mark.slow
def test_explore_serves_the_page_on_this_machine_and_stops_when_told_to():
    command = [sys.executable, "-m", "rscvae_lab", "explore", "--no-browser"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8")
    try:
        address = server.stdout.readline().split()[0]
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{address}facts.json", timeout=60) as answer:
            assert answer.headers["Content-Type"] == "application/json"
        with urllib.request.urlopen(f"{address}page.js", timeout=60) as answer:
            assert answer.headers["Content-Type"] == "text/javascript"
        server.terminate()  # SIGINT is ignored in what a shell starts in the background
        assert server.wait(60) == 130
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def test_a_port_that_is_taken_is_said():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"expected a free port, found {port}"):
            explore(port, show=False)


def test_the_metrics_of_the_plane_follow_from_its_weights():
    run = Run.load(resource(RUNS["plane"]))
    assert (run.config.latent, run.config.mode, run.config.recipe) == (2, "e", RECIPE)
    assert not run.metrics["commit"].endswith("dirty")
    _, metrics, *_ = evaluate(run.model, load_split(run.config), run.config)
    for name in ("auroc", "threshold", "semantic_deviation_rate", "heldout_mean_mut"):
        assert metrics[name] == pytest.approx(run.metrics[name], rel=1e-3), name


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.real_data)
                                  if RUNS[name].startswith("pretrained/mnist") else name
                                  for name in RUNS])
def test_calibrating_anew_gives_the_regions_that_are_stored(name, tmp_path):
    run = Run.load(shutil.copytree(resource(RUNS[name]), tmp_path / name))
    regions, levels, step = stored_regions(run)
    calibrate(run.folder)
    again, new_levels, new_step = stored_regions(run)
    assert new_step == pytest.approx(step, rel=1e-3)
    assert np.abs(new_levels.astype(int) - levels).max() <= 1
    for name in ("least_information", "farthest", "worst_recon"):
        assert getattr(again, name) == pytest.approx(getattr(regions, name), rel=1e-3)
