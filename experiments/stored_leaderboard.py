"""What a leaderboard's stored scores still say under the present rules, without its records: at the worst.

    python experiments/stored_leaderboard.py docs/leaderboard/leaderboard.csv

The file holds one share of right answers for each row, world and probe, and not who was right. Whatever is said here
therefore holds however answers hang together: as if every wrong answer, of the one and of the other, were that of a
person of whom all answers are wrong, and never the same person for both. What is to stay counts in full ("ungated").
With records, as `unsee bench` writes them, bounds are narrower and distances have intervals.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

from unsee.evaluation.criteria import EQUIVALENCE_MARGIN, FORGET_PROBES, role_of
from unsee.leaderboard import bounds
from unsee.leaderboard.bounds import Spread
from unsee.leaderboard.select import distance
from unsee.metrics.bootstrap import wilson

REQUEST, BASE, GOLD = "visual", "base", "gold"
PEOPLE = {"forget": 4, "retain": 36, "celebrity": 8}  # in each world of forty; rows about nobody stand for themselves
ASKED = (("mmunlearner", "grad_diff"), ("mmunlearner", "npo"))
L1 = tuple((f"{name}+l1", f"{name}+lora") for name in ("grad_ascent", "grad_diff", "npo"))

Shares = Mapping[str, Mapping[str, list[float]]]  # row -> probe -> share of right answers in each world


def main() -> None:
    """Print scores, differences and standings as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scores", type=Path)
    rows = list(csv.DictReader(parser.parse_args().scores.open()))
    shares, gated = read(rows), read(rows, gated=True)
    people = {probe: _people(rows, probe) for probe in shares[BASE]}
    sections = [
        score_table(shares, gated, people),
        difference_table(shares, people, ASKED, ("forget_vqa", "forget_qa", "retain_vqa", "celebrity_vqa", "scenes")),
        difference_table(shares, people, L1, ("forget_vqa", "retain_vqa", "celebrity_vqa")),
        standing_table(shares, people),
        sign_sentence(shares, gated),
    ]
    print("\n\n".join("\n".join(section) for section in sections))


def read(rows: list[dict[str, str]], gated: bool = False) -> Shares:
    """Shares that count; with `gated`, those that counted when the leaderboard was made."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        known = gated or role_of(row["probe"], REQUEST) == "forget"
        found[row["row"]][row["probe"]].append(float(row["score" if known else "ungated"]))
    return found


def _people(rows: list[dict[str, str]], probe: str) -> int:
    of_base = [row for row in rows if row["row"] == BASE and row["probe"] == probe]
    each = PEOPLE.get(probe.split("_", maxsplit=1)[0])
    return sum(each if each else int(row["n"]) + int(row["left_out"]) for row in of_base)


def at_worst(one: list[float], other: list[float], people: int) -> Spread:
    """The largest spread that two models' shares leave open: they differ by what either has wrong, or right."""
    right = fmean(one) + fmean(other)
    worlds = tuple(mine - theirs for mine, theirs in zip(one, other, strict=True))
    return Spread(fmean(worlds), min(right, 2 - right), people, worlds)


def distances(shares: Shares, row: str) -> float:
    """Mean over worlds of the distance to gold."""
    worlds = range(len(shares[BASE]["scenes"]))
    at = [{name: {p: of[p][w] for p in of} for name, of in shares.items()} for w in worlds]
    return fmean(distance(of[row], of[BASE], of[GOLD], FORGET_PROBES[REQUEST]) for of in at)


def score_table(shares: Shares, gated: Shares, people: Mapping[str, int]) -> list[str]:
    """Every row with its scores and distance, nearest first."""
    lines = ["| row | " + " | ".join(people) + " | distance | distance, gated |", "|---" * (len(people) + 3) + "|"]
    for row in sorted(shares, key=lambda row: distances(shares, row)):
        cells = []
        for probe, count in people.items():
            score = fmean(shares[row][probe])
            low, high = wilson(score, count)
            cells.append(f"{score:.3f} [{low:.3f}, {high:.3f}]")
        cells += [f"{distances(of, row):.3f}" for of in (shares, gated)]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return lines


def difference_table(
    shares: Shares, people: Mapping[str, int], pairs: tuple[tuple[str, str], ...], probes: tuple[str, ...]
) -> list[str]:
    """Row less rival with bounds of 95 % each way together."""
    lines = ["| row | rival | probe | difference |", "|---|---|---|---|"]
    for row, rival in pairs:
        for probe in probes:
            found = bounds.interval(at_worst(shares[row][probe], shares[rival][probe], people[probe]))
            lines.append(f"| {row} | {rival} | {probe} | {found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}] |")
    return lines


def standing_table(shares: Shares, people: Mapping[str, int]) -> list[str]:
    """What is known of each row being like gold, probe by probe."""
    columns = ("shown", "differs", "open", "too few people")
    lines = [
        "| row | like gold | differs from gold | not shown | cannot be shown, too few people |",
        "|---|---|---|---|---|",
    ]
    for row in shares:
        if row not in (BASE, GOLD):
            standings = {probe: _standing(shares, row, probe, people[probe]) for probe in people}
            cells = [", ".join(p for p, found in standings.items() if found == column) or "-" for column in columns]
            lines.append(f"| {row} | {' | '.join(cells)} |")
    return lines


def _standing(shares: Shares, row: str, probe: str, people: int) -> str:
    found, target = at_worst(shares[row][probe], shares[GOLD][probe], people), role_of(probe, REQUEST) == "forget"
    low, high = bounds.lower(found), bounds.upper(found)
    if high < -EQUIVALENCE_MARGIN or (target and low > EQUIVALENCE_MARGIN):
        return "differs"
    if people < bounds.people_needed(EQUIVALENCE_MARGIN):
        return "too few people"
    return "shown" if low > -EQUIVALENCE_MARGIN and (high < EQUIVALENCE_MARGIN or not target) else "open"


def sign_sentence(shares: Shares, gated: Shares) -> list[str]:
    """How often the gate turned who is better on the scenes."""
    signs = [
        [_sign(one - gold) for row in of if row not in (BASE, GOLD) for one, gold in _pairs(of, row)]
        for of in (shares, gated)
    ]
    turned = sum(now != before for now, before in zip(*signs, strict=True))
    return [
        f"The sign of row less gold on scenes differs with and without the gate in {turned} of {len(signs[0])} cells."
    ]


def _pairs(shares: Shares, row: str) -> list[tuple[float, float]]:
    return list(zip(shares[row]["scenes"], shares[GOLD]["scenes"], strict=True))


def _sign(value: float) -> int:
    return 0 if abs(value) < 1e-9 else 1 if value > 0 else -1


if __name__ == "__main__":
    main()
