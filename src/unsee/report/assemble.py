"""From a finished run, or several on one benchmark, to what the page shows."""

from __future__ import annotations

import math
import platform
from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

from unsee import __version__
from unsee.data import Example, Probe
from unsee.evaluation.judged import is_judged
from unsee.evaluation.records import Record
from unsee.evaluation.results import Score
from unsee.report.contents import Answer, CurvePoint, Density, ModelResult, ProbeInfo, Report
from unsee.report.hallucinations import hallucinations
from unsee.report.page import render
from unsee.report.photo import Album
from unsee.report.sections.answers import shown as shown_of
from unsee.report.sections.dozen import dozen
from unsee.report.titles import title
from unsee.runs.finished import Run
from unsee.runs.folder import LIBRARIES
from unsee.runs.gold import GOLD
from unsee.system.files import write_text
from unsee.training.done import Ended
from unsee.training.guard import UNWATCHED
from unsee.training.rates import told

TRAINING = {
    "learning_rate",
    "epochs",
    "max_steps",
    "stop",
    "retain_preserved",
    "batch_size",
    "parts",
    "lora",
    "gate",
    "seed",
}
Records = Mapping[str, Mapping[str, Sequence[Record]]]  # model -> probe -> records


def run_report(run: Run, album: Album | None = None) -> Report:
    """The page of one run: the model before and after, and gold where it was measured.

    Args:
        run: finished.
        album: which makes the thumbnails, and knows afterwards which pictures have gone.
    """
    method, album = run.settings.card.name, album or Album()
    page = Report(
        title=title(forgotten_rows(run), run.settings.forget, run.settings.model, method),
        created=now(),
        request=run.settings.request,
        models=models_of(run),
        probes=probes_of(run),
        curves={method: curve(run)},
        endings=endings({method: run}),
        answers=answers(run.benchmark.probes, run.records, run.scores.judged["base"]),
        hallucinations=hallucinations(run.benchmark.probes, run.records, run.settings.lexicon, album),
        saliency=densities({method: run}),
        settings=run.settings.model_dump(mode="json"),
        environment=environment(),
        command=f"unsee unlearn {run.folder / 'run.yaml'} --out NEW_FOLDER",
        advice=run.scores.advice,
        notes=[
            *([UNWATCHED] if run.scores.watched == [] else []),
            *filter(None, [data_lost(run), *of_training(run)]),
        ],
    )
    return illustrated(page, run.benchmark.probes, album)


def forgotten_rows(run: Run) -> Sequence[Example]:
    """The forget rows; should they have gone, those that ask by name about whom they were about."""
    if run.benchmark.forget:
        return run.benchmark.forget
    asked = [row for probe in run.benchmark.probes if probe.role == "forget" for row in probe.examples]
    return [row for row in asked if row.subject is not None]


def models_of(run: Run) -> dict[str, ModelResult]:
    """The model before, gold where it was measured, and the model after, by name."""
    before = ModelResult(
        label="before",
        role="base",
        scores=right_answers(run, "base"),
        hallucination=run.scores.hallucination.get("base", {}),
        judged=run.scores.judged["base"],
    )
    after = method_result(run, run.scores.seconds.get("unlearn"))
    return {"base": before, **gold_result(run), run.settings.card.name: after}


def probes_of(run: Run) -> list[ProbeInfo]:
    """What each probe of a run is for. Which are captions is known from the scores, should the data have gone."""
    pictures, captions = run.scores.pictures, run.scores.judged["base"]
    earlier = run.scores.after.get(run.settings.card.name, {})
    return [
        probe_info(probe, pictures[probe.name], judged=probe.name in captions, after=probe.name in earlier)
        for probe in run.benchmark.probes
    ]


def write_report(report: Report, path: Path) -> None:
    """Render the page and write it, atomically."""
    write_text(path, render(report))


def method_result(run: Run, seconds: float | None = None) -> ModelResult:
    """The unlearned model of a run, with the hyper-parameters that it really had."""
    name = run.settings.card.name
    training = run.settings.model_dump(mode="json", include=TRAINING)
    training = {key: value for key, value in training.items() if value is not None}
    if run.scores.rate is not None:
        training["learning_rate"] = run.scores.rate.rate
    return ModelResult(
        label=name,
        role="method",
        paper=run.settings.card.paper,
        hyper_parameters={**run.settings.hyper_parameters, **training, "parts": ", ".join(run.settings.parts)},
        seconds=seconds,
        scores=right_answers(run, name),
        hallucination=run.scores.hallucination.get(name, {}),
        judged=run.scores.judged[name],
        condition=run.scores.condition.get(name),
        after=run.scores.after.get(name, {}),
    )


def of_training(run: Run) -> list[str]:
    """Sentences on what a run found or did by itself."""
    rate, preserved = run.scores.rate, run.scores.preserved
    return [*([told(rate)] if rate else []), *([preserved] if preserved else [])]


def data_lost(run: Run) -> str:
    """A sentence on data of a run that could not be read again; empty where all could."""
    if not run.lost:
        return ""
    more = f" and {len(run.lost) - 1} more" if len(run.lost) > 1 else ""
    return f"The questions are those of the records, as data could not be read again ({run.lost[0]}{more})."


def gold_result(run: Run) -> dict[str, ModelResult]:
    """Gold by its name, of a run that has it."""
    if GOLD not in run.scores.models:
        return {}
    scores = right_answers(run, GOLD)
    checks, judged = run.scores.hallucination.get(GOLD, {}), run.scores.judged[GOLD]
    return {GOLD: ModelResult(label="gold", role="gold", scores=scores, hallucination=checks, judged=judged)}


def right_answers(run: Run, model: str) -> dict[str, Score]:
    """The scores of a model of a run, without those of captions: what base said once is no right answer."""
    judged = run.scores.judged[model]
    return {name: score for name, score in run.scores.models[model].items() if name not in judged}


def curve(run: Run) -> list[CurvePoint]:
    """The value of each term of the objective, step by step."""
    return [
        CurvePoint(
            step=int(point["step"] or 0),
            values={name: math.nan if value is None else value for name, value in point.items() if name != "step"},
        )
        for point in run.scores.curve
    ]


def endings(runs: Mapping[str, Run]) -> dict[str, Ended]:
    """How the trainings went that were to end when they are done."""
    return {name: run.scores.ended for name, run in runs.items() if run.scores.ended is not None}


def densities(runs: Mapping[str, Run]) -> dict[str, dict[str, Density]]:
    """What the masks let through, of those runs that have one."""
    saliency = {name: run.scores.saliency for name, run in runs.items()}
    return {
        name: {part: Density(**shares) for part, shares in parts.items()} for name, parts in saliency.items() if parts
    }


def probe_info(
    probe: Probe,
    overlap: Mapping[str, int],
    chance: float | None = None,
    label: str = "",
    description: str = "",
    judged: bool | None = None,
    after: bool = False,
) -> ProbeInfo:
    """What a probe is for, and how many of its pictures were trained on, as `unsee.evaluation.compared` has it.

    Whether it is one of captions with judged phrases is seen from its rows, unless `judged` says it. `after` is
    true of the probes of an earlier request.
    """
    return ProbeInfo(
        name=probe.name,
        label=label,
        description=description,
        forget=None if probe.role is None else probe.role == "forget",
        trained_on=probe.trained_on,
        pictures=overlap["pictures"],
        pictures_trained_on=overlap["trained_on"],
        chance=chance,
        after=after,
        judged=is_judged(probe.examples) if judged is None else judged,
    )


def answers(probes: Sequence[Probe], records: Records, judged: Container[str] | None = None) -> list[Answer]:
    """Every question and what each model said to it; `illustrated` adds photographs.

    Which probes are captions with judged phrases is seen from their rows, unless `judged` names them.
    """
    entries = []
    for probe in probes:
        captions = is_judged(probe.examples) if judged is None else probe.name in judged
        for index, example in enumerate(probe.examples):
            rows = {model: asked[probe.name][index] for model, asked in records.items() if probe.name in asked}
            entries.append(
                Answer(
                    probe=probe.name,
                    subject=example.subject,
                    question=example.question,
                    expected=example.answer,
                    said={model: row.said for model, row in rows.items()},
                    correct={} if captions else {model: row.correct for model, row in rows.items()},
                )
            )
    return entries


def illustrated(report: Report, probes: Sequence[Probe], album: Album | None = None) -> Report:
    """A report with the photographs of those answers that its page shows; a run may have thousands of others.

    Args:
        report: whose answers are those of `answers`, in their order.
        probes: that it was asked.
        album: which makes the thumbnails, and has made those that the report has already.
    """
    album = album or Album()
    shown = {
        id(answer) for answer in [*shown_of(report), *(entry for group in dozen(report) for entry in group.answers)]
    }
    asked = [example for probe in probes for example in probe.examples]
    entries = [
        answer.model_copy(update={"photo": album(example.image)}) if id(answer) in shown else answer
        for answer, example in zip(report.answers, asked, strict=True)
    ]
    notes = [*report.notes, album.notice] if album.notice else report.notes
    return report.model_copy(update={"answers": entries, "notes": notes})


def environment() -> dict[str, str]:
    """Versions and machine, for the foot of the page."""
    versions = {"unsee": __version__, "python": platform.python_version()}
    versions |= {name: version(name) for name in LIBRARIES}
    device = torch.accelerator.current_accelerator(check_available=True)
    return {**versions, "device": str(device or f"{platform.machine()} CPU")}


def now() -> str:
    """The present minute, UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
