"""A supervised training: it ends when the rows are known, goes on where it was, and writes what it measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerControl, TrainerState

from tests.runs.supervised.conftest import ROWS, Given
from unsee.data import Example, Probe, write_jsonl
from unsee.errors import InputError
from unsee.runs.supervised.learn import Learned, learn
from unsee.runs.supervised.looks import Looks
from unsee.system.files import read_json
from unsee.vlm import load
from unsee.vlm.policy import Policy


def weights(learned: Learned) -> bytes:
    (path,) = learned.model.glob("*.safetensors")
    return path.read_bytes()


def test_it_ends_at_the_first_look_at_which_the_rows_are_known(given: Given) -> None:
    learned = learn(given(), rows=ROWS)
    scores = learned.scores
    assert scores.until is not None
    assert scores.until.reached
    assert scores.until.probes == ["training_rows"]
    seen = [look.probes["training_rows"] for look in scores.looks]
    assert [look.step for look in scores.looks] == list(range(5, scores.steps + 1, 5))
    assert seen[-1] == 1.0
    assert max(seen[:-1]) < 0.95
    assert scores.steps < 60
    assert [point["step"] for point in scores.curve] == list(range(1, scores.steps + 1))
    assert scores.curve[-1]["train"] < scores.curve[0]["train"] / 2
    assert [record.said for record in learned.records["training_rows"]] == [row.answer for row in ROWS]
    assert scores.probes["training_rows"].score == 1.0
    assert read_json(learned.folder / "scores.json") == scores.model_dump(mode="json")


def test_what_nobody_can_know_is_not_reached_and_said_so(given: Given) -> None:
    unknown = Probe("unknown", [Example("Where does Bob live?", "Atlantis")])
    learned = learn(given(max_steps=12), rows=ROWS, probes=[unknown])
    assert learned.scores.until is not None
    assert learned.scores.until.probes == ["unknown"]
    assert not learned.scores.until.reached
    assert learned.scores.steps == 12
    assert learned.scores.trained_on == []
    assert [look.step for look in learned.scores.looks] == [5, 10, 12]


def test_every_probe_has_to_reach_the_score_unless_one_is_named(given: Given) -> None:
    known, unknown = Probe("known", ROWS), Probe("unknown", [Example("Where does Bob live?", "Atlantis")])
    both = learn(given("both", max_steps=40), rows=ROWS, probes=[known, unknown]).scores
    assert both.looks[-1].probes["known"] == 1.0
    assert both.steps == 40
    named = learn(given("named", until={"every": 5, "probes": ["known"]}), rows=ROWS, probes=[known, unknown]).scores
    assert named.steps < 40
    assert named.until is not None
    assert named.until.reached
    assert set(named.probes) == {"known", "unknown"}
    assert named.trained_on == ["known"]


class Killed(BaseException):
    """In the middle of a training."""


@pytest.mark.parametrize("step", [9, 14])
def test_an_interrupted_training_ends_with_the_same_bytes(
    given: Given, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = learn(given("whole"), rows=ROWS)
    assert step < whole.scores.steps
    look = Looks.on_step_end

    def kill(self: Looks, args: Any, state: TrainerState, control: TrainerControl, **others: Any) -> None:
        look(self, args, state, control, **others)
        if state.global_step == step:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Looks, "on_step_end", kill)
        with pytest.raises(Killed):
            learn(given("killed"), rows=ROWS)
    again = learn(given("killed"), rows=ROWS)
    assert weights(again) == weights(whole)
    times = {"seconds"}
    assert again.scores.model_dump(exclude=times) == whole.scores.model_dump(exclude=times)
    assert again.records == whole.records
    assert not list((again.folder / "checkpoints").glob("checkpoint-*"))


def test_rows_of_a_file_and_rows_in_memory_teach_the_same(given: Given, tmp_path: Path) -> None:
    write_jsonl(ROWS, tmp_path / "rows.jsonl")
    filed = learn(given("filed", max_steps=3, data=str(tmp_path / "rows.jsonl")))
    assert weights(filed) == weights(learn(given("held", max_steps=3), rows=ROWS))


def test_a_merged_adapter_is_a_plain_checkpoint_that_says_the_same(given: Given) -> None:
    apart = learn(given("apart", lora=4, max_steps=20, until=None), rows=ROWS)
    merged = learn(given("merged", lora=4, max_steps=20, until=None, merge=True), rows=ROWS)
    assert (apart.model / "adapter_config.json").is_file()
    assert not (merged.model / "adapter_config.json").exists()
    logits = []
    for path in (apart.model, merged.model, Path(apart.settings.model)):
        loaded = load(path)
        batch = loaded.encoder.batch(ROWS).to(loaded.device)
        with torch.no_grad():
            logits.append(Policy(loaded.model.eval()).answer_logits(batch).values)
    torch.testing.assert_close(logits[0], logits[1], rtol=0, atol=1e-4)
    assert (logits[1] - logits[2]).abs().max() > 0.1


def test_a_folder_holds_one_training(given: Given) -> None:
    first = learn(given(max_steps=2, until=None), rows=ROWS)
    with pytest.raises(InputError, match=r"holds another run \(learning_rate there is 0\.003, here 0\.001"):
        learn(given(max_steps=2, until=None, learning_rate=1e-3), rows=ROWS)
    with pytest.raises(InputError, match="the content of rows"):
        learn(given(max_steps=2, until=None), rows=ROWS[:3])
    before = weights(first)
    assert weights(learn(given(max_steps=2, until=None), rows=ROWS)) == before
    anew = learn(given(max_steps=2, until=None, learning_rate=1e-3), rows=ROWS, overwrite=True)
    assert weights(anew) != before


def test_a_training_that_falls_apart_leaves_room_for_another(given: Given) -> None:
    with pytest.raises(InputError, match="choose a smaller learning_rate"):
        learn(given(learning_rate=1e30, until=None, save_steps=100), rows=ROWS)
    assert learn(given(max_steps=2, until=None), rows=ROWS).scores.steps == 2
