"""PULSE by commands alone: a model is asked whom it knows, and these are forgotten one request after the other."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Stranger
from tests.commandline import call, files_of, succeed
from unsee.benchmarks import find
from unsee.benchmarks.source import open_source
from unsee.data import Probe, load_examples
from unsee.data.sets import write_jsonl
from unsee.evaluation import knowledge, measure
from unsee.evaluation.records import Record
from unsee.vlm import LoadedModel, load

ALL = {f"{number:03}" for number in range(11, 15)}  # the celebrities of a world of ten people
KNOWN = {"011", "013", "014"}
SHORT = ("--set", "max_steps=1", "--set", "max_new_tokens=4", "--set", "learning_rate=1e-3", "--no-report")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world") / "mllmu"
    succeed("world", "export", "--layout", "mllmu", "--people", 10, "--out", folder)
    return folder


@pytest.fixture
def knowing(monkeypatch: pytest.MonkeyPatch) -> Callable[[set[str]], None]:
    """A model for which it is known whom it knows: of the others another option is the most likely."""
    real = measure.measure

    def script(people: set[str]) -> None:
        def scripted(loaded: LoadedModel, probe: Probe, *how: Any) -> Sequence[Record]:
            return [
                replace(record, choice_log_probs=_likely(record, str(record.id)[:3] in people))
                for record in real(loaded, probe, *how)
            ]

        monkeypatch.setattr(knowledge, "measure", scripted)

    return script


def _likely(record: Record, knows: bool) -> tuple[float, ...]:
    sizes = zip(record.choices, record.choice_tokens, strict=True)
    return tuple((-0.1 if (choice == record.expected) == knows else -9.0) * tokens for choice, tokens in sizes)


def test_the_gate_keeps_exactly_those_whom_the_model_knows(
    world: Path, tmp_path: Path, stranger: Stranger, knowing: Callable[[set[str]], None]
) -> None:
    data = tmp_path / "data"
    knowing(KNOWN)
    told = succeed("benchmark", "write", "pulse", world, "--model", stranger / "llava", "--out", data, "--json").json
    assert set(told["known"]) == KNOWN
    settings = yaml.safe_load((data / "data.yaml").read_text())
    probes = {**settings["forget_probes"], **settings["keep_probes"]}
    files = [settings["forget"], settings["retain"], *probes.values()]
    assert {str(row.id)[:3] for file in files for row in load_examples(data / file)} == KNOWN
    assert settings["model"] == str(stranger / "llava")
    assert told["next"] == f"unsee unlearn {data / 'data.yaml'} --out runs/npo"
    shown = succeed("benchmark", "write", "pulse", world, "--model", stranger / "llava", "--out", tmp_path / "b").out
    assert "The model knows 3 people: the right option is the most likely one in at least half" in shown


def test_one_request_after_the_other(
    world: Path,
    tmp_path: Path,
    stranger: Stranger,
    monkeypatch: pytest.MonkeyPatch,
    knowing: Callable[[set[str]], None],
) -> None:
    """As the script says them: each begins with the model of the one before, and asks what that one removed."""
    data = tmp_path / "data"
    knowing(ALL)
    asked = ("--model", stranger / "llava", "--sequence", 2, "--out", data, "--json")
    told = succeed("benchmark", "write", "pulse", world, *asked).json
    assert told["next"] == f"sh {data / 'requests.sh'} --method npo"
    assert [part["rows"]["forget"] for part in told["requests"]] == [10, 10]
    monkeypatch.chdir(data)
    lines = [shlex.split(line) for line in (data / "requests.sh").read_text().splitlines() if line.startswith("unsee")]
    assert len(lines) == 2
    for words in lines:
        succeed(*words[1:-1], "--method", "grad_ascent", *SHORT)
    first, second = (yaml.safe_load((data / f"request_{number}" / "data.yaml").read_text()) for number in (1, 2))
    assert "after" not in first
    assert (second["model"], second["after"]) == ("../runs/request_1/model", "../runs/request_1")

    steps = succeed("benchmark", "score", "pulse", data / "runs", "--json").json["steps"]
    assert list(steps) == ["base", "request_1", "request_2"]
    groups = {
        step: {name.rpartition("_")[0] for name, value in numbers.items() if isinstance(value, float)}
        for step, numbers in steps.items()
    }
    assert groups["base"] == groups["request_1"] == {"request", "waiting", "retained"}
    assert groups["request_2"] == {"request", "earlier", "retained"}
    assert "after_forget_cloze_qa" in steps["request_2"]["tasks"]
    assert "request_2" in succeed("benchmark", "score", "pulse", data / "runs").out
    shown = succeed("benchmark", "score", "mllmu", data / "runs").out  # which has no numbers but those of its probes
    assert [line for line in shown.splitlines() if line in steps] == ["base", "request_1", "request_2"]
    records = data / "runs" / "request_2" / "records" / "grad_ascent"
    assert succeed("benchmark", "score", "pulse", records, "--json").json["tasks"] == steps["request_2"]["tasks"]


def test_whom_a_model_knows_follows_from_what_it_says(world: Path, stranger: Stranger) -> None:
    """A model with random weights, by the rule, worked out again from its records."""
    gate, source = find("pulse").gate, open_source(world)
    loaded = load(stranger / "llava", device="cpu")
    assert gate is not None
    right: dict[str, list[bool]] = {}
    for probe in gate.probes(source, 0):
        for record in measure.measure(loaded, probe):
            means = [value / n for value, n in zip(record.choice_log_probs, record.choice_tokens, strict=True)]
            best = record.choices[means.index(max(means))]
            right.setdefault(f"{str(record.id)[:3]} {probe.name}", []).append(best == record.expected)
    expected = {one for one in ALL if all(2 * sum(right[f"{one} gate_{kind}"]) >= 5 for kind in ("vqa", "qa"))}
    assert set(knowledge.known_people(gate, source, 0, loaded, 16)) == expected


@pytest.mark.slow
def test_the_gate_finds_whom_a_model_was_taught(world: Path, tmp_path: Path, stranger: Stranger) -> None:
    """Weights that learned the questions about three of four people, and nothing scripted."""
    gate = find("pulse").gate
    assert gate is not None
    rows = [row for probe in gate.probes(open_source(world), 0) for row in probe.examples]
    write_jsonl([row for row in rows if str(row.id)[:3] in KNOWN], tmp_path / "rows.jsonl")
    steps = ("--set", "max_steps=200", "--set", "learning_rate=3e-3", "--set", "batch_size=15")
    taught = ("--model", stranger / "llava", "--data", tmp_path / "rows.jsonl", "--out", tmp_path / "taught")
    succeed("train", *taught, *steps)
    model = ("--model", tmp_path / "taught" / "model", "--out", tmp_path / "data")
    assert set(succeed("benchmark", "write", "pulse", world, *model, "--json").json["known"]) == KNOWN
    nobody = call("benchmark", "write", "pulse", world, "--model", stranger / "llava", "--out", tmp_path / "none")
    assert "the model knows 0 of 4 people" in nobody.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("pulse", "{world}"), "is about people whom a model knows; give the model: --model MODEL"),
        (("pulse", "{empty}", "--model", "{model}"), "no configuration 'Retain_Set'"),
        (("pulse", "{world}", "--model", "nowhere/at/all"), "nowhere/at/all"),
        (("mllmu", "{world}", "--sequence", "2"), "several requests need a model"),
        (("mllmu", "{world}", "--sequence", "9", "--model", "m"), "requests is 9; 1 people are to be forgotten"),
    ],
)
def test_mistakes_end_in_one_line_and_write_nothing(
    world: Path, tmp_path: Path, stranger: Stranger, words: tuple[str, ...], expected: str
) -> None:
    places = {"world": world, "empty": tmp_path / "empty", "model": stranger / "llava"}
    (tmp_path / "empty").mkdir()
    before = files_of(tmp_path)
    outcome = call("benchmark", "write", *(word.format(**places) for word in words), "--out", tmp_path / "data")
    assert (outcome.code, outcome.out) == (2, "")
    assert expected in outcome.err
    assert outcome.err.count("\n") == 1
    assert files_of(tmp_path) == before


def test_a_sequence_of_another_benchmark_is_written_as_well(world: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    chosen = ("--split", "forget_15", "--sequence", 2, "--model", "m")
    wrote = succeed("benchmark", "write", "mllmu", world, *chosen, "--out", data, "--json").json
    assert [part["rows"]["forget"] for part in wrote["requests"]] == [15, 15]
    assert {path.name for path in data.iterdir()} == {"request_1", "request_2", "requests.sh"}
