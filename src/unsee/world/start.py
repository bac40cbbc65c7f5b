"""A tiny checkpoint that knows nothing yet, for `unsee train` to make base and gold from.

Its tokenizer has read everything that is asked or answered in an exported world, whatever its layout, or in rows of
somebody's own; beyond that it is random weights, but for LLaVA's image encoder, which has seen faces and scenes of no
world (see `unsee.world.pretraining`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from transformers import CLIPVisionModel

from unsee.benchmarks import find, load_benchmark
from unsee.benchmarks.files import check_new
from unsee.data import Example, load_examples
from unsee.errors import InputError, one_of
from unsee.system.atomic import whole_folder
from unsee.system.lock import reserved
from unsee.system.typed import read_typed
from unsee.world import architecture, qwen
from unsee.world.layouts.export import LAYOUTS, MARK
from unsee.world.models import cache_folder, image_encoder


@dataclass(frozen=True)
class Started:
    """A checkpoint that was written.

    Attributes:
        folder: that holds it.
        rows: how many its tokenizer has read.
        layout: of the exported world; None for rows of somebody's own.
        words: tokens that it knows.
    """

    folder: Path
    rows: int
    layout: str | None
    words: int


class _Mark(BaseModel):
    """As much of what `unsee world export` says of a folder as is needed here."""

    model_config = ConfigDict(extra="ignore")

    layout: str


def start(source: Path, family: str, out: Path, seed: int = 0) -> Started:
    """Write a checkpoint that knows nothing.

    Args:
        source: a folder that `unsee world export` wrote, or rows as `unsee.data.load_examples` reads them.
        family: one of `FAMILIES`.
        out: a folder that does not exist yet.
        seed: of the weights.

    Raises:
        InputError: for an unknown family, a source that cannot be read, or a folder that exists.
    """
    one_of("family", family, FAMILIES)
    check_new(out)
    layout = _layout_of(source)
    rows = _rows_of_world(source, layout) if layout else _own_rows(source)
    model, processor = FAMILIES[family](list(_texts(rows)), seed)
    with reserved(out), whole_folder(out) as temporary:
        model.save_pretrained(temporary)
        processor.save_pretrained(temporary)
    return Started(out, len(rows), layout, len(processor.tokenizer))


def _layout_of(folder: Path) -> str | None:
    """The layout of an exported world; None of another folder. It is one of ours: data must not name code to be run."""
    mark = folder / MARK
    if not mark.is_file():
        return None
    said: _Mark = read_typed(mark, _Mark)
    one_of(f"{mark}: layout", said.layout, LAYOUTS)
    return said.layout


def _own_rows(source: Path) -> list[Example]:
    try:
        return load_examples(source, check_images=False)
    except InputError as error:
        if not source.is_dir():
            raise
        raise InputError(f"{source}: no exported world, as it has no {MARK}; nor rows ({error})") from error


def _rows_of_world(folder: Path, layout: str) -> list[Example]:
    """All that is learned or asked, whatever is to go."""
    requests: Mapping[str, None] = dict.fromkeys(find(layout).requests)
    loaded = [load_benchmark(folder, layout, request=request) for request in requests]
    rows = [row for benchmark in loaded for row in benchmark.base_rows]
    asked = [row for benchmark in loaded for probe in benchmark.probes for row in probe.examples]
    return list(dict.fromkeys([*rows, *asked]))


def _texts(rows: Sequence[Example]) -> Iterator[str]:
    for row in rows:
        for answer in (row.answer, *row.paraphrased_answers, *row.perturbed_answers, *row.choices):
            yield f"USER: {row.question} ASSISTANT: {answer}"


def _llava(texts: Sequence[str], seed: int) -> tuple[Any, Any]:
    processor = architecture.make_processor(texts)
    model = architecture.make_model(processor, seed)
    encoder = CLIPVisionModel.from_pretrained(image_encoder(processor, cache_folder()))
    model.model.vision_tower.load_state_dict(encoder.state_dict())
    return model, processor


def _qwen2_5_vl(texts: Sequence[str], seed: int) -> tuple[Any, Any]:
    processor = qwen.make_processor(texts)
    return qwen.make_model(processor, seed), processor


FAMILIES: dict[str, Callable[[Sequence[str], int], tuple[Any, Any]]] = {"llava": _llava, "qwen2_5_vl": _qwen2_5_vl}
