"""What a word is, in any script.

Where words are written apart, a word is what stands between blanks and punctuation. Chinese, Japanese, Thai, Lao, Khmer
and Burmese write them together, and to find them takes a dictionary a language: there every character counts as a word,
with the marks that belong to it. So BLEU, ROUGE and lengths of such texts are those of characters, as is usual for
Chinese, and are compared among themselves alone.

ROUGE has a definition of its own for letters of the Latin alphabet, which published numbers depend on: runs of a-z and
0-9 in lower case, stemmed, so that "Zürich" is "z" and "rich". It stays exactly as it was; other scripts, which it has
no tokens for, get theirs from here.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Any

import regex

# One character of a script without blanks between words, with its marks (SA: Thai, Lao, Khmer, Burmese and their kin).
# Of Bopomofo its letters alone: the script also owns two tone marks that stand between letters of others.
_TOGETHER = r"[\p{Han}\p{Hiragana}\p{Katakana}\u3105-\u312f\u31a0-\u31bf\p{lb=SA}]"
ALONE = rf"{_TOGETHER}\p{{M}}*"
_LETTER = rf"(?:(?!{_TOGETHER})[\p{{L}}\p{{N}}]\p{{M}}*)"
_WORD = regex.compile(rf"{ALONE}|{_LETTER}+(?:['\u2019-]{_LETTER}+)*")
_RUN = regex.compile(rf"{ALONE}\p{{P}}*|(?:(?!{_TOGETHER})[^\s\x1c-\x1f])+")  # as str.split has it
_LAST = regex.compile(rf"(?:{ALONE}|(?:(?!{_TOGETHER})[\w\p{{M}}'\u2019-])+)\Z")
_ROUGE = regex.compile(
    rf"(?P<alone>{ALONE})|(?P<latin>[\p{{Latin}}0-9]+)|(?:(?!{_TOGETHER}|[\p{{Latin}}0-9])[\p{{L}}\p{{Nd}}]\p{{M}}*)+"
)


def words(text: str) -> list[str]:
    """The words of a text, lower case: letters and digits of any script, inner apostrophes and hyphens kept."""
    tokens: list[str] = _WORD.findall(text.lower())
    return tokens


def runs(text: str) -> list[tuple[int, int]]:
    """Where the words are that lengths are counted in, as [start, end): runs of non-space, punctuation with them."""
    return [match.span() for match in _RUN.finditer(text)]


def count_words(text: str) -> int:
    """The length of a text in `runs`."""
    return len(runs(text))


def without_half_word(text: str) -> str:
    """A text that was cut, up to its last whole word: what stands at the cut may be the half of another word."""
    return str(_LAST.sub("", text))


def between_words(pattern: str, text: str) -> str:
    """A pattern for a text that finds it between word borders alone: "car" is not in "card".

    Where words are written together any place may be such a border.

    Args:
        pattern: a regular expression, for the text as it is.
        text: what the pattern is for, whose ends decide.
    """
    before = "" if regex.match(_TOGETHER, text) else rf"(?<![\w\p{{M}}--{_TOGETHER}])"
    after = "" if regex.search(rf"{ALONE}\Z", text) else rf"(?![\w\p{{M}}--{_TOGETHER}])"
    return f"(?V1){before}{pattern}{after}"


def rouge_tokens(text: str) -> list[str]:
    """The tokens that ROUGE compares; see above for what they are."""
    tokens: list[str] = []
    for match in _ROUGE.finditer(unicodedata.normalize("NFC", text.lower())):
        if match["latin"]:
            tokens += _latin().tokenize(match[0]) or [match[0]]
        else:
            tokens.append("".join(str(unicodedata.decimal(letter, letter)) for letter in match[0]))
    return tokens


@lru_cache(maxsize=1)
def _latin() -> Any:
    """ROUGE's own tokenizer, whose package takes long to import."""
    from rouge_score.tokenizers import DefaultTokenizer

    return DefaultTokenizer(use_stemmer=True)
