"""Is there a model to speak of? One that did not move, or no longer answers anything, has forgotten nothing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from unsee.evaluation.records import Record
from unsee.evaluation.results import Condition
from unsee.system.wording import isolated

STILL = 1e-5  # a change of less than this share of the weights' length is none
NEARLY_ALL = 0.9  # of the answers
FELL_APART = 3.0  # nats per token by which right answers became less likely: to a twentieth, for every token
FEWEST = 5  # answers; fewer may well be alike

Records = Mapping[str, Sequence[Record]]  # by probe


def condition(
    records: Records, base: Records, roles: Mapping[str, str | None], moved: Mapping[str, Any] | None = None
) -> Condition | None:
    """What makes the scores of a model say nothing about forgetting; None if nothing does.

    Judged by what was to stay: there a model that only forgot answers as before. With nothing of that kind, answers
    that are all alike may be a refusal that was learned or a collapse, which is said and not decided.

    Args:
        records: of the model.
        base: of the model before, on the same probes.
        roles: what each probe is for.
        moved: as `unsee.vlm.change.Start.moved` has it.
    """
    if moved is not None and (length := moved["length"]) is not None and length < STILL:
        return Condition(kind="unmoved", sentence=_unmoved(moved))
    kept = [probe for probe in records if roles.get(probe) == "keep"]
    now, before = (_rows(of_model, kept or records) for of_model in (records, base))
    alike = _alike(now, before)
    if not kept:
        return Condition(kind="answers alike", sentence=f"{alike} {_NOTHING_TO_STAY}") if alike else None
    if what := alike or _unlikely(now, before):
        return Condition(kind="no longer answers", sentence=f"{what} This is collapse and not forgetting.")
    return None


_NOTHING_TO_STAY = (
    "Nothing was asked that should stay, so whether the model still answers at all is not known; "
    "--keep-probe NAME=FILE asks."
)


def _unmoved(moved: Mapping[str, Any]) -> str:
    far = f" by more than {moved['length']:.0e} of the weights' size" if moved["share"] else ""
    return f"No weight moved{far}: this is the model before. A larger learning_rate, or float32, would move it."


def _rows(records: Records, probes: Iterable[str]) -> list[Record]:
    return [row for probe in probes for row in records[probe]]


def _alike(now: Sequence[Record], before: Sequence[Record]) -> str:
    """A sentence if nearly all answers are one and the same, or none, where before they were not; else nothing."""
    if len(now) < FEWEST:
        return ""
    (answer, count), (_, count_before) = _most_common(now), _most_common(before)
    if count < NEARLY_ALL * len(now) or count_before >= NEARLY_ALL * len(before):
        return ""
    share = "Every answer" if count == len(now) else f"{100 * count / len(now):.0f} % of the answers"
    verb = "is" if count == len(now) else "are"
    return f"{share} {verb} {f'the same (“{isolated(answer[:60])}”)' if answer else 'empty'}, whatever is asked."


def _most_common(records: Sequence[Record]) -> tuple[str, int]:
    """The answer that is given most often, white space and case aside, and how often; without letters it is none."""
    texts = (" ".join(record.said.split()).casefold() for record in records)
    return Counter(text if any(map(str.isalnum, text)) else "" for text in texts).most_common(1)[0]


def _unlikely(now: Sequence[Record], before: Sequence[Record]) -> str:
    """A sentence if right answers of all kinds have become hopelessly unlikely; else nothing."""
    new, old = (fmean(record.log_prob / record.tokens for record in records) for records in (now, before))
    if math.isnan(new) and not math.isnan(old):
        return "The likelihood of what should stay is no longer a number."
    if old - new <= FELL_APART:
        return ""
    return f"Right answers to what should stay went from {old:.1f} to {new:.1f} nats per token."
