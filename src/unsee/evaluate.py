"""Probes to records to scores: what a model says, how likely it finds the truth, and what that amounts to.

Nothing is judged while the model runs: every example becomes one record with the words and the log-probability, and
scores are pure functions of records.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from unsee.data.example import Example, Probe
from unsee.errors import InputError
from unsee.files import read_jsonl, write_jsonl
from unsee.metrics.answers import answer_probability, exact_match, rouge
from unsee.metrics.interval import Score, bootstrap_mean
from unsee.progress import progress
from unsee.vlm.generate import answers
from unsee.vlm.load import LoadedModel
from unsee.vlm.policy import Policy, answer_scores


@dataclass(frozen=True, slots=True)
class Record:
    """One row of measurement."""

    probe: str
    index: int  # place in the probe
    id: str | None
    subject: str | None
    fact: str | None
    question: str
    expected: str
    said: str  # raw, as decoded
    correct: bool  # exact match after normalisation, with the expected or a paraphrased answer
    log_prob: float  # of the expected answer with its end of turn, summed over tokens; nats
    tokens: int  # of the expected answer, the end of turn with them


@dataclass(frozen=True, slots=True)
class ProbeScore:
    """What one model scored on one probe.

    Attributes:
        accuracy: share of exact matches over what the base knew, with a 95 % bootstrap interval over subjects.
        left_out: examples about facts that the base did not know.
        ungated: share of exact matches over everything.
        mean_answer_probability: mean of exp(log_prob / tokens) over what the base knew.
        rouge_l_recall: mean ROUGE-L recall of what was said over what the base knew.
    """

    accuracy: Score
    left_out: int
    ungated: float
    mean_answer_probability: float
    rouge_l_recall: float

    def to_dict(self) -> dict[str, Any]:
        """Flat, for JSON."""
        return {
            **self.accuracy.to_dict(),
            "left_out": self.left_out,
            "ungated": self.ungated,
            "mean_answer_probability": self.mean_answer_probability,
            "rouge_l_recall": self.rouge_l_recall,
        }


@torch.no_grad()
def measure(loaded: LoadedModel, probe: Probe, batch_size: int = 64, max_new_tokens: int = 64) -> list[Record]:
    """Ask a model everything in a probe, greedily, and score the expected answers.

    Args:
        loaded: the model; it is put into evaluation mode and back.
        probe: what to ask.
        batch_size: examples a forward pass.
        max_new_tokens: answers are cut there.

    Returns:
        One record an example, in the probe's order.
    """
    model, was_training = loaded.model, loaded.model.training
    model.eval()
    try:
        # Rows of a kind are asked together: a row in words alone is several times shorter than one with an image.
        order = sorted(range(len(probe)), key=lambda index: probe.examples[index].image is None)
        starts = range(0, len(order), batch_size)
        found: dict[int, Record] = {}
        for start in progress(starts, f"asking {probe.name}", total=len(starts)):
            places = order[start : start + batch_size]
            for place, record in zip(places, _ask(loaded, probe, places, max_new_tokens), strict=True):
                found[place] = record
    finally:
        model.train(was_training)
    return [found[index] for index in range(len(probe))]


def _ask(loaded: LoadedModel, probe: Probe, places: Sequence[int], max_new_tokens: int) -> list[Record]:
    examples = [probe.examples[place] for place in places]
    said = answers(loaded.model, loaded.encoder, examples, max_new_tokens)
    batch = loaded.encoder.batch(examples, places).to(loaded.device)
    log_probs, tokens = answer_scores(Policy(loaded.model), batch)
    return [
        Record(
            probe=probe.name,
            index=place,
            id=example.id,
            subject=example.subject,
            fact=example.fact,
            question=example.question,
            expected=example.answer,
            said=text,
            correct=exact_match(text, example.answer, example.paraphrased_answers),
            log_prob=float(log_prob),
            tokens=int(count),
        )
        for place, example, text, log_prob, count in zip(places, examples, said, log_probs, tokens, strict=True)
    ]


def known_to(base: Sequence[Record]) -> list[bool]:
    """The knowledge gate: which records ask about a fact that the base knew.

    A fact that was never known cannot be forgotten. A fact is a (subject, fact) pair, known when the base was right
    in at least half of its records; a record without both stands for itself.
    """
    right: dict[Any, list[bool]] = defaultdict(list)
    for record in base:
        right[_fact_of(record)].append(record.correct)
    return [2 * sum(right[_fact_of(record)]) >= len(right[_fact_of(record)]) for record in base]


def _fact_of(record: Record) -> Any:
    return (record.subject, record.fact) if record.subject and record.fact else record.index


def _asked(record: Record) -> Any:
    return record.question, record.expected, record.subject


def score(records: Sequence[Record], base: Sequence[Record] | None = None, seed: int = 0) -> ProbeScore:
    """Score the records of one probe.

    Args:
        records: of the model to be scored.
        base: records of the starting model on the same probe, for the knowledge gate; None scores everything.
        seed: of the bootstrap.
    """
    if base is not None and [_asked(record) for record in base] != [_asked(record) for record in records]:
        raise ValueError("base and model were not asked the same questions")
    gate = known_to(base) if base is not None else [True] * len(records)
    known = [record for record, passed in zip(records, gate, strict=True) if passed]
    return ProbeScore(
        accuracy=bootstrap_mean(
            [float(record.correct) for record in known], [record.subject for record in known], seed=seed
        ),
        left_out=len(records) - len(known),
        ungated=_mean(float(record.correct) for record in records),
        mean_answer_probability=_mean(answer_probability(record.log_prob, record.tokens) for record in known),
        rouge_l_recall=_mean(rouge(record.said, record.expected).rouge_l_recall for record in known),
    )


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return fmean(values) if values else float("nan")


def measure_all(
    loaded: LoadedModel, probes: Sequence[Probe], folder: Path | None, batch_size: int = 64, max_new_tokens: int = 64
) -> dict[str, list[Record]]:
    """Measure several probes; with a folder, write one JSONL file a probe and read those that are there already."""
    found: dict[str, list[Record]] = {}
    for probe in probes:
        path = folder / f"{probe.name}.jsonl" if folder is not None else None
        if path is not None and path.is_file():
            found[probe.name] = read_records(path)
            continue
        found[probe.name] = measure(loaded, probe, batch_size, max_new_tokens)
        if path is not None:
            write_jsonl(path, [asdict(record) for record in found[probe.name]])
    return found


def read_records(path: Path) -> list[Record]:
    """The records of one probe, as `measure_all` wrote them."""
    try:
        rows = [Record(**row) for row in read_jsonl(path)]
    except TypeError as error:
        raise InputError(f"{path}: not a file of records ({error})") from None
    # JSON has no NaN: a log-probability that was none comes back as null.
    return [row if row.log_prob is not None else replace(row, log_prob=float("nan")) for row in rows]


def summary(
    loaded: LoadedModel,
    examples: Sequence[Example],
    batch_size: int = 64,
    max_new_tokens: int = 64,
    seed: int = 0,
    records: Path | None = None,
) -> dict[str, Any]:
    """Measure a model on examples without a base: what `unsee evaluate` prints.

    Args:
        loaded: the model.
        examples: what to ask.
        batch_size: examples a forward pass.
        max_new_tokens: answers are cut there.
        seed: of the bootstrap.
        records: a file for the records, one JSON object a line; overwritten.

    Returns:
        n, exact_match with its interval, mean_answer_probability, rouge_l_recall, mean_log_prob (nats an answer).
    """
    rows = measure(loaded, Probe("data", examples), batch_size, max_new_tokens)
    if records is not None:
        write_jsonl(records, [asdict(row) for row in rows])
    scored = score(rows, seed=seed)
    return {
        "n": len(rows),
        "exact_match": scored.accuracy.score,
        "exact_match_low": scored.accuracy.low,
        "exact_match_high": scored.accuracy.high,
        "mean_answer_probability": scored.mean_answer_probability,
        "rouge_l_recall": scored.rouge_l_recall,
        "mean_log_prob": _mean(row.log_prob for row in rows),
    }
