"""The frozen starting model: adapter off, remembered numbers, or a copy; all of them the same as that model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tests import tiny
from tests.families import Build, every_family, weights_of
from unsee.data import Example
from unsee.vlm import PARTS, LoadedModel, LoraOptions, Part, Policy, load
from unsee.vlm.parts import freeze_other_parts
from unsee.vlm.reference import (
    AdapterOffReference,
    CachedReference,
    CopyReference,
    NoReference,
    starts_at_base,
    weights_digest,
)


def with_lora(
    build: Build, folder: Path, parts: tuple[Part, ...] = PARTS, **options: Any
) -> tuple[LoadedModel, LoadedModel]:
    """A base, and the same base with a fresh adapter."""
    tiny.save(build(), folder)
    return load(folder, device="cpu"), load(folder, parts=parts, lora=LoraOptions(rank=2, **options), device="cpu")


def stir(model: nn.Module, amount: float = 0.1) -> None:
    """Move every weight that may move, as training would."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(amount * torch.randn(weight.shape, generator=generator))


@torch.no_grad()
def logits_of(loaded: LoadedModel, examples: list[Example]) -> Tensor:
    loaded.model.eval()
    return Policy(loaded.model).answer_logits(loaded.encoder.batch(examples)).values


@every_family
def test_adapter_off_is_the_base_bit_for_bit(build: Build, tmp_path: Path) -> None:
    base, adapted = with_lora(build, tmp_path)
    stir(adapted.model)
    examples = tiny.examples(5)
    expected = logits_of(base, examples)
    assert not torch.equal(logits_of(adapted, examples), expected)
    reference, batch = AdapterOffReference(Policy(adapted.model)), adapted.encoder.batch(examples)
    assert torch.equal(reference.answer_logits(batch).values, expected)
    scores = Policy(base.model).answer_log_probs(batch)
    assert torch.equal(reference.answer_log_probs(batch), scores)


@every_family
@pytest.mark.parametrize("training", [True, False])
def test_adapter_off_leaves_the_model_as_it_was(build: Build, training: bool, tmp_path: Path) -> None:
    base, adapted = with_lora(build, tmp_path, ("vision", "language"), dropout=0.5)
    stir(adapted.model)
    model, examples = adapted.model, tiny.examples(3)
    attentions: list[Any] = [module for module in model.modules() if hasattr(module, "attention_dropout")]
    for attention in attentions:
        attention.attention_dropout = 0.5
    batch = adapted.encoder.batch(examples)
    dropouts = [module for module in model.modules() if isinstance(module, nn.Dropout) and module.p == 0.5]
    assert dropouts
    freeze_other_parts(model, ("language",))  # some adapters stay, and may not move
    before = logits_of(adapted, examples)
    model.train(training)
    moving = {name: weight.requires_grad for name, weight in model.named_parameters()}
    state = torch.random.get_rng_state()
    # Dropout is off in the reference even while the policy trains, and draws no random number ...
    assert torch.equal(AdapterOffReference(Policy(model)).answer_logits(batch).values, logits_of(base, examples))
    assert torch.equal(torch.random.get_rng_state(), state)
    # ... and everything is as before afterwards.
    assert all(module.training == training for module in dropouts)
    assert model.training == training
    assert {name: weight.requires_grad for name, weight in model.named_parameters()} == moving
    assert torch.equal(logits_of(adapted, examples), before)


def test_adapter_off_is_left_again_when_the_forward_pass_fails(tmp_path: Path) -> None:
    _, adapted = with_lora(tiny.llava, tmp_path)
    stir(adapted.model)
    adapted.model.train()
    batch = adapted.encoder.batch(tiny.examples(2))
    moved = Policy(adapted.model).answer_logits(batch).values

    def fail(*arguments: Any) -> None:
        raise RuntimeError("out of memory")

    hook = adapted.model.register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        AdapterOffReference(Policy(adapted.model)).answer_logits(batch)
    hook.remove()
    assert adapted.model.training
    assert torch.equal(Policy(adapted.model).answer_logits(batch).values, moved)
    assert not torch.equal(AdapterOffReference(Policy(adapted.model)).answer_logits(batch).values, moved)


@every_family
def test_only_a_fresh_adapter_starts_at_its_base(build: Build, tmp_path: Path) -> None:
    base, adapted = with_lora(build, tmp_path)
    assert not starts_at_base(base.model)
    assert starts_at_base(adapted.model)
    name, weight = next((name, weight) for name, weight in adapted.model.named_parameters() if "lora_B" in name)
    with torch.no_grad():
        weight[0, 0] = 1e-6
    assert not starts_at_base(adapted.model), name


@every_family
def test_cached_log_probs_equal_asking_afresh(build: Build, tmp_path: Path) -> None:
    loaded, examples = build(), tiny.examples(7)
    loaded.model.train()
    batches, path = [[0, 1, 2], [3, 4, 5], [6, 0, 1]], tmp_path / "r.safetensors"
    cached = CachedReference.compute(Policy(loaded.model), loaded.encoder, examples, batches, path, "key")
    assert loaded.model.training
    batch = loaded.encoder.batch([examples[5], examples[0], examples[2]], indices=[5, 0, 2])
    with torch.no_grad():
        afresh = Policy(loaded.model.eval()).answer_log_probs(batch)
    torch.testing.assert_close(cached.answer_log_probs(batch), afresh, rtol=0, atol=1e-5)
    assert not cached.log_probs.requires_grad


def test_cached_log_probs_are_read_under_the_same_key_and_made_anew_under_another(tmp_path: Path) -> None:
    loaded, examples, path = tiny.llava(), tiny.examples(4), tmp_path / "reference.safetensors"
    batches = [[0, 1], [2, 3]]
    made = CachedReference.compute(Policy(loaded.model), loaded.encoder, examples, batches, path, "one").log_probs
    # Put other numbers under the same key, to see whether they are read.
    save_file({"log_probs": made - 7.0}, path, metadata={"key": "one"})
    again = CachedReference.compute(Policy(loaded.model), loaded.encoder, examples, batches, path, "one").log_probs
    assert torch.equal(again, made - 7.0)
    other = CachedReference.compute(Policy(loaded.model), loaded.encoder, examples, batches, path, "two").log_probs
    assert torch.equal(other, made)
    assert [file.name for file in tmp_path.iterdir()] == ["reference.safetensors"]


@every_family
def test_the_digest_of_weights_sees_every_weight(build: Build) -> None:
    model = build().model
    digest = weights_digest(model)
    assert digest == weights_digest(build().model)
    assert digest != weights_digest(build(seed=1).model)
    assert digest != weights_digest(build().model.to(torch.bfloat16))
    last = list(model.parameters())[-1]
    with torch.no_grad():
        last.view(-1)[-1] += 1e-6
    assert digest != weights_digest(model)


def test_the_digest_of_an_adapted_model_sees_the_adapter(tmp_path: Path) -> None:
    _, adapted = with_lora(tiny.llava, tmp_path)
    digest = weights_digest(adapted.model)
    stir(adapted.model, 1e-3)
    assert weights_digest(adapted.model) != digest


@every_family
def test_a_copy_stays_when_the_model_moves(build: Build) -> None:
    loaded, examples = build(), tiny.examples(3)
    start = weights_of(loaded.model)
    expected = logits_of(loaded, examples)
    loaded.model.train()
    copy = CopyReference(Policy(loaded.model))
    assert loaded.model.training
    assert not copy.policy.model.training
    assert not any(weight.requires_grad for weight in copy.policy.model.parameters())
    assert all(weight.requires_grad for weight in loaded.model.parameters())
    stir(loaded.model)
    batch = loaded.encoder.batch(examples)
    assert torch.equal(copy.answer_logits(batch).values, expected)
    assert all(torch.equal(weight, start[name]) for name, weight in weights_of(copy.policy.model).items())


def test_a_reference_that_was_not_asked_for_says_so() -> None:
    loaded = tiny.llava()
    batch = loaded.encoder.batch(tiny.examples(1))
    for ask in (NoReference().answer_log_probs, NoReference().answer_logits):
        with pytest.raises(RuntimeError, match="did not declare"):
            ask(batch)
    with pytest.raises(RuntimeError, match="log-probabilities alone"):
        CachedReference(torch.zeros(1)).answer_logits(batch)
