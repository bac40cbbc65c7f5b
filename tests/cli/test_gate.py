"""A saliency mask before the forget terms of any method, from the command line to the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from safetensors.torch import load_file

from tests.cli.conftest import Stranger
from tests.commandline import call, succeed
from unsee.training.saliency import SaliencyMask


def given(stranger: Stranger, out: Path, method: str) -> list[Any]:
    rows = ["--forget", stranger / "forget.jsonl", "--retain", stranger / "retain.jsonl"]
    steps = ["--set", "max_steps=2", "--set", "max_new_tokens=4", "--set", "learning_rate=1e-3"]
    return ["--model", stranger / "llava", *rows, "--method", method, "--out", out, *steps]


def test_a_gated_run_shows_what_its_mask_lets_through(stranger: Stranger, tmp_path: Path) -> None:
    out = tmp_path / "run"
    gate = ["--set", "gate=saliency", "--set", "gate.gamma_language=2"]
    printed = succeed("unlearn", *given(stranger, out, "npo"), *gate, "--json").json
    densities = printed["saliency"]
    assert list(densities) == ["vision", "projector", "language"]
    for found in densities.values():
        assert 0 < found["passing"] < 1
        assert 0 < found["reached"] <= 1
    assert densities["vision"]["reached"] < 0.9  # the last layer of the tower is idle
    recorded = yaml.safe_load((out / "run.yaml").read_text())["settings"]["gate"]
    assert recorded == {"kind": "saliency", "gamma": 1.0, "gamma_vision": None, "gamma_language": 2.0}
    mask = SaliencyMask.load(out / "checkpoints" / "saliency.safetensors")
    assert mask.key
    page = (out / "report.html").read_text()
    assert "Weights that the forget gradient could move" in page
    assert f"{100 * densities['language']['passing']:.1f}" in page
    assert "gamma_language" in page

    plain, again = tmp_path / "plain", tmp_path / "again"
    assert not succeed("unlearn", *given(stranger, plain, "npo"), "--no-report", "--json").json["saliency"]
    succeed("unlearn", out / "run.yaml", "--out", again, "--no-report")
    weights = [load_file(folder / "model" / "model.safetensors") for folder in (out, again, plain)]
    assert all((weights[0][name] == value).all() for name, value in weights[1].items())
    assert any((weights[0][name] != value).any() for name, value in weights[2].items())


@pytest.mark.parametrize(
    ("method", "more", "message"),
    [
        ("npo", ["--set", "gate=fisher"], "gate.kind='fisher'"),
        ("npo", ["--set", "gate.gama=1"], "did you mean 'gate.gamma'"),
        ("mmunlearner", ["--set", "gate=saliency"], "gate: mmunlearner has a mask of its own"),
        ("retain_finetune", ["--set", "gate=saliency"], "gate: retain_finetune has no forget term"),
    ],
)
def test_a_gate_that_cannot_be_ends_in_one_line(
    stranger: Stranger, tmp_path: Path, method: str, more: list[str], message: str
) -> None:
    outcome = call("unlearn", *given(stranger, tmp_path / "run", method), *more)
    assert outcome.code == 2
    assert message in outcome.err
    assert not (tmp_path / "run").exists()


def test_a_mask_without_anything_to_protect_is_refused_before_the_run(stranger: Stranger, tmp_path: Path) -> None:
    options = given(stranger, tmp_path / "run", "grad_ascent")
    place = options.index("--retain")
    outcome = call("unlearn", *options[:place], *options[place + 2 :], "--set", "gate=saliency")
    assert outcome.code == 2
    assert "a saliency mask needs rows that it protects; add --retain FILE or --preserve FILE" in outcome.err
    assert not (tmp_path / "run").exists()


def test_defect_questions_that_are_scored_are_never_protected_by_the_mask(stranger: Stranger, tmp_path: Path) -> None:
    """The released mask protects the very questions, with their answers, by which it is then said to keep knowledge."""
    probe = ["--preserve", stranger / "held_out.jsonl", "--probe", f"forget_qa={stranger / 'held_out.jsonl'}"]
    outcome = call("unlearn", *given(stranger, tmp_path / "run", "mmunlearner"), *probe)
    assert outcome.code == 2
    assert "probe 'forget_qa' is not held out" in outcome.err
    assert "protected by the saliency mask: row 1 = preserve row 1" in outcome.err


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("mmunlearner", []),
        ("gated_npo", ["--parts", "projector,language"]),
        ("grad_ascent", ["--set", "gate=saliency", "--preserve"]),
    ],
)
def test_a_mask_without_pictures_to_protect_ends_in_one_line(
    stranger: Stranger, tmp_path: Path, method: str, more: list[str]
) -> None:
    told, out = tmp_path / "told.jsonl", tmp_path / "run"
    told.write_text("".join(f'{{"question": "Which colour is {n}?", "answer": "red"}}\n' for n in range(3)))
    rows = [*more, told] if "--preserve" in more else [*more, "--retain", told]
    start = ["--model", stranger / "llava", "--forget", stranger / "forget.jsonl", "--method", method, "--out", out]
    refused = call("unlearn", *start, *rows)
    assert refused.code == 2
    assert "saliency: no row that is to be kept has a picture" in refused.err
    assert "--parts language" in refused.err
    assert not out.exists()
