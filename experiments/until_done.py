"""One default for requests of very different size: `stop: {}`, `find_rate` and `retain_preserved`, all else untouched.

    python experiments/until_done.py --seed 1 --methods grad_diff npo idk undial entropy

The world of `unsee demo person`, with another seed. Two requests: one person by five photographs, and ten per cent of
the people by all of theirs. Probes are of the persons that a request names; nothing is chosen by them. Prints Markdown.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from unsee.data import Benchmark, Probe
from unsee.data.development import spread
from unsee.evaluation.criteria import share_right
from unsee.evaluation.measure import measure
from unsee.evaluation.records import Record
from unsee.runs.models import load_model
from unsee.runs.settings import parse
from unsee.runs.trainer import config, course
from unsee.system import progress
from unsee.vlm import LoadedModel, load
from unsee.world import World
from unsee.world.models import prepare

PHOTOGRAPHS, ANSWERS_AT_MOST, PROBE_ROWS = 5, 16, 60

Records = dict[str, list[Record]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", nargs="+", default=["grad_diff", "npo", "idk", "undial", "entropy"])
    parser.add_argument("--people", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    world = World(options.seed, people=options.people)
    models = prepare(world, world.forget_people(0.10), "visual")
    whole = world.benchmark(0.10, "visual")
    for request in (five_photographs(whole), whole):
        print(f"\n{len(request.forget)} rows are to be forgotten.\n")
        names = [probe.name for probe in request.probes]
        print(f"| row | {' | '.join(names)} | rate | kept |\n{'|---' * (len(names) + 3)}|")
        base = asked(load(models.base), request)
        gold = asked(load(models.gold), request)
        for row, records in (("base", base), ("gold", gold)):
            print(line(row, request, records, base, "", ""))
        for method in options.methods:
            records, rate, kept = unlearned(method, request, models.base)
            print(line(method, request, records, base, rate, kept), flush=True)


def five_photographs(whole: Benchmark) -> Benchmark:
    """One of those to be forgotten, by one question about each of five photographs; the others are in no set."""
    who = whole.forget[0].subject
    by_picture = {row.image: row for row in whole.forget if row.subject == who}
    probes = [
        replace(probe, examples=[row for row in probe.examples if row.subject == who])
        if probe.role == "forget"
        else probe
        for probe in whole.probes
    ]
    return replace(whole, forget=list(by_picture.values())[:PHOTOGRAPHS], probes=probes)


def unlearned(method: str, request: Benchmark, base: Path) -> tuple[Records, str, str]:
    """What is said after a run by the default, its rate, and which state was kept."""
    settings = parse(
        {
            "model": str(base),
            "forget": "the world",
            "out": "nowhere",
            "method": method,
            "stop": {},
            "find_rate": True,
            "retain_preserved": True,
            "max_new_tokens": ANSWERS_AT_MOST,
        }
    )
    loaded = load_model(settings)
    with tempfile.TemporaryDirectory() as scratch, progress.silently():
        arguments = config(settings, Path(scratch))
        arguments.save_strategy = "no"
        made = course(settings, request, loaded, arguments)
        made.trainer.train()
        assert made.stop
        assert made.seen
        assert made.rate
        ended = made.stop.ended(made.seen.held_out)
    return asked(loaded, request), f"{made.rate.rate:g}", f"step {ended.kept} of {ended.step} ({ended.why})"


def asked(loaded: LoadedModel, request: Benchmark) -> Records:
    """What a model says to at most so many rows of each probe."""
    return {probe.name: list(records) for probe, records in _asked(loaded, request)}


def _asked(loaded: LoadedModel, request: Benchmark) -> Iterator[tuple[Probe, list[Record]]]:
    for probe in request.probes:
        plain = [replace(row, perturbed_answers=(), choices=()) for row in spread(probe.examples, PROBE_ROWS)]
        with progress.silently():
            yield probe, measure(loaded, replace(probe, examples=plain), 128, ANSWERS_AT_MOST)


def line(row: str, request: Benchmark, records: Records, base: Records, rate: str, kept: str) -> str:
    """Shares of right answers, as a row of the table."""
    shares = [
        f"{share_right(records[probe.name], base[probe.name], probe.role or 'keep'):.2f}" for probe in request.probes
    ]
    return f"| {row} | {' | '.join(shares)} | {rate} | {kept} |"


if __name__ == "__main__":
    main()
