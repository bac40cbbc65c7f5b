"""The objective of a supervised training: the likelihood of the answers, as retain terms have it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from unsee.losses.likelihood import cross_entropy
from unsee.methods.method import Needs, Reference, Term, UnlearnBatch, retain_of
from unsee.vlm.policy import Policy


@dataclass(frozen=True)
class Supervised:
    """Cross-entropy of every answer, the mean over its tokens, then over answers. It is no method of unlearning."""

    name: ClassVar[str] = "train"
    paper: ClassVar[str] = "none"
    needs: ClassVar[Needs] = Needs(forget=False, retain=True)

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """CE(rows)."""
        yield Term("train", cross_entropy(*policy.token_log_probs(retain_of(batch))).mean())
