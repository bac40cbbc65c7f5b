"""Rows that two processes share give what one gives, to the last bit, and an error of one ends both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from tests import tiny
from tests.training import shared_work
from tests.two_processes import in_two_processes

QUICK = list(shared_work.CASES)
SAME = [case for case in QUICK if not case.startswith(("broken", "near-above"))]


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Several threads would round otherwise."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """A folder with what two processes wrote, and what either came to, by case."""
    folder = tmp_path_factory.mktemp("shared")
    tiny.save(tiny.llava(), folder / "model")
    assert in_two_processes("tests.training.shared_work", folder, QUICK, 300) == "ended"
    return folder, [json.loads((folder / f"results.{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("case", SAME)
def test_two_processes_come_to_what_one_comes_to(case: str, two: tuple[Path, list[dict[str, Any]]]) -> None:
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


def test_sums_are_exact_where_a_ratio_is_all_but_gamma(two: tuple[Path, list[dict[str, Any]]]) -> None:
    """The same rows on both sides, and gamma a billionth below their ratio: whatever is reached passes; above, none."""
    below, above = ([result[f"near-{side}"] for result in two[1]] for side in ("below", "above"))
    for result in below:
        assert sum(reached for _, reached in result["counts"].values()) > 10_000
        assert all(passing == reached for passing, reached in result["counts"].values())
    assert all("masks out every weight" in message for _, message in above)


@pytest.mark.parametrize("case", ["broken-mask", "broken-measure"])
def test_what_one_process_cannot_read_ends_both_and_is_said_once(
    case: str, two: tuple[Path, list[dict[str, Any]]]
) -> None:
    (kind, message), (other_kind, other_message) = (result[case] for result in two[1])
    assert (kind, other_kind) == ("OtherFailedError", "InputError")
    assert message == other_message
    assert "picture" in message
