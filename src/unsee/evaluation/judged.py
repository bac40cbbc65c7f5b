"""Do captions still say what a scorer took for hallucinated? Pure functions of rows with spans and of records.

Pictures without any annotation have no list of what they show, so no CHAIR. What `unsee mine` leaves is a judgement of
each phrase of the model's own captions: real or hallucinated. After a run, the new captions of the same pictures are
searched for these phrases: how many of those judged hallucinated are still said, how many of those judged real are
still named, before and after, whole and at equal length (both captions of a picture cut to the shorter one).

This rests on the scorer that chose what to train on. What the model had not said was never judged, so a newly
hallucinated object is not seen, nor is one under another name. Nor is what a caption would have gone on to say that was
cut off at `max_new_tokens`: a phrase that such a caption does not say is counted as unknown. Rows that list the
`objects` of their pictures are an independent check; see `unsee.evaluation.hallucination`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean
from typing import Any

from unsee.data.example import Example, Probe
from unsee.evaluation.records import Record
from unsee.evaluation.results import JudgedCheck, Tally
from unsee.metrics.chair import match_lengths
from unsee.metrics.lexicon import locate
from unsee.metrics.words import count_words

Recorded = Mapping[str, Mapping[str, Sequence[Record]]]  # model -> probe -> records


@dataclass(frozen=True, slots=True)
class Labels:
    """The phrases of one caption by what a scorer took them for; each once, lower case. None is in both."""

    hallucinated: frozenset[str]
    real: frozenset[str]


def check_judged(probes: Iterable[Probe], recorded: Recorded, base: str = "base") -> dict[str, dict[str, JudgedCheck]]:
    """What each model still says, on every probe of captions with judged phrases.

    Args:
        probes: what was asked.
        recorded: by model and probe; all models were asked the same, row by row as the probes have them.
        base: the model before.

    Returns:
        Numbers by model and probe; a probe of other rows is not there.
    """
    rows = {probe.name: probe.examples for probe in probes if is_judged(probe.examples)}
    return {
        model: {name: _check(rows[name], asked[name], recorded[base][name]) for name in rows if name in asked}
        for model, asked in recorded.items()
    }


def is_judged(examples: Sequence[Example]) -> bool:
    """Whether all rows are captions with spans, some with a judged phrase: they have no right answers then."""
    return all(example.spans for example in examples) and any(
        span.role != "sentence" for example in examples for span in example.spans
    )


def labels_of(example: Example) -> Labels:
    """What was judged in a caption. A phrase that is judged both ways is left out."""
    by_role: dict[str, set[str]] = {"negative": set(), "positive": set()}
    for span in example.spans:
        if span.role != "sentence":
            phrases = span.phrases or (example.answer[span.start : span.end],)
            by_role[span.role] |= {" ".join(phrase.lower().split()) for phrase in phrases} - {""}
    both = by_role["negative"] & by_role["positive"]
    return Labels(frozenset(by_role["negative"] - both), frozenset(by_role["positive"] - both))


def said_of(caption: str, labels: Labels) -> Labels:
    """Those of the phrases that a caption says, between word boundaries, in singular or plural.

    Of overlapping phrases the longer one is said: "dining table" is no "table".
    """
    judged = sorted(labels.hallucinated | labels.real)
    meant = {form: phrase for phrase in judged for form in _forms(phrase)}
    meant |= {phrase: phrase for phrase in judged}  # where "dog" and "dogs" are judged, each stands for itself
    places = locate(caption, meant).phrases
    mentioned = {meant[form] for place in places if (form := " ".join(place.text.lower().split())) in meant}
    return Labels(labels.hallucinated & mentioned, labels.real & mentioned)


def _check(examples: Sequence[Example], records: Sequence[Record], base: Sequence[Record]) -> JudgedCheck:
    labels = [labels_of(example) for example in examples]
    captions = [record.whole_words for record in records]
    cut, cut_before = match_lengths(captions, [record.whole_words for record in base])
    texts = zip(captions, cut, cut_before, strict=True)
    label_rows = [(own, *(said_of(text, own) for text in row)) for own, row in zip(labels, texts, strict=True)]
    hallucinated, real = (_tally(kind, label_rows, records) for kind in ("hallucinated", "real"))
    bare = sum(not span.phrases and span.role != "sentence" for example in examples for span in example.spans)
    known = [record.truncated for record in records if record.truncated is not None]
    return JudgedCheck(
        hallucinated=hallucinated,
        real=real,
        mean_words=fmean(map(count_words, captions)),
        captions=len(captions),
        sentences=bare,
        truncated=sum(known) if known else None,
    )


def _tally(kind: str, label_rows: Sequence[tuple[Labels, ...]], records: Sequence[Record]) -> Tally:
    """Labels of one kind: what was judged, and what was said of it whole, cut, and by the base when cut."""
    rows = [[len(getattr(labels, kind)) for labels in row] for row in label_rows]
    unknown = sum(row[0] - row[1] for row, record in zip(rows, records, strict=True) if record.truncated)
    judged, whole, cut, base_cut = (sum(column) for column in zip(*rows, strict=True))
    return Tally(judged=judged, said=whole, said_matched=cut, base_said_matched=base_cut, unknown=unknown)


@cache
def _forms(phrase: str) -> tuple[str, ...]:
    """A phrase in singular and plural, as far as it has them."""
    if not phrase.rsplit(maxsplit=1)[-1].isalpha():
        return (phrase,)
    inflection = _inflection()
    singular = inflection.singular_noun(phrase)  # False where it is none
    return (phrase, str(singular) if singular else str(inflection.plural_noun(phrase)).lower())


@cache
def _inflection() -> Any:
    from inflect import engine

    return engine()
