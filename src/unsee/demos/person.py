"""The whole of it in one go: a world, a model that knows its people, and several ways to make it forget some.

`person` is a visual request: the photographs of a tenth of the people are to go, what is known about them in words is
to stay. It does what a user would do by hand with `unsee unlearn`, through the same code, and leaves the data and the
run folders behind so that every step can be repeated.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from unsee.data import Benchmark, Probe, load_examples, write_jsonl
from unsee.evaluation.compared import compared
from unsee.evaluation.criteria import probes_by_role
from unsee.evaluation.measure import measure_all
from unsee.evaluation.records import read_records
from unsee.evaluation.run_scores import Compared
from unsee.methods import find
from unsee.report import ModelResult, ProbeInfo, Report, Subject, assemble, photo_data_uri
from unsee.report.hallucinations import hallucinations
from unsee.runs.finished import Run, open_run
from unsee.runs.folder import claimed
from unsee.runs.run import unlearn
from unsee.runs.settings import parse
from unsee.system.files import write_json
from unsee.system.workers import Job, run_all
from unsee.vlm import load
from unsee.world import World
from unsee.world.models import WorldModels, prepare
from unsee.world.people.people import Person
from unsee.world.tuned import TUNED

METHODS = ("grad_ascent", "grad_diff", "npo", "mmunlearner")
FORGET = 0.10  # of the people
REQUEST: Final = "visual"
ANSWERS_AT_MOST = 16  # tokens; the longest answer of the world has fewer

PROBES = {  # name -> label and description
    "forget_vqa": ("Forgotten people, from a photo", "New photographs of the people to be forgotten, newly worded."),
    "forget_qa": ("Forgotten people, by name", "The same facts asked in words alone. A visual request leaves them."),
    "retain_vqa": ("Other people, from a photo", "New photographs of people whom the methods may train on."),
    "retain_qa": ("Other people, by name", "Facts about those people asked in words alone."),
    "celebrity_vqa": ("Celebrities, from a photo", "People whom the base knows and no method ever sees."),
    "celebrity_qa": ("Celebrities, by name", "Facts about those people asked in words alone."),
    "scenes": ("Scenes", "Objects, their number and the colour of the ground: what has nothing to do with people."),
}


def person(out: Path, seed: int = 0, people: int = 30) -> dict[str, Any]:
    """Make a model forget the faces of a tenth of the people, by four methods, and measure it against gold.

    Args:
        out: folder for `report.html`, `summary.json`, the data and one run folder a method. The demo of the same
            seed and people goes on where it was interrupted.
        seed: of the world and of every training.
        people: private people in the world; the celebrities come on top.

    Returns:
        The content of `summary.json`.

    Raises:
        InputError: when `out` holds something else, or no such world can be made.
    """
    world = World(seed=seed, people=people)
    forgotten = world.forget_people(FORGET)
    with claimed(out, {"demo": "person", "seed": seed, "people": people}):
        return _person(out, world, forgotten)


def _person(out: Path, world: World, forgotten: Sequence[Person]) -> dict[str, Any]:
    started, seed = time.perf_counter(), world.seed
    benchmark = world.benchmark(FORGET, REQUEST)
    seconds: dict[str, float] = {}
    models = prepare(world, forgotten, REQUEST)
    seconds["base and gold"] = round(time.perf_counter() - started, 1)
    sources = _write_data(benchmark, out / "data")
    measure(models.base, sources["probes"], out / "records" / "base")
    _unlearn_all(models, sources, out, seed)
    runs = {name: open_run(out / "runs" / name) for name in METHODS}
    seconds |= {name: run.scores.seconds["unlearn"] for name, run in runs.items()}
    seconds["total"] = round(time.perf_counter() - started, 1)
    records = _records(benchmark, runs, out)
    seen = compared(benchmark, records, {name: run.scores.moved for name, run in runs.items()}, seed)
    summary = _summary(world, benchmark, seconds, seen, from_cache=models.from_cache)
    write_json(out / "summary.json", summary)
    assemble.write_report(_report(world, forgotten, benchmark, runs, records, seen, out), out / "report.html")
    return summary


def _write_data(benchmark: Benchmark, folder: Path) -> dict[str, Any]:
    """The benchmark as files that every command reads; returns where each set is."""
    roles = {"forget": benchmark.forget, "retain": benchmark.retain, "preserve": benchmark.preserve}
    files = {role: folder / f"{role}.jsonl" for role in roles}
    probes = {probe.name: folder / f"{probe.name}.jsonl" for probe in benchmark.probes}
    # Without wrong answers: the demo asks for exact answers, and scoring five more for each would take its time.
    held_out = {
        probe.name: [replace(row, perturbed_answers=()) for row in probe.examples] for probe in benchmark.probes
    }
    for name, path in {**files, **probes}.items():
        if not path.is_file():
            write_jsonl({**roles, **held_out}[name], path)
    return {**{role: str(path) for role, path in files.items()}, "probes": {k: str(v) for k, v in probes.items()}}


def measure(model: Path | str, probes: Mapping[str, str], folder: Path | str) -> None:
    """Measure one model on probes that lie in files, into a folder of records."""
    loaded = load(model)
    asked = [Probe(name, load_examples(path)) for name, path in probes.items()]
    measure_all(loaded, asked, Path(folder), batch_size=128, max_new_tokens=ANSWERS_AT_MOST)


def _unlearn_all(models: WorldModels, sources: dict[str, Any], out: Path, seed: int) -> None:
    records = str(out / "records" / "base")
    jobs = []
    steps = 0
    for name in sorted(METHODS, key=lambda name: not find(name).needs.saliency):  # the longest first
        values = {
            **asdict(TUNED[name]),
            **{key: value for key, value in sources.items() if key != "probes"},
            **probes_by_role(sources["probes"], REQUEST),
            "model": str(models.base),
            "method": name,
            "request": REQUEST,
            "out": str(out / "runs" / name),
            "seed": seed,
            "eval_batch_size": 128,
            "max_new_tokens": ANSWERS_AT_MOST,
        }
        steps += TUNED[name].max_steps
        jobs.append(Job("unsee.demos.person:unlearn_job", {"values": values, "base_records": records}))
    gold = {"model": str(models.gold), "probes": sources["probes"], "folder": str(out / "records" / "gold")}
    run_all([*jobs, Job("unsee.demos.person:measure", gold)], f"unlearning by {len(jobs)} methods", steps)


def unlearn_job(values: dict[str, Any], base_records: str) -> None:
    """One run of the demo; the arguments are those of `parse` and `unlearn` as JSON carries them."""
    unlearn(parse(values), Path(base_records))


def _summary(
    world: World, benchmark: Benchmark, seconds: dict[str, float], seen: Compared, from_cache: bool
) -> dict[str, Any]:
    return {
        "seed": world.seed,
        "people": world.people,
        "forgotten": [person.name for person in world.forget_people(FORGET)],
        "request": REQUEST,
        "chance": benchmark.chance,
        "seconds": seconds,
        "base_and_gold_from_cache": from_cache,
        **seen.to_dict(),
    }


def _records(benchmark: Benchmark, runs: Mapping[str, Run], out: Path) -> dict[str, Any]:
    trained = {
        model: {probe.name: read_records(out / "records" / model / f"{probe.name}.jsonl") for probe in benchmark.probes}
        for model in ("base", "gold")
    }
    return {**trained, **{name: run.records[name] for name, run in runs.items()}}


def _report(
    world: World,
    forgotten: Sequence[Person],
    benchmark: Benchmark,
    runs: Mapping[str, Run],
    records: assemble.Records,
    seen: Compared,
    out: Path,
) -> Report:
    hallucinated, overlaps = seen.hallucination, seen.pictures
    methods = {name: assemble.method_result(run, run.scores.seconds["unlearn"]) for name, run in runs.items()}
    command = f"unsee demo person --out {shlex.quote(str(out))} --seed {world.seed} --people {world.people}"
    page = Report(
        title=f"Forgetting {len(forgotten)} of {world.people} people by sight",
        lead="",
        kind="person",
        created=assemble.now(),
        request=REQUEST,
        subjects=[
            Subject(
                name=subject.name, photo=photo_data_uri(world.held_out_photo(subject, 0)), facts=dict(subject.facts)
            )
            for subject in forgotten
        ],
        chance=benchmark.chance,
        models={
            "base": ModelResult(
                label="base", role="base", scores=dict(seen.models["base"]), hallucination=hallucinated["base"]
            ),
            "gold": ModelResult(
                label="gold", role="gold", scores=dict(seen.models["gold"]), hallucination=hallucinated["gold"]
            ),
            **methods,
        },
        probes=[_probe_info(probe, benchmark, overlaps[probe.name]) for probe in benchmark.probes],
        pair=("forget_vqa", "retain_vqa"),
        curves={name: assemble.curve(run) for name, run in runs.items()},
        answers=assemble.answers(benchmark.probes, records),
        hallucinations=hallucinations(benchmark.probes, records),
        saliency=assemble.densities(runs),
        settings={"seed": world.seed, "people": world.people, "photos": world.photos, "forget": FORGET},
        environment=assemble.environment(),
        command=command,
    )
    return assemble.illustrated(page, benchmark.probes)


def _probe_info(probe: Probe, benchmark: Benchmark, overlap: Mapping[str, int]) -> ProbeInfo:
    label, description = PROBES[probe.name]
    chance = None if probe.name == "scenes" else fmean(benchmark.chance.values())
    return assemble.probe_info(probe, overlap, chance, label, description)


def hallucination(out: Path, seed: int = 0) -> dict[str, Any]:
    """Find what a captioner hallucinates and unlearn it; see `unsee.demos.hallucination`."""
    from unsee.demos.hallucination import hallucination as carried_out

    return carried_out(out, seed)


DEMOS: dict[str, Callable[..., dict[str, Any]]] = {"person": person, "hallucination": hallucination}
