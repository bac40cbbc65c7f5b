"""`unsee settings`: all that a run can be told, in the terminal and on a page."""

from __future__ import annotations

from pathlib import Path

from tests.commandline import call, succeed
from unsee.runs.settings import Settings, parse

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_every_setting_is_told_with_what_it_does() -> None:
    found = succeed("settings", "--json").json
    assert set(Settings.model_fields) == {name for name in found if "." not in name}
    assert {"lora.rank", "l1.weight", "guard.drop", "gate.gamma"} <= set(found)
    assert all(about["meaning"] for about in found.values())
    assert found["dtype"]["choices"] == ["float32", "bfloat16", "float16"]
    assert found["learning_rate"]["default"] == 1e-5
    assert "default" not in found["model"]


def test_told_defaults_are_those_that_a_run_takes() -> None:
    run = parse({"model": "a/b", "forget": "a/c", "out": "run"})
    for name, about in succeed("settings", "--json").json.items():
        if "." not in name and name not in ("model", "forget", "out", "parts", "hyper_parameters"):
            default = about["default"]
            assert getattr(run, name) == (tuple(default) if isinstance(default, list) else default), name


def test_one_setting_comes_with_the_keys_of_its_own() -> None:
    assert list(succeed("settings", "lora", "--json").json) == ["lora", "lora.rank", "lora.alpha", "lora.dropout"]
    assert "inner width of the adapters" in " ".join(succeed("settings", "lora").out.split())
    refused = call("settings", "learning_rat")
    assert refused.code == 2
    assert "did you mean 'learning_rate'" in refused.err


def test_the_page_is_what_the_command_prints() -> None:
    table = succeed("settings", "--markdown").out
    assert PAGE.read_text(encoding="utf-8").endswith(table), "unsee settings --markdown prints what belongs there"
