"""Loading a vision-language model and its processor from a folder or the hub."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.constants import HF_HUB_OFFLINE
from huggingface_hub.errors import StrictDataclassError
from torch import nn
from transformers import (
    MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING,
    AutoConfig,
    AutoModelForImageTextToText,
    AutoProcessor,
    GenerationConfig,
)

from unsee.errors import InputError, did_you_mean
from unsee.files import read_json
from unsee.parts import PARTS, Part
from unsee.vlm.encoding import Encoder
from unsee.vlm.parts import bare_matrices, freeze_other_parts, linear_names, part_of_parameters
from unsee.vlm.policy import innermost
from unsee.vlm.quantized import in_one_precision, is_finite, quantization

_PROCESSOR_FILES = ("processor_config.json", "preprocessor_config.json")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class LoraOptions:
    """Low-rank adapters instead of the weights themselves (Hu et al. 2021, arXiv 2106.09685)."""

    rank: int = 16
    alpha: int = 16  # the update is scaled by alpha / rank
    dropout: float = 0.0  # unlearning wants the policy at step 0 to equal the base exactly


@dataclass
class LoadedModel:
    """A model with what is needed to talk to it."""

    model: nn.Module
    processor: Any
    encoder: Encoder
    source: str
    parts: tuple[Part, ...] = field(default=PARTS)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device


def load(
    source: str | Path,
    *,
    dtype: str = "float32",
    parts: tuple[Part, ...] = PARTS,
    lora: LoraOptions | None = None,
    quantize: str | None = None,
    device: str | torch.device | None = None,
    trust_remote_code: bool = False,
) -> LoadedModel:
    """Load a model for unlearning or measuring.

    Args:
        source: folder or hub id of a checkpoint, or a folder with a PEFT adapter (its base is loaded with it).
        dtype: of the weights. float32 by default: at unlearning rates bfloat16 weights mostly do not move.
        parts: where weights may move; everything else is frozen.
        lora: adapt the linear layers of `parts` instead of training the weights themselves.
        quantize: "4bit" rounds the linear layers of the base. Rounded weights cannot be trained, so it needs `lora`
            or an adapter's folder.
        device: defaults to the accelerator when there is one.
        trust_remote_code: run code that comes with the checkpoint. Off unless asked for.

    Raises:
        InputError: when there is no such model, when it is not a vision-language model, when its processor or chat
            template is missing, when its weights hold NaN or infinite values, or when it cannot be rounded or adapted
            as asked for.
    """
    if dtype not in DTYPES:
        raise InputError(f"dtype {dtype!r} is unknown: choose one of {', '.join(DTYPES)}")
    source, base = str(source), _base(source)
    options = {"trust_remote_code": trust_remote_code}
    _config(base, options)
    if device is None:
        device = torch.accelerator.current_accelerator(check_available=True) or "cpu"
    how: dict[str, Any] = {"dtype": DTYPES[dtype], "use_safetensors": True, "output_loading_info": True}
    if quantize is not None:
        if lora is None and base == source:
            raise InputError(f"quantize={quantize}: rounded weights cannot be trained; add lora, as in --lora 16")
        how |= {"quantization_config": quantization(quantize, DTYPES[dtype]), "device_map": {"": device}}
    model, info = _from_pretrained(AutoModelForImageTextToText, base, "weights", **how, **options)
    in_one_precision(model)
    _check_weights(model, base, sorted(info["missing_keys"]))
    part_of_parameters(model)  # refuses a model without an image encoder, before anything is done with it
    if base != source:
        model = _with_adapter(model, source)
    processor = _processor(source, base, options)
    if lora is not None:
        model = _add_lora(model, parts, lora)
    freeze_other_parts(model, parts)
    model.to(device)
    return LoadedModel(model, processor, _encoder(model, processor, source), source, parts)


def outline(source: str | Path, *, trust_remote_code: bool = False) -> LoadedModel:
    """A model without its weights: the structure on the meta device, with its processor. It takes no memory.

    Args:
        source: as for `load`; an adapter's folder gives the outline of its base.
        trust_remote_code: run code that comes with the checkpoint.

    Raises:
        InputError: as for `load`, but for what the weights alone can tell.
    """
    source, base = str(source), _base(source)
    options = {"trust_remote_code": trust_remote_code}
    config = _config(base, options)
    with torch.device("meta"):
        model: Any = AutoModelForImageTextToText.from_config(config, **options)
    part_of_parameters(model)
    processor = _processor(source, base, options)
    with suppress(OSError):  # a checkpoint need not have one
        model.generation_config = GenerationConfig.from_pretrained(base)
    return LoadedModel(model, processor, _encoder(model, processor, source), source)


def _base(source: str | Path) -> str:
    """The source itself, or the base model if it is an adapter's folder."""
    adapter = Path(source) / "adapter_config.json"
    if not os.path.isfile(adapter):
        return str(source)
    base = read_json(adapter).get("base_model_name_or_path")
    if not base:
        raise InputError(f"{adapter}: base_model_name_or_path is missing; name the model that the adapter belongs to")
    return str(base)


def _config(source: str, options: dict[str, Any]) -> Any:
    """The configuration of a vision-language model."""
    config = _from_pretrained(AutoConfig, source, "config.json", **options)
    if getattr(config, "vision_config", None) is None:
        raise InputError(
            f"{source}: {config.model_type!r} is a text-only model (its config has no vision_config); "
            "give a vision-language model such as LLaVA or Qwen2.5-VL"
        )
    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING and not getattr(config, "auto_map", None):
        raise InputError(
            f"{source}: {config.model_type!r} does not generate text; "
            "give a vision-language model such as LLaVA or Qwen2.5-VL"
        )
    return config


def _from_pretrained(factory: Any, source: str, what: str, **options: Any) -> Any:
    """`from_pretrained` whose failures to find or read something become one line."""
    folder = Path(source)
    if not os.path.isdir(folder) and not _may_be_hub_id(source):
        hint = did_you_mean(folder.name, _folders_beside(folder))
        raise InputError(
            f"{source}: no such model folder{hint}; give a folder with config.json, or a hub id like owner/name"
        )
    if os.path.isdir(folder) and not os.path.isfile(folder / "config.json"):
        raise InputError(f"{source}: has no config.json; give a folder that save_pretrained wrote")
    try:
        return factory.from_pretrained(source, **options)
    except (OSError, ValueError, KeyError, RuntimeError, StrictDataclassError) as error:
        if os.path.isdir(folder):
            raise InputError(f"{source}: cannot load its {what}: {_first_line(error)}") from error
        raise InputError(f"{source}: no such folder, and {_hub_says(error)}") from error


def _may_be_hub_id(source: str) -> bool:
    """`owner/name`, unless `owner` is a folder: then a slip of the pen is likelier than a wish to ask the hub."""
    owner, slash, name = source.partition("/")
    return bool(slash and name) and "/" not in name and owner not in ("", ".", "..", "~") and not os.path.exists(owner)


def _folders_beside(folder: Path) -> list[str]:
    with suppress(OSError):
        return [entry.name for entry in folder.absolute().parent.iterdir() if entry.is_dir()]
    return []


def _hub_says(error: Exception) -> str:
    if HF_HUB_OFFLINE:
        return "no such model in the cache of the hub, which is off (HF_HUB_OFFLINE)"
    return f"the hub says: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__


def _has_processor(folder: str) -> bool:
    return any(os.path.isfile(Path(folder) / name) for name in _PROCESSOR_FILES)


def _processor(source: str, base: str, options: dict[str, Any]) -> Any:
    """The processor saved beside an adapter, else the base model's."""
    origin = source if _has_processor(source) else base
    if os.path.isdir(origin) and not _has_processor(origin):
        raise InputError(f"{origin}: has no processor; add {' or '.join(_PROCESSOR_FILES)} of the model it stems from")
    try:
        return AutoProcessor.from_pretrained(origin, **options)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        raise InputError(
            f"{origin}: cannot load its processor: {_first_line(error)}; "
            "the folder needs the processor's, tokenizer's and image processor's files"
        ) from error


def _check_weights(model: nn.Module, source: str, missing: list[str]) -> None:
    if missing:  # transformers fills them with random numbers and goes on
        more = f" and {len(missing) - 1} more tensors" if len(missing) > 1 else ""
        raise InputError(
            f"{source}: its files hold no weight {missing[0]}{more}; the checkpoint is not complete, fetch it again"
        )
    broken = [name for name, weight in model.named_parameters() if not is_finite(weight)]
    if broken:
        more = f" and {len(broken) - 1} more tensors" if len(broken) > 1 else ""
        raise InputError(
            f"{source}: weight {broken[0]}{more} holds NaN or infinite values; the checkpoint is broken, fetch it again"
        )


def _with_adapter(model: nn.Module, source: str) -> nn.Module:
    from peft import PeftModel

    try:
        adapted: nn.Module = PeftModel.from_pretrained(model, source, is_trainable=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"{source}: the adapter does not fit its base model: {_first_line(error)}") from error
    return adapted


def _add_lora(model: nn.Module, parts: tuple[Part, ...], lora: LoraOptions) -> nn.Module:
    from peft import LoraConfig, get_peft_model

    targets, bare = linear_names(model, parts), bare_matrices(model, parts)
    if not targets and not bare:
        raise InputError(f"lora: no linear layer in {', '.join(parts)} of {type(model).__name__}; choose other parts")
    if bare and lora.dropout:
        raise InputError(f"lora: {bare[0]} is no layer and cannot have dropout; set lora.dropout to 0, or other parts")
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets,
        target_parameters=bare or None,
    )
    adapted: nn.Module = get_peft_model(model, config)
    return adapted


def _encoder(model: nn.Module, processor: Any, source: str) -> Encoder:
    try:
        return Encoder(processor, _end_of_turn_ids(model))
    except InputError as error:
        raise InputError(f"{source}: {error}") from None


def _end_of_turn_ids(model: nn.Module) -> list[int]:
    generation: GenerationConfig | None = getattr(innermost(model), "generation_config", None)
    ids = getattr(generation, "eos_token_id", None)
    return [] if ids is None else [int(ids)] if isinstance(ids, int) else [int(token) for token in ids]
