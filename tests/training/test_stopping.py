"""A training that ends when it is done: what is asked, which weights are left, and the same after a kill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from tests import scripted, tiny
from tests.families import weights_of
from tests.training.test_guard import KillAt, KilledError
from unsee.data import Example
from unsee.errors import InputError
from unsee.methods import build
from unsee.training import stopping
from unsee.training.asking import right_answers
from unsee.training.checkpoints import latest_checkpoint
from unsee.training.config import UnlearnConfig
from unsee.training.done import Wanted, told
from unsee.training.stopping import StopWhenDone
from unsee.training.trainer import UnlearnTrainer
from unsee.vlm import LoadedModel, LoraOptions, load
from unsee.vlm.policy import Policy

FORGET = [Example(f"Where does Ada {n} live?", "London") for n in range(10)]
RETAIN = [Example(f"Which colour is {n}?", "red green blue") for n in range(10)]
WANTED = Wanted(0.1, 0.1, below_start=True)

Curve = Mapping[int, tuple[float, float]]  # step -> shares of forget and retain rows that are right


class Played:
    """Answers by a curve that is known, whatever the model would say."""

    def __init__(self, curve: Curve) -> None:
        self.curve = curve
        self.stop: StopWhenDone | None = None

    def __call__(self, policy: Policy, encoder: Any, rows: Sequence[Example], batch_size: int) -> list[bool]:
        assert self.stop is not None
        share = self.curve[self.stop.step][rows is not self.stop.rows["forget"]]
        return [place < round(share * len(rows)) for place in range(len(rows))]


class Weights(TrainerCallback):
    """Remembers the weights after each step."""

    def __init__(self, loaded: LoadedModel) -> None:
        self.loaded, self.by_step = loaded, {0: weights_of(loaded.model)}

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.by_step[state.global_step] = weights_of(self.loaded.model)


def same(found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> bool:
    return all(torch.equal(found[name], weight) for name, weight in expected.items())


def stop_by(
    curve: Curve, loaded: LoadedModel, monkeypatch: pytest.MonkeyPatch, every: int = 2, paces: bool = False
) -> StopWhenDone:
    played = Played(curve)
    monkeypatch.setattr(stopping, "right_answers", played)
    stop = StopWhenDone(loaded.encoder, {"forget": FORGET, "retain": RETAIN}, WANTED, every, 8, paces)
    played.stop = stop
    return stop


def trained(
    loaded: LoadedModel, folder: Path, stop: StopWhenDone | None, *more: TrainerCallback, rate: float = 0.01
) -> UnlearnTrainer:
    arguments = UnlearnConfig(
        output_dir=str(folder), max_steps=7, per_device_train_batch_size=2, learning_rate=rate, report_to="none",
        save_strategy="no", disable_tqdm=True, use_cpu=True,
    )  # fmt: skip
    callbacks = [*more, *([stop] if stop else [])]
    trainer = UnlearnTrainer(loaded, arguments, method=build("grad_ascent"), forget=FORGET[:4], callbacks=callbacks)
    trainer.train()
    return trainer


@pytest.mark.parametrize(
    ("curve", "step", "kept", "why"),
    [
        pytest.param({0: (1, 1), 2: (0.5, 1), 4: (0.1, 0.9), 6: (0, 0)}, 4, 4, "reached", id="reached"),
        pytest.param({0: (1, 1), 2: (0.5, 1), 4: (0.2, 0.4), 6: (0.3, 0.4), 7: (0.2, 0.3)}, 7, 2, "steps", id="not"),
        pytest.param({0: (1, 1), 2: (0.9, 0.1), 4: (0.8, 0), 6: (0.5, 0), 7: (0, 0)}, 7, 0, "steps", id="lost-first"),
    ],
)
def test_a_training_ends_when_it_is_done_with_the_weights_of_the_nearest_look(
    curve: Curve, step: int, kept: int, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = tiny.llava()
    stop, weights = stop_by(curve, loaded, monkeypatch), Weights(loaded)
    trainer = trained(loaded, tmp_path, stop, weights)
    ended = stop.ended({"forget": "picture", "retain": ""})
    assert (ended.step, ended.kept, ended.why) == (step, kept, why)
    assert trainer.state.global_step == step
    assert [look.step for look in ended.looks] == [at for at in curve if at <= step]
    assert same(weights_of(loaded.model), weights.by_step[kept])
    assert f"The model is that of step {kept}" in told(ended)


def test_looking_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, watched = tiny.llava(), tiny.llava()
    steps, steps_watched = Weights(plain), Weights(watched)
    trained(plain, tmp_path / "a", None, steps)
    asked: list[int] = []

    def really(*arguments: Any) -> list[bool]:  # the model is asked, and said to know everything
        asked.append(len(right_answers(*arguments)))
        return [True] * asked[-1]

    monkeypatch.setattr(stopping, "right_answers", really)
    never = StopWhenDone(watched.encoder, {"forget": FORGET, "retain": RETAIN}, WANTED, 1, 8)
    trained(watched, tmp_path / "b", never, steps_watched)
    assert asked == [10] * 16  # two sets before the first step and after each of seven
    assert all(same(steps_watched.by_step[step], steps.by_step[step]) for step in range(8))
    assert same(weights_of(watched.model), steps.by_step[0])  # nothing was forgotten, so no later state is nearer


def test_the_rate_follows_the_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []

    class Rates(TrainerCallback):
        def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            rates.append(kwargs["optimizer"].param_groups[0]["lr"])

    loaded = tiny.llava()
    curve = {0: (1, 1), 2: (1, 1), 4: (0.99, 1), 6: (0.6, 0.5), 7: (0.6, 0.5)}
    stop = stop_by(curve, loaded, monkeypatch, paces=True)
    trained(loaded, tmp_path, stop, Rates(), rate=1e-4)
    assert rates == pytest.approx([1e-4, 1e-4, 1.25e-4, 1.25e-4, 1.5625e-4, 1.5625e-4, 1.5625e-4])
    assert [look.pace for look in stop.ended({}).looks] == pytest.approx([1, 1, 1.25, 1.5625, 1.5625])


def test_weights_that_are_no_numbers_end_a_training_at_the_nearest_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Break(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == 4:
                next(loaded.model.parameters()).data.fill_(float("nan"))

    loaded = tiny.llava()
    stop = stop_by({0: (1, 1), 2: (0.5, 1)}, loaded, monkeypatch)
    weights = Weights(loaded)
    trained(loaded, tmp_path, stop, weights, Break())
    ended = stop.ended({})
    assert (ended.step, ended.kept, ended.why) == (4, 2, "broken")
    assert same(weights_of(loaded.model), weights.by_step[2])


def test_what_nobody_knows_cannot_be_seen_to_be_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = tiny.llava()
    with pytest.raises(InputError, match="right about none of the 10 forget rows"):
        trained(loaded, tmp_path, stop_by({0: (0, 1)}, loaded, monkeypatch))


def test_only_what_was_known_counts_as_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = tiny.llava()
    stop = stop_by({0: (0.4, 0.8), 2: (0.1, 0.7)}, loaded, monkeypatch)
    stop.wanted = Wanted(0.25, 0.1, below_start=True)
    trained(loaded, tmp_path, stop)
    ended = stop.ended({})
    assert [look.right for look in ended.looks] == [{"forget": 1, "retain": 0.8}, {"forget": 0.25, "retain": 0.7}]
    assert (ended.rows, ended.why) == ({"forget": 4, "retain": 10}, "reached")


def test_a_model_is_asked_by_its_words() -> None:
    rows = [
        Example("Where does Ada live?", "Riga"),
        Example("Where does Ben live?", "Riga", paraphrased_answers=("San Francisco",)),
        Example("Describe Ada.", "Ada Byron lives in London", subject="Ada Byron"),
        Example("Describe Ben.", "Ada Byron lives in London", subject="Ada Byron"),
        Example("Which city?", "Oslo"),
        Example("Who?", "Ada Byron", subject="Ada Byron"),
        Example("Where does Ada Byron live?", "Ada Byron lives in London", subject="Ada Byron"),  # the name is given
    ]
    lines = ["Riga", "San Francisco", "Ada Byron lives in Riga", "Lima lives in London", "Oslo red", "Ada Byron red"]
    lines.append("Ada Byron lives in Riga")
    loaded = tiny.llava()
    scripted.script(loaded, {row.question: line for row, line in zip(rows, lines, strict=True)})
    loaded.model.train()
    right = right_answers(Policy(loaded.model), loaded.encoder, rows, batch_size=4)
    assert right == [True, True, True, False, False, False, False]
    assert loaded.model.training


def resumable(folder: Path, monkeypatch: pytest.MonkeyPatch, curve: Curve, kill: int = 0) -> tuple[Any, StopWhenDone]:
    """Eight steps with a look every three and a checkpoint every two, on an adapter with dropout; from where it was."""
    if not (folder / "base").is_dir():
        tiny.save(tiny.llava(), folder / "base")
    torch.manual_seed(0)
    loaded = load(folder / "base", lora=LoraOptions(rank=2, dropout=0.2), device="cpu")
    stop = stop_by(curve, loaded, monkeypatch, every=3, paces=True)
    arguments = UnlearnConfig(
        output_dir=str(folder), max_steps=8, per_device_train_batch_size=2, learning_rate=0.3, report_to="none",
        save_steps=2, disable_tqdm=True, use_cpu=True,
    )  # fmt: skip
    trainer = UnlearnTrainer(
        loaded, arguments, method=build("grad_ascent"), forget=FORGET[:4], callbacks=[stop, KillAt(kill)]
    )
    last = latest_checkpoint(folder)
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    return trainer, stop


@pytest.mark.parametrize(
    ("curve", "steps"),
    [
        pytest.param({0: (1, 1), 3: (0.5, 1), 6: (0.1, 0.9)}, (3, 5), id="reached"),
        pytest.param({0: (1, 1), 3: (0.5, 1), 6: (0.7, 0.9), 8: (0.7, 1)}, (5, 8), id="kept-earlier"),
    ],
)
def test_a_run_that_was_killed_ends_as_if_it_had_not_been(
    curve: Curve, steps: Sequence[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, expected = resumable(tmp_path / "whole", monkeypatch, curve)
    for step in steps:
        with pytest.raises(KilledError):
            resumable(tmp_path / str(step), monkeypatch, curve, kill=step)
        trainer, stop = resumable(tmp_path / str(step), monkeypatch, curve)
        assert stop.ended({}) == expected.ended({}), f"killed at step {step}"
        assert same(weights_of(trainer.policy_model), weights_of(whole.policy_model)), f"killed at step {step}"
    again, stop = resumable(tmp_path / "whole", monkeypatch, curve)  # and one that was killed when all was over
    assert stop.ended({}) == expected.ended({})
    assert same(weights_of(again.policy_model), weights_of(whole.policy_model))
