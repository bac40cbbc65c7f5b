"""How well a phrase fits a picture, by a dual encoder (CLIP, SigLIP and their kin) over sliding windows.

CLIP scores are 100 times the cosine between window and phrase; SigLIP scores are probabilities, for which thresholds
of CLIP mean nothing. Each phrase is embedded once and kept in the run's folder; windows of several pictures share a
forward pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from unsee.errors import InputError, did_you_mean
from unsee.mining.aggregation import AGGREGATORS
from unsee.mining.weighted_spans import Unit
from unsee.mining.windows import Grid, Layout, Look, cut
from unsee.system.progress import progress
from unsee.vlm.pretrained import config_of, pretrained, this_device, tokenizer_of
from unsee.vlm.stored import read_tensors, write_tensors

TEMPLATE = "A photo containing {}."
_TOKENS = ("input_ids", "attention_mask")
_CHUNK = 512  # phrases per file of embeddings

Picture = tuple[Image.Image, Sequence[str]]  # a picture and the phrases asked about it


class Scorer(Protocol):
    """Scores phrases against pictures."""

    @property
    def unit(self) -> Unit:
        """What scores are."""
        ...

    def fits(self, phrase: str) -> bool:
        """Whether the scorer reads the whole of a phrase; of one that is too long it would score the beginning."""
        ...

    def prepare(self, phrases: Sequence[str], folder: Path) -> None:
        """Do once for every phrase what does not depend on pictures; what is kept goes to `folder`."""
        ...

    def check(self, picture: Image.Image) -> None:
        """InputError for a picture that cannot be looked at."""
        ...

    def scores(self, pictures: Iterable[Picture]) -> Iterator[list[float]]:
        """The score of each phrase of each picture, in `unit`."""
        ...


@dataclass
class DualEncoder:
    """Scores by a model with an image and a text encoder.

    Attributes:
        model: in evaluation mode, with `get_image_features` and `get_text_features`.
        tokenizer: of its text encoder.
        look: what its image encoder wants to see.
        grid: of windows.
        aggregator: name of the way from window scores to the score of a phrase; one of `AGGREGATORS`.
        template: the text for a phrase; holds "{}" once.
        batch_size: windows, or phrases, a forward pass.
    """

    model: Any
    tokenizer: Any
    look: Look
    grid: Grid = field(default_factory=Grid)
    aggregator: str = "max"
    template: str = TEMPLATE
    batch_size: int = 128
    _known: dict[str, Tensor] = field(init=False, repr=False, default_factory=dict)
    _batch: Tensor | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        check_aggregation(self.aggregator, self.template)

    @property
    def unit(self) -> Unit:
        """What scores are."""
        return unit_of(self.model)

    def fits(self, phrase: str) -> bool:
        """Whether the text of a phrase is no longer than what the text encoder takes (CLIP: 77 tokens)."""
        return len(self.tokenizer(self.template.replace("{}", phrase))["input_ids"]) <= self._longest

    @property
    def _longest(self) -> int:
        return int(self.model.config.text_config.max_position_embeddings)

    def prepare(self, phrases: Sequence[str], folder: Path) -> None:
        """Embed phrases, or read their embeddings; the same phrases give the same files."""
        starts = range(0, len(phrases), _CHUNK)
        for number, start in enumerate(progress(starts, "embedding phrases", total=len(starts))):
            chunk, path = phrases[start : start + _CHUNK], folder / f"{number:05d}.safetensors"
            stored = read_tensors(path, "\0".join(chunk))
            if stored is None:
                stored = {"embeddings": self.embed(chunk)}
                folder.mkdir(parents=True, exist_ok=True)
                write_tensors(path, stored, "\0".join(chunk))
            self._known.update(zip(chunk, stored["embeddings"], strict=True))

    @torch.inference_mode()
    def embed(self, phrases: Sequence[str]) -> Tensor:
        """Unit vectors of phrases, on the CPU; shape (phrases, dimensions)."""
        vectors = [self._embed(phrases[at : at + self.batch_size]) for at in range(0, len(phrases), self.batch_size)]
        return torch.cat(vectors)

    def _embed(self, phrases: Sequence[str]) -> Tensor:
        # SigLIP was trained with texts of one length and reads its padding.
        padding = "longest" if self.unit == "cosine_100" else "max_length"
        tokens = self.tokenizer(
            [self.template.replace("{}", phrase) for phrase in phrases],
            padding=padding,
            truncation=True,
            max_length=self._longest,
            return_tensors="pt",
        )
        inputs = {
            name: tokens[name].to(self.model.device) for name in ("input_ids", "attention_mask") if name in tokens
        }
        return _unit_vectors(self.model.get_text_features(**inputs)).cpu()

    @torch.inference_mode()
    def scores(self, pictures: Iterable[Picture]) -> Iterator[list[float]]:
        """The aggregated score of each phrase of each picture."""
        aggregate = AGGREGATORS[self.aggregator]
        for phrases, layout, windows in self._seen(pictures):
            texts = torch.stack([self._text(phrase) for phrase in phrases])
            scores = self._scaled(windows @ texts.T).double().numpy()
            grid = scores.reshape(layout.rows, layout.columns, len(phrases))
            yield [float(score) for score in aggregate(np.asarray(grid), self.grid.patches)]

    def _text(self, phrase: str) -> Tensor:
        if phrase not in self._known:
            self._known[phrase] = self.embed([phrase])[0]
        return self._known[phrase]

    def _scaled(self, cosines: Tensor) -> Tensor:
        if self.unit == "cosine_100":
            return 100 * cosines
        scale, bias = (value.detach().float().cpu() for value in (self.model.logit_scale.exp(), self.model.logit_bias))
        return torch.sigmoid(cosines * scale + bias)

    def _seen(self, pictures: Iterable[Picture]) -> Iterator[tuple[Sequence[str], Layout, Tensor]]:
        """Each picture's phrases, layout and window embeddings; windows of several pictures are embedded together."""
        waiting: list[tuple[Sequence[str], Layout]] = []
        windows: list[list[Tensor]] = []
        for picture, phrases in pictures:
            layout = self.layout(picture)
            waiting.append((phrases, layout))
            windows.append(cut(picture, layout, self.look, self.model.device, self.model.dtype))
            if sum(map(len, windows)) >= self.batch_size:
                yield from self._embedded(waiting, windows)
                waiting, windows = [], []
        yield from self._embedded(waiting, windows)

    def check(self, picture: Image.Image) -> None:
        """InputError for a picture that is a mere strip."""
        self.layout(picture)

    def layout(self, picture: Image.Image) -> Layout:
        """The windows over a picture."""
        return self.grid.layout(picture.width, picture.height, self.look.size)

    def _embedded(
        self, waiting: Sequence[tuple[Sequence[str], Layout]], windows: Sequence[Sequence[Tensor]]
    ) -> Iterator[tuple[Sequence[str], Layout, Tensor]]:
        if not waiting:
            return
        embedded = self.embed_windows([window for own in windows for window in own])
        for (phrases, layout), own in zip(waiting, embedded.split([len(part) for part in windows]), strict=True):
            yield phrases, layout, own

    @torch.inference_mode()
    def embed_windows(self, windows: Sequence[Tensor]) -> Tensor:
        """Unit vectors of windows, on the CPU; shape (windows, dimensions).

        Args:
            windows: as `cut` gives them; shape (3, size, size) each.
        """
        vectors = []
        for at in range(0, len(windows), self.batch_size):
            batch = list(windows[at : at + self.batch_size])
            if self._batch is None:  # memory that is used again: to ask for it anew takes longer than to fill it
                self._batch = batch[0].new_empty((self.batch_size, *batch[0].shape))
            pixels = torch.stack(batch, out=self._batch[: len(batch)])
            vectors.append(_unit_vectors(self.model.get_image_features(pixel_values=pixels)))
        return torch.cat(vectors).cpu()


def check_aggregation(aggregator: str, template: str) -> None:
    """InputError for an unknown aggregator, or a template without a place for the phrase."""
    if aggregator not in AGGREGATORS:
        hint = did_you_mean(aggregator, AGGREGATORS)
        raise InputError(f"aggregator {aggregator!r} is unknown{hint}; choose one of {', '.join(AGGREGATORS)}")
    if template.count("{}") != 1:
        raise InputError(f"template {template!r}: it needs {{}} once, where the phrase goes")


def dual_encoder(
    source: str,
    grid: Grid | None = None,
    aggregator: str = "max",
    template: str = TEMPLATE,
    batch_size: int = 128,
    dtype: torch.dtype = torch.float32,
    device: Any = None,
) -> DualEncoder:
    """Load a dual encoder.

    Args:
        source: folder or hub id.
        grid: of windows; that of the paper when not given.
        aggregator: "max" or "patch_top4".
        template: the text for a phrase.
        batch_size: windows per forward pass.
        dtype: of the weights.
        device: defaults to the accelerator when there is one.

    Raises:
        InputError: there is no such model, or it has no encoders of both kinds.
    """
    from transformers import AutoModel

    outline(source)
    look, tokenizer = _look_and_tokenizer(source)
    model = pretrained(AutoModel, source, "weights", use_safetensors=True, dtype=dtype)
    model = model.eval().to(device or this_device())
    return DualEncoder(model, tokenizer, look, grid or Grid(), aggregator, template, batch_size)


def outline(source: str) -> Any:
    """A dual encoder without its weights, on the meta device: it takes no memory, and tells what scores will be.

    Raises:
        InputError: as for `dual_encoder`, but for what the weights alone can tell.
    """
    from transformers import MODEL_MAPPING, AutoModel

    config, model = config_of(source), None
    kind = MODEL_MAPPING.get(type(config), None)
    if hasattr(kind, "get_image_features") and hasattr(kind, "get_text_features"):
        try:
            with torch.device("meta"):
                model = AutoModel.from_config(config)
        except (ValueError, KeyError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{source}: its config.json describes no model that can be built: {reason}") from error
    if not hasattr(model, "logit_scale"):
        raise InputError(f"{source}: {config.model_type!r} is no dual encoder; give a CLIP or SigLIP model")
    _look_and_tokenizer(source)
    return model


def unit_of(model: Any) -> Unit:
    """What a dual encoder scores, of which an outline is enough.

    Probabilities where it has a bias to learn for them (SigLIP), else 100 times the cosine.
    """
    return "cosine_100" if getattr(model, "logit_bias", None) is None else "probability"


def _look_and_tokenizer(source: str) -> tuple[Look, Any]:
    from transformers import AutoImageProcessor

    return Look.of(pretrained(AutoImageProcessor, source, "image processor"), source), tokenizer_of(source)


def _unit_vectors(features: Any) -> Tensor:
    pooled: Tensor = features if isinstance(features, Tensor) else features.pooler_output
    return torch.nn.functional.normalize(pooled.float(), dim=-1)
