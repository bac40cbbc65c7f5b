"""EFUF: unlearn the objects that a model hallucinates in its own captions, keep those that are there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from typing_extensions import Doc

from unsee.losses.preference import npo, softplus
from unsee.losses.spans import span_sums, span_unlikelihood, token_weights, unlikelihood
from unsee.methods.method import Needs, NonNegative, Positive, Reference, Term, UnlearnBatch, forget_of

if TYPE_CHECKING:
    from torch import Tensor

    from unsee.vlm.batch import Spans
    from unsee.vlm.policy import Policy

THRESHOLDS = 32.0 + 23.0  # of positive and negative phrases together: the released code's weights count from it


@dataclass(frozen=True)
class EFUF:
    """Raise the phrases of a caption that are in the picture, lower those that are not, hold whole sentences.

    Forget rows are captions with weighted spans, as `unsee mine` writes them. All spans of a caption ride in one
    forward pass: as token weights they cost what separate rows would.

    Two bounded terms may take the place of ascent. `unlikelihood` is -log(1 - p) of each token, which pushes hardest
    on what is certain, articles and word endings among it, and costs grammar and recall. `span_unlikelihood` is
    -log(1 - p) with p the geometric mean over the span's tokens: it acts where the model could have said something
    else, as ascent does, and ends as unlikelihood does.
    """

    name: ClassVar[str] = "efuf"
    paper: ClassVar[str] = "Xing et al. 2024, arXiv 2402.09801"
    needs: ClassVar[Needs] = Needs(spans=True)

    negative: Annotated[
        Literal["ascent", "unlikelihood", "span_unlikelihood"],
        Doc("how hallucinated phrases are lowered: as published, or bounded, by token or as a whole"),
    ] = "ascent"
    negative_weight: Annotated[NonNegative, Doc("lambda_1, of the hallucinated phrases")] = 0.3
    sentence_weight: Annotated[NonNegative, Doc("lambda_2, of whole captions that are to stay")] = 0.2
    weighting: Annotated[
        Literal["equal", "scores"], Doc("every span alike, or by its score (100 x cosine) as in the released code")
    ] = "equal"
    schedule: Annotated[
        Literal["constant", "decaying"], Doc("weights as published, or the released code's that fade over the run")
    ] = "constant"

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """CE(real phrases) - lambda_1 CE(hallucinated phrases) + lambda_2 CE(sentences), each a mean over its
        samples."""
        forget = forget_of(batch)
        assert forget.spans is not None, "the rows have no spans"
        odds = policy.token_log_odds(forget)
        log_probs = -softplus(-odds)
        weights = self._weights(forget.spans)
        raise_by, lower_by = self._factors(batch.step, batch.steps)
        losses = {
            "positive": raise_by * self._likelihood(log_probs, forget.spans, weights["positive"]),
            "negative": lower_by * self._lowered(odds, weights["negative"], batch, reference),
            "sentence": self.sentence_weight * self._likelihood(log_probs, forget.spans, weights["sentence"]),
        }
        yield Term("forget", sum(losses.values(), losses["positive"].new_zeros(())), parts=losses)

    def _weights(self, spans: Spans) -> dict[str, Tensor]:
        counted = {role: spans.weights * (spans.roles == place) for place, role in enumerate(("positive", "negative"))}
        sentence = spans.weights * (spans.roles == 2)
        if self.weighting == "scores":
            counted = {
                "positive": counted["positive"] * spans.scores,
                "negative": counted["negative"] * (THRESHOLDS - spans.scores),
            }
            sentence = sentence * spans.scores
        return {**counted, "sentence": sentence}

    def _factors(self, step: int, steps: int) -> tuple[float, float]:
        """Weights of real and hallucinated phrases at a step."""
        if self.schedule == "constant":
            return 1.0, self.negative_weight
        done = min(1.0, step / steps)
        return 1.0 - done / 2, self.negative_weight * min(1.0, (1.0 - done) / 0.6)

    @staticmethod
    def _likelihood(log_probs: Tensor, spans: Spans, weights: Tensor) -> Tensor:
        per_token = token_weights(spans.places, weights.to(log_probs.dtype), log_probs.shape[1])
        return -(per_token * log_probs).sum(-1).mean()

    def _lowered(self, odds: Tensor, weights: Tensor, batch: UnlearnBatch, reference: Reference) -> Tensor:
        """The term of hallucinated phrases, from the log odds of each token; a mean over samples."""
        spans = forget_of(batch).spans
        assert spans is not None
        if self.negative == "ascent":
            return -self._likelihood(-softplus(-odds), spans, weights)
        if self.negative == "span_unlikelihood":
            return (weights.to(odds.dtype) * span_unlikelihood(odds, spans.places)).sum(-1).mean()
        per_token = token_weights(spans.places, weights.to(odds.dtype), odds.shape[1])
        return (per_token * unlikelihood(odds)).sum(-1).mean()


@dataclass(frozen=True)
class EFUFNPO(EFUF):
    """EFUF with negative preference optimisation on the hallucinated phrases: the pull fades once a phrase is
    unlikely."""

    name: ClassVar[str] = "efuf_npo"
    paper: ClassVar[str] = "Xing et al. 2024, arXiv 2402.09801, with the loss of Zhang et al. 2024, arXiv 2404.05868"
    needs: ClassVar[Needs] = Needs(spans=True, reference="distribution")

    beta: Annotated[Positive, Doc("inverse temperature of the preference, per summed nat of a phrase")] = 0.1

    def _lowered(self, odds: Tensor, weights: Tensor, batch: UnlearnBatch, reference: Reference) -> Tensor:
        forget = forget_of(batch)
        assert forget.spans is not None
        frozen = reference.answer_logits(forget).token_log_probs(forget.labels).values
        current, start = (span_sums(each, forget.spans.places) for each in (-softplus(-odds), frozen))
        return (weights.to(current.dtype) * npo(current, start, self.beta)).sum(-1).mean()
