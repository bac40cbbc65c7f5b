"""Direct preference optimisation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from typing_extensions import Doc

from unsee.losses.likelihood import cross_entropy
from unsee.losses.preference import dpo
from unsee.methods.method import (
    Needs,
    NonNegative,
    Positive,
    Reference,
    Term,
    UnlearnBatch,
    forget_of,
    refusals_of,
    retain_of,
)

if TYPE_CHECKING:
    from unsee.vlm.policy import Policy


@dataclass(frozen=True)
class DPO:
    """Prefer a refusal to the forget answer, against the frozen start; descend on retain examples.

    The preference has the factor 1 of Rafailov et al., so that it pulls beta / 2 as hard as gradient ascent at the
    start; `forget_weight` is 1 / beta in Zhang et al. 2024 (arXiv 2404.05868) and 2 / beta in OpenUnlearning.
    """

    name: ClassVar[str] = "dpo"
    paper: ClassVar[str] = "Rafailov et al. 2023, arXiv 2305.18290; with refusals Maini et al. 2024, arXiv 2401.06121"
    needs: ClassVar[Needs] = Needs(retain=True, refusals=True, reference="log_probs")

    beta: Annotated[Positive, Doc("inverse temperature of the preference, per summed nat")] = 0.1
    forget_weight: Annotated[NonNegative, Doc("weight of the preference loss")] = 1.0
    retain_weight: Annotated[NonNegative, Doc("weight of the retain cross-entropy")] = 1.0

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """-log sigmoid(beta log(p / p_ref)(refusals) - beta log(p / p_ref)(forget)) + CE(retain), each weighted."""
        refusal, answer = (
            policy.answer_log_probs(rows) - reference.answer_log_probs(rows)
            for rows in (refusals_of(batch), forget_of(batch))
        )
        yield Term("forget", self.forget_weight * dpo(refusal, answer, self.beta).mean())
        if self.retain_weight:
            retain = cross_entropy(*policy.token_log_probs(retain_of(batch))).mean()
            yield Term("retain", self.retain_weight * retain)
