"""Models under a hub id: from the cache where they are in it, else one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from tests import tiny
from unsee.errors import InputError
from unsee.vlm import LoraOptions, load, outline
from unsee.vlm.save import save

COMMIT = "0" * 40


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, which is off."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "cache"


def put(cache: Path, name: str, folder: Path) -> Path:
    """A folder as the hub's cache holds it."""
    place = cache / f"models--{name.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(COMMIT)
    return Path(shutil.copytree(folder, place / "snapshots" / COMMIT))


def test_a_model_in_the_cache_is_loaded_and_adapters_name_it_by_its_id(cache: Path, tmp_path: Path) -> None:
    put(cache, "owner/tiny", tiny.save(tiny.llava(), tmp_path / "model"))
    loaded = load("owner/tiny", lora=LoraOptions(rank=2), device="cpu")
    assert loaded.source == "owner/tiny"
    save(loaded, tmp_path / "adapter")
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "owner/tiny"
    assert "base_model: owner/tiny" in (tmp_path / "adapter" / "README.md").read_text()
    again = load(tmp_path / "adapter", device="cpu")
    weights = dict(again.model.named_parameters())
    assert all(torch.equal(weight, weights[name]) for name, weight in loaded.model.named_parameters())
    put(cache, "owner/adapter", tmp_path / "adapter")
    assert load("owner/adapter", device="cpu").source == "owner/adapter"
    assert outline("owner/adapter").source == "owner/adapter"


def test_a_model_whose_weights_are_not_in_the_cache_has_an_outline_alone(cache: Path, tmp_path: Path) -> None:
    folder = put(cache, "owner/tiny", tiny.save(tiny.llava(), tmp_path / "model"))
    (folder / "model.safetensors").unlink()
    assert outline("owner/tiny").source == "owner/tiny"
    with pytest.raises(InputError, match=r"model\.safetensors: no such file of weights"):
        load("owner/tiny", device="cpu")


@pytest.mark.parametrize("offline", [True, False])
@pytest.mark.parametrize("name", ["owner/unknown", "owner/two words", "owner/two..dots"])
def test_an_unknown_id_is_one_line_and_nothing_else(
    name: str, offline: bool, cache: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")  # where nobody answers
    told = "off .HF_HUB_OFFLINE" if offline else "the hub says"
    for look in (load, outline):
        with pytest.raises(InputError, match=f"^{name}: no such folder, and .*{told}") as raised:
            look(name)
        assert len(str(raised.value)) < 300
    assert capfd.readouterr() == ("", "")
    assert not cache.exists() or not any(cache.rglob("*.json"))
