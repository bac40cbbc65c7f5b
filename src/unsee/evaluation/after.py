"""What an earlier request removed, asked again after a later one.

The later run begins where the earlier one ended, so its own base no longer knows what was removed then, and a gate by
its knowledge would drop exactly these rows. They are gated by what the base of the earlier run knew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from unsee.data import Probe
from unsee.errors import InputError
from unsee.evaluation.records import Record
from unsee.evaluation.results import Again

PREFIX = "after_"  # of a probe's name, before the one that it had in the earlier run


@dataclass(frozen=True)
class Earlier:
    """What a run asked about what was to be forgotten; names of probes begin with `after_`.

    Attributes:
        probes: what it asked.
        base: records of the model that it began with, by probe.
        result: records of the model that it ended with.
    """

    probes: Sequence[Probe]
    base: Mapping[str, Sequence[Record]]
    result: Mapping[str, Sequence[Record]]

    @classmethod
    def of(
        cls,
        probes: Sequence[Probe],
        base: Mapping[str, Sequence[Record]],
        result: Mapping[str, Sequence[Record]],
        where: str,
    ) -> Earlier:
        """What a run with these probes and records removed.

        Args:
            probes: all of the run.
            base: records of its base, by probe.
            result: records of its model.
            where: how an error message calls it.

        Raises:
            InputError: none of its probes was about what is to go.
        """
        kept = [probe for probe in probes if probe.role == "forget"]
        if not kept:
            raise InputError(f"after: no probe of {where} is about what was to be forgotten, so nothing can come back")
        return cls(
            [replace(probe, name=PREFIX + probe.name) for probe in kept],
            *({PREFIX + probe.name: asked[probe.name] for probe in kept} for asked in (base, result)),
        )


def came_back(earlier: Earlier, records: Mapping[str, Sequence[Record]]) -> dict[str, Again]:
    """What of an earlier request a model says again, by probe.

    Args:
        earlier: what was removed.
        records: of the model, by probe; others than those of the earlier request may be among them.

    Raises:
        InputError: rows of an earlier request were left out, so that its records cannot be compared.
    """
    counts = {}
    for probe in earlier.probes:
        rows = records[probe.name]
        asked = [[(record.question, record.expected) for record in some] for some in (earlier.base[probe.name], rows)]
        if asked[0] != asked[1]:
            raise InputError(
                f"{probe.name}: other rows than those that the earlier run asked; start anew with --overwrite"
            )
        removed = [
            now.correct
            for first, then, now in zip(earlier.base[probe.name], earlier.result[probe.name], rows, strict=True)
            if first.correct and not then.correct
        ]
        counts[probe.name] = Again(removed=len(removed), again=sum(removed))
    return counts
