"""The outline of a model: its structure and its processor without its weights."""

from __future__ import annotations

from pathlib import Path

import pytest
from peft import LoraConfig, get_peft_model

from tests import tiny
from tests.families import Build, every_family
from unsee.errors import InputError
from unsee.vlm import load, outline, trainable_per_part


@every_family
def test_outline_has_the_structure_of_the_model_and_none_of_its_weights(build: Build, tmp_path: Path) -> None:
    folder = tiny.save(build(), tmp_path / "model")
    whole = load(folder)
    (folder / "model.safetensors").unlink()
    found = outline(folder)
    assert {name: value.shape for name, value in found.model.named_parameters()} == {
        name: value.shape for name, value in whole.model.named_parameters()
    }
    assert all(value.is_meta for value in found.model.parameters())
    assert trainable_per_part(found.model) == trainable_per_part(whole.model)
    assert found.encoder.end_of_turn_ids == whole.encoder.end_of_turn_ids
    example = tiny.examples(2)[1]
    assert found.encoder.answer_ids(example) == whole.encoder.answer_ids(example)


def test_outline_of_an_adapter_is_that_of_its_base(tmp_path: Path) -> None:
    loaded = tiny.llava()
    base = tiny.save(loaded, tmp_path / "base")
    adapted = get_peft_model(load(base).model, LoraConfig(r=2, target_modules=["q_proj"]))
    adapted.save_pretrained(str(tmp_path / "adapter"))
    names = [name for name, _ in outline(tmp_path / "adapter").model.named_parameters()]
    assert names == [name for name, _ in loaded.model.named_parameters()]


def test_outline_refuses_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no config\.json"):
        outline(tmp_path)
