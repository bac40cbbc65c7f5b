"""What a report says of judged phrases, on numbers that can be checked by eye."""

from __future__ import annotations

import pytest

from tests.report.samples import Page, caption_check, cells, judged, model
from tests.report.verdict.test_verdict import plain
from unsee.evaluation.results import JudgedCheck, Tally
from unsee.report import Answer, ProbeInfo, Report, headline, render, verdict

Counts = tuple[int, int, int]  # said; at equal length by the model and by the base


def check(hallucinated: Counts, real: Counts, words: float = 8.0, sentences: int = 0) -> JudgedCheck:
    tallies = (
        Tally(judged=40, said=said, said_matched=matched, base_said_matched=base)
        for said, matched, base in (hallucinated, real)
    )
    return JudgedCheck(
        hallucinated=next(tallies), real=next(tallies), mean_words=words, captions=20, sentences=sentences
    )


BASE = check((40, 40, 40), (30, 30, 30), words=10.0, sentences=2)


def report_of(found: JudgedCheck) -> Report:
    """A run on mined captions, as it is without any probe."""
    models = {"base": model("base", "before"), "m": model("method", "M")}
    models["base"].judged["forget"], models["m"].judged["forget"] = BASE, found
    said = Answer(probe="forget", question="Look.", expected="A cat", said=dict.fromkeys(models, "A cat"), correct={})
    probe = ProbeInfo(name="forget", forget=True, trained_on=True, judged=True)
    return Report(title="t", models=models, probes=[probe], answers=[said])


def test_the_numbers_before_and_after_are_the_verdict() -> None:
    report = report_of(check((12, 12, 35), (29, 29, 30)))
    assert plain(headline(report)) == (
        "M: By the scorer's labels, on the pictures that it was trained on: of 40 phrases judged hallucinated 40 were "
        "said and 12 are now (at equal length 35 and 12); of 40 judged real 30 were named and 29 are now (at equal "
        "length 30 and 29); captions went from 10.0 to 8.0 words. Newly hallucinated objects are not seen. "
        "What else it knows was not measured."
    )
    assert verdict(report, "m").hallucinating == "not checked"  # the labels cannot tell


@pytest.mark.parametrize(
    ("hallucinated", "real", "state"),
    [
        ((12, 12, 35), (29, 29, 30), "says less"),
        ((20, 20, 40), (15, 15, 30), "says less of both"),  # half of either: it says other things
        ((20, 20, 20), (29, 29, 29), "says less by brevity"),
        ((0, 0, 0), (29, 29, 29), "says less by brevity"),
        ((40, 40, 40), (30, 30, 30), "says as much"),
        ((0, 0, 40), (14, 14, 30), "hardly names"),
    ],
)
def test_less_is_less_where_more_is_left_of_the_real_ones(hallucinated: Counts, real: Counts, state: str) -> None:
    assert verdict(report_of(check(hallucinated, real)), "m").judging == state


def test_the_page_shows_both_counts_and_calls_no_caption_right_or_wrong() -> None:
    html = render(report_of(check((12, 12, 35), (29, 29, 30))))
    words = plain(Page(html).words)
    assert html.count('class="reply plain"') == 2 * 2  # in the sample, and among all answers
    assert "of 20 captions, 40 phrases were judged hallucinated and 40 phrases real" in words
    assert "M 30.0 % 12 of 40 30.0 % base 87.5 % 72.5 % 29 of 40 72.5 % base 75.0 % 8.0" in plain(cells(html))
    assert "2 labels are stretches of text without their phrases" in words
    assert "Not checked by anything but these labels" in words
    assert "anything new, or under another name, was not judged" in words
    for word in ("ight answer", "forgotten", "✗", "gold", "All scores"):
        assert word not in words


def test_held_out_captions_speak_before_those_that_were_trained_on() -> None:
    report = report_of(check((12, 12, 35), (29, 29, 30)))
    probe = ProbeInfo(name="held_out", forget=False, judged=True)
    for one in report.models.values():
        one.judged["held_out"] = BASE
    both = report.model_copy(update={"probes": [*report.probes, probe]})
    assert verdict(both, "m").judging == "says as much"
    assert "labels, on held out:" in verdict(both, "m").sentence


def test_questions_beside_the_captions_keep_their_verdict() -> None:
    report = judged([0.04, 0.97], gold=None)
    report.models["base"].judged["forget"], report.models["m"].judged["forget"] = BASE, BASE
    report.models["base"].hallucination["retain_vqa"] = report.models["m"].hallucination["retain_vqa"] = caption_check(
        0.1
    )
    probes = [ProbeInfo(name="forget", forget=True, trained_on=True, judged=True), *report.probes]
    both = report.model_copy(update={"probes": probes})
    sentence = plain(verdict(both, "m").sentence)
    assert sentence.startswith("By the scorer's labels")
    assert "Right answers on forget vqa fell from 98 % to 4 %. Kept the rest" in sentence
    words = Page(render(both)).words
    assert "All scores" in words
    assert "by anything but these labels" not in words
    assert both.axes[0] is not None
    assert both.axes[0].name == "forget_vqa"


def test_captions_that_were_cut_off_do_not_hardly_name() -> None:
    found = check((0, 0, 20), (14, 14, 15))
    assert verdict(report_of(found), "m").judging == "hardly names"
    tallies = {
        "hallucinated": found.hallucinated.model_copy(update={"unknown": 3}),
        "real": found.real.model_copy(update={"unknown": 9}),
    }
    cut = found.model_copy(update={**tallies, "truncated": 7})
    assert verdict(report_of(cut), "m").judging == "says less"
    assert (
        "7 of 20 captions were cut off at max_new_tokens: whether they would have named another 12 of these phrases is "
        "not known."
    ) in plain(headline(report_of(cut)))
    page = render(report_of(cut))
    assert "9 not known" in page
    assert "7 of 20 cut off" in page
