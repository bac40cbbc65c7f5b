"""Ways of starting several processes under which a training would not be what it says; they end before any work.

A step here is several backward passes and one optimizer step. DeepSpeed steps after each pass and divides the loss once
more; FSDP and the like hold pieces of weights where masks, norms, edits and files need whole ones.
"""

from __future__ import annotations

import os

from unsee.errors import InputError

_REFUSED = {
    "ACCELERATE_USE_DEEPSPEED": "DeepSpeed",
    "ACCELERATE_USE_FSDP": "FSDP",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "a parallelism config",
    "ACCELERATE_USE_SAGEMAKER": "SageMaker",
}
_TESTED = ("NO", "MULTI_CPU", "MULTI_GPU")  # as `accelerate.DistributedType` names them


def check_launch() -> None:
    """See how `accelerate launch` has started this process; it tells by environment variables.

    Raises:
        InputError: when it was in a way that is not supported.
    """
    for variable, name in _REFUSED.items():
        if os.environ.get(variable, "").lower() in ("1", "true", "yes", "on", "y", "t"):
            raise _refusal(name, f"{variable}={os.environ[variable]}")
    if (precision := os.environ.get("ACCELERATE_MIXED_PRECISION", "no")) not in ("no", "bf16", "fp16"):
        raise InputError(f"--mixed_precision {precision} of accelerate is not supported; give no, or bf16")


def check_arguments(deepspeed: object, fsdp: object, torch_compile: bool) -> None:
    """See what `transformers.TrainingArguments` ask for.

    Raises:
        InputError: when it is not supported.
    """
    check_launch()
    if deepspeed:
        raise _refusal("DeepSpeed", "deepspeed in the arguments")
    if fsdp:
        raise _refusal("FSDP", "fsdp in the arguments")
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
