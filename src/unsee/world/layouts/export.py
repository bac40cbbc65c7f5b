"""Write the embedded world in the layout of a published benchmark, so that it can take the benchmark's place.

Same configurations, columns and types, Parquet with pictures inside, and a card that names the files: `datasets` and
`unsee` read the folder as they read the original. The same arguments give the same bytes with the same pyarrow.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from unsee import __version__
from unsee.benchmarks.files import check_new
from unsee.benchmarks.schemas import CLEAR, MLLMU, Columns, arrow_schema
from unsee.errors import InputError
from unsee.system.atomic import whole_folder
from unsee.system.files import write_json, write_text
from unsee.system.lock import reserved
from unsee.system.progress import Steps
from unsee.world.layouts.clear import ClearLayout
from unsee.world.layouts.mllmu import MllmuLayout
from unsee.world.world import World

LAYOUTS: dict[str, tuple[dict[str, Columns], Any]] = {"clear": (CLEAR, ClearLayout), "mllmu": (MLLMU, MllmuLayout)}
MARK = "world.json"  # says which world a folder holds
_ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class Exported:
    """A folder that was written."""

    folder: Path
    rows: dict[str, int]  # by configuration
    pictures: int  # different photographs of private people


def export(world: World, layout: str, out: Path) -> Exported:
    """Write a world as a folder of Parquet files.

    The folder appears when it is whole.

    Args:
        world: who there is; `World(people=200)` is as large as CLEAR, with about 3,700 photographs.
        layout: "clear" or "mllmu".
        out: a folder that does not exist yet.

    Raises:
        InputError: for an unknown layout, a folder that exists, or a place that cannot be written to.
    """
    if layout not in LAYOUTS:
        raise InputError(f"layout is {layout!r}; it is one of {', '.join(LAYOUTS)}")
    out = Path(out)
    check_new(out)
    schemas, make = LAYOUTS[layout]
    configs = {name: make(world).config(name) for name in schemas}
    bar = Steps(f"writing {out.name}", sum(count for count, _ in configs.values()))
    with closing(bar), reserved(out), whole_folder(out) as temporary:
        for name, (_, rows) in configs.items():
            folder = temporary / ("data" if name == "default" else name)
            folder.mkdir(parents=True)
            _write_parquet(folder / "train-00000-of-00001.parquet", schemas[name], rows, bar)
        write_text(temporary / "README.md", _card(world, layout, list(configs)))
        write_json(temporary / MARK, _mark(world, layout))
    pictures = configs["full"][0] if layout == "clear" else configs["Full_Set"][0]
    return Exported(out, {name: count for name, (count, _) in configs.items()}, pictures)


def _write_parquet(path: Path, columns: Columns, rows: Iterator[dict[str, Any]], bar: Steps) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    schema = arrow_schema(columns)
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        while some := list(islice(rows, _ROWS_AT_ONCE)):
            writer.write_table(pa.Table.from_pylist(some, schema=schema))
            for _ in some:
                bar.advance()


def _mark(world: World, layout: str) -> dict[str, Any]:
    arguments = {name: getattr(world, name) for name in ("seed", "people", "photos", "held_out_photos")}
    return {"layout": layout, "world": arguments, "unsee": __version__}


def _card(world: World, layout: str, configs: list[str]) -> str:
    title = {"clear": "CLEAR", "mllmu": "MLLMU-Bench"}[layout]
    names = "\n".join(
        f"- config_name: {name}\n  data_files:\n  - split: train\n    path: "
        f"{'data' if name == 'default' else name}/train-*"
        for name in configs
    )
    return f"""---
language:
- en
tags:
- unlearning
- synthetic
configs:
{names}
---

# {world.people} people who do not exist, in the layout of {title}

Written by `unsee world export --layout {layout} --people {world.people} --seed {world.seed}`. Names, facts, faces and
scenes are made up by a program; the configurations, columns and types are those of {title}, none of its content is.
"""
