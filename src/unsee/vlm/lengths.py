"""How many tokens a row may have, and how many it has, without its picture being opened.

A row whose prompt and answer are longer than what the model was made for is refused: positions that it has never seen
give numbers that mean nothing. Image tokens count, since they take positions too. How many there are depends on the
width and height of a picture alone, so a blank one of every size that occurs tells it, and tells as well which sizes a
processor refuses.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from PIL import Image
from torch import nn

from unsee.data.example import ImageSource
from unsee.data.pictures import size_of
from unsee.errors import InputError

# The longer side of a picture over the shorter. Qwen's processors refuse more; others would unfold it to gigabytes.
MOST_NARROW = 200


class Limits(NamedTuple):
    """What a model takes; None where it does not say.

    Attributes:
        context: tokens of a row, image tokens with them.
        vocabulary: how many tokens it has a vector for.
    """

    context: int | None = None
    vocabulary: int | None = None


def limits_of(model: nn.Module) -> Limits:
    """What a transformers model takes."""
    embeddings: Any = model.get_input_embeddings()  # type: ignore[operator]
    rows = getattr(embeddings, "num_embeddings", None)
    return Limits(longest_sequence(model.config), rows if isinstance(rows, int) else None)


def longest_sequence(config: Any) -> int | None:
    """The positions that a model's text decoder was made for, stretched as its rotary embedding is.

    `max_position_embeddings`, or where rotary positions are scaled, `factor` times the positions from before (which
    default to it) if that is more. Where layers differ, the shortest of them.
    """
    text = config.get_text_config()
    longest = getattr(text, "max_position_embeddings", None)
    if not isinstance(longest, int) or longest < 1:
        return None
    rope = getattr(text, "rope_parameters", None) or getattr(text, "rope_scaling", None) or {}
    of_layers = [kind for kind in rope.values() if isinstance(kind, dict)]
    return min(_stretched(longest, kind) for kind in of_layers or [rope])


def _stretched(longest: int, rope: dict[str, Any]) -> int:
    factor = rope.get("factor")
    if rope.get("rope_type", rope.get("type", "default")) == "default" or not isinstance(factor, (int, float)):
        return longest
    return max(longest, int(factor * (rope.get("original_max_position_embeddings") or longest)))


def at_most(text: str) -> int:
    """More tokens than a text can have: its bytes, once normalised in whatever way makes it longest."""
    return len(unicodedata.normalize("NFKD", text).encode("utf-8", "replace")) + 1


class PictureTokens:
    """How many tokens pictures take in a prompt.

    Args:
        count: the tokens of a prompt with a blank picture, beyond those of the same prompt with its placeholder alone.
            A processor that refuses it raises.
    """

    def __init__(self, count: Callable[[Image.Image], int]) -> None:
        self._count = count
        self._size = lru_cache(maxsize=2**16)(size_of)
        self._of_shape = lru_cache(maxsize=None)(self._look)

    def __call__(self, source: ImageSource) -> int:
        """Tokens that a picture takes.

        Raises:
            InputError: when the picture cannot be opened, or has a shape that no row can show.
        """
        width, height = self._size(source)
        outcome = self._of_shape(width, height)
        if isinstance(outcome, str):
            raise InputError(f"{'image bytes' if isinstance(source, bytes) else source}: {outcome}")
        return outcome

    def _look(self, width: int, height: int) -> int | str:
        try:
            return self._count(blank(width, height))
        except InputError as error:
            return str(error)


def blank(width: int, height: int) -> Image.Image:
    """A grey picture of some size.

    Raises:
        InputError: when it is so narrow that no picture of that shape is shown to any model.
    """
    check_shape(width, height)
    return Image.new("RGB", (width, height), "grey")


def check_shape(width: int, height: int) -> None:
    """InputError for a picture that is too narrow."""
    if max(width, height) > MOST_NARROW * min(width, height):
        raise InputError(
            f"{width} x {height} pixels are too narrow; at most {MOST_NARROW} times as long as wide, so crop it"
        )
