"""Pictures that rows name by their paths: beside the rows, unpacked or in the archives that the hub keeps them in.

Published paths start wherever their authors kept the data (`./dataset/SFHQ/0001.jpg`), so a picture is looked for
under the whole path first, and then under ever shorter ends of it. No path leads out of the folder, whatever it says;
links that lie in the folder are followed, as the hub's cache is made of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

from unsee.data.rows import Row, check_text
from unsee.data.tables import legible
from unsee.errors import InputError

DEEPEST = 32  # folders of a path that are looked at, from its end
MAX_PICTURE = 2**26  # bytes that a picture in an archive may unpack to


def picture_beside(row: Row, column: str) -> Path | bytes:
    """The picture that a column of a row names: a file, or the bytes of one in a `.zip` beside the rows.

    Raises:
        InputError: there is no such file, or the archive that has it cannot be read.
    """
    name = check_text(row.values.get(column), column, row)
    ends = list(_ends(name))
    for end in ends:
        if os.path.isfile(path := row.folder / end):  # a name that no file can have is that of no file
            return path
    archives = sorted(path for path in row.folder.glob("*.zip") if path.is_file())
    for archive in archives:
        members = _members(archive, archive.stat().st_mtime_ns)
        member = next((members[end] for end in ends if end in members), None)
        if member is not None:
            return _unpacked(archive, member)
    known = ", ".join(path.name for path in archives) or "no .zip there"
    raise row.fail(column, f"no such file: {name!r} in {row.folder}, unpacked or in an archive ({known})")


def _ends(name: str) -> Iterator[str]:
    """The path and ever shorter ends of it, none of which leads out of where it starts."""
    parts = [part for part in PurePosixPath(name.strip().replace("\\", "/")).parts if part not in ("/", "..", ".")]
    for start in range(max(0, len(parts) - DEEPEST), len(parts)):
        yield "/".join(parts[start:])


@lru_cache(maxsize=8)
def _members(archive: Path, changed: int) -> dict[str, str]:
    """The files of an archive by every end of their paths; a changed archive is read again."""
    by_end: dict[str, str] = {}
    with legible(f"{archive}: not a .zip that can be read", "fetch it anew"), ZipFile(archive) as opened:
        for info in opened.infolist():
            for end in () if info.is_dir() else _ends(info.filename):
                by_end.setdefault(end, info.filename)
    return by_end


def _unpacked(archive: Path, member: str) -> bytes:
    with legible(f"{archive}: {member} cannot be read", "fetch it anew"), ZipFile(archive) as opened:
        size = opened.getinfo(member).file_size
        if size > MAX_PICTURE:
            raise InputError(f"{archive}: {member} unpacks to {size} bytes; a picture has at most {MAX_PICTURE}")
        with opened.open(member) as file:
            return file.read(MAX_PICTURE)
