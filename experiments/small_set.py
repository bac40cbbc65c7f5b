"""What a run does to a small set: twenty photographs of one person, twenty of others, `npo` as it is.

    python experiments/small_set.py --seed 0 --out small_set

Prints the table of docs/tuning.md: which weights move, at which rate and for how many steps, and what is still answered
right on held-out questions afterwards; what a run does by default is in bold. Runs that are done are read, not made
again; the model before is measured once.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unsee.data import Example, write_jsonl
from unsee.runs.finished import Run
from unsee.runs.run import unlearn
from unsee.runs.settings import parse
from unsee.runs.settings.model import LEAST_STEPS, LORA_RATE, WHOLE_RATE
from unsee.world import World
from unsee.world.models import prepare
from unsee.world.people.people import Person

WAYS: dict[str, dict[str, Any]] = {
    "LoRA 16, language": {"lora": 16, "parts": ["language"]},
    "LoRA 16": {"lora": 16},
    "whole": {},
}
GRID = {  # rates and numbers of steps
    "LoRA 16, language": [(1e-5, 13), (1e-4, 50), (1e-4, 100)],
    "LoRA 16": [(1e-4, 13), (1e-4, 50), (1e-4, 100), (1e-3, 13)],
    "whole": [(1e-5, 13), (1e-5, 50), (1e-5, 100), (1e-4, 13), (1e-4, 50)],
}
PROBES = {
    "photographs": "her photographs",
    "facts": "her facts in words",
    "others": "others",
    "celebrities": "celebrities",
}


def main() -> None:
    """Write the data, carry out every run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="of the world")
    parser.add_argument("--out", type=Path, default=Path("small_set"), help="folder for the data and the runs")
    options = parser.parse_args()
    world = World(seed=options.seed)
    shared = {"model": str(prepare(world, world.forget_people()).base), "method": "npo", "request": "visual"}
    shared |= write_data(world, options.out / "data")
    for line in table(shared, options.out):
        print(line, flush=True)


def table(shared: dict[str, Any], out: Path) -> Iterator[str]:
    """Markdown, a line as soon as its run is done."""
    yield "| weights | rate | steps | " + " | ".join(PROBES.values()) + " | length of the move |"
    yield "|---" * (len(PROBES) + 4) + "|"
    before = False
    for way, tried in GRID.items():
        for rate, steps in tried:
            folder = out / f"{way.replace(', ', '-').replace(' ', '-')}-{rate:g}-{steps}"
            chosen = {"learning_rate": rate, "max_steps": steps, "out": str(folder)}
            run = unlearn(parse({**shared, **WAYS[way], **chosen}))
            if not before:
                yield f"| before | | | {right(run, 'base')} | |"
                before = True
            cells = [way, f"{rate:.0e}".replace("e-0", "e-"), str(steps)]
            if (rate, steps) == (LORA_RATE if "lora" in WAYS[way] else WHOLE_RATE, LEAST_STEPS):
                cells = [f"**{cell}**" for cell in cells]
            yield f"| {' | '.join(cells)} | {right(run, 'npo')} | {length_of_move(run)} |"


def right(run: Run, model: str) -> str:
    """Cells with the shares of right answers over all rows of each probe."""
    return " | ".join(f"{run.scores.models[model][probe].ungated:.2f}" for probe in PROBES)


def length_of_move(run: Run) -> str:
    """How far the weights went, in per cent of their own length."""
    length = (run.scores.moved or {}).get("length")
    return "" if length is None else f"{100 * length:#.2g} %"


def write_data(world: World, folder: Path) -> dict[str, Any]:
    """Files of rows, as settings name them: each photograph is trained on with one question."""
    person, *_ = forgotten = world.forget_people()
    others = [one for one in world.private_people if one not in forgotten][: world.photos]
    held_out = {probe.name: probe.examples for probe in world.benchmark().probes}
    rows = {
        "forget": [asked[place % len(asked)] for place, asked in enumerate(by_photo(world, person))],
        "retain": [by_photo(world, one)[place][place % 3] for place, one in enumerate(others)],
        "photographs": [row for row in held_out["forget_vqa"] if row.subject == person.name],
        "facts": [row for row in held_out["forget_qa"] if row.subject == person.name],
        "others": held_out["retain_vqa"][::4],
        "celebrities": held_out["celebrity_vqa"][::4],
    }
    places = {name: folder / f"{name}.jsonl" for name in rows}
    for name, path in places.items():
        if not path.is_file():
            write_jsonl(rows[name], path)
    return {
        "forget": str(places["forget"]),
        "retain": str(places["retain"]),
        "forget_probes": {"photographs": str(places["photographs"])},
        "keep_probes": {name: str(places[name]) for name in ("facts", "others", "celebrities")},
    }


def by_photo(world: World, person: Person) -> list[list[Example]]:
    """The rows of a person, those of each photograph together."""
    rows = world.photo_rows([person])
    facts = len(rows) // world.photos
    return [rows[start : start + facts] for start in range(0, len(rows), facts)]


if __name__ == "__main__":
    main()
