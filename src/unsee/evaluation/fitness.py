"""Whether models are fit for an unlearning: the base knows what is to go, gold does not.

A base that never learned what is to be forgotten makes every method look perfect. A row counts as known where it is
answered right. For a base an answer of many tokens, which hardly any model repeats word by word, also counts where it
is at least as likely as not, token by token; gold would often be found guilty by that, as captions have much in common.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from unsee.data.example import Probe
from unsee.evaluation.after import PREFIX
from unsee.evaluation.criteria import KNOWN_SHARE, LIKELY, LONG
from unsee.evaluation.records import Record
from unsee.evaluation.results import Interval
from unsee.metrics.bootstrap import bootstrap_mean

Whose = Literal["base", "gold"]


class Fitness(BaseModel):
    """How much of what is to go a model knows.

    Attributes:
        whose: what the model is to be.
        probes: of each probe of what is to go the share of its rows that are known, with its 95 % interval.
        known: the names of those of which it knows enough.
        fit: a base knows one of them at least, gold none.
        sentence: what is to be said about it; empty where there is nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    whose: Whose
    probes: dict[str, Interval]
    known: list[str]
    fit: bool
    sentence: str


def fitness(
    probes: Sequence[Probe], records: Mapping[str, Sequence[Record]], whose: Whose = "base", seed: int = 0
) -> Fitness | None:
    """See how much of what is to go a model knows.

    Args:
        probes: with their roles. Those of captions that are judged by phrases, and of an earlier request, are passed
            over.
        records: what the model said, by probe.
        whose: what the model is to be.
        seed: of the bootstrap.

    Returns:
        None where no probe is about what is to go.
    """
    asked = [probe.name for probe in probes if _counts(probe) and records.get(probe.name)]
    if not asked:
        return None
    shares = {name: _share_known(records[name], whose, seed) for name in asked}
    known = [name for name, share in shares.items() if share.score is not None and share.score >= KNOWN_SHARE]
    fit = bool(known) if whose == "base" else not known
    return Fitness(whose=whose, probes=shares, known=known, fit=fit, sentence=_sentence(whose, shares, known))


def _counts(probe: Probe) -> bool:
    judged = any(row.spans for row in probe.examples)
    return probe.role == "forget" and not judged and not probe.name.startswith(PREFIX)


def _share_known(records: Sequence[Record], whose: Whose, seed: int) -> Interval:
    known = [float(record.correct or (whose == "base" and _is_likely(record))) for record in records]
    return Interval.of(bootstrap_mean(known, [record.subject for record in records], seed=seed))


def _is_likely(record: Record) -> bool:
    return record.tokens > LONG and record.log_prob >= record.tokens * math.log(LIKELY)


def _sentence(whose: Whose, shares: Mapping[str, Interval], known: Sequence[str]) -> str:
    if whose == "gold":
        guilty = _told(shares, known)
        return f"Gold knows what it must never have learned ({guilty}): it shows no target." if known else ""
    unknown = [name for name in shares if name not in known]
    if not unknown:
        return ""
    if known:
        return (
            f"The base knows {_told(shares, known)}, but too little of {_told(shares, unknown)}: what is not known "
            "cannot be forgotten."
        )
    return (
        f"The base is unfit: it has not learned what is to be forgotten ({_told(shares, unknown)}), and what is not "
        "known cannot be forgotten. Train it first (unsee train), or take a model that knows it."
    )


def _told(shares: Mapping[str, Interval], names: Sequence[str]) -> str:
    """As in "forget_qa: 3 % of 40 rows known, 0 to 9 %"."""
    return "; ".join(f"{name}: {_numbers(shares[name])}" for name in names)


def _numbers(share: Interval) -> str:
    bounds = "" if share.low is None or share.high is None else f", {100 * share.low:.0f} to {100 * share.high:.0f} %"
    return f"{100 * (share.score or 0):.0f} % of {share.n} rows known{bounds}"
