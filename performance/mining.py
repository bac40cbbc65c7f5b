"""What mining costs: windows against each window's own preprocessing, and every stage as the pictures become more.

    python performance/mining.py --out mining-benchmark [--quick] [--markdown mining.md]

Windows: pictures of 640 x 480 pixels, and an encoder of the size of CLIP ViT-B/32 with random weights. Beside the wall
clock stands the time of the processor alone, which other programs on the machine do not lengthen as much.
Stages: many small pictures, tiny models, captions of a fixed number of tokens; 500 and 5,000 pictures.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from PIL import Image
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests import tiny
from tests.mining import encoders

from unsee.metrics.lexicon import lexicon
from unsee.mining.captioning import Captioning
from unsee.mining.captions import Decoding, pictures_in
from unsee.mining.mined import Left, Said
from unsee.mining.mining import mine
from unsee.mining.options import Mining
from unsee.mining.scorer import DualEncoder
from unsee.mining.stages import Stage
from unsee.mining.windows import Grid, Look, cut
from unsee.system.files import write_jsonl, write_text

SIZE = (640, 480)


@dataclass(frozen=True)
class Took:
    """The shortest of several measurements, in seconds."""

    wall: float
    cpu: float


def took(work: Callable[[], object], times: int) -> Took:
    """How long some work takes once everything is warm."""
    work()
    walls, cpus = [], []
    for _ in range(times):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return Took(min(walls), min(cpus))


def photo(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """Smooth shapes with some grain."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8)).resize(
        size, Image.Resampling.BICUBIC
    )
    grain = random.normal(0, 8, (*reversed(size), 3))
    return Image.fromarray(np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8))


def windows(times: int) -> Iterator[str]:
    """Rows of the table about windows, each with the ratio to ours."""
    picture, grid, device = photo(0), Grid(), torch.device("cpu")
    fast, pillow = CLIPImageProcessor(), CLIPImageProcessorPil()
    look = Look.of(fast, "CLIP")
    layout = grid.layout(*SIZE, look.size)
    batch = torch.empty(layout.rows * layout.columns, 3, look.size, look.size)

    def ours() -> object:
        return torch.stack(cut(picture, layout, look, device, torch.float32), out=batch)

    def crops() -> list[Image.Image]:
        sides = [(48 * column, 48 * row) for row in range(layout.rows) for column in range(layout.columns)]
        return [picture.crop((x, y, min(x + 192, SIZE[0]), min(y + 192, SIZE[1]))) for x, y in sides]

    with torch.device("cpu"):
        model: Any = CLIPModel(CLIPConfig()).eval()
    scorer = DualEncoder(model, None, look, grid, batch_size=len(batch))
    views = cut(picture, layout, look, device, torch.float32)
    measured = {
        "resized once, cut, stacked (ours)": took(ours, times),
        "each window by the processor (torchvision)": took(lambda: fast(crops(), return_tensors="pt"), times),
        "each window by the processor (Pillow)": took(lambda: pillow(crops(), return_tensors="pt"), times),
        "each window alone by the processor (torchvision)": took(
            lambda: [fast(crop, return_tensors="pt") for crop in crops()], times
        ),
        "the encoder's forward pass over ready windows": took(
            torch.inference_mode()(lambda: model.get_image_features(pixel_values=batch)), max(2, times // 3)
        ),
        "windows cut and encoded (ours)": took(
            lambda: scorer.embed_windows(cut(picture, layout, look, device, torch.float32)), max(2, times // 3)
        ),
    }
    assert len(views) == len(batch)
    base = measured["resized once, cut, stacked (ours)"]
    yield f"{len(batch)} windows of one picture of {SIZE[0]} x {SIZE[1]} pixels, {torch.get_num_threads()} threads"
    yield ""
    yield "| | wall ms | CPU ms | wall ratio | CPU ratio |"
    yield "|---|---|---|---|---|"
    for name, one in measured.items():
        yield (
            f"| {name} | {1e3 * one.wall:.1f} | {1e3 * one.cpu:.1f} "
            f"| {one.wall / base.wall:.1f} | {one.cpu / base.cpu:.1f} |"
        )


def stages(out: Path, counts: tuple[int, int]) -> Iterator[str]:
    """Rows of the table about stages: milliseconds a picture at both numbers of pictures."""
    for name, make in (("clip", encoders.clip), ("llava", lambda folder: tiny.save(tiny.llava(), folder))):
        if not (out / name).is_dir():
            make(out / name)
    measured = [stage_times(out, count) for count in counts]
    yield f"CPU ms a picture; 96 x 72 pixels, tiny models, captions of 8 tokens, {torch.get_num_threads()} threads"
    yield ""
    yield f"| stage | {counts[0]} pictures | {counts[1]} pictures | ratio |"
    yield "|---|---|---|---|"
    for stage, few in measured[0].items():
        per_few, per_many = 1e3 * few / counts[0], 1e3 * measured[1][stage] / counts[1]
        yield f"| {stage} | {per_few:.2f} | {per_many:.2f} | {per_many / per_few:.2f} |"


def stage_times(out: Path, count: int) -> dict[str, float]:
    """CPU seconds of each stage over so many pictures."""
    folder = out / f"photos-{count}"
    if not folder.is_dir():
        folder.mkdir(parents=True)
        for number in range(count):
            photo(number, (96, 72)).save(folder / f"{number:05d}.jpg")
    names = ("a cat", "two dogs", "a red car", "a wine glass", "a dining table", "people", "a bus", "some birds")
    texts = [
        f"The picture shows {names[n % 8]} and {names[(n // 8) % 8]}, with {names[(n // 64) % 8]}."
        for n in range(count)
    ]
    said = out / f"said-{count}.jsonl"
    write_jsonl(said, ({"image": f"{number:05d}.jpg", "caption": text} for number, text in enumerate(texts)))
    run = out / f"run-{count}"
    shutil.rmtree(run, ignore_errors=True)
    mining = Mining(folder, run, str(out / "clip"), captions=said, grid=Grid(patch=12))
    found: dict[str, float] = {}
    found["captions (by the model)"] = captioning_time(mining, out, run)
    lexicon().extract(["a cat"])  # word forms are made once, whatever the number of pictures
    marks = Marks(found)
    with mock.patch.object(Stage, "run", marks.timed(Stage.run)):
        started = time.process_time()
        mine(mining)
        found["selection"] = time.process_time() - started - sum(list(found.values())[1:])
    return found


class Marks:
    """Notes how long each stage takes."""

    def __init__(self, found: dict[str, float]) -> None:
        self._found = found

    def timed(self, run: Any) -> Any:
        """The same `Stage.run`, timed."""

        def timed_run(stage: Stage, *arguments: Any) -> None:
            started = time.process_time()
            run(stage, *arguments)
            name = "captions (brought along)" if stage.folder.name == "captions" else stage.folder.name
            self._found[name] = time.process_time() - started

        return timed_run


def captioning_time(mining: Mining, out: Path, run: Path) -> float:
    """CPU seconds of captioning by the tiny model."""
    sources = pictures_in(mining.images)
    own = Mining(mining.images, run, mining.scorer, model=str(out / "llava"), decoding=Decoding(8), batch_size=32)
    captioning = Captioning(own, sources)
    stage = Stage(run / "own-captions", len(sources), own.shard_size, Said, Left)
    _ = captioning._captioner  # loading is no part of it
    started = time.process_time()
    stage.run(captioning.how(), captioning.rows, "captioning")
    took_seconds = time.process_time() - started
    shutil.rmtree(run)
    return took_seconds


def main() -> None:
    """Measure both, print the tables, and write them as Markdown if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("mining-benchmark"))
    parser.add_argument("--quick", action="store_true", help="a tenth of the pictures, fewer repetitions")
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    lines = []
    for line in windows(3 if options.quick else 9):
        print(line, flush=True)
        lines.append(line)
    lines.append("")
    for line in stages(options.out, (50, 500) if options.quick else (500, 5000)):
        print(line, flush=True)
        lines.append(line)
    if options.markdown:
        write_text(options.markdown, "# What mining costs\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
