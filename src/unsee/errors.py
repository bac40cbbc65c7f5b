"""The error that a person can mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Something that the user gave is wrong.

    The message is one line that says what is wrong, where (file, row, key), and what would be right.
    The command line prints it alone and exits with code 2; anything else that is raised is a bug.
    Whatever the message quotes (file names, column names), it stays one printable line.
    """

    def __init__(self, message: str) -> None:
        line = " ".join(message.split())  # str.split knows every kind of line break, U+2028 included
        super().__init__("".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint at the nearest known word, to append to a message; empty when none is near."""
    nearest = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {nearest[0]!r}?)" if nearest else ""
