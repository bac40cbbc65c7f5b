"""How long each stage of a run took, over all the times that it was started."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unsee.system import processes, progress
from unsee.system.files import write_json
from unsee.system.typed import read_typed


class Clock:
    """Seconds that each stage took, kept in a file so that a resumed run knows about the stages before.

    Args:
        path: of that file.

    Raises:
        InputError: it is there, and not as a run wrote it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seconds: dict[str, float] = read_typed(path, dict[str, float]) if path.is_file() else {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Within: the stage goes on. How long it took is added to what it took before; nothing where it failed."""
        started = time.perf_counter()
        with progress.stage(stage):
            yield
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + time.perf_counter() - started, 3)
        if processes.is_main():
            write_json(self.path, self.seconds)
