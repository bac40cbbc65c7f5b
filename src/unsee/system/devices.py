"""Accelerators of this machine, one for each worker."""

from __future__ import annotations

import os
from collections.abc import Mapping

from unsee.system.workers import ONE_THREAD, cores

# Variables that choose what a process sees of each kind of accelerator; a number given there counts what is seen now.
_CHOOSES = {
    "cuda": ("CUDA_VISIBLE_DEVICES",),
    "rocm": ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"),  # it takes either, the first before the second
    "xpu": ("ZE_AFFINITY_MASK",),
    "npu": ("ASCEND_RT_VISIBLE_DEVICES",),
}


def environments(workers: int | None = None) -> list[Mapping[str, str]]:
    """Variables of the environment for each of the workers that do cells side by side on this machine.

    Where there are accelerators each worker sees one of them, and has its share of the cores; else it has one thread.

    Args:
        workers: how many, where not one for each accelerator, or for each core where there is none. When there are
            more than accelerators, some of these have several.
    """
    places = accelerators()
    if not places:
        return [ONE_THREAD] * (workers or cores())
    count = workers or len(places)
    threads = str(max(1, cores() // count))
    shares = dict.fromkeys(ONE_THREAD, threads)
    return [{**shares, **places[number % len(places)]} for number in range(count)]


def accelerators() -> list[dict[str, str]]:
    """For each accelerator that this process may use, the environment in which a process sees that one alone."""
    import torch

    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if accelerator is None:
        return []
    names = _CHOOSES.get("rocm" if accelerator.type == "cuda" and torch.version.hip else accelerator.type, ())
    if not names:
        return [{}]  # of a kind that comes alone, as in a Mac
    count = torch.accelerator.device_count()
    variable = next((name for name in names if os.environ.get(name, "").strip()), names[0])
    listed = [word.strip() for word in os.environ.get(variable, "").split(",") if word.strip()]
    seen = listed[:count] if len(listed) >= count else [str(number) for number in range(count)]
    return [{variable: name} for name in seen]
