"""Keywords count once each, as whole words or, as FIUBench has it, anywhere."""

from __future__ import annotations

import math

import pytest

from unsee.metrics.keywords import keyword_recall, keyword_recall_fiubench


@pytest.mark.parametrize(
    ("said", "keywords", "whole", "published"),
    [
        ("She lives in New York.", ["new york"], 1, 1),
        ("She lives in York.", ["New York", "York"], 1 / 2, 1 / 2),
        ("a big heart", ["art", "big"], 1 / 2, 1),
        ("nothing", ["art", "heart"], 0, 0),
        ("", ["art"], 0, 0),
    ],
)
def test_share_of_keywords(said: str, keywords: list[str], whole: float, published: float) -> None:
    assert keyword_recall(said, keywords) == whole
    assert keyword_recall_fiubench(said, keywords) == published


def test_without_keywords_there_is_no_share() -> None:
    assert math.isnan(keyword_recall("art", []))
    assert math.isnan(keyword_recall_fiubench("art", []))
