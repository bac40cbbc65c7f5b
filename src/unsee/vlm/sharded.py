"""A model in pieces: each of several processes holds some rows of every weight (FSDP2), and no weight whole for long.

The layers of the decoder are gathered one at a time, whenever they are passed; everything else (vision tower,
projector, embeddings, head) is gathered together with the model itself. Every process passes the same layers whatever
its rows are made of, so that none waits for a tower that another one does not enter.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor

from unsee.errors import InputError
from unsee.system import processes
from unsee.system.launch import asks_for_shards

if TYPE_CHECKING:
    from unsee.vlm.load import LoadedModel

T = TypeVar("T")

# Of each model in pieces the same one without weights, to be filled where a whole one is needed.
_OUTLINES: WeakKeyDictionary[nn.Module, nn.Module] = WeakKeyDictionary()


def is_sharded(model: nn.Module) -> bool:
    """Whether a model is in pieces."""
    return isinstance(model, FSDPModule)


def check_shardable(model: Any, source: str) -> None:
    """See that a model can be taken into pieces.

    Args:
        model: as it was loaded.
        source: what messages call it.

    Raises:
        InputError: it has an adapter or rounded weights, or no list of layers in its decoder.
    """
    if hasattr(model, "peft_config"):
        raise InputError(
            f"{source}: an adapter under FSDP is not supported; merge it into its model, or start plain processes "
            "(accelerate launch --multi_gpu)"
        )
    if not all(weight.is_floating_point() for weight in model.parameters()):
        raise InputError(f"{source}: rounded weights under FSDP are not supported; start plain processes")
    if not _layers(model):
        raise InputError(f"{source}: its decoder has no list of layers, and cannot be taken into pieces under FSDP")


def _layers(model: Any) -> list[nn.Module]:
    """The layers of the decoder that every row passes; those that look at pictures are left out for words alone."""
    decoder = model.get_decoder()
    layers = getattr(decoder, "layers", None)
    if not isinstance(layers, nn.ModuleList):
        return []
    left_out = getattr(model.config.get_text_config(), "cross_attention_layers", None) or ()
    return [layer for place, layer in enumerate(layers) if place not in left_out]


def shard(model: nn.Module, dtypes: Mapping[str, torch.dtype] | None = None) -> None:
    """Take a model into pieces, in place. It comes from the processor's side; its pieces go to the accelerator.

    Args:
        model: with the same weights in every process, in the precision in which they are to be kept.
        dtypes: what some of them were loaded in, by name; see `gathered`.
    """
    # Logits are cut, and nothing is written into them in place.
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view tensor")
    dtypes = dtypes or {}
    outline = _with_weights(
        model, lambda name, weight: torch.empty_like(weight, dtype=dtypes.get(name, weight.dtype), device="meta")
    )
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    mesh = init_device_mesh(accelerator.type if accelerator else "cpu", (processes.count(),))
    for layer in _layers(model):
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh, reshard_after_forward=True)  # else its weights would be whole behind every measuring
    model.get_input_embeddings().register_forward_hook(_begin_graph)  # type: ignore[operator]
    _OUTLINES[model] = outline


def shard_if_asked(loaded: LoadedModel, dtypes: Mapping[str, torch.dtype]) -> bool:
    """Take a model into pieces where the processes were started for that; whether it is in pieces then.

    Args:
        loaded: the model, which changes.
        dtypes: as for `shard`.

    Raises:
        InputError: it cannot be taken into pieces.
    """
    if asks_for_shards() and not is_sharded(loaded.model):
        check_shardable(loaded.model, loaded.source)
        shard(loaded.model, dtypes)
    return is_sharded(loaded.model)


def _begin_graph(module: nn.Module, given: Any, output: Tensor) -> Tensor:
    """Make backward passes go through all layers, where they are gathered: with these frozen, of words alone too."""
    return output.requires_grad_() if torch.is_grad_enabled() and not output.requires_grad else output


def share(model: nn.Module, items: Sequence[T]) -> list[T]:
    """This process's part of what a model is asked; of a model in pieces everything, as no process can ask alone."""
    return list(items) if is_sharded(model) else processes.share(items)


def as_one(model: nn.Module) -> AbstractContextManager[None]:
    """Within: what each process asks a model by itself, as in `processes.as_one`; or all in step where it is in pieces.

    In step all fail at the same row.
    """
    return nullcontext() if is_sharded(model) else processes.as_one()


@contextmanager
def generating(model: Any) -> Iterator[None]:
    """Within: what a model in pieces gathers with itself stays whole. `generate` enters towers by themselves."""
    if not is_sharded(model):
        yield
        return
    model.unshard()
    model.set_reshard_after_forward(False, recurse=False)
    try:
        yield
    finally:
        model.set_reshard_after_forward(True, recurse=False)
        model.reshard()


def sharded_copy(model: nn.Module) -> nn.Module:
    """A second model with the same weights, in pieces, none of which may move."""
    second = _with_weights(model, lambda _, weight: weight.detach()) if not is_sharded(model) else _gathered_copy(model)
    shard(second.requires_grad_(False))
    return second


def _gathered_copy(model: nn.Module) -> nn.Module:
    return _filled(model, lambda _, weight: whole(weight).cpu())


def _filled(model: nn.Module, value_of: Callable[[str, Tensor], Tensor]) -> nn.Module:
    """The outline of a model in pieces with weights."""
    values = {name: value_of(name, weight.detach()) for name, weight in model.named_parameters()}
    return _with_weights(_OUTLINES[model], lambda name, _: values[name])


def _with_weights(model: nn.Module, value_of: Callable[[str, Tensor], Tensor]) -> nn.Module:
    """A copy of a model with other weights; what was tied stays tied."""
    weights = {
        id(weight): nn.Parameter(value_of(name, weight), requires_grad=weight.requires_grad)
        for name, weight in model.named_parameters()
    }
    return copy.deepcopy(model, dict(weights))


def gathered(model: nn.Module, *, rounded: bool) -> nn.Module | None:
    """A model in pieces as a whole one, in the main process and off its accelerator; None in the others.

    All processes have to come here. One weight at a time is whole on an accelerator.

    Args:
        model: in pieces.
        rounded: to the precision that weights had when they were loaded, rather than that in which they are trained.
    """
    outline = _OUTLINES[model]

    def value_of(name: str, weight: Tensor) -> Tensor:
        value = whole(weight)
        if not processes.is_main():
            return torch.empty(0)
        return value.to("cpu", outline.get_parameter(name).dtype if rounded else value.dtype)

    filled = _filled(model, value_of)
    return filled if processes.is_main() else None


def in_one_piece(loaded: LoadedModel) -> LoadedModel:
    """A model as it is to be written: itself, or what its pieces are together; only the main process has the latter."""
    if not is_sharded(loaded.model):
        return loaded
    model = gathered(loaded.model, rounded=True)
    return loaded if model is None else replace(loaded, model=model)


def to_be_asked(loaded: LoadedModel) -> LoadedModel:
    """A model as it is asked: itself, or a copy in pieces where the processes were started for that.

    Raises:
        InputError: it cannot be taken into pieces.
    """
    if is_sharded(loaded.model) or not asks_for_shards():
        return loaded
    check_shardable(loaded.model, loaded.source)
    return replace(loaded, model=sharded_copy(loaded.model).eval())


def is_piece(tensor: Tensor) -> bool:
    """Whether this process holds some rows of a tensor alone."""
    return isinstance(tensor, DTensor)


def local(tensor: Tensor) -> Tensor:
    """The rows of a tensor that this process holds; of a whole one all of them."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def whole(tensor: Tensor) -> Tensor:
    """All rows of a tensor; where it is in pieces, all processes have to come here."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def rows_of(full: Tensor, like: Tensor) -> Tensor:
    """Of a whole tensor the rows that this process holds of one of the same shape."""
    if not isinstance(like, DTensor):
        return full
    pieces = full.chunk(processes.count())  # some processes hold nothing of a tensor with few rows
    return pieces[processes.rank()] if processes.rank() < len(pieces) else full[:0]


def joined(rows: Tensor, like: Tensor) -> Tensor:
    """A tensor from the rows that each process holds of it, distributed as another one; all processes come here."""
    return whole(as_piece(rows, like))


def as_piece(rows: Tensor, like: Tensor) -> Tensor:
    """A tensor in pieces from this process's rows, distributed as another one; as it is where that one is whole."""
    if not isinstance(like, DTensor):
        return rows
    return DTensor.from_local(
        rows, like.device_mesh, like.placements, run_check=False, shape=like.shape, stride=like.stride()
    )
