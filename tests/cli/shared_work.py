"""Commands whose rows processes share: mine, evaluate, and retain rows from what a model says.

Every case of `CASES` takes a folder of its own, two below that of what `prepare` makes, and gives what can be compared
as JSON: exit code, stdout and stderr.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from tests import tiny
from tests.cli.conftest import write_rows
from tests.commandline import call
from tests.mining import encoders
from unsee.errors import InputError
from unsee.mining import captioning, self_distillation
from unsee.mining.captions import generate
from unsee.system import processes
from unsee.vlm.generate import Said

SHARD, BATCH = 2, 2
LIMITS = ("--positive", 0.5, "--negative", 0.1, "--sentence", 0.3)  # of probabilities
CAPTIONS = ("A cat and a dog, on a chair.", "No thing.", "A car.", "", "A bird and a boat near a dog.")


def prepare(folder: Path) -> None:
    """Pictures, of which some are none, captions of one's own, words that a random model says, scorers, questions."""
    for make in (encoders.clip, encoders.siglip, encoders.owl, encoders.llama):
        make(folder / make.__name__)
    photos = folder / "photos"
    photos.mkdir()
    for number in range(9):
        (photos / f"{number}.png").write_bytes(tiny.picture(number, (36 + 4 * number, 40)))
    (photos / "3.png").write_bytes(tiny.picture(3)[:200])
    (photos / "6.png").write_bytes(b"no picture")
    (folder / "letters.txt").write_text("".join(f"{letter}\n" for letter in "abcdefghijklmnopqrstuvwxyz"))
    said = [{"image": f"{number}.png", "caption": caption} for number, caption in enumerate(CAPTIONS)]
    (folder / "said.jsonl").write_text("".join(json.dumps(row) + "\n" for row in said))
    (folder / "rows").mkdir()
    write_rows(folder / "rows" / "asked.jsonl", "Ada Byron", 7, 0)
    rows = [json.loads(line) for line in (folder / "rows" / "asked.jsonl").read_text().splitlines()]
    given = {"choices": ["Bonn", "Riga", "Oslo", "San Francisco", "Lima", "London"], "perturbed_answers": ["Bonn"]}
    (folder / "rows" / "choices.jsonl").write_text("".join(json.dumps({**row, **given}) + "\n" for row in rows))


def told(out: Path, *arguments: object) -> Any:
    """What a command comes to, without the place where it has written."""
    outcome = call(*arguments)
    return [outcome.code, *(text.replace(str(out), "OUT") for text in (outcome.out, outcome.err))]


def mine(out: Path, *more: object, model: bool = True, scorer: str = "clip") -> Any:
    """`unsee mine` into `out`, by shards of a few pictures."""
    home = out.parents[1]
    given = (
        ["--model", home / "model", "--lexicon", home / "letters.txt"] if model else ["--captions", home / "said.jsonl"]
    )
    given += ["--max-new-tokens", 8, "--batch-size", BATCH, "--shard-size", SHARD, "--patch", 16, "--json", *more]
    return told(out, "mine", "--images", home / "photos", "--scorer", home / scorer, "--out", out, *given)


def sampled(out: Path, *more: object) -> Any:
    """The model's own captions, sampled, and scored twice."""
    return mine(out, "--temperature", 1.3, "--second-scorer", out.parents[1] / "clip", *more)


class KilledError(Exception):
    """Stands for the end of a process: nothing of ours catches it."""


def stopped(out: Path, rank: int, error: Exception, batches: int = 1) -> Any:
    """A mining of which one process comes to an end after so many batches of captions."""
    done = 0

    def until(*arguments: Any) -> Sequence[Said]:
        nonlocal done
        done += 1
        if done > batches and processes.rank() == rank:
            raise error
        return generate(*arguments)

    with mock.patch.object(captioning, "generate", until):
        try:
            return sampled(out)
        except KilledError:
            return "killed"


def resumed(out: Path) -> Any:
    """Stopped in the one process, then in the other, and started again."""
    rank = processes.count() - 1
    return [stopped(out, rank, KilledError()), stopped(out, 0, KilledError()), sampled(out)][-1]


def evaluate(out: Path, data: str, *more: object) -> Any:
    """`unsee evaluate` with records."""
    home = out.parents[1]
    out.mkdir(parents=True, exist_ok=True)
    given = ["--model", home / "model", "--data", home / "rows" / data, "--max-new-tokens", 3, "--batch-size", 2]
    return told(out, "evaluate", *given, "--records", out / "said.jsonl", *more)


def wrong_model(out: Path, command: str, rows: str, *more: object) -> Any:
    """A training of a model that cannot be asked anything."""
    home = out.parents[1]
    return told(out, command, "--model", home / "clip", rows, home / "rows" / "asked.jsonl", "--out", out, *more)


def retain(out: Path) -> Any:
    """`unsee data retain` about pictures and in words, without those of the rows to be forgotten."""
    home = out.parents[1]
    given = ["--model", home / "model", "--images", home / "photos", "--forget", home / "rows" / "asked.jsonl"]
    out.mkdir(parents=True, exist_ok=True)
    given += ["--max-new-tokens", 5, "--out", out / "retain.jsonl", "--json"]

    def ended(*arguments: Any) -> list[Said]:  # a random model never ends its turn by itself
        return [said._replace(truncated=False) for said in generate(*arguments)]

    with mock.patch.object(self_distillation, "SHARD", 8), mock.patch.object(self_distillation, "generate", ended):
        return told(out, "data", "retain", *given)


CASES: dict[str, Callable[[Path], Any]] = {
    "mine-sampled": sampled,
    "mine-one-shard": lambda out: mine(out, "--limit", 2),
    "mine-captions": lambda out: mine(out, model=False),
    "mine-detector": lambda out: mine(out, *LIMITS, model=False, scorer="owl"),
    "mine-uncalibrated": lambda out: mine(out, model=False, scorer="siglip"),
    "mine-llm": lambda out: mine(out, "--extractor", "llm", "--extractor-model", out.parents[1] / "llama", model=False),
    "mine-resumed": resumed,
    "mine-from-one": sampled,
    "mine-to-one": lambda out: stopped(out, 1, KilledError()),
    "mine-broken": lambda out: stopped(out, 1, InputError("the second one cannot go on")),
    "mine-otherwise": lambda out: [mine(out, "--limit", 2), mine(out, "--limit", 3)][1],
    "mine-calibrate": lambda out: told(out, "mine", "calibrate", out),
    "retain": retain,
    "evaluate": lambda out: evaluate(out, "asked.jsonl", "--attack", "wording"),
    "evaluate-json": lambda out: evaluate(out, "choices.jsonl", "--json", "--limit", 3),
    "evaluate-one-row": lambda out: evaluate(out, "asked.jsonl", "--json", "--limit", 1, "--attack", "wording"),
    "unlearn-clip": lambda out: wrong_model(out, "unlearn", "--forget", "--method", "grad_ascent"),
    "train-clip": lambda out: wrong_model(out, "train", "--data"),
    "evaluate-nothing": lambda out: evaluate(out, "none.jsonl"),
}  # fmt: skip
