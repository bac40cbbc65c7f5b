"""An attack that asks louder: unsee evaluate ... --attack shouting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from unsee.data.example import Example


@dataclass(frozen=True)
class Shouting:
    """Ask in capitals, then with a growing number of exclamation marks."""

    name: ClassVar[str] = "shouting"
    source: ClassVar[str] = "unpublished: an example"

    loudest: int = 3  # exclamation marks

    def tries(self, example: Example) -> Sequence[Example]:
        """As many as the loudest has exclamation marks, and the one without."""
        loud = example.question.upper()
        return [replace(example, question=loud + "!" * marks) for marks in range(self.loudest + 1)]
