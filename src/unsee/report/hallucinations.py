"""A few answers in which a model hallucinates what its base did not, for the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from random import Random

from unsee.data import Probe
from unsee.evaluation.hallucination import is_yes_no, lexicon_of, objects_of, yes_or_no
from unsee.evaluation.records import Record
from unsee.metrics.chair import Lexicon
from unsee.metrics.pope import tolerant_answer
from unsee.report.contents import HallucinatedAnswer, Marked
from unsee.report.hallucination import pieces
from unsee.report.photo import Album
from unsee.report.sections.dozen import SEED

EACH = 2  # answers of each model on each probe
LONGEST = 500  # characters of an answer that are shown

Asked = Mapping[str, Sequence[Record]]  # model -> records of one probe
Said = dict[str, list[Marked]]  # model -> an answer in pieces


def hallucinations(
    probes: Sequence[Probe],
    records: Mapping[str, Asked],
    lexicon: Sequence[str] | None = None,
    album: Album | None = None,
) -> list[HallucinatedAnswer]:
    """Answers of each unlearned model that name what is not there, where that of the base does not.

    Args:
        probes: what was asked.
        records: by model and probe; the models "base" and, where there is one, "gold" are shown beside the others.
        lexicon: word lists, as `unsee.evaluation.hallucination.lexicon_of` takes them.
        album: which makes the thumbnails; a fresh one if none is given.
    """
    answers: list[HallucinatedAnswer] = []
    album = album or Album()
    for probe in probes:
        asked = {model: of_model[probe.name] for model, of_model in records.items() if probe.name in of_model}
        for model in [name for name in asked if name not in ("base", "gold") and "base" in asked]:
            answers += _drawn(probe, asked, _newly_hallucinated(model, asked, lexicon), album)
    return answers


def _drawn(probe: Probe, asked: Asked, by_row: Mapping[int, Said], album: Album) -> Iterator[HallucinatedAnswer]:
    """Some of the answers, each as likely as any other."""
    for index in sorted(Random(SEED).sample(list(by_row), min(EACH, len(by_row)))):
        example, record = probe.examples[index], asked["base"][index]
        yes_no = is_yes_no([entry.expected for entry in asked["base"]])
        yield HallucinatedAnswer(
            probe=probe.name,
            photo=album(example.image),
            question=example.question,
            truth=record.expected if yes_no else ", ".join(record.objects or ()) or "nothing of the lexicon",
            said=by_row[index],
            of=len(by_row),
        )


def _newly_hallucinated(model: str, asked: Asked, lists: Sequence[str] | None) -> dict[int, Said]:
    """By row, what base, gold and the model said, where the model hallucinates and base does not."""
    records = asked[model]
    yes_no = is_yes_no([record.expected for record in records])
    lexicon = None if yes_no else lexicon_of([record.objects or () for record in records], lists)[0]
    by_row: dict[int, Said] = {}
    for index, record in enumerate(records):
        if not yes_no and record.objects is None:
            continue
        said = {name: _marked(asked[name][index], lexicon) for name in ("base", "gold", model) if name in asked}
        if _hallucinates(said[model]) and not _hallucinates(said["base"]):
            by_row[index] = said
    return by_row


def _marked(record: Record, lexicon: Lexicon | None) -> list[Marked]:
    """What was said, in pieces; without a lexicon the answer is a yes or a no."""
    said = record.said[:LONGEST]
    if lexicon is None:
        wrong = yes_or_no(record.expected) == "no" and tolerant_answer(said) == "yes"
        return [Marked(text=said, kind="hallucinated" if wrong else "")]
    return [Marked(text=text, kind=kind) for text, kind in pieces(said, objects_of(record, lexicon), lexicon)]


def _hallucinates(parts: Sequence[Marked]) -> bool:
    return any(piece.kind == "hallucinated" for piece in parts)
