"""A model under attack: what is asked, and how much comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from unsee.audit.attack import Attack
from unsee.data.example import Example, Probe
from unsee.errors import InputError
from unsee.evaluation.measure import check_numbers, measure
from unsee.metrics.bootstrap import Score, bootstrap_mean
from unsee.system import processes
from unsee.vlm.load import LoadedModel


@dataclass(frozen=True, slots=True)
class AttackScore:
    """What came out under one attack, with 95 % bootstrap intervals over subjects.

    Attributes:
        any: share of rows that were answered rightly in any try.
        mean: share of tries that were answered rightly, as a mean over rows.
        tries: how often each row was asked.
    """

    any: Score
    mean: Score
    tries: int

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"any": self.any.to_dict(), "mean": self.mean.to_dict(), "tries": self.tries}


def tries_of(attack: Attack, examples: Sequence[Example]) -> list[Probe]:
    """What an attack asks: one probe per try, each with all examples in their order.

    Raises:
        InputError: an example has no tries, another number of them than the first one, or one with another answer.
    """
    rows = [_tries(attack, example, f"attack {attack.name}, row {row}") for row, example in enumerate(examples, 1)]
    for number, tries in enumerate(rows, 1):
        if len(tries) != len(rows[0]):  # "any of three" and "any of five" have no mean
            raise InputError(
                f"attack {attack.name}, row {number}: {len(tries)} tries, but {len(rows[0])} for row 1; give each row "
                "as many"
            )
    columns = enumerate(zip(*rows, strict=True), 1)
    return [Probe(f"{attack.name}, try {number}", column) for number, column in columns]


def _tries(attack: Attack, example: Example, where: str) -> list[Example]:
    tries = attack.tries(example)
    if not isinstance(tries, Sequence) or not tries or not all(isinstance(asked, Example) for asked in tries):
        raise InputError(f"{where}: gives {tries!r:.60}; give at least one Example")
    if other := next((asked.answer for asked in tries if asked.answer != example.answer), None):
        raise InputError(f"{where}: a try expects {other!r:.60}, not {example.answer!r:.60}; leave the answer as it is")
    # Candidates would be scored for each try, and nobody looks at that.
    return [replace(asked, perturbed_answers=(), choices=()) for asked in tries]


def under_attack(
    loaded: LoadedModel, tries: Sequence[Probe], batch_size: int = 64, max_new_tokens: int | None = None, seed: int = 0
) -> AttackScore:
    """Ask a model all tries of an attack.

    An answer is right as in exact match, so that it says the same as the plain score: what comes out in the middle of
    a longer sentence does not count.

    Args:
        loaded: the model.
        tries: of `tries_of`.
        batch_size: rows per forward pass.
        max_new_tokens: answers are cut there; None leaves room for the expected ones.
        seed: of the bootstrap.

    Raises:
        InputError: the model's logits are no numbers.
    """
    right = []  # (tries, rows)
    for probe in tries:
        records = measure(loaded, probe, batch_size, max_new_tokens)
        with processes.as_one():
            check_numbers(records, "the model")
        right.append([float(record.correct) for record in records])
    subjects = [example.subject for example in tries[0].examples]
    return AttackScore(
        any=bootstrap_mean([max(row) for row in zip(*right, strict=True)], subjects, seed),
        mean=bootstrap_mean([fmean(row) for row in zip(*right, strict=True)], subjects, seed),
        tries=len(tries),
    )
