"""A processor and a model that do not belong together are named when they are loaded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.families import Build, every_family
from unsee.errors import InputError
from unsee.vlm import load, outline
from unsee.vlm.agreement import check_agreement


def edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def processor(**values: Any) -> Callable[[Path], None]:
    return lambda folder: edit(folder / "processor_config.json", lambda content: content.update(values))


def pictures(**values: Any) -> Callable[[Path], None]:
    return lambda folder: edit(
        folder / "processor_config.json", lambda content: content["image_processor"].update(values)
    )


def config(**values: Any) -> Callable[[Path], None]:
    return lambda folder: edit(folder / "config.json", lambda content: content.update(values))


# What is spoilt, and what is said, with the weights and without.
SPOILT: dict[str, tuple[Build, Callable[[Path], None], str]] = {
    "no patch size": (tiny.llava, processor(patch_size=None), "LlavaProcessor refuses it of 64 x 48 pixels"),
    "smaller patches": (tiny.llava, processor(patch_size=8), "16 image tokens for a picture .* makes 4 vectors"),
    "another strategy": (
        tiny.llava,
        processor(vision_feature_select_strategy="full"),
        "5 image tokens for a picture .* makes 4 vectors",
    ),
    "another image token": (tiny.llava, config(image_token_index=2, image_token_id=2), "no token 2 for a picture"),
    "no merging": (tiny.qwen, pictures(merge_size=1), "merge_size is 1 in the processor, and spatial_merge_size is 2"),
    "larger patches": (tiny.qwen, pictures(patch_size=16), "patch_size is 16 in the processor, and patch_size is 14"),
    "video for image": (tiny.qwen, config(image_token_id=7), r"no token 7 for a picture, .*\|video_pad\|"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_processor_of_another_model_is_named_when_it_is_loaded(name: str, tmp_path: Path) -> None:
    build, spoil, problem = SPOILT[name]
    folder = tiny.save(build(), tmp_path / "model")
    load(folder)
    spoil(folder)
    with pytest.raises(InputError, match=problem) as caught:
        load(folder)
    assert str(caught.value).startswith(str(folder))
    with pytest.raises(InputError, match=problem):
        outline(folder)


@every_family
def test_models_of_every_family_agree_with_their_own_processor(build: Build) -> None:
    loaded = build()
    loaded.model.train()
    check_agreement(loaded.model, loaded.encoder)
    assert loaded.model.training
    check_agreement(loaded.model.to("meta"), loaded.encoder)


def test_a_picture_that_the_tower_cannot_read_is_named() -> None:
    loaded = tiny.llava()
    loaded.processor.image_processor.crop_size = {"height": 20, "width": 20}  # the tower has positions for 32 x 32
    with pytest.raises(InputError, match=r"cannot read the picture that its processor makes .*use the processor"):
        check_agreement(loaded.model, loaded.encoder)
