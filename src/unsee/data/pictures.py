"""Image files and bytes: what is opened, how large it may be, and what becomes of it.

Every picture ends as upright 8-bit RGB. Its size is read from the header and judged before a single pixel is
decoded, so a file that unfolds to gigabytes costs nothing but its error message.
"""

from __future__ import annotations

import hashlib
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from unsee.errors import InputError

MAX_PIXELS = 100_000_000  # 100 megapixels: 300 MB once decoded, far beyond what any vision tower looks at

_PNG = b"\x89PNG\r\n\x1a\n"

# Plain raster formats only: Pillow would hand others (EPS) to programs outside.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "MPO", "JPEG2000", "AVIF")

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_SIDEWAYS = (5, 6, 7, 8)

# What Pillow raises, beside its own errors, when the bytes of a picture make no sense.
_BROKEN = (OSError, SyntaxError, ValueError, RuntimeError, EOFError, LookupError, TypeError, struct.error, zlib.error)


# Why a picture cannot be used: the word for it, and what its message says.
REASONS = {
    "no file": "is no file",
    "empty": "is empty",
    "unreadable": "cannot be read",
    "not a picture": "is not a picture",
    "of a kind that is not read": "which is not read",
    "broken": "is a broken picture",
    "too large": "too large",
    "32 bits a pixel": "has 32 bits a pixel",
    "refused by the processor": " refuses it",
}

# What people take for pictures, by how the file begins (from which byte, with what).
_FOREIGN: tuple[tuple[str, int, tuple[bytes, ...]], ...] = (
    ("a HEIC picture", 4, (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftyphevx", b"ftypheim", b"ftypheis")),
    ("a HEIF picture", 4, (b"ftypmif1", b"ftypmsf1", b"ftyphevm")),
    ("an AVIF picture", 4, (b"ftypavif", b"ftypavis")),
    ("a JPEG XL picture", 0, (b"\xff\x0a", b"\0\0\0\x0cJXL ")),
    ("a film", 4, (b"ftypisom", b"ftypmp4", b"ftypM4V", b"ftypqt")),
    ("an SVG drawing", 0, (b"<svg",)),
    ("a Photoshop file", 0, (b"8BPS",)),
    ("a PDF", 0, (b"%PDF-",)),
    ("a web page", 0, (b"<!doctype html", b"<!DOCTYPE html", b"<html")),
    ("a pointer of Git LFS, whose picture was never fetched", 0, (b"version https://git-lfs",)),
)


def decode(source: Path | bytes) -> Image.Image:
    """The picture as upright 8-bit RGB.

    The first frame of an animation; EXIF orientation applied, where the EXIF block can be read; transparency laid on
    white; 16 bits scaled to 8.

    Args:
        source: an image file, or its encoded bytes.

    Raises:
        InputError: if there is no such file, it may not be read, is no picture, is cut off, or has more than
            `MAX_PIXELS` pixels. The message names the file (or says "image bytes").
    """
    name = _name(source)
    _check_readable(source, name)
    try:
        return _decoded(source, name)
    except InputError:
        whole = _without_notes(source)
        if whole is None:
            raise
    return _decoded(whole, name)


def check(source: Path | bytes) -> None:
    """InputError as of `decode`; a file that several sets name is decoded once."""
    if isinstance(source, bytes):
        decode(source)
        return
    try:
        status = source.stat()
    except OSError:
        decode(source)  # which says what is wrong
        return
    _checked(source, status.st_size, status.st_mtime_ns)


@cache
def _checked(path: Path, size: int, changed: int) -> None:
    decode(path)


def _decoded(source: Path | bytes, name: str) -> Image.Image:
    try:
        with _silent(), Image.open(_readable(source), formats=_formats()) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise InputError(_too_large(name, f"{picture.width} x {picture.height} pixels"))
            return _rgb(upright(picture), name)
    except InputError:
        raise
    except Image.DecompressionBombError as error:  # Pillow's own limit, about 179 megapixels
        raise InputError(_too_large(name, _header_size(source))) from error
    except UnidentifiedImageError as error:
        raise InputError(_not_a_picture(source, name)) from error
    except _BROKEN as error:
        raise InputError(f"{name} is a broken picture ({error}); replace it with a whole one") from error


@contextmanager
def _silent() -> Iterator[None]:
    """Pillow warns of what is judged here (sizes) or does no harm (EXIF blocks): a person gets one line or none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _readable(source: Path | bytes) -> Path | BytesIO:
    return BytesIO(source) if isinstance(source, bytes) else source


def _without_notes(source: Path | bytes) -> bytes | None:
    """A PNG without what is written about it (EXIF, texts), as that may be broken where the pixels are whole.

    None for other kinds of pictures, and for one without such notes.
    """
    if not _head(source).startswith(_PNG):
        return None
    content = source if isinstance(source, bytes) else source.read_bytes()
    kept, at, dropped = [_PNG], len(_PNG), False
    while at + 12 <= len(content):  # length, kind, data, checksum
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        notes = content[at + 4 : at + 8] in (b"eXIf", b"iTXt", b"tEXt", b"zTXt")
        kept += [] if notes else [content[at:end]]
        at, dropped = end, dropped or notes
    return b"".join(kept) if dropped else None


def upright(picture: Image.Image) -> Image.Image:
    """The picture as it was held, by its EXIF orientation.

    An EXIF block that is broken (cut off, positions of 0/0, an orientation that nobody knows) says nothing: the pixels
    are whole, and taken as they are.
    """
    picture.load()  # first: a picture that is cut off is broken, whatever its EXIF block says
    turn = _TURNS.get(_orientation(picture))
    return picture if turn is None else picture.transpose(turn)


def _orientation(picture: Image.Image) -> int:
    """The orientation in a picture's EXIF block, 1 (upright) where that says nothing."""
    try:
        with _silent():
            value = picture.getexif().get(ExifTags.Base.Orientation)
    except (*_BROKEN, ArithmeticError, AttributeError, AssertionError):
        return 1
    return value if isinstance(value, int) else 1


def size_of(source: Path | bytes) -> tuple[int, int]:
    """Width and height of the picture as it was held, in pixels, from its header.

    Raises:
        InputError: as for `decode`, but for what the header does not tell.
    """
    name = _name(source)
    _check_readable(source, name)
    try:
        with _silent(), Image.open(_readable(source), formats=_formats()) as picture:
            width, height = picture.size
            turned = _orientation(picture) in _SIDEWAYS
    except (*_BROKEN, Image.DecompressionBombError):
        width, height, turned = *decode(source).size, False  # which says what is wrong, or passes over broken notes
    return (height, width) if turned else (width, height)


def reason(message: str) -> str:
    """One of `REASONS` for the message of an error about a picture, or "other"."""
    return next((word for word, phrase in REASONS.items() if phrase in message), "other")


@cache
def _file_hash(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def image_hash(source: Path | bytes | None) -> str | None:
    """The sha256 of the encoded picture, wherever it lies; None for no picture. A file is read once.

    Raises:
        InputError: if the file cannot be read.
    """
    if source is None:
        return None
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    try:
        status = source.stat()
        return _file_hash(source, status.st_size, status.st_mtime_ns)
    except OSError as error:
        raise InputError(f"cannot read {source}: {error.strerror or error}") from error


def extension(content: bytes) -> str:
    """The usual file ending of encoded picture bytes (".png", ".jpg", ...), or ".bin" where none is known."""
    try:
        with _silent(), Image.open(BytesIO(content), formats=_formats()) as picture:
            name = (picture.format or "bin").lower()
    except (*_BROKEN, Image.DecompressionBombError):
        name = "bin"
    return {"jpeg": ".jpg", "mpo": ".jpg", "jpeg2000": ".jp2"}.get(name, f".{name}")


def _check_readable(source: Path | bytes, name: str) -> None:
    if isinstance(source, bytes):
        empty = not source
    elif not source.is_file():
        raise InputError(f"{name} is no file")
    else:
        empty = source.stat().st_size == 0
        try:
            source.open("rb").close()
        except OSError as error:
            raise InputError(f"{name} cannot be read: {error.strerror or error}") from error
    if empty:
        raise InputError(f"{name} is empty; give a picture, or null for none")


def _rgb(picture: Image.Image, name: str) -> Image.Image:
    if picture.mode == "F" or picture.mode.startswith("I"):
        values = np.asarray(picture)  # Pillow would clip these to 255, which turns most of them white
        if picture.mode == "F" or values.max() > 0xFFFF or values.min() < 0:
            raise InputError(f"{name} has 32 bits a pixel; save it with 8 or 16")
        picture = Image.fromarray((values >> 8).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")


def _not_a_picture(source: Path | bytes, name: str) -> str:
    """What a file is that Pillow does not know, as far as its first bytes tell."""
    head = _head(source)
    for what, at, beginnings in _FOREIGN:
        start = head[at:] if at else head.lstrip(b"\xef\xbb\xbf \r\n")
        if start.startswith(beginnings):
            return f"{name} is {what}, which is not read; save it as PNG or JPEG"
    return f"{name} is not a picture ({', '.join(FORMATS)} are understood)"


def _head(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[:64]
    with source.open("rb") as file:
        return file.read(64)


def _header_size(source: Path | bytes) -> str:
    """Width and height of a PNG too large for Pillow to open; for other formats just that it is very large."""
    head = _head(source)[:24]
    if head.startswith(_PNG) and len(head) == 24:
        return "{} x {} pixels".format(*struct.unpack(">II", head[16:24]))
    return f"more than {2 * (Image.MAX_IMAGE_PIXELS or MAX_PIXELS) // 1_000_000} megapixels"


def _too_large(name: str, size: str) -> str:
    return f"{name} has {size}, too large; at most {MAX_PIXELS // 1_000_000} megapixels, so scale it down"


def _name(source: Path | bytes) -> str:
    return "image bytes" if isinstance(source, bytes) else str(source)


@cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)
