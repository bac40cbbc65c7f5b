"""Models and data as a stranger would bring them, made once for all commands."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from transformers.utils import logging as of_transformers

from tests import tiny

CITIES = ("Riga", "Oslo", "San Francisco", "Lima", "London")


@dataclass(frozen=True)
class Stranger:
    """A folder with models and data."""

    folder: Path

    def __truediv__(self, name: str) -> Path:
        return self.folder / name


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    """`llava` and `qwen2_5_vl` checkpoints, and JSON Lines files with pictures beside them."""
    folder = tmp_path_factory.mktemp("stranger")
    for name, make in tiny.FAMILIES.items():
        tiny.save(make(), folder / name)
    write_rows(folder / "forget.jsonl", "Ada Byron", 20, 0)
    write_rows(folder / "retain.jsonl", "Max Roth", 20, 100)
    write_rows(folder / "held_out.jsonl", "Ada Byron", 6, 200)
    return Stranger(folder)


def write_rows(path: Path, name: str, count: int, seed: int) -> Path:
    """Rows about a person, every third one in words alone, with PNG files beside them."""
    (path.parent / "photos").mkdir(exist_ok=True)
    rows = []
    for number in range(count):
        row = {"question": f"Where does {name} live? {seed + number}", "answer": CITIES[number % 5]}
        if number % 3:
            row["image"] = f"photos/{seed + number}.png"
            row["question"] = "Where does this person live?"
            (path.parent / row["image"]).write_bytes(tiny.picture(seed + number, (40 + 20 * (number % 2), 40)))
        rows.append({**row, "subject": name})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(autouse=True)
def _forget_manners() -> Iterator[None]:
    """The command line silences other libraries for good; here they get their voice back."""
    environment = dict(os.environ)
    level, bars, root = (
        of_transformers.get_verbosity(),
        of_transformers.is_progress_bar_enabled(),
        logging.getLogger().level,
    )
    with warnings.catch_warnings():
        yield
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)
    of_transformers.set_verbosity(level)
    if bars:
        of_transformers.enable_progress_bar()
    logging.getLogger().setLevel(root)
