"""`unsee unlearn --method efuf` on mined captions, without any list of what the pictures show."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import tiny
from tests.cli.conftest import Stranger
from tests.commandline import call, succeed
from tests.report.samples import Page
from unsee.evaluation.records import read_records

PICTURES = 3


def mined(path: Path, captions: list[str], sentence: str | None = None) -> Path:
    """A file of spans: of each caption the first word is judged real, the last one hallucinated."""
    rows: list[dict[str, Any]] = []
    for number, text in enumerate(captions):
        (path.parent / f"{number}.png").write_bytes(tiny.picture(number, (40, 40)))
        first, last = text.split()[0], text.split()[-1]
        spans = [
            {"start": 0, "end": len(first), "role": "positive", "score": 33.0, "phrases": [first]},
            {"start": text.rindex(last), "end": len(text), "role": "negative", "score": 20.0, "phrases": [last]},
        ]
        held = {"role": sentence, "score": 28.0}
        rows.append({"image": f"{number}.png", "question": "Look.", "caption": text, "spans": spans, "sentence": held})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def unlearn(stranger: Stranger, forget: Path, out: Path, *more: object) -> tuple[object, ...]:
    settings = ("max_steps=2", "batch_size=3", "learning_rate=1e-3", "max_new_tokens=8", "parts=language")
    given = [word for setting in settings for word in ("--set", setting)]
    least = ("--model", stranger / "llava", "--forget", forget, "--method", "efuf", "--out", out)
    return ("unlearn", *least, *given, *more)


@pytest.fixture(scope="module")
def run(stranger: Stranger, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on captions that the model really gives: mined from an earlier measurement."""
    folder = tmp_path_factory.mktemp("judged")
    first = mined(folder / "first.jsonl", ["A cat here"] * PICTURES)
    succeed(*unlearn(stranger, first, folder / "first", "--no-report"))
    said = [row.whole_words.strip() for row in read_records(folder / "first" / "records" / "base" / "forget.jsonl")]
    told = succeed(*unlearn(stranger, mined(folder / "spans.jsonl", said), folder / "run"))
    (folder / "told.txt").write_text(" ".join(told.out.split()))
    return folder / "run"


def test_a_run_says_what_captions_still_say_of_what_was_judged(run: Path) -> None:
    judged = json.loads((run / "scores.json").read_text())["judged"]
    assert {model: list(probes) for model, probes in judged.items()} == {"base": ["forget"], "efuf": ["forget"]}
    base, efuf = judged["base"]["forget"], judged["efuf"]["forget"]
    # Each phrase is from what the base says to its picture.
    counts = {"judged": PICTURES, "said": PICTURES, "said_matched": PICTURES, "base_said_matched": PICTURES}
    whole = {**counts, "unknown": 0}
    assert (base["hallucinated"], base["real"], base["captions"]) == (whole, whole, PICTURES)
    records = read_records(run / "records" / "efuf" / "forget.jsonl")
    assert (efuf["truncated"], [row.truncated for row in records]) == (PICTURES, [True] * PICTURES)
    said = [row.whole_words for row in records]
    assert efuf["mean_words"] == pytest.approx(sum(len(text.split()) for text in said) / PICTURES)
    assert efuf["hallucinated"]["judged"] == efuf["real"]["judged"] == PICTURES


def test_its_verdict_is_about_the_phrases_and_not_about_forgetting(run: Path) -> None:
    told, page = (run.parent / "told.txt").read_text(), Page((run / "report.html").read_text())
    for words in (told, page.words):
        assert "of 3 phrases judged hallucinated 3 were said and" in words
        assert "of 3 judged real 3 were named and" in words
        assert "Hardly forgot" not in words
        assert "Right answers" not in words
        assert "right answers" not in words.lower()
    assert "efuf: By the scorer's labels, on the pictures that it was trained on" in told
    assert "What was judged, forget the pictures that were unlearned on" in page.words
    assert "New objects that were never judged are not seen; give --probe hallucinates=FILE with objects" in page.words
    assert "to be forgotten" not in page.words


def test_an_earlier_run_is_drawn_with_the_check(run: Path, tmp_path: Path) -> None:
    before = json.loads((run / "scores.json").read_text())
    old = {key: value for key, value in before.items() if key != "judged"}
    (run / "scores.json").write_text(json.dumps(old))
    try:
        outcome = call("report", run, "--out", tmp_path / "again.html")
    finally:
        (run / "scores.json").write_text(json.dumps(before))
    assert outcome.code == 0, outcome.err
    assert "What was judged" in Page((tmp_path / "again.html").read_text()).words


def test_a_guard_without_anything_to_watch_says_so(run: Path, stranger: Stranger, tmp_path: Path) -> None:
    assert "The guard had nothing to watch" in (run.parent / "told.txt").read_text()
    assert "The guard had nothing to watch" in Page((run / "report.html").read_text()).words
    scores = json.loads((run / "scores.json").read_text())
    assert (scores["watched"], scores["stopped"]) == ([], None)
    held = mined(tmp_path / "held.jsonl", ["A cat here"] * PICTURES, sentence="positive")
    out = succeed(*unlearn(stranger, held, tmp_path / "run"))
    assert json.loads((tmp_path / "run" / "scores.json").read_text())["watched"]
    assert "nothing to watch" not in out.out
