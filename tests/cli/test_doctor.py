"""`unsee doctor`: what it finds out about the machine, a model and a row, and that it names what is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests import tiny
from tests.cli.conftest import Stranger
from tests.commandline import Outcome, call, succeed
from unsee.vlm import LoraOptions, load, trainable_per_part


def test_the_machine() -> None:
    found = succeed("doctor", "--json").json
    checks = {check["name"]: check for check in found["environment"]}
    assert checks["torch"]["found"] == version("torch")
    assert {"python", "device", "threads", "memory", "disk here", "hub cache", "world cache", "hub"} <= checks.keys()
    assert found["problems"] == []
    assert not any(check["remedy"] for name, check in checks.items() if name in ("torch", "transformers", "peft"))


def test_an_old_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.1")
    checks = {check["name"]: check for check in succeed("doctor", "--json").json["environment"]}
    assert checks["peft"]["remedy"].startswith("pip install 'peft>=")
    shown = " ".join(succeed("doctor").out.split())
    assert "warning: pip install 'peft>=" in shown


@pytest.mark.parametrize(("family", "image_tokens"), [("llava", 4), ("qwen2_5_vl", 2)])
def test_a_row_token_by_token(stranger: Stranger, family: str, image_tokens: int) -> None:
    given = ["--model", stranger / family, "--data", stranger / "held_out.jsonl"]
    found = succeed("doctor", *given, "--json").json
    row = found["row"]
    assert row["number"] == 2  # the first one with a picture
    assert row["image_tokens"] == image_tokens
    assert sum(run["times"] for run in row["prompt"]) == row["prompt_tokens"]
    assert row["answer"] == "Oslo"
    end = {"llava": "</s>", "qwen2_5_vl": "<|im_end|>"}[family]
    assert row["labels_decoded"].strip() == f"Oslo{end}"
    assert row["labels"][-1]["text"] == end
    assert str(row["labels"][-1]["id"]) in found["model"]["end_of_turn"]
    assert row["image"] == "60 x 40"
    assert found["data"] == {"rows": 6, "rows_with_image": 4, "images": 4, "subjects": 1}

    shown = succeed("doctor", *given).out
    assert f"prompt: {row['prompt_tokens']} tokens, {image_tokens} of them image" in shown
    assert " ".join(f"{label['id']}:{label['text']!r}" for label in row["labels"]) in shown
    assert "no problems found" in shown


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_parts_and_memory_are_those_of_the_loaded_model(stranger: Stranger, family: str) -> None:
    model = succeed("doctor", "--model", stranger / family, "--json").json["model"]
    full = trainable_per_part(load(stranger / family).model)
    assert model["parameters"] == {part: total for part, (_, total) in full.items()}
    weights = sum(total for _, total in full.values())
    adapted = trainable_per_part(load(stranger / family, lora=LoraOptions(rank=16)).model)
    adapters = sum(moving for moving, _ in adapted.values())
    assert model["memory_gb"] == pytest.approx(
        {"inference": 4 * weights / 1e9, "lora": (4 * weights + 16 * adapters) / 1e9, "full": 16 * weights / 1e9}
    )
    assert model["disk_gb"] == pytest.approx({"lora": 36 * adapters / 1e9, "full": 36 * weights / 1e9})


def test_a_disk_that_a_run_would_fill_is_told_of(stranger: Stranger, monkeypatch: pytest.MonkeyPatch) -> None:
    given = ("doctor", "--model", stranger / "llava", "--json")
    found = succeed(*given).json
    assert not [notice for notice in found["notices"] if notice.startswith("disk")]
    free = 0.9e9 * found["model"]["disk_gb"]["full"]
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10**12, 10**12, int(free)))
    (notice,) = [one for one in succeed(*given).json["notices"] if one.startswith("disk")]
    assert "GB for all weights while it trains" in notice
    assert "LoRA" not in notice


def nan(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights[max(weights)].view(-1)[-1] = torch.nan
    save_file(weights, folder / "model.safetensors")


def no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def cut_off(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])


def no_template(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()


def template_without_image(folder: Path) -> None:
    path = folder / "chat_template.jinja"
    path.write_text(path.read_text().replace("<image>\n", ""))


def template_that_shouts(folder: Path) -> None:
    path = folder / "chat_template.jinja"
    path.write_text(path.read_text().replace("part.text + ' '", "part.text.upper() + ' '"))


def short_context(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["max_position_embeddings"] = 16
    (folder / "config.json").write_text(json.dumps(config))


PROBLEMS: dict[str, tuple[Callable[[Path], None], str]] = {
    "NaN": (nan, "holds NaN or infinite values; take a sound checkpoint"),
    "no weights": (no_weights, "holds no .safetensors file; save the model again"),
    "cut off": (cut_off, "cannot be read"),
    "no template": (no_template, "has no chat template: add chat_template.jinja"),
    "template without image": (template_without_image, "use the model's own chat_template.jinja"),
    "template that shouts": (template_that_shouts, "chat template: it drops, changes or repeats"),
    "short context": (short_context, "of its answer are more than the 16 that the model takes"),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_problems_are_named_with_remedies(stranger: Stranger, tmp_path: Path, name: str) -> None:
    spoil, remedy = PROBLEMS[name]
    shutil.copytree(stranger / "llava", tmp_path / "model")
    spoil(tmp_path / "model")
    given = ["--model", tmp_path / "model", "--data", stranger / "held_out.jsonl"]
    found = problems(call("doctor", *given, "--json"))
    assert any(remedy in problem for problem in found["problems"]), found["problems"]
    outcome = call("doctor", *given)
    assert outcome.code == 1
    assert remedy in " ".join(outcome.out.split())


def test_every_row_is_looked_at_and_the_first_are_named(stranger: Stranger, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    texts = ["Who?", *(f"Who is <image> {number}?" for number in range(8)), "Where?"]
    rows.write_text("".join(json.dumps({"question": text, "answer": "Ada"}) + "\n" for text in texts))
    found = problems(call("doctor", "--model", stranger / "llava", "--data", rows, "--json"))["problems"]
    assert [problem.partition(", question")[0] for problem in found[:5]] == [f"{rows}, row {n}" for n in range(2, 7)]
    assert found[5:] == [f"{rows}: 3 more of 10 rows cannot be used"]


def test_what_was_put_right_is_a_note_and_no_problem(stranger: Stranger, tmp_path: Path) -> None:
    shutil.copytree(stranger / "llava", tmp_path / "model")
    template = tmp_path / "model" / "chat_template.jinja"
    template.write_text(template.read_text().replace("part.text + ' '", "part.text + '<\\\\s> '", 1))
    config = tmp_path / "model" / "tokenizer_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"truncation": True, "max_length": 6}))
    given = ["--model", tmp_path / "model", "--data", stranger / "held_out.jsonl"]
    found = succeed("doctor", *given, "--json").json
    assert len(found["notices"]) == 3  # the template, truncation, a length
    assert found["row"]["labels_decoded"].strip() == "Oslo</s>"
    assert "note: tokenizer: its files ask for truncation" in " ".join(succeed("doctor", *given).out.split())


@pytest.mark.parametrize("command", ["evaluate", "unlearn"])
def test_a_row_that_is_too_long_is_refused_before_anything_is_done(
    stranger: Stranger, tmp_path: Path, command: str
) -> None:
    shutil.copytree(stranger / "llava", tmp_path / "model")
    short_context(tmp_path / "model")
    own = {"evaluate": ["--data", stranger / "held_out.jsonl"], "unlearn": ["--forget", stranger / "held_out.jsonl"]}
    output = (
        ["--out", tmp_path / "out", "--method", "npo", "--retain", stranger / "forget.jsonl"]
        if command == "unlearn"
        else []
    )
    outcome = call(command, "--model", tmp_path / "model", *own[command], *output)
    assert outcome.code == 2
    assert "held_out.jsonl, row 1, too long: " in outcome.err
    assert not (tmp_path / "out").exists()


def test_several_problems_at_once(stranger: Stranger) -> None:
    found = problems(call("doctor", "--model", stranger / "lava", "--data", stranger / "forgt.jsonl", "--json"))
    assert len(found["problems"]) == 2
    assert any("did you mean 'llava'" in problem for problem in found["problems"])
    assert any("did you mean 'forget.jsonl'" in problem for problem in found["problems"])


def test_a_model_too_large_for_the_machine(stranger: Stranger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unsee.cli.diagnosis.free_memory", lambda: 10_000)
    monkeypatch.setattr("unsee.cli.diagnosis.accelerator_memory", lambda: 0)
    found = problems(call("doctor", "--model", stranger / "llava", "--json"))
    assert "memory: the weights alone take" in found["problems"][0]
    assert "bfloat16" in found["problems"][0]


def test_text_of_strangers_cannot_command_the_terminal(stranger: Stranger, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"question": "\x1b[2J[red]Who\u202e?", "answer": "[link=x]Ada\x1b"}) + "\n")
    outcome = call("doctor", "--model", stranger / "llava", "--data", rows)
    assert "\x1b" not in outcome.out
    assert "\u202e" not in outcome.out
    assert "\\x1b[2J[red]Who\\u202e?" in outcome.out
    assert "[link=x]Ada\\x1b" in outcome.out


def problems(outcome: Outcome) -> dict[str, Any]:
    assert outcome.code == 1
    assert outcome.err == ""
    found: dict[str, Any] = outcome.json
    assert all(problem for problem in found["problems"])
    return found
