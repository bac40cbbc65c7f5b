"""The page about hallucinated objects: what is hallucinated is marked, and hostile text stays text."""

from __future__ import annotations

from dataclasses import replace

import pytest
from markupsafe import Markup

from tests.report.samples import Page
from unsee.metrics.chair import Lexicon
from unsee.report.hallucination import (
    HallucinationReport,
    ModelRow,
    Picture,
    Pictures,
    Said,
    pieces,
)
from unsee.report.page import render_hallucination

WORDS = Lexicon({"cat": "cat", "dog": "dog", "puppy": "dog"})
PHOTO = "data:image/png;base64,AA=="
BASE = ModelRow("base", "Base", "before", "base", 0.5, 0.25, 0.5, 0.25, 0.96, 11.0, 0.99)
METHOD = ModelRow("efuf", "EFUF", "after", "method", 0.1, 0.05, 0.1, 0.05, 0.95, 9.5, 0.99)
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</mark></style>",
    "\u202eevil\x00",
    "<" * 9000,
]


def report(text: str = "A cat.") -> HallucinationReport:
    said = Said(text, "base", [(text, ""), (text, "real"), (text, "hallucinated")], [text])
    return HallucinationReport(
        title=text,
        created=text,
        rows=[BASE, replace(METHOD, label=text, note=text)],
        pictures=[Pictures(text, [Picture(PHOTO, [text], [said, Said(text, "efuf", [])])], 1, 9)],
        plot=Markup("<svg></svg>"),
        mined={text: text},
        commands=[text],
        settings={text: text},
        environment={text: text},
    )


def test_pieces_are_the_caption_and_tell_real_from_hallucinated() -> None:
    caption = "Two cats, a puppy."
    found = pieces(caption, {"cat"}, WORDS)
    assert found == [("Two ", ""), ("cats", "real"), (", a ", ""), ("puppy", "hallucinated"), (".", "")]
    assert pieces("", {"cat"}, WORDS) == []
    assert pieces("dog", {"dog"}, WORDS) == [("dog", "real")]


def test_hallucinated_objects_are_marked_for_eyes_and_for_screen_readers() -> None:
    said = Said("Base", "base", pieces("A cat, a dog.", {"cat", "cup"}, Lexicon({"cat": "cat", "dog": "dog"})), ["cup"])
    html = render_hallucination(
        replace(report(), pictures=[Pictures("Failures", [Picture(PHOTO, ["cat", "cup"], [said])], 120, 200)])
    )
    assert '<mark class="real">cat</mark>' in html
    assert '<mark class="hallucinated"><span class="vh">not there: </span>dog</mark>' in html
    assert "not named: cup" in Page(html).words
    assert "Failures 1 shown of 120, of 200 pictures; drawn by lot." in Page(html).words


def test_the_headline_says_what_changed_at_matched_length() -> None:
    said = replace(report(), rows=[BASE, METHOD]).headline()
    assert said.replace("\N{NO-BREAK SPACE}", " ") == (
        "EFUF: 10 % of the captions name something that is not there, before it was 50 %. "
        "Of what is there they name 95 %, before it was 96 %."
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    ours, page = Page(render_hallucination(report())), Page(render_hallucination(report(text)))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in ours.tags]
    assert not page.open
    assert not page.scripts
    assert all(not name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert all(one["src"] == PHOTO for one in page.all("img"))
