"""Does it hallucinate more? What is said about numbers that can be checked by eye."""

from __future__ import annotations

from typing import Any

import pytest

from tests.report.samples import Page, caption_check, full, judged, picture, yes_no_check
from tests.report.verdict.test_verdict import plain
from unsee.data import Example, Probe
from unsee.evaluation.records import Record
from unsee.evaluation.results import Check
from unsee.report import Report, headline, render, verdict
from unsee.report.hallucinations import EACH, hallucinations


def checked(base: Check, method: Check, gold: bool = True) -> Report:
    """A report in which retain_vqa can tell."""
    more: dict[str, Any] = {} if gold else {"gold": None}
    report = judged([0.06, 0.97], half=0.04, **more)
    for name, check in (("base", base), ("m", method)):
        report.models[name].hallucination["retain_vqa"] = check
    return report


def test_a_model_that_hallucinates_more_is_named_in_the_headline() -> None:
    report = checked(caption_check(0.1), caption_check(0.4, more=True))
    found = verdict(report, "m")
    assert found.hallucinating == "hallucinates more"
    assert plain(found.hallucinating_sentence) == (
        "Hallucinates more than before (captions that name something absent: 10 % to 40 %, retain vqa)."
    )
    assert headline(report).endswith("and kept the rest. M hallucinated more than base.")
    assert found.success  # of forgetting and keeping; hallucinating stands beside them
    assert "▲ hallucinates more than before" in Page(render(report)).words


def test_without_gold_the_sentence_is_part_of_the_headline() -> None:
    report = checked(yes_no_check(0.1), yes_no_check(0.4, more=True), gold=False)
    assert "Hallucinates more than before (yes where no is right: 10 % to 40 %, retain vqa)." in plain(headline(report))


@pytest.mark.parametrize(
    ("check", "state", "words"),
    [
        (caption_check(0.1), "hallucinates no more", "Hallucinates no more than before"),
        (caption_check(0.05), "hallucinates no more", "10 % to 5 %"),
        (caption_check(0.16), "unclear", "unclear from so few answers"),  # may be 11 points more
        (caption_check(0.1, recall=0.4), "unclear", "it names 40 % of what is there, before it was 90 %"),
        (caption_check(None), "unclear", "unclear from so few answers"),
        (yes_no_check(0.1), "hallucinates no more", "Hallucinates no more than before"),
        (yes_no_check(0.0, undecided=0.6), "unclear", "60 % of its answers are neither yes nor no"),
    ],
)
def test_no_more_is_said_only_where_the_numbers_can_tell(check: Check, state: str, words: str) -> None:
    base = caption_check(0.1) if check.kind == "captions" else yes_no_check(0.1)
    report = checked(base, check)
    assert verdict(report, "m").hallucinating == state
    assert words in plain(verdict(report, "m").hallucinating_sentence)
    assert "hallucinated more" not in headline(report)


def test_of_several_probes_the_worst_one_speaks() -> None:
    report = checked(caption_check(0.1), caption_check(0.1))
    report.models["base"].hallucination["forget_vqa"] = yes_no_check(0.1)
    report.models["m"].hallucination["forget_vqa"] = yes_no_check(0.5, more=True)
    assert verdict(report, "m").hallucinating == "hallucinates more"


def test_a_report_that_did_not_check_says_so_and_how_to() -> None:
    report = judged([0.06, 0.97])
    assert verdict(report, "m").hallucinating == "not checked"
    assert verdict(report, "m").hallucinating_sentence == ""
    words = Page(render(report)).words
    assert "Not checked: unlearning can make a model hallucinate" in words
    assert "--probe hallucinates=FILE" in words
    assert "Not checked" not in Page(render(full())).words


def test_the_page_marks_what_is_hallucinated_and_flags_who_does() -> None:
    html = render(full())
    assert html.count('<mark class="hallucinated"') == 2
    assert "One of 31 such answers of Two" in Page(html).words
    assert Page(html).words.count("▲ more than base") == 2  # of the method "two", on both probes
    assert "base 10.0 %: +50.0 (+45.0 to +55.0)" in plain(Page(html).words)


def record(said: str, expected: str = "x", objects: tuple[str, ...] | None = None) -> Record:
    return Record("p", 0, None, None, None, "q", expected, said, False, -1.0, 2, objects=objects)


def test_examples_are_answers_that_hallucinate_where_base_does_not() -> None:
    probe = Probe("p", [Example("q", "x", image=picture(), objects=("dog",)) for _ in range(6)])
    said = {"base": "a cat", "gold": "a dog", "m": "a cat"}
    records = {model: {"p": [record(text, objects=("dog",))] * 6} for model, text in said.items()}
    assert not hallucinations([probe], records)  # base says so too
    records["base"] = {"p": [record("a dog", objects=("dog",))] * 6}
    found = hallucinations([probe], records)
    assert (len(found), found[0].of) == (EACH, 6)
    questions = [Example(str(n), "x", image=picture(), objects=("dog",)) for n in range(6)]
    assert [one.question for one in hallucinations([Probe("p", questions)], records)] != [
        "0",
        "1",
    ]  # drawn, not the first
    assert (found[0].truth, list(found[0].said)) == ("dog", ["base", "gold", "m"])
    assert [(piece.text, piece.kind) for piece in found[0].said["m"]] == [("a ", ""), ("cat", "hallucinated")]


def test_examples_of_a_false_yes() -> None:
    probe = Probe("p", [Example("Is there a dog?", "no"), Example("Is there a cat?", "yes")])
    records = {
        "base": {"p": [record("no", "no"), record("no", "yes")]},
        "m": {"p": [record("Yes.", "no"), record("Yes.", "yes")]},
    }
    (found,) = hallucinations([probe], records)
    assert (found.question, found.truth, found.photo) == ("Is there a dog?", "no", None)
    assert [(piece.text, piece.kind) for piece in found.said["m"]] == [("Yes.", "hallucinated")]
