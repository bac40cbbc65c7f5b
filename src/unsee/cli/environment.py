"""What a run finds on this machine: versions, devices, memory, disk, caches."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from unsee import __version__

GB = 1e9
PACKAGES = ("torch", "torchvision", "transformers", "peft", "accelerate", "datasets", "safetensors", "tokenizers")
DISK_AT_LEAST = 2 * GB  # a demo with all its models takes well under one
MEMORY_AT_LEAST = 2 * GB


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    found: str
    remedy: str = ""  # what would be better; empty where all is well

    @property
    def ok(self) -> bool:
        """Whether there is nothing to be done."""
        return not self.remedy


def environment() -> list[Check]:
    """Look at everything, without changing anything and without the network."""
    return [
        Check("unsee", __version__),
        Check("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        *(_package(name) for name in PACKAGES),
        _device(),
        _threads(),
        _memory(),
        _disk("disk here", Path.cwd()),
        *_caches(),
        _offline(),
    ]


def _package(name: str) -> Check:
    from packaging.requirements import Requirement

    version = importlib.metadata.version(name)
    wanted = [Requirement(line) for line in importlib.metadata.requires("unsee") or []]
    missed = [
        requirement
        for requirement in wanted
        if requirement.name == name and not requirement.specifier.contains(version, prereleases=True)
    ]
    return Check(name, version, f"pip install '{missed[0]}'" if missed else "")


def _device() -> Check:
    import torch

    device = torch.accelerator.current_accelerator(check_available=True)
    if device is None:
        return Check("device", "CPU")
    count = torch.accelerator.device_count()
    free = f", {accelerator_memory() / GB:.0f} GB of memory" if accelerator_memory() else ""
    return Check("device", f"{count} x {device.type}{free}")


def accelerator_memory() -> int:
    """Bytes of memory of the first accelerator; 0 where there is none, or where it does not tell."""
    import torch

    return int(torch.cuda.get_device_properties(0).total_memory) if torch.cuda.is_available() else 0


def free_memory() -> int:
    """Bytes of main memory that programs can still have."""
    import psutil

    return int(psutil.virtual_memory().available)


def _threads() -> Check:
    import torch

    cores, threads = os.cpu_count() or 1, torch.get_num_threads()
    remedy = f"set OMP_NUM_THREADS={cores}; more threads than cores wait for each other" if threads > cores else ""
    return Check("threads", f"{threads} on {cores} cores", remedy)


def _memory() -> Check:
    import psutil

    free, total = free_memory(), psutil.virtual_memory().total
    remedy = "close other programs, or choose a smaller model" if free < MEMORY_AT_LEAST else ""
    return Check("memory", f"{free / GB:.1f} GB free of {total / GB:.1f} GB", remedy)


def _disk(name: str, folder: Path) -> Check:
    place = next(path for path in (folder, *folder.parents) if os.path.isdir(path))
    free = shutil.disk_usage(place).free
    remedy = ""
    if not os.access(place, os.W_OK | os.X_OK):
        remedy = f"{place} cannot be written to; go to a folder of your own"
    elif free < DISK_AT_LEAST:
        remedy = "make room, or write to another disk"
    return Check(name, f"{free / GB:.1f} GB free, {folder}", remedy)


def _caches() -> list[Check]:
    from huggingface_hub.constants import HF_HUB_CACHE

    from unsee.world.models import cache_folder

    hub, world = _disk("hub cache", Path(HF_HUB_CACHE)), _disk("world cache", cache_folder())
    remedies = {"hub cache": "set HF_HOME to a folder of your own", "world cache": "set XDG_CACHE_HOME to one"}
    return [
        Check(check.name, check.found, check.remedy and f"{check.remedy}; {remedies[check.name]}")
        for check in (hub, world)
    ]


def _offline() -> Check:
    from huggingface_hub.constants import HF_HUB_OFFLINE

    return Check("hub", "off (HF_HUB_OFFLINE): hub ids must be in the cache" if HF_HUB_OFFLINE else "on")
