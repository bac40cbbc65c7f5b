"""Published benchmarks as a `Benchmark`: CLEAR, MLLMU-Bench and TOFU, from the hub or from a folder in its layout."""

from __future__ import annotations

from pathlib import Path

from unsee.benchmarks.clear import load as clear
from unsee.benchmarks.mllmu import load as mllmu
from unsee.benchmarks.sets import one_of
from unsee.benchmarks.tofu import load as tofu
from unsee.data.example import Benchmark
from unsee.errors import InputError

KINDS = ("clear", "mllmu", "tofu")
SPLITS = {"clear": clear.SPLITS, "mllmu": mllmu.SPLITS, "tofu": tofu.SPLITS}
SPLIT = {"clear": "forget10", "mllmu": "forget_5", "tofu": "forget10"}


def load_benchmark(
    source: str | Path,
    kind: str,
    split: str | None = None,
    request: str | None = None,
    *,
    seed: int = 0,
    probe_rows: int | None = None,
    training: str | Path | None = None,
) -> Benchmark:
    """A published benchmark: what to forget, what to keep, and what is measured.

    Args:
        source: a hub id, or a folder in the layout of the hub; `unsee world export` writes one.
        kind: "clear", "mllmu" or "tofu".
        split: what is forgotten: forget01, forget05, forget10 (the default) for CLEAR and TOFU; forget_5 (the
            default), forget_10, forget_15 for MLLMU-Bench.
        request: "visual" (the default, but for TOFU), "textual" or "both".
        seed: of whatever is drawn: wordings, the order of options, test images.
        probe_rows: measure at most so many rows a probe, spread evenly; None for all.
        training: of MLLMU-Bench alone: the repository with the training questions, if `source` has no `ft_Data`.

    Raises:
        InputError: for an unknown kind, split or request, and for a file, column or row that is not as published.
    """
    one_of("benchmark", kind, KINDS)
    split = split or SPLIT[kind]
    if kind == "mllmu":
        return mllmu.load_mllmu(source, split, request or "visual", seed, probe_rows, training)
    if training is not None:
        raise InputError(f"training questions of their own belong to mllmu, not to {kind}")
    if kind == "tofu":
        return tofu.load_tofu(source, split, request or "textual", seed, probe_rows)
    return clear.load_clear(source, split, request or "visual", seed, probe_rows)
