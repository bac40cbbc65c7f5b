"""Image files and bytes: what is opened, how large it may be, and what becomes of it.

Every picture ends as upright 8-bit RGB. Its size is read from the header and judged before a single pixel is
decoded, so a file that unfolds to gigabytes costs nothing but its error message.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from unsee.errors import InputError

MAX_PIXELS = 100_000_000  # 100 megapixels: 300 MB once decoded, far beyond what any vision tower looks at

# Plain raster formats only: Pillow would hand others (EPS) to programs outside.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "MPO", "JPEG2000", "AVIF")

# What Pillow raises, beside its own errors, when the bytes of a picture make no sense.
_BROKEN = (OSError, SyntaxError, ValueError, RuntimeError, EOFError, LookupError, TypeError, struct.error, zlib.error)


def decode(source: Path | bytes) -> Image.Image:
    """The picture as upright 8-bit RGB.

    The first frame of an animation; EXIF orientation applied; transparency laid on white; 16 bits scaled to 8.

    Args:
        source: an image file, or its encoded bytes.

    Raises:
        InputError: if there is no such file, it may not be read, is no picture, is cut off, or has more than
            `MAX_PIXELS` pixels. The message names the file (or says "image bytes").
    """
    name = _name(source)
    _check_readable(source, name)
    try:
        with Image.open(BytesIO(source) if isinstance(source, bytes) else source, formats=_formats()) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise InputError(_too_large(name, f"{picture.width} x {picture.height} pixels"))
            return _rgb(ImageOps.exif_transpose(picture), name)
    except InputError:
        raise
    except Image.DecompressionBombError as error:  # Pillow's own limit, about 179 megapixels
        raise InputError(_too_large(name, _header_size(source))) from error
    except UnidentifiedImageError as error:
        raise InputError(f"{name} is not a picture ({', '.join(FORMATS)} are understood)") from error
    except _BROKEN as error:
        raise InputError(f"{name} is a broken picture ({error}); replace it with a whole one") from error


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
        with Image.open(BytesIO(content), formats=_formats()) as picture:
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


def _header_size(source: Path | bytes) -> str:
    """Width and height of a PNG too large for Pillow to open; for other formats just that it is very large."""
    if isinstance(source, bytes):
        head = source[:24]
    else:
        with source.open("rb") as file:
            head = file.read(24)
    if head[:8] == b"\x89PNG\r\n\x1a\n" and len(head) == 24:
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
