"""How well a phrase fits a picture, by an open-vocabulary detector (OWL-ViT, OWLv2, Grounding DINO).

A phrase scores the probability of the surest box that is found for it. The whole picture is looked at once, so this is
slower for each phrase than a dual encoder, and surer about small objects.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from PIL import Image

from unsee.errors import InputError
from unsee.mining.scorer import Picture
from unsee.mining.weighted_spans import Unit
from unsee.mining.windows import Grid
from unsee.vlm.pretrained import check_tokenizer, config_of, pretrained, this_device

QUERIES = ("owlvit", "owlv2")  # take a list of phrases
SENTENCES = ("grounding-dino", "mm-grounding-dino")  # take one text in which phrases end in full stops

_AT_ONCE = 20  # phrases of one picture


@dataclass
class Detector:
    """Scores by a detector that takes words.

    Attributes:
        model: for zero-shot object detection, in evaluation mode.
        processor: its processor.
    """

    model: Any
    processor: Any
    unit: ClassVar[Unit] = "probability"

    def fits(self, phrase: str) -> bool:
        """Whether the text of a phrase is no longer than what the text encoder takes (OWL-ViT: 16 tokens)."""
        return self._tokens(phrase) <= self._longest

    @property
    def _longest(self) -> int:
        """Tokens of a text, its marks among them."""
        config, most = self.model.config, self.processor.tokenizer.model_max_length
        if config.model_type in QUERIES:
            return int(config.text_config.max_position_embeddings)
        return int(min(most, config.max_text_len, config.text_config.max_position_embeddings))

    def _tokens(self, phrase: str) -> int:
        """Of the text for a phrase alone."""
        queries = self.model.config.model_type in QUERIES
        return len(self.processor.tokenizer(_query(phrase) if queries else _part(phrase))["input_ids"])

    def prepare(self, phrases: Sequence[str], folder: Path) -> None:
        """Nothing: phrases are read together with the picture."""

    def check(self, picture: Image.Image) -> None:
        """InputError for a picture that is a mere strip; its processor would blow it up."""
        Grid().layout(picture.width, picture.height, 1)

    @torch.inference_mode()
    def scores(self, pictures: Iterable[Picture]) -> Iterator[list[float]]:
        """The probability of the surest box for each phrase of each picture."""
        find = self._by_queries if self.model.config.model_type in QUERIES else self._by_sentence
        for picture, phrases in pictures:
            probabilities: dict[str, float] = {}
            for asked in self._together(dict.fromkeys(phrases)):
                probabilities.update(zip(asked, find(picture, asked), strict=True))
            yield [probabilities[phrase] for phrase in phrases]

    def _together(self, phrases: Iterable[str]) -> Iterator[list[str]]:
        """Phrases that are asked about at once; in one text they are no more than it has room for."""
        asked: list[str] = []
        tokens, room = 0, self._longest if self.model.config.model_type in SENTENCES else math.inf
        for phrase in phrases:
            own = self._tokens(phrase)  # the marks counted with every phrase, which errs on the safe side
            if asked and (len(asked) == _AT_ONCE or tokens + own > room):
                yield asked
                asked, tokens = [], 0
            asked, tokens = [*asked, phrase], tokens + own
        if asked:
            yield asked

    def _by_queries(self, picture: Image.Image, phrases: Sequence[str]) -> list[float]:
        config, device = self.model.config, self.model.device
        texts = self.processor.tokenizer(
            [_query(phrase) for phrase in phrases],
            padding="max_length",
            truncation=True,
            max_length=config.text_config.max_position_embeddings,
            return_tensors="pt",
        )
        pixels = self.processor.image_processor(picture, return_tensors="pt")["pixel_values"]
        inputs = {name: texts[name].to(device) for name in ("input_ids", "attention_mask")}
        logits = self.model(**inputs, pixel_values=pixels.to(device, self.model.dtype)).logits[0]
        return [float(score) for score in logits.float().sigmoid().amax(dim=0)]

    def _by_sentence(self, picture: Image.Image, phrases: Sequence[str]) -> list[float]:
        text, places = "", []
        for phrase in phrases:
            part = _part(phrase)
            places.append((len(text), len(text) + len(part) - 2))
            text += part
        inputs = self.processor(text=text, images=picture, return_tensors="pt", truncation=True).to(self.model.device)
        inputs["pixel_values"] = inputs["pixel_values"].to(self.model.dtype)
        by_token = self.model(**inputs).logits[0].float().sigmoid().amax(dim=0)
        offsets = self.processor.tokenizer(text, return_offsets_mapping=True, truncation=True)["offset_mapping"]
        return [
            max((float(by_token[at]) for at, (a, b) in enumerate(offsets) if start <= a < b <= end), default=0.0)
            for start, end in places
        ]


def _query(phrase: str) -> str:
    return f"a photo of a {phrase}"


def _part(phrase: str) -> str:
    """A phrase in a text of several, which end in full stops."""
    return f"{phrase.lower().replace('.', ' ')}. "


def detector(source: str, dtype: torch.dtype = torch.float32, device: Any = None) -> Detector:
    """Load a detector.

    Args:
        source: folder or hub id.
        dtype: of the weights.
        device: defaults to the accelerator when there is one.

    Raises:
        InputError: there is no such model, or it is of another kind.
    """
    from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

    model = pretrained(AutoModelForZeroShotObjectDetection, source, "weights", use_safetensors=True, dtype=dtype)
    if model.config.model_type not in QUERIES + SENTENCES:
        known = ", ".join(QUERIES + SENTENCES)
        raise InputError(f"{source}: {model.config.model_type!r} is no detector that is known here; known are {known}")
    processor = pretrained(AutoProcessor, source, "processor")
    return Detector(model.eval().to(device or this_device()), processor)


def check_detector(source: str) -> None:
    """InputError for a detector that could not be loaded, as far as it can be told without its weights."""
    from transformers import AutoProcessor

    config_of(source)
    check_tokenizer(pretrained(AutoProcessor, source, "processor").tokenizer, source)


def is_detector(source: str) -> bool:
    """Whether a checkpoint says that it is such a detector.

    Raises:
        InputError: there is no such checkpoint.
    """
    from transformers import AutoConfig

    config = pretrained(AutoConfig, source, "config.json")
    return config.model_type in QUERIES + SENTENCES
