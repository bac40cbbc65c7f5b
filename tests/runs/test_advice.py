"""What is proposed after a run, on scripted scores: the figures that were measured, and commands that can be typed."""

from __future__ import annotations

from typing import Any

import pytest

from unsee.evaluation.run_scores import RunScores
from unsee.runs.advice import advise
from unsee.runs.settings import Settings, parse

LEAST: dict[str, Any] = {"model": "owner/name", "forget": "owner/rows", "retain": "owner/others", "out": "run"}


def settings(**more: Any) -> Settings:
    return parse({**LEAST, **more})


def of_probe(share: float, likely: float, change: float = 0.0) -> dict[str, Any]:
    bounds = dict.fromkeys(("change", "change_low", "change_high", "known_change_high"), change)
    return {"score": share, "ungated": share, "mean_answer_probability": likely, **bounds}


BEFORE = {"base": {"faces": of_probe(1.0, 0.98), "others": of_probe(1.0, 0.95)}}


def scores(method: str = "npo", gone: float = 1.0, kept: float = 1.0, **more: Any) -> RunScores:
    """Scores of a run that began with everything right; `gone` and `kept` are the shares after it."""
    after = {"faces": of_probe(gone, 0.97 * gone, gone - 1), "others": of_probe(kept, 0.95 * kept, kept - 1)}
    values = {
        "method": method,
        "parts": {},
        "seconds": {},
        "trained_on": [],
        "models": {**BEFORE, method: after},
        "roles": {"faces": "forget", "others": "keep"},
        "judged": {"base": {}, method: {}},
        "condition": {method: None},
        "curve": [{"step": 1, "forget": 13.863}, {"step": 13, "forget": 13.862}],
        "steps": 13,
        "moved": {"share": 1.0, "length": 2.4e-4},
        "saliency": {},
        **more,
    }
    return RunScores.model_validate(values)


def test_a_run_that_went_well_gets_no_advice() -> None:
    assert advise(scores(gone=0.0), settings()) == []


def test_where_nothing_was_forgotten_figures_and_commands_are_given() -> None:
    (said,) = advise(scores(), settings(lora=16, learning_rate=1e-5, parts="language"))
    for figure in ("100 % to 100 %", "0.980 to 0.970", "13 steps", "learning_rate 1e-5", "0.024 %", "13.86", "-0.001"):
        assert figure in said
    for way in (
        "--set learning_rate=1e-4", "--set max_steps=52", "`unsee tune`",
        "--parts vision,projector,language (now language alone)",
    ):  # fmt: skip
        assert way in said


def test_no_rate_is_proposed_beyond_the_highest_and_steps_take_its_place() -> None:
    (whole,) = advise(scores(steps=50), settings(learning_rate=1e-4))
    assert "--set learning_rate" not in whole
    assert "--set max_steps=200" in whole
    (adapters,) = advise(scores(steps=300), settings(learning_rate=1e-4, lora=8))
    assert "--set learning_rate=1e-3" in adapters
    assert "--set max_steps=600" in adapters


def test_a_mask_that_lets_hardly_anything_through_is_named() -> None:
    narrow = {"language": {"passing": 0.02, "reached": 1.0}, "vision": {"passing": 0.01, "reached": 1.0}}
    (own,) = advise(scores("mmunlearner", saliency=narrow), settings(method="mmunlearner"))
    assert "--set gamma=0.5 (the mask lets at most 2 % of a part's weights move)" in own
    (gated,) = advise(scores(saliency=narrow), settings(gate="saliency"))
    assert "--set gate.gamma=0.5" in gated


def test_where_what_should_stay_is_lost_smaller_steps_and_a_floor_are_proposed() -> None:
    (said,) = advise(scores("grad_diff", gone=0.0, kept=0.3), settings(method="grad_diff", learning_rate=3e-5))
    assert "others: 100 % to 30 % right" in said
    for way in ("learning_rate=1e-5", "max_steps=6", "ceiling=1", "guard=1"):
        assert f"--set {way}" in said
    assert "--method npo" in said
    (bounded,) = advise(scores(gone=0.0, kept=0.3), settings(guard=1))
    assert "ceiling" not in bounded
    assert "guard" not in bounded
    assert "--method" not in bounded


def test_a_fall_that_is_not_shown_is_no_reason_for_advice() -> None:
    fell = {**of_probe(0.9, 0.9, -0.1), "change_high": 0.0}
    assert (
        advise(scores(gone=0.0, models={**BEFORE, "npo": {"faces": of_probe(0.0, 0.0), "others": fell}}), settings())
        == []
    )


def test_where_the_wrong_thing_fell_no_rate_is_proposed() -> None:
    (said,) = advise(scores(kept=0.3), settings())
    assert "What should stay fell before what should go did (others: 100 % to 30 % right" in said
    assert "--set learning_rate" not in said
    assert "--method gated_npo" in said


def test_where_a_part_is_left_a_few_more_steps_are_proposed() -> None:
    (said,) = advise(scores(gone=0.35, steps=50), settings())
    assert "faces: 100 % to 35 % right" in said
    assert "--set max_steps=75" in said
    assert advise(scores(gone=0.2, steps=50), settings()) == []


def test_a_guard_that_stopped_too_early_asks_for_smaller_steps() -> None:
    stopped = {"step": 10, "kept": 0, "start": -0.1, "found": -2.0}
    (said,) = advise(scores("grad_ascent", stopped=stopped), settings(method="grad_ascent", guard=1))
    assert "the guard stopped at step 10" in said
    assert "--set learning_rate=3.3e-6" in said


@pytest.mark.parametrize("method", ["retain_finetune", "random_noise"])
def test_controls_get_no_advice(method: str) -> None:
    assert advise(scores(method), settings(method=method)) == []


def test_what_nobody_knows_the_use_of_and_what_was_not_known_leads_to_no_advice() -> None:
    assert advise(scores(roles={"faces": None, "others": None}), settings()) == []
    others = {"others": of_probe(1.0, 0.95)}
    for before in (of_probe(0.05, 0.02), {**of_probe(1.0, 0.98), "score": None}):
        models = {"base": {"faces": before, **others}, "npo": {"faces": of_probe(0.05, 0.02), **others}}
        assert advise(scores(models=models), settings()) == []


def test_advice_can_be_followed() -> None:
    """What is proposed as --set is taken by `unsee unlearn`."""
    from unsee.runs.settings import with_assignments

    said = " ".join([
        *advise(scores(), settings(lora=16, parts="language", learning_rate=1e-5)),
        *advise(scores("grad_diff", gone=0.0, kept=0.3), settings(method="grad_diff")),
    ])  # fmt: skip
    given = [word.strip(".,;") for word in said.split() if "=" in word]
    assert len(given) == 6
    for one in given:
        parse(with_assignments({**LEAST, "method": "grad_diff"}, [one]))


def spans(negative: int, before: float, after: float) -> dict[str, Any]:
    lowered = {"spans": negative, "tokens": 3 * negative, "before": before, "after": after}
    return {"captions": 25, "tokens": 500, "negative": lowered, "positive": {**lowered, "spans": 30}}


def test_efuf_that_changed_nothing_says_why() -> None:
    (said,) = advise(scores("efuf", gone=0.0, spans=spans(4, -0.52, -0.53)), settings(method="efuf"))
    for figure in (
        "-0.520 to -0.530",
        "13 steps",
        "learning_rate 1e-05",
        "4 hallucinated spans in 25 captions",
        "2.4 %",
    ):
        assert figure in said
    assert "unsee mine calibrate RUN --groups" in said
    (many,) = advise(scores("efuf", gone=0.0, spans=spans(40, -0.52, -0.53)), settings(method="efuf"))
    assert "calibrate" not in many
    assert "larger learning_rate" in many


def test_efuf_without_anything_hallucinated_says_so_and_efuf_that_worked_says_nothing() -> None:
    (said,) = advise(scores("efuf", gone=0.0, spans=spans(0, float("nan"), float("nan"))), settings(method="efuf"))
    assert "No span is judged hallucinated" in said
    assert advise(scores("efuf", gone=0.0, spans=spans(40, -0.5, -2.5)), settings(method="efuf")) == []
    (few,) = advise(scores("efuf", gone=0.0, spans=spans(4, -0.5, -2.5)), settings(method="efuf"))
    assert "Few spans were to be lowered: 4 hallucinated spans in 25 captions, 2.4 % of their tokens" in few
