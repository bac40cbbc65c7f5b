"""Write the embedded world in the layout of a published benchmark, so that it can take the benchmark's place.

Same configurations, columns and types, Parquet with pictures inside or JSON Lines with pictures beside them, as the
benchmark has it, and a card that names the files: `datasets` and `unsee` read the folder as they read the original.
The same arguments give the same bytes with the same pyarrow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from unsee import __version__
from unsee.benchmarks import find
from unsee.benchmarks.files import check_new
from unsee.benchmarks.schemas import Columns, arrow_schema
from unsee.benchmarks.spec import BenchmarkSpec
from unsee.errors import one_of
from unsee.system.atomic import whole_folder
from unsee.system.files import write_bytes, write_json, write_jsonl, write_text
from unsee.system.lock import reserved
from unsee.system.progress import Steps
from unsee.world.layouts.clear import ClearLayout
from unsee.world.layouts.fiubench import FiubenchLayout
from unsee.world.layouts.mllmu import MllmuLayout
from unsee.world.layouts.umu import UmuLayout
from unsee.world.world import World

MARK = "world.json"  # says which world a folder holds
_ROWS_AT_ONCE = 256

Rows = Iterator[dict[str, Any]]


class Layout(Protocol):
    """A world as the configurations of a benchmark.

    Attributes:
        name: of the benchmark.
        whole: the configuration that holds every photograph of private people once.
    """

    name: ClassVar[str]
    whole: ClassVar[str]

    def __init__(self, world: World) -> None: ...

    def config(self, name: str) -> tuple[int, Rows]:
        """How many rows a configuration has, and the rows."""
        ...


@runtime_checkable
class WithPictures(Layout, Protocol):
    """A layout of JSON Lines, whose rows name pictures that lie beside them."""

    def pictures(self) -> Iterator[tuple[str, bytes]]:
        """The pictures by their places in the folder."""
        ...


LAYOUTS: dict[str, type[Layout]] = {
    layout.name: layout for layout in (ClearLayout, FiubenchLayout, MllmuLayout, UmuLayout)
}


@dataclass(frozen=True)
class Exported:
    """A folder that was written."""

    folder: Path
    rows: dict[str, int]  # by configuration
    pictures: int  # different photographs of private people


def export(world: World, layout: str, out: Path) -> Exported:
    """Write a world as a folder in the layout of a benchmark.

    The folder appears when it is whole.

    Args:
        world: who there is; `World(people=200)` is as large as CLEAR, with about 3,700 photographs.
        layout: one of `LAYOUTS`, the name of its benchmark.
        out: a folder that does not exist yet.

    Raises:
        InputError: for an unknown layout, a folder that exists, or a place that cannot be written to.
    """
    one_of("layout", layout, LAYOUTS)
    out = Path(out)
    check_new(out)
    spec, written = find(layout), LAYOUTS[layout](world)
    configs = {name: written.config(name) for name in spec.columns}
    bar = Steps(f"writing {out.name}", sum(count for count, _ in configs.values()))
    with closing(bar), reserved(out), whole_folder(out) as temporary:
        files = _write_files(written, spec, configs, temporary, bar)
        write_text(temporary / "README.md", _card(world, spec, files))
        write_json(temporary / MARK, _mark(world, layout))
    counts = {name: count for name, (count, _) in configs.items()}
    return Exported(out, counts, pictures=counts[written.whole])


def _write_files(
    layout: Layout, spec: BenchmarkSpec, configs: Mapping[str, tuple[int, Rows]], folder: Path, bar: Steps
) -> dict[str, str]:
    """Write every configuration; where each lies in the folder, as a card names it."""
    files = {}
    if isinstance(layout, WithPictures):
        for place, picture in layout.pictures():
            write_bytes(folder / place, picture)
        for name, (_, rows) in configs.items():
            files[name] = f"{name}.json"
            write_jsonl(folder / files[name], _advancing(rows, bar))
        return files
    for name, (_, rows) in configs.items():
        inside = "data" if name == "default" else name
        files[name] = f"{inside}/train-*"
        (folder / inside).mkdir(parents=True)
        _write_parquet(folder / inside / "train-00000-of-00001.parquet", spec.columns[name], rows, bar)
    return files


def _advancing(rows: Rows, bar: Steps) -> Rows:
    for row in rows:
        yield row
        bar.advance()


def _write_parquet(path: Path, columns: Columns, rows: Rows, bar: Steps) -> None:
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


def _card(world: World, spec: BenchmarkSpec, files: Mapping[str, str]) -> str:
    layout, title = spec.name, spec.title
    names = "\n".join(
        f"- config_name: {name}\n  data_files:\n  - split: train\n    path: {path}" for name, path in files.items()
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
