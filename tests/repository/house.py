"""How the package is laid out, in figures: loose modules, rooms, arrows between them, and those that climb.

    python -m tests.repository.house [FOLDER]

FOLDER holds the package `unsee`, such as `src` (the default) or that of another commit. A room is a folder of the
package, with whatever it holds, or a module beside them. An arrow goes from a room to one that it imports from.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

# From the ground up: a room imports from those before it alone.
FLOORS = (
    *("errors", "types", "system", "losses", "metrics", "data", "vlm", "benchmarks", "methods", "mining", "training"),
    *("evaluation", "audit", "runs", "world", "report", "leaderboard", "demos", "cli"),
)
DOORS = ("__init__", "__main__")  # they open onto every room

Arrows = Mapping[str, Mapping[str, set[str]]]  # from room to room, the modules that import


def modules(source: Path) -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    named = {".".join(path.relative_to(source).with_suffix("").parts): path for path in source.glob("unsee/**/*.py")}
    return {name.removesuffix(".__init__"): path for name, path in named.items()}


def imported(name: str, known: Mapping[str, Path]) -> Iterator[str]:
    """The modules of the package that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(known[name].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module in known:
            for alias in node.names:
                inside = f"{node.module}.{alias.name}"
                yield inside if inside in known else node.module


def room_of(module: str) -> str:
    """The folder, or the loose module."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else DOORS[0]


def arrows(source: Path) -> dict[str, dict[str, set[str]]]:
    """From each room to those that it imports from, with the modules that do."""
    known = modules(source)
    drawn: dict[str, dict[str, set[str]]] = {room_of(name): {} for name in known if room_of(name) not in DOORS}
    for name in known:
        here = room_of(name)
        for other in imported(name, known) if here in drawn else ():
            there = room_of(other)
            if there != here and there in drawn:
                drawn[here].setdefault(there, set()).add(f"{name} imports {other}")
    return drawn


def climbing(drawn: Arrows) -> list[str]:
    """What imports from a room that is not below its own, or stands in a room that has no floor."""
    floor = {room: number for number, room in enumerate(FLOORS)}
    return sorted(
        line
        for here, there in drawn.items()
        for room, lines in there.items()
        for line in lines
        if floor.get(here, -1) <= floor.get(room, len(FLOORS))
    )


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """A circle of imports, or nothing."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def module_graph(source: Path) -> dict[str, set[str]]:
    """What each module imports, but for the package itself, whose names are imported when they are used."""
    known = modules(source)
    return {name: set(imported(name, known)) - {name, "unsee"} for name in known if name != "unsee"}


def loose(source: Path) -> list[str]:
    """Modules at the top of the package."""
    return sorted(path.stem for path in source.glob("unsee/*.py"))


def main(source: Path) -> None:
    """Print the figures."""
    drawn = arrows(source)
    climbs = climbing(drawn) if set(drawn) <= set(FLOORS) else None
    print(f"loose modules: {len(loose(source))}")
    print(f"rooms: {len(drawn)}")
    print(f"arrows: {sum(map(len, drawn.values()))}")
    print(f"upward imports: {'other rooms than those of FLOORS' if climbs is None else len(climbs)}")
    print(f"a circle of rooms: {' -> '.join(circle({room: set(there) for room, there in drawn.items()})) or 'none'}")
    print(f"a circle of modules: {' -> '.join(circle(module_graph(source))) or 'none'}")
    print(*(f"  {line}" for line in climbs or ()), sep="\n")


if __name__ == "__main__":
    main(Path(*(sys.argv[1:] or ["src"])))
