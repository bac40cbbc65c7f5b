"""Whom of MLLMU-Bench's celebrities a model knows, by what it says to their multiple choices.

PULSE (arXiv 2507.01271) takes the 45 of 153 with the highest accuracy, whatever that accuracy is. Here a person must
also be known: what nobody knew cannot be forgotten, and a model that knows few of them should not be given 45.
"""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean

from unsee.benchmarks.mllmu.load import profiles_of, questions_about
from unsee.benchmarks.profiles import probe_rows
from unsee.benchmarks.source import Source
from unsee.benchmarks.spec import Records
from unsee.benchmarks.tasks import likely_choice
from unsee.data.example import Probe

PEOPLE = "Retain_Set"
KNOWN = 0.5  # the share that `unsee.evaluation.criteria.known_to` asks for; guessing among four comes to 0.25
RULE = "the right option is the most likely one in at least half of a person's questions in each modality"
_KINDS = ("vqa", "qa")


def questions(source: Source, seed: int) -> list[Probe]:
    """The multiple choices about everybody, with a picture and by name.

    Args:
        source: MLLMU-Bench, of which `Retain_Set` is read.
        seed: as for `unsee.benchmarks.mllmu.load.profiles_of`.

    Raises:
        InputError: a file, column or row is not as published.
    """
    rows = probe_rows({"gate": profiles_of(source, PEOPLE, seed)}, questions_about)
    return [Probe(f"gate_{kind}", rows[f"gate_classification_{kind}"]) for kind in _KINDS]


def known(records: Records) -> dict[str, float]:
    """The people that a model knows and its accuracy over their questions, the best first.

    Of one who is not asked in one of the two modalities nothing is known.

    Args:
        records: what was said to `questions`, by probe.
    """
    right: dict[str, dict[str, list[float]]] = defaultdict(lambda: {kind: [] for kind in _KINDS})
    for kind in _KINDS:
        for row in records[f"gate_{kind}"]:
            right[row["id"].partition("/")[0]][kind].append(float(likely_choice(row) or 0))
    accuracy = {
        number: fmean([*asked["vqa"], *asked["qa"]])
        for number, asked in right.items()
        if all(answers and fmean(answers) >= KNOWN for answers in asked.values())
    }
    return dict(sorted(accuracy.items(), key=lambda person: (-person[1], person[0])))
