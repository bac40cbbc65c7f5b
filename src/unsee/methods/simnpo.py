"""Simple negative preference optimisation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from typing_extensions import Doc

from unsee.losses.likelihood import answer_mean, cross_entropy
from unsee.losses.preference import simnpo
from unsee.methods.method import Needs, NonNegative, Positive, Reference, Term, UnlearnBatch, forget_of, retain_of

if TYPE_CHECKING:
    from unsee.vlm.policy import Policy


@dataclass(frozen=True)
class SimNPO:
    """NPO on the mean over an answer's tokens, without a reference: long and short answers are pulled alike.

    The pull depends on how likely an answer is now and not on how far it has come, so that it does not stop on
    answers that were unlikely to begin with. Defaults are those of the authors on TOFU.
    """

    name: ClassVar[str] = "simnpo"
    paper: ClassVar[str] = "Fan et al. 2024, arXiv 2410.07163"
    needs: ClassVar[Needs] = Needs(retain=True)

    beta: Annotated[Positive, Doc("inverse temperature, per nat per token")] = 4.5
    delta: Annotated[NonNegative, Doc("margin, nats per token; below, the pull fades; gamma / beta of the paper")] = 0.0
    forget_weight: Annotated[NonNegative, Doc("weight of the preference loss")] = 0.125
    retain_weight: Annotated[NonNegative, Doc("weight of the retain cross-entropy")] = 1.0

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """(2 / beta) log(1 + exp(beta (log p / |y| + delta)))(forget) + CE(retain), each weighted."""
        mean = answer_mean(*policy.token_log_probs(forget_of(batch)))
        yield Term("forget", self.forget_weight * simnpo(mean, self.beta, self.delta).mean())
        if self.retain_weight:
            retain = cross_entropy(*policy.token_log_probs(retain_of(batch))).mean()
            yield Term("retain", self.retain_weight * retain)
