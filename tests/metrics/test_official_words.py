"""Singular forms as CHAIR's published script has them."""

from __future__ import annotations

import pytest

from unsee.metrics.official_words import official_singular


@pytest.mark.parametrize(
    ("word", "singular"),
    [
        ("buses", "bus"),
        ("bus", "bu"),  # so that a bus is no object
        ("ties", "ty"),
        ("tennis", "tenni"),
        ("glasses", "glass"),
        ("glass", "glass"),  # the one that is mended: "glas"
        ("people", "person"),
        ("men", "man"),
        ("knives", "knife"),
        ("scissors", "scissors"),
        ("couches", "couch"),
        ("mice", "mouse"),
        ("dog", "dog"),
    ],
)
def test_singular_forms_of_the_published_script(word: str, singular: str) -> None:
    assert official_singular()(word) == singular
