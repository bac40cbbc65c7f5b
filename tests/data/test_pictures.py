"""Whatever a picture is stored as, it is seen upright, in RGB, as a person would see it."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from tests.data.conftest import encoded, png, refused
from unsee.data import examples_from_rows
from unsee.data.pictures import decode, extension, image_hash, reason, size_of
from unsee.errors import InputError
from unsee.report.photo import photo_data_uri

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


def held_upright() -> Image.Image:
    """Red on its left half; turned clockwise it is red above."""
    picture = Image.new("RGB", (8, 4))
    picture.paste(RED, (0, 0, 4, 4))
    return picture


def exif_block(orientation: int, degrees: tuple[int, int] = (48, 1)) -> bytes:
    """An EXIF block with an orientation and a place, whose degrees are three fractions."""
    positions = 8 + 2 + 2 * 12 + 4
    tags = struct.pack("<HHHIHHHHII", 2, 0x0112, 3, 1, orientation, 0, 0x8825, 4, 1, positions + 24) + bytes(4)
    place = struct.pack("<HHHII", 1, 2, 5, 3, positions) + bytes(4)
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + tags + struct.pack("<6I", *degrees * 3) + place


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(
    ("block", "size"),
    [
        (exif_block(6), (4, 8)),
        (exif_block(6, degrees=(0, 0)), (4, 8)),
        (exif_block(0), (8, 4)),
        (exif_block(99), (8, 4)),
        (exif_block(6)[:13], (8, 4)),
        (b"Exif\0\0garbage", (8, 4)),
        (b"Exif\0\0II*\0\xff\xff\xff\x7f", (8, 4)),
        (b"Exif\0\0II", (8, 4)),
    ],
)
def test_a_broken_exif_block_says_nothing_and_the_pixels_are_taken(
    kind: str, block: bytes, size: tuple[int, int]
) -> None:
    content = encoded(held_upright(), kind, exif=block)
    assert decode(content).size == size
    assert photo_data_uri(content).startswith("data:image/png")


def test_a_png_is_taken_without_notes_that_are_broken() -> None:
    content = encoded(held_upright(), "PNG", exif=exif_block(6))
    end = content.index(b"eXIf") + 4 + len(exif_block(6)) - 6
    lost = content[:end] + b"\0\0\0\0" + content[end + 4 :]  # another checksum
    assert decode(lost).size == (8, 4)
    assert decode(lost).getpixel((0, 0)) == RED
    assert "is a broken picture" in refused(decode, lost[: lost.index(b"IDAT") + 8])


def test_a_picture_in_memory_is_kept_as_it_was_held() -> None:
    with Image.open(BytesIO(encoded(held_upright(), "JPEG", exif=exif_block(6)))) as opened:
        asked = {"question": "a", "answer": "b"}
        (example,) = examples_from_rows([{**asked, "image": opened}])
        picture = example.picture()
        assert picture is not None
        assert picture.size == (4, 8)
        message = refused(examples_from_rows, [{**asked, "image": Image.new("F", (4, 4))}])
    assert "rows, row 1, image: a picture that cannot be kept as PNG" in message


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "is a HEIC picture, which is not read; save it as PNG or JPEG"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "is a HEIF picture"),
        (b"\xff\x0a\xfa\x1f", "is a JPEG XL picture"),
        (b"\0\0\0\x20ftypisom", "is a film"),
        (b"\xef\xbb\xbf <svg xmlns=''/>", "is an SVG drawing"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS, whose picture was never fetched"),
    ],
)
def test_what_is_no_picture_is_named_as_what_it_is(content: bytes, problem: str) -> None:
    message = refused(decode, content)
    assert problem in message
    assert reason(message) == "of a kind that is not read"


def test_an_avif_that_cannot_be_read_here_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unsee.data.pictures._formats", lambda: ("PNG",))
    assert "is an AVIF picture, which is not read" in refused(decode, b"\0\0\0\x18ftypavif\0\0\0\0")


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


def test_the_size_of_a_picture_is_told_by_its_header(tmp_path: Path) -> None:
    picture, path = Image.new("RGB", (30, 20)), tmp_path / "photo.jpg"
    for orientation in range(9):
        notes = Image.Exif()
        notes[0x0112] = orientation
        picture.save(path, exif=notes)
        assert size_of(path) == decode(path).size == ((20, 30) if orientation > 4 else (30, 20))
    cut = path.read_bytes()[:-20]
    assert size_of(cut) == (20, 30)  # what is behind the header is not looked at
    with pytest.raises(InputError, match="is not a picture"):
        size_of(b"words")
