"""Pixels of every format: how they are read, scaled, reduced, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from rscvae_lab.datasets.image_files import read_image, read_images, read_masks
from rscvae_lab.errors import InputError


def save(path: Path, value: np.ndarray, **options) -> Path:
    Image.fromarray(value).save(path, **options)
    return path


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
def test_decoders_print_nothing_themselves(compression, tmp_path, capfd):
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    save(tmp_path / "a.tif", noise, compression=compression)
    content = bytearray((tmp_path / "a.tif").read_bytes())
    content[40:60] = b"\xff" * 20
    content[100:120] = b"\0" * 20
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.tif"):
        read_image(tmp_path / "a.tif", 32)
    assert capfd.readouterr() == ("", "")


SHAPE = np.zeros((24, 32), bool)
SHAPE[3:9, 4:20] = True


@pytest.mark.parametrize(("name", "write"), [
    ("m.png", lambda: Image.fromarray(SHAPE.astype(np.uint8))),  # class numbers 0 and 1
    ("m.png", lambda: Image.fromarray(SHAPE)),
    ("m.png", lambda: Image.fromarray(SHAPE.astype(np.uint16))),
    ("m.tif", lambda: Image.fromarray(SHAPE.astype(np.float32))),
    ("m.bmp", lambda: Image.fromarray(SHAPE.astype(np.uint8) * 255).convert("RGB")),
    ("m.jpg", lambda: Image.fromarray(SHAPE.astype(np.uint8) * 255)),
    ("m.png", lambda: Image.fromarray(np.dstack([SHAPE * 255] * 4).astype(np.uint8))),
])
def test_masks_as_labelling_tools_write_them(name, write, tmp_path):
    write().save(tmp_path / name)
    mask = read_masks([tmp_path / name], 96)[0][0]
    whole = SHAPE.repeat(4, 0).repeat(3, 1)
    assert (mask.numpy() != whole).mean() < 0.05
    assert mask[20, 30]
    assert not mask[60:].any()


def test_wide_grey_levels_are_scaled_by_one_rule(tmp_path):
    """16 bits by 65,535 and floats by 1, whatever else the image or its set holds."""
    ramp = np.linspace(0, 1, 1024).reshape(32, 32)
    dark, bright = ((ramp * most).astype(np.uint16) for most in (6553, 65535))
    files = [save(tmp_path / "a.png", dark), save(tmp_path / "b.png", bright),
             save(tmp_path / "c.tif", dark), save(tmp_path / "d.tif", ramp.astype(np.float32))]
    expected = [ramp * 25.5, ramp * 255, ramp * 25.5, ramp * 255]
    for image, pixels in zip(read_images(files, 32, 3), expected):
        assert np.abs(image.numpy() - pixels).max() <= 0.51
    assert read_image(files[0], 32, 1, white=6553).max() == 255


@pytest.mark.parametrize(("pixels", "found"), [
    (np.full((9, 9), np.nan, np.float32), "NaN"),
    (np.full((9, 9), 255, np.float32), "from 0 to 1 .* 255 to 255: train with --set white"),
    (np.full((9, 9), -1, np.float32), "found -1")])
def test_values_out_of_range_are_refused(pixels, found, tmp_path):
    with pytest.raises(InputError, match=found):
        read_image(save(tmp_path / "a.tif", pixels), 32)


def palette(used: bool) -> Image.Image:
    image = Image.fromarray(np.full((32, 32), 1, np.uint8)).convert("P")
    image.putpixel((0, 0), 2 if used else 1)
    image.info["transparency"] = 2
    return image


@pytest.mark.parametrize(("image", "opaque"), [
    (Image.new("RGBA", (32, 32), (9, 9, 9, 255)), True), (palette(False), True),
    (Image.new("LA", (32, 32), (9, 255)), True), (Image.new("CMYK", (32, 32), (9, 9, 9, 9)), True),
    (Image.new("RGBA", (32, 32), (9, 9, 9, 254)), False), (palette(True), False)])
def test_transparency_counts_where_a_pixel_uses_it(image, opaque, tmp_path):
    path = tmp_path / ("a.tif" if image.mode == "CMYK" else "a.png")
    image.save(path)
    if opaque:
        assert read_image(path, 32, 3).shape == (3, 32, 32)
    else:
        with pytest.raises(InputError, match="transparency"):
            read_image(path, 32, 3)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_large_image_looks_as_its_small_one(suffix, mode, tmp_path):
    """3.1 megapixels are reduced before they are resized, in strips."""
    y, x = np.mgrid[:1536, :2048] / 2048
    large = Image.fromarray((255 * np.stack([x, y, x * y], 2)).astype(np.uint8)).convert(mode)
    large.save(tmp_path / f"a{suffix}", **({"quality": 95} if suffix == ".jpg" else {}))
    large.resize((640, 480), Image.Resampling.BOX).save(tmp_path / "small.png")
    one, two = (read_image(tmp_path / name, 64, 3).float() for name in (f"a{suffix}", "small.png"))
    assert (one - two).abs().max() <= 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_pillows(orientation, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    image, exif = Image.fromarray(pixels), Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as held:
        expected = np.array(ImageOps.exif_transpose(held))
    assert np.array_equal(read_image(tmp_path / "a.png", 32, 3).permute(1, 2, 0), expected)
