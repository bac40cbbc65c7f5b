"""Good inputs of every command, made once, and the folder in which one of them is spoilt."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import tiny
from tests.cli.conftest import write_rows
from tests.commandline import succeed
from tests.mining import encoders
from unsee.benchmarks.tofu.score import LOG_OF_TASK
from unsee.system.files import write_json


@dataclass(frozen=True)
class Good:
    """The folder with everything that is right."""

    folder: Path

    def __truediv__(self, name: str) -> Path:
        return self.folder / name


@dataclass(frozen=True)
class Scene:
    """Where one case happens: an empty folder of its own beside the good inputs."""

    good: Good
    folder: Path

    def copy(self, path: Path) -> Path:
        """A copy of a good file or folder, to be spoilt; what lies beside a file is linked."""
        if path.is_dir():
            return Path(shutil.copytree(path, self.folder / path.name))
        return Path(shutil.copy(path, self.folder / path.name))


Spoil = Callable[[Scene, Path], "Path | str"]


def _lines(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _metrics(folder: Path) -> None:
    _lines(folder / "captions.jsonl", [{"image_id": 1, "caption": "A dog and a cat."}])
    write_json(folder / "gold.json", {"1": ["dog"]})
    write_json(folder / "references.json", {"1": ["A dog and a cat."]})
    (folder / "synonyms.txt").write_text("dog, puppy\ncat, kitten\n")
    _lines(folder / "questions.jsonl", [{"question_id": 1, "image": "a", "text": "Is there a dog?", "label": "yes"}])
    _lines(folder / "answers.jsonl", [{"question_id": 1, "answer": "yes"}])
    rows = {str(row): row / 10 for row in range(5)}
    task = {
        "avg_gt_loss": rows,
        "avg_paraphrased_loss": rows,
        "average_perturb_loss": {row: [1.0, 2.0] for row in rows},
        "rougeL_recall": dict.fromkeys(rows, 0.5),
    }
    write_json(folder / "tofu.json", dict.fromkeys(LOG_OF_TASK.values(), task))
    write_json(folder / "annotations.json", [{"id": 1, "type": "generative", "truth": ["dog"], "hallu": ["cat"]}])
    write_json(folder / "relations.json", {"dog": [], "cat": []})
    _lines(folder / "responses.jsonl", [{"id": 1, "response": "A dog."}])


def make_good(folder: Path) -> Good:
    """Models, rows, pictures, a finished run, a mining, a benchmark and its records, files of published metrics."""
    good = Good(folder)
    tiny.save(tiny.llava(), good / "llava")
    encoders.clip(good / "clip")
    write_rows(good / "forget.jsonl", "Ada Byron", 6, 0)
    write_rows(good / "retain.jsonl", "Max Roth", 6, 100)
    write_rows(good / "held_out.jsonl", "Ada Byron", 3, 200)
    said = [{"image": f"{number}.png", "caption": "A cat, a dog and a bus."} for number in (1, 2)]
    _lines(folder / "said.jsonl", said)
    _metrics(folder)
    rows = ["--model", good / "llava", "--forget", good / "forget.jsonl", "--retain", good / "retain.jsonl"]
    short = ["--set", "max_steps=1", "--set", "max_new_tokens=4", "--set", "learning_rate=1e-3"]
    probe = ["--probe", f"held={good / 'held_out.jsonl'}"]
    succeed("unlearn", *rows, *probe, *short, "--lora", 2, "--out", good / "run")
    (folder / "run.yaml").write_text(
        f"model: {good / 'llava'}\nforget: {good / 'forget.jsonl'}\nretain: {good / 'retain.jsonl'}\nmax_steps: 1\n"
    )
    mined = ["--images", good / "photos", "--captions", good / "said.jsonl", "--scorer", good / "clip"]
    succeed("mine", *mined, "--out", good / "mined", "--patch", 8, "--positive", 0, "--negative", 0)
    succeed("mine", "calibrate", good / "mined", "--share", 0.34, "--out", good / "thresholds.json")
    succeed("mine", "export", good / "mined", "--out", good / "released")
    succeed("world", "export", "--people", 10, "--out", good / "clear")
    return good


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Good:
    """Made once per process; nothing in it is changed by a case."""
    return make_good(tmp_path_factory.mktemp("good"))
