"""Rows by which a training is watched: a few that it does not train on, where it can spare them.

Rows are taken out picture by picture (those in words, question by question), so that other photographs of the same
person are trained on and every subject stays among the rows; at most a quarter of them, and none that a probe asks.
Where that makes fewer than `FEWEST`, nothing is taken out and training rows themselves are asked: five rows are too few
to do without one, and one row says too little. Of 5,000 rows as many are taken as are wanted.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence

from unsee.data.example import Example, Probe
from unsee.data.held_out import HELD_OUT, Division
from unsee.data.pictures import image_hash
from unsee.data.sets import asked

FEWEST = 8  # rows held out; with fewer, one answer is more than twelve points


def development(
    rows: Sequence[Example], probes: Sequence[Probe], count: int, seed: int, reported: Sequence[Probe] = ()
) -> Division:
    """Divide training rows into those to train on and those to ask meanwhile.

    Args:
        rows: of one role.
        probes: of the run; none of their rows is held out.
        count: rows to ask at most.
        seed: of the choice.
        reported: probes whose rows are not asked either where rows that are trained on are.

    Returns:
        The division; `by` is "picture", "question" where no row has a picture, or empty where rows that are trained on
        are asked.
    """
    probed = asked(row for probe in probes for row in probe.examples)
    wanted = min(count, int(HELD_OUT * len(rows)))
    taken: list[int] = []
    for group in _in_turn(rows, seed):
        free = probed.keys().isdisjoint(asked(rows[place] for place in group))
        if free and len(taken) + len(group) <= wanted:
            taken += group
    if len(taken) < FEWEST:
        return Division(list(rows), spread(unasked(rows, reported), count), "")
    out = set(taken)
    train = [row for place, row in enumerate(rows) if place not in out]
    by = "picture" if any(row.image is not None for row in rows) else "question"
    return Division(train, [rows[place] for place in sorted(out)], by)


def unasked(rows: Sequence[Example], probes: Sequence[Probe]) -> list[Example]:
    """The rows that no probe asks."""
    probed = asked(row for probe in probes for row in probe.examples)
    return [row for row in rows if probed.keys().isdisjoint(asked([row]))]


def spread(rows: Sequence[Example], count: int) -> list[Example]:
    """At most so many rows, evenly spread."""
    return [rows[place * len(rows) // count] for place in range(count)] if len(rows) > count else list(rows)


def _in_turn(rows: Sequence[Example], seed: int) -> Iterator[list[int]]:
    """Places of rows with one picture or one question, a group of each subject in turn, and never its last."""
    groups: dict[str | None, dict[tuple[str | None, str], list[int]]] = defaultdict(lambda: defaultdict(list))
    for place, row in enumerate(rows):
        picture = image_hash(row.image)
        groups[row.subject][picture, "" if picture else row.question].append(place)
    drawn = random.Random(seed)
    subjects = drawn.sample(sorted(groups, key=repr), len(groups))
    orders = {subject: drawn.sample(list(groups[subject].values()), len(groups[subject])) for subject in subjects}
    for turn in range(max(map(len, orders.values()), default=0)):
        yield from (orders[subject][turn] for subject in subjects if turn + 1 < len(orders[subject]))
