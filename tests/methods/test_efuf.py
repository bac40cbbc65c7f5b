"""EFUF's objective: many spans in one forward pass are what separate rows are, and the published weights."""

from __future__ import annotations

from dataclasses import replace
from math import exp, log
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from tests import tiny
from tests.families import Build, each_family
from unsee.data import Example
from unsee.data.example import AnswerSpan
from unsee.data.span_weights import balanced
from unsee.errors import InputError
from unsee.losses.spans import span_unlikelihood, token_weights, unlikelihood
from unsee.methods import UnlearnBatch
from unsee.methods.efuf import EFUF, EFUFNPO
from unsee.training.config import UnlearnConfig
from unsee.training.trainer import UnlearnTrainer
from unsee.vlm import IGNORED, AnswerLogits, Batch, Policy, TokenLogProbs
from unsee.vlm.batch import Spans
from unsee.vlm.reference import FrozenReference, NoReference

CAPTION = "Ada Byron lives in London, Oslo is red, blue and green Lima"
PHRASES: dict[Literal["positive", "negative"], tuple[str, ...]] = {
    "positive": ("Ada Byron lives in London", ", blue"),
    "negative": ("Oslo is red", "and green Lima"),
}
PHOTO = tiny.picture(3, (40, 40))


def caption_row(**weights: float) -> Example:
    spans = [
        AnswerSpan(CAPTION.index(phrase), CAPTION.index(phrase) + len(phrase), role, weights.get(role, 1.0))
        for role, phrases in PHRASES.items()
        for phrase in phrases
    ]
    spans.append(AnswerSpan(0, len(CAPTION), "sentence", weights.get("sentence", 1.0)))
    return Example("What is this?", CAPTION, PHOTO, spans=tuple(spans))


class Given:
    """A policy that finds each token as likely as a test says."""

    def __init__(self, losses: Tensor) -> None:
        self.losses = losses

    def token_log_probs(self, batch: Batch) -> TokenLogProbs:
        return TokenLogProbs(-self.losses, torch.ones_like(self.losses, dtype=torch.bool))

    def token_log_odds(self, batch: Batch) -> Tensor:
        return -self.losses.expm1().log()


def batch_of(spans: list[tuple[int, int, int, float, float]], length: int) -> UnlearnBatch:
    places, roles, weights, scores = (
        [[(start, end) for start, end, *_ in spans]],
        [[role for _, _, role, _, _ in spans]],
        [[weight for *_, weight, _ in spans]],
        [[score for *_, score in spans]],
    )
    found = Spans(torch.tensor(places), torch.tensor(roles), torch.tensor(weights), torch.tensor(scores))
    labels = torch.zeros(1, length, dtype=torch.long)
    return UnlearnBatch(Batch({}, labels, torch.tensor([0]), found), None)


def value_of(method: EFUF, batch: UnlearnBatch, losses: list[float]) -> float:
    policy: Any = Given(torch.tensor([losses], dtype=torch.float64))
    (term,) = method.terms(batch, policy, NoReference())
    assert sum(part.item() for part in term.parts.values()) == pytest.approx(term.value.item(), abs=1e-12)
    return term.value.item()


# Token losses of the worked example: a positive phrase, a negative one, and a sentence with its end of turn.
LOSSES = [2.0, 1.0, 0.6, 1.5, 0.5, 0.8, 0.4, 0.1]
WORKED = batch_of([(0, 3, 0, 1.0, 33.0), (3, 5, 1, 1.0, 21.0), (5, 8, 2, 1.0, 30.0)], 8)


def test_vector_the_published_objective() -> None:
    assert value_of(EFUF(), WORKED, LOSSES) == pytest.approx(1.2 - 0.3 * 1.0 + 0.2 * 1.3 / 3, abs=1e-7)
    assert value_of(EFUF(), WORKED, LOSSES) == pytest.approx(0.986667, abs=1e-6)


def test_scores_weigh_spans_as_the_released_code_does() -> None:
    expected = 33 * 1.2 - 0.3 * (55 - 21) * 1.0 + 0.2 * 30 * 1.3 / 3
    assert value_of(EFUF(weighting="scores"), WORKED, LOSSES) == pytest.approx(expected, abs=1e-5)


def test_vector_packed_weights() -> None:
    places, weights = torch.tensor([[(0, 3), (2, 4)]]), torch.tensor([[33.0, -10.2]], dtype=torch.float64)
    found = token_weights(places, weights, 4)
    assert found[0].tolist() == pytest.approx([11, 11, 5.9, -5.1], abs=1e-12)
    assert (found[0] * torch.tensor([1, 2, 0.5, 1])).sum().item() == pytest.approx(30.85, abs=1e-12)


@pytest.mark.parametrize(
    ("step", "positive", "negative"),
    [
        (0, 1, 0.3), (399, 0.8005, 0.3), (400, 0.8, 0.3), (401, 0.7995, 0.2995), (500, 0.75, 0.25), (700, 0.65, 0.15),
        (999, 0.5005, 0.0005), (1000, 0.5, 0), (1500, 0.5, 0),
    ],
)  # fmt: skip
def test_vector_the_decaying_schedule(step: int, positive: float, negative: float) -> None:
    batch = replace(WORKED, step=step, steps=1000)
    expected = positive * 1.2 - negative * 1.0 + 0.2 * 1.3 / 3
    assert value_of(EFUF(schedule="decaying"), batch, LOSSES) == pytest.approx(expected, abs=1e-7)


@each_family
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
def test_one_packed_forward_is_what_separate_rows_are(build: Build, dtype: torch.dtype, tolerance: float) -> None:
    loaded = build()
    loaded.model.to(dtype).eval()
    policy, row = _Exact(loaded.model), caption_row()
    packed = loaded.encoder.batch([row])
    assert packed.spans is not None
    (term,) = EFUF().terms(UnlearnBatch(_as(packed, dtype), None), policy, NoReference())

    ids = packed.labels[0]
    expected = torch.zeros((), dtype=dtype)
    for (start, end), role in zip(packed.spans.places[0].tolist(), packed.spans.roles[0].tolist(), strict=True):
        behind = len(ids) - end  # a row that ends where the span does
        inputs = {
            name: value[:, : value.shape[1] - behind]
            if value.dim() == 2 and value.shape == packed.inputs["input_ids"].shape
            else value
            for name, value in packed.inputs.items()
        }
        alone = Batch(inputs, packed.labels[:, :end], packed.indices)
        loss = -policy.token_log_probs(_as(alone, dtype)).values[0, start:].mean()
        expected = expected + {0: 1.0, 1: -0.3, 2: 0.2}[role] * loss
    assert term.value.item() == pytest.approx(expected.item(), rel=tolerance)
    if dtype is torch.float64:
        weights = [weight for weight in loaded.model.parameters() if weight.requires_grad]
        once = torch.autograd.grad(term.value, weights, allow_unused=True)
        apart = torch.autograd.grad(expected, weights, allow_unused=True)
        assert [one is None for one in once] == [other is None for other in apart]
        pairs = [(one, other) for one, other in zip(once, apart, strict=True) if one is not None and other is not None]
        largest = max(float(other.abs().max()) for _, other in pairs)
        off = max(float((one - other).abs().max()) for one, other in pairs)
        assert off <= 1e-6 * largest  # norms are in single precision whatever the model's is


class _Exact(Policy):
    """A policy whose logits keep the model's own precision."""

    def answer_logits(self, batch: Batch) -> AnswerLogits:
        return AnswerLogits(self._logits(batch), batch.labels != IGNORED)


def _as(batch: Batch, dtype: torch.dtype) -> Batch:
    inputs = {name: value.to(dtype) if value.is_floating_point() else value for name, value in batch.inputs.items()}
    return replace(batch, inputs=inputs)


@each_family
def test_spans_are_the_tokens_of_their_characters(build: Build) -> None:
    encoder = build().encoder
    row = caption_row()
    batch = encoder.batch([Example("Where?", "Riga"), row])
    assert batch.spans is not None
    assert batch.spans.roles[0].tolist() == [-1] * 5
    assert batch.spans.weights[0].tolist() == [0.0] * 5
    for span, (start, end) in zip(row.spans, batch.spans.places[1].tolist(), strict=True):
        said = encoder.tokenizer.decode(batch.labels[1, start:end], skip_special_tokens=True)
        assert said.strip() == CAPTION[span.start : span.end].strip()
    assert batch.spans.places[1, -1].tolist() == [
        batch.labels.shape[1] - len(encoder.answer_ids(row)),
        batch.labels.shape[1],
    ]


def test_bounded_negatives_have_the_values_of_their_formulas() -> None:
    rest = 1.2 + 0.2 * 1.3 / 3
    unlikely = (-log(1 - exp(-1.5)) - log(1 - exp(-0.5))) / 2
    assert value_of(EFUF(negative="unlikelihood"), WORKED, LOSSES) == pytest.approx(rest + 0.3 * unlikely, abs=1e-7)
    as_a_whole = -log(1 - exp(-(1.5 + 0.5) / 2))
    whole = EFUF(negative="span_unlikelihood")
    assert value_of(whole, WORKED, LOSSES) == pytest.approx(rest + 0.3 * as_a_whole, abs=1e-7)

    start: Any = Given(torch.tensor([LOSSES], dtype=torch.float64))
    start.answer_logits = lambda batch: SimpleNamespace(token_log_probs=lambda labels: start.token_log_probs(batch))
    current: Any = Given(start.losses + 1.0)  # two tokens a nat less likely each
    (term,) = EFUFNPO(beta=0.4).terms(WORKED, current, start)
    assert term.parts["negative"].item() == pytest.approx(0.3 * (2 / 0.4) * log(1 + exp(-0.8)), abs=1e-7)


def test_npo_starts_with_the_gradient_of_ascent() -> None:
    gradients = []
    for method in (EFUF(sentence_weight=0.0), EFUFNPO(sentence_weight=0.0)):
        loaded = tiny.llava()
        row = replace(caption_row(), spans=caption_row().spans[2:3])  # one hallucinated phrase
        batch = loaded.encoder.batch([row])
        frozen = FrozenReference(Policy(tiny.llava().model))
        (term,) = method.terms(UnlearnBatch(batch, None), Policy(loaded.model), frozen)
        term.value.backward()
        model: Any = loaded.model
        gradients.append(model.get_input_embeddings().weight.grad)
        assert batch.spans is not None
        tokens = int((batch.spans.places[0, 0, 1] - batch.spans.places[0, 0, 0]).item())
    assert gradients[1] == pytest.approx(gradients[0] * tokens, abs=1e-5)  # a sum over the phrase, not a mean


def test_span_unlikelihood_leaves_alone_what_could_not_be_said_otherwise() -> None:
    # Log odds are logits against a single other word, so that the gradient is the push on the token's own logit.
    places, odds = torch.tensor([[[0, 2]]]), torch.tensor([[14.0, 0.5]], dtype=torch.float64, requires_grad=True)
    pushed = {}
    for name, loss in (("token", unlikelihood(odds)), ("span", span_unlikelihood(odds, places))):
        (pushed[name],) = torch.autograd.grad(loss.sum(), odds)
    assert pushed["token"][0, 0] > 0.99
    assert pushed["span"][0, 0] < 1e-4 * pushed["span"][0, 1]


def test_unlikelihood_by_hand() -> None:
    odds = torch.tensor([-50.0, 0.0, 50.0])
    # p = 1/2: ln 2; p = 1 - e^-50: 50 nats, where 1 - p is 0 in single precision
    assert unlikelihood(odds).tolist() == pytest.approx([0.0, log(2), 50.0], abs=1e-6)
    # p = 1/2 and 1/3, geometric mean 1/sqrt(6); no span counts nothing
    spans = span_unlikelihood(torch.tensor([[0.0, -log(2)]]), torch.tensor([[[0, 2], [1, 1], [0, 1]]]))
    assert spans[0].tolist() == pytest.approx([-log(1 - 6**-0.5), 0.0, log(2)], abs=1e-6)


def test_balanced_weights_make_batch_means_the_mean_over_all_spans() -> None:
    rows = [caption_row(), replace(caption_row(), spans=caption_row().spans[:1]), Example("Where?", "Riga")]
    found = balanced(rows)
    for role, spans in (("positive", 3), ("negative", 2), ("sentence", 1)):
        weights = [span.weight for row in found for span in row.spans if span.role == role]
        assert weights == pytest.approx([3 / spans] * spans)


def test_rows_without_spans_are_refused() -> None:
    with pytest.raises(InputError, match="no row has a span"):
        balanced([Example("Where?", "Riga")])


def test_weights_by_score_refuse_probabilities(tmp_path: Path) -> None:
    row = caption_row()
    unlikely = replace(row, spans=tuple(replace(span, score=0.4) for span in row.spans))
    with pytest.raises(InputError, match="these are probabilities"):
        UnlearnTrainer(
            tiny.llava(), UnlearnConfig(str(tmp_path)), method=EFUF(weighting="scores"), forget=[unlikely], retain=[]
        )
