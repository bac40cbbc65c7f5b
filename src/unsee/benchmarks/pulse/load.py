"""PULSE (Kawakami et al. 2025, arXiv 2507.01271): forget what a model knows from its pre-training.

Of the celebrities of MLLMU-Bench those are taken whom the model knows, at most 45; 20 of 45 are to be forgotten, the
others to be kept. The paper has ten questions about each, five with a picture and five by name; that these are the
multiple choices, of which MLLMU-Bench has as many, was concluded from their number, as no code is published. They are
what is trained on and what is measured, as there, and such probes are marked. Fill-ins and sentences about the same
people are measured besides, and never trained on. MMBench, which the paper asks as well, is not part of this.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from unsee.benchmarks.damage import column, repeated
from unsee.benchmarks.mllmu.columns import COLUMNS as ALL_COLUMNS
from unsee.benchmarks.mllmu.load import profiles_of, questions_about
from unsee.benchmarks.profiles import Profile, Trained, probe_rows, requested
from unsee.benchmarks.pulse.gate import PEOPLE, RULE
from unsee.benchmarks.sets import assembled
from unsee.benchmarks.source import Source
from unsee.benchmarks.spec import Selection
from unsee.data.example import Benchmark
from unsee.errors import InputError

FORGOTTEN, MOST = 20, 45  # of the people that the model knows, as in the paper
SPLIT = f"{FORGOTTEN}_of_{MOST}"
COLUMNS = {PEOPLE: ALL_COLUMNS[PEOPLE]}


def load_pulse(source: Source, selection: Selection) -> Benchmark:
    """The people whom a model knows, parted by the seed into those to be forgotten and those to be kept.

    Returns:
        Probes `SET_TASK_vqa` and `SET_TASK_qa` for the sets forget and retain, and the tasks of
        `unsee.benchmarks.profiles.TASKS`.

    Raises:
        InputError: a file, column or row is not as published, nobody said whom the model knows, or it knows too few.
    """
    profiles = profiles_of(source, PEOPLE, selection.seed)
    if selection.known is None:
        raise InputError("PULSE is about people whom a model knows; say which: unsee benchmark write pulse --model M")
    forgotten, retained = _parted(profiles, selection.known[:MOST], selection.seed)
    sets = {"forget": forgotten, "retain": retained}
    rows = probe_rows(sets, questions_about)
    name = f"PULSE, {selection.request} request, {len(forgotten)} of {len(forgotten) + len(retained)} people"
    trained = {
        group: Trained(rows[f"{group}_classification_vqa"], rows[f"{group}_classification_qa"]) for group in sets
    }
    training = requested(name, selection.request, trained["forget"], trained["retain"], rows)
    return assembled(training, rows, selection.probe_rows)


def _parted(profiles: list[Profile], known: tuple[str, ...], seed: int) -> tuple[list[Profile], list[Profile]]:
    """Those to be forgotten and those to be kept, each in the order of the file."""
    if len(known) < 2:
        raise InputError(
            f"the model knows {len(known)} of {len(profiles)} people ({RULE}); PULSE needs two, one of them to be kept"
        )
    forgotten = set(Random(f"pulse/{seed}").sample(sorted(known), max(1, round(len(known) * FORGOTTEN / MOST))))
    kept = [profile for profile in profiles if profile.number in known]
    return [one for one in kept if one.number in forgotten], [one for one in kept if one.number not in forgotten]


def damage(_: Benchmark, source: Source, _split: str) -> Iterator[str]:
    """What is wrong with a copy: people who are there twice."""
    yield from repeated({PEOPLE: column(source, PEOPLE, "ID")})
