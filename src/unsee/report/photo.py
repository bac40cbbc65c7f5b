"""Pictures small enough to live inside the page."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from unsee.data.pictures import upright
from unsee.errors import InputError

_TINY = 96  # pixels; pictures up to this size stay as they are (PNG), and the page enlarges them without blurring


class Album:
    """Thumbnails, each made once; of a picture that cannot be read any more, a grey square."""

    def __init__(self) -> None:
        self._made: dict[bytes | Path, str] = {}
        self.gone: list[str] = []  # why pictures could not be read, a line each

    def __call__(self, image: bytes | Path | None) -> str | None:
        """The thumbnail of a picture as a `data:` URI; None for no picture."""
        if image is None:
            return None
        if image not in self._made:
            try:
                self._made[image] = photo_data_uri(image)
            except InputError as error:
                self.gone.append(str(error))
                self._made[image] = _square(len(self.gone))
        return self._made[image]

    @property
    def notice(self) -> str:
        """A sentence on the pictures that could not be read; empty without any."""
        if not self.gone:
            return ""
        lone = len(self.gone) == 1
        return (
            f"{len(self.gone)} {'picture' if lone else 'pictures'} could not be read when this page was drawn; a grey "
            f"square stands in {'its' if lone else 'their'} place."
        )


def _square(number: int) -> str:
    """A grey square with a cross. Its number is in the file: what was asked about two pictures must not look as one."""
    square, note, file = Image.new("L", (_TINY, _TINY), 215), PngInfo(), BytesIO()
    for line in ((0, 0, _TINY, _TINY), (0, _TINY, _TINY, 0)):
        ImageDraw.Draw(square).line(line, fill=170)
    note.add_text("number", str(number))
    square.save(file, "png", pnginfo=note)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


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
