"""What a bench compares: rows, seeds and the ground that it stands on, and from these every cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from unsee.errors import InputError
from unsee.evaluation.criteria import share_right
from unsee.leaderboard.cells import Cell, Subject, cell
from unsee.leaderboard.grids import BUDGET, NOISE, RETAIN_ONLY, Configuration, Row, with_text_facts
from unsee.leaderboard.grids import rows as make_rows
from unsee.leaderboard.ground import Ground, Setting
from unsee.leaderboard.worlds import Worlds
from unsee.methods import METHODS

REFERENCES = ("grad_diff", "mmunlearner", "npo")  # whose change random noise is as long as: the first that is there
BASE, GOLD, PROMPT = "base", "gold", "refusing_prompt"
MEASURED: tuple[tuple[str, Subject], ...] = ((BASE, "base"), (GOLD, "gold"), (PROMPT, "prompt"))


@dataclass(frozen=True)
class Plan:
    """What a bench compares.

    Raises:
        InputError: for seeds that are both developed and reported on, or none of either.
    """

    out: Path
    rows: tuple[Row, ...]
    seeds: tuple[int, ...] = (0, 1, 2)
    development: tuple[int, ...] = (100,)
    ground: Ground = field(default_factory=Worlds)

    def __post_init__(self) -> None:
        if both := sorted({*self.seeds} & {*self.development}):
            raise InputError(
                f"seeds: {both[0]} is among the development seeds too; report on what nothing was tuned on"
            )
        if not self.seeds or not self.development:
            raise InputError("seeds: give at least one to report on and one to develop on")
        self.ground.check(self.seeds)

    @property
    def every_seed(self) -> tuple[int, ...]:
        """Those of development first."""
        return (*self.development, *self.seeds)

    def setting(self, seed: int) -> Setting:
        """The setting of a seed."""
        return self.ground.setting(seed, "development" if seed in self.development else "reporting")

    @property
    def references(self) -> list[tuple[str, Subject]]:
        """The models that nothing is trained for, by name: base and gold first."""
        return [(name, subject) for name, subject in MEASURED if subject != "prompt" or self.ground.names]

    def reference(self, seed: int, name: str, subject: Subject) -> Cell:
        """The cell of one of them."""
        return cell(self.out, self.setting(seed).untrained(), name, subject)

    def measured(self) -> list[Cell]:
        """Cells that only measure: base and gold of every setting, the prompt of those reported on."""
        every = [
            self.reference(seed, name, subject)
            for seed in self.every_seed
            for name, subject in self.references
            if subject != "prompt" or seed in self.seeds
        ]
        return list({one.folder: one for one in every}.values())  # seeds may share them

    def tried(self, row: Row, seed: int) -> list[Cell]:
        """A row's configurations in one setting."""
        return [self.of(row, candidate, seed) for candidate in row.configurations]

    def of(self, row: Row, chosen: Configuration, seed: int) -> Cell:
        """One configuration of a row in one setting."""
        return cell(self.out, self.setting(seed), row.name, "method", row.method, chosen, row.code)

    def of_base(self, setting: Setting) -> Cell:
        """The cell of a setting's base."""
        return cell(self.out, setting.untrained(), BASE, "base")

    def shares(self, one: Cell) -> dict[str, float]:
        """Share of right answers of a cell on each probe, of those that count; empty where its training broke.

        Probes of which no answer counts, as the base knew nothing of them, are left out.
        """
        if one.scores.get("failed"):
            return {}
        base = self.of_base(one.setting).records()
        shares = {
            probe: share_right(rows, base[probe], self.ground.role(probe) or "keep")
            for probe, rows in one.records().items()
        }
        return {probe: share for probe, share in shares.items() if not math.isnan(share)}

    def developed(self) -> list[Cell]:
        """All cells that selection looks at, setting by setting."""
        return [trial for seed in self.development for row in self.rows for trial in self.tried(row, seed)]

    def to_dict(self) -> dict[str, Any]:
        """What is compared, as JSON holds it."""
        return {
            **self.ground.to_dict(),
            "seeds": list(self.seeds),
            "development_seeds": list(self.development),
            "budget": len(self.rows[0].configurations),
            "cells": self.count(),
            "rows": [
                {
                    "name": row.name,
                    "kind": row.kind,
                    "method": row.method,
                    "configurations": [candidate.label for candidate in row.configurations],
                }
                for row in self.rows
            ],
            "controls": [BASE, RETAIN_ONLY, NOISE, *([PROMPT] if self.ground.names else []), GOLD],
        }

    def count(self) -> int:
        """How many cells there are in all."""
        noise = len(self.seeds) if reference_row(self.rows) else 0
        return len(self.measured()) + len(self.developed()) + len(self.rows) * len(self.seeds) + noise


def plan(
    out: Path,
    methods: Sequence[str] | None = None,
    budget: int = BUDGET,
    ground: Ground | None = None,
    text_facts: bool = False,
    **more: Any,
) -> Plan:
    """A plan from names of rows; see `Plan` and `unsee.leaderboard.grids.rows`.

    Args:
        out: folder of the bench.
        methods: names of rows; all of this package if not given.
        budget: configurations of each.
        ground: what they are compared on; worlds if not given.
        text_facts: whether every row is there twice; see `unsee.leaderboard.grids.with_text_facts`.
        more: of `Plan`.
    """
    ground = ground or Worlds()
    rows = make_rows(methods, budget, ground.centre)
    return Plan(Path(out), tuple(with_text_facts(rows) if text_facts else rows), ground=ground, **more)


def reference_row(rows: Sequence[Row]) -> str | None:
    """The row whose change random noise is as long as."""
    full = [row.name for row in rows if row.kind == "method"]
    if NOISE not in METHODS:
        return None
    return next((name for name in (*REFERENCES, *full) if name in full), None)
