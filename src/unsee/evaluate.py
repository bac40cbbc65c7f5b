"""Probes to records to scores: what a model says, how likely it finds the truth, and what that amounts to.

Nothing is judged while the model runs: every example becomes one record with the words and the log-probabilities, and
scores are pure functions of records. An example with paraphrased or perturbed answers or choices has the likelihood of
each in its record too; all of them share one pass over image and question.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from unsee import processes
from unsee.data.example import Example, Probe
from unsee.data.lettered import lettered
from unsee.errors import InputError
from unsee.files import read_jsonl, write_jsonl
from unsee.metrics.answers import answer_probability, exact_match, rouge
from unsee.metrics.choices import most_likely_choice, strict_choice, tolerant_choice
from unsee.metrics.interval import Score, bootstrap_mean
from unsee.metrics.truth import indistinguishability, log_truth_ratio, probability_among_options, truthfulness
from unsee.progress import progress
from unsee.vlm.generate import answers
from unsee.vlm.load import LoadedModel
from unsee.vlm.scoring import AnswerScore, Scorer

LETTER_TOKENS = 16  # an answer to a question with lettered options is cut there


@dataclass(frozen=True, slots=True)
class Record:
    """One row of measurement.

    What an example does not have (paraphrases, choices, ...) its record does not have either, in memory or on disk.
    Log-probabilities are sums over an answer's tokens, in nats; numbers of tokens include the end of turn.
    """

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
    paraphrased_log_probs: tuple[float, ...] = ()  # of the answers that are right too, in the example's order
    paraphrased_tokens: tuple[int, ...] = ()
    perturbed_log_probs: tuple[float, ...] = ()  # of the wrong answers
    perturbed_tokens: tuple[int, ...] = ()
    choices: tuple[str, ...] = ()  # texts of the options, in the order of their letters
    choice_log_probs: tuple[float, ...] = ()  # of their texts as answers to the plain question
    choice_tokens: tuple[int, ...] = ()
    chosen: str | None = None  # raw, what was said to the question with lettered options

    def row(self) -> dict[str, Any]:
        """For a JSON line; without what the example does not have."""
        return {name: value for name, value in asdict(self).items() if name not in _OPTIONAL or value not in ((), None)}


_OPTIONAL = (
    *("paraphrased_log_probs", "paraphrased_tokens", "perturbed_log_probs", "perturbed_tokens"),
    *("choices", "choice_log_probs", "choice_tokens", "chosen"),
)


@dataclass(frozen=True, slots=True)
class ProbeScore:
    """What one model scored on one probe.

    Attributes:
        accuracy: share of exact matches over what the base knew, with a 95 % bootstrap interval over subjects.
        left_out: examples about facts that the base did not know.
        ungated: share of exact matches over everything.
        mean_answer_probability: mean of exp(log_prob / tokens) over what the base knew.
        rouge_l_recall: mean ROUGE-L recall of what was said over what the base knew.
        candidates: further means over what the base knew, each over the rows that have what it needs; what no row
            has is not there. See `candidate_scores`.
    """

    accuracy: Score
    left_out: int
    ungated: float
    mean_answer_probability: float
    rouge_l_recall: float
    candidates: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Flat, for JSON."""
        return {
            **self.accuracy.to_dict(),
            "left_out": self.left_out,
            "ungated": self.ungated,
            "mean_answer_probability": self.mean_answer_probability,
            "rouge_l_recall": self.rouge_l_recall,
            **self.candidates,
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
        One record an example, in the probe's order. Several processes do a share each, and all have all of them.
    """
    model, was_training = loaded.model, loaded.model.training
    model.eval()
    scorer = Scorer(model, loaded.encoder)
    try:
        # Rows of a kind are asked together: a row in words alone is several times shorter than one with an image.
        order = sorted(range(len(probe)), key=lambda index: probe.examples[index].image is None)
        starts = processes.share(range(0, len(order), batch_size))
        found: dict[int, Record] = {}
        for start in progress(starts, f"asking {probe.name}", total=len(starts)):
            places = order[start : start + batch_size]
            for place, record in zip(places, _ask(loaded, scorer, probe, places, max_new_tokens), strict=True):
                found[place] = record
    finally:
        model.train(was_training)
    found = processes.together(found)
    return [found[index] for index in range(len(probe))]


def _ask(loaded: LoadedModel, scorer: Scorer, probe: Probe, places: Sequence[int], max_new_tokens: int) -> list[Record]:
    examples = [probe.examples[place] for place in places]
    said = answers(loaded.model, loaded.encoder, examples, max_new_tokens)
    chosen = _letters(loaded, examples, min(max_new_tokens, LETTER_TOKENS))
    scores = scorer(examples, [_candidates(example) for example in examples])
    rows = zip(places, examples, said, chosen, scores, strict=True)
    return [_record(probe.name, *row) for row in rows]


def _candidates(example: Example) -> list[str]:
    """What `_record` finds scored, in its order."""
    return [example.answer, *example.paraphrased_answers, *example.perturbed_answers, *example.choices]


def _letters(loaded: LoadedModel, examples: Sequence[Example], max_new_tokens: int) -> list[str | None]:
    """What is said to each question with lettered options; None where there are none."""
    asked = [lettered(example) for example in examples if example.choices]
    said = iter(answers(loaded.model, loaded.encoder, asked, max_new_tokens) if asked else [])
    return [next(said) if example.choices else None for example in examples]


def _record(
    probe: str, place: int, example: Example, said: str, chosen: str | None, scores: Sequence[AnswerScore]
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
        said=said,
        correct=exact_match(said, example.answer, example.paraphrased_answers),
        log_prob=own.log_prob,
        tokens=own.tokens,
        paraphrased_log_probs=tuple(score.log_prob for score in paraphrased),
        paraphrased_tokens=tuple(score.tokens for score in paraphrased),
        perturbed_log_probs=tuple(score.log_prob for score in perturbed),
        perturbed_tokens=tuple(score.tokens for score in perturbed),
        choices=example.choices,
        choice_log_probs=tuple(score.log_prob for score in choices),
        choice_tokens=tuple(score.tokens for score in choices),
        chosen=chosen,
    )


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
        candidates=candidate_scores(known),
    )


def candidate_scores(records: Sequence[Record]) -> dict[str, float]:
    """Means that take more than the expected answer, each over the records that have what it needs.

    With perturbed answers (TOFU's truth ratio R, wrong over right, where right is the mean over paraphrases and the
    expected answer where there are none; all log-probabilities are means per token):

    - `truth_ratio_forget`: min(R, 1/R), which rises as the truth is forgotten;
    - `truth_ratio_retain`: max(0, 1 - R), which falls as the truth is forgotten;
    - `probability_among_options`: of the expected answer among itself and the perturbed ones.

    With choices, the share of right ones:

    - `choice_by_sum` and `choice_by_mean`: the likeliest option by log-probability, summed or a mean per token;
    - `choice_strict` and `choice_tolerant`: the letter that was said, as `unsee.metrics.choices` reads it.

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


def measure_all(
    loaded: LoadedModel, probes: Sequence[Probe], folder: Path | None, batch_size: int = 64, max_new_tokens: int = 64
) -> dict[str, list[Record]]:
    """Measure several probes; with a folder, write one JSONL file a probe and read those that are there already."""
    found: dict[str, list[Record]] = {}
    for probe in probes:
        path = folder / f"{probe.name}.jsonl" if folder is not None else None
        if path is not None and processes.agreed(path.is_file()):
            found[probe.name] = read_records(path)
            continue
        records = found[probe.name] = measure(loaded, probe, batch_size, max_new_tokens)
        if path is not None and processes.is_main():
            write_jsonl(path, [record.row() for record in records])
    return found


def read_records(path: Path) -> list[Record]:
    """The records of one probe, as `measure_all` wrote them."""
    try:
        return [Record(**{name: _read(name, value) for name, value in row.items()}) for row in read_jsonl(path)]
    except TypeError as error:
        raise InputError(f"{path}: not a file of records ({error})") from None


def _read(name: str, value: Any) -> Any:
    """JSON has no NaN, which comes back as null, and no tuples."""
    if name == "log_prob":
        return float("nan") if value is None else value
    if isinstance(value, list):
        return tuple(float("nan") if item is None else item for item in value)
    return value


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
        n, exact_match with its interval, mean_answer_probability, rouge_l_recall, mean_log_prob (nats an answer), and
        what `candidate_scores` finds.
    """
    rows = measure(loaded, Probe("data", examples), batch_size, max_new_tokens)
    if records is not None and processes.is_main():
        write_jsonl(records, [row.row() for row in rows])
    scored = score(rows, seed=seed)
    return {
        "n": len(rows),
        "exact_match": scored.accuracy.score,
        "exact_match_low": scored.accuracy.low,
        "exact_match_high": scored.accuracy.high,
        "mean_answer_probability": scored.mean_answer_probability,
        "rouge_l_recall": scored.rouge_l_recall,
        "mean_log_prob": _mean(row.log_prob for row in rows),
        **scored.candidates,
    }
