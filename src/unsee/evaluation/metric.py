"""What a metric of answers is: a function of records, and what those who show it need to know."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from unsee.evaluation.records import Record
from unsee.metrics import bootstrap

Better = Literal["higher", "lower", "neither"]
Place = Literal["evaluate", "unlearn", "page"]
Measure = Callable[[Sequence[Record]], Sequence[float] | bootstrap.Score]

EVERYWHERE: tuple[Place, ...] = ("evaluate", "unlearn", "page")


@dataclass(frozen=True)
class Metric:
    """One metric, and what those who show it need to know.

    Attributes:
        name: its key in JSON.
        label: what people read, in a few words.
        of: from records one value each, of which the mean is taken with an interval over subjects; or, where it is no
            mean, the estimate itself. It is never asked about no records. A NaN makes the whole mean one.
        unit: "share" for numbers from 0 to 1, shown in per cent; else the word behind the number, such as "nats".
        better: what a model has more of that knows the answers. What is to be forgotten should go the other way.
        needs: fields of `Record` that a row must have to be counted, such as `perturbed_log_probs` or `choices`; where
            no row has them, the metric is left out.
        shown: the tables of `unsee evaluate` and of `unsee unlearn`, and the page; JSON has it in any case.
    """

    name: str
    label: str
    of: Measure
    unit: str = "share"
    better: Better = "higher"
    needs: tuple[str, ...] = ()
    shown: tuple[Place, ...] = EVERYWHERE


def wrong_field(metric: Metric) -> str:
    """What is wrong with a metric that a stranger wrote, and what would be right; empty where nothing is."""
    for field, (wrong, right) in _FIELDS.items():
        if wrong(value := getattr(metric, field)):
            return f"{field} is {value!r:.60}; give {right}"
    return ""


def _not_among(kind: Any) -> Callable[[Any], bool]:
    return lambda value: value not in get_args(kind)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def _not_all_of(allowed: Sequence[str]) -> Callable[[Any], bool]:
    return lambda value: not isinstance(value, tuple) or any(name not in allowed for name in value)


_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {  # whether a value is wrong, and what would be right
    "name": (
        lambda name: not (isinstance(name, str) and re.fullmatch("[a-z][a-z0-9_]{0,59}", name)),
        "small letters, digits and underscores",
    ),
    "label": (lambda label: not _is_text(label), "a few words"),
    "of": (lambda of: not callable(of), "a function of records"),
    "unit": (lambda unit: not _is_text(unit), "share, nats or another word"),
    "better": (_not_among(Better), f"one of {', '.join(get_args(Better))}"),
    "needs": (_not_all_of([field.name for field in fields(Record)]), "a tuple of fields of Record"),
    "shown": (_not_all_of(get_args(Place)), f"a tuple of {', '.join(get_args(Place))}"),
}
