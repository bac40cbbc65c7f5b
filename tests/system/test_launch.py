"""What would train something else than it says is refused before anything is loaded or written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.commandline import call
from unsee.errors import InputError
from unsee.methods import build
from unsee.system import processes
from unsee.system.launch import check_distributed, check_launch
from unsee.training.config import UnlearnConfig
from unsee.training.trainer import UnlearnTrainer

VARIABLES = [
    ("ACCELERATE_USE_DEEPSPEED", "true", "DeepSpeed is not supported"),
    ("ACCELERATE_USE_FSDP", "True", "FSDP version 1 is not supported"),
    ("ACCELERATE_USE_FSDP", "1", "FSDP version 1 is not supported"),
    ("ACCELERATE_USE_MEGATRON_LM", "true", "Megatron-LM is not supported"),
    ("ACCELERATE_USE_PARALLELISM_CONFIG", "true", "a parallelism config is not supported"),
    ("ACCELERATE_MIXED_PRECISION", "fp8", "--mixed_precision fp8 of accelerate is not supported"),
]


@pytest.mark.parametrize(("variable", "value", "message"), VARIABLES)
def test_the_command_line_refuses_before_it_looks_at_anything(
    variable: str, value: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    out = tmp_path / "run"
    for command in (["unlearn", "--forget", "none.jsonl", "--out", out], ["evaluate", "--data", "none.jsonl"]):
        refused = call(*command, "--model", tmp_path / "none")
        assert refused.code == 2
        assert message in refused.err
        assert refused.err.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize(("variable", "value", "message"), VARIABLES)
def test_a_trainer_refuses_how_it_was_launched(
    variable: str, value: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = tiny.llava()
    arguments: dict[str, Any] = {"output_dir": str(tmp_path / "run"), "use_cpu": True, "report_to": "none"}
    config = UnlearnConfig(**arguments)
    monkeypatch.setenv(variable, value)
    with pytest.raises(InputError, match=message):
        UnlearnTrainer(loaded, config, method=build("grad_ascent"), forget=tiny.examples(2))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [("deepspeed", "zero.json", "DeepSpeed"), ("fsdp", "full_shard", "FSDP"), ("torch_compile", True, "torch_compile")],
)
def test_a_trainer_refuses_what_its_arguments_ask_for(name: str, value: Any, message: str, tmp_path: Path) -> None:
    config = UnlearnConfig(output_dir=str(tmp_path), use_cpu=True, report_to="none")
    setattr(config, name, value)
    with pytest.raises(InputError, match=f"{message} is not supported"):
        UnlearnTrainer(tiny.llava(), config, method=build("grad_ascent"), forget=tiny.examples(2))


def test_only_what_was_tried_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("NO", "MULTI_CPU", "MULTI_GPU"):
        check_distributed(kind)
    for kind in ("DEEPSPEED", "FSDP", "XLA", "MEGATRON_LM", "MULTI_NPU"):
        with pytest.raises(InputError, match=f"{kind} is not supported"):
            check_distributed(kind)
    for value in ("false", "0", ""):
        monkeypatch.setenv("ACCELERATE_USE_FSDP", value)
        check_launch()


@pytest.mark.parametrize(
    ("more", "environment", "message"),
    [
        (["--lora", "4"], {}, "lora under FSDP is not supported"),
        ([], {"FSDP_OFFLOAD_PARAMS": "true"}, "offloading weights (--fsdp_offload_params) is not supported"),
        ([], {"FSDP_ACTIVATION_CHECKPOINTING": "true"}, "activation checkpointing (--fsdp_activation_checkpointing)"),
    ],
)
def test_what_weights_in_pieces_cannot_do_is_refused_before_anything_is_looked_at(
    more: list[str], environment: dict[str, str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2", "WORLD_SIZE": "2", **environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(processes, "join", lambda: None)  # nobody is there to be met
    for name, value in {"RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("UNSEE_USE_FSDP", "")  # so that it is as before, afterwards
    out = tmp_path / "run"
    refused = call("unlearn", "--forget", "none.jsonl", "--out", out, "--model", tmp_path / "none", *more)
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert message in refused.err
    assert not out.exists()


def test_other_commands_refuse_weights_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setenv("FSDP_VERSION", "2")
    refused = call("train", "--data", "none.jsonl", "--model", tmp_path / "none", "--out", tmp_path / "out")
    assert refused.code == 2
    assert "`unsee unlearn` and `unsee evaluate` alone have weights in pieces" in refused.err
