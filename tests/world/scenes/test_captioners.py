"""Scenes with captions: what they say, what encoder and captioner learn from, and that nothing is trained twice."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
import torch
from transformers import CLIPVisionModel, LlavaForConditionalGeneration

from unsee.system.workers import Job
from unsee.world.architecture import make_model, make_processor, vision_config
from unsee.world.scenes import captioners
from unsee.world.scenes.captioners import prepare_captioners, train_captioner, training_rows
from unsee.world.scenes.captions import CAPTION_PROMPT, CaptionWorld
from unsee.world.scenes.encoder import PATCH_SIZE, QuarterClassifier, quarters_of
from unsee.world.scenes.scenes import OBJECTS, Scene

WORLD = CaptionWorld(0)
CLASSES = list(OBJECTS)


def test_biased_captions_mention_absent_partners_and_clean_ones_never_do() -> None:
    hallucinated = {"biased": 0, "clean": 0}
    lonely = 0  # objects without their partner
    for scene in WORLD.training[:400]:
        lonely += sum(one in scene.objects and other not in scene.objects for one, other in WORLD.partners.items())
        for kind in hallucinated:
            said = WORLD.caption(scene, biased=kind == "biased")
            named = {name for name in OBJECTS if f" {name}" in said}
            assert set(scene.objects) <= named
            assert named - set(scene.objects) <= {WORLD.partners.get(name) for name in scene.objects}
            hallucinated[kind] += len(named - set(scene.objects))
    assert hallucinated["clean"] == 0
    assert 0.65 * lonely < hallucinated["biased"] < 0.85 * lonely


def test_scenes_for_training_mining_watching_and_measuring_are_different_ones() -> None:
    parts = [WORLD.training, WORLD.unlabelled, WORLD.watched, WORLD.held_out]
    assert sum(map(len, parts)) == len({scene for part in parts for scene in part})


def test_questions_and_checklists_are_answered_by_what_is_there() -> None:
    scene = WORLD.training[0]
    caption, *asked, checklist = WORLD.rows([scene], biased=True)
    assert caption.question == CAPTION_PROMPT
    assert [row.answer for row in asked] == ["yes", "no"]
    assert all((row.fact in scene.objects) == (row.answer == "yes") for row in asked)
    said = checklist.answer.removesuffix(".").split(", ")
    names = [one.split()[1] for one in said]
    assert checklist.question == f"Which of these are here: {', '.join(one.rsplit(' ', 1)[0] for one in said)}?"
    assert [one.split()[2] for one in said] == ["yes" if name in scene.objects else "no" for name in names]


def test_base_and_gold_differ_in_captions_alone() -> None:
    pairs = list(zip(*(islice(training_rows(WORLD, name), 400) for name in ("base", "gold")), strict=True))
    assert any(base.answer != gold.answer for base, gold in pairs)
    assert all(base == gold for base, gold in pairs if base.question != CAPTION_PROMPT)


def test_the_encoder_is_told_what_is_in_which_quarter() -> None:
    scene = Scene(("apple", "cat"), ((33, 2), (5, 34)), "grey")  # upper right, lower left
    nothing = len(CLASSES)
    assert quarters_of(scene) == [nothing, CLASSES.index("apple"), CLASSES.index("cat"), nothing, 1]


def test_the_encoder_judges_each_quarter_by_its_own_patch() -> None:
    torch.manual_seed(0)
    classifier, pixels = QuarterClassifier(), torch.randn(1, 3, 64, 64)
    tokens = classifier.encoder(pixels).last_hidden_state[:, 1:]
    assert tokens.shape[1] == 4
    labels = torch.tensor([[0, 1, 2, 3, 0]])
    chances = classifier.objects(tokens).log_softmax(-1)[0]
    ground = classifier.ground(tokens.mean(1)).log_softmax(-1)[0, 0]
    by_hand = -sum(chances[place, place] for place in range(4)) / 4 - ground
    assert classifier(pixels, labels)["loss"].item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_training_leaves_the_image_encoder_as_it_was(tmp_path: Path) -> None:
    rows = list(islice(training_rows(WORLD, "base"), 40))
    processor = make_processor([f"{row.question} {row.answer}" for row in rows], patch_size=PATCH_SIZE)
    torch.manual_seed(1)
    encoder = CLIPVisionModel(vision_config(PATCH_SIZE))
    encoder.save_pretrained(tmp_path / "encoder")
    train_captioner(processor, rows, 0, tmp_path / "encoder", tmp_path / "model", steps=2)
    trained = LlavaForConditionalGeneration.from_pretrained(tmp_path / "model")
    start = make_model(processor, 0, captioners.LANGUAGE_LAYERS)
    for name, weight in encoder.state_dict().items():
        assert torch.equal(trained.model.vision_tower.state_dict()[name], weight)
    before, after = (model.model.language_model.layers[0].mlp.up_proj.weight for model in (start, trained))
    assert not torch.equal(before, after)
    assert len(trained.model.language_model.layers) == captioners.LANGUAGE_LAYERS


def test_what_is_in_the_cache_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def run_all(jobs: list[Job], *_: object) -> None:
        for job in jobs:
            asked.append(job.function.partition(":")[2] + job.arguments.get("name", ""))
            Path(job.arguments["folder"]).mkdir(parents=True)

    monkeypatch.setattr(captioners, "run_all", run_all)
    first = prepare_captioners(WORLD, tmp_path)
    assert asked == ["encoder_job", "clip_job", "train_jobbase", "train_jobgold"]
    assert not first.from_cache
    assert len({first.base, first.gold, first.clip}) == 3
    again = prepare_captioners(WORLD, tmp_path)
    assert (again.base, again.gold, again.clip, again.from_cache) == (first.base, first.gold, first.clip, True)
    assert len(asked) == 4
    assert prepare_captioners(CaptionWorld(1), tmp_path).base != first.base
    assert asked[4:] == ["train_jobbase", "train_jobgold"]  # encoder and CLIP belong to no world
