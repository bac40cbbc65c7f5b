"""What unlearning would make of a model and of the first row of some data, before an hour is spent on it.

The model is built without its weights, so even one that does not fit into memory can be looked at.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from unsee.cli.environment import GB, accelerator_memory, free_memory
from unsee.data import Example, load_examples
from unsee.errors import InputError
from unsee.system.progress import progress
from unsee.types import PARTS
from unsee.vlm import LoadedModel, outline, trainable_per_part
from unsee.vlm.checkpoint import stored_weights
from unsee.vlm.lora import CONFIG, WEIGHTS
from unsee.vlm.parts import linear_names

SHOWN = 5  # rows that cannot be used, in full
RANK = 16  # of the adapters whose memory is estimated
FORMULAE = {
    "inference": "4 x weights (2 x in bfloat16)",
    "lora": f"4 x weights + 16 x adapter weights of rank {RANK}",
    "full": "16 x weights: 4 each for weight and gradient, 8 for AdamW's moments",
}
# A checkpoint has the weights that move and AdamW's two moments of each; the oldest goes when the next one is written.
CHECKPOINT, CHECKPOINTS = 12, 3
DISK = {
    "lora": "while training: 36 x adapter weights of rank 16, in three checkpoints; then 4 x these",
    "full": "while training: 36 x weights, in three checkpoints; then 4 x weights",
}


@dataclass
class Diagnosis:
    """What was found; parts that could not be looked at are empty.

    Attributes:
        model: class, parameters per part, memory in GB, end-of-turn tokens.
        data: number of rows, of pictures, of subjects.
        row: the first row (the first with a picture, where there are any) as the model sees it.
        notices: what was put right or passed over in the model's files.
        problems: what has to be mended, each with its remedy.
    """

    model: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    row: dict[str, Any] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def attempt(self, look: Callable[[], Any]) -> Any:
        """What looking gives, or None and one more problem."""
        try:
            return look()
        except InputError as error:
            self.problems.append(str(error))
            return None


def diagnose(model: str | None, data: str | None, trust_remote_code: bool = False) -> Diagnosis:
    """Look at a model, at data, and at what the one makes of the other.

    Args:
        model: folder or hub id.
        data: as `unsee.data.load_examples` reads it.
        trust_remote_code: run code that comes with the model.
    """
    diagnosis = Diagnosis()
    examples = diagnosis.attempt(lambda: load_examples(data)) if data else None
    if examples:
        diagnosis.data = describe_data(examples)
    loaded = diagnosis.attempt(lambda: outline(model, trust_remote_code=trust_remote_code)) if model else None
    if loaded is None:
        return diagnosis
    diagnosis.model = describe_model(loaded)
    diagnosis.notices = list(loaded.encoder.notices)
    diagnosis.problems += memory_problems(diagnosis.model["memory_gb"])
    diagnosis.notices += disk_notices(diagnosis.model["disk_gb"])
    diagnosis.problems += weight_problems(Path(loaded.source))
    if examples:
        refused = refused_rows(loaded, examples, str(data))
        diagnosis.problems += refused
        if not refused:
            _look_at_row(diagnosis, loaded, examples)
    return diagnosis


def _look_at_row(diagnosis: Diagnosis, loaded: LoadedModel, examples: Sequence[Example]) -> None:
    place = next((place for place, example in enumerate(examples) if example.image is not None), 0)
    row = diagnosis.attempt(lambda: describe_row(loaded, examples[place]))
    if row:
        diagnosis.row = {"number": place + 1, **row}
        diagnosis.problems += row_problems(loaded, row)


def refused_rows(loaded: LoadedModel, examples: Sequence[Example], name: str) -> list[str]:
    """The first rows that the model cannot be asked, and how many more there are; every row is looked at."""
    refused = list(loaded.encoder.problems(examples, name))
    messages = [f"{name}, row {number}, {problem}" for number, problem in refused[:SHOWN]]
    more = len(refused) - len(messages)
    return [*messages, f"{name}: {more} more of {len(examples)} rows cannot be used"] if more else messages


def describe_data(examples: Sequence[Example]) -> dict[str, Any]:
    """How much there is of what."""
    return {
        "rows": len(examples),
        "rows_with_image": sum(example.image is not None for example in examples),
        "images": len({example.image for example in examples} - {None}),
        "subjects": len({example.subject for example in examples} - {None}),
    }


def describe_model(loaded: LoadedModel) -> dict[str, Any]:
    """Structure, parts and memory of a model."""
    counts = trainable_per_part(loaded.model)
    weights = sum(total for _, total in counts.values())
    shapes = dict(loaded.model.named_parameters())
    adapters = sum(RANK * sum(shapes[f"{name}.weight"].shape) for name in linear_names(loaded.model, PARTS))
    encoder = loaded.encoder
    return {
        "class": type(loaded.model).__name__,
        "processor": type(loaded.processor).__name__,
        "parameters": {part: total for part, (_, total) in counts.items()},
        "memory_gb": {
            "inference": 4 * weights / GB,
            "lora": (4 * weights + 16 * adapters) / GB,
            "full": 16 * weights / GB,
        },
        "disk_gb": {
            "lora": CHECKPOINTS * CHECKPOINT * adapters / GB,
            "full": CHECKPOINTS * CHECKPOINT * weights / GB,
        },
        "image_token": _image_token(loaded),
        "end_of_turn": {str(token): encoder.tokenizer.decode([token]) for token in sorted(encoder.end_of_turn_ids)},
        "longest_sequence": encoder.limits.context,
        "image_size": _image_size(loaded.processor),
    }


def _image_size(processor: Any) -> dict[str, Any]:
    images = getattr(processor, "image_processor", None)
    keys = ("size", "crop_size", "patch_size", "merge_size")
    sizes = {key: getattr(images, key, None) for key in keys}
    return {key: _sizes(value) for key, value in sizes.items() if value}


def _sizes(value: Any) -> Any:
    """A number as it is; of a set of sizes, a dictionary or a dataclass by version, those that are given."""
    named = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    return {k: v for k, v in named.items() if v is not None} if isinstance(named, dict) else named


def memory_problems(memory: dict[str, float]) -> list[str]:
    """What does not fit where training would happen."""
    room = (accelerator_memory() or free_memory()) / GB
    if memory["inference"] > room:
        return [
            f"memory: the weights alone take {memory['inference']:.1f} GB and {room:.1f} GB are free; "
            "use bfloat16 (--set dtype=bfloat16 with --lora), a larger machine or a smaller model"
        ]
    if memory["lora"] > room:
        return [f"memory: LoRA takes {memory['lora']:.1f} GB and {room:.1f} GB are free; choose a smaller model"]
    return []


def disk_notices(disk: dict[str, float]) -> list[str]:
    """What does not fit on the disk of the folder where one stands; a run may go elsewhere."""
    room = shutil.disk_usage(Path.cwd()).free / GB
    short = [
        f"{disk[how]:.1f} GB for {name}"
        for how, name in (("lora", "LoRA"), ("full", "all weights"))
        if disk[how] > room
    ]
    if not short:
        return []
    return [
        f"disk: {room:.1f} GB are free here, and a run takes {' and '.join(short)} while it trains; "
        "--out on another disk, or fewer weights (--lora, --parts)"
    ]


def weight_problems(folder: Path) -> list[str]:
    """Weights of a local checkpoint that are no numbers, read one tensor at a time."""
    files = sorted(folder.glob("*.safetensors")) if os.path.isdir(folder) else []
    if not files and os.path.isdir(folder):
        return [f"{folder}: holds no .safetensors file; save the model again with save_pretrained"]
    for path in files:
        try:
            with safe_open(path, framework="pt") as stored:
                for name in progress(list(stored.keys()), f"reading {path.name}"):
                    weight = stored.get_tensor(name)
                    if weight.is_floating_point() and not bool(torch.isfinite(weight).all()):
                        return [f"{path}: weight {name} holds NaN or infinite values; take a sound checkpoint"]
        except (SafetensorError, OSError) as error:
            return [f"{path}: cannot be read ({error}); fetch or save it again"]
    try:
        if files:  # shards that are missing, or elsewhere than their index says
            stored_weights(folder, WEIGHTS if (folder / CONFIG).is_file() else "model")
    except InputError as error:
        return [str(error)]
    return []


def describe_row(loaded: LoadedModel, example: Example) -> dict[str, Any]:
    """One example from template to labels."""
    encoder = loaded.encoder
    prompt, whole = encoder.texts(example)
    row = encoder.encode(example)
    picture = example.picture()
    runs = _runs(encoder.tokenizer, row.prompt_ids.tolist())
    labels = row.answer_ids.tolist()
    return {
        "template": {"prompt": prompt, "with_answer": whole},
        "prompt": runs,
        "prompt_tokens": len(row.prompt_ids),
        "image_tokens": sum(run["times"] for run in runs if run["text"] == _image_token(loaded)),
        "labels": [{"id": label, "text": encoder.tokenizer.decode([label])} for label in labels],
        "labels_decoded": encoder.tokenizer.decode(labels),
        "answer": example.answer,
        "image": f"{picture.width} x {picture.height}" if picture else None,
        "image_tensors": {name: list(value.shape) for name, value in row.per_image.items()},
    }


def _image_token(loaded: LoadedModel) -> str | None:
    return getattr(loaded.processor, "image_token", None)


def _runs(tokenizer: Any, ids: list[int]) -> list[dict[str, Any]]:
    """Tokens with their texts, equal neighbours (image placeholders) counted instead of repeated."""
    return [{"id": token, "text": tokenizer.decode([token]), "times": len(list(run))} for token, run in groupby(ids)]


def row_problems(loaded: LoadedModel, row: dict[str, Any]) -> list[str]:
    """What is wrong with the first row as the model sees it."""
    problems = []
    text = loaded.encoder.tokenizer.decode([label["id"] for label in row["labels"]], skip_special_tokens=True).strip()
    if " ".join(text.split()) != " ".join(row["answer"].split()):
        problems.append(
            f"labels: they read {text!r}, the answer is {row['answer']!r}; the chat template changes answers"
        )
    return problems
