"""Does a model hallucinate more than its base did? Pure functions of records, which no model has to be there for.

Unlearning can make a model hallucinate: what was to be forgotten is filled in with something else. Two kinds of probes
tell. *Captions*: rows that list the `objects` of their picture; CHAIR of what was said about them. *Yes or no*: probes
in which every expected answer is one or the other; POPE. Both are compared with the base row by row, captions at equal
length (each cut to the shorter one of its pair), with an interval over subjects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import cast

from unsee.data.example import Probe
from unsee.errors import InputError, did_you_mean
from unsee.evaluation.records import Record
from unsee.evaluation.results import CaptionCheck, Check, Interval, YesNoCheck
from unsee.evaluation.scores import truncated_share
from unsee.metrics.bootstrap import Score
from unsee.metrics.chair import Lexicon, chair, match_lengths
from unsee.metrics.lexicon import COCO, word_list
from unsee.metrics.paired import paired_difference
from unsee.metrics.pope import YesNo, official_answer, pope, tolerant_answer

FEWEST = 10  # subjects; an interval over fewer says nothing
OWN = "objects"  # the lexicon of a probe with objects of its own: what its rows list

Said = Mapping[str, Mapping[str, Sequence[Record]]]  # model -> probe -> records


def _surely_more(change: Score, subjects: int) -> bool:
    """Whether a model hallucinates more than its base: the whole interval of the change is above zero."""
    return subjects >= FEWEST and change.low > 0


def check_objects(probes: Iterable[Probe], lexicon: Sequence[str] | None = None) -> None:
    """See that captions can be searched for what the rows of every probe list; InputError where they cannot."""
    for source in lexicon or ():
        word_list(source)  # may be missing or broken
    for probe in probes:
        try:
            lexicon_of([example.objects or () for example in probe.examples], lexicon)
        except InputError as error:
            raise InputError(f"probe {probe.name!r}, {error}") from None


def check_hallucination(
    said: Said, base: str = "base", lexicon: Sequence[str] | None = None
) -> dict[str, dict[str, Check]]:
    """What each model hallucinates, on every probe that can tell.

    Args:
        said: records by model and probe; all models were asked the same.
        base: the model before.
        lexicon: word lists, as `unsee.metrics.lexicon.word_list` takes them. Without any, COCO's where it knows
            all objects that the rows list, else those objects themselves.

    Returns:
        Numbers by model and probe; a probe that cannot tell is not there.
    """
    by_model: dict[str, dict[str, Check]] = {}
    for model, asked in said.items():
        checks = {probe: check_probe(rows, said[base][probe], lexicon) for probe, rows in asked.items()}
        by_model[model] = {probe: check for probe, check in checks.items() if check}
    return by_model


def check_probe(
    records: Sequence[Record], base: Sequence[Record], lexicon: Sequence[str] | None = None
) -> Check | None:
    """What one model hallucinates on one probe; None if the probe cannot tell. Arguments as in
    `check_hallucination`."""
    if is_yes_no([record.expected for record in records]):
        return _yes_no(records, base)
    pairs = [(record, before) for record, before in zip(records, base, strict=True) if record.objects is not None]
    if not pairs:
        return None
    names, label = lexicon_of([record.objects or () for record, _ in pairs], lexicon)
    return _captions([record for record, _ in pairs], [before for _, before in pairs], names, label)


def is_yes_no(expected: Sequence[str]) -> bool:
    """Whether all expected answers are yes or no, with a no among them: a yes can only be wrong where it is."""
    labels = {yes_or_no(answer) for answer in expected}
    return labels in ({"yes", "no"}, {"no"})


def yes_or_no(expected: str) -> YesNo | None:
    """An expected answer that is nothing but yes or no."""
    word = expected.strip().rstrip(".!").casefold()
    return cast(YesNo, word) if word in {"yes", "no"} else None


def lexicon_of(objects: Iterable[Sequence[str]], lists: Sequence[str] | None = None) -> tuple[Lexicon, str]:
    """What objects may be called, and what that is called in turn.

    Args:
        objects: of each row.
        lists: word lists; None chooses.

    Raises:
        InputError: a list cannot be read, or does not have an object of the rows; or an object of more than two words,
            which no caption is searched for.
    """
    names = {_plain(name): row for row, shown in reversed(list(enumerate(objects, start=1))) for name in shown}
    if lists is None:
        coco = word_list(COCO)
        if names.keys() <= coco.category_of.keys():
            return coco, COCO
        return _own(names), OWN
    lexicon = Lexicon({name: category for source in lists for name, category in word_list(source).category_of.items()})
    label = ", ".join(lists)
    for name, row in sorted(names.items(), key=lambda item: item[1]):
        if name not in lexicon.category_of:
            hint = did_you_mean(name, lexicon.category_of)
            raise InputError(f"row {row}, objects: {name!r} is not in the lexicon {label}{hint}; add it there")
    return lexicon, label


def objects_of(record: Record, lexicon: Lexicon) -> frozenset[str]:
    """The categories of what the picture of a record shows."""
    return lexicon.categories(map(_plain, record.objects or ()))


def _own(names: Mapping[str, int]) -> Lexicon:
    """Every object is called as it is listed."""
    for name, row in names.items():
        if len(name.split()) > 2:
            raise InputError(
                f"row {row}, objects: {name!r} has more than two words, by which captions are searched; "
                "shorten it, or give a lexicon with a shorter name for it"
            )
    return Lexicon({name: name for name in names})


def _plain(name: str) -> str:
    return " ".join(name.lower().split())


def _captions(records: Sequence[Record], base: Sequence[Record], lexicon: Lexicon, label: str) -> Check:
    shown = [objects_of(record, lexicon) for record in records]
    after, before = [record.whole_words for record in records], [record.whole_words for record in base]
    cut, cut_before = match_lengths(after, before)
    whole, matched, matched_before = (chair(texts, shown, lexicon) for texts in (after, cut, cut_before))
    hallucinated, hallucinated_before = (_hallucinated(texts, shown, lexicon) for texts in (cut, cut_before))
    subjects = [record.subject for record in records]
    change, independent = paired_difference(hallucinated, hallucinated_before, subjects), _count(subjects)
    return CaptionCheck(
        kind="captions",
        hallucinates_more=_surely_more(change, independent),
        chair_s=whole.chair_s,
        chair_i=whole.chair_i,
        chair_s_matched=matched.chair_s,
        chair_i_matched=matched.chair_i,
        base_chair_s_matched=matched_before.chair_s,
        recall=whole.recall,
        mean_words=whole.mean_words,
        captions=whole.captions,
        truncated=truncated_share(records),
        change=Interval.of(change),
        subjects=independent,
        lexicon=label,
    )


def _hallucinated(captions: Sequence[str], shown: Sequence[frozenset[str]], lexicon: Lexicon) -> list[float]:
    """Of each caption, 1 if it names something that is not there."""
    rows = zip(captions, shown, strict=True)
    return [float(any(mention.category not in there for mention in lexicon.mentions(text))) for text, there in rows]


def _yes_no(records: Sequence[Record], base: Sequence[Record]) -> Check:
    labels = [cast(YesNo, yes_or_no(record.expected)) for record in records]
    read = [tolerant_answer(record.said) for record in records]
    scores = pope([official_answer(record.said) for record in records], labels)
    absent = [place for place, label in enumerate(labels) if label == "no"]
    says_yes, said_yes = (
        [float(tolerant_answer(of_model[place].said) == "yes") for place in absent] for of_model in (records, base)
    )
    subjects = [records[place].subject for place in absent]
    change, independent = paired_difference(says_yes, said_yes, subjects), _count(subjects)
    return YesNoCheck(
        kind="yes_no",
        hallucinates_more=_surely_more(change, independent),
        accuracy=scores.accuracy,
        precision=scores.precision,
        recall=scores.recall,
        f1=scores.f1,
        yes_ratio=scores.yes_ratio,
        false_yes=fmean(says_yes),
        undecided=read.count(None) / len(read),
        questions=len(records),
        truncated=truncated_share(records),
        expected_yes=labels.count("yes") / len(labels),
        change=Interval.of(change),
        subjects=independent,
    )


def _count(subjects: Sequence[str | None]) -> int:
    """How many independent groups there are."""
    named = {subject for subject in subjects if subject is not None}
    alone = subjects.count(None)
    return len(named) + alone if len(named) + alone > 1 else len(subjects)
