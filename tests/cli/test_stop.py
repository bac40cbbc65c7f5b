"""A run that ends when it is done, and what becomes of preserve rows: from the command line to the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import tiny
from tests.cli.conftest import Stranger, write_rows
from tests.commandline import call, succeed
from unsee.data import Example
from unsee.training import stopping


def given(stranger: Stranger, out: Path, method: str = "npo") -> list[Any]:
    rows = ["--forget", stranger / "forget.jsonl", "--retain", stranger / "retain.jsonl"]
    probe = ["--forget-probe", f"new={stranger / 'held_out.jsonl'}"]
    quick = ["--set", "max_new_tokens=2", "--set", "learning_rate=1e-4", "--no-report"]
    return [
        "--model",
        stranger / "llava",
        *rows,
        *probe,
        "--method",
        method,
        "--out",
        out,
        "--parts",
        "projector",
        *quick,
    ]


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Answers as of a model that forgets half of the rows per look, and loses nothing; how many were asked."""
    asked: list[int] = []

    def right(policy: Any, encoder: Any, rows: Sequence[Example], batch_size: int) -> list[bool]:
        asked.append(len(rows))
        looks = (len(asked) - 1) // 2
        forgets = rows[0].subject == "Ada Byron"
        return [not forgets or place >= looks * len(rows) / 2 for place in range(len(rows))]

    monkeypatch.setattr(stopping, "right_answers", right)
    return asked


def test_a_run_ends_when_it_is_done_and_says_so(stranger: Stranger, tmp_path: Path, played: list[int]) -> None:
    out = tmp_path / "run"
    options = [option for option in given(stranger, out) if option != "--no-report"]
    printed = succeed("unlearn", *options, "--set", "stop={every: 2, rows: 12}").out
    flat = " ".join(printed.split())
    assert "Stopped at step 4, as what was asked for showed on development rows" in flat
    assert "(forget at most 5 %, retain at least 97 % right). The model is that of step 4: forget 0 %, retain" in flat
    assert played == [12] * 6  # of twenty rows a quarter are too few to be held out
    scores = json.loads((out / "scores.json").read_text())
    assert scores["ended"]["looks"][1] == {"step": 2, "right": {"forget": 0.5, "retain": 1.0}, "pace": 1.0}
    assert scores["ended"]["held_out"] == {"forget": "", "retain": ""}
    assert scores["steps"] == 4
    page = (out / "report.html").read_text()
    assert "When it was done" in page
    assert "as what was asked for showed" in page
    recorded = yaml.safe_load((out / "run.yaml").read_text())["settings"]["stop"]
    assert recorded == {"forget": 0.05, "retain": "base-0.03", "every": 2, "rows": 12}


def test_gold_is_the_mark_where_it_is_asked_for(stranger: Stranger, tmp_path: Path, played: list[int]) -> None:
    gold = tiny.save(tiny.llava(seed=5), tmp_path / "gold")
    stop = ["--set", "stop={every: 2, forget: gold+0.5}", "--gold", gold]
    ended = succeed("unlearn", *given(stranger, tmp_path / "run"), *stop, "--json").json["ended"]
    assert ended["asked"]["gold"] == 0.0  # a random model knows nobody
    assert (ended["asked"]["forget"], ended["step"]) == (0.5, 2)
    assert json.loads((tmp_path / "run" / "checkpoints" / "stop_gold.json").read_text()) == [False] * 20


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["stop={forget: most}"], "stop: 'most' is no share; give a number from 0 to 1, or one as in gold+0.05"),
        (
            ["stop={retain: base+0.1}"],
            "stop: 'base+0.1' is no share; give a number from 0 to 1, or one as in base-0.05",
        ),
        (["stop={forgot: 0.1}"], "unknown key 'stop.forgot' (did you mean 'forget'?)"),
        (["stop=gold+0.1"], "needs a gold model that can be asked other rows than the probes; give --gold MODEL"),
        (["stop=0.1", "guard=1"], "stop and guard both end a run and keep a state of their own"),
        (["retain_preserved=true"], "retain_preserved: no preserve rows are given; add --preserve FILE"),
    ],
)
def test_what_cannot_be_is_refused_before_the_run(
    stranger: Stranger, tmp_path: Path, more: list[str], message: str
) -> None:
    settings = [part for setting in more for part in ("--set", setting)]
    outcome = call("unlearn", *given(stranger, tmp_path / "run"), *settings)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err
    assert not (tmp_path / "run").exists()


def test_a_row_cannot_be_kept_and_forgotten(stranger: Stranger, tmp_path: Path) -> None:
    preserved = ["--preserve", stranger / "forget.jsonl", "--retain-preserved"]
    outcome = call("unlearn", *given(stranger, tmp_path / "run"), *preserved)
    assert outcome.code == 2
    assert "retain_preserved: a preserve row asks what a forget row asks" in outcome.err


@pytest.mark.parametrize(
    ("method", "flag", "told"),
    [
        ("npo", True, "Preserve rows: all 9 were trained on as further retain rows, and no saliency mask is there to"),
        ("npo", False, "Preserve rows: none of the 9 was trained on (retain_preserved=false); no saliency mask is"),
        (
            "grad_ascent",
            True,
            "Preserve rows: retain_preserved has no effect, as grad_ascent trains on no retain rows;",
        ),
    ],
)
def test_what_becomes_of_preserve_rows_is_always_said(
    stranger: Stranger, tmp_path: Path, method: str, flag: bool, told: str
) -> None:
    more = ["--preserve", write_rows(tmp_path / "preserve.jsonl", "Eva Lund", 9, 300), "--set", "max_steps=1"]
    out = tmp_path / "run"
    printed = succeed("unlearn", *given(stranger, out, method), *more, *(["--retain-preserved"] if flag else [])).out
    assert told in " ".join(printed.split())
    assert yaml.safe_load((out / "run.yaml").read_text())["settings"]["retain_preserved"] is flag


def test_a_run_says_which_rate_it_found(stranger: Stranger, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = [option for option in given(stranger, out) if option != "--no-report"]
    printed = succeed("unlearn", *options, "--set", "find_rate=true", "--set", "max_steps=1").out
    found = json.loads((out / "scores.json").read_text())["rate"]
    assert f"Learning rate: {found['rate']:g}, 0.3 of where a range test of" in " ".join(printed.split())
    assert found["tried"][0]["rate"] == pytest.approx(1e-5)  # a tenth of that of the settings
    assert found["start"].keys() == {"forget", "retain"}
    page = (out / "report.html").read_text()
    assert "of where a range test of" in page
    assert json.loads((out / "checkpoints" / "rate.json").read_text()) == found
