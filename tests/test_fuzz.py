"""Random folders of images, damaged and not, through `train` and `score`: no traceback, one line
for every mistake, and no input file is changed. 200 examples; CONTRIBUTING.md says how to take
5,000."""

import hashlib
import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rscvae_lab.cli import main
from rscvae_lab.datasets.image_files import SUFFIXES

pytestmark = pytest.mark.slow

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM", "TGA", "PCX", "ICO", "DDS",
           "JPEG2000", "SGI", "IM", "QOI")
MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F", "YCbCr", "HSV")
FOLDERS = ("", "train/good", "Train/Good", "test/good", "test/bad", "TEST/Bad", "good", "bad",
           "ground_truth/bad", "ground_truth/good", "sub", "sub/deep", ".hidden", "__MACOSX",
           "train", "test", "bottle/train/good", "größe")
STEMS = ("0", "1", "1_mask", "0_mask", "._0", "Thumbs", "größe", "gro\u0308ße", "a,b\nc",
         "x" * 200, "\udce9", " ")
ENDINGS = (*sorted(SUFFIXES), ".PNG", ".Jpg", ".txt", ".csv", ".db", ".pdf", ".eps", "")


@st.composite
def contents(draw) -> bytes:
    """An image file of some format, mode and size; often cut, or with other bytes in its header;
    sometimes any bytes at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200))
    width, height = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    noise = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, (height, width, 3))
    image, file = Image.fromarray(noise.astype(np.uint8)), io.BytesIO()
    exif = b"Exif\0\0II*\0" + draw(st.binary(max_size=40))
    try:
        mode = draw(st.sampled_from(MODES))
        image = image.convert("L").convert(mode) if mode in ("I;16", "I", "F") else (
            image.convert(mode))
        image.save(file, draw(st.sampled_from(FORMATS)), **draw(st.sampled_from(
            ({}, {"exif": exif}, {"transparency": 3}))))
    except Exception:  # a format that has no such mode
        file = io.BytesIO()
        image.convert("RGB").save(file, "PNG")
    content = bytearray(file.getvalue())
    for place, value in draw(st.lists(st.tuples(st.integers(0, 150), st.integers(0, 255)),
                                      max_size=3)):
        content[place % len(content)] = value
    return bytes(content[: draw(st.sampled_from((None, None, None, len(content) // 2, 20)))])


FILES = st.lists(st.tuples(st.sampled_from(FOLDERS), st.sampled_from(STEMS),
                           st.sampled_from(ENDINGS), contents()), min_size=1, max_size=8)


def write(folder: Path, files: list[tuple[str, str, str, bytes]]) -> None:
    for where, stem, ending, content in files:
        (folder / where).mkdir(parents=True, exist_ok=True)
        (folder / where / (stem + ending)).write_bytes(content)


def state(folder: Path) -> dict[Path, str | None]:
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
            for path in folder.rglob("*")}


@given(files=FILES, sane=st.integers(0, 3))
def test_no_traceback_and_no_changed_input(short_run, files, sane):
    with tempfile.TemporaryDirectory() as scratch:
        category, out = Path(scratch, "root", "parts"), Path(scratch, "out")
        category.mkdir(parents=True)
        write(category, files)
        for i in range(sane):
            Image.new("L", (9, 9), i).save(category / f"sane{i}.png")
        before = state(category)
        trained = ["train", "--dataset", "folder", "--root", str(category.parent), "--category",
                   "parts", "--image-size", "32", "--mode", "brightness", "--out", str(out)]
        scored = ["score", "--run", str(short_run.folder), "--images", str(category), "--out",
                  str(Path(scratch, "scores.csv"))]
        for command in (trained, scored):
            printed = io.StringIO()
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("sys.stderr", printed)
                patch.setattr("sys.stdout", io.StringIO())
                status = main(command)
            lines = printed.getvalue().splitlines()
            assert status in (0, 1, 2), printed.getvalue()
            assert all(line.startswith("rscvae: ") for line in lines), lines
            assert len(lines) == 1 or status != 2, lines
        assert state(category) == before
