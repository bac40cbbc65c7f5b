"""From records to numbers: pure functions, which no model has to be there for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from unsee.evaluation.criteria import known_to
from unsee.evaluation.records import Record
from unsee.metrics.answers import answer_probability, rouge
from unsee.metrics.bootstrap import Score, bootstrap_mean
from unsee.metrics.multiple_choice import most_likely_choice, strict_choice, tolerant_choice
from unsee.metrics.paired import paired_difference
from unsee.metrics.truth_ratio import indistinguishability, log_truth_ratio, probability_among_options, truthfulness


@dataclass(frozen=True, slots=True)
class ProbeScore:
    """What one model scored on one probe. See `unsee.evaluation.criteria` for what counts as known to the base.

    Attributes:
        accuracy: share of exact matches over what the base knew, with a 95 % bootstrap interval over subjects.
        left_out: examples about facts that the base did not know.
        alone: examples among those that count about whose fact nothing else was asked, so that nothing tells whether
            the base knew it.
        everything: share of exact matches over all examples, with its interval.
        known_change: `accuracy` less that of the base, row by row; all NaN without a base.
        change: `everything` less that of the base, row by row; all NaN without a base.
        mean_answer_probability: mean of exp(log_prob / tokens) over what the base knew.
        rouge_l_recall: mean ROUGE-L recall of what was said over what the base knew.
        truncated: share of all answers that were cut before their turn had ended; None where records do not say.
        candidates: further means over what the base knew, each over the rows that have what it needs; what no row
            has is not there. See `candidate_scores`.
    """

    accuracy: Score
    left_out: int
    alone: int
    everything: Score
    known_change: Score
    change: Score
    mean_answer_probability: float
    rouge_l_recall: float
    truncated: float | None = None
    candidates: dict[str, float] = field(default_factory=dict)

    @property
    def ungated(self) -> float:
        """Share of exact matches over all examples."""
        return self.everything.score

    def to_dict(self) -> dict[str, Any]:
        """Flat, for JSON."""
        further = {"ungated": self.everything, "known_change": self.known_change, "change": self.change}
        return {
            **self.accuracy.to_dict(),
            "left_out": self.left_out,
            "alone": self.alone,
            **{key: value for name, one in further.items() for key, value in _flat(name, one)},
            "mean_answer_probability": self.mean_answer_probability,
            "rouge_l_recall": self.rouge_l_recall,
            "truncated": self.truncated,
            **self.candidates,
        }


def _flat(name: str, one: Score) -> list[tuple[str, float | int | None]]:
    values = one.to_dict()
    return [(name, values["score"]), (f"{name}_low", values["low"]), (f"{name}_high", values["high"])]


def _asked(record: Record) -> Any:
    return record.question, record.expected, record.subject


def score(
    records: Sequence[Record],
    base: Sequence[Record] | None = None,
    seed: int = 0,
    known_by: Sequence[Record] | None = None,
) -> ProbeScore:
    """Score the records of one probe.

    Args:
        records: of the model to be scored.
        base: records of the starting model on the same probe, which say what was known and what has changed; None
            scores everything and compares with nothing.
        seed: of the bootstrap.
        known_by: records that say what was known, where they are not those of the base; see `unsee.evaluation.after`.
    """
    if base is not None and [_asked(record) for record in base] != [_asked(record) for record in records]:
        raise ValueError("base and model were not asked the same questions")
    first = base if known_by is None else known_by
    gate: list[bool | None] = known_to(first) if first is not None else [True] * len(records)
    places = [place for place, passed in enumerate(gate) if passed is not False]
    known = [records[place] for place in places]
    return ProbeScore(
        accuracy=_share(known, seed),
        left_out=len(records) - len(known),
        alone=gate.count(None),
        everything=_share(records, seed),
        known_change=_change(known, [base[place] for place in places] if base is not None else None),
        change=_change(records, base),
        mean_answer_probability=_mean(answer_probability(record.log_prob, record.tokens) for record in known),
        rouge_l_recall=_mean(rouge(record.said, record.expected).rouge_l_recall for record in known),
        truncated=truncated_share(records),
        candidates=candidate_scores(known),
    )


def _share(records: Sequence[Record], seed: int) -> Score:
    """Share of exact matches, with its interval over subjects."""
    right = [float(record.correct) for record in records]
    return bootstrap_mean(right, [record.subject for record in records], seed=seed)


def _change(records: Sequence[Record], base: Sequence[Record] | None) -> Score:
    """How many more are right than by the base, as a share, with its interval over subjects."""
    if base is None:
        return Score(math.nan, math.nan, math.nan, 0)
    now, before = ([float(record.correct) for record in of_model] for of_model in (records, base))
    return paired_difference(now, before, [record.subject for record in records])


def truncated_share(records: Iterable[Record]) -> float | None:
    """Share of answers that were cut, of those that say whether they were; None where none does."""
    known = [float(record.truncated) for record in records if record.truncated is not None]
    return fmean(known) if known else None


def candidate_scores(records: Sequence[Record]) -> dict[str, float]:
    """Means that take more than the expected answer, each over the records that have what it needs.

    With perturbed answers (TOFU's truth ratio R, wrong over right, where right is the mean over paraphrases and the
    expected answer where there are none; all log-probabilities are means per token):

    - `truth_ratio_forget`: min(R, 1/R), which rises as the truth is forgotten;
    - `truth_ratio_retain`: max(0, 1 - R), which falls as the truth is forgotten;
    - `probability_among_options`: of the expected answer among itself and the perturbed ones.

    With choices, the share of right ones:

    - `choice_by_sum` and `choice_by_mean`: the likeliest option by log-probability, summed or a mean per token;
    - `choice_strict` and `choice_tolerant`: the letter that was said, as `unsee.metrics.multiple_choice` reads it.

    Returns:
        By name; without those that no record has data for.
    """
    found: dict[str, float] = {}
    if rows := [record for record in records if record.perturbed_log_probs]:
        wrong = [_per_token(row.perturbed_log_probs, row.perturbed_tokens) for row in rows]
        ratio = log_truth_ratio([_mean(_truths(row)) for row in rows], wrong)
        found["truth_ratio_forget"] = float(indistinguishability(ratio).mean())
        found["truth_ratio_retain"] = float(truthfulness(ratio).mean())
        expected = [row.log_prob / row.tokens for row in rows]
        found["probability_among_options"] = float(probability_among_options(expected, wrong).mean())
    if rows := [record for record in records if record.choices]:
        chosen = {
            "by_sum": [most_likely_choice(row.choice_log_probs) for row in rows],
            "by_mean": [most_likely_choice(_per_token(row.choice_log_probs, row.choice_tokens)) for row in rows],
            "strict": [strict_choice(row.chosen or "", len(row.choices)) for row in rows],
            "tolerant": [tolerant_choice(row.chosen or "", row.choices) for row in rows],
        }
        for way, picks in chosen.items():
            hits = [
                pick is not None and row.choices[pick] == row.expected for row, pick in zip(rows, picks, strict=True)
            ]
            found[f"choice_{way}"] = _mean(map(float, hits))
    return found


def _truths(record: Record) -> list[float]:
    """Mean log-probability per token of each wording that stands for the truth."""
    said_otherwise = _per_token(record.paraphrased_log_probs, record.paraphrased_tokens)
    return said_otherwise or [record.log_prob / record.tokens]


def _per_token(log_probs: Sequence[float], tokens: Sequence[int]) -> list[float]:
    return [log_prob / count for log_prob, count in zip(log_probs, tokens, strict=True)]


def _mean(values: Iterable[float]) -> float:
    values = list(values)
    return fmean(values) if values else float("nan")
