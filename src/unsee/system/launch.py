"""Ways of starting several processes under which a training would not be what it says; they end before any work.

A step here is several backward passes and one optimizer step. DeepSpeed steps after each pass and divides the loss once
more; Megatron and the like hold pieces of weights where masks, norms, edits and files need whole ones. FSDP2 is what we
know how to do, by ourselves: accelerate would gather a vision tower where a process enters it, and one whose rows are
in words alone would never come there.
"""

from __future__ import annotations

import os

from unsee.errors import InputError
from unsee.system import processes

_REFUSED = {
    "ACCELERATE_USE_DEEPSPEED": "DeepSpeed",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "a parallelism config",
    "ACCELERATE_USE_SAGEMAKER": "SageMaker",
}
_FSDP = "ACCELERATE_USE_FSDP"
_OURS = "UNSEE_USE_FSDP"  # what becomes of it: accelerate and transformers are not to act on it as well
_REFUSED_OF_FSDP = {
    "FSDP_OFFLOAD_PARAMS": "offloading weights (--fsdp_offload_params)",
    "FSDP_ACTIVATION_CHECKPOINTING": "activation checkpointing (--fsdp_activation_checkpointing)",
}
_YES = ("1", "true", "yes", "on", "y", "t")
_TESTED = ("NO", "MULTI_CPU", "MULTI_GPU")  # as `accelerate.DistributedType` names them


def check_launch(sharded: bool = False) -> None:
    """See how `accelerate launch` has started this process; it tells by environment variables.

    Args:
        sharded: whether what is to be done can be done with weights in pieces (FSDP2).

    Raises:
        InputError: when it was in a way that is not supported.
    """
    for variable, name in _REFUSED.items():
        if _is_set(variable):
            raise _refusal(name, f"{variable}={os.environ[variable]}")
    if (precision := os.environ.get("ACCELERATE_MIXED_PRECISION", "no")) not in ("no", "bf16", "fp16"):
        raise InputError(f"--mixed_precision {precision} of accelerate is not supported; give no, or bf16")
    if _is_set(_FSDP):
        _check_fsdp()
    if not sharded and (_is_set(_FSDP) or _is_set(_OURS)):
        raise InputError(
            "FSDP is not supported here: `unsee unlearn` and `unsee evaluate` alone have weights in pieces"
        )


def _check_fsdp() -> None:
    if (version := os.environ.get("FSDP_VERSION", "1")) != "2":
        raise InputError(f"FSDP version {version} is not supported; give accelerate launch --fsdp_version 2")
    for variable, name in _REFUSED_OF_FSDP.items():
        if _is_set(variable):
            raise InputError(f"FSDP: {name} is not supported; leave it out")


def asks_for_shards() -> bool:
    """Whether several processes are to hold a part of every weight each: accelerate launch --use_fsdp (FSDP2).

    The variable that says so is taken out of the environment, as what we do is not what accelerate would.

    Raises:
        InputError: FSDP is asked for in a way that is not supported.
    """
    if _is_set(_FSDP):
        _check_fsdp()
        del os.environ[_FSDP]
        os.environ[_OURS] = "true"
    return _is_set(_OURS) and processes.count() > 1  # one process has nobody to share with, and all is whole


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "").lower() in _YES


def check_arguments(deepspeed: object, fsdp: object, torch_compile: bool) -> None:
    """See what `transformers.TrainingArguments` ask for.

    Raises:
        InputError: when it is not supported.
    """
    check_launch(sharded=True)
    if deepspeed:
        raise _refusal("DeepSpeed", "deepspeed in the arguments")
    if fsdp:
        raise InputError("FSDP is not supported (fsdp in the arguments); start with accelerate launch --use_fsdp")
    if torch_compile:
        raise InputError("torch_compile is not supported: a compiled model has no place for masks; leave it out")


def check_distributed(kind: str) -> None:
    """See what an accelerator has found.

    Args:
        kind: value of `accelerator.distributed_type`.

    Raises:
        InputError: when it is nothing that was tried.
    """
    if kind not in _TESTED:
        raise _refusal(kind, "as accelerate finds it")


def _refusal(name: str, where: str) -> InputError:
    return InputError(
        f"{name} is not supported ({where}): weights and gradients have to be whole in each process; start as many "
        "plain processes as there are GPUs, as in accelerate launch --multi_gpu --num_processes 2 -m unsee ..."
    )
