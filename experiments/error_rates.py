"""How often are verdicts wrong? People whose answers are known, judged by the rules as they are and as they were.

    python experiments/error_rates.py --runs 500 --markdown docs/statistics.md

Nothing is trained or loaded. Facts of one person go or stay each for itself ("independent"), or all together ("whole
people"). "As before" are the rules that the library had until November 2026, kept here for comparison alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from unsee.evaluation.criteria import EQUIVALENCE_MARGIN, KEEP_MARGIN, keeping, share_right
from unsee.evaluation.records import Record
from unsee.leaderboard import bounds
from unsee.leaderboard.bounds import Differences
from unsee.leaderboard.results import Results
from unsee.leaderboard.statistics import Floats, Seed
from unsee.metrics.paired import paired_difference

FACTS, ANSWERS, WORLDS = 6, 20, 3  # facts a person; answers a person where they are independent; worlds of a bench
PEOPLE = (4, 8, 12, 24, 40, 58, 59, 60, 108)
Drawn = Callable[[np.random.Generator, int, float], Floats]


def main() -> None:
    """Run every simulation and print the tables, or write them as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    tables = [gate_table, equivalence_table, keeping_table, distance_table]
    text = "\n\n".join("\n".join(table(options.runs)) for table in tables)
    print(text)
    if options.markdown:
        command = f"python experiments/error_rates.py --runs {options.runs}"
        options.markdown.write_text(f"# How often statements are wrong\n\nFigures of `{command}`.\n\n{text}\n")


def percent(share: float) -> str:
    """With one digit: the standard error of 5 % in 500 runs is one point."""
    return f"{100 * share:.1f}"


# --- which rows count


def gate_table(runs: int) -> list[str]:
    """Scores of two models that are equally good, on the rows that count."""
    lines = [
        "## Which rows count",
        "",
        "Base and another model are right in 60 % of the rows and differ on 8 %, as many one way as the other. As",
        "before, a row counted when the base was right in half of the rows about its fact, itself among them; now its",
        "fellow rows decide for what is to go, and all rows count for what is to stay. Means, in per cent.",
        "",
        "| rows per fact | base, before | model, before | base, to go | model, to go | base, stays | model, stays |",
        "|---|---|---|---|---|---|---|",
    ]
    rng = np.random.default_rng(1)
    for photos in (1, 2, 3):
        means = np.mean([_gated(rng, photos) for _ in range(min(runs, 300))], axis=0)
        lines.append(f"| {photos} | " + " | ".join(map(percent, means)) + " |")
    return lines


def alike(rng: np.random.Generator, rows: int, differ: float = 0.08, right: float = 0.60) -> tuple[Floats, Floats]:
    """Answers of base and model, as many lost as gained."""
    base = rng.random(rows) < right
    turned = rng.random(rows) < np.where(base, differ / 2 / right, differ / 2 / (1 - right))
    return base.astype(float), (base ^ turned).astype(float)


def _gated(rng: np.random.Generator, photos: int) -> list[float]:
    base, model = alike(rng, 10 * FACTS * photos)
    of_fact = np.repeat(base.reshape(-1, photos).mean(axis=1), photos)
    before = of_fact >= 0.5
    known, others = _records(base, photos), _records(model, photos)
    now = [share_right(each, known, role) for role in ("forget", "keep") for each in (known, others)]
    return [float(base[before].mean()), float(model[before].mean()), *now]


def _records(right: Floats, photos: int) -> list[Record]:
    return [
        Record("probe", n, None, f"p{n // (FACTS * photos)}", f"f{n // photos}", "q", "a", "a", one > 0, -0.1, 2)
        for n, one in enumerate(right)
    ]


# --- like gold


def whole(rng: np.random.Generator, people: int, difference: float) -> Floats:
    """All that is known of a person goes or stays."""
    return (rng.random(people) < difference).astype(float)


def whole_both_ways(rng: np.random.Generator, people: int, difference: float) -> Floats:
    """Two in a hundred people more are lost whole to the one model, and as many to the other."""
    lot = rng.random(people)
    return np.where(lot < difference + 0.02, 1.0, np.where(lot > 0.98, -1.0, 0.0))


def independent(rng: np.random.Generator, people: int, difference: float) -> Floats:
    """Answers each for themselves; gold is right in 2.5 %."""
    one, other = (rng.binomial(ANSWERS, share, people) / ANSWERS for share in (0.025 + difference, 0.025))
    return one - other


KINDS: dict[str, Drawn] = {
    "whole people": whole,
    "whole people, both ways": whole_both_ways,
    "independent": independent,
}


def equivalence_table(runs: int) -> list[str]:
    """How often a row is called like gold."""
    lines = [
        f"## Like gold, within a margin of {EQUIVALENCE_MARGIN:.2f}",
        "",
        f"How often equivalence is declared, in per cent of {runs} benches, with people spread over {WORLDS} worlds.",
        "At a true difference of 0.05 and more that is an error, at most 5 by intention; at 0 it is the power. As",
        f"before ({runs // 2} benches): percentiles of a bootstrap over worlds and people. Below 59 people nothing",
        "can be shown at this margin. One standard error of 5 % is a point; for whole people at 59 the exact figure is",
        "0.95 ** 59, or 4.8 %.",
        "",
        "| facts | people | 0.05, as before | 0.08, as before | 0.10, as before | 0.05 | 0.08 | 0.10 | power at 0 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, drawn in KINDS.items():
        for people in PEOPLE:
            cells = [_declared(drawn, people, true, runs // 2, _as_before) for true in (0.05, 0.08, 0.10)]
            cells += [_declared(drawn, people, true, runs, _as_now) for true in (0.05, 0.08, 0.10, 0.0)]
            lines.append(f"| {name} | {people} | " + " | ".join(map(percent, cells)) + " |")
    return lines


def _declared(drawn: Drawn, people: int, true: float, runs: int, rule: Callable[[Floats], bool]) -> float:
    rng = np.random.default_rng([people, int(1000 * true)])
    return sum(rule(drawn(rng, people, true)) for _ in range(runs)) / runs


def _as_now(values: Floats) -> bool:
    people = len(values)
    found = Differences(values, np.full(people, 1 / people), np.arange(people) % WORLDS).spread
    return bounds.lower(found) > -EQUIVALENCE_MARGIN and bounds.upper(found) < EQUIVALENCE_MARGIN


def _as_before(values: Floats, resamples: int = 500) -> bool:
    worlds = [values[number::WORLDS] for number in range(WORLDS)]
    rng = np.random.default_rng(0)
    means = np.stack([rng.choice(one, (resamples, WORLDS, len(one))).mean(axis=2) for one in worlds], axis=2)
    drawn = np.take_along_axis(means, rng.integers(0, WORLDS, (resamples, WORLDS, 1)), axis=2).mean(axis=(1, 2))
    low, high = np.quantile(drawn, [0.05, 0.95])
    return bool(low > -EQUIVALENCE_MARGIN and high < EQUIVALENCE_MARGIN)


# --- kept


def keeping_table(runs: int) -> list[str]:
    """How often knowledge is said to be lost."""
    lines = [
        "## Lost other knowledge",
        "",
        f"How often knowledge is said to be lost, in per cent of {runs} models. Where nothing was lost (base and model",
        "differ on 8 % of the answers by chance) that is an error; where a fifth of what was known is gone it is the",
        f"power. As before: right answers fell by more than {KEEP_MARGIN:.2f}.",
        "",
        "| facts | people | error, as before | error | power, as before | power |",
        "|---|---|---|---|---|---|",
    ]
    for name, answers in (("independent", FACTS), ("whole people", 1)):
        for people in (4, 10, 20, 40, 60):
            rng, cells = np.random.default_rng([people, answers]), np.zeros(4)
            for _ in range(runs):
                base, model = alike(rng, people * answers)
                gone = base * (rng.random(len(base)) >= 0.2)
                for place, after in ((0, model), (2, gone)):
                    cells[place] += base.mean() - after.mean() > KEEP_MARGIN
                    cells[place + 1] += _lost(base, after, answers)
            lines.append(f"| {name} | {people} | " + " | ".join(percent(cell / runs) for cell in cells) + " |")
    return lines


def _lost(base: Floats, model: Floats, answers: int) -> bool:
    change = paired_difference(model.tolist(), base.tolist(), [n // answers for n in range(len(base))])
    return keeping(float(model.mean()), float(base.mean()), change.high) in ("lost some", "collapsed")


# --- distances


def distance_table(runs: int) -> list[str]:
    """How often the interval of a distance misses the true one, and what chance makes of none."""
    lines = [
        "## Distances to gold",
        "",
        f"Three worlds, five answers per person by sight and by name; {min(runs, 300)} benches. As before: percentiles",
        "of the resampled distances, with sight and name resampled apart. Missed: how often the 95 % interval does not",
        "hold the true distance, in per cent.",
        "",
        "| facts | people per world | true distance | mean distance | by chance | missed, as before | missed |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, together in (("whole people", True), ("independent", False)):
        for people, off in ((4, 0.0), (4, 0.08), (20, 0.0), (20, 0.08)):
            cells = np.mean([_distance(seed, people, off, together) for seed in range(min(runs, 300))], axis=0)
            shown = [f"{cell:.3f}" for cell in cells[:2]] + [percent(cell) for cell in cells[2:]]
            lines.append(f"| {name} | {people} | {off:.3f} | " + " | ".join(shown) + " |")
    return lines


def _distance(seed: int, people: int, off: float, together: bool) -> list[float]:
    rng = np.random.default_rng([seed, people, together])
    forgotten = {"base": 0.0, "gold": 0.9, "row": 0.9 + off}
    bench = Results({row: _answers(rng, people, share, together) for row, share in forgotten.items()}, "visual")
    found = bench.distance("row")
    low, high = _apart(bench)
    missed = [not one - 1e-12 <= off <= other + 1e-12 for one, other in ((low, high), (found.low, found.high))]
    return [found.value, bench.distance_by_chance("row"), *map(float, missed)]


def _answers(rng: np.random.Generator, people: int, forgotten: float, together: bool) -> dict[str, list[Seed]]:
    scored: dict[str, list[Seed]] = {"forget_vqa": [], "forget_qa": []}
    for _ in range(WORLDS):
        lots = {f"p{n}": rng.random(1 if together else 5) * np.ones(5) for n in range(people)}
        scored["forget_vqa"].append({who: list((one >= forgotten).astype(float)) for who, one in lots.items()})
        scored["forget_qa"].append({who: list((one >= forgotten - 0.9).astype(float)) for who, one in lots.items()})
    return scored


def _apart(bench: Results, resamples: int = 500) -> Sequence[float]:
    """As before: worlds are drawn for both probes, people for each of them anew."""
    rng = np.random.default_rng(0)
    worlds = rng.integers(0, WORLDS, (resamples, WORLDS))

    def means(row: str, probe: str, state: int) -> Floats:
        means = np.array([[np.mean(of) for of in world.values()] for world in bench.scored[row][probe]])
        drawn = np.random.default_rng(state).integers(0, means.shape[1], (resamples, WORLDS, means.shape[1]))
        resampled: Floats = means[worlds[..., None], drawn].mean(axis=2)
        return resampled

    row, gold, base = ([means(each, "forget_vqa", 1), means(each, "forget_qa", 2)] for each in ("row", "gold", "base"))
    shortfall = np.maximum(0, np.minimum(gold[1], base[1]) - row[1])
    found = (0.5 * np.abs(row[0] - gold[0]) + 0.5 * shortfall).mean(axis=1)
    return [float(bound) for bound in np.quantile(found, [0.025, 0.975])]


if __name__ == "__main__":
    main()
