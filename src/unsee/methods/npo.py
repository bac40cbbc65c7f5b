"""Negative preference optimisation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from typing_extensions import Doc

from unsee.losses.likelihood import cross_entropy
from unsee.losses.preference import npo, npo_over_vocabulary
from unsee.methods.method import Needs, NonNegative, Positive, Reference, Term, UnlearnBatch, forget_of, retain_of

if TYPE_CHECKING:
    from unsee.vlm.policy import Policy


@dataclass(frozen=True)
class NPO:
    """Push forget answers below their starting likelihood, with a pull that fades; descend on retain examples.

    The variant `clear_repo` is what CLEAR's repository computes, there with beta 1 and retain_weight 0: a ratio for
    every word of the vocabulary at every position, question, image and padding too, with no regard to the answer.
    """

    name: ClassVar[str] = "npo"
    paper: ClassVar[str] = "Zhang et al. 2024, arXiv 2404.05868"
    needs: ClassVar[Needs] = Needs(retain=True, reference="log_probs")

    beta: Annotated[Positive, Doc("inverse temperature of the preference, per summed nat")] = 0.1
    forget_weight: Annotated[NonNegative, Doc("weight of the preference loss")] = 1.0
    retain_weight: Annotated[NonNegative, Doc("weight of the retain cross-entropy")] = 1.0
    variant: Annotated[Literal["published", "clear_repo"], Doc("the published loss, or that of CLEAR's code")] = (
        "published"
    )

    def __post_init__(self) -> None:
        """The variant looks at whole distributions, where the published loss needs one number an answer."""
        if self.variant == "clear_repo":
            object.__setattr__(self, "needs", replace(self.needs, reference="distribution"))

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """(2 / beta) log(1 + (p / p_ref)^beta)(forget) + CE(retain), each weighted."""
        rows = forget_of(batch)
        if self.variant == "clear_repo":
            frozen = reference.all_logits(rows)
            forget = npo_over_vocabulary(policy.all_logits(rows), frozen, self.beta)
        else:
            frozen = reference.answer_log_probs(rows)
            forget = npo(policy.answer_log_probs(rows), frozen, self.beta).mean()
        yield Term("forget", self.forget_weight * forget)
        if self.retain_weight:
            retain = cross_entropy(*policy.token_log_probs(retain_of(batch))).mean()
            yield Term("retain", self.retain_weight * retain)
