"""Several runs on one page: the base that they start from, gold where there is one, and a model for each run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from unsee.evaluation.compared import BASE
from unsee.report.assemble import (
    Records,
    answers,
    curve,
    data_lost,
    densities,
    endings,
    environment,
    forgotten_rows,
    illustrated,
    method_result,
    models_of,
    now,
    of_training,
    probes_of,
)
from unsee.report.comparable import gold_of, named
from unsee.report.contents import ModelResult, ProbeInfo, Report
from unsee.report.hallucinations import hallucinations
from unsee.report.photo import Album
from unsee.report.titles import forgotten, title_of
from unsee.runs.finished import Run
from unsee.runs.gold import GOLD
from unsee.system.wording import listed
from unsee.training.guard import UNWATCHED


def runs_report(runs: Sequence[Run], album: Album | None = None) -> Report:
    """The page of several runs that may stand side by side; see `unsee.report.comparable`.

    Args:
        runs: finished. The rows that were asked are those of the first run whose data can still be read.
        album: which makes the thumbnails, and knows afterwards which pictures have gone.
    """
    by_name, album = named(runs), album or Album()
    source = next((run for run in runs if not run.lost), runs[0])
    asked, records = source.benchmark.probes, _records(by_name)
    notes = [UNWATCHED] if any(run.scores.watched == [] for run in runs) else []
    notes += [f"{name}: {sentence}" for name, run in by_name.items() for sentence in of_training(run)]
    page = Report(
        title=_title(by_name),
        created=now(),
        request=runs[0].settings.request if len({run.settings.request for run in runs}) == 1 else None,
        models={BASE: models_of(runs[0])[BASE], **gold_of(runs), **_methods(by_name)},
        probes=_probes(source, runs),
        curves={name: curve(run) for name, run in by_name.items()},
        endings=endings(by_name),
        answers=answers(asked, records, source.scores.judged[BASE]),
        hallucinations=hallucinations(asked, records, source.settings.lexicon, album),
        saliency=densities(by_name),
        settings=_settings(by_name),
        environment=environment(),
        command=f"unsee report {shlex.join(str(run.folder) for run in runs)} --out FILE",
        advice=[f"{name}: {sentence}" for name, run in by_name.items() for sentence in run.scores.advice],
        notes=[*notes, *filter(None, [data_lost(source)])],
    )
    return illustrated(page, asked, album)


def _records(runs: Mapping[str, Run]) -> Records:
    first = next(iter(runs.values()))
    gold = next(({GOLD: run.records[GOLD]} for run in runs.values() if GOLD in run.records), {})
    methods = {name: run.records[run.settings.card.name] for name, run in runs.items()}
    return {BASE: first.records[BASE], **gold, **methods}


def _methods(runs: Mapping[str, Run]) -> dict[str, ModelResult]:
    results = {name: method_result(run, run.scores.seconds.get("unlearn")) for name, run in runs.items()}
    return {name: result.model_copy(update={"label": name}) for name, result in results.items()}


def _probes(source: Run, runs: Sequence[Run]) -> list[ProbeInfo]:
    """What each probe is for; what any of the runs has trained on was trained on."""
    seen: dict[str, list[ProbeInfo]] = {}
    for run in runs:
        for probe in probes_of(run):
            seen.setdefault(probe.name, []).append(probe)
    return [
        probe.model_copy(
            update={
                "trained_on": any(other.trained_on for other in seen[probe.name]),
                "pictures_trained_on": max(other.pictures_trained_on for other in seen[probe.name]),
                "after": any(other.after for other in seen[probe.name]),
            }
        )
        for probe in probes_of(source)
    ]


def _title(runs: Mapping[str, Run]) -> str:
    rows = {forgotten(forgotten_rows(run), run.settings.forget) for run in runs.values()}
    what = rows.pop() if len(rows) == 1 else "different rows"
    return title_of(what, next(iter(runs.values())).settings.model, listed(list(runs)))


def _settings(runs: Mapping[str, Run]) -> dict[str, Any]:
    """What all runs were set to, and for each run what it was set to alone."""
    of_runs = {name: run.settings.model_dump(mode="json") for name, run in runs.items()}
    first = next(iter(of_runs.values()))
    shared = {
        key: value
        for key, value in first.items()
        if all(key in settings and settings[key] == value for settings in of_runs.values())
    }
    own = {
        name: {key: value for key, value in settings.items() if key not in shared} for name, settings in of_runs.items()
    }
    return {**shared, **own}
