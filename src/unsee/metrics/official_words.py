"""The singular forms of CHAIR's published script, for numbers that are to stand beside published ones.

The script takes singular forms from the package `pattern`, which is no longer kept; TextBlob carries the same rules.
They take every final s for a plural where no rule before says otherwise: "bus" becomes "bu" and "ties" becomes "ty", so
that neither names anything, while "buses" does. Nothing of that is mended here, but for words in -ss. By the package's
own rules of plurals those take -es, so that none is a plural itself; its rules of singulars still make "glas" of
"glass", and no "wine glass" would be an object.

That exception is not independent of what it is compared with. On LLaVA's published captions TextBlob's rules alone give
a CHAIR_S / CHAIR_I of 62.55 / 18.70; with the exception they give 62.70 / 18.75, the reference values. It was found by
this very comparison, so the agreement there says nothing of other captions.
"""

from __future__ import annotations

from collections.abc import Callable

from unsee.errors import InputError


def official_singular() -> Callable[[str], str]:
    """A function from a word in lower case to its singular.

    Raises:
        InputError: TextBlob is not installed.
    """
    try:
        from textblob.en.inflect import singularize
    except ImportError as error:
        raise InputError("--words official needs the package TextBlob; pip install 'unsee[chair]'") from error

    def singular(word: str) -> str:
        return word if word.endswith("ss") else str(singularize(word))

    return singular
