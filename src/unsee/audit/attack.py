"""What an attack is: the same question, asked in other ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from unsee.data.example import Example


class Attack(Protocol):
    """Ways to ask for a fact that the plain question does not bring out; best a frozen dataclass.

    A fact comes out of hiding when any of the tries is answered rightly. What counts is how much more comes out than
    out of gold, which never knew it, by the same attack: a lucky guess among many tries looks like a memory.

    Attacks that train the model (relearning) or look inside (probes of hidden states) need more of a model than its
    answers: they are not covered by this protocol.

    Attributes:
        name: small letters, digits and _.
        source: paper and section, or `unpublished`.
    """

    name: ClassVar[str]
    source: ClassVar[str]

    def tries(self, example: Example) -> Sequence[Example]:
        """The example asked in other ways: its question, its image or both are changed, its answer is not.

        Args:
            example: as the data have it.

        Returns:
            At least one, as many for each example, and the same ones whenever they are asked for: several processes
            make them independently. No try gives the answer away that the question itself does not.
        """
