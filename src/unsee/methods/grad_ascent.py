"""Gradient ascent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from unsee.losses.likelihood import gradient_ascent
from unsee.methods.method import Needs, Reference, Term, UnlearnBatch, forget_of

if TYPE_CHECKING:
    from unsee.vlm.policy import Policy


@dataclass(frozen=True)
class GradAscent:
    """Drive the likelihood of the forget answers down, with nothing to hold the rest: the control that breaks."""

    name: ClassVar[str] = "grad_ascent"
    paper: ClassVar[str] = "Jang et al. 2023, arXiv 2210.01504"
    needs: ClassVar[Needs] = Needs()

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """-CE(forget)."""
        yield Term("forget", gradient_ascent(*policy.token_log_probs(forget_of(batch))).mean())
