"""Few phrases that were judged hallucinated: how many, what was just short, and what to do."""

from __future__ import annotations

import pytest

from unsee.mining.advice import few_spans
from unsee.mining.selection import Thresholds

LIMITS = Thresholds(32.0, 23.0, 27.5)


def test_few_hallucinated_phrases_are_counted_with_what_was_just_short_and_what_to_do() -> None:
    scores = [20.0, 21.0, 22.0, 22.5, 23.04, 23.5, 24.0, 24.5, 25.0, 26.0, *[30.0] * 40]
    said = few_spans(4, 25, scores, LIMITS)
    assert "Only 4 phrases are judged hallucinated, in 25 captions with 50 phrases" in said
    assert "Just above the threshold of 23 lie 23.04, 23.5, 24, 24.5, 25: --negative 25.01 takes 5 more." in said
    for way in ("calibrate RUN --groups", "--share", "more pictures"):
        assert way in said
    assert sum(score < 25.01 for score in scores) == 4 + 5


@pytest.mark.parametrize(("negative", "captions", "few"), [(19, 25, True), (20, 25, False), (90, 1000, True)])
def test_a_handful_and_a_small_share_of_captions_are_few(negative: int, captions: int, few: bool) -> None:
    assert bool(few_spans(negative, captions, [20.0] * negative, LIMITS)) == few


@pytest.mark.parametrize("scores", [[0.0, 0.2, 0.31], [-3.0, -2.5], [99.99, 100.0]])
def test_the_threshold_that_is_proposed_takes_what_was_just_short(scores: list[float]) -> None:
    limits = Thresholds(200.0, min(scores), 0.0)
    proposed = few_spans(0, 5, scores, limits).partition("--negative ")[2].split()[0]
    assert all(score < float(proposed) for score in scores)
