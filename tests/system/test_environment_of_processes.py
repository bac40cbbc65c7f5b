"""What launchers leave in the environment ends in work done alone or in one line, never in silence or waiting."""

from __future__ import annotations

import os

import pytest

from tests.commandline import call
from unsee.errors import InputError
from unsee.system import processes

VARIABLES = ("WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
WHOLE = {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29511"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"RANK": "1"}, "RANK=1 in the environment with no WORLD_SIZE"),
        ({"RANK": "2", "WORLD_SIZE": "2"}, "RANK=2 in the environment with WORLD_SIZE=2"),
        ({"RANK": "-1"}, "RANK='-1' in the environment is no number"),
        ({"RANK": "one"}, "RANK='one' in the environment is no number"),
        ({"WORLD_SIZE": "2"}, "WORLD_SIZE=2 in the environment without RANK, LOCAL_RANK, MASTER_ADDR, MASTER_PORT"),
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE='two' in the environment is no number"),
        ({**WHOLE, "MASTER_ADDR": ""}, "WORLD_SIZE=2 in the environment without MASTER_ADDR"),
        ({**WHOLE, "LOCAL_RANK": "a"}, "LOCAL_RANK='a' in the environment is no number"),
        ({"LOCAL_RANK": "garbage"}, "LOCAL_RANK='garbage' in the environment is no number"),
        ({**WHOLE, "MASTER_PORT": "http"}, "MASTER_PORT='http' in the environment is no number"),
        ({"OMPI_COMM_WORLD_SIZE": "4"}, "OMPI_COMM_WORLD_SIZE=4 in the environment without WORLD_SIZE"),
    ],
)
@pytest.mark.parametrize("command", ["unlearn", "evaluate"])
def test_half_an_environment_is_refused_in_one_line(
    environment: pytest.MonkeyPatch, command: str, given: dict[str, str], message: str
) -> None:
    for name, value in given.items():
        environment.setenv(name, value)
    outcome = call(command, "--model", "m", "--data" if command == "evaluate" else "--forget", "d")
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert message in line
    assert "unset it to work alone" in line


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"WORLD_SIZE": ""},
        {"WORLD_SIZE": " ", "RANK": "", "LOCAL_RANK": "", "MASTER_ADDR": ""},
        {"WORLD_SIZE": "1", "RANK": "0"},
        {"LOCAL_RANK": "0"},
        {"OMPI_COMM_WORLD_SIZE": "1"},
    ],
)
def test_an_environment_that_says_nothing_is_work_done_alone(
    environment: pytest.MonkeyPatch, given: dict[str, str]
) -> None:
    for name, value in given.items():
        environment.setenv(name, value)
    processes.settle()
    assert (processes.count(), processes.rank(), processes.is_main()) == (1, 0, True)
    assert "LOCAL_RANK" not in os.environ  # which accelerate would take for one of several
    assert os.environ.get("WORLD_SIZE") in (None, "1")


def test_an_environment_of_a_launcher_stays_as_it_is(environment: pytest.MonkeyPatch) -> None:
    for name, value in WHOLE.items():
        environment.setenv(name, value)
    processes.settle()
    assert (processes.count(), processes.rank(), processes.is_main()) == (2, 1, False)
    assert {name: os.environ.get(name) for name in WHOLE} == WHOLE


@pytest.mark.parametrize("command", ["mine calibrate", "bench", "demo"])
def test_what_works_in_one_process_is_not_started_in_several(environment: pytest.MonkeyPatch, command: str) -> None:
    for name, value in WHOLE.items():
        environment.setenv(name, value)
    outcome = call(*command.split(), *(["run"] if "mine" in command else []))
    assert outcome.code == 2
    assert f"unsee {command} works in one process, and WORLD_SIZE=2" in outcome.err


def test_whoever_waits_for_others_says_so(environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in WHOLE.items():
        environment.setenv(name, value)
    environment.setattr(processes, "PATIENCE", 0.01)

    def nobody_comes() -> None:
        import time

        time.sleep(0.3)
        raise InputError("nobody came")

    environment.setattr(processes, "_state", nobody_comes)
    with pytest.raises(InputError, match="nobody came"):
        processes.join()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("unsee: waiting at 127.0.0.1:29511 for 2 processes to meet")


@pytest.mark.parametrize(("devices", "said"), [(0, ""), (1, ""), (3, "unsee: of 3 GPUs one is used; `accelerate")])
@pytest.mark.parametrize("command", ["unlearn", "evaluate"])
def test_gpus_that_are_not_used_are_told_of_on_the_command_line(
    environment: pytest.MonkeyPatch, command: str, devices: int, said: str
) -> None:
    environment.setattr("torch.accelerator.is_available", lambda: devices > 0)
    environment.setattr("torch.accelerator.device_count", lambda: devices)
    environment.setattr("unsee.cli.unlearn.carry_out", stop)
    environment.setattr("unsee.cli.evaluate.evaluation", stop)
    given = ["--forget", "d", "--out", "o"] if command == "unlearn" else ["--data", "d"]
    lines = call(command, "--model", "m", *given).err.splitlines()
    assert lines[-1] == "unsee: error: stopped"
    assert " ".join(lines[:-1]).startswith(said)
    assert bool(lines[:-1]) == bool(said)


def stop(*_: object, **__: object) -> None:
    raise InputError("stopped")
