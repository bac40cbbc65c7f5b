"""Rows that two processes share give what one gives, to the last bit, and an error of one ends both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from tests.cli import shared_work as commands
from tests.commandline import files_of
from tests.system import shared_work
from tests.two_processes import in_two_processes

Two = tuple[Path, list[dict[str, Any]]]  # a folder with what both have written, and what each has come to, by case

QUICK = list(shared_work.CASES)
WRONG = {
    "near-above", "broken-mask", "broken-measure", "mine-uncalibrated", "mine-to-one", "mine-broken", "mine-otherwise",
    "mine-calibrate", "evaluate-nothing", "unlearn-clip", "train-clip",
}  # fmt: skip
COMMANDS, WORK = (
    [case for case in QUICK if case not in WRONG and (case in commands.CASES) == of_commands]
    for of_commands in (True, False)
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Several threads would round otherwise."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def two(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Two:
    """Every case, in two processes."""
    folder = tmp_path_factory.mktemp("shared")
    shared_work.prepare(folder)
    assert commands.stopped(folder / "2" / "mine-from-one", 0, commands.KilledError(), batches=2) == "killed"
    assert in_two_processes("tests.system.shared_work", folder, QUICK, 400) == "ended"
    return folder, [json.loads((folder / f"results.{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.parametrize("case", WORK)
def test_two_processes_come_to_what_one_comes_to(case: str, two: Two) -> None:
    folder, results = two
    one, ours = shared_work.do(case, folder), [result[case] for result in results]
    if "rows" in one:
        rows, shares = one.pop("rows"), [result.pop("rows") for result in ours]
        assert sum(shares) == rows
        assert max(shares) < rows
    assert ours == [one, one]
    assert kept_in(folder / "2" / case) == kept_in(folder / "1" / case)
    assert bool(kept_in(folder / "1" / case)) == case.startswith(("mask", "near", "reference"))


def kept_in(folder: Path) -> dict[str, Any]:
    """What the files of a folder hold; the order of a header's entries is nobody's choice."""
    held = {}
    for path in folder.glob("*"):
        with safe_open(path, framework="np") as file:
            held[path.name] = {name: file.get_tensor(name).tolist() for name in file.keys()}, file.metadata()  # noqa: SIM118
    return held


def test_sums_are_exact_where_a_ratio_is_all_but_gamma(two: Two) -> None:
    """The same rows on both sides, and gamma a billionth below their ratio: whatever is reached passes; above, none."""
    below, above = ([result[f"near-{side}"] for result in two[1]] for side in ("below", "above"))
    for result in below:
        assert sum(reached for _, reached in result["counts"].values()) > 10_000
        assert all(passing == reached for passing, reached in result["counts"].values())
    assert all("masks out every weight" in message for _, message in above)


@pytest.mark.parametrize("case", ["broken-mask", "broken-measure"])
def test_what_one_process_cannot_read_ends_both_and_is_said_once(case: str, two: Two) -> None:
    (kind, message), (other_kind, other_message) = (result[case] for result in two[1])
    assert (kind, other_kind) == ("OtherFailedError", "InputError")
    assert message == other_message
    assert "picture" in message


@pytest.mark.parametrize("case", COMMANDS)
def test_a_command_in_two_processes_writes_and_says_what_it_does_in_one(case: str, two: Two) -> None:
    folder, results = two
    code, out, err = shared_work.do(case, folder)
    assert code == 0, err
    assert [result[case] for result in results] == [[0, out, err], [0, "", ""]]
    assert files_of(folder / "2" / case) == files_of(folder / "1" / case) != {}


def test_a_mining_of_two_is_finished_by_one(two: Two) -> None:
    folder, results = two
    assert [result["mine-to-one"] for result in results] == [[2, "", ""], "killed"]
    out = folder / "2" / "mine-to-one"
    shards = {path: path.stat().st_mtime_ns for path in out.glob("captions/0*.jsonl")}
    assert 0 < len(shards) < 5
    code, *_ = commands.sampled(out)
    assert code == 0
    assert {path: path.stat().st_mtime_ns for path in shards} == shards  # none is made again
    assert files_of(out) == files_of(folder / "2" / "mine-sampled")


@pytest.mark.parametrize(
    ("case", "speaker", "line"),
    [
        ("mine-broken", 1, "the second one cannot go on"),
        ("mine-otherwise", 0, "captions was made otherwise (pictures was 2, now it is 3)"),
        ("mine-uncalibrated", 0, "unsee mine calibrate"),
        ("evaluate-nothing", 0, "none.jsonl"),
        ("unlearn-clip", 0, "clip"),
        ("train-clip", 0, "clip"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_by_one_process(case: str, speaker: int, line: str, two: Two) -> None:
    results = [result[case] for result in two[1]]
    assert [code for code, _, _ in results] == [2, 2]
    assert [out for _, out, _ in results] == ["", ""]
    assert results[1 - speaker][2] == ""
    assert len(results[speaker][2].splitlines()) == 1
    assert line in results[speaker][2]


def test_what_one_process_does_is_refused_in_several(two: Two) -> None:
    for code, out, err in (result["mine-calibrate"] for result in two[1]):
        assert (code, out) == (2, "")
        assert "unsee mine calibrate works in one process, and WORLD_SIZE=2" in err
