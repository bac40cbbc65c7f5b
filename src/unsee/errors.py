"""The error that a person can mend."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from typing import Any

LONGEST = 380  # characters of a message: a line or so of a wide terminal, several of a narrow one


class InputError(ValueError):
    """Something that the user gave is wrong.

    The message is one line that says what is wrong, where (file, row, key), and what would be right.
    The command line prints it alone and exits with code 2; anything else that is raised is a bug.
    Whatever the message quotes (file names, column names), it stays one printable line of at most `LONGEST` characters.
    """

    def __init__(self, message: str) -> None:
        line = " ".join(message.split())  # str.split knows every kind of line break, U+2028 included
        # A megabyte on one line is not read to its end; with room for what cutting words takes away.
        line = line if len(line) <= 100 * LONGEST else f"{line[: 50 * LONGEST]}{line[-50 * LONGEST :]}"
        super().__init__(shortened("".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in line)))


class UnworkableError(InputError):
    """All that was given can be read, and with these settings nothing can come of it, such as a mask that is empty.

    A comparison of settings counts it as their outcome, and goes on.
    """


def shortened(line: str, longest: int = LONGEST) -> str:
    """A line of at most so many characters: what is quoted at length loses its middle, words of ours stay."""
    words = line.split(" ")
    for place in sorted(range(len(words)), key=lambda place: -len(words[place])):
        excess = sum(map(len, words)) + len(words) - 1 - longest
        if excess <= 0:
            break
        word = words[place]
        keep = max(len(word) - excess - 1, 40)
        if keep < len(word):
            words[place] = f"{word[: keep // 2]}…{word[-(keep - keep // 2) :]}"
    line = " ".join(words)
    return line if len(line) <= longest else f"{line[: longest // 2]}…{line[-(longest - longest // 2 - 1) :]}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint at the nearest known word, to append to a message; empty when none is near."""
    nearest = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {nearest[0]!r}?)" if nearest else ""


def one_of(what: str, value: str, known: Collection[str]) -> Any:
    """The value, if it is known; else InputError with all that are and the nearest of them."""
    if value not in known:
        raise InputError(f"{what} is {value!r}; it is one of {', '.join(known)}{did_you_mean(value, known)}")
    return value


def quoted(value: object) -> str:
    """A value in a message, cut to 40 characters."""
    text = repr(value)
    return "missing" if value is None else text if len(text) <= 40 else text[:37] + "..."
