"""From a finished run, or several on one benchmark, to what the page shows."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from unsee import __version__
from unsee.data import Example, Probe
from unsee.files import write_text
from unsee.folder import LIBRARIES
from unsee.judged import is_judged
from unsee.methods import find, hyper_parameters
from unsee.records import Record
from unsee.report import answers as arranged
from unsee.report.contents import Answer, CurvePoint, Density, ModelResult, ProbeInfo, Report, Score
from unsee.report.inventions import inventions
from unsee.report.page import render
from unsee.report.photo import photo_data_uri
from unsee.report.sample import dozen
from unsee.report.titles import title
from unsee.run import Run
from unsee.watch import UNWATCHED

Records = Mapping[str, Mapping[str, Sequence[Record]]]  # model -> probe -> records


def run_report(run: Run) -> Report:
    """The page of one run: the model before and after."""
    method = run.settings.method
    seconds = run.scores["seconds"].get("unlearn")
    page = Report(
        title=title(run.benchmark.forget, run.settings.forget, run.settings.model, method),
        created=now(),
        request=run.settings.request,
        models={
            "base": ModelResult(
                label="before",
                role="base",
                scores=scores_of(right_answers(run, "base")),
                hallucination=checks_of(run, "base"),
                judged=judged_of(run, "base"),
            ),
            method: method_result(run, seconds),
        },
        probes=[probe_info(probe, run.scores["pictures"][probe.name]) for probe in run.benchmark.probes],
        curves={method: curve(run)},
        answers=answers(run.benchmark.probes, run.records),
        inventions=inventions(run.benchmark.probes, run.records, run.settings.lexicon),
        saliency=densities({method: run}),
        settings=run.settings.model_dump(mode="json"),
        environment=environment(),
        command=f"unsee unlearn {run.folder / 'run.yaml'} --out NEW_FOLDER",
        notes=[UNWATCHED] if run.scores.get("watched") == [] else [],
    )
    return illustrated(page, run.benchmark.probes)


def write_report(report: Report, path: Path) -> None:
    """Render the page and write it, atomically."""
    write_text(path, render(report))


def method_result(run: Run, seconds: float | None = None) -> ModelResult:
    """The unlearned model of a run, with the hyper-parameters that it really had."""
    name = run.settings.method
    values = {one.name: one.default for one in hyper_parameters(name)} | run.settings.hyper_parameters
    training = run.settings.model_dump(
        mode="json", include={"learning_rate", "epochs", "max_steps", "batch_size", "parts", "lora", "gate", "seed"}
    )
    training = {key: value for key, value in training.items() if value is not None}
    return ModelResult(
        label=name,
        role="method",
        paper=find(name).paper,
        hyper_parameters={**values, **training, "parts": ", ".join(run.settings.parts)},
        seconds=seconds,
        scores=scores_of(right_answers(run, name)),
        hallucination=checks_of(run, name),
        judged=judged_of(run, name),
        condition=run.scores["condition"].get(name),
    )


def scores_of(scores: Mapping[str, Mapping[str, Any]]) -> dict[str, Score]:
    """Scores as the page holds them, from those of `scores.json`."""
    shown = set(Score.model_fields)
    return {probe: Score(**{k: v for k, v in numbers.items() if k in shown}) for probe, numbers in scores.items()}


def right_answers(run: Run, model: str) -> dict[str, Any]:
    """The scores of a model of a run, without those of captions: what base said once is no right answer."""
    return {name: one for name, one in run.scores["models"][model].items() if name not in judged_of(run, model)}


def judged_of(run: Run, model: str) -> dict[str, Any]:
    """What a model of a run still says of what was judged, by probe."""
    return dict(run.scores["judged"][model])


def checks_of(run: Run, model: str) -> dict[str, Any]:
    """What a model of a run invents, by probe; nothing in runs from before that was checked."""
    return dict(run.scores.get("hallucination", {}).get(model, {}))


def curve(run: Run) -> list[CurvePoint]:
    """The value of each term of the objective, step by step."""
    return [
        CurvePoint(step=point["step"], values={name: value for name, value in point.items() if name != "step"})
        for point in run.scores["curve"]
    ]


def densities(runs: Mapping[str, Run]) -> dict[str, dict[str, Density]]:
    """What the masks let through, of those runs that have one."""
    found = {name: run.scores["saliency"] for name, run in runs.items()}
    return {name: {part: Density(**shares) for part, shares in parts.items()} for name, parts in found.items() if parts}


def probe_info(
    probe: Probe, overlap: Mapping[str, int], chance: float | None = None, label: str = "", description: str = ""
) -> ProbeInfo:
    """What a probe is for, and how many of its pictures were trained on, as `unsee.compared` has it."""
    return ProbeInfo(
        name=probe.name,
        label=label,
        description=description,
        forget=None if probe.role is None else probe.role == "forget",
        trained_on=probe.trained_on,
        pictures=overlap["pictures"],
        pictures_trained_on=overlap["trained_on"],
        chance=chance,
        judged=is_judged(probe.examples),
    )


def answers(probes: Sequence[Probe], records: Records) -> list[Answer]:
    """Every question and what each model said to it; `illustrated` adds photographs."""
    found = []
    for probe in probes:
        captions = is_judged(probe.examples)
        for index, example in enumerate(probe.examples):
            rows = {model: asked[probe.name][index] for model, asked in records.items() if probe.name in asked}
            found.append(
                Answer(
                    probe=probe.name,
                    subject=example.subject,
                    question=example.question,
                    expected=example.answer,
                    said={model: row.said for model, row in rows.items()},
                    correct={} if captions else {model: row.correct for model, row in rows.items()},
                )
            )
    return found


def illustrated(report: Report, probes: Sequence[Probe]) -> Report:
    """A report with the photographs of those answers that its page shows; a run may have thousands of others.

    Args:
        report: whose answers are those of `answers`, in their order.
        probes: that it was asked.
    """
    shown = {
        id(answer) for answer in [*arranged.shown(report), *(one for group in dozen(report) for one in group.answers)]
    }
    asked = [example for probe in probes for example in probe.examples]
    photos: dict[Any, str] = {}
    found = [
        answer.model_copy(update={"photo": _photo(example, photos)}) if id(answer) in shown else answer
        for answer, example in zip(report.answers, asked, strict=True)
    ]
    return report.model_copy(update={"answers": found})


def _photo(example: Example, photos: dict[Any, str]) -> str | None:
    if example.image is None:
        return None
    if example.image not in photos:
        photos[example.image] = photo_data_uri(example.image)
    return photos[example.image]


def environment() -> dict[str, str]:
    """Versions and machine, for the foot of the page."""
    found = {"unsee": __version__, "python": platform.python_version()}
    found |= {name: version(name) for name in LIBRARIES}
    device = torch.accelerator.current_accelerator(check_available=True)
    return {**found, "device": str(device or f"{platform.machine()} CPU")}


def now() -> str:
    """The present minute, UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
