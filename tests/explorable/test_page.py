"""The page in a real browser: its numbers are Python's, and mouse and keyboard move it."""

import gzip
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from browser import CHROMIUM, NEEDS_CHROMIUM, SHOTS, expect, is_local, playwright
from PIL import Image

from rscvae_lab import NORMAL, NOVEL, scoring
from rscvae_lab.analysis.atlas import read_images
from rscvae_lab.analysis.surveys import Survey
from rscvae_lab.bench.page import DRAGS, SWITCHES, drag, milliseconds, served
from rscvae_lab.datasets.shifts import rotated
from rscvae_lab.errors import InputError
from rscvae_lab.explorable import stored_regions, write_page
from rscvae_lab.explorable.page import RUNS, TRAININGS
from rscvae_lab.runs import Run
from rscvae_lab.storage.files import resource

pytestmark = NEEDS_CHROMIUM
WIDTHS = (360, 900, 1280)
TERMS = ("l_recon", "l_enc1", "l_mut", "score", "distance")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_page(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def site(folder):
    """The loaded page, and what went wrong in it so far."""
    with served(folder) as address, playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        page, troubles = chromium.new_page(viewport={"width": 1280, "height": 900}), []
        page.set_default_timeout(60_000)
        expect.set_options(timeout=30_000)
        page.on("pageerror", lambda error: troubles.append(f"error in the page: {error}"))
        page.on("console", lambda said: said.type == "log" or troubles.append(said.text))
        page.on("request", lambda sent: is_local(sent.url)
                or troubles.append(f"left this machine: {sent.url}"))
        page.goto(address)
        page.locator("[data-ready] [data-field=drawn]").wait_for()
        yield SimpleNamespace(page=page, troubles=troubles)
        chromium.close()


@pytest.fixture
def no_trouble(site):
    yield
    assert not site.troubles


@pytest.fixture(scope="module")
def facts(folder):
    return json.loads((folder / "facts.json").read_text("utf-8"))


def sheet(folder, name: str, n: int) -> torch.Tensor:
    """The images of a sheet, uint8 (n, 1, 32, 32)."""
    pixels = torch.from_numpy(np.array(Image.open(folder / f"{name}.png")))
    rows = pixels.unflatten(0, (-1, 32)).unflatten(2, (20, 32))
    return rows.transpose(1, 2).flatten(0, 1)[:n, None]


def surveyed(name: str) -> Survey:
    run = Run.load(resource(RUNS[name]))
    return Survey(run, None, stored_regions(run)[0])


def agree(site, model: str, images: torch.Tensor, name: str, index: list[int],
          degrees: list[int]) -> None:
    """The page and the package measure the same of these images."""
    script = ("async ([model, name, index, degrees]) => (await explorable.examine(model, name, "
              "index, degrees)).map((e) => [e.l_recon, e.l_enc1, e.l_mut, e.score, e.distance, "
              "e.region])")
    *theirs, region = zip(*site.page.evaluate(script, [model, name, index, degrees]))
    frame = surveyed(model).examine(images).frame.rename(columns={"novelty_score": "score"})
    for term, values in zip(TERMS, theirs):
        assert values == pytest.approx(frame[term].to_list(), rel=1e-3), (model, term)
    assert list(region) == frame.region.to_list(), model


def test_the_plane_measures_what_python_measures(site, folder, facts):
    index = list(range(30, 80))  # normal and novel ones
    images = sheet(folder, "digits", len(facts["digits"]["labels"]))[index]
    agree(site, "plane", images, "digits", index, [0] * 50)


def test_a_turned_eight_is_the_image_that_python_turns(site, folder, facts):
    index = (facts["digits"]["turning"] * 10)[:50]
    degrees = [7 * i + 1 for i in range(50)]
    images = sheet(folder, "digits", len(facts["digits"]["labels"]))[index]
    turned = rotated(images, torch.tensor(degrees))
    agree(site, "plane", turned, "digits", index, degrees)
    regions = set(surveyed("plane").examine(turned).frame.region)
    assert regions == {"normal", "anomalous", "unknown"}


@pytest.mark.parametrize("mode", TRAININGS)
def test_each_mode_measures_what_python_measures(site, folder, facts, mode):
    labels = np.array(facts["mnist"]["labels"])
    index = [int(i) for label in (NORMAL, NOVEL) for i in np.flatnonzero(labels == label)[:25]]
    images = sheet(folder, "mnist", len(labels))[index]
    agree(site, mode, images, "mnist", index, [0] * 50)
    measured = facts["mnist"]["measured"][mode]  # what figures c and d show of all images
    frame = surveyed(mode).examine(images).frame
    for term in ("l_recon", "l_enc1", "l_mut", "distance"):
        assert np.array(measured[term])[index] == pytest.approx(frame[term], rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("mode", ["vae", "e", "e_all"])
def test_rounded_codes_hardly_ever_change_a_region(mode):
    images, rows = read_images(resource("results/fig7.csv"))
    rows = rows[rows.method == mode].reset_index(drop=True)
    regions = surveyed(mode).examine(images[300:]).frame.region
    assert (regions.to_numpy() == rows.region[300:].to_numpy()).mean() > 0.97


@pytest.mark.parametrize("alpha", [0, 0.3, 1])
def test_auroc_follows_alpha_as_in_python(site, facts, alpha):
    site.page.get_by_role("button", name="RSC-VAE_o").last.click()
    measured, labels = facts["mnist"]["measured"]["o"], np.array(facts["mnist"]["labels"])
    l_recon, l_mut = np.array(measured["l_recon"]), np.array(measured["l_mut"])
    means = scoring.Normalisers(*facts["models"]["o"]["means"])
    scores = scoring.novelty_score(l_recon, l_mut, means, alpha)
    theirs = site.page.evaluate("alpha => explorable.scores(alpha)", alpha)
    assert theirs["scores"] == pytest.approx(scores.tolist(), rel=1e-6)
    assert theirs["auroc"] == pytest.approx(scoring.auroc(labels, scores), abs=1e-9)


@pytest.fixture(params=WIDTHS)
def page(site, request):
    """The page in another size, in which nothing is cut off at the right."""
    site.page.set_viewport_size({"width": request.param, "height": 900})
    assert site.page.evaluate("document.documentElement.scrollWidth") <= request.param
    yield site.page
    for section in ("plane", "turning", "modes", "alpha"):
        site.page.locator(f"#{section}").screenshot(
            path=SHOTS / f"explorable-{section}-at-{request.param}.png")


def test_the_mouse_moves_every_figure(page):
    texts = {"a": ("#plane output", r"z = \(0\.\d+, .* normal region", r"z = \(-2\.7.* unknown"),
             "b": ("#turning output", r"by 0°: normal", r"by 90°: anomalous"),
             "d": ("#alpha output", r"α = 0\.0", r"α = 0\.8")}
    for figure, (selector, start, end) in DRAGS.items():
        output, at_start, at_end = texts[figure]
        drag(page, selector, end, start)
        expect(page.locator(output)).to_have_text(re.compile(at_start))
        drag(page, selector, start, end)
        expect(page.locator(output)).to_have_text(re.compile(at_end))
    expect(page.locator("#turning input")).to_have_value("90")
    novel, card = page.get_by_role("button", name=re.compile("a 7, novel")).first, "#modes article"
    page.get_by_role("button", name=re.compile("a 5, normal")).first.click()
    expect(page.locator(card).last).to_contain_text("passes as normal")
    novel.click()
    expect(page.locator(card).last).to_contain_text("unknown")
    expect(page.locator(card).last).to_contain_text(": novel")


def test_the_keyboard_moves_every_figure(page):
    ring = page.get_by_role("slider", name=re.compile("point of the plane"))
    page.get_by_role("button", name=re.compile("among other digits")).click()
    expect(page.locator("#plane output")).to_contain_text("unknown region")
    page.get_by_role("button", name=re.compile("among the eights")).click()
    expect(page.locator("#plane output")).to_contain_text("normal region")
    before = page.locator("#plane output").inner_text()
    ring.press("ArrowRight")
    expect(page.locator("#plane output")).not_to_have_text(before)
    for section, key, value in (("turning", "Home", "0"), ("alpha", "End", "1")):
        handle = page.locator(f"#{section} input[type=range]")
        handle.press(key)
        expect(handle).to_have_value(value)
    expect(page.locator("#turning output")).to_contain_text("Turned by 0°: normal")
    page.locator("#turning input").press("ArrowRight")
    expect(page.locator("#turning output")).to_contain_text("Turned by 5°")
    expect(page.locator("#alpha output")).to_contain_text("α = 1.00")
    anomaly = page.get_by_role("button", name="shown an anomaly")
    for mode, lit in (("RSC-VAE_o", ""), ("RSC-VAE_d", "enc1 enc2 mut")):
        page.get_by_role("button", name=mode).first.press("Enter")
        anomaly.press("Space")
        paths = page.locator("#modes .diagram [data-lit=true]")
        terms = sorted(path.get_attribute("data-term") for path in paths.all())
        assert terms == lit.split()


def test_a_drawn_digit_goes_through_three_figures(site):
    page = site.page
    page.set_viewport_size({"width": 1280, "height": 900})
    outputs = [page.locator(f"#{name}").first for name in ("plane output", "modes article")]
    before = [output.inner_text() for output in outputs]
    drag(page, "#pad canvas", (0.3, 0.2), (0.7, 0.2))
    drag(page, "#pad canvas", (0.7, 0.2), (0.4, 0.8))
    expect(page.locator("#sent")).to_be_visible()
    for output, text in zip(outputs, before):
        expect(output).not_to_have_text(text)
    for choice in ("which eight", "which digit"):  # none of those offered
        pressed = page.get_by_role("group", name=choice).locator("[aria-pressed=true]")
        expect(pressed).to_have_count(0)
    mine = page.get_by_role("img", name="your digit, encoded at the pink ellipse")
    expect(mine).to_be_visible()
    page.screenshot(path=SHOTS / "explorable-drawn.png")
    page.get_by_role("button", name="clear").click()
    expect(page.locator("#sent")).to_be_hidden()
    expect(mine).to_be_hidden()
    expect(outputs[0]).to_contain_text("normal region")  # the ring is back among the eights
    for choice in ("which eight", "which digit"):
        pressed = page.get_by_role("group", name=choice).locator("[aria-pressed=true]")
        expect(pressed).to_have_count(1)


def test_every_drag_is_shown(site):
    """Else this ends in a time limit. How fast, `make bench` says."""
    for figure in "abcd":
        milliseconds(site.page, figure)


def test_the_page_is_light(folder):
    """Under 4 MB with its models as a server sends it, and the WASM, apart, under 3."""
    sizes = {path.name: path.stat().st_size if path.suffix in (".gz", ".png")
             else len(gzip.compress(path.read_bytes())) for path in folder.iterdir()}
    assert sizes.pop("ort.wasm.gz") < 3e6
    assert sum(sizes.values()) < 4e6


def test_another_page_is_not_overwritten(folder, tmp_path):
    (tmp_path / "index.html").write_text("<html>mine", "utf-8")
    with pytest.raises(InputError, match="found another file"):
        write_page(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["index.html"]
    (tmp_path / "index.html").rename(tmp_path / "facts.json")
    with pytest.raises(InputError, match=r"found another file: .*facts\.json"):
        write_page(tmp_path)
    before = (folder / "facts.json").read_bytes()
    assert write_page(folder) == folder and (folder / "facts.json").read_bytes() == before
