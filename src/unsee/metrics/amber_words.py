"""AMBER's words for objects: which words of a response name one, and which object a word may stand for."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from unsee.errors import InputError
from unsee.metrics.chair import Lexicon

Similar = Callable[[str, str], bool]  # may the first word stand for the second?

# Listed words that are often verbs, and what stands before them then.
_VERBS_TOO = frozenset(
    {"bear", "board", "brush", "drink", "fish", "leave", "leaves", "light", "note", "paddle", "ski"}
    | {"skate", "spray", "support", "switch", "tie", "watch"}
)
_BEFORE_VERB = re.compile(
    r"\b(?:to|i|you|he|she|it|we|they|who|which|people|others|not|can|could|will|would|may|might|must|should|\w+ly)\s+$",
    re.IGNORECASE,
)
_BEFORE_CAN = re.compile(
    r"\b(?:an?|the|this|another|trash|garbage|rubbish|watering|spray|paint|tin|soda|beer)\s+$", re.IGNORECASE
)
_NEAR = 24  # characters that are enough to see the word before


@dataclass(frozen=True)
class Vocabulary:
    """The words for objects.

    Attributes:
        associated: object -> further words that may stand for it, all in lower case.
    """

    associated: Mapping[str, tuple[str, ...]]

    def words(self, response: str) -> list[str]:
        """Every mention of a listed word, in order: as it is listed, else its singular.

        Read as in CHAIR, without regard to case ("train tracks" names no train), less what can be told to be a verb or
        an adjective: "to board", "can be seen", "hot".
        """
        return [word for word, form, before in self._mentions(response) if _is_noun(word, form, before)]

    def object_of(self, word: str, objects: Collection[str], similar: Similar | None = None) -> str | None:
        """The one of these objects that a word stands for; None if there is none.

        Raises:
            KeyError: an object that is not listed.
        """
        if word in objects:
            return word
        for name in objects:
            if word in self.associated[name]:
                return name
        if similar is None:
            return None
        near = (name for name in objects if any(similar(word, other) for other in (name, *self.associated[name])))
        return next(near, None)

    @cached_property
    def _lexicon(self) -> Lexicon:
        listed = {*self.associated, *(word for words in self.associated.values() for word in words)}
        return Lexicon({word: word for word in listed})

    def _mentions(self, response: str) -> Iterable[tuple[str, str, str]]:
        """Each listed word, how the response puts it, and what stands before."""
        for mention in self._lexicon.mentions(response):
            form = " ".join(response[mention.start : mention.end].lower().split())
            word = form if form in self._lexicon.category_of else mention.word
            yield word, form, response[max(0, mention.start - _NEAR) : mention.start]


def _is_noun(word: str, form: str, before: str) -> bool:
    if word == "can":
        return form != "can" or bool(_BEFORE_CAN.search(before))
    return word != "hot" and not (form in _VERBS_TOO and _BEFORE_VERB.search(before))


def parse_relations(content: Any, where: str = "relations") -> Vocabulary:
    """The vocabulary of AMBER's relation.json: each object with the words that may stand for it.

    Args:
        content: of the file.
        where: the file's name, for messages.

    Raises:
        InputError: the content is something else.
    """
    if not isinstance(content, Mapping) or not content:
        raise InputError(f"{where}: must be one JSON object that maps each object to its list of associated words")
    for name, words in content.items():
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise InputError(f"{where}: {name!r} has no list of words; give the words that may stand for it, or []")
    return Vocabulary({plain(name): tuple(map(plain, words)) for name, words in content.items()})


def plain(name: str) -> str:
    """A name as vocabularies hold it: lower case, single spaces."""
    return " ".join(name.lower().split())
