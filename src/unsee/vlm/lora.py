"""Adapters on a model: one that is read from a folder, a fresh one, or one with further ranks behind those it has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from unsee.errors import InputError, did_you_mean
from unsee.types import Part
from unsee.vlm.adapters import LowRank, low_rank_updates, updates_of
from unsee.vlm.checkpoint import read_object, reading, stored_weights
from unsee.vlm.hub import find
from unsee.vlm.parts import bare_matrices, linear_names
from unsee.vlm.quantized import is_finite

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model"


@dataclass(frozen=True)
class LoraOptions:
    """Low-rank adapters instead of the weights themselves (Hu et al. 2021, arXiv 2106.09685)."""

    rank: int = 16
    alpha: int = 16  # the update is scaled by alpha / rank
    dropout: float = 0.0  # unlearning wants the policy at step 0 to equal the base exactly


def base_of(folder: Path) -> str | None:
    """The model that the adapter in a folder belongs to; None when there is no adapter.

    A relative path starts where the program runs or, should nothing be there, at the adapter's folder.

    Raises:
        InputError: the adapter's configuration cannot be read, is of an unknown kind, or names no base that is there.
    """
    path = folder / CONFIG
    if not os.path.isfile(path):
        return None
    config = read_object(path)
    _check_kind(config, path)
    base = config.get("base_model_name_or_path")
    if not base or not isinstance(base, str):
        raise InputError(f"{path}: base_model_name_or_path is missing; name the model that the adapter belongs to")
    if not os.path.isdir(base) and os.path.isdir(folder / base):
        base = str(folder / base)
    if os.path.isfile(Path(base) / CONFIG):
        raise InputError(
            f"{path}: base_model_name_or_path is {base}, an adapter itself; name the model that both belong to"
        )
    return base


def find_base(base: str, folder: Path) -> Path:
    """The folder of an adapter's base, as `unsee.vlm.hub.find` gives it.

    Raises:
        InputError: it is not there, or not under that name; the adapter's configuration is where to say so.
    """
    try:
        return find(base)
    except InputError as error:
        raise InputError(
            f"{error} (the base model of an adapter; set base_model_name_or_path in {folder / CONFIG} to where it is)"
        ) from error


def _check_kind(config: dict[str, Any], path: Path) -> None:
    from peft import PEFT_TYPE_TO_CONFIG_MAPPING

    known, kind = [str(member.value) for member in PEFT_TYPE_TO_CONFIG_MAPPING], config.get("peft_type")
    if kind not in known:
        hint = did_you_mean(str(kind), known)
        raise InputError(f"{path}: peft_type {kind!r} is unknown to PEFT{hint}; LORA is what unsee unlearn writes")


def with_adapter(model: nn.Module, folder: Path, source: str, trains: bool) -> nn.Module:
    """A base model under the adapter in a folder.

    Args:
        model: the base.
        folder: of the adapter.
        source: what messages call the adapter.
        trains: whether its weights may move.

    Raises:
        InputError: the adapter's file does not fit the model, or holds values that are not finite.
    """
    from peft import PeftModel

    what = f"{source}: the adapter does not fit its base model"
    with reading(what):
        adapted: nn.Module = PeftModel.from_pretrained(model, folder, is_trainable=trains)
    _check_names(adapted, folder, what)
    return adapted


def check_stored(folder: Path) -> None:
    """InputError for an adapter whose file is missing, damaged, or of another rank than its configuration says."""
    config, path = read_object(folder / CONFIG), folder / f"{WEIGHTS}.safetensors"
    stored = stored_weights(folder, WEIGHTS)
    odd = next((name for name, tensor in stored.items() if tensor.dtype not in ("F64", "F32", "F16", "BF16")), None)
    if odd is not None:
        raise InputError(f"{path}: weight {odd} is of type {stored[odd].dtype} and no fraction; fetch the file again")
    widest = max((size for tensor in stored.values() for size in tensor.shape), default=0)
    ranks = {"r": config.get("r"), **{f"rank_pattern.{k}": v for k, v in _ranks(config).items()}}
    for key, rank in ranks.items():
        if isinstance(rank, int) and rank > widest:  # building it would take memory that nothing fills
            raise InputError(f"{folder / CONFIG}: {key} is {rank}, and no weight beside it has more than {widest} rows")


def _ranks(config: dict[str, Any]) -> dict[str, Any]:
    pattern = config.get("rank_pattern")
    return pattern if isinstance(pattern, dict) else {}


def _check_names(model: nn.Module, folder: Path, what: str) -> None:
    """PEFT passes over weights that match no layer, and leaves layers without a weight as they are: as the base."""
    from peft import get_peft_model_state_dict, load_peft_weights, set_peft_model_state_dict

    stored = load_peft_weights(str(folder), device="cpu")
    expected = get_peft_model_state_dict(model, save_embedding_layers=False)
    outcome: Any = set_peft_model_state_dict(model, dict(stored))
    unknown = sorted(outcome.unexpected_keys)
    missing = sorted(expected.keys() - stored.keys())
    for names, verb in ((unknown, "matches no layer"), (missing, "is missing from its file")):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise InputError(f"{what}: {names[0]}{more} {verb}; take both from the same training")
    broken = next((name for name in sorted(stored) if not is_finite(nn.Parameter(stored[name], False))), None)
    if broken is not None:
        raise InputError(f"{folder}: weight {broken} of the adapter holds NaN or infinite values; fetch it again")


def add_lora(model: nn.Module, parts: tuple[Part, ...], lora: LoraOptions) -> nn.Module:
    """A base model under a fresh adapter on the linear layers of some parts.

    Raises:
        InputError: there is no such layer, or one of them cannot have dropout.
    """
    return _adapted(model, parts, lora, lora.rank, set(), set())


def extend_lora(model: nn.Module, parts: tuple[Part, ...], lora: LoraOptions, source: str) -> nn.Module:
    """An adapted model whose adapter has further ranks, which do nothing yet, behind those that it came with.

    Both together are one plain LoRA on the same base, whatever the ranks and the layers of the two: the earlier
    product, scaled, is the same with more columns behind it. Loaded by PEFT, it says what the model says here.

    Args:
        model: as `with_adapter` gives it.
        parts: whose layers get further ranks.
        lora: how many, and how the whole is scaled.
        source: what messages call the earlier adapter.

    Raises:
        InputError: the earlier adapter is no plain LoRA, or as for `add_lora`.
    """
    if not low_rank_updates(model):
        raise InputError(
            f"{source}: an adapter other than plain LoRA takes no further ranks; leave lora out to train it as it is, "
            "or give a model that it has been merged into"
        )
    earlier = {name: updates_of(layer)[0] for name, layer in _layers(model)}  # type: ignore[index]
    earlier = {name: LowRank(first, second, scaling) for name, (first, second, scaling) in earlier.items()}
    bare = {f"{name}.{layer.parameter_name}" for name, layer in _layers(model) if hasattr(layer, "parameter_name")}
    layers = {name for name, layer in _layers(model) if not hasattr(layer, "parameter_name")}
    rank = lora.rank + max(update.first.shape[0] for update in earlier.values())
    adapted = _adapted(model.unload(), parts, lora, rank, layers, bare)  # type: ignore[operator]
    with torch.no_grad():
        for name, layer in _layers(adapted):
            if name in earlier:
                now = (updates_of(layer) or [])[0]
                first, second, scaling = earlier[name]
                now.first[: len(first)] = first
                now.second[:, : len(first)] = second * (scaling / now.scaling)
    return adapted


def _layers(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """The adapted layers of a model, by their names in the base."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    base = model.get_base_model()  # type: ignore[operator]
    return ((name, module) for name, module in base.named_modules() if isinstance(module, BaseTunerLayer))


def _adapted(
    model: nn.Module, parts: tuple[Part, ...], lora: LoraOptions, rank: int, layers: set[str], matrices: set[str]
) -> nn.Module:
    """A fresh adapter of some rank, scaled as the options say, on the layers of some parts and on those given."""
    from peft import LoraConfig, get_peft_model

    targets = sorted({*linear_names(model, parts), *layers})
    bare = sorted({*bare_matrices(model, parts), *matrices})
    if not targets and not bare:
        raise InputError(f"lora: no linear layer in {', '.join(parts)} of {type(model).__name__}; choose other parts")
    if bare and lora.dropout:
        raise InputError(f"lora: {bare[0]} is no layer and cannot have dropout; set lora.dropout to 0, or other parts")
    config = LoraConfig(
        r=rank,
        lora_alpha=lora.alpha if rank == lora.rank else lora.alpha / lora.rank * rank,  # type: ignore[arg-type]
        lora_dropout=lora.dropout,
        target_modules=targets,
        target_parameters=bare or None,
    )
    adapted: nn.Module = get_peft_model(model, config)
    return adapted
