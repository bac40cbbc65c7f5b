"""Vision, projector, language: every parameter has its place, and LoRA keeps to the parts that it is given."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from tests import tiny
from tests.architectures import gemma3
from tests.families import Build, every_family, family_of
from unsee.errors import InputError
from unsee.vlm import PARTS, LoraOptions, Policy, check_parts, load, part_of_parameters, trainable_per_part
from unsee.vlm.parts import bare_matrices, freeze_other_parts, linear_names
from unsee.vlm.reference import AdapterOffReference

# Where the parameters of each family lie: the longest prefix wins.
LLAVA = {
    "model.vision_tower.": "vision",
    "model.multi_modal_projector.": "projector",
    "model.language_model.": "language",
    "lm_head.": "language",
}
QWEN = {
    "model.visual.": "vision",
    "model.visual.merger.": "projector",
    "model.language_model.": "language",
    "lm_head.": "language",
}
IDEFICS = {
    "model.vision_model.": "vision",
    "model.connector.": "projector",
    "model.text_model.": "language",
    "lm_head.": "language",
}
PLACES = {
    "llava": LLAVA,
    "llava_next": LLAVA | {"model.image_newline": "projector"},
    "qwen2_vl": QWEN,
    "qwen2_5_vl": QWEN,
    "qwen3_vl": QWEN | {"model.visual.deepstack_merger_list.": "projector"},
    "idefics3": IDEFICS,
    "smolvlm": IDEFICS,
    "internvl": LLAVA,
    "gemma3": LLAVA,
}
subsets = pytest.mark.parametrize(
    "parts", [("vision",), ("projector",), ("language",), ("projector", "language"), PARTS], ids="+".join
)


def expected_part(family: str, name: str) -> str:
    prefix = max((prefix for prefix in PLACES[family] if name.startswith(prefix)), key=len)
    return PLACES[family][prefix]


@every_family
def test_every_parameter_belongs_to_the_right_part(build: Build) -> None:
    family, model = family_of(build), build().model
    found = part_of_parameters(model)
    assert list(found) == [name for name, _ in model.named_parameters()]
    assert found == {name: expected_part(family, name) for name in found}
    assert set(found.values()) == set(PARTS)


@every_family
def test_a_head_tied_to_the_embeddings_is_language(build: Build) -> None:
    model: Any = build().model
    model.get_output_embeddings().weight = model.get_input_embeddings().weight
    found = part_of_parameters(model)
    assert "lm_head.weight" not in found
    embeddings = [part for name, part in found.items() if name.endswith("embed_tokens.weight")]
    assert embeddings == ["language"]


def test_a_text_only_model_is_refused(tmp_path: Any) -> None:
    config = LlamaConfig(
        vocab_size=50, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2
    )
    model = LlamaForCausalLM(config)
    with pytest.raises(InputError, match="no image encoder"):
        part_of_parameters(model)
    model.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="text-only"):
        load(tmp_path)


@every_family
@subsets
def test_parts_that_are_not_chosen_are_frozen(build: Build, parts: tuple[Any, ...]) -> None:
    model = build().model
    freeze_other_parts(model, parts)
    part_of = part_of_parameters(model)
    for name, weight in model.named_parameters():
        assert weight.requires_grad == (part_of[name] in parts), name
    for part, (moving, total) in trainable_per_part(model).items():
        assert total > 0
        assert moving == (total if part in parts else 0)


@every_family
@subsets
def test_lora_adapts_the_chosen_parts_alone(build: Build, parts: tuple[Any, ...], tmp_path: Any) -> None:
    folder = tiny.save(build(), tmp_path / "base")
    base = load(folder, device="cpu").model
    adapted = load(folder, parts=parts, lora=LoraOptions(rank=2), device="cpu").model
    part_of = part_of_parameters(adapted)
    moving = [name for name, weight in adapted.named_parameters() if weight.requires_grad]
    assert moving
    assert all("lora_" in name for name in moving)
    assert {part_of[name] for name in moving} == set(parts)
    # Every linear layer of the parts, once each, and not the head; beside them matrices that are no layers.
    layers = {name.rpartition(".")[0] for name in bare_matrices(base, parts)}
    assert layers == ({"model.multi_modal_projector"} if build is gemma3 and "projector" in parts else set())
    assert {name.split(".lora_")[0].removeprefix("base_model.model.") for name in moving} == layers | set(
        linear_names(base, parts)
    )
    assert not any("lm_head" in name for name in moving)


def test_linear_layers_include_those_of_a_projector_in_a_sequence() -> None:
    model = tiny.qwen().model
    assert linear_names(model, ("projector",)) == ["model.visual.merger.mlp.0", "model.visual.merger.mlp.2"]


def test_a_bare_matrix_that_is_adapted_counts(tmp_path: Any) -> None:
    """Gemma 3's projector is no layer; its adapter changes what is said, and off it changes nothing."""
    tiny.save(gemma3(), tmp_path)
    base = load(tmp_path, device="cpu")
    adapted = load(tmp_path, parts=("projector",), lora=LoraOptions(rank=2), device="cpu")
    batch = base.encoder.batch(tiny.examples(3, mixed=False))
    expected = Policy(base.model).answer_log_probs(batch)
    assert torch.equal(Policy(adapted.model).answer_log_probs(batch), expected)
    Policy(adapted.model).answer_log_probs(batch).sum().backward()
    moving = {name: weight for name, weight in adapted.model.named_parameters() if weight.requires_grad}
    assert len(moving) == 2
    assert all(weight.grad is not None and weight.grad.any() for name, weight in moving.items() if "lora_B" in name)
    with torch.no_grad():
        for weight in moving.values():
            weight.add_(0.2 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)))
    assert (Policy(adapted.model).answer_log_probs(batch) - expected).abs().min() > 1e-4
    assert torch.equal(AdapterOffReference(Policy(adapted.model)).answer_log_probs(batch), expected)


def test_dropout_before_a_bare_matrix_is_refused(tmp_path: Any) -> None:
    tiny.save(gemma3(), tmp_path)
    with pytest.raises(InputError, match=r"mm_input_projection_weight is no layer .*set lora\.dropout to 0"):
        load(tmp_path, lora=LoraOptions(rank=2, dropout=0.1), device="cpu")
    load(tmp_path, parts=("language",), lora=LoraOptions(rank=2, dropout=0.1), device="cpu")


@pytest.mark.parametrize(
    ("given", "message"), [([], "none given"), (["visoin"], "'visoin' given .did you mean 'vision'.*")]
)
def test_no_part_or_an_unknown_one_is_refused(given: list[str], message: str) -> None:
    with pytest.raises(InputError, match=f"{message}; choose one or more of vision, projector, language"):
        check_parts(given)


def test_parts_are_put_in_order_once_each() -> None:
    assert check_parts(["language", "vision", "language"]) == ("vision", "language")
