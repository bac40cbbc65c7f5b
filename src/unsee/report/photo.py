"""Pictures small enough to live inside the page."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from unsee.data.pictures import upright
from unsee.errors import InputError

_TINY = 96  # pixels; pictures up to this size stay as they are (PNG), and the page enlarges them without blurring


def photo_data_uri(image: bytes | Path, size: int = 160) -> str:
    """A thumbnail as a `data:` URI. Metadata (place, camera, time) is left behind.

    Args:
        image: a picture file, or its encoded bytes.
        size: longest side in pixels; smaller pictures are not enlarged.

    Raises:
        InputError: if the picture cannot be read.
    """
    where = image if isinstance(image, Path) else "the given bytes"
    try:
        with Image.open(BytesIO(image) if isinstance(image, bytes) else image) as opened:
            opened.draft("RGB", (2 * size, 2 * size))  # a JPEG is decoded at a fraction of its size
            picture = upright(opened).convert("RGBA")
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError) as error:
        raise InputError(f"cannot read a picture from {where}: {error}") from error
    picture.thumbnail((size, size), Image.Resampling.LANCZOS)
    flat = Image.new("RGB", picture.size, "white")
    flat.paste(picture, mask=picture)
    file, form = BytesIO(), "png" if max(flat.size) <= _TINY else "jpeg"
    flat.save(file, form, optimize=True, quality=85)
    return f"data:image/{form};base64,{base64.b64encode(file.getvalue()).decode()}"
