"""Probes to records: what a model says, and how likely it finds the truth.

Nothing is judged while the model runs: every example becomes one record with the words and the log-probability, and
scores (`unsee.evaluation.scores`) are pure functions of records.
"""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from unsee.data.example import Example, Probe
from unsee.data.multiple_choice import multiple_choice
from unsee.data.pictures import image_hash
from unsee.errors import InputError
from unsee.evaluation.records import Record, read_records
from unsee.evaluation.scores import score
from unsee.metrics.answers import exact_match
from unsee.system import processes
from unsee.system.files import write_jsonl
from unsee.system.progress import progress
from unsee.vlm.encoding import Encoder
from unsee.vlm.generate import Said, answers, room_for
from unsee.vlm.load import LoadedModel
from unsee.vlm.scoring import AnswerScore, Scorer
from unsee.vlm.sharded import as_one, share, to_be_asked

LETTER_TOKENS = 16  # an answer to a question with lettered options is cut there, unless an option is longer


@torch.no_grad()
def measure(loaded: LoadedModel, probe: Probe, batch_size: int = 64, max_new_tokens: int | None = None) -> list[Record]:
    """Ask a model everything in a probe, greedily, and score the expected answers.

    Args:
        loaded: the model; it is put into evaluation mode and back.
        probe: what to ask.
        batch_size: examples per forward pass.
        max_new_tokens: answers are cut there; None leaves room for what the probe expects, see `room_for`.

    Returns:
        One record an example, in the probe's order. Several processes do a share each, and all have all of them. A
        model in pieces is asked everything by all of them in step, as each holds a part of it.
    """
    model, was_training = loaded.model, loaded.model.training
    model.eval()
    scorer = Scorer(model, loaded.encoder)
    room = max_new_tokens or room_for(loaded.encoder, _right_answers(probe))
    try:
        # Rows of a kind are asked together: a row in words alone is several times shorter than one with an image.
        order = sorted(range(len(probe)), key=lambda index: probe.examples[index].image is None)
        starts = share(model, range(0, len(order), batch_size))
        by_place: dict[int, Record] = {}
        with as_one(model):
            for start in progress(starts, f"asking {probe.name}", total=len(starts)):
                places = order[start : start + batch_size]
                by_place |= zip(places, _ask(loaded, scorer, probe, places, room), strict=True)
    finally:
        model.train(was_training)
    by_place = processes.together(by_place)
    return [by_place[index] for index in range(len(probe))]


def check_probe(
    encoder: Encoder, probe: Probe, name: str, max_new_tokens: int | None = None, skip: Container[int] = ()
) -> None:
    """InputError for the first example that `measure` could not ask or score, before anything is measured.

    Args:
        encoder: of the model.
        probe: what would be asked.
        name: what an error message calls it, such as its file.
        max_new_tokens: as for `measure`.
        skip: numbers of rows, from 1, that are not looked at.
    """
    room = max_new_tokens or room_for(encoder, _right_answers(probe))
    encoder.check(probe.examples, name, skip, new_tokens=room)


def _right_answers(probe: Probe) -> list[str]:
    return [answer for row in probe.examples for answer in (row.answer, *row.paraphrased_answers)]


def _ask(loaded: LoadedModel, scorer: Scorer, probe: Probe, places: Sequence[int], max_new_tokens: int) -> list[Record]:
    examples = [probe.examples[place] for place in places]
    replies = answers(loaded.model, loaded.encoder, examples, max_new_tokens)
    chosen = _letters(loaded, examples, max_new_tokens)
    scores = scorer(examples, [_candidates(example) for example in examples])
    rows = zip(places, examples, replies, chosen, scores, strict=True)
    return [_record(probe.name, *row) for row in rows]


def _candidates(example: Example) -> list[str]:
    """What `_record` finds scored, in its order."""
    return [example.answer, *example.paraphrased_answers, *example.perturbed_answers, *example.choices]


def _letters(loaded: LoadedModel, examples: Sequence[Example], max_new_tokens: int) -> list[str | None]:
    """What is said to each question with lettered options; None where there are none."""
    asked = [multiple_choice(example) for example in examples if example.choices]
    if not asked:
        return [None] * len(examples)
    options = loaded.encoder.tokenizer([text for example in examples for text in example.choices])["input_ids"]
    room = min(max_new_tokens, max(LETTER_TOKENS, 2 * max(map(len, options))))  # some say the option and its letter
    replies = iter(answers(loaded.model, loaded.encoder, asked, room))
    return [next(replies).text if example.choices else None for example in examples]


def _record(
    probe: str, place: int, example: Example, said: Said, chosen: str | None, scores: Sequence[AnswerScore]
) -> Record:
    own, *others = scores
    first, second = len(example.paraphrased_answers), len(example.paraphrased_answers + example.perturbed_answers)
    paraphrased, perturbed, choices = others[:first], others[first:second], others[second:]
    return Record(
        probe=probe,
        index=place,
        id=example.id,
        subject=example.subject,
        fact=example.fact,
        question=example.question,
        expected=example.answer,
        said=said.text,
        correct=exact_match(said.text, example.answer, example.paraphrased_answers),
        log_prob=own.log_prob,
        tokens=own.tokens,
        paraphrased_log_probs=tuple(score.log_prob for score in paraphrased),
        paraphrased_tokens=tuple(score.tokens for score in paraphrased),
        perturbed_log_probs=tuple(score.log_prob for score in perturbed),
        perturbed_tokens=tuple(score.tokens for score in perturbed),
        answer_keywords=example.answer_keywords,
        choices=example.choices,
        choice_log_probs=tuple(score.log_prob for score in choices),
        choice_tokens=tuple(score.tokens for score in choices),
        chosen=chosen,
        objects=example.objects,
        truncated=said.truncated,
        image=image_hash(example.image),
    )


def measure_all(
    loaded: LoadedModel,
    probes: Sequence[Probe],
    folder: Path | None,
    batch_size: int = 64,
    max_new_tokens: int | None = None,
) -> dict[str, list[Record]]:
    """Measure several probes; with a folder, write one JSONL file a probe and read those that are there already.

    Under FSDP the model is asked in pieces, which are made of it here; the given one stays whole.
    """
    loaded = to_be_asked(loaded)
    by_probe: dict[str, list[Record]] = {}
    for probe in probes:
        path = folder / f"{probe.name}.jsonl" if folder is not None else None
        if path is not None and processes.agreed(path.is_file()):
            by_probe[probe.name] = read_records(path)
            continue
        records = by_probe[probe.name] = measure(loaded, probe, batch_size, max_new_tokens)
        if path is not None:
            processes.once(partial(write_jsonl, path, [record.row() for record in records]))
    return by_probe


def check_numbers(records: Sequence[Record], whose: str) -> None:
    """InputError for a model whose logits are no numbers: its answers say nothing about what it knows."""
    broken = next((record for record in records if math.isnan(record.log_prob)), None)
    if broken is not None:
        raise InputError(
            f"{whose} has logits that are no numbers (NaN), first at row {broken.index + 1} of {broken.probe}: its "
            "weights are broken, or too large for this dtype; try float32, or take a sound checkpoint"
        )


def summary(
    loaded: LoadedModel,
    examples: Sequence[Example],
    batch_size: int = 64,
    max_new_tokens: int | None = None,
    seed: int = 0,
    records: Path | None = None,
) -> dict[str, Any]:
    """Measure a model on examples without a base: what `unsee evaluate` prints.

    Args:
        loaded: the model.
        examples: what to ask.
        batch_size: examples per forward pass.
        max_new_tokens: answers are cut there; None leaves room for the expected answers, see `room_for`.
        seed: of the bootstrap.
        records: a file for the records, one JSON object per line; overwritten.

    Returns:
        n, truncated (the share of answers that were cut), exact_match with its interval, the mean of every metric that
        the rows have data for, and under `metrics` these with their intervals; see `unsee.evaluation.registry`.

    Raises:
        InputError: the model's logits are no numbers.
    """
    rows = measure(loaded, Probe("data", examples), batch_size, max_new_tokens)
    if records is not None:
        processes.once(lambda: write_jsonl(records, [row.row() for row in rows]))
    with processes.as_one():
        check_numbers(rows, "the model")
    scored = score(rows, seed=seed)
    return {
        **{name: mean.score for name, mean in scored.metrics.items()},  # first: no metric of a stranger hides the rest
        "n": len(rows),
        "truncated": scored.truncated,
        "exact_match": scored.accuracy.score,
        "exact_match_low": scored.accuracy.low,
        "exact_match_high": scored.accuracy.high,
        "metrics": {name: mean.to_dict() for name, mean in scored.metrics.items()},
    }
