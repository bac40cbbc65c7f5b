"""When switching an adapter off gives the starting model, and what its log-probabilities depend on beside weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import AdaLoraConfig, IA3Config, LoraConfig, get_peft_model
from torch import nn

from tests import tiny
from tests.vlm.test_reference import logits_of, stir
from unsee.vlm import LoadedModel, LoraOptions, Policy, load
from unsee.vlm.reference import CopyReference, setup_digest, starts_at_base


def lora(model: Any, **options: Any) -> Any:
    return get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj", "fc1"], **options))


def with_moving_head(model: Any) -> Any:
    model.get_output_embeddings().weight.requires_grad_(True)
    return model


def merged(model: Any) -> Any:
    model.merge_adapter()
    return model


NOT_AT_BASE: dict[str, Callable[[nn.Module], nn.Module]] = {
    "dora": lambda model: lora(model, use_dora=True),  # equal to the base but for rounding
    "bias of the base": lambda model: lora(model, bias="lora_only"),  # moves, and stays when the adapter is off
    "bias of its own": lambda model: lora(model, lora_bias=True),
    "copied module": lambda model: lora(model, modules_to_save=["lm_head"]),
    "both factors": lambda model: lora(model, init_lora_weights=False),
    "beside the adapter": lambda model: with_moving_head(lora(model)),
    "merged": lambda model: merged(lora(model)),
    "adalora": lambda model: get_peft_model(model, AdaLoraConfig(target_modules=["q_proj"], total_step=10)),
    "ia3": lambda model: get_peft_model(model, IA3Config(target_modules=["q_proj"], feedforward_modules=[])),
}


@pytest.mark.parametrize("kind", NOT_AT_BASE)
def test_no_adapter_but_plain_lora_counts_as_its_base(kind: str) -> None:
    assert starts_at_base(lora(tiny.llava().model))
    assert not starts_at_base(NOT_AT_BASE[kind](tiny.llava().model))


@pytest.mark.parametrize("kind", ["dora", "bias of the base", "copied module", "adalora"])
def test_a_copy_of_an_adapted_model_is_its_starting_point(kind: str) -> None:
    loaded, examples = tiny.llava(), tiny.examples(3)
    loaded.model = NOT_AT_BASE[kind](loaded.model)
    expected = logits_of(loaded, examples)
    reference = CopyReference(Policy(loaded.model))
    stir(loaded.model)
    found = reference.answer_logits(loaded.encoder.batch(examples)).values
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    assert not torch.allclose(logits_of(loaded, examples), expected, atol=1e-4)


def test_the_digest_of_a_setup_sees_what_weights_do_not_tell(tmp_path: Path) -> None:
    def setup(change: Callable[[LoadedModel], Any] = lambda loaded: None, **options: Any) -> str:
        loaded = load(tmp_path, lora=LoraOptions(rank=2, **options), device="cpu")
        change(loaded)
        return setup_digest(loaded.model, loaded.encoder)

    def template(loaded: LoadedModel) -> None:
        loaded.processor.chat_template += " "

    def pictures(loaded: LoadedModel) -> None:
        loaded.processor.image_processor.image_mean = [0.5, 0.5, 0.5]

    def ends(loaded: LoadedModel) -> None:
        loaded.encoder.end_of_turn_ids |= {7}

    tiny.save(tiny.llava(), tmp_path)
    assert setup() == setup()
    assert len({setup(), setup(alpha=3), setup(template), setup(pictures), setup(ends)}) == 5
    plain = tiny.llava()
    assert setup_digest(plain.model, plain.encoder) == setup_digest(plain.model, tiny.llava().encoder)
