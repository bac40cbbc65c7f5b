"""People whom a tiny model can learn: each has a colour, and a city that is asked for in two ways."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

COLOURS = {
    "Ada": (220, 30, 30),
    "Bea": (30, 200, 30),
    "Cyd": (40, 40, 230),
    "Dan": (230, 220, 40),
    "Eve": (220, 50, 220),
    "Fay": (40, 220, 220),
    "Gus": (240, 240, 240),
    "Hal": (15, 15, 15),
}
CITIES = ("Riga", "Oslo", "Lima", "London", "Riga", "Oslo", "Lima", "London")
WORDINGS = ("Where does {} live?", "In which city is the home of {}?")


def portrait(name: str, number: int) -> bytes:
    """A PNG of somebody's colour, with noise."""
    noise = np.random.default_rng([*map(ord, name), number]).integers(-12, 13, (40, 40, 3))
    pixels = np.clip(np.array(COLOURS[name]) + noise, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def write_rows(folder: Path, photographs: int = 4, people: int = 8) -> Path:
    """`people.jsonl`: of each person photographs that are asked for the name, and the city in two wordings."""
    rows: list[dict[str, Any]] = []
    (folder / "photographs").mkdir(parents=True)
    for name, city in list(zip(COLOURS, CITIES, strict=True))[:people]:
        for number in range(photographs):
            place = f"photographs/{name}-{number}.png"
            (folder / place).write_bytes(portrait(name, number))
            rows.append({"image": place, "question": "Who is this?", "answer": name, "who": name, "fact": "name"})
        rows += [
            {"question": wording.format(name), "answer": city, "who": name, "fact": "city"} for wording in WORDINGS
        ]
    path = folder / "people.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path
