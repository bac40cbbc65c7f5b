"""How close texts are to references, and how varied: word-level BLEU and distinct-n.

Over words, never over characters, as BLEU of characters mostly measures length; but for scripts that write words
together, see `unsee.metrics.words`. ROUGE is in `answers`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from unsee.metrics.words import words


def bleu(candidates: Sequence[str], references: Sequence[Sequence[str]], max_n: int = 4, smooth: bool = False) -> float:
    """Corpus BLEU (Papineni et al. 2002) over `words`.

    Clipped n-gram counts are pooled over all texts, n = 1 to max_n with equal weights; the brevity penalty takes the
    reference length closest to each candidate, the shorter one of two. This is NLTK's `corpus_bleu` (with `smooth` its
    method 2) except in two corners: where no n-gram matches, the result is 0 rather than 1e-231 and a warning; and a
    text of fewer than n words adds no n-grams to the total, where NLTK adds one.

    Args:
        candidates: texts of the model.
        references: for each candidate one or more references.
        max_n: longest n-gram.
        smooth: add one to counts and totals for n > 1 (Lin and Och 2004); needed for single sentences, which often
            share no 4-gram with their reference.

    Returns:
        In [0, 1]; 0 if the candidates have no words, NaN without candidates.

    Raises:
        ValueError: lengths differ, a candidate has no reference, or max_n is below 1.
    """
    _check(candidates, references, max_n)
    if not candidates:
        return math.nan
    matches, totals = [0] * max_n, [0] * max_n
    length = reference_length = 0
    for candidate, row in zip(candidates, references, strict=True):
        said, expected = words(candidate), [words(reference) for reference in row]
        length += len(said)
        reference_length += min((len(text) for text in expected), key=lambda size: (abs(size - len(said)), size))
        for n in range(1, max_n + 1):
            counts = _ngrams(said, n)
            allowed: Counter[tuple[str, ...]] = Counter()
            for text in expected:
                allowed |= _ngrams(text, n)
            matches[n - 1] += (counts & allowed).total()
            totals[n - 1] += counts.total()
    return _brevity(length, reference_length) * _geometric_mean(matches, totals, smooth)


def distinct_n(texts: Iterable[str], n: int) -> float:
    """Share of different n-grams of words among all of them, pooled over the texts (Li et al. 2016, arXiv 1510.03055).

    N-grams do not reach across texts. A repetitive model scores low; so does a large corpus, hence compare equal
    numbers of texts.

    Returns:
        In (0, 1]; NaN if no text has n words.

    Raises:
        ValueError: n is below 1.
    """
    if n < 1:
        raise ValueError(f"n-grams have at least one word, not {n}")
    counts: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        counts += _ngrams(words(text), n)
    return len(counts) / counts.total() if counts else math.nan


def _check(candidates: Sequence[str], references: Sequence[Sequence[str]], max_n: int) -> None:
    if len(candidates) != len(references):
        raise ValueError(f"{len(candidates)} candidates but references for {len(references)}")
    if any(isinstance(row, str) or not row for row in references):
        raise ValueError("each candidate needs a list of one or more references")
    if max_n < 1:
        raise ValueError(f"n-grams have at least one word, not {max_n}")


def _ngrams(tokens: list[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(tokens[start:] for start in range(n)), strict=False))


def _brevity(length: int, reference_length: int) -> float:
    if length == 0:
        return 0.0
    return min(1.0, math.exp(1 - reference_length / length))


def _geometric_mean(matches: list[int], totals: list[int], smooth: bool) -> float:
    added = [0] + [int(smooth)] * (len(matches) - 1)
    shares = [(hit + add) / max(1, total + add) for hit, total, add in zip(matches, totals, added, strict=True)]
    if not all(shares):
        return 0.0
    return math.exp(math.fsum(map(math.log, shares)) / len(shares))
