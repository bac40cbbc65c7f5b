"""Whatever a picture is stored as, it is seen upright, in RGB, as a person would see it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from tests.data.conftest import encoded, png, refused
from unsee.data.pictures import decode, extension, image_hash

RED = (255, 0, 0)


@pytest.mark.parametrize(
    ("mode", "kind", "color"),
    [
        ("RGB", "PNG", RED),
        ("RGB", "JPEG2000", RED),
        ("RGB", "BMP", RED),
        ("RGB", "PPM", RED),
        ("P", "GIF", RED),
        ("RGBA", "PNG", RED),
        ("CMYK", "TIFF", RED),
        ("L", "PNG", (128, 128, 128)),
        ("LA", "PNG", (128, 128, 128)),
        ("1", "PNG", (255, 255, 255)),
    ],
)
def test_every_mode_becomes_rgb(mode: str, kind: str, color: tuple[int, int, int]) -> None:
    picture = decode(encoded(Image.new("RGB", (5, 3), color).convert(mode), kind))
    assert picture.mode == "RGB"
    assert picture.size == (5, 3)
    assert picture.getpixel((2, 1)) == color


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_scaled_not_clipped(kind: str) -> None:
    values = np.array([[0, 256, 0x8000, 0xFFFF]], dtype=np.uint16)
    picture = decode(encoded(Image.fromarray(values), kind))
    assert np.asarray(picture)[0, :, 0].tolist() == [0, 1, 128, 255]


def test_transparency_is_laid_on_white() -> None:
    assert decode(encoded(Image.new("RGBA", (2, 2), (0, 0, 0, 0)), "PNG")).getpixel((0, 0)) == (255, 255, 255)


def test_first_frame_of_an_animation() -> None:
    frames = [Image.new("RGB", (4, 4), color) for color in (RED, (0, 255, 0))]
    assert decode(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])).getpixel((0, 0)) == RED


def test_camera_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by 90 degrees clockwise
    picture = Image.new("RGB", (8, 4))
    picture.paste(RED, (0, 0, 4, 4))
    turned = decode(encoded(picture, "PNG", exif=exif))
    assert turned.size == (4, 8)
    assert turned.getpixel((0, 0)) == RED
    assert turned.getpixel((0, 7)) == (0, 0, 0)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow knows no AVIF")
def test_decoders_that_raise_their_own_errors() -> None:
    content = encoded(Image.new("RGB", (8, 8)), "AVIF").replace(b"iloc", b"lost")
    assert "is a broken picture" in refused(decode, content)


def test_size_is_judged_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unsee.data.pictures.MAX_PIXELS", 10)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("decoded"))
    assert "image bytes has 6 x 4 pixels, too large" in refused(decode, png(size=(6, 4)))


def test_very_large_pictures_that_are_no_png(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 10)
    assert "too large; at most 100 megapixels, so scale it down" in refused(
        decode, encoded(Image.new("L", (9, 9)), "BMP")
    )


def test_the_hash_is_of_the_bytes_wherever_they_lie(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    assert image_hash(tmp_path / "a.png") == image_hash(png())
    assert image_hash(None) is None
    (tmp_path / "a.png").write_bytes(png(size=(9, 9)))
    assert image_hash(tmp_path / "a.png") == image_hash(png(size=(9, 9)))
    assert "No such file" in refused(image_hash, tmp_path / "b.png")


@pytest.mark.parametrize(
    ("content", "ending"),
    [(png(), ".png"), (encoded(Image.new("L", (2, 2)), "JPEG"), ".jpg"), (b"nothing", ".bin")],
)
def test_the_ending_follows_the_content(content: bytes, ending: str) -> None:
    assert extension(content) == ending
