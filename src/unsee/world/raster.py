"""From SVG to pixels and from pixels to PNG, the same bytes on every machine."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import resvg_py
from PIL import Image

SIZE = 64  # side of every image of the world, in pixels


def rasterise(svg: str, width: int, height: int) -> Image.Image:
    """Draw an SVG that has a `viewBox` into a transparent RGBA image."""
    png = resvg_py.svg_to_bytes(svg_string=svg, width=width, height=height, skip_system_fonts=True)
    with Image.open(BytesIO(png)) as image:
        return image.convert("RGBA")


def encode_png(image: Image.Image) -> bytes:
    """Encode a small RGB image as a PNG without compression.

    Compressed bytes differ between builds of zlib; a single stored block does not. It holds 65,535
    bytes, which is plenty for a 64 x 64 image.
    """
    width, height = image.size
    pixels = image.convert("RGB").tobytes()
    stride = 3 * width
    rows = b"".join(b"\0" + pixels[start : start + stride] for start in range(0, len(pixels), stride))
    stored = b"\x01" + struct.pack("<HH", len(rows), len(rows) ^ 0xFFFF) + rows
    data = b"\x78\x01" + stored + struct.pack(">I", zlib.adler32(rows))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
