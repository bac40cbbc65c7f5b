"""Answers in words, made from the numbers alone."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from unsee.evaluation.criteria import COLLAPSED, EQUIVALENCE_MARGIN
from unsee.leaderboard.board import Outcome
from unsee.leaderboard.bounds import people_needed
from unsee.leaderboard.grids import VARIANTS
from unsee.leaderboard.plan import BASE, GOLD
from unsee.leaderboard.results import Comparison, Results
from unsee.leaderboard.statistics import Estimate


def signed(one: Estimate) -> str:
    """A difference with its interval."""
    return f"{one.value:+.3f} [{one.low:+.3f}, {one.high:+.3f}]"


def p_text(p: float) -> str:
    """A p-value as it is usually written."""
    return "p below 0.001" if p < 0.001 else f"p = {p:.3f}"


def mask_question(found: Results) -> list[str]:
    """Does MMUnlearner's mask beat tuned GradDiff and NPO on what is to go by sight, with text preserved?"""
    rivals = [name for name in ("grad_diff", "npo") if name in found.rows]
    if "mmunlearner" not in found.rows or not rivals or "forget_vqa" not in found.targets:
        return []
    asked = [p for p in ("forget_vqa", "forget_qa", "retain_vqa", "celebrity_vqa", "scenes") if p in found.probes]
    compared = found.compare([("mmunlearner", rival) for rival in rivals], asked)
    lines = ["### Does MMUnlearner's mask beat tuned GradDiff and NPO on visual forgetting with text preserved?", ""]
    for rival in rivals:
        of_rival = {comparison.probe: comparison for comparison in compared if comparison.rival == rival}
        lines.append(f"- Against {rival}: {_mask_verdict(found, of_rival, rival)}")
    return [*lines, "", *comparison_table(compared), "", _HOLM.format(count=len(compared)), ""]


def _mask_verdict(bench_results: Results, of_rival: dict[str, Comparison], rival: str) -> str:
    sight, words = of_rival["forget_vqa"], of_rival.get("forget_qa")
    gaps = [
        abs(bench_results.score(name, "forget_vqa").value - bench_results.score(GOLD, "forget_vqa").value)
        for name in ("mmunlearner", rival)
    ]
    if not sight.significant:
        outcome = "no difference on forget_vqa can be shown"
    else:
        outcome = f"{'yes, it is' if gaps[0] < gaps[1] else 'no, it is not'} nearer to gold on forget_vqa"
    outcome += f" ({signed(sight.difference)}, {p_text(sight.p)}; gaps to gold {gaps[0]:.3f} and {gaps[1]:.3f})."
    if words is None:
        return outcome
    text = _KEPT[bench_results.standing("mmunlearner", "forget_qa")].format(people=bench_results.people("forget_qa"))
    return (
        f"{outcome} That text is preserved within {EQUIVALENCE_MARGIN:g} of gold {text}; against {rival} its forget_qa "
        f"differs by {signed(words.difference)} ({p_text(words.p)})."
    )


_KEPT = {
    "shown": "is shown",
    "differs": "is refuted",
    "open": "is not shown",
    "too few people": "cannot be shown with {people} people",
}


_HOLM = (
    "Row minus rival, with 95 % intervals over people and worlds; p-values by lots over people, adjusted for all "
    "{count} comparisons of the table (Holm)."
)


def comparison_table(compared: Sequence[Comparison]) -> list[str]:
    """Differences as a table, one line a comparison."""
    lines = ["| row | rival | probe | difference | p |", "|---|---|---|---|---|"]
    return lines + [
        f"| {entry.row} | {entry.rival} | {entry.probe} | {signed(entry.difference)} | {p_text(entry.p)} |"
        for entry in compared
    ]


def l1_question(outcome: Outcome, found: Results) -> list[str]:
    """Does l1 on adapters prevent collapse, or prevent forgetting?"""
    pairs = [(name, name.replace("+l1", "+lora")) for name in VARIANTS if name.endswith("+l1")]
    tried = [pair for pair in pairs if {*pair} <= {choice.row.name for choice in outcome.selected}]
    if not tried or not {"forget_vqa", "retain_vqa"} <= {*found.probes}:
        return []
    lines = ["### Does l1 on adapters prevent collapse, or prevent forgetting?", ""]
    lines += [_l1_verdict(outcome, *pair) for pair in tried]
    lines += ["", *_dose_table(outcome, [name for pair in tried for name in pair]), ""]
    reported = [pair for pair in tried if {*pair} <= {*found.rows}]
    asked = [p for p in ("forget_vqa", "retain_vqa", "celebrity_vqa") if p in found.probes]
    if reported:
        compared = found.compare(reported, asked)
        lines += ["The selected configurations, with l1 minus without, on the reported worlds:", ""]
        lines += [*comparison_table(compared), "", _HOLM.format(count=len(compared)), ""]
    return lines


def _tried(outcome: Outcome, row: str) -> list[tuple[str, float, float]]:
    """Each configuration of a row with forget and retain scores, means over development seeds; broken ones are out."""
    chosen = next(choice for choice in outcome.selected if choice.row.name == row)
    entries = []
    for configuration in chosen.row.configurations:
        scores = [outcome.plan.shares(outcome.plan.of(chosen.row, configuration, s)) for s in outcome.plan.development]
        if all(scores):
            means = [fmean(shares[probe] for shares in scores) for probe in ("forget_vqa", "retain_vqa")]
            entries.append((configuration.label, means[0], means[1]))
    return entries


def _l1_verdict(outcome: Outcome, with_l1: str, without: str) -> str:
    words = []
    for row in (with_l1, without):
        tried = _tried(outcome, row)
        collapsed = sum(retain < COLLAPSED for _, _, retain in tried)
        forgot = sum(forget < COLLAPSED for _, forget, _ in tried)
        both = sum(forget < COLLAPSED <= retain for _, forget, retain in tried)
        words.append(
            f"{row}: of {len(tried)} configurations {collapsed} collapsed, {forgot} forgot, "
            f"{both} forgot without collapse"
        )
    return f"- {'; '.join(words)}."


def _dose_table(outcome: Outcome, rows: Sequence[str]) -> list[str]:
    lines = [
        "Every configuration on the development worlds; collapsed: retain_vqa below 0.5, forgot: forget_vqa below 0.5.",
        "",
    ]
    lines += ["| row | configuration | forget_vqa | retain_vqa |", "|---|---|---|---|"]
    for row in rows:
        lines += [
            f"| {row} | {label} | {forget:.3f} | {retain:.3f} |" for label, forget, retain in _tried(outcome, row)
        ]
    return lines


def gold_question(found: Results) -> list[str]:
    """Which methods reach gold?"""
    lines = ["### Which methods reach gold?", ""]
    needed, fewest = people_needed(EQUIVALENCE_MARGIN), min(map(found.people, found.probes))
    margin = f"{EQUIVALENCE_MARGIN:g}"
    lines.append(
        f"Reaching gold is equivalence to it on {' and '.join(found.targets)} within {margin} (two one-sided "
        f"tests at 5 %), and no loss of {margin} or more against it on any other probe (one-sided tests at 5 %). "
        "That no difference is found is not enough. Facts of one person may go or stay together, so people are what "
        f"counts: below {needed} of them nothing of the kind can be shown, whatever they answer."
    )
    if fewest < needed:
        few = [f"{probe} ({found.people(probe)})" for probe in found.probes if found.people(probe) < needed]
        lines += ["", f"Too few people: {', '.join(few)}. No row can be shown to reach gold here."]
    candidates = [row for row in found.rows if row not in (BASE, GOLD)]
    reached = [row for row in candidates if found.reaches_gold(row)]
    lines += ["", f"Reached: {', '.join(reached) if reached else 'none'}.", "", *_standings(found, candidates), ""]
    return lines


def _standings(bench_results: Results, rows: Sequence[str]) -> list[str]:
    """For each row, every probe in one of four columns, so that no probe is passed by in silence."""
    columns = ("shown", "differs", "open", "too few people")
    lines = ["| row | like gold | differs from gold | not shown | cannot be shown, too few people |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    for row in rows:
        of_probe = {
            probe: bench_results.standing(row, probe) for probe in (*bench_results.targets, *bench_results.kept)
        }
        cells = [", ".join(p for p, standing in of_probe.items() if standing == column) or "-" for column in columns]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return lines
