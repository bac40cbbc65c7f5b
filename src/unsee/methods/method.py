"""What an unlearning method is: its loss terms, and what it needs beside forget examples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Protocol

from annotated_types import Ge, Gt

if TYPE_CHECKING:  # methods can be listed, and their hyper-parameters checked, without the seconds that torch takes
    from torch import Tensor

    from unsee.vlm.encoding import Batch
    from unsee.vlm.policy import AnswerLogits, Policy

Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]


@dataclass(frozen=True)
class Needs:
    """What the trainer prepares for a method, exactly that and nothing else."""

    forget: bool = True  # examples to forget; False for controls that only see retain examples
    retain: bool = False  # examples to keep
    refusals: bool = False  # the forget questions, each answered by a refusal
    mismatched: bool = False  # the forget questions, each answered as another forget example is
    reference: Literal["nothing", "log_probs", "distribution"] = "nothing"  # of the frozen starting model
    saliency: bool = False  # a mask over the weights, from forget and preserve examples at the starting weights


@dataclass(frozen=True)
class UnlearnBatch:
    """What one forward and backward sees: the n-th examples of all roles belong together.

    Attributes:
        forget: examples to forget.
        retain: examples to keep.
        refusals: the same questions as `forget`, answered by a refusal that is fixed for each example.
        mismatched: the same questions as `forget`, each answered as another forget example is.
        step: optimizer steps before this one.
        epoch: whole passes over the forget set before this step.
    """

    forget: Batch | None
    retain: Batch | None
    refusals: Batch | None = None
    mismatched: Batch | None = None
    step: int = 0
    epoch: int = 0


class Reference(Protocol):
    """The frozen starting model, however it is realised."""

    def answer_log_probs(self, batch: Batch) -> Tensor:
        """Log-likelihood of each whole answer; shape (batch,), nats."""

    def answer_logits(self, batch: Batch) -> AnswerLogits:
        """Distributions at the answer tokens."""


@dataclass(frozen=True)
class Term:
    """One part of an objective, with a backward pass of its own.

    Attributes:
        name: for the logs. The terms that make the model forget are called "forget" or "refusals", so that a gate
            can be put before them.
        value: scalar to minimise.
        gated: let this term's gradient through the saliency mask alone; other terms are not touched by the mask.
    """

    name: str
    value: Tensor
    gated: bool = False


class Method(Protocol):
    """One unlearning algorithm. Implementations are frozen dataclasses: their fields are the hyper-parameters."""

    name: ClassVar[str]
    paper: ClassVar[str]
    needs: ClassVar[Needs]

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """Yield the terms one by one; each graph is freed by its backward pass before the next is built."""


def forget_of(batch: UnlearnBatch) -> Batch:
    """The forget examples, for methods that declare that they need them."""
    assert batch.forget is not None, "the method did not declare that it needs forget examples"
    return batch.forget


def retain_of(batch: UnlearnBatch) -> Batch:
    """The retain examples, for methods that declare that they need them."""
    assert batch.retain is not None, "the method did not declare that it needs retain examples"
    return batch.retain


def refusals_of(batch: UnlearnBatch) -> Batch:
    """The forget questions with refusals, for methods that declare that they need them."""
    assert batch.refusals is not None, "the method did not declare that it needs refusals"
    return batch.refusals


def mismatched_of(batch: UnlearnBatch) -> Batch:
    """The forget questions with answers of others, for methods that declare that they need them."""
    assert batch.mismatched is not None, "the method did not declare that it needs mismatched answers"
    return batch.mismatched
