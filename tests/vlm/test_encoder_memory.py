"""How much an encoder remembers, and what it says to pictures that a processor cannot take."""

from __future__ import annotations

import pytest

from tests import tiny
from unsee.data import Example
from unsee.errors import InputError
from unsee.vlm import Encoder


def with_picture(seed: int, question: str = "Where?") -> Example:
    return Example(question, "Oslo", tiny.picture(seed))


def test_old_rows_go_when_their_images_take_too_much() -> None:
    processor = tiny.llava().processor
    image = 3 * 32 * 32 * 4  # bytes of one as the tower reads it
    encoder = Encoder(processor, keep_bytes=2 * image)
    first = encoder.encode(with_picture(1))
    assert encoder.encode(with_picture(1)) is first
    encoder.encode(with_picture(1, "Who?"))  # the same picture costs nothing more
    second = encoder.encode(with_picture(2))
    assert encoder.encode(with_picture(1)) is first
    encoder.encode(with_picture(3))
    encoder.encode(with_picture(4))
    assert encoder.encode(with_picture(1)) is not first
    assert encoder.encode(with_picture(2)) is not second


def test_a_single_row_may_be_larger_than_what_is_kept() -> None:
    encoder = Encoder(tiny.llava().processor, keep_bytes=1)
    row = encoder.encode(with_picture(1))
    assert encoder.encode(with_picture(1)) is row
    assert encoder.encode(with_picture(2)).per_image["pixel_values"].shape == (1, 3, 32, 32)


def test_a_picture_that_the_processor_refuses_is_named() -> None:
    encoder = tiny.qwen().encoder
    ribbon = Example("Where?", "Oslo", tiny.picture(1, (3000, 4)))
    with pytest.raises(InputError, match=r"row 'Where\?': 3000 x 4 pixels are too narrow"):
        encoder.encode(ribbon)
