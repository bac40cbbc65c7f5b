"""How the columns of a benchmark's Parquet files are written down.

A type is written as plain Python: `IMAGE` and `TEXT`, `PATH` for the path of a picture that lies beside the rows, a
list of one type for a list, a dict for a struct. Every configuration has one split, `train`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

IMAGE, TEXT, PATH = "image", "string", "path"
Columns = Mapping[str, Any]


def arrow_type(kind: Any) -> pa.DataType:
    """The Arrow type of one of the types above; a picture is a struct of its bytes and its path."""
    import pyarrow as pa

    if kind == IMAGE:
        return pa.struct({"bytes": pa.binary(), "path": pa.string()})
    if kind in (TEXT, PATH):
        return pa.string()
    if isinstance(kind, list):
        return pa.list_(arrow_type(kind[0]))
    return pa.struct({name: arrow_type(inner) for name, inner in kind.items()})


def arrow_schema(columns: Columns) -> pa.Schema:
    """The schema of a Parquet file with these columns, with the notes by which `datasets` knows pictures."""
    import datasets

    def feature(kind: Any) -> Any:
        if isinstance(kind, list):
            return datasets.List(feature(kind[0]))
        if isinstance(kind, Mapping):
            return {name: feature(inner) for name, inner in kind.items()}
        return datasets.Image() if kind == IMAGE else datasets.Value("string")

    return datasets.Features({name: feature(kind) for name, kind in columns.items()}).arrow_schema
