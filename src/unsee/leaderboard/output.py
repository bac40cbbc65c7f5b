"""The files of a leaderboard: CSV for programs, Markdown and a page for people, plots for documents."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from unsee.evaluation.criteria import EQUIVALENCE_MARGIN
from unsee.leaderboard import plots, questions
from unsee.leaderboard.board import Outcome, all_cells
from unsee.leaderboard.figures import figures
from unsee.leaderboard.grids import FACTS
from unsee.leaderboard.plan import BASE, GOLD, Plan
from unsee.leaderboard.results import Results, results
from unsee.system import wording
from unsee.system.files import write_json, write_text

_COLUMNS = ("score", "low", "high", "n", "left_out", "ungated", "mean_answer_probability", "rouge_l_recall")


def write(outcome: Outcome) -> dict[str, Any]:
    """Write everything into the folder of the bench.

    Returns:
        The content of `summary.json`: `rows` in the order of the leaderboard with scores, distance and what they miss,
        `figures`, as `unsee.leaderboard.figures` has them, and `selected`, a configuration for each row.
    """
    out, bench_results = outcome.plan.out, results(outcome)
    summary = summarise(outcome, bench_results)
    drawn = _plots(bench_results, summary)
    write_text(out / "leaderboard.csv", leaderboard_csv(outcome))
    write_text(out / "cells.csv", cells_csv(outcome))
    answers = _answers(outcome, bench_results, summary)
    write_text(out / "leaderboard.md", markdown(outcome, summary, answers, [*drawn]))
    write_text(out / "leaderboard.html", page(outcome, summary, answers, list(drawn.values())))
    for name, plot in drawn.items():
        write_text(out / f"{name}.svg", plots.standalone(plot))
    write_json(out / "summary.json", summary)
    return summary


def summarise(outcome: Outcome, found: Results) -> dict[str, Any]:
    """Every row with its numbers; the nearest to gold comes first, between base and gold as marks."""
    rows = []
    for name in outcome.reported:
        row: dict[str, Any] = {"name": name, "kind": outcome.kinds[name], "configuration": outcome.labels[name]}
        if name in found.rows:
            row["scores"] = {probe: found.score(name, probe).to_dict() for probe in found.probes}
            row["distance"] = {**found.distance(name).to_dict(), "by_chance": found.distance_by_chance(name)}
            row["against_gold"] = {} if name == GOLD else {p: found.standing(name, p) for p in found.probes}
            row["gold"] = "is gold" if name == GOLD else _reached({*row["against_gold"].values()})
        else:
            broken = [cell.scores["failed"] for cell in outcome.reported[name] if cell.scores.get("failed")]
            row |= {"scores": {}, "distance": None, "failed": broken[0]}
        rows.append(row)
    rows.sort(key=lambda row: row["distance"]["value"] if row["distance"] else 9.0)
    selected = {choice.row.name: choice.configuration.to_dict() for choice in outcome.selected}
    numbers = [figure.to_dict() for figure in figures(outcome, found)]
    described = {**outcome.plan.to_dict(), "probes": found.probes, "margin": EQUIVALENCE_MARGIN}
    return {**described, "rows": rows, "figures": numbers, "selected": selected}


def _reached(standings: set[str]) -> str:
    """Whether a row reaches gold, by what is known of each probe."""
    if "differs" in standings:
        return "no"
    if "too few people" in standings:
        return "cannot be shown"
    return "not shown" if "open" in standings else "yes"


def _plots(bench_results: Results, summary: dict[str, Any]) -> dict[str, Markup]:
    order = [row["name"] for row in summary["rows"] if row["scores"]]
    kept = bench_results.kept
    against = [probe for probe in kept if probe in ("retain_vqa", "celebrity_vqa")]
    against = against or [probe for probe in kept if probe.startswith("retain")][:1] or kept[:1]
    drawn = {f"forget-{probe.split('_')[0]}": plots.scatter_plot(bench_results, probe) for probe in against}
    return {**drawn, "probes": plots.interval_plot(bench_results, order)}


# --- CSV


def leaderboard_csv(outcome: Outcome) -> str:
    """Raw scores of what is reported: one line for each row, seed and probe."""
    lines: list[Sequence[Any]] = [("row", "kind", "configuration", "seed", "probe", *_COLUMNS)]
    for name, row_cells in outcome.reported.items():
        for seed, cell in zip(outcome.plan.seeds, row_cells, strict=True):
            head = (name, outcome.kinds[name], outcome.labels[name], seed)
            for probe, numbers in cell.scores["scores"].items():
                lines.append((*head, probe, *(numbers[column] for column in _COLUMNS)))
    return _csv(lines)


def cells_csv(outcome: Outcome) -> str:
    """Every cell with its configuration and its share of right answers on each probe."""
    selected = {choice.row.name: choice.configuration for choice in outcome.selected}
    probes = list(outcome.reported[BASE][0].scores["scores"])
    facts = ("cpu_seconds", "train_seconds", "measure_seconds", "moved", "mask_density", "failed")
    lines: list[Sequence[Any]] = [
        ("role", "seed", "row", "configuration", "selected", *probes, *facts, "settings", "folder")
    ]
    for role, cell in all_cells(outcome):
        values, chosen = cell.scores, cell.configuration
        scores = [values["scores"].get(probe, {}).get("score") for probe in probes]
        lines.append(
            (
                role,
                cell.setting.seed,
                cell.row,
                chosen.label if chosen else "",
                "yes" if chosen is not None and selected.get(cell.row) == chosen else "",
                *scores,
                *(values.get(name) for name in facts),
                json.dumps(chosen.to_dict(), sort_keys=True) if chosen else "",
                cell.folder.relative_to(outcome.plan.out),
            )
        )
    return _csv(lines)


def _csv(lines: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


# --- Markdown


def _answers(outcome: Outcome, bench_results: Results, summary: dict[str, Any]) -> list[str]:
    return [
        *questions.mask_question(bench_results),
        *questions.l1_question(outcome, bench_results),
        *questions.gold_question(bench_results),
        *_paper(summary),
    ]


def _paper(summary: dict[str, Any]) -> list[str]:
    """The numbers of a benchmark's paper that are about all of it, a line for each row; none without a benchmark."""
    of: dict[str, dict[str, float | None]] = {}
    for figure in summary["figures"]:
        if figure["probe"] is None:
            of.setdefault(figure["row"], {})[figure["metric"]] = figure["score"]
    if not of:
        return []
    columns = list(dict.fromkeys(metric for numbers in of.values() for metric in numbers))
    lines = ["### The numbers of the benchmark's paper", "", f"| row | {' | '.join(columns)} |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    for row in (one["name"] for one in summary["rows"] if one["name"] in of):
        cells = ["-" if (value := of[row].get(name)) is None else f"{value:.4g}" for name in columns]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return [
        *lines,
        "",
        "Means over seeds; no interval is defined for them. Those of each probe are in summary.json.",
        "",
    ]


def _lead(outcome: Outcome) -> list[str]:
    plan = outcome.plan
    what, tried, measured = plan.ground.told(plan.development, plan.seeds)
    return [
        f"{what} {len(outcome.selected)} rows tried {len(plan.rows[0].configurations)} configurations each {tried}; "
        f"the one nearest to gold was trained and measured {measured}.",
        "Distance to gold: half the gap on what was to go, in either direction, and half the mean shortfall of the "
        "rest below gold or base, whichever is lower. Selection and order of the rows follow it.",
        _of_text_facts(plan),
    ]


def _of_text_facts(plan: Plan) -> str:
    """What becomes of the preserve rows, which is data as much as it is a mask."""
    if any(row.name.endswith(FACTS) for row in plan.rows):
        return (
            f"Rows marked {FACTS} train on the preserve rows as well (for a visual request, what is told in words), as "
            "further retain rows where the method trains on those; every row is there with and without."
        )
    return (
        "No row trains on what a mask protects beside the retain rows (for a visual request, what is told in words); "
        "--text-facts adds rows that do."
    )


def markdown(outcome: Outcome, summary: dict[str, Any], answers: Sequence[str], plotted: Sequence[str]) -> str:
    """The leaderboard as GitHub shows it."""
    probes = summary["probes"]
    lines = ["# Leaderboard", "", *_spaced(_lead(outcome)), f"    {_command(outcome)}", ""]
    lines += [f"| row | {' | '.join(probes)} | distance | by chance | reaches gold |", "|---" * (len(probes) + 4) + "|"]
    for row in summary["rows"]:
        if row["scores"]:
            cells = [_interval(row["scores"][probe]) for probe in probes]
            cells += [_interval(row["distance"]), f"{row['distance']['by_chance']:.3f}", row["gold"]]
            lines.append(f"| {row['name']} | {' | '.join(cells)} |")
        else:
            lines.append(f"| {row['name']} | " + " | " * (len(probes) + 1) + " | training broke |")
    lines += [
        "",
        f"Shares of right answers with 95 % intervals over people and seeds, {outcome.plan.ground.asked()}.",
        "",
        "Distances add up gaps in either direction, so that chance alone makes them larger than 0. By chance: the mean "
        "distance if the row and gold were alike, lots deciding for each person which of the two gave which answers.",
        "",
    ]
    lines += _spaced(f"![{name}]({name}.svg)" for name in plotted)
    lines += [
        "## Answers",
        "",
        *answers,
    ]
    lines += ["## What was selected", "", "| row | kind | configuration |", "|---|---|---|"]
    lines += [f"| {row['name']} | {row['kind']} | {row['configuration']} |" for row in summary["rows"]]
    return "\n".join([*lines, "", *_limits(outcome)]) + "\n"


def _limits(outcome: Outcome) -> list[str]:
    return [
        "## What the numbers do not show",
        "",
        f"- Scores: the number of seeds is small ({len(outcome.plan.seeds)}): intervals resample seeds and, within "
        "them, people, but a bootstrap over so few seeds is too narrow rather than too wide. They are at least as wide "
        "as people of whom none was met allow.",
        "- Differences: bounds over people and over worlds, whichever is wider, that hold however answers about one "
        "person hang together. They are wide where people are few, and p-values have lots over people alone, as if the "
        "worlds' trainings were alike.",
        *(f"- {limit}" for limit in outcome.plan.ground.limits()),
        "",
    ]


def _spaced(lines: Iterable[str]) -> list[str]:
    return [part for line in lines for part in (line, "")]


def _interval(estimate: dict[str, float]) -> str:
    return f"{estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"


def _command(outcome: Outcome) -> str:
    plan = outcome.plan
    options = {
        "methods": ",".join(row.name for row in plan.rows if not row.name.endswith(FACTS)),
        "seeds": ",".join(map(str, plan.seeds)),
        "development-seeds": ",".join(map(str, plan.development)),
        "budget": str(len(plan.rows[0].configurations)),
    }
    flags = " ".join(f"--{name} {value}" for name, value in options.items())
    twice = ["--text-facts"] if any(row.name.endswith(FACTS) for row in plan.rows) else []
    return " ".join(["unsee bench --out DIR", flags, *twice, *plan.ground.command()])


# --- the page


@dataclass(frozen=True)
class _Block:
    """A heading, a paragraph or a table."""

    kind: str
    text: str = ""
    rows: list[list[str]] = field(default_factory=list)


def page(outcome: Outcome, summary: dict[str, Any], answers: Sequence[str], drawn: Sequence[Markup]) -> str:
    """The leaderboard as one HTML file that opens without a server or a network."""
    environment = Environment(
        autoescape=True, finalize=wording.visible, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"percent": wording.percent, "plain": wording.plain}
    template = environment.from_string(files("unsee.leaderboard").joinpath("leaderboard.html.j2").read_text("utf-8"))
    return template.render(
        title=f"{len(outcome.selected)} ways to make a model forget, compared",
        asked=outcome.plan.ground.asked(),
        lead=_lead(outcome),
        probes=summary["probes"],
        rows=summary["rows"],
        plots=drawn,
        answers=blocks(answers),
        command=_command(outcome),
        css=Markup(plots.css()),
    )


def blocks(lines: Iterable[str]) -> list[_Block]:
    """Our own Markdown (headings, lines, tables) as blocks that the page can escape."""
    page_blocks: list[_Block] = []
    for line in lines:
        if line.startswith("|---"):
            continue
        if line.startswith("|"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if page_blocks and page_blocks[-1].kind == "table":
                page_blocks[-1].rows.append(cells)
            else:
                page_blocks.append(_Block("table", rows=[cells]))
        elif line:
            heading = line.startswith("#")
            page_blocks.append(_Block("heading" if heading else "text", line.lstrip("#- ")))
        elif page_blocks and page_blocks[-1].kind == "table":
            page_blocks.append(_Block("space"))
    return [block for block in page_blocks if block.kind != "space"]
