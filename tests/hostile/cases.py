"""Every command with inputs that are right, and for each input the ways in which it can be spoilt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.hostile import spoilers as bad
from tests.hostile.scene import Good, Scene, Spoil

Place = Callable[[Good], object]
NEW = Path("new")  # an output that is not there yet


@dataclass(frozen=True)
class Slot:
    """An input of a command: how it is given, what would be right, and how it can be wrong.

    `pattern` says how the value stands on the command line, as in `held={}` for a probe.
    """

    option: str | None  # None: an argument without a name
    right: Place | None  # None: left out unless spoilt
    spoilers: Mapping[str, Spoil]
    pattern: str = "{}"

    def words(self, value: object) -> list[str]:
        shown = self.pattern.format(value)
        return [shown] if self.option is None else [self.option, shown]


@dataclass(frozen=True)
class Command:
    """A command line that works."""

    words: tuple[str, ...]
    slots: dict[str, Slot]
    more: tuple[str, ...] = ()

    def line(self, good: Good, spoilt: str = "", value: object = None) -> list[str]:
        """The whole line, with one input exchanged."""
        given = [*self.words, *(word.format(good=good.folder) for word in self.more)]
        for name, slot in self.slots.items():
            if name == spoilt:
                given += slot.words(value)
            elif slot.right is not None:
                given += slot.words(slot.right(good))
        return given


@dataclass(frozen=True)
class Case:
    """One spoilt input of one command."""

    command: str
    slot: str
    kind: str
    spoil: Spoil = field(repr=False)

    def __str__(self) -> str:
        return f"{self.command}-{self.slot}-{self.kind}"

    def line(self, scene: Scene) -> list[str]:
        command = COMMANDS[self.command]
        slot = command.slots[self.slot]
        right = slot.right(scene.good) if slot.right else ""
        return command.line(scene.good, self.slot, self.spoil(scene, right if isinstance(right, Path) else Path()))


def at(name: str) -> Place:
    """A good input by its name."""
    return lambda good: good / name


def new(name: str = "new") -> Place:
    """An output in the folder where the command is called."""
    return lambda good: name


def setting(key: str, spoilt: Mapping[str, Spoil]) -> Slot:
    """One of the many settings of a run."""
    return Slot("--set", None, spoilt, key + "={}")


def only(*kinds: str, of: Mapping[str, Spoil]) -> dict[str, Spoil]:
    """Some of the ways to spoil."""
    return {kind: of[kind] for kind in kinds}


_RUN = {
    "model": Slot("--model", at("llava"), bad.MODEL),
    "forget": Slot("--forget", at("forget.jsonl"), bad.ROWS),
    "retain": Slot("--retain", at("retain.jsonl"), bad.JSONL),
    "preserve": Slot("--preserve", None, bad.FILE),
    "probe": Slot("--probe", None, bad.JSONL, "held={}"),
    "keep probe": Slot("--probe", None, bad.NAME, "{}=x.jsonl"),
    "lexicon": Slot("--lexicon", None, bad.TEXT),
    "method": Slot("--method", lambda good: "npo", bad.NAME),
    "parts": Slot("--parts", None, bad.NAME),
    "lora": Slot("--lora", None, bad.numbers(-1, 0, 10**6, 10**30, "many", "")),
    "out": Slot("--out", new(), bad.OUT),
    "batch size": setting("batch_size", bad.COUNT),
    "evaluation batch": setting("eval_batch_size", bad.COUNT),
    "epochs": setting("epochs", bad.numbers(-1, 0, "1e300", "nan", "inf", "many")),
    "steps": setting("max_steps", bad.numbers(-1, 10**12, 10**30, "1e300", "many")),
    "rate": setting("learning_rate", bad.RATE),
    "beta": setting("beta", bad.RATE),
    "seed": setting("seed", bad.SEED),
    "tokens": setting("max_new_tokens", bad.COUNT_OR_NULL),
    "accumulation": setting("gradient_accumulation", bad.COUNT),
    "save steps": setting("save_steps", bad.numbers(-1, 0, "many", "1e300")),
    "dtype": setting("dtype", bad.VALUE),
    "gate": setting("gate", bad.VALUE),
    "quantize": setting("quantize", bad.VALUE),
    "scheduler": setting("scheduler", bad.VALUE),
    "unknown key": Slot("--set", None, {"long": bad.word("k" * 4000 + "=1"), "NUL": bad.word("a\0=1")}),
}

COMMANDS: dict[str, Command] = {
    "unlearn": Command(("unlearn",), _RUN, ("--set", "max_steps=1")),
    "unlearn file": Command(("unlearn",), {"file": Slot(None, at("run.yaml"), bad.YAML)}, ("--out", "new")),
    "evaluate": Command(
        ("evaluate",),
        {
            "model": Slot("--model", at("llava"), bad.MODEL),
            "data": Slot("--data", at("held_out.jsonl"), bad.ROWS),
            "records": Slot("--records", None, bad.OUT),
            "batch": Slot("--batch-size", None, bad.COUNT),
            "tokens": Slot("--max-new-tokens", None, bad.COUNT),
            "limit": Slot("--limit", None, bad.numbers(-1, "many", "")),
            "dtype": Slot("--dtype", None, bad.NAME),
        },
    ),
    "evaluate adapter": Command(
        ("evaluate",),
        {"model": Slot("--model", at("run/model"), bad.ADAPTER)},
        ("--data", "{good}/held_out.jsonl"),
    ),
    "report": Command(("report",), {"run": Slot(None, at("run"), bad.RUN), "out": Slot("--out", new(), bad.OUT)}),
    "bench": Command(
        ("bench", "--dry-run"),
        {
            "out": Slot("--out", new(), bad.OUT),
            "methods": Slot("--methods", None, bad.NAME),
            "seeds": Slot("--seeds", None, bad.SEED),
            "people": Slot("--people", None, bad.COUNT),
            "budget": Slot("--budget", None, bad.COUNT),
            "request": Slot("--request", None, bad.NAME),
            "workers": Slot("--workers", None, bad.COUNT),
        },
    ),
    "demo": Command(
        ("demo",),
        {
            "name": Slot(None, lambda good: "person", bad.NAME),
            "out": Slot("--out", new(), bad.OUT),
            "seed": Slot("--seed", None, bad.SEED),
            "people": Slot("--people", None, bad.COUNT),
        },
    ),
    "mine": Command(
        ("mine", "--patch", "8"),
        {
            "images": Slot("--images", at("photos"), bad.PICTURES),
            "captions": Slot("--captions", at("said.jsonl"), bad.JSONL),
            "scorer": Slot("--scorer", at("clip"), bad.CHECKPOINT),
            "out": Slot("--out", new(), bad.OUT),
            "lexicon": Slot("--lexicon", None, bad.TEXT),
            "extractor": Slot("--extractor", None, bad.NAME),
            "aggregator": Slot("--aggregator", None, bad.NAME),
            "thresholds": Slot("--thresholds", at("thresholds.json"), bad.THRESHOLDS),
            "temperature": Slot("--temperature", None, bad.TEMPERATURE),
            "tokens": Slot("--max-new-tokens", None, bad.COUNT),
            "patches": Slot("--patches", None, bad.COUNT),
            "longest": Slot("--longest", None, bad.COUNT),
            "batch": Slot("--batch-size", None, bad.COUNT),
            "shard": Slot("--shard-size", None, bad.COUNT),
            "seed": Slot("--seed", None, bad.SEED),
            "template": Slot("--template", None, {"empty": bad.word(""), "no place": bad.word("a photo")}),
            "prompt": Slot("--prompt", None, {"empty": bad.word("")}),
        },
    ),
    "mine model": Command(
        ("mine", "--patch", "8"),
        {
            "images": Slot("--images", at("photos"), {}),
            "model": Slot("--model", at("llava"), bad.MODEL),
            "scorer": Slot("--scorer", at("clip"), {}),
            "out": Slot("--out", new(), {}),
        },
    ),
    "calibrate": Command(
        ("mine", "calibrate"),
        {
            "run": Slot(None, at("mined"), bad.MINED),
            "labels": Slot("--labels", None, bad.JSONL),
            "share": Slot("--share", None, bad.RATE),
            "error": Slot("--error", None, bad.RATE),
            "out": Slot("--out", new("new.json"), bad.OUT),
        },
    ),
    "import": Command(
        ("mine", "import"),
        {
            "folder": Slot(None, at("released"), bad.PICTURES),
            "images": Slot("--images", at("photos"), bad.PICTURES),
            "out": Slot("--out", new("new.jsonl"), bad.OUT),
            "thresholds": Slot("--thresholds", at("thresholds.json"), bad.THRESHOLDS),
            "conflict": Slot("--conflict", None, bad.NAME),
        },
    ),
    "export": Command(
        ("mine", "export"),
        {"run": Slot(None, at("mined"), bad.MINED), "out": Slot("--out", new(), bad.OUT)},
    ),
    "tofu": Command(
        ("metrics", "tofu"),
        {"logs": Slot(None, at("tofu.json"), bad.JSON), "retain": Slot("--retain", at("tofu.json"), bad.JSON)},
    ),
    "chair": Command(
        ("metrics", "chair"),
        {
            "captions": Slot("--captions", at("captions.jsonl"), bad.JSONL),
            "gold": Slot("--gold", at("gold.json"), bad.JSON),
            "synonyms": Slot("--synonyms", at("synonyms.txt"), bad.TEXT),
            "match": Slot("--match", None, bad.JSONL),
        },
    ),
    "pope": Command(
        ("metrics", "pope"),
        {
            "questions": Slot("--questions", at("questions.jsonl"), bad.JSONL),
            "answers": Slot("--answers", at("answers.jsonl"), bad.JSONL),
            "parser": Slot("--parser", None, bad.NAME),
        },
    ),
    "text": Command(
        ("metrics", "text"),
        {
            "captions": Slot("--captions", at("captions.jsonl"), bad.JSONL),
            "references": Slot("--references", at("references.json"), bad.JSON),
        },
    ),
    "amber": Command(
        ("metrics", "amber"),
        {
            "responses": Slot("--responses", at("responses.jsonl"), bad.JSONL),
            "annotations": Slot("--annotations", at("annotations.json"), bad.JSON),
            "relations": Slot("--relations", at("relations.json"), bad.JSON),
            "safe words": Slot("--safe-words", None, bad.TEXT),
        },
    ),
    "world export": Command(
        ("world", "export"),
        {
            "out": Slot("--out", new(), bad.OUT),
            "people": Slot("--people", lambda good: "10", bad.COUNT),
            "seed": Slot("--seed", None, bad.SEED),
            "layout": Slot("--layout", None, bad.NAME),
        },
    ),
    "world models": Command(
        ("world", "models"),
        {
            "folder": Slot(None, at("clear"), bad.PICTURES),
            "request": Slot("--request", None, bad.NAME),
            "split": Slot("--split", None, bad.NAME),
        },
    ),
    "write": Command(
        ("benchmark", "write"),
        {
            "kind": Slot(None, lambda good: "clear", bad.NAME),
            "source": Slot(None, at("clear"), bad.BENCHMARK),
            "out": Slot("--out", new(), bad.OUT),
            "split": Slot("--split", None, bad.NAME),
            "request": Slot("--request", None, bad.NAME),
            "probe rows": Slot("--probe-rows", None, bad.numbers(-1, 0, "many", "")),
            "seed": Slot("--seed", None, bad.SEED),
        },
    ),
    "check": Command(
        ("benchmark", "check"),
        {"kind": Slot(None, lambda good: "clear", bad.NAME), "source": Slot(None, at("clear"), bad.NAMES)},
    ),
    "score": Command(
        ("benchmark", "score"),
        {
            "kind": Slot(None, lambda good: "clear", bad.NAME),
            "records": Slot(None, at("run/records/base"), bad.PICTURES),
            "gold": Slot("--gold", None, bad.PICTURES),
        },
    ),
}


def cases() -> Iterator[Case]:
    """All of them."""
    for name, command in COMMANDS.items():
        for slot_name, slot in command.slots.items():
            for kind, spoil in slot.spoilers.items():
                yield Case(name, slot_name, kind, spoil)
