"""Memory follows the images: many of them, and very large ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from rscvae_lab.datasets.image_files import try_images

pytestmark = pytest.mark.slow

N, SIZE = 700, 256
PEAKS = """
import resource, sys
from rscvae_lab.cli import main
for command in sys.argv[1:]:
    assert main(command.split()) == 0
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def peaks(*commands: str) -> list[int]:
    """The highest memory of one process after each of these commands, in bytes."""
    printed = subprocess.run([sys.executable, "-c", PEAKS, *commands], check=True,
                             capture_output=True, encoding="utf-8").stdout
    return [int(line) for line in printed.splitlines() if line.isdecimal()]


@pytest.mark.parametrize("command", ["train", "score"])
def test_many_images_take_little_more_than_their_pixels(command, tmp_path):
    """131 MB of pixels are read, cached and split, or scored, within 1.5 times that, beside what
    four images take and the buffers of four decoders."""
    for name, n in (("few", 4), ("many", N)):
        (tmp_path / name).mkdir()
        for i in range(n):
            path = tmp_path / name / f"{i:03}.jpg"
            if i < 4:
                Image.effect_noise((32, 24), 40 + i).convert("RGB").save(path)
            else:
                os.link(path.with_name(f"{i % 4:03}.jpg"), path)
    train = (f"train --dataset folder --root {tmp_path} --category NAME --mode brightness "
             f"--image-size {SIZE} --out {tmp_path}/run-NAME")
    score = f"score --run {tmp_path}/run-few --images {tmp_path}/NAME --out {tmp_path}/NAME.csv"
    first, *_, last = peaks(train.replace("NAME", "few"),
                            {"train": train, "score": score}[command].replace("NAME", "many"))
    assert last - first < 1.5 * 3 * N * SIZE**2 + 60e6


def blank(path: Path, side: int) -> Path:
    """A PNG of side x side black pixels: a bomb of a few hundred kilobytes."""
    Image.new("L", (side, side)).save(path, compress_level=1)
    return path


def test_a_bomb_is_refused_in_our_words(tmp_path):
    """95 megapixels are read, 196 are not."""
    large, larger = try_images([blank(tmp_path / "a.png", 9747), blank(tmp_path / "b.png", 14000)],
                               32)
    assert large.shape == (1, 32, 32)
    assert str(larger) == (f"expected at most 128 megapixels in {tmp_path / 'b.png'}, found more: "
                           "make it smaller first")
