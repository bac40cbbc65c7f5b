"""What to do where few phrases were judged hallucinated, or where lowering them changed nothing: pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from unsee.mining.selection import Thresholds

FEW_SPANS = 20  # negative spans; fewer are a handful, whatever the number of captions
FEW_SHARE = 0.1  # of the captions
NEXT = 5  # scores just short of the threshold that are named
HARDLY = 0.1  # nats per token by which hallucinated phrases became less likely: a tenth


def few_spans(negative: int, captions: int, scores: Sequence[float], thresholds: Thresholds) -> str:
    """A sentence on how few spans are to be lowered and what would give more; empty where there are enough.

    Args:
        negative: phrases judged hallucinated.
        captions: that were looked at.
        scores: of all phrases.
        thresholds: by which they were judged.
    """
    if negative >= FEW_SPANS and negative >= FEW_SHARE * captions:
        return ""
    short = sorted(score for score in scores if score >= thresholds.negative)[:NEXT]
    advice = (
        f"Only {negative} {'phrase is' if negative == 1 else 'phrases are'} judged hallucinated, in {captions} captions"
    )
    advice += f" with {len(scores)} phrases: too few to change what a model says."
    if short:
        named = ", ".join(f"{score:.4g}" for score in short)
        advice += f" Just above the threshold of {thresholds.negative:.4g} lie {named}: --negative {_above(short[-1])}"
        advice += f" takes {len(short)} more."
    return (
        f"{advice} `unsee mine calibrate RUN --groups` puts the threshold where the scores fall apart, --share takes a "
        "share of them; else mine more pictures."
    )


def _above(score: float) -> str:
    """The smallest number of four digits above a score."""
    digits = 3 - math.floor(math.log10(abs(score))) if score else 3
    return f"{math.floor(score * 10**digits + 1) / 10**digits:.4g}"


def of_spans(spans: Mapping[str, Any] | None, steps: int, learning_rate: float) -> list[str]:
    """Why a training on spans changed nothing, if it did not.

    Args:
        spans: what `unsee.evaluation.span_likelihood` found before and after; None for a method without spans.
        steps: of the run.
        learning_rate: of the run.
    """
    if not spans:
        return []
    lowered = spans["negative"]
    if not lowered["spans"]:
        return ["No span is judged hallucinated, so nothing was lowered. " + _MORE]
    fall = lowered["before"] - lowered["after"]
    if fall > HARDLY:
        few = _are_few(lowered, spans)
        return [f"Few spans were to be lowered: {_counted(lowered, spans)}. {_MORE}"] if few else []
    moved = f"{lowered['before']:.3f} to {lowered['after']:.3f} nats per token"
    return [
        f"Hallucinated phrases hardly became less likely ({moved}) in {steps} steps at learning_rate "
        f"{learning_rate:g}: they are {_counted(lowered, spans)}. {_why(lowered, spans)}"
    ]


_MORE = (
    "More pictures, or other thresholds (`unsee mine calibrate RUN --groups`, then `unsee mine` with --thresholds), "
    "give more."
)


def _why(lowered: Mapping[str, Any], spans: Mapping[str, Any]) -> str:
    farther = "A larger learning_rate, more max_steps, a larger negative_weight, or more --parts would lower them more."
    return f"{_MORE} {farther}" if _are_few(lowered, spans) else farther


def _are_few(lowered: Mapping[str, Any], spans: Mapping[str, Any]) -> bool:
    return bool(lowered["spans"] < FEW_SPANS or lowered["spans"] < FEW_SHARE * spans["captions"])


def _counted(lowered: Mapping[str, Any], spans: Mapping[str, Any]) -> str:
    """How many spans there are to be lowered, and what they are of."""
    share = f"{100 * lowered['tokens'] / spans['tokens']:.1f} % of their tokens"
    return f"{lowered['spans']} hallucinated spans in {spans['captions']} captions, {share}"
