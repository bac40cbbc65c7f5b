"""All metrics of answers, our own and those of installed packages, and what they make of records."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence

import numpy as np

from unsee.errors import InputError
from unsee.evaluation.measures import BUILT_IN
from unsee.evaluation.metric import Metric, wrong_field
from unsee.evaluation.records import Record
from unsee.evaluation.results import Score
from unsee.metrics import bootstrap
from unsee.system.plugins import Plugin, entry_points_of

GROUP = "unsee.metrics"  # of entry points: each is a `Metric`


def metrics() -> dict[str, Metric]:
    """All metrics by name, in the order in which they are shown: our own, then those of installed packages.

    Raises:
        InputError: what a package offers is no metric, or has a name that is taken.
    """
    known = {metric.name: metric for metric in BUILT_IN}
    for plugin in entry_points_of(GROUP).values():
        metric = _checked(plugin, known)
        known[metric.name] = metric
    return known


def measured(records: Sequence[Record], seed: int = 0) -> dict[str, bootstrap.Score]:
    """Every metric that the records have data for, each over the records that have what it needs.

    Args:
        records: that count.
        seed: of the bootstrap.

    Raises:
        InputError: a metric does not give a number for each record.
    """
    estimates = {}
    for metric in metrics().values():
        rows = [record for record in records if all(_has(record, name) for name in metric.needs)]
        if rows or not metric.needs:
            estimates[metric.name] = _estimate(metric, rows, seed)
    return estimates


def _has(record: Record, name: str) -> bool:
    return getattr(record, name) not in (None, ())


def _estimate(metric: Metric, records: Sequence[Record], seed: int) -> bootstrap.Score:
    if not records:
        return bootstrap.Score(math.nan, math.nan, math.nan, 0)
    values = metric.of(records)
    if isinstance(values, bootstrap.Score):
        return values
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.shape != (len(records),):
        raise InputError(f"metric {metric.name}: gives {values!r:.60} for {len(records)} records; give a number each")
    return bootstrap.bootstrap_mean(numbers.tolist(), [record.subject for record in records], seed=seed)


def _checked(plugin: Plugin, known: Container[str]) -> Metric:
    """The metric of a package.

    Raises:
        InputError: it does not fit; the message names the package and what would be right.
    """
    metric, where = plugin.load(), f"{GROUP}: {plugin.name} of {plugin.places[0]}"
    if not isinstance(metric, Metric):
        raise InputError(f"{where} is {metric!r:.60}; give an unsee.evaluation.metric.Metric")
    if wrong := wrong_field(metric):
        raise InputError(f"{where}: {wrong}")
    if metric.name in known or metric.name in Score.model_fields:
        raise InputError(f"{where}: the name {metric.name!r} is taken; give it another")
    return metric
