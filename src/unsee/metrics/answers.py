"""One answer at a time: was it right, how likely was it, how much of it was said.

Pure functions of what was expected and what was said; see `bootstrap` for means with intervals.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from unsee.metrics.words import rouge_tokens

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer

# Opening and closing brackets and quotes, and sentence punctuation: what may surround an answer without meaning.
_SURROUNDING = frozenset({"Ps", "Pe", "Pi", "Pf", "Po"})
ROUNDING = 1e-3  # nats per token by which rounding in low precision may take a log-probability above 0
_PLAIN = {
    **dict.fromkeys("\u2018\u2019\u201b\u02bc\u2032", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f", '"'),
    "\u2212": "-",
}
_MEANINGFUL = frozenset("%‰#@&")  # "5%" is not "5", "#1" is not "1"


def normalise(text: str) -> str:
    """Text as exact match compares it.

    In this order:

    - what has no shape of its own goes: soft hyphens, zero-width characters, byte-order and direction marks,
      variation selectors;
    - Unicode NFKC and casefold, until neither changes anything: "Straße" equals "STRASSE", a full-width letter equals
      the plain one;
    - typographic apostrophes and quotes become plain ones, all dashes and the minus sign U+2212 a hyphen, the decimal
      digits of every script those of ASCII;
    - runs of white space become one space;
    - everything is stripped from both ends that surrounds an answer without being part of it: white space, quotes,
      brackets, sentence punctuation (the final full stop), back-ticks, and dashes that are no minus sign.

    Inner punctuation and articles stay: "1,000" is not "1000", nor "the Hague" "Hague". Letters keep what tells them
    from others: "Zürich" is not "Zurich", and as nobody knows which language a text is in, the dotted and the dotless
    i of Turkish are not i: "İstanbul" is not "istanbul", "Diyarbakır" not "Diyarbakir". List such wordings as
    paraphrases where they shall count. A text of nothing but punctuation keeps it, so that "?" does not equal "...".
    """
    shapes = "".join(letter for letter in text if unicodedata.category(letter) != "Cf" and not _is_selector(letter))
    folded = unicodedata.normalize("NFKC", shapes.casefold())
    folded = unicodedata.normalize("NFKC", folded.casefold())
    folded = " ".join("".join(map(_plain, folded)).split())
    start, end = 0, len(folded)
    while start < end and _surrounds(folded[start], folded[start + 1 : end]):
        start += 1
    while end > start and _surrounds(folded[end - 1], ""):
        end -= 1
    return folded[start:end] or folded


def _is_selector(letter: str) -> bool:
    return "\ufe00" <= letter <= "\ufe0f"


def _plain(letter: str) -> str:
    """The plain form of what is written in several ways."""
    if letter.isascii():
        return letter
    if letter in _PLAIN:
        return _PLAIN[letter]
    if unicodedata.category(letter) == "Pd":
        return "-"
    return str(unicodedata.decimal(letter, letter))


def _surrounds(character: str, after: str) -> bool:
    """Whether a character at an end of the answer is no part of it; `after` tells a minus sign from a dash."""
    if character.isspace() or character == "`":
        return True
    category = unicodedata.category(character)
    if category == "Pd":
        return not after[:1].isdigit()
    return category in _SURROUNDING and character not in _MEANINGFUL


def exact_match(said: str, expected: str, also: Iterable[str] = ()) -> bool:
    """Whether what was said is, after `normalise`, the expected answer or one of the others that count as right.

    An empty answer is never right, not even where nothing was expected: silence proves no knowledge.
    """
    answer = normalise(said)
    return bool(answer) and any(answer == normalise(right) for right in (expected, *also))


def answer_probability(log_prob_sum: float, tokens: int) -> float:
    """Length-normalised probability of an answer (TOFU, Maini et al. 2024, arXiv 2401.06121, section 2.2.1).

    Args:
        log_prob_sum: log-probability of the answer, summed over its tokens; nats, at most 0.
        tokens: number of answer tokens that the sum runs over.

    Returns:
        exp(log_prob_sum / tokens), in [0, 1]; NaN for an answer without tokens and for a NaN log-probability.

    Raises:
        ValueError: a negative number of tokens, or a log-probability above 0 (most likely a loss with its sign lost).
    """
    if tokens < 0:
        raise ValueError(f"an answer cannot have {tokens} tokens")
    if tokens == 0 or math.isnan(log_prob_sum):
        return math.nan
    mean = log_prob_sum / tokens
    if mean > ROUNDING:
        raise ValueError(f"log-probability {log_prob_sum:g} is above 0; pass the log-probability, not the loss")
    return math.exp(min(mean, 0.0))


@dataclass(frozen=True, slots=True)
class Rouge:
    """ROUGE-1 and ROUGE-L of one answer, each in [0, 1]."""

    rouge1_recall: float
    rouge1_f1: float
    rouge_l_recall: float
    rouge_l_f1: float


def rouge(said: str, expected: str) -> Rouge:
    """ROUGE (Lin 2004) of an answer against the expected one, as the `rouge-score` package computes it with stemming.

    Tokens are those of the package for the Latin alphabet: runs of [a-z0-9] after lower-casing, stemmed if longer than
    three characters, between which other Latin letters separate ("Zürich" is "z", "rich"). Other scripts, for which it
    has no tokens, have their words, or single characters where words are written together; see `unsee.metrics.words`.
    Where either text has no tokens, all four are 0. TOFU reports the recalls.
    """
    scores = _scorer().score(target=expected, prediction=said)
    unigrams, sequence = scores["rouge1"], scores["rougeL"]
    return Rouge(
        rouge1_recall=float(unigrams.recall),
        rouge1_f1=float(unigrams.fmeasure),
        rouge_l_recall=float(sequence.recall),
        rouge_l_f1=float(sequence.fmeasure),
    )


@lru_cache(maxsize=1)
def _scorer() -> RougeScorer:
    """The one scorer; its package is imported on first use because that takes longer than most scores."""
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rouge1", "rougeL"], tokenizer=_Tokens())


class _Tokens:
    """What the package wants of a tokenizer."""

    tokenize = staticmethod(rouge_tokens)
