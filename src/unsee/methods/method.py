"""What an unlearning method is: its loss terms, and what it needs beside forget examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Protocol, runtime_checkable

from annotated_types import Ge, Gt, Le

if TYPE_CHECKING:  # methods can be listed, and their hyper-parameters checked, without the seconds that torch takes
    from torch import Tensor

    from unsee.vlm.batch import Batch
    from unsee.vlm.change import WeightChange
    from unsee.vlm.policy import AnswerLogits, HiddenStates, Policy

Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
Fraction = Annotated[float, Gt(0), Le(1)]


@dataclass(frozen=True)
class Needs:
    """What the trainer prepares for a method, exactly that and nothing else."""

    forget: bool = True  # examples to forget; False for controls that only see retain examples
    retain: bool = False  # examples to keep
    refusals: bool = False  # the forget questions, each answered by a refusal
    mismatched: bool = False  # the forget questions, each answered as another forget example is
    reference: Literal["nothing", "log_probs", "distribution"] = "nothing"  # of the frozen starting model
    spans: bool = False  # of the answers to forget, to be raised or lowered: captions as `unsee mine` reads them
    saliency: bool = False  # a mask over the weights, from forget and preserve examples at the starting weights
    start: bool = False  # the starting weights once more when training is over, for `finish`


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
        steps: optimizer steps of the whole run.
        prepared: what the method's `prepare` has returned.
    """

    forget: Batch | None
    retain: Batch | None
    refusals: Batch | None = None
    mismatched: Batch | None = None
    step: int = 0
    epoch: int = 0
    steps: int = 1
    prepared: Mapping[str, Tensor] = field(default_factory=dict)


class Reference(Protocol):
    """The frozen starting model, however it is realised."""

    def answer_log_probs(self, batch: Batch) -> Tensor:
        """Log-likelihood of each whole answer; shape (batch,), nats."""

    def answer_logits(self, batch: Batch) -> AnswerLogits:
        """Distributions at the answer tokens."""

    def all_logits(self, batch: Batch) -> Tensor:
        """Logits at every position, not at the answers alone."""

    def hidden_states(self, batch: Batch, depth: float) -> HiddenStates:
        """What the decoder holds at a fraction of its layers, at every position."""


@dataclass(frozen=True)
class Term:
    """One part of an objective, with a backward pass of its own.

    Attributes:
        name: for the logs. The terms that make the model forget are called "forget", "refusals" or "mismatched": where
            there is a saliency mask, their gradients pass through it, and those of other terms past it.
        value: scalar to minimise.
        parts: what the value is made of, for the logs alone.
    """

    name: str
    value: Tensor

    @property
    def forgets(self) -> bool:
        """Whether a mask stands before this term."""
        return self.name in ("forget", "refusals", "mismatched")

    parts: Mapping[str, Tensor] = field(default_factory=dict)


class Method(Protocol):
    """One unlearning algorithm. Implementations are frozen dataclasses: their fields are the hyper-parameters."""

    name: ClassVar[str]
    paper: ClassVar[str]
    needs: ClassVar[Needs]

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """Yield the terms one by one; each graph is freed by its backward pass before the next is built."""


def needs_of(method: Method) -> Needs:
    """What a method needs as it is set: no retain examples where every weight on them is 0."""
    weights = [getattr(method, name) for name in ("retain_weight", "kl_weight") if hasattr(method, name)]
    return method.needs if any(weights) or not weights else replace(method.needs, retain=False)


def without_retain(method: Method) -> str:
    """What somebody can do who has no retain examples, to append to a message."""
    weights = [f"{name}=0" for name in ("retain_weight", "kl_weight") if hasattr(method, name)]
    does_without = f", or do without: --set {' --set '.join(weights)}" if weights else ""
    return f"add --retain FILE (`unsee data retain` makes one from what the model says){does_without}"


@runtime_checkable
class Prepares(Protocol):
    """A method that makes something once, before the first step. It is kept with the run, and read on a resume."""

    def prepare(self, policy: Policy, seed: int, batch_size: int) -> dict[str, Tensor]:
        """Tensors that `terms` finds in `UnlearnBatch.prepared`.

        Args:
            policy: at the starting weights.
            seed: of the run; nothing else may be random.
            batch_size: examples of each role in a batch.
        """


@runtime_checkable
class Finishes(Protocol):
    """A method that edits the weights once, after the last step."""

    def finish(self, change: WeightChange, seed: int) -> None:
        """Edit the weights in place.

        Args:
            change: the trained weights; beside the starting ones when the method declares that it needs them.
            seed: of the run; nothing else may be random.
        """


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
