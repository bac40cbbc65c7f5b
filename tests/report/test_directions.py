"""Text that runs from right to left, or says that it does, leaves the page's own words where they are."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.report import test_hallucination
from tests.report.samples import full, judged
from unsee.mining.selection import Thresholds
from unsee.report import headline, render
from unsee.report.page import render_hallucination
from unsee.report.plots import histogram
from unsee.system.wording import isolated, visible

TURNING = "\u202a\u202b\u202c\u202d\u202e"  # embeddings and overrides
ISOLATES = "\u2066\u2067\u2068"
CLOSE = "\u2069"
ALONE = {"text", "title", "desc", "option", "code", "pre"}  # nothing of ours stands beside what is in these
HOSTILE = [
    "\u202eevil",
    "\u2066open",
    "\u2069\u2069\u202eout of <bdi>",
    "\u2067\u202e\u2069\u202e",
    "a\u2029\u202eb",
    "\u200f!",
    "مرحبا",
    "\u061c(1)",
]


class Directions(HTMLParser):
    """Complains about text that could turn what stands beside it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.faults: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.faults += [value for _, value in attrs if value and set(value) & {*TURNING, *ISOLATES, CLOSE}]
        if tag not in ("meta", "img", "br", "link", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        apart = {"bdi", *ALONE} & set(self.open)
        depth = 0
        for letter in data:
            depth += (letter in ISOLATES) - (letter == CLOSE)
            right_to_left = unicodedata.bidirectional(letter) in ("R", "AL", "AN")
            if letter in TURNING + "\u2029" or depth < 0 or (right_to_left and not depth and not apart):
                self.faults.append(data)
                return
        self.faults += [data] if depth else []


def pages(text: str) -> dict[str, str]:
    """Every page that shows what strangers wrote."""
    unnamed = judged([0.6, 0.3])
    models = {name: model.model_copy(update={"label": text}) for name, model in unnamed.models.items()}
    probes = [probe.model_copy(update={"label": text}) for probe in unnamed.probes]
    of_one = replace(
        test_hallucination.report(text), rows=[test_hallucination.BASE, replace(test_hallucination.METHOD, label=text)]
    )
    unit: Any = text
    thresholds = Thresholds(positive=0.8, negative=0.2, sentence=0.5, unit=unit)
    return {
        "every field": render(full(text)),
        "labels": render(unnamed.model_copy(update={"models": models, "probes": probes})),
        "hallucination": render_hallucination(of_one),
        "thresholds": histogram.page({"phrases": [0.1, 0.9]}, thresholds, {text: 1.0}),
    }


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_a_stranger_turns_the_words_beside_it(text: str) -> None:
    assert not {name: found for name, html in pages(text).items() if (found := Directions(html).faults)}


@settings(max_examples=8, deadline=None)
@given(st.text(st.sampled_from(f"{TURNING}{ISOLATES}{CLOSE}\u2028\u2029\u200e\u200f\u061cab1 (\nאم٣"), max_size=12))
def test_any_mix_of_directions_leaves_the_words_beside_it(text: str) -> None:
    assert not [fault for html in pages(text).values() for fault in Directions(html).faults]


def test_isolates_that_are_closed_stay_and_others_are_shown_as_what_cannot_be() -> None:
    assert visible("a \u2067שבת\u2069 b \u2066c\u2067d\u2069\u2069") == "a \u2067שבת\u2069 b \u2066c\u2067d\u2069\u2069"
    assert visible("\u2069a\u2067b\u2066c\u2069") == "\ufffda\ufffdb\u2066c\u2069"
    assert visible("\u202ea\u202c\u2029") == "\ufffda\ufffd\ufffd"
    assert visible("\u2067a\nb\u2069") == "\ufffda\nb\ufffd"  # a new line may end a paragraph, and isolates with it


def test_a_name_is_set_apart_in_a_sentence_only_where_it_runs_from_right_to_left() -> None:
    assert isolated("Ada (2)") == "Ada (2)"
    assert isolated("شَمس") == "\u2068شَمس\u2069"
    report = judged([0.1, 0.9], gold=None)
    models = {**report.models, "m": report.models["m"].model_copy(update={"label": "שבת"})}
    assert headline(report.model_copy(update={"models": models})).startswith("\u2068שבת\u2069: ")
