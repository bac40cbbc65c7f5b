"""The best methods of the leaderboard on the world in the layout of CLEAR: base, gold and five methods, one table.

    python experiments/clear_layout.py --out clear-layout --markdown docs/clear_layout.md

It goes the way that anyone's benchmark goes: the world is exported, base and gold are trained on the export, the loader
of CLEAR writes forget, retain, preserve and probes as files, runs read those, and CLEAR's numbers are made from their
records. Every stage leaves files behind and is passed over where they are there. About half an hour of two cores at 200
people, most of it base and gold.

With `--stop` every method runs once more: until development rows show what is asked for, at a rate that a range test
finds, with the defaults of both and the leaderboard's hyper-parameters, and with the preserve rows among the retain
rows.

Nothing is tuned here: which methods and which configurations is read from the leaderboard's own CSV files. Each runs
for as many steps as there, and for a multiple: where 20 people are to go instead of 4, five times the steps are as many
for each.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from unsee.benchmarks import load_benchmark
from unsee.benchmarks.clear.score import AMONG_OPTIONS, SPLITS, TEXTUAL, ClearScores, score_clear
from unsee.benchmarks.files import SETTINGS, write_benchmark
from unsee.data.example import Probe
from unsee.data.load import load_examples
from unsee.evaluation.criteria import FORGET_PROBES
from unsee.evaluation.measure import measure_all
from unsee.evaluation.records import Record, read_records
from unsee.leaderboard.grids import VARIANTS, Configuration, configuration
from unsee.leaderboard.select import distance as distance_on_leaderboard
from unsee.metrics.bootstrap import Score, bootstrap_mean
from unsee.runs.settings import read_yaml
from unsee.system.files import read_json, write_json, write_text
from unsee.system.workers import Job, run_all
from unsee.vlm import load
from unsee.world import World
from unsee.world.layouts.export import export
from unsee.world.layouts.exported import PASSES, prepare_exported

Records = Mapping[str, Sequence[Record]]

BASE, GOLD = "base", "gold"
TARGETS = SPLITS["forget"]  # what a visual request wants gone
PROBES: tuple[str, ...] = (
    "forget_caption_vqa",
    "forget_name_vqa",
    "forget_qa",
    "retain_caption_vqa",
    "retain_name_vqa",
    "retain_qa",
)
PROBES += ("real_faces", "real_world")
EVAL_BATCH, ANSWERS_AT_MOST = 64, 64  # rows, tokens
STAGES = ("unlearn", "measure")
THERE = 4  # people to be forgotten in each world of the leaderboard
KNOWN = 0.95  # a base that knows less of a probe is said to


@dataclass(frozen=True)
class Chosen:
    """A line of the leaderboard that is run again."""

    row: str
    method: str
    distance: float  # on the leaderboard
    configuration: Configuration
    stops: bool = False  # when it is done, at a rate of its own, whatever the configuration says of steps and rate

    @property
    def name(self) -> str:
        """The row and how long it is trained."""
        return f"{self.row}, stop" if self.stops else f"{self.row}, {self.configuration.max_steps} steps"

    @property
    def folder(self) -> str:
        """Of its run."""
        return self.name.replace(", ", "-").replace(" ", "-")

    @property
    def hyper_parameters(self) -> dict[str, Any]:
        """Of its method. What stops needs no ceiling: on captions a loss meets it before the name is forgotten."""
        values = dict(self.configuration.hyper_parameters)
        return {name: value for name, value in values.items() if not (self.stops and name == "ceiling")}

    @property
    def values(self) -> dict[str, Any]:
        """How long it is trained, and how fast, as settings of a run."""
        if self.stops:
            return {"stop": {}, "find_rate": True, "retain_preserved": True}
        return {"learning_rate": self.configuration.learning_rate, "max_steps": self.configuration.max_steps}

    def longer(self, times: int) -> Chosen:
        """The same with so many times the steps."""
        chosen = self.configuration
        return replace(self, configuration=replace(chosen, max_steps=times * chosen.max_steps))


@dataclass(frozen=True)
class Found:
    """One model, measured."""

    name: str
    label: str  # its configuration
    right: dict[str, Score]  # by probe
    tokens: dict[str, float]  # of an expected answer, by probe
    clear: ClearScores
    seconds: dict[str, float]


def main() -> None:
    """Do what is missing, and write the page and its CSV files if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("clear-layout"))
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--split", default="forget10")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--methods", type=int, default=5, help="how many of the leaderboard's best")
    parser.add_argument("--times", type=int, nargs="*", default=[1, 5], help="multiples of the leaderboard's steps")
    parser.add_argument("--stop", nargs="*", metavar="ROW", help="rows that run until they are done, too; all if none")
    parser.add_argument("--probe-rows", type=int, help="measure at most so many rows per probe")
    parser.add_argument("--leaderboard", type=Path, default=Path(__file__).parents[1] / "docs" / "leaderboard")
    parser.add_argument("--markdown", type=Path, help="where the page goes; CSV files go into a folder beside it")
    options = parser.parse_args()
    best = best_methods(options.leaderboard, options.methods)
    runs = [one.longer(times) for times in options.times for one in best]
    if options.stop is not None:
        runs += [replace(one, stops=True) for one in best if not options.stop or one.row in options.stop]
    data, models = prepared(options.out, options.people, options.seed, options.split, options.probe_rows)
    unlearn_all(options.out, runs, data, models, options.seed)
    found = read_all(options.out, runs)
    page = markdown(found, runs, read_json(options.out / "sizes.json"), options)
    print(page)
    if options.markdown:
        write_text(options.markdown, page)
        folder = options.markdown.with_suffix("")
        write_text(folder / "probes.csv", as_csv(probe_lines(found)))
        write_text(folder / "clear.csv", as_csv(clear_lines(found)))


def best_methods(leaderboard: Path, count: int) -> list[Chosen]:
    """The methods nearest to gold on the leaderboard, each in the row in which it comes nearest."""
    selected = {
        cell["row"]: json.loads(cell["settings"])
        for cell in read_csv(leaderboard / "cells.csv")
        if cell["role"] == "reporting" and cell["selected"] == "yes"
    }
    scores: dict[str, dict[str, dict[str, float]]] = {}  # row -> seed -> probe
    kinds = {}
    for line in read_csv(leaderboard / "leaderboard.csv"):
        scores.setdefault(line["row"], {}).setdefault(line["seed"], {})[line["probe"]] = float(line["score"])
        kinds[line["row"]] = line["kind"]
    base, gold = scores[BASE], scores[GOLD]
    targets = FORGET_PROBES["visual"]
    ranked = sorted(
        (fmean(distance_on_leaderboard(one, base[seed], gold[seed], targets) for seed, one in seeds.items()), row)
        for row, seeds in scores.items()
        if kinds[row] != "control"
    )
    best: dict[str, Chosen] = {}
    for far, row in ranked:
        method = VARIANTS[row].method if row in VARIANTS else row
        best.setdefault(method, Chosen(row, method, far, configuration(selected[row])))
    return list(best.values())[:count]


def prepared(out: Path, people: int, seed: int, split: str, probe_rows: int | None) -> tuple[Path, dict[str, str]]:
    """Export the world, train base and gold, write the sets as files, and measure base and gold.

    Returns:
        The settings file that names the sets, and the folders of base and gold.
    """
    world = World(seed=seed, people=people)
    folder, data, places = out / "clear", out / "data", out / "models.json"
    if not folder.is_dir():
        export(world, "clear", folder)
    if not places.is_file():
        models = prepare_exported(folder, split)
        write_json(places, {BASE: str(models.base), GOLD: str(models.gold)})
    if not data.is_dir():
        loaded = load_benchmark(folder, "clear", split=split, probe_rows=probe_rows)
        write_benchmark(loaded, data)
        sets = {name: len(getattr(loaded, name)) for name in ("forget", "retain", "preserve")}
        probes = {probe.name: len(probe) for probe in loaded.probes}
        repeated = [probe.name for probe in loaded.probes if probe.trained_on]
        forgotten = len({row.subject for row in loaded.forget})
        write_json(out / "sizes.json", {**sets, "forgotten": forgotten, "probes": probes, "trained_on": repeated})
    found: dict[str, str] = read_json(places)
    for name, place in found.items():
        values = read_yaml(data / SETTINGS)
        asked = {**values["forget_probes"], **values["keep_probes"]}
        if any(not (out / "records" / name / f"{probe}.jsonl").is_file() for probe in asked):
            probes_asked = [Probe(probe, load_examples(path)) for probe, path in asked.items()]
            measure_all(load(place), probes_asked, out / "records" / name, EVAL_BATCH, ANSWERS_AT_MOST)
    return data / SETTINGS, found


def unlearn_all(out: Path, runs: Sequence[Chosen], data: Path, models: Mapping[str, str], seed: int) -> None:
    """The runs that are not finished, one folder each."""
    jobs, missing = [], 0
    for one in runs:
        chosen, folder = one.configuration, out / "runs" / one.folder
        if (folder / "scores.json").is_file():
            continue
        values = {
            **read_yaml(data),
            **chosen.extra,
            "model": models[BASE],
            "method": one.method,
            "hyper_parameters": one.hyper_parameters,
            "parts": list(chosen.parts),
            "lora": {"rank": chosen.lora, "alpha": chosen.lora} if chosen.lora else None,
            **one.values,
            "batch_size": chosen.batch_size,
            "saliency_batch_size": chosen.batch_size,
            "eval_batch_size": EVAL_BATCH,
            "max_new_tokens": ANSWERS_AT_MOST,
            "seed": seed,
            "out": str(folder),
        }
        missing += 0 if one.stops else chosen.max_steps
        jobs.append(
            Job("unsee.demos.person:unlearn_job", {"values": values, "base_records": str(out / "records" / BASE)})
        )
    if jobs:
        run_all(jobs, f"{len(jobs)} runs", missing)


# --- numbers


def read_all(out: Path, runs: Sequence[Chosen]) -> list[Found]:
    """Base, gold and the methods in the order of the leaderboard."""
    gold = read_folder(out / "records" / GOLD)
    found = [
        measured(BASE, "nothing done", read_folder(out / "records" / BASE), gold, {}),
        measured(GOLD, "trained without the photographs of the forgotten", gold, gold, {}),
    ]
    for one in runs:
        folder = out / "runs" / one.folder
        seconds = read_json(folder / "scores.json")["seconds"]
        records = read_folder(folder / "records" / one.method)
        found.append(measured(one.name, label_of(one, folder), records, gold, seconds))
    return found


def label_of(one: Chosen, folder: Path) -> str:
    """The configuration of a run; of one that stops by itself, the rate and the step that it came to."""
    if not one.stops:
        return one.configuration.label
    scores = read_json(folder / "scores.json")
    ended = scores["ended"]
    hyper = ", ".join(f"{name} {value:g}" for name, value in one.hyper_parameters.items())
    found = f"found lr {scores['rate']['rate']:g}, step {ended['kept']} of {ended['step']} ({ended['why']})"
    return f"{found}, {hyper}" if hyper else found


def read_folder(folder: Path) -> Records:
    """Records by probe."""
    return {probe: read_records(folder / f"{probe}.jsonl") for probe in PROBES}


def measured(name: str, label: str, records: Records, gold: Records, seconds: dict[str, float]) -> Found:
    """Everything that the records of one model say."""
    rows, golden = ({probe: [one.row() for one in some] for probe, some in each.items()} for each in (records, gold))
    right = {
        probe: bootstrap_mean([is_right(one) for one in some], [one.subject for one in some])
        for probe, some in records.items()
    }
    tokens = {probe: fmean(one.tokens for one in some) for probe, some in records.items()}
    return Found(name, label, right, tokens, score_clear(rows, golden), seconds)


def is_right(record: Record) -> float:
    """Whether an answer is the expected one; a caption, whether it names who is to be seen."""
    if record.fact == "caption":
        return float(record.subject is not None and record.subject in record.said)
    return float(record.correct)


def distance(one: Found, base: Found, gold: Found) -> float:
    """The leaderboard's distance to gold, over these probes: what is missed of forgetting, and what else is lost."""
    gaps = [abs(one.right[probe].score - gold.right[probe].score) for probe in TARGETS]
    losses = [
        max(0.0, min(gold.right[probe].score, base.right[probe].score) - one.right[probe].score)
        for probe in PROBES
        if probe not in TARGETS
    ]
    return 0.5 * fmean(gaps) + 0.5 * fmean(losses)


# --- files


def read_csv(path: Path) -> list[dict[str, str]]:
    """The lines of a CSV file by the names of its columns."""
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))


def as_csv(lines: Sequence[Sequence[Any]]) -> str:
    """Lines as the text of a CSV file."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


def probe_lines(found: Sequence[Found]) -> list[Sequence[Any]]:
    """One line per model and probe."""
    lines: list[Sequence[Any]] = [
        ("row", "configuration", "probe", "right", "low", "high", "n", "rouge_l_recall", "probability", "truth_ratio")
    ]
    for one in found:
        for probe in PROBES:
            score, task = one.right[probe], one.clear.per_task[probe]
            numbers = (score.score, score.low, score.high, score.n, task.rouge, task.probability, task.truth_ratio)
            lines.append((one.name, one.label, probe, *numbers))
    return lines


def clear_lines(found: Sequence[Found]) -> list[Sequence[Any]]:
    """One line per model with CLEAR's aggregates."""
    names = [f"{split}{suffix}" for suffix in ("", "_without_rouge") for split in SPLITS]
    lines: list[Sequence[Any]] = [
        ("row", *names, "ks_statistic", "log_p", "js", "js_clear_v4", "distance", *(f"seconds_{s}" for s in STAGES))
    ]
    for one in found:
        assert one.clear.forget_quality is not None
        quality, test = one.clear.forget_quality, one.clear.forget_quality.kolmogorov_smirnov
        similar = (test.statistic, test.log_p_value, quality.js, quality.js_clear_v4)
        splits = [each[split] for each in (one.clear.splits, one.clear.splits_without_rouge) for split in SPLITS]
        far = distance(one, found[0], found[1])
        spent = [one.seconds.get(stage, "") for stage in STAGES]
        lines.append((one.name, *splits, *similar, far, *spent))
    return lines


# --- the page


def markdown(found: Sequence[Found], runs: Sequence[Chosen], sizes: dict[str, Any], options: Any) -> str:
    """Everything as GitHub shows it."""
    base, gold = found[:2]
    parts = [
        ["# The leaderboard's best on the layout of CLEAR"],
        _lead(runs, sizes, options),
        ["## Right answers", _right_table(found)],
        _reading(base, sizes),
        ["## CLEAR's numbers", _clear_table(found), CLEAR_NOTE],
        ["### Captions, in CLEAR's three numbers", _task_table(found, SPLITS["forget"][:1] + SPLITS["retain"][:1])],
        ["### Names", _task_table(found, SPLITS["forget"][1:] + SPLITS["retain"][1:])],
        ["### Real faces, real world and questions in words", _task_table(found, (*SPLITS["real"], *TEXTUAL))],
        ["## What was run", _run_table(found, runs, base, gold)],
        ["## What the numbers do not show", LIMITS],
    ]
    return "\n\n".join(block for part in parts for block in part) + "\n"


CLEAR_NOTE = (
    "Real, Retain and Forget are harmonic means of ROUGE-L recall, probability and truth ratio over captions and names "
    "(faces and world for Real), as the paper defines them, and without ROUGE, as its repository and most of its "
    "tables have them. Higher is better for Real and Retain, and gold is the mark for Forget. Forget quality compares "
    "the truth ratios of the forget captions with gold's: the natural logarithm of the Kolmogorov-Smirnov p, and 1 "
    "minus the Jensen-Shannon distance. It ranks nothing alone: a destroyed model's ratios may lie close to gold's."
)
LIMITS = """\
- One world, one seed, one training a row. Intervals resample people, and say nothing about another training.
- Configurations come from worlds of 40 people with other questions; another one may be the best here.
- Models begin with random weights and are tiny: nothing here says how a method fares on a published checkpoint."""


def _lead(runs: Sequence[Chosen], sizes: dict[str, Any], options: Any) -> list[str]:
    more = f" --probe-rows {options.probe_rows}" if options.probe_rows else ""
    rows = sizes["forget"]
    best = list({one.row: one for one in runs}.values())
    ranking = ", ".join(f"{one.row} ({one.distance:.3f})" for one in best)
    by_steps = [one.configuration for one in runs if not one.stops]
    trained = list(dict.fromkeys((chosen.max_steps, chosen.batch_size) for chosen in by_steps))
    passes = " and ".join(
        f"{steps} ({steps * batch / rows:.1f} passes over the forget set)" for steps, batch in trained
    )
    multiples = (
        f"Steps are the leaderboard's times {' and '.join(map(str, options.times))}: {passes}. There {THERE} people "
        f"were to go, so that {sizes['forgotten'] / THERE:g} times the steps are as many for each."
    )
    stopping = (
        "Rows with “stop” run until development rows show what is asked for, at a rate of their own, without a ceiling "
        "and with the preserve rows among the retain rows; how long and how fast is in the last table."
    )
    told = [multiples] * bool(by_steps) + [stopping] * (options.stop is not None)
    stop = "" if options.stop is None else f" --stop {' '.join(options.stop)}".rstrip()
    return [
        f"{options.people} people, exported in the layout of CLEAR. {sizes['forgotten']} of them are to be forgotten "
        f"by sight ({options.split}): {rows} photographs with captions are the forget set, {sizes['retain']} the "
        f"retain set. What is known in words about everybody is to stay; {sizes['preserve']} such questions are the "
        "preserve set, which masks protect. Both modalities are measured.",
        f"The {len(best)} methods that come nearest to gold on the [leaderboard](leaderboard.md), each in the row in "
        f"which it does, with the configuration that was selected there: {ranking}. Nothing was tuned on this world. "
        f"{' '.join(told)}",
        f"    python experiments/clear_layout.py --out DIR --people {options.people} --split {options.split} "
        f"--seed {options.seed} --methods {options.methods} --times {' '.join(map(str, options.times))}{stop}{more}",
    ]


def _reading(base: Found, sizes: dict[str, Any]) -> list[str]:
    asked = ", ".join(f"{probe} {count}" for probe, count in sizes["probes"].items())
    less = [f"{probe} ({base.right[probe].score:.3f})" for probe in PROBES if base.right[probe].score < KNOWN]
    known = f"The base is right less often than {KNOWN} on {', '.join(less)}." if less else ""
    return [
        "Shares of right answers with 95 % intervals over people. A caption counts as right where it names who is to "
        "be seen, since clothes and walls can be described without knowing anybody. Distance is the leaderboard's, "
        "over these probes: half the mean gap to gold on forget_caption_vqa and forget_name_vqa, in either direction, "
        "and half the mean shortfall of the rest below gold or base, whichever is lower.",
        f"Rows: {asked}. As in CLEAR, these repeat training rows: {', '.join(sizes['trained_on']) or 'none'}. {known}",
        f"An expected caption has {base.tokens[TARGETS[0]]:.0f} tokens here and a name {base.tokens[TARGETS[1]]:.0f}, "
        "the end of turn with them. A loss on captions can therefore become as large as a method lets it without "
        "touching the name: by what is worn, or by which of five facts a caption ends with. The share of captions that "
        "still name their person, and how probable captions are (further below), tell the two apart.",
    ]


def _right_table(found: Sequence[Found]) -> str:
    rows = [
        [one.name, *(_interval(one.right[probe]) for probe in PROBES), f"{distance(one, found[0], found[1]):.3f}"]
        for one in found
    ]
    return _table(["row", *PROBES, "distance"], rows)


def _clear_table(found: Sequence[Found]) -> str:
    head = ["row", *(f"{split.title()}" for split in SPLITS), *(f"{split.title()}, no ROUGE" for split in SPLITS)]
    rows = []
    for one in found:
        quality = one.clear.forget_quality
        assert quality is not None
        numbers = [each[split] for each in (one.clear.splits, one.clear.splits_without_rouge) for split in SPLITS]
        numbers += [quality.kolmogorov_smirnov.log_p_value, quality.js]
        rows.append([one.name, *(f"{number:.3f}" for number in numbers)])
    return _table([*head, "log p (KS)", "1 - JS"], rows)


def _task_table(found: Sequence[Found], probes: Sequence[str]) -> str:
    head = ["row"]
    for probe in probes:
        probability = "probability among options" if probe in AMONG_OPTIONS else "probability"
        head += [f"{probe} ROUGE", f"{probe} {probability}"] + ([] if probe in TEXTUAL else [f"{probe} truth ratio"])
    rows = []
    for one in found:
        numbers = []
        for probe in probes:
            task = one.clear.per_task[probe]
            numbers += [task.rouge, task.probability] + ([] if probe in TEXTUAL else [task.truth_ratio])
        rows.append([one.name, *(f"{number:.3f}" for number in numbers)])
    return _table(head, rows)


def _run_table(found: Sequence[Found], runs: Sequence[Chosen], base: Found, gold: Found) -> str:
    there = {one.name: f"{one.distance:.3f}" for one in runs}
    head = ["row", "configuration", "distance on the leaderboard", "distance here", "s of unlearning", "s of measuring"]
    rows = [
        [
            one.name,
            one.label,
            there.get(one.name, ""),
            f"{distance(one, base, gold):.3f}",
            *(f"{one.seconds[stage]:.0f}" if stage in one.seconds else "" for stage in STAGES),
        ]
        for one in found
    ]
    note = (
        f"Base and gold were trained for as many steps as {PASSES} passes over the rows of the base take. Seconds are "
        "of the wall clock, on two cores that other work shared."
    )
    return f"{_table(head, rows)}\n\n{note}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


def _interval(score: Score) -> str:
    return f"{score.score:.3f} [{score.low:.3f}, {score.high:.3f}]"


if __name__ == "__main__":
    main()
