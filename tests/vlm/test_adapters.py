"""Adapters that are trained further, merged, moved, or put on another base than theirs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import IA3Config, LoraConfig, PeftModel, get_peft_model
from torch import Tensor
from transformers import AutoModelForImageTextToText

from tests import tiny
from tests.architectures import gemma3
from tests.families import Build, each_family, every_family
from unsee.errors import InputError
from unsee.vlm import LoadedModel, LoraOptions, Policy, load

EXAMPLES = tiny.examples(3)


@torch.no_grad()
def said(loaded: LoadedModel) -> Tensor:
    loaded.model.eval()
    return Policy(loaded.model).answer_log_probs(loaded.encoder.batch(EXAMPLES))


def trained(loaded: LoadedModel) -> LoadedModel:
    """As if training had moved everything that may move."""
    with torch.no_grad():
        for number, weight in enumerate(loaded.model.parameters()):
            if weight.requires_grad:
                weight.add_(0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(number)))
    return loaded


def adapter(base: Path, folder: Path, **options: Any) -> Path:
    """A trained adapter, as a first run leaves it."""
    return tiny.save(trained(load(base, lora=LoraOptions(rank=2, alpha=8), device="cpu", **options)), folder)


@every_family
def test_further_ranks_on_an_adapter_start_where_it_ended_and_load_with_plain_peft(
    build: Build, tmp_path: Path
) -> None:
    base = tiny.save(build(), tmp_path / "base")
    first = adapter(base, tmp_path / "first", parts=("projector", "language"))
    earlier = said(load(first, device="cpu"))
    second = load(first, lora=LoraOptions(rank=3, alpha=6), parts=("vision", "projector"), device="cpu")
    torch.testing.assert_close(said(second), earlier, rtol=1e-5, atol=1e-5)
    tiny.save(trained(second), tmp_path / "second")
    assert not torch.allclose(said(second), earlier, atol=1e-3)
    assert torch.equal(said(load(tmp_path / "second", device="cpu")), said(second))
    plain = PeftModel.from_pretrained(AutoModelForImageTextToText.from_pretrained(base), tmp_path / "second")
    second.model = plain
    assert torch.equal(said(second), said(load(tmp_path / "second", device="cpu")))


def test_only_the_chosen_parts_of_an_extended_adapter_move(tmp_path: Path) -> None:
    base = tiny.save(tiny.llava(), tmp_path / "base")
    first = adapter(base, tmp_path / "first", parts=("language",))
    loaded = load(first, lora=LoraOptions(rank=3), parts=("vision",), device="cpu")
    moving = [name for name, weight in loaded.model.named_parameters() if weight.requires_grad]
    assert moving
    assert all("vision_tower" in name and ".lora_" in name for name in moving)


@pytest.mark.parametrize("kind", ["ia3", "dora"])
def test_further_ranks_on_an_adapter_that_is_no_plain_lora_are_refused(kind: str, tmp_path: Path) -> None:
    base = tiny.save(tiny.llava(), tmp_path / "base")
    loaded = load(base, device="cpu")
    config = (
        IA3Config(target_modules=["q_proj"], feedforward_modules=[])
        if kind == "ia3"
        else LoraConfig(r=2, target_modules=["q_proj"], use_dora=True)
    )
    loaded.model = get_peft_model(loaded.model, config)
    first = tiny.save(loaded, tmp_path / "first")
    assert load(first, device="cpu").source == str(first)
    with pytest.raises(InputError, match="other than plain LoRA takes no further ranks; leave lora out"):
        load(first, lora=LoraOptions(rank=2), device="cpu")


@pytest.mark.parametrize("build", [tiny.llava, tiny.qwen, gemma3])
def test_a_merged_adapter_is_merged_in_every_part(build: Build, tmp_path: Path) -> None:
    base = tiny.save(build(), tmp_path / "base")
    loaded = load(adapter(base, tmp_path / "adapter"), device="cpu")
    alone = said(loaded)
    model: Any = loaded.model
    merged = model.merge_and_unload()
    merged.save_pretrained(tmp_path / "merged")
    loaded.processor.save_pretrained(tmp_path / "merged")
    assert not [name for name, _ in merged.named_parameters() if "lora_" in name]
    torch.testing.assert_close(said(load(tmp_path / "merged", device="cpu")), alone, rtol=1e-4, atol=1e-4)


@each_family
def test_an_adapter_finds_its_base_wherever_it_is_read_from(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.save(build(), tmp_path / "base")
    monkeypatch.chdir(tmp_path)
    adapter(Path("base"), Path("adapter"))
    config = json.loads(Path("adapter/adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(tmp_path / "base")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    load(tmp_path / "adapter", device="cpu")


def test_a_relative_base_may_start_at_the_adapters_folder(tmp_path: Path) -> None:
    base = tiny.save(tiny.llava(), tmp_path / "base")
    first = adapter(base, tmp_path / "adapter")
    config = json.loads((first / "adapter_config.json").read_text())
    (first / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": "../base"}))
    assert torch.isfinite(said(load(first, device="cpu"))).all()


def test_a_base_that_has_moved_is_named_with_the_remedy(tmp_path: Path) -> None:
    base = tiny.save(tiny.llava(), tmp_path / "base")
    first = adapter(base, tmp_path / "adapter")
    shutil.move(base, tmp_path / "moved")
    with pytest.raises(InputError, match=r"base: no such .*set base_model_name_or_path in .*adapter_config\.json"):
        load(first, device="cpu")
    with pytest.raises(InputError, match="an adapter itself; name the model that both belong to"):
        load(pointed(first, first), device="cpu")
    assert load(pointed(first, tmp_path / "moved"), device="cpu").source == str(first)


def pointed(folder: Path, base: Path) -> Path:
    """An adapter's folder whose configuration names another base."""
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": str(base)}))
    return folder


def test_an_adapter_of_another_family_is_refused(tmp_path: Path) -> None:
    first = adapter(tiny.save(tiny.llava(), tmp_path / "llava"), tmp_path / "adapter")
    with pytest.raises(InputError, match="does not fit its base model"):
        load(pointed(first, tiny.save(tiny.qwen(), tmp_path / "qwen")), device="cpu")
