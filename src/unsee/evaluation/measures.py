"""The metrics of answers beside the share of right ones. A new one is a function of records and an entry of `BUILT_IN`.

It is then part of `scores.json`, of what `unsee evaluate` and `unsee unlearn` print, and of the page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

from unsee.evaluation.metric import Measure, Metric
from unsee.evaluation.records import Record
from unsee.metrics.answers import answer_probability, rouge
from unsee.metrics.keywords import keyword_recall
from unsee.metrics.multiple_choice import most_likely_choice, strict_choice, tolerant_choice
from unsee.metrics.truth_ratio import indistinguishability, log_truth_ratio, probability_among_options, truthfulness


def answer_probabilities(records: Sequence[Record]) -> list[float]:
    """exp(log_prob / tokens) of the expected answer."""
    return [answer_probability(record.log_prob, record.tokens) for record in records]


def rouge_l_recalls(records: Sequence[Record]) -> list[float]:
    """ROUGE-L recall of what was said."""
    return [rouge(record.said, record.expected).rouge_l_recall for record in records]


def keywords_said(records: Sequence[Record]) -> list[float]:
    """Share of the keywords of the expected answer that were said, as whole words."""
    return [keyword_recall(record.said, record.answer_keywords) for record in records]


def log_probs(records: Sequence[Record]) -> list[float]:
    """Log-probability of the expected answer with its end of turn, summed over its tokens; nats."""
    return [record.log_prob for record in records]


def truth_ratios_forget(records: Sequence[Record]) -> list[float]:
    """TOFU's min(R, 1/R), which rises as the truth is forgotten; R as in `log_truth_ratios`."""
    return [float(value) for value in indistinguishability(log_truth_ratios(records))]


def truth_ratios_retain(records: Sequence[Record]) -> list[float]:
    """TOFU's max(0, 1 - R), which falls as the truth is forgotten; R as in `log_truth_ratios`."""
    return [float(value) for value in truthfulness(log_truth_ratios(records))]


def log_truth_ratios(records: Sequence[Record]) -> list[float]:
    """log R: perturbed answers over the right one.

    Right is the mean over paraphrases, and the expected answer where there are none; all log-probabilities are means
    per token.
    """
    right = [fmean(_paraphrased(record) or [record.log_prob / record.tokens]) for record in records]
    return [float(value) for value in log_truth_ratio(right, [_perturbed(record) for record in records])]


def probabilities_among_options(records: Sequence[Record]) -> list[float]:
    """Probability of the expected answer among itself and the perturbed ones, per token."""
    expected = [record.log_prob / record.tokens for record in records]
    return [float(p) for p in probability_among_options(expected, [_perturbed(record) for record in records])]


def _paraphrased(record: Record) -> list[float]:
    return _per_token(record.paraphrased_log_probs, record.paraphrased_tokens)


def _perturbed(record: Record) -> list[float]:
    return _per_token(record.perturbed_log_probs, record.perturbed_tokens)


def _per_token(log_probs: Sequence[float], tokens: Sequence[int]) -> list[float]:
    return [log_prob / count for log_prob, count in zip(log_probs, tokens, strict=True)]


def _hits(pick: Callable[[Record], int | None]) -> Measure:
    """Whether the option that is picked is the expected answer: 1 or 0."""

    def of(records: Sequence[Record]) -> list[float]:
        picks = [pick(record) for record in records]
        return [
            float(picked is not None and record.choices[picked] == record.expected)
            for record, picked in zip(records, picks, strict=True)
        ]

    return of


by_sum = _hits(lambda record: most_likely_choice(record.choice_log_probs))
by_mean = _hits(lambda record: most_likely_choice(_per_token(record.choice_log_probs, record.choice_tokens)))
strict = _hits(lambda record: strict_choice(record.chosen or "", len(record.choices)))
tolerant = _hits(lambda record: tolerant_choice(record.chosen or "", record.choices))

_PERTURBED, _CHOICES = ("perturbed_log_probs",), ("choices",)
BUILT_IN: tuple[Metric, ...] = (
    Metric("mean_answer_probability", "mean answer probability", answer_probabilities),
    Metric("rouge_l_recall", "ROUGE-L recall", rouge_l_recalls),
    Metric("keyword_recall", "keywords said", keywords_said, needs=("answer_keywords",)),
    Metric("mean_log_prob", "mean log-probability", log_probs, unit="nats", shown=("evaluate",)),
    Metric("truth_ratio_forget", "truth ratio R, min(R, 1/R)", truth_ratios_forget, better="lower", needs=_PERTURBED),
    Metric("truth_ratio_retain", "truth ratio R, max(0, 1 - R)", truth_ratios_retain, needs=_PERTURBED),
    Metric(
        "probability_among_options", "probability among perturbed answers", probabilities_among_options,
        needs=_PERTURBED,
    ),
    Metric("choice_by_sum", "choice by log-probability", by_sum, needs=_CHOICES),
    Metric("choice_by_mean", "choice by log-probability per token", by_mean, needs=_CHOICES),
    Metric("choice_strict", "choice by letter, strict", strict, needs=_CHOICES),
    Metric("choice_tolerant", "choice by letter, tolerant", tolerant, needs=_CHOICES),
)  # fmt: skip
