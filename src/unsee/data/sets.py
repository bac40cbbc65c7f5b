"""Sets of examples: what must not overlap, their fingerprint, and how they are written down."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from unsee.data.example import AnswerSpan, Example, Probe
from unsee.data.pictures import extension, image_hash
from unsee.errors import InputError
from unsee.system.files import write_bytes
from unsee.system.files import write_jsonl as write_rows

Asked = tuple[str | None, str]  # (hash of the picture, question): what the model is given


def check_sets(
    forget: Sequence[Example], retain: Sequence[Example], probes: Sequence[Probe], preserve: Sequence[Example] = ()
) -> None:
    """See that there is something to forget, that nothing is both kept and forgotten, and that probes are held out.

    Two rows are the same when they ask the same question (but for blanks) about the same picture (byte for byte):
    a model cannot tell them apart, whatever their answers.

    Args:
        forget: what is to be forgotten.
        retain: what is trained on to keep the rest.
        probes: what is measured; one with `trained_on` may repeat training rows.
        preserve: what a saliency mask protects; a score on the same questions would flatter what is kept.

    Raises:
        InputError: if the forget set is empty, forget and retain overlap, or a probe repeats training rows.
    """
    if not forget:
        raise InputError("the forget set is empty; it needs at least one example")
    forgotten, kept = asked(forget), asked(retain)
    common = [(kept[key], forgotten[key]) for key in kept if key in forgotten]
    if common:
        pairs = ", ".join(f"retain {ours} = forget {theirs}" for ours, theirs in common[:3])
        count = f"{len(common)} {'row' if len(common) == 1 else 'rows'}"
        more = ", ..." if len(common) > 3 else ""
        raise InputError(
            f"forget and retain overlap in {count} with the same picture and question: {pairs}{more}; "
            "take them out of one of the two"
        )
    for probe in probes:
        if not probe.trained_on:
            _check_held_out(probe, {"forget": forgotten, "retain": kept}, "trained on")
            _check_held_out(probe, {"preserve": asked(preserve)}, "protected by the saliency mask")


def repeats(examples: Iterable[Example], training: Iterable[Sequence[Example]]) -> bool:
    """Whether any of the examples asks what a training row asks: the same question about the same picture."""
    seen = {key for rows in training for key in asked(rows)}
    return not seen.isdisjoint(asked(examples))


def _check_held_out(probe: Probe, trained: dict[str, dict[Asked, str]], how: str) -> None:
    seen = [
        f"{row} = {name} {rows[key]}"
        for key, row in asked(probe.examples).items()
        for name, rows in trained.items()
        if key in rows
    ]
    if seen:
        listed = ", ".join(seen[:3]) + (", ..." if len(seen) > 3 else "")
        raise InputError(
            f"probe {probe.name!r} is not held out, {len(seen)} of its {len(probe)} rows are {how}: {listed}; "
            "take them out, or name the probe under trained_on"
        )


def asked(examples: Iterable[Example]) -> dict[Asked, str]:
    """What is asked, and how the first row that asks it is called."""
    rows: dict[Asked, str] = {}
    for number, example in enumerate(examples, start=1):
        rows.setdefault((image_hash(example.image), " ".join(example.question.split())), f"row {number}")
    return rows


def digest(examples: Iterable[Example]) -> str:
    """The sha256 (64 hex digits) of what the examples say and show, in their order.

    It covers questions, answers, subjects, facts, alternatives and the bytes of the pictures; not ids, nor where
    the pictures lie: the same data has the same digest on every machine.

    Raises:
        InputError: if an image file cannot be read.
    """
    total = hashlib.sha256()
    for example in examples:
        content = _row(example, image_hash(example.image))
        content.pop("id", None)
        total.update(json.dumps(content, sort_keys=True).encode("ascii") + b"\n")
    return total.hexdigest()


def write_jsonl(examples: Iterable[Example], path: Path) -> None:
    """Write examples as JSON Lines that `load_examples` reads, and their pictures to a folder `images` beside it.

    Pictures keep their bytes and are named by content, so several files may share the folder. The pictures come
    first and the rows last: a file that is there is complete.

    Raises:
        InputError: if a picture cannot be read, or the place cannot be written to.
    """
    path = Path(path)
    rows = [_row(example, _write_picture(example.image, path.parent)) for example in examples]
    write_rows(path, rows)


def _write_picture(image: Path | bytes | None, folder: Path) -> str | None:
    """Keep the picture under `folder`; its path from there."""
    name = image_hash(image)
    if image is None or name is None:
        return None
    content = image if isinstance(image, bytes) else image.read_bytes()
    relative = f"images/{name[:32]}{extension(content)}"
    if not (folder / relative).exists():
        write_bytes(folder / relative, content)
    return relative


def _row(example: Example, image: str | None) -> dict[str, object]:
    """The row of an example; optional keys only where there is something to say."""
    optional = {
        "subject": example.subject,
        "fact": example.fact,
        "id": example.id,
        "paraphrased_answers": example.paraphrased_answers,
        "perturbed_answers": example.perturbed_answers,
        "answer_keywords": example.answer_keywords,
        "choices": example.choices,
    }
    row: dict[str, object] = {"image": image, "question": example.question}
    row |= _caption(example) if example.spans else {"answer": example.answer}
    row |= {key: value for key, value in optional.items() if value}
    return row if example.objects is None else row | {"objects": example.objects}  # an empty list says something


def _caption(example: Example) -> dict[str, object]:
    """The answer of an example with spans, in the layout of captions."""
    whole = next((span for span in example.spans if span.role == "sentence"), None)
    spans = [_span(span) for span in example.spans if span.role != "sentence"]
    sentence = {"role": "positive", "score": whole.score} if whole else {"role": None}
    return {"caption": example.answer, "spans": spans, "sentence": sentence}


def _span(span: AnswerSpan) -> dict[str, object]:
    return {key: value for key, value in asdict(span).items() if key != "phrases" or value}
