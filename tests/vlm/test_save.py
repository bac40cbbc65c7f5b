"""What is written of a model: everything that came with it, and nothing of this machine."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import BitsAndBytesConfig, LlavaForConditionalGeneration

from tests import tiny
from tests.families import Build, each_family
from unsee.errors import InputError
from unsee.methods import build
from unsee.training.checkpoints import latest_checkpoint
from unsee.training.config import UnlearnConfig
from unsee.training.trainer import UnlearnTrainer
from unsee.vlm import LoadedModel, LoraOptions, Policy, load
from unsee.vlm.save import save

needs_bitsandbytes = pytest.mark.skipif(
    find_spec("bitsandbytes") is None, reason="the package bitsandbytes is not installed"
)
EXAMPLES = tiny.examples(3)
AHEAD = {"mtp.layers.0.weight": torch.arange(6.0).view(2, 3), "mtp.norm.weight": torch.ones(3)}


def with_more(folder: Path, **more: Tensor) -> Path:
    """The checkpoint in a folder with further tensors in its last file."""
    path = sorted(folder.glob("model*.safetensors"))[-1]
    save_file({**load_file(path), **more}, path, metadata={"format": "pt"})
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        places = json.loads(index.read_text())
        places["weight_map"] |= dict.fromkeys(more, path.name)
        index.write_text(json.dumps(places))
    return folder


def stored(folder: Path) -> dict[str, Tensor]:
    return {name: value for path in folder.glob("*.safetensors") for name, value in load_file(path).items()}


@torch.no_grad()
def said(loaded: LoadedModel) -> Tensor:
    loaded.model.eval()
    return Policy(loaded.model).answer_log_probs(loaded.encoder.batch(EXAMPLES))


@pytest.mark.parametrize("shards", [False, True])
@pytest.mark.parametrize("knowingly", [False, True])
@each_family
def test_tensors_without_a_place_are_kept(
    build: Build, knowingly: bool, shards: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = build()
    if knowingly:
        monkeypatch.setattr(type(made.model), "_keys_to_ignore_on_load_unexpected", [r"^mtp\..*"])
    model: Any = made.model
    model.save_pretrained(tmp_path / "model", max_shard_size="100KB" if shards else "1GB")
    made.processor.save_pretrained(tmp_path / "model")
    loaded = load(with_more(tmp_path / "model", **AHEAD), device="cpu")
    assert loaded.unread.keys() == AHEAD.keys()
    with torch.no_grad():
        next(loaded.model.parameters()).add_(0.1)
    save(loaded, tmp_path / "saved")
    before, after = stored(tmp_path / "model"), stored(tmp_path / "saved")
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], value) for name, value in AHEAD.items())
    again = load(tmp_path / "saved", device="cpu")
    assert again.unread.keys() == AHEAD.keys()
    assert torch.equal(said(again), said(loaded))


def test_a_checkpoint_without_such_tensors_has_none(tmp_path: Path) -> None:
    """Nor are the positions that older versions wrote beside the weights."""
    folder = tiny.save(tiny.llava(), tmp_path)
    with_more(folder, **{"language_model.model.rotary_emb.inv_freq": torch.ones(8)})
    assert load(folder, device="cpu").unread == {}


@pytest.mark.parametrize(
    "settings",
    [{"temperature": 0.2, "do_sample": False}, {"top_k": 3}, {"length_penalty": 2.0, "early_stopping": True}],
)
def test_generation_settings_without_effect_do_not_keep_a_model_from_being_saved(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    folder = tiny.save(tiny.llava(), tmp_path / "model")
    path = folder / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))
    save(load(folder, device="cpu"), tmp_path / "saved")
    assert (tmp_path / "saved" / "model.safetensors").is_file()


def test_sampling_that_is_meant_is_kept(tmp_path: Path) -> None:
    folder = tiny.save(tiny.llava(), tmp_path / "model")
    path = folder / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "temperature": 0.2, "do_sample": True}))
    save(load(folder, device="cpu"), tmp_path / "saved")
    kept = json.loads((tmp_path / "saved" / "generation_config.json").read_text())
    assert (kept["temperature"], kept["do_sample"]) == (0.2, True)


def test_generation_settings_that_cannot_be_saved_are_refused_before_work(tmp_path: Path) -> None:
    folder = tiny.save(tiny.llava(), tmp_path / "model")
    path = folder / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "pad_token_id": -1}))
    with pytest.raises(InputError, match=r"generation_config\.json could not be saved with the model: .*pad_token_id"):
        load(folder, device="cpu")


def test_an_adapter_is_written_the_same_each_time_and_its_card_names_no_folder(tmp_path: Path) -> None:
    base = tiny.save(tiny.llava(), tmp_path / "base")
    save(load(base, lora=LoraOptions(rank=2), device="cpu"), tmp_path / "adapter")
    layers = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())["target_modules"]
    assert layers == sorted(layers)
    assert len(layers) > 10
    card = (tmp_path / "adapter" / "README.md").read_text()
    assert str(tmp_path) not in card
    assert "library_name: peft" in card
    assert "lora" in card


def rounded(folder: Path, **how: Any) -> Path:
    """A checkpoint that bitsandbytes has rounded."""
    tiny.save(tiny.llava(), folder / "exact")
    config = BitsAndBytesConfig(**how)
    model = LlavaForConditionalGeneration.from_pretrained(
        folder / "exact", quantization_config=config, device_map={"": "cpu"}
    )
    tiny.llava().processor.save_pretrained(folder / "rounded")
    model.save_pretrained(folder / "rounded")
    return folder / "rounded"


@needs_bitsandbytes
@pytest.mark.parametrize(
    "how",
    [
        {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True},
        {"load_in_4bit": True},
        {"load_in_8bit": True},
    ],
    ids=["nf4", "fp4", "8bit"],
)
def test_a_checkpoint_that_comes_rounded_is_measured_and_adapted_but_not_trained(
    how: dict[str, Any], tmp_path: Path
) -> None:
    folder = rounded(tmp_path, **how)
    loaded = load(folder, parts=(), device="cpu")
    assert not any(weight.requires_grad for weight in loaded.model.parameters())
    exact = said(load(tmp_path / "exact", device="cpu"))
    assert 0 < (said(loaded) - exact).abs().max() < 1
    adapted = load(folder, lora=LoraOptions(rank=2), device="cpu")
    assert torch.equal(said(adapted), said(loaded))
    save(adapted, tmp_path / "adapter")
    assert torch.equal(said(load(tmp_path / "adapter", device="cpu")), said(loaded))
    with pytest.raises(InputError, match="comes rounded: rounded weights cannot be trained; add lora"):
        load(folder, device="cpu")
    with pytest.raises(InputError, match="rounded already; leave quantize=4bit out"):
        load(folder, quantize="4bit", lora=LoraOptions(rank=2), device="cpu")


def trainer(folder: Path, run: Path) -> UnlearnTrainer:
    config = UnlearnConfig(
        output_dir=str(run), max_steps=3, save_steps=1, save_total_limit=None, use_cpu=True, report_to="none",
        disable_tqdm=True,
    )  # fmt: skip
    return UnlearnTrainer(load(folder, device="cpu"), config, method=build("grad_ascent"), forget=EXAMPLES)


def test_checkpoints_are_resumed_from_by_what_is_whole_in_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One without a configuration once became a default model of 7 billion weights."""
    folder = tiny.save(tiny.llava(), tmp_path / "model")
    first = trainer(folder, tmp_path / "run")
    first.train()
    end = {name: weight.clone() for name, weight in first.policy_model.named_parameters()}
    newest, middle, oldest = (tmp_path / "run" / f"checkpoint-{step}" for step in (3, 2, 1))
    assert latest_checkpoint(tmp_path / "run") == newest
    (newest / "optimizer.pt").write_bytes((newest / "optimizer.pt").read_bytes()[:-1000])
    assert latest_checkpoint(tmp_path / "run") == middle
    (middle / "model.safetensors").write_bytes((middle / "model.safetensors").read_bytes()[:-1000])
    assert latest_checkpoint(tmp_path / "run") == oldest
    (oldest / "config.json").unlink()
    again = trainer(folder, tmp_path / "run")
    again.train(resume_from_checkpoint=str(oldest))
    assert all(torch.equal(weight, end[name]) for name, weight in again.policy_model.named_parameters())


def test_a_checkpoint_with_a_broken_state_is_passed_over(tmp_path: Path) -> None:
    trainer(tiny.save(tiny.llava(), tmp_path / "model"), tmp_path / "run").train()
    for step, content in ((3, "["), (2, "null"), (1, "")):
        (tmp_path / "run" / f"checkpoint-{step}" / "trainer_state.json").write_text(content)
    assert latest_checkpoint(tmp_path / "run") is None
