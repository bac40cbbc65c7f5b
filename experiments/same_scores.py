"""Two `scores.json`, of whatever version, hold the same numbers: `python experiments/same_scores.py OLD NEW`.

OLD and NEW are the files, or the folders of the runs. Every number of OLD has to be in NEW, and the means of metrics
wherever either keeps them: flat among the numbers of a probe (version 1), or under `metrics`. What NEW has beyond that
is counted. Seconds are times and not compared; numbers may differ in the last bits, which the order of a sum decides.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from unsee.errors import InputError
from unsee.system.files import read_json

ROUNDING = 1e-12  # relative
NOT_COMPARED = ("seconds", "version")
NOW = {"invents_more": "hallucinates_more", "invented": "hallucinated"}  # what version 1 called otherwise

Place = tuple[str, ...]


def numbers(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every value of a JSON value that is no list and no object, with its place."""
    below = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else None
    if below is None:
        yield place, value
        return
    for key, item in below:
        yield from numbers(item, (*place, NOW.get(str(key), str(key))))


def content(path: Path) -> dict[Place, Any]:
    """What a file holds by place; the mean of a metric stands at `models.MODEL.PROBE.NAME`, wherever it is kept.

    Raises:
        InputError: the file cannot be read, or is no object.
    """
    file = path / "scores.json" if path.is_dir() else path
    stored = read_json(file)
    if not isinstance(stored, dict):
        raise InputError(f"{file}: holds no scores; give a scores.json, or the folder of a run")
    values = {place: value for place, value in numbers(stored) if place[0] not in NOT_COMPARED}
    means = {place: value for place, value in values.items() if _is_mean(place)}
    return {**values, **{(*place[:3], place[4]): value for place, value in means.items()}}


def _is_mean(place: Place) -> bool:
    """models.MODEL.PROBE.metrics.NAME.score"""
    return len(place) == 6 and place[0] == "models" and place[3] == "metrics" and place[5] == "score"


def differences(old: Mapping[Place, Any], new: Mapping[Place, Any]) -> list[str]:
    """A line for each value that is other, or missing, in the new file."""
    lines = []
    for place, value in old.items():
        if place not in new:
            lines.append(f"{'.'.join(place)}: {value!r} is missing")
        elif not _same(value, new[place]):
            lines.append(f"{'.'.join(place)}: {value!r} became {new[place]!r}")
    return lines


def _same(old: Any, new: Any) -> bool:
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in (old, new)):
        return type(old) is type(new) and bool(old == new)
    return math.isclose(old, new, rel_tol=ROUNDING, abs_tol=ROUNDING)


def main(arguments: list[str] | None = None) -> int:
    """Compare two files; the exit code is 0 where all numbers are the same, else 1."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    given = parser.parse_args(arguments)
    try:
        old, new = content(given.old), content(given.new)
    except InputError as error:
        print(f"same_scores: error: {error}", file=sys.stderr)
        return 2
    lines = differences(old, new)
    print(*lines, sep="\n", end="\n" if lines else "")
    print(f"{len(old) - len(lines)} of {len(old)} values are the same; {len(new.keys() - old.keys())} are new")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
