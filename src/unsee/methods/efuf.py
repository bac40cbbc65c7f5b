"""EFUF: unlearn the objects that a model invents in its own captions, keep those that are there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from typing_extensions import Doc

from unsee.losses.preference import npo
from unsee.losses.spans import span_means, span_sums, token_weights, unlikelihood
from unsee.methods.method import Needs, NonNegative, Positive, Reference, Term, UnlearnBatch, forget_of

if TYPE_CHECKING:
    from torch import Tensor

    from unsee.vlm.batch import Spans
    from unsee.vlm.policy import Policy, TokenLogProbs

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
        Doc("how invented phrases are lowered: as published, or bounded, by token or as a whole"),
    ] = "ascent"
    negative_weight: Annotated[NonNegative, Doc("lambda_1, of the invented phrases")] = 0.3
    sentence_weight: Annotated[NonNegative, Doc("lambda_2, of whole captions that are to stay")] = 0.2
    weighting: Annotated[
        Literal["equal", "scores"], Doc("every span alike, or by its score (100 x cosine) as in the released code")
    ] = "equal"
    schedule: Annotated[
        Literal["constant", "decaying"], Doc("weights as published, or the released code's that fade over the run")
    ] = "constant"

    def terms(self, batch: UnlearnBatch, policy: Policy, reference: Reference) -> Iterator[Term]:
        """CE(real phrases) - lambda_1 CE(invented phrases) + lambda_2 CE(sentences), each a mean over its samples."""
        forget = forget_of(batch)
        assert forget.spans is not None, "the rows have no spans"
        log_probs = policy.token_log_probs(forget)
        weights = self._weights(forget.spans)
        raise_by, lower_by = self._factors(batch.step, batch.steps)
        losses = {
            "positive": raise_by * self._likelihood(log_probs, forget.spans, weights["positive"]),
            "negative": lower_by * self._lowered(log_probs, forget.spans, weights["negative"], batch, reference),
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
        """Weights of real and invented phrases at a step."""
        if self.schedule == "constant":
            return 1.0, self.negative_weight
        done = min(1.0, step / steps)
        return 1.0 - done / 2, self.negative_weight * min(1.0, (1.0 - done) / 0.6)

    @staticmethod
    def _likelihood(log_probs: TokenLogProbs, spans: Spans, weights: Tensor) -> Tensor:
        values = log_probs.values
        return -(token_weights(spans.places, weights.to(values.dtype), values.shape[1]) * values).sum(-1).mean()

    def _lowered(
        self, log_probs: TokenLogProbs, spans: Spans, weights: Tensor, batch: UnlearnBatch, reference: Reference
    ) -> Tensor:
        if self.negative == "ascent":
            return -self._likelihood(log_probs, spans, weights)
        values = log_probs.values
        if self.negative == "span_unlikelihood":
            # Spans of no weight are left out before the logarithm: the mean of no tokens is 0, whose p is 1.
            means = span_means(values, spans.places).masked_fill(weights == 0, -1.0)
            return (weights.to(values.dtype) * unlikelihood(means)).sum(-1).mean()
        per_token = token_weights(spans.places, weights.to(values.dtype), values.shape[1])
        # Tokens of no weight are left out before the logarithm: the padding's p is 1.
        losses = unlikelihood(values.masked_fill(per_token == 0, -1.0))
        return (per_token * losses).sum(-1).mean()


@dataclass(frozen=True)
class EFUFNPO(EFUF):
    """EFUF with negative preference optimisation on the invented phrases: the pull fades once a phrase is unlikely."""

    name: ClassVar[str] = "efuf_npo"
    paper: ClassVar[str] = "Xing et al. 2024, arXiv 2402.09801, with the loss of Zhang et al. 2024, arXiv 2404.05868"
    needs: ClassVar[Needs] = Needs(spans=True, reference="distribution")

    beta: Annotated[Positive, Doc("inverse temperature of the preference, per summed nat of a phrase")] = 0.1

    def _lowered(
        self, log_probs: TokenLogProbs, spans: Spans, weights: Tensor, batch: UnlearnBatch, reference: Reference
    ) -> Tensor:
        forget = forget_of(batch)
        frozen = reference.answer_logits(forget).token_log_probs(forget.labels).values
        current, start = span_sums(log_probs.values, spans.places), span_sums(frozen, spans.places)
        return (weights.to(current.dtype) * npo(current, start, self.beta)).sum(-1).mean()
