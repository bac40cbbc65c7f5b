"""Is a benchmark what it claims to be? Every configuration is read once, and what is odd is said.

An *error* is what a loader or a metric would stumble over: a missing column, another type, an answer without a
caption, somebody who is both forgotten and retained. A *note* is what a reader of results should know, such as the
anomalies of the published CLEAR: rows that the retain sets have and `full` has not, a forget set with more rows than
its perturbed twin, the same pictures stored nine times.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from unsee.benchmarks.beside import picture_beside
from unsee.benchmarks.findings import ConfigRows, Finding, some
from unsee.benchmarks.schemas import IMAGE, PATH, Columns, arrow_type
from unsee.benchmarks.source import Folder, open_source
from unsee.benchmarks.spec import BenchmarkSpec
from unsee.data.pictures import FORMATS, image_hash
from unsee.data.rows import Row
from unsee.errors import InputError
from unsee.system.progress import progress

if TYPE_CHECKING:
    import pyarrow as pa


def validate(source: str | Path, spec: BenchmarkSpec) -> tuple[dict[str, int], list[Finding]]:
    """Read a local folder through and say what is odd about it.

    Args:
        source: a folder in the layout of the hub.
        spec: the benchmark that it is said to be.

    Returns:
        The number of rows of each configuration, and the findings, errors first.

    Raises:
        InputError: no such folder, none of the configurations, or a file that cannot be read at all.
    """
    opened = open_source(source, spec.folders)
    if not isinstance(opened, Folder):
        raise InputError(
            f"{source}: only a local folder can be checked; fetch it first (hf download --repo-type dataset)"
        )
    present = [config for config in spec.columns if opened.has(config)]
    if not present:
        raise InputError(f"{source}: none of the configurations of {spec.name}; it has {', '.join(spec.columns)}")
    findings = [
        Finding("note" if config == "default" else "error", config, "is missing")
        for config in spec.columns
        if config not in present
    ]
    configs: dict[str, ConfigRows] = {}
    for config in present:
        layout = spec.columns[config]
        schema = opened.schema(config)
        wrong = list(_schema_findings(config, schema, layout, spec.sometimes))
        findings += wrong
        columns = [name for name in layout if not any(f"column {name!r}" in finding.message for finding in wrong)]
        if schema is None:  # JSON declares no columns: every row is held against those that it must have
            columns = [name for name in columns if name not in spec.sometimes]
        configs[config] = ConfigRows()
        findings += _read(opened, config, columns, layout, configs[config])
    findings += spec.findings(configs)
    counts = {config: len(content.rows) for config, content in configs.items()}
    return counts, sorted(findings, key=lambda finding: finding.level != "error")


def _schema_findings(
    config: str, schema: pa.Schema | None, columns: Columns, sometimes: Collection[str]
) -> Iterator[Finding]:
    if schema is None:
        return
    for name, wanted in columns.items():
        if name not in schema.names:
            yield Finding("note" if name in sometimes else "error", config, f"no column {name!r}")
        elif (actual := _plain(schema.field(name).type)) != _plain(arrow_type(wanted)):
            yield Finding("error", config, f"column {name!r} is {actual}, not {_plain(arrow_type(wanted))}")
    for name in schema.names:
        if name not in columns:
            yield Finding("note", config, f"a further column {name!r}")


def _plain(kind: pa.DataType) -> str:
    """A type in words, without what makes no difference: large variants, names of list items, order of fields."""
    import pyarrow as pa

    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"list of {_plain(kind.value_type)}"
    if pa.types.is_struct(kind):
        return "{" + ", ".join(sorted(f"{inner.name}: {_plain(inner.type)}" for inner in kind)) + "}"
    return str(kind).removeprefix("large_")


def _read(source: Folder, config: str, columns: Sequence[str], layout: Columns, into: ConfigRows) -> list[Finding]:
    """Read a configuration; pictures are hashed, their headers looked at, and let go."""
    broken: list[str] = []
    try:
        for row in progress(source.rows(config, columns), f"checking {config}"):
            hashes = [_picture(row, image, broken, into) for name in columns for image in _images(row, name, layout)]
            into.pictures.append(hashes[0] if hashes else None)
            kept = {name: value for name, value in row.values.items() if layout.get(name) not in (IMAGE, [IMAGE])}
            into.rows.append(kept)
    except InputError as error:
        return [Finding("error", config, str(error))]
    return [Finding("error", config, f"{len(broken)} pictures that cannot be opened: {some(broken)}")] if broken else []


def _images(row: Row, name: str, layout: Columns) -> list[Any]:
    if layout.get(name) == PATH:
        return [_beside(row, name)]
    value = row.values.get(name)
    if layout.get(name) == IMAGE:
        return [value] if value is not None else []
    return list(value or ()) if layout.get(name) == [IMAGE] else []


def _beside(row: Row, name: str) -> dict[str, bytes]:
    """The picture that a path leads to, as a column of pictures would hold it; no bytes where there is none."""
    try:
        found = picture_beside(row, name)
        return {"bytes": found if isinstance(found, bytes) else found.read_bytes()}
    except (InputError, OSError):
        return {"bytes": b""}


def _picture(row: Row, value: Any, broken: list[str], into: ConfigRows) -> str | None:
    content = value.get("bytes") if isinstance(value, Mapping) else None
    if not isinstance(content, bytes):
        broken.append(f"{row.where} holds no bytes")
        return None
    into.bytes += len(content)
    try:
        with Image.open(BytesIO(content), formats=FORMATS[:4]):
            return image_hash(content)
    except (OSError, SyntaxError, ValueError):
        broken.append(row.where)
        return None
