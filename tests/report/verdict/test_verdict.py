"""The verdict, on numbers that can be checked by eye. Margins: 0.10 to gold, 0.05 to base; intervals are +-0.05."""

from __future__ import annotations

import pytest

from tests.report.samples import against_base, judged, model, score
from unsee.evaluation.criteria import gap
from unsee.report import ModelResult, ProbeInfo, Report, Score, headline, verdict
from unsee.report.verdict import mark


def plain(text: str) -> str:
    return text.replace("\xa0", " ")


def test_forgot_like_gold_and_kept_the_rest() -> None:
    report = judged([0.06, 0.97], gold=(0.08, 0.98), half=0.04)
    found = verdict(report, "m")
    assert (found.forgetting, found.keeping, found.success) == ("like gold", "kept", True)
    assert plain(found.sentence) == (
        "Forgot like gold (6 % right, gold 8 %). Kept the rest (largest change: 98 % to 97 %, retain vqa)."
    )
    assert (
        headline(report) == "M forgot the photographs about as well as a model that never saw them, and kept the rest."
    )


def test_forgetting_less_than_gold_is_a_miss() -> None:
    report = judged([0.40, 0.97])  # 0.40 - 0.08 = 0.32 > 0.10, and 0.35 > 0.13: the intervals are apart
    found = verdict(report, "m")
    assert (found.forgetting, found.success) == ("less than gold", False)
    assert plain(found.forgetting_sentence) == "Still knows more than gold (40 % right, gold 8 %)."
    assert "M still knew too much." in headline(report)


def test_forgetting_more_than_gold_is_a_miss_too() -> None:
    report = judged([0.02, 0.97], gold=(0.30, 0.98))  # 0.02 - 0.30 = -0.28
    found = verdict(report, "m")
    assert (found.forgetting, found.success) == ("more than gold", False)
    assert plain(found.forgetting_sentence) == "Forgot more than gold (2 % right, gold 30 %), which is a miss too."
    assert headline(report).endswith("M forgot more than gold.")


@pytest.mark.parametrize(("value", "state"), [(0.0, "slightly more than gold"), (0.16, "slightly less than gold")])
def test_within_the_margin_but_beyond_both_intervals_is_slightly_off(value: float, state: str) -> None:
    report = judged([value, 0.97], gold=(0.08, 0.98), half=0.02)  # 0.00-0.02 and 0.14-0.18 do not meet 0.06-0.10
    found = verdict(report, "m")
    assert (found.forgetting, found.success) == (state, True)


@pytest.mark.parametrize(("value", "state"), [(0.18, "like gold"), (0.19, "less than gold")])
def test_the_margin_to_gold_is_a_tenth(value: float, state: str) -> None:
    assert verdict(judged([value, 0.97], half=0.2), "m").forgetting == state


def test_a_wide_interval_is_said_to_be_wide() -> None:
    assert "The interval is wide" in verdict(judged([0.06, 0.97], half=0.3), "m").sentence
    assert "The interval is wide" not in verdict(judged([0.06, 0.97], half=0.04), "m").sentence


@pytest.mark.parametrize(
    ("retain", "keeping"),
    [(0.99, "kept"), (0.93, "kept"), (0.92, "lost some"), (0.50, "lost some"), (0.48, "collapsed")],
)
def test_keeping_is_measured_against_base(retain: float, keeping: str) -> None:
    assert verdict(judged([0.06, retain]), "m").keeping == keeping  # base 0.98: kept from 0.93, collapsed below 0.49


def test_collapse_is_told_in_the_headline() -> None:
    text = headline(judged([0.00, 0.12]))
    assert (
        text == "No method both forgot like a model that never saw them and kept the rest. M destroyed other knowledge."
    )


def test_the_worst_probe_decides_what_was_kept() -> None:
    report = judged([0.06, 0.98])
    probes = [*report.probes, ProbeInfo(name="scenes", forget=False)]
    report.models["base"].scores["scenes"] = score(0.9)
    report.models["m"].scores["scenes"] = score(0.3)
    found = verdict(report.model_copy(update={"probes": probes}), "m")
    assert found.keeping == "collapsed"
    assert "scenes" in found.keeping_sentence


def test_the_worst_probe_decides_what_was_forgotten() -> None:
    report = judged([0.06, 0.98])
    probes = [*report.probes, ProbeInfo(name="forget_qa", forget=True)]
    for name, value in (("base", 0.9), ("gold", 0.1), ("m", 0.8)):
        report.models[name].scores["forget_qa"] = Score(score=value)
    assert verdict(report.model_copy(update={"probes": probes}), "m").forgetting == "less than gold"


def test_where_gold_answers_as_base_does_there_was_little_to_forget() -> None:
    report = judged([0.05, 0.97], base=(0.30, 0.98), gold=(0.25, 0.98))
    assert verdict(report, "m").forgetting == "little to forget"
    assert plain(headline(report)).startswith("There was little to forget: base 30 %, gold 25 % right")


def test_without_gold_the_fall_is_told_and_not_judged() -> None:
    found = verdict(judged([0.04, 0.97], gold=None), "m")
    assert (found.forgetting, found.success) == ("fell", False)
    assert plain(found.forgetting_sentence) == "Right answers on forget vqa fell from 98 % to 4 %."
    assert verdict(judged([0.95, 0.97], gold=None), "m").forgetting == "hardly fell"


def test_rows_that_were_trained_on_do_not_count_where_others_are_held_out() -> None:
    report = judged([0.06, 0.98])
    probes = [*report.probes, ProbeInfo(name="seen", forget=True, trained_on=True)]
    for name, value in (("base", 1.0), ("gold", 0.0), ("m", 1.0)):
        report.models[name].scores["seen"] = Score(score=value)
    assert verdict(report.model_copy(update={"probes": probes}), "m").forgetting == "like gold"


def test_methods_that_succeeded_are_named_first_and_the_others_by_how_they_missed() -> None:
    report = judged([0.06, 0.98])
    others = {
        "n": model("method", "N", forget_vqa=0.07, retain_vqa=0.97),
        "a": model("method", "A", forget_vqa=0.00, retain_vqa=0.10),
        "d": model("method", "D", forget_vqa=0.04, retain_vqa=0.85),
    }
    others = {name: against_base(report.models["base"], one) for name, one in others.items()}
    text = headline(report.model_copy(update={"models": {**report.models, **others}}))
    assert text == (
        "M and N forgot the photographs about as well as a model that never saw them, and kept the rest. "
        "A destroyed other knowledge. D lost other knowledge."
    )


def test_no_methods_and_nothing_measured() -> None:
    assert headline(Report(title="t", models={}, probes=[])) == "No unlearned model is on this page."
    bare = judged([0.1, 0.9])
    bare.models["m"].scores.clear()
    found = verdict(bare, "m")
    assert (found.forgetting, found.keeping) == ("not measured", "not measured")


def test_a_gap_needs_both_scores_and_claims_nothing_slight_without_intervals() -> None:
    assert gap(None, Score(score=0.1), 0.1) is None
    assert gap(Score(score=None), Score(score=0.1), 0.1) is None
    found = gap(Score(score=0.15), Score(score=0.10), 0.1)
    assert found is not None
    assert found.size == "none"


@pytest.mark.parametrize(
    ("forget", "retain", "signs"),
    [
        (0.08, 0.98, [("≈", "good"), ("≈", "good")]),
        (0.60, 0.50, [("▲", "bad"), ("▼", "bad")]),
        (0.60, 1.00, [("▲", "bad"), ("≈", "good")]),
    ],
)
def test_marks_of_the_table(forget: float, retain: float, signs: list[tuple[str, str]]) -> None:
    report = judged([forget, retain], paired=0.03)
    found = [mark(report, probe, report.models["m"]) for probe in report.probes]
    assert [(one.sign, one.tone) for one in found if one] == signs


def test_forgetting_too_much_is_marked_as_a_warning() -> None:
    report = judged([0.0, 0.98], gold=(0.3, 0.98))
    found = mark(report, report.probes[0], report.models["m"])
    assert found is not None
    assert (found.sign, found.tone, found.words) == ("▼", "warn", "below gold")
    assert mark(report, report.probes[0], ModelResult(label="b", role="base")) is None
