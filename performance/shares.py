"""How several processes share work: the rows that each of them does, and how long it takes beside one process.

    python performance/shares.py [--rows 24] [--processes 2] [--json]

A small LLaVA with random weights, one thread per process: a saliency mask in batches of 4, remembered
log-probabilities, and a probe that is asked and scored. Seconds are those of the slowest process from when all have
met. Where processes share cores with each other or with other programs they say little; the rows say what each would
do on a device of its own.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import measuring
from tests.system.test_processes import free_port
from tests.training.shared_work import counted

from unsee.data import Probe
from unsee.evaluation.measure import measure
from unsee.system import processes
from unsee.training.saliency import SaliencyMask
from unsee.vlm import Policy
from unsee.vlm.reference import CachedReference

IMAGE_TOKENS, BATCH, CHILD = 16, 4, "UNSEE_SHARES_ROWS"


class Batches:
    """Rows in batches, each made when it is asked for."""

    def __init__(self, encoder: Any, rows: list[Any]) -> None:
        self.encoder, self.rows = encoder, rows

    def __len__(self) -> int:
        return math.ceil(len(self.rows) / BATCH)

    def __getitem__(self, number: int) -> Any:
        return self.encoder.batch(self.rows[number * BATCH : (number + 1) * BATCH])


def work(rows: int) -> dict[str, tuple[Callable[[], object], Any]]:
    """What is measured, each with the encoder that counts its rows."""
    loaded: Any = counted(measuring.llava(IMAGE_TOKENS, width=128, layers=4))
    policy, encoder = Policy(loaded.model), loaded.encoder
    forget, kept = measuring.examples(rows), measuring.examples(rows, seed=1)
    batches = [list(range(start, min(start + BATCH, rows))) for start in range(0, rows, BATCH)]
    return {
        "mask": (lambda: SaliencyMask.build(policy, Batches(encoder, forget), Batches(encoder, kept)), encoder),
        "reference": (lambda: CachedReference.compute(policy, encoder, forget, batches, None, ""), encoder),
        "probe": (lambda: measure(loaded, Probe("asked", forget), BATCH, 8), encoder),
    }


def child(rows: int) -> None:
    """One process: a line of JSON with its rows and seconds."""
    measuring.quiet()
    processes.join()
    told = {}
    for name, (do, encoder) in work(rows).items():
        encoder.rows = 0
        processes.wait()
        started = time.perf_counter()
        do()
        told[name] = [encoder.rows, time.perf_counter() - started]
    print(json.dumps(told))


def side_by_side(count: int, rows: int) -> list[dict[str, list[float]]]:
    """What each of so many processes says."""
    given = {**os.environ, CHILD: str(rows), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    given |= {"WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    given |= {"ACCELERATE_USE_CPU": "true"}
    command = [sys.executable, __file__]
    started = [
        subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**given, "RANK": str(rank), "LOCAL_RANK": str(rank)}
        )
        for rank in range(count)
    ]
    said = [process.communicate()[0] for process in started]
    return [json.loads(text.splitlines()[-1]) for text in said]


def main() -> None:
    """Measure one process and several, and print a table or JSON."""
    if CHILD in os.environ:
        child(int(os.environ[CHILD]))
        return
    options = measuring.arguments(__doc__, rows=24, processes=2)
    (one,), several = side_by_side(1, options.rows), side_by_side(options.processes, options.rows)
    rows = []
    for name, (all_rows, seconds) in one.items():
        slowest = max(told[name][1] for told in several)
        shares = " + ".join(str(int(told[name][0])) for told in several)
        rows.append(
            {"work": name, "rows": int(all_rows), "by process": shares, "one, s": seconds, "several, s": slowest}
            | {"ratio": slowest / seconds}
        )
    measuring.show(f"{options.processes} processes beside one", rows, options.json)


if __name__ == "__main__":
    main()
