"""How often an answer evades: a share that every table of `unsee evaluate`, `unsee unlearn` and the page then has."""

from __future__ import annotations

import re
from collections.abc import Sequence

from unsee.evaluation.metric import Metric
from unsee.evaluation.records import Record

_EVASIVE = re.compile(r"\b(do not|don't|cannot|can't) (know|say|tell|recall|identify)\b|\bnot sure\b", re.IGNORECASE)


def evades(records: Sequence[Record]) -> list[float]:
    """1 for an answer that says that it does not know, else 0."""
    return [float(_EVASIVE.search(record.said) is not None) for record in records]


EVASION = Metric("evasion", "says that it does not know", evades, better="lower")
