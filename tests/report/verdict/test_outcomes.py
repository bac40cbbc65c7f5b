"""Every probe has an outcome of its own, and a verdict hides none that failed."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations_with_replacement, permutations
from typing import Any

import pytest

from tests.report.samples import Page, against_base, model
from tests.report.verdict.test_verdict import plain
from unsee.evaluation.results import Condition
from unsee.report import ProbeInfo, Report, Score, headline, render, verdict
from unsee.report.verdict import mark
from unsee.report.verdict.outcomes import FAILED

Three = tuple[float, float, float]  # of base, gold and the method

# Scores of a probe that is to go, by the outcome that they make (margin 0.10, intervals of 0.05 to each side).
TO_GO: dict[str, Three] = {
    "like gold": (0.95, 0.05, 0.06),
    "less than gold": (0.95, 0.02, 0.94),
    "more than gold": (0.95, 0.40, 0.00),
    "little to forget": (0.30, 0.25, 0.95),  # but see `states`: what is above gold by more still fails
    "nothing to forget": (0.30, 0.25, 0.28),
}
# The same of a probe that is to stay (margin 0.05).
TO_STAY: dict[str, Three] = {
    "kept": (0.95, 0.95, 0.94),
    "lost some": (0.95, 0.95, 0.80),
    "collapsed": (0.95, 0.95, 0.10),
}


def asked(probes: Mapping[str, tuple[bool | None, Three]], paired: float = 0.0, **of_probe: Any) -> Report:
    """A report on one method over probes by name, each with its role and scores."""
    scores = {
        name: {probe: three[place] for probe, (_, three) in probes.items()}
        for place, name in enumerate(("b", "g", "m"))
    }
    base = model("base", "B", **scores["b"])
    models = {"base": base, "gold": model("gold", "G", **scores["g"])}
    models["m"] = against_base(base, model("method", "M", **scores["m"]), paired)
    infos = [ProbeInfo(name=name, forget=role, **of_probe.get(name, {})) for name, (role, _) in probes.items()]
    return Report(title="t", models=models, probes=infos)


def test_little_to_forget_on_one_probe_never_hides_failure_on_another() -> None:
    probes = {"forget_qa": (True, (0.30, 0.25, 0.28)), "forget_vqa": (True, (0.95, 0.02, 0.94))}
    for order in permutations(probes):
        found = verdict(asked({name: probes[name] for name in order}), "m")
        assert found.forgetting == "less than gold"
        assert plain(found.forgetting_sentence) == (
            "Still knows more than gold (94 % right, gold 2 %, forget vqa). There was little to forget: base 30 %, "
            "gold 25 % right, forget qa, so forgetting cannot be judged."
        )
        assert "M still knew too much." in headline(asked({name: probes[name] for name in order}))


def failed(outcome: str) -> bool:
    return outcome in FAILED or outcome == "little to forget"  # the latter knows far more than gold here


@pytest.mark.parametrize("count", [1, 2, 3])
def test_whatever_the_others_did_a_probe_that_failed_decides_and_is_named(count: int) -> None:
    for goes in combinations_with_replacement(TO_GO, count):
        for stays in combinations_with_replacement(TO_STAY, count):
            names = {f"go {n}": (True, TO_GO[state]) for n, state in enumerate(goes)}
            names |= {f"stay {n}": (False, TO_STAY[state]) for n, state in enumerate(stays)}
            found = verdict(asked(names), "m")
            assert found.success == (
                not any(map(failed, (*goes, *stays))) and any(state == "like gold" for state in goes)
            )
            assert (found.forgetting in FAILED) == any(map(failed, goes))
            assert (found.keeping in FAILED) == any(map(failed, stays))
            if count > 1:
                said = [f"go {n}" for n, state in enumerate(goes) if failed(state)]
                said += [f"stay {n}" for n, state in enumerate(stays) if failed(state)]
                assert all(name in found.sentence for name in said)


def test_a_probe_that_was_not_measured_is_no_success() -> None:
    report = asked({"one": (True, TO_GO["like gold"]), "two": (True, TO_GO["like gold"]), "k": (False, (0.9,) * 3)})
    assert verdict(report, "m").success
    del report.models["m"].scores["two"]
    found = verdict(report, "m")
    assert (found.forgetting, found.success) == ("not measured", False)
    del report.models["m"].scores["k"]
    assert verdict(report, "m").keeping == "not measured"


def test_one_changed_answer_of_ten_is_not_called_a_loss() -> None:
    report = asked({"go": (True, TO_GO["like gold"]), "stay": (False, (1.0, 1.0, 0.9))}, paired=0.23)
    found = verdict(report, "m")
    assert (found.keeping, found.success) == ("not shown", False)
    assert plain(found.keeping_sentence) == (
        "Whether it kept the rest is not shown (100 % to 90 %, stay, a change of \N{MINUS SIGN}33.0 to +13.0 points)."
    )
    shown = mark(report, report.probes[1], report.models["m"])
    assert shown is not None
    assert (shown.sign, shown.tone) == ("?", "warn")
    assert "may have lost other knowledge, which is not shown" in headline(report)


def test_kept_within_the_margin_by_a_wide_interval_is_said_to_be_unsure() -> None:
    report = asked({"go": (True, TO_GO["like gold"]), "stay": (False, (1.0, 1.0, 0.97))}, paired=0.2)
    found = verdict(report, "m")
    assert (found.keeping, found.success, found.sure) == ("kept", True, False)
    assert "The interval is wide" in found.keeping_sentence
    assert "The intervals are wide" in headline(report)


def test_what_is_to_stay_is_compared_over_everything_and_row_by_row() -> None:
    report = asked({"go": (True, TO_GO["like gold"]), "stay": (False, (0.6, 0.6, 0.6))})
    for name, gated in (("base", 1.0), ("m", 0.91)):  # as a gate by the row itself would have it
        old = report.models[name].scores["stay"]
        values = {"score": gated, "ungated": old.score, "ungated_low": old.low, "ungated_high": old.high}
        report.models[name].scores["stay"] = old.model_copy(update={**values, "left_out": 24, "n": 36})
    found = verdict(report, "m")
    assert found.keeping == "kept"
    words = plain(Page(render(report)).words)
    assert "60.0 %" in words
    assert "known before: 91.0 %" in words


def test_without_a_row_by_row_change_the_bounds_are_those_that_both_intervals_allow() -> None:
    before, now = Score(score=0.9, low=0.8, high=1.0), Score(score=0.7, low=0.6, high=0.8)
    found = now.against(before, forget=False)
    assert [found.score, found.low, found.high] == pytest.approx([-0.2, -0.4, 0.0])
    assert Score(score=0.7).against(Score(score=0.9), forget=False).high is None


def test_pictures_that_were_trained_on_speak_only_where_no_others_do_and_are_heard_when_they_fail() -> None:
    seen: dict[str, Any] = {"name": {"pictures": 10, "pictures_trained_on": 10}}
    probes = {
        "name": (True, TO_GO["less than gold"]),
        "new": (True, TO_GO["like gold"]),
        "stay": (False, TO_STAY["kept"]),
    }
    found = verdict(asked(probes, **seen), "m")
    assert found.forgetting == "like gold"
    assert "Not counted, on pictures that were trained on: still knows more than gold" in found.sentence
    alone = verdict(asked({name: probes[name] for name in ("name", "stay")}, **seen), "m")
    assert alone.forgetting == "less than gold"
    worse: dict[str, Any] = {"name": {"trained_on": True}, "new": {"pictures": 10, "pictures_trained_on": 10}}
    assert verdict(asked(probes, **worse), "m").forgetting == "like gold"


def test_what_a_probe_is_for_is_said_to_be_unknown_where_nobody_knows() -> None:
    report = asked({"her_photos": (None, (1.0, 0.1, 0.4)), "stay": (False, TO_STAY["kept"])})
    found = verdict(report, "m")
    assert (found.forgetting, found.keeping) == ("not measured", "kept")
    assert "What her photos is for is not known, so it is not judged: give --forget-probe or --keep-probe" in (
        found.sentence
    )
    assert "What her photos is for is not known" in headline(report)
    assert mark(report, report.probes[0], report.models["m"]) is None
    assert "Not known what for" in Page(render(report)).words


def test_a_model_that_answers_nothing_has_not_forgotten() -> None:
    report = asked({"go": (True, TO_GO["like gold"]), "stay": (False, TO_STAY["kept"])})
    sentence = "It no longer answers: every answer is empty."
    broken = report.models["m"].model_copy(update={"condition": Condition(kind="no longer answers", sentence=sentence)})
    report = report.model_copy(update={"models": {**report.models, "m": broken}})
    found = verdict(report, "m")
    assert (found.forgetting, found.success) == ("no longer answers", False)
    assert "orgot" not in found.sentence
    assert found.sentence.startswith(sentence)
    assert "M no longer answered." in headline(report)
    assert "✗ no longer answers" in Page(render(report)).words
    shown = mark(report, report.probes[0], report.models["m"])
    assert shown is not None
    assert (shown.tone, shown.words) == ("bad", "no longer answers")


def test_a_model_that_did_not_move_is_called_that() -> None:
    report = asked({"go": (True, (0.95, 0.05, 0.95)), "stay": (False, (0.95, 0.95, 0.95))})
    sentence = "No weight moved."
    still = report.models["m"].model_copy(update={"condition": Condition(kind="unmoved", sentence=sentence)})
    report = report.model_copy(update={"models": {**report.models, "m": still}})
    assert verdict(report, "m").sentence.startswith("No weight moved. Still knows more than gold")
    assert "M did not move at all." in headline(report)
    assert "▲ did not move" in Page(render(report)).words
