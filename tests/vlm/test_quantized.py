"""A base in four bits under an adapter: what is rounded, what is counted, what is refused."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import nn

from tests import tiny
from tests.families import Build, every_family
from unsee.errors import InputError
from unsee.runs.models import load_model
from unsee.runs.settings import parse
from unsee.vlm import LoadedModel, LoraOptions, Policy, load, trainable_per_part
from unsee.vlm.reference import AdapterOffReference, starts_at_base

needs_bitsandbytes = pytest.mark.skipif(
    find_spec("bitsandbytes") is None, reason="the package bitsandbytes is not installed"
)


def in_four_bits(folder: Path) -> LoadedModel:
    return load(folder, lora=LoraOptions(rank=2), quantize="4bit", device="cpu")


def rounded_names(model: nn.Module) -> set[str]:
    return {name for name, weight in model.named_parameters() if weight.dtype == torch.uint8}


@needs_bitsandbytes
@every_family
def test_linear_layers_are_rounded_and_counted_as_what_they_stand_for(build: Build, tmp_path: Path) -> None:
    tiny.save(build(), tmp_path)
    whole, rounded = load(tmp_path, lora=LoraOptions(rank=2), device="cpu"), in_four_bits(tmp_path)
    assert trainable_per_part(rounded.model) == trainable_per_part(whole.model)
    assert all(name.endswith("base_layer.weight") for name in rounded_names(rounded.model))
    assert {name.removesuffix(".base_layer.weight") for name in rounded_names(rounded.model)} == {
        name
        for name, module in whole.model.named_modules()
        if hasattr(module, "lora_A") and isinstance(module.get_base_layer(), nn.Linear)
    }
    batch = whole.encoder.batch(tiny.examples(5))
    exact, near = (Policy(found.model).answer_log_probs(batch) for found in (whole, rounded))
    assert 0 < (exact - near).abs().max() < 1.0


@needs_bitsandbytes
def test_the_reference_of_a_rounded_base_is_that_base(tmp_path: Path) -> None:
    tiny.save(tiny.llava(), tmp_path)
    loaded = in_four_bits(tmp_path)
    batch = loaded.encoder.batch(tiny.examples(3))
    assert starts_at_base(loaded.model)
    start = Policy(loaded.model).answer_log_probs(batch)
    with torch.no_grad():
        for weight in loaded.model.parameters():
            if weight.requires_grad:
                weight.add_(0.1)
    assert not torch.equal(Policy(loaded.model).answer_log_probs(batch), start)
    assert torch.equal(AdapterOffReference(Policy(loaded.model)).answer_log_probs(batch), start)


@needs_bitsandbytes
def test_an_adapter_is_measured_on_the_base_that_it_was_trained_on(tmp_path: Path) -> None:
    tiny.save(tiny.qwen(), tmp_path / "base")
    loaded = in_four_bits(tmp_path / "base")
    tiny.save(loaded, tmp_path / "adapter")
    batch = loaded.encoder.batch(tiny.examples(3))
    said = {
        kind: Policy(load(tmp_path / "adapter", quantize=kind, device="cpu").model).answer_log_probs(batch)
        for kind in ("4bit", None)
    }
    assert torch.equal(said["4bit"], Policy(loaded.model).answer_log_probs(batch))
    assert not torch.equal(said["4bit"], said[None])


@needs_bitsandbytes
def test_training_and_measuring_compute_alike_on_every_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: True)
    tiny.save(tiny.llava(), tmp_path)
    loaded = in_four_bits(tmp_path)
    batch = loaded.encoder.batch(tiny.examples(3))
    said = []
    for mode in (True, False):
        loaded.model.train(mode)
        with torch.no_grad():
            said.append(Policy(loaded.model).answer_log_probs(batch))
    assert torch.equal(*said)


@needs_bitsandbytes
def test_settings_reach_the_model(tmp_path: Path) -> None:
    tiny.save(tiny.llava(), tmp_path)
    values = {"model": str(tmp_path), "forget": "forget.jsonl", "out": "run", "quantize": "4bit"}
    assert rounded_names(load_model(parse(values | {"lora": 2})).model)
    assert not rounded_names(load_model(parse(values | {"lora": 2, "quantize": None})).model)
    with pytest.raises(InputError, match="add lora"):
        load_model(parse(values))
    with pytest.raises(InputError, match="quantize='8bit'"):
        parse(values | {"quantize": "8bit"})


@needs_bitsandbytes
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_broken_weights_are_found_although_they_are_rounded(value: float, tmp_path: Path) -> None:
    loaded = tiny.llava()
    with torch.no_grad():
        loaded.model.get_parameter("model.language_model.layers.1.mlp.up_proj.weight")[0, 0] = value
    tiny.save(loaded, tmp_path)
    with pytest.raises(InputError, match=r"layers\.1\.mlp\.up_proj\.weight .*NaN or infinite"):
        in_four_bits(tmp_path)


def test_what_cannot_be_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny.save(tiny.llava(), tmp_path)
    with pytest.raises(InputError, match=r"quantize=4bit: rounded weights cannot be trained; add lora"):
        load(tmp_path, quantize="4bit", device="cpu")
    with pytest.raises(InputError, match="quantize '3bit' is unknown: choose 4bit"):
        load(tmp_path, quantize="3bit", lora=LoraOptions(rank=2), device="cpu")
    monkeypatch.setattr("unsee.vlm.quantized.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"needs the package bitsandbytes; .*unsee\[quantized\]"):
        in_four_bits(tmp_path)
