"""Scores of dual encoders and detectors: what they mean, and that they do not depend on company."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModel, AutoProcessor

from tests.mining.test_windows import noise
from unsee.errors import InputError
from unsee.mining.detector import detector, is_detector
from unsee.mining.scorer import DualEncoder, dual_encoder, outline, unit_of
from unsee.mining.windows import Grid

PHRASES = ["Riga", "San Francisco", "green ground", "Lima Oslo London"]
SMALL = Grid(patch=8)  # windows of 32 pixels


def theirs(folder: Path, picture: Image.Image, padding: str) -> torch.Tensor:
    """Logits of a picture and the phrases, as the model's own processor and forward pass give them."""
    model, processor = AutoModel.from_pretrained(folder).eval(), AutoProcessor.from_pretrained(folder)
    texts = [f"A photo containing {phrase}." for phrase in PHRASES]
    inputs = processor(text=texts, images=picture, return_tensors="pt", padding=padding, max_length=24, truncation=True)
    with torch.inference_mode():
        logits: torch.Tensor = model(**inputs).logits_per_image[0]
        return logits / model.logit_scale.exp() * 100 if padding == "longest" else logits.sigmoid()


@pytest.mark.parametrize(("family", "padding"), [("clip", "longest"), ("siglip", "max_length")])
def test_a_picture_of_one_window_scores_what_the_model_itself_says(
    checkpoints: Path, family: str, padding: str
) -> None:
    picture = noise(32, 32)
    scorer = dual_encoder(str(checkpoints / family), SMALL, device="cpu")
    (found,) = scorer.scores([(picture, PHRASES)])
    assert found == pytest.approx(theirs(checkpoints / family, picture, padding).tolist(), abs=2e-4)
    known = unit_of(outline(str(checkpoints / family)))  # without weights
    assert scorer.unit == known == {"clip": "cosine_100", "siglip": "probability"}[family]


def test_the_aggregator_sees_every_window(checkpoints: Path) -> None:
    scorer = dual_encoder(str(checkpoints / "clip"), SMALL, device="cpu")
    picture = noise(64, 48)
    windows = [picture.crop((x, y, x + 32, y + 32)) for y in range(0, 17, 8) for x in range(0, 33, 8)]
    one_by_one = np.array([scores for window in windows for scores in scorer.scores([(window, PHRASES)])])
    (found,) = scorer.scores([(picture, PHRASES)])
    assert found == pytest.approx(one_by_one.max(axis=0), abs=1e-3)
    other = dual_encoder(str(checkpoints / "clip"), SMALL, "patch_top4", device="cpu")
    assert next(iter(other.scores([(picture, PHRASES)]))) < found


def test_scores_do_not_depend_on_batches_or_on_prepared_phrases(checkpoints: Path, tmp_path: Path) -> None:
    def scores(scorer: DualEncoder) -> list[list[float]]:
        pictures: Sequence[tuple[Image.Image, list[str]]] = [
            (noise(40 + 20 * number, 50, number), PHRASES[: 1 + number]) for number in range(4)
        ]
        return list(scorer.scores(pictures))

    small, large = (dual_encoder(str(checkpoints / "clip"), SMALL, batch_size=n, device="cpu") for n in (3, 1000))
    small.prepare(sorted(PHRASES), tmp_path / "embeddings")
    found, others = scores(small), scores(large)
    assert [len(row) for row in found] == [1, 2, 3, 4]
    for row, other in zip(found, others, strict=True):
        assert row == pytest.approx(other, abs=1e-3)


def test_stored_embeddings_are_used_and_others_are_not(
    checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = dual_encoder(str(checkpoints / "clip"), SMALL, device="cpu")
    scorer.prepare(PHRASES, tmp_path)
    again = dual_encoder(str(checkpoints / "clip"), SMALL, device="cpu")
    for either in (scorer, again):
        monkeypatch.setattr(either, "embed", None)  # from now on it can embed nothing
    again.prepare(PHRASES, tmp_path)
    assert list(again.scores([(noise(40, 40), PHRASES)])) == list(scorer.scores([(noise(40, 40), PHRASES)]))
    with pytest.raises(TypeError):
        again.prepare([*PHRASES, "new"], tmp_path)


@pytest.mark.parametrize("family", ["owl", "grounding_dino"])
def test_detectors_score_each_phrase_with_a_probability(checkpoints: Path, family: str) -> None:
    assert is_detector(str(checkpoints / family))
    scorer = detector(str(checkpoints / family), device="cpu")
    asked = ["cat", "wine glass", "dog", "cat"]
    found = list(scorer.scores([(noise(60, 40), asked), (noise(60, 40), ["dog"])]))
    assert [len(row) for row in found] == [4, 1]
    assert all(0 < score < 1 for row in found for score in row)
    assert found[0][0] == found[0][3]
    assert len(set(found[0])) == 3


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("num_attention_heads", 5, r"clip: cannot load its config\.json"),  # of 32 dimensions
        ("hidden_act", "none", r"clip: its config\.json describes no model that can be built"),
    ],
)
def test_a_dual_encoder_that_cannot_be_built_is_refused_in_one_line(
    checkpoints: Path, tmp_path: Path, key: str, value: object, said: str
) -> None:
    shutil.copytree(checkpoints / "clip", tmp_path / "clip")
    config = json.loads((tmp_path / "clip" / "config.json").read_text())
    config["text_config"][key] = value
    (tmp_path / "clip" / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=said):
        outline(str(tmp_path / "clip"))


def test_what_is_no_dual_encoder_is_refused(checkpoints: Path) -> None:
    with pytest.raises(InputError, match="no dual encoder"):
        dual_encoder(str(checkpoints / "llama"))
    with pytest.raises(InputError, match="aggregator 'mean'"):
        dual_encoder(str(checkpoints / "clip"), aggregator="mean")
    with pytest.raises(InputError, match="template"):
        dual_encoder(str(checkpoints / "clip"), template="A photo")


LONG = " ".join(["Riga Oslo Lima"] * 12)  # of 36 words, where the encoders take 24 tokens


@pytest.mark.parametrize("family", ["clip", "siglip"])
def test_a_dual_encoder_knows_what_it_would_cut(checkpoints: Path, family: str) -> None:
    scorer = dual_encoder(str(checkpoints / family), SMALL, device="cpu")
    assert scorer.fits("Riga")
    assert not scorer.fits(LONG)


@pytest.mark.parametrize("family", ["owl", "grounding_dino"])
def test_a_detector_knows_what_it_would_cut(checkpoints: Path, family: str) -> None:
    scorer = detector(str(checkpoints / family), device="cpu")
    assert scorer.fits("Riga")
    assert not scorer.fits(" ".join([LONG] * 20))


def test_phrases_that_do_not_fit_one_text_are_asked_about_in_several(checkpoints: Path) -> None:
    """What stood behind the cut had a probability of 0, which reads as hallucinated."""
    scorer = detector(str(checkpoints / "grounding_dino"), device="cpu")
    phrases = [f"{'Riga Oslo Lima London ' * 4}{number}" for number in range(20)]
    ((*found,),) = scorer.scores([(noise(64, 64), phrases)])
    assert all(score > 0 for score in found)
