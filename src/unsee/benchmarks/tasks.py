"""The numbers of three tasks about people: multiple choice, fill-in, and a sentence.

Input are the rows of records by probe, as the loaders of profiles name them: `SET_TASK_vqa` asks about a picture,
`SET_TASK_qa` by name. MLLMU-Bench (Liu et al. 2024, arXiv 2410.22108) defines them. Its fill-in counts a substring
("art" in "heart"); here the answer must be there as whole words, and the published rule is reported under its name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import Any

from unsee.benchmarks.spec import Records
from unsee.metrics.answers import rouge
from unsee.metrics.multiple_choice import contains_answer, most_likely_choice, strict_choice, tolerant_choice
from unsee.metrics.text import bleu

Rows = Sequence[Mapping[str, Any]]
PROBE = re.compile(r"(?P<set>\w+)_(?P<task>classification|cloze|generation)_(?P<kind>vqa|qa)")


def score_tasks(records: Records) -> dict[str, dict[str, float | int]]:
    """The numbers of each probe; probes of other names are passed over.

    Returns:
        By probe, `n` and
        for classification the accuracy by `letter` (the answer is one upper-case letter), `letter_tolerant` (see
        `unsee.metrics.multiple_choice.tolerant_choice`) and `likelihood` (the option with the highest mean
        log-probability);
        for fill-ins `cloze` (whole words) and `cloze_substring` (as published);
        for generation `rouge1_f1`, `rouge_l_f1` and `bleu` (smoothed, over the whole probe).
        NaN where records lack what a number needs.
    """
    scores = {}
    for probe, rows in records.items():
        match = PROBE.fullmatch(probe)
        if match:
            scores[probe] = {"n": len(rows), **_SCORES[match["task"]](rows)}
    return scores


def right_choice(row: Mapping[str, Any]) -> bool | None:
    """Whether the right option was chosen, read tolerantly; None where the record does not say."""
    choices, chosen = list(row.get("choices") or ()), row.get("chosen")
    if chosen is None or row["expected"] not in choices:
        return None
    return tolerant_choice(chosen, choices) == choices.index(row["expected"])


def likely_choice(row: Mapping[str, Any]) -> bool | None:
    """Whether the right option is the most likely one per token; None where the record does not say."""
    choices, log_probs = list(row.get("choices") or ()), row.get("choice_log_probs") or ()
    means = [log_prob / tokens for log_prob, tokens in zip(log_probs, row.get("choice_tokens") or (), strict=True)]
    if not means or row["expected"] not in choices:
        return None
    return most_likely_choice(means) == choices.index(row["expected"])


def _classification(rows: Rows) -> dict[str, float]:
    letters, tolerant, likelihood = [], [], []
    for row in rows:
        choices = list(row.get("choices") or ())
        right = choices.index(row["expected"]) if row["expected"] in choices else None
        chosen = right_choice(row)
        tolerant.append(math.nan if chosen is None else float(chosen))
        letters.append(math.nan if chosen is None else float(strict_choice(row["chosen"], len(choices)) == right))
        likely = likely_choice(row)
        likelihood.append(math.nan if likely is None else float(likely))
    return {"letter": _mean(letters), "letter_tolerant": _mean(tolerant), "likelihood": _mean(likelihood)}


def _cloze(rows: Rows) -> dict[str, float]:
    return {
        "cloze": _mean([float(contains_answer(row["said"], row["expected"])) for row in rows]),
        "cloze_substring": _mean([float(row["expected"].lower() in row["said"].lower()) for row in rows]),
    }


def _generation(rows: Rows) -> dict[str, float]:
    scores = [rouge(row["said"], row["expected"]) for row in rows]
    texts, references = [row["said"] for row in rows], [[row["expected"]] for row in rows]
    return {
        "rouge1_f1": _mean([score.rouge1_f1 for score in scores]),
        "rouge_l_f1": _mean([score.rouge_l_f1 for score in scores]),
        "bleu": bleu(texts, references, smooth=True) if rows else math.nan,
    }


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else math.nan


_SCORES: dict[str, Callable[[Rows], dict[str, float]]] = {
    "classification": _classification,
    "cloze": _cloze,
    "generation": _generation,
}
