"""Object phrases: which objects a caption names, and where exactly.

Every extractor gives places in the caption as it stands: `caption[start:end]` is the phrase. Each occurrence is a place
of its own, phrases begin and end at word boundaries, and none overlaps another: of two that do, the longer one stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

import regex

from unsee.metrics.chair import Lexicon, parse_synonyms
from unsee.metrics.words import ALONE, between_words
from unsee.system.files import read_text

COCO = "coco"  # the name of the word list that comes along

# Names of two words whose last or first word is no object there.
_NOT_OBJECTS = ("train track", "train station", "bus stop", "bus station", "home plate", "car park", "bird house")

_WORD = regex.compile(rf"{ALONE}|(?:(?!{ALONE})[\w\p{{M}}])+")
_BETWEEN = re.compile(r"\s+|['\N{RIGHT SINGLE QUOTATION MARK}-]|")  # what may stand between the words of one name


@dataclass(frozen=True, slots=True, order=True)
class Phrase:
    """Characters [start, end) of a caption, which name an object."""

    start: int
    end: int
    text: str  # caption[start:end]


@dataclass(frozen=True, slots=True)
class Extraction:
    """The object phrases of one caption, in order; `dropped` were proposed, but the caption does not hold them."""

    phrases: tuple[Phrase, ...]
    dropped: int = 0


class Extractor(Protocol):
    """Finds the object phrases of captions."""

    def extract(self, captions: Sequence[str]) -> list[Extraction]:
        """The phrases of each caption."""
        ...


@dataclass(frozen=True)
class LexiconExtractor:
    """Looks captions up in word lists, in singular and plural.

    Attributes:
        names: of objects, in the singular as a rule; upper and lower case are one.
    """

    names: frozenset[str]

    @cached_property
    def _forms(self) -> dict[tuple[str, ...], bool]:
        """The words of every name in singular and plural, and whether it is an object."""
        from inflect import engine

        inflection = engine()
        forms: dict[tuple[str, ...], bool] = {}
        for names, is_object in ((_NOT_OBJECTS, False), (self.names, True)):
            for name in names:
                for form in (name, _plural(name, inflection)):
                    forms[tuple(_WORD.findall(form.lower()))] = is_object
        return forms

    def extract(self, captions: Sequence[str]) -> list[Extraction]:
        """The phrases of each caption; at each word the longest name that starts there."""
        return [Extraction(tuple(self._find(caption))) for caption in captions]

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self._forms))

    def _find(self, caption: str) -> Iterable[Phrase]:
        places = [match.span() for match in _WORD.finditer(caption)]
        words = [caption[start:end].lower() for start, end in places]
        at = 0
        while at < len(places):
            length = self._matched(caption, places, words, at)
            if length and self._forms[tuple(words[at : at + length])]:
                start, end = places[at][0], places[at + length - 1][1]
                yield Phrase(start, end, caption[start:end])
            at += length or 1

    def _matched(self, caption: str, places: list[tuple[int, int]], words: list[str], at: int) -> int:
        """How many words from here on are one name; 0 for none."""
        longest = 0
        for length in range(1, min(self._longest, len(words) - at) + 1):
            if length > 1 and not _BETWEEN.fullmatch(caption, places[at + length - 2][1], places[at + length - 1][0]):
                break
            if tuple(words[at : at + length]) in self._forms:
                longest = length
        return longest


def _plural(name: str, inflection: Any) -> str:
    """The plural of "wine glass" is "wine glasses", that of "slice of pizza" "slices of pizza"."""
    return str(inflection.plural_noun(name))


def lexicon(lists: Iterable[str | Path] = (COCO,)) -> LexiconExtractor:
    """An extractor from word lists.

    Args:
        lists: files with a category and its synonyms on each line, or "coco" for the names of COCO's 80 categories.

    Raises:
        InputError: a list cannot be read or holds no names.
    """
    return LexiconExtractor(frozenset(name for source in lists for name in word_list(source).category_of))


def word_list(name: str | Path) -> Lexicon:
    """What objects may be called, and the category of each name; `name` is one of the lists of `lexicon`."""
    if str(name) == COCO:
        text = files("unsee.metrics").joinpath("coco.txt").read_text("utf-8")
    else:
        text = read_text(Path(name))
    return parse_synonyms(text, str(name))


def locate(caption: str, phrases: Iterable[str]) -> Extraction:
    """Every occurrence of phrases in a caption.

    Args:
        caption: as it stands.
        phrases: what to look for; upper and lower case are one, and so is all white space.

    Returns:
        Where they are. Of overlapping places the longer one stays, then the earlier one. `dropped` counts the distinct
        phrases that do not occur between word boundaries.
    """
    wanted = dict.fromkeys(" ".join(phrase.split()).lower() for phrase in phrases)
    places: set[tuple[int, int]] = set()
    dropped = 0
    for phrase in wanted:
        spans = [match.span() for match in _pattern(phrase).finditer(caption)] if phrase else []
        places.update(spans)
        dropped += not spans and bool(phrase)
    return Extraction(without_overlaps(caption, places), dropped)


def without_overlaps(caption: str, places: Iterable[tuple[int, int]]) -> tuple[Phrase, ...]:
    """The places as phrases in order; of two that overlap the longer one stays, then the earlier one."""
    taken = bytearray(len(caption))
    kept = []
    for start, end in sorted(places, key=lambda place: (place[0] - place[1], place[0])):
        if start < end and not any(taken[start:end]):
            taken[start:end] = b"\1" * (end - start)
            kept.append(Phrase(start, end, caption[start:end]))
    return tuple(sorted(kept))


def _pattern(phrase: str) -> regex.Pattern[str]:
    words = r"\s+".join(regex.escape(word) for word in phrase.split())
    return regex.compile(between_words(words, phrase), regex.IGNORECASE)
