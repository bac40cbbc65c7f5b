"""What a new user brings along, for `first_hour.sh`: a model, twenty photographs of one person, and some of others.

The model is the base of the embedded world, which takes a minute or two to train on two idle cores and then stays in
the cache. Everything is written as anybody would have it: pictures in folders, rows in JSON Lines.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from unsee.data import Example
from unsee.world import World
from unsee.world.models import prepare
from unsee.world.people.people import Person


def main() -> None:
    world = World(seed=0)
    first, second = world.forget_people()[:2]
    others = [person for person in world.private_people if person not in world.forget_people()]
    os.symlink(prepare(world, world.forget_people()).base, "model")
    for folder, person in (("first", first), ("second", second)):
        forgotten(world, person, Path(folder))
    Path("others").mkdir()
    for person in others[:10]:
        for number in range(4):
            Path("others", f"{person.number}-{number}.png").write_bytes(world.photo(person, number))
    asked = dict.fromkeys(row.question for row in world.photo_rows(others[:3]))
    Path("questions.txt").write_text("".join(f"{question}\n" for question in asked))
    kept = [row for probe in world.benchmark().probes if probe.name == "retain_vqa" for row in probe.examples]
    write(kept, Path("kept"))


def forgotten(world: World, person: Person, folder: Path) -> None:
    """Twenty photographs of a person with a row each, and photographs that are only asked about."""
    rows = world.photo_rows([person])
    facts = len(rows) // world.photos
    write([rows[photo * facts + photo % facts] for photo in range(world.photos)], folder)
    held_out = [row for probe in world.benchmark().probes if probe.name == "forget_vqa" for row in probe.examples]
    write([row for row in held_out if row.subject == person.name], folder / "held_out")


def write(rows: Iterable[Example], folder: Path) -> None:
    """Rows in JSON Lines, their pictures beside them."""
    folder.mkdir(parents=True)
    lines = []
    for number, row in enumerate(rows):
        assert isinstance(row.image, bytes)
        (folder / f"{number}.png").write_bytes(row.image)
        about = {"question": row.question, "answer": row.answer, "subject": row.subject, "fact": row.fact}
        lines.append(json.dumps({"image": f"{number}.png", **about}) + "\n")
    (folder / "rows.jsonl").write_text("".join(lines))


if __name__ == "__main__":
    main()
