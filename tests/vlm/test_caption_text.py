"""Captions as strangers write them: every family trains on their words, and tells what it would not read as words."""

from __future__ import annotations

import pytest

from tests import tiny
from tests.families import Build, every_family
from unsee.data import Example
from unsee.data.example import AnswerSpan
from unsee.errors import InputError

TEXTS = {
    "markup": "A cat <b>and two dogs</b> near &amp; a <hot> dog, \\n %s {braces} [INST] a cup [/INST]",
    "separator": "A table ### with a cup ### and a dog",
    "emoji": "A \U0001f431\U0001f3fd cat \u2764\ufe0f and a \U0001f468\u200d\U0001f469\u200d\U0001f467 dog",
    "lines": "  Zwei St\u00fchle\u2028and a dog\x85by a boat\tand\r\na bus \n",
    "long": "A car " * 1666 + "here",  # ten thousand characters
}


@every_family
@pytest.mark.parametrize("name", TEXTS)
def test_spans_hold_the_words_of_any_text(build: Build, name: str) -> None:
    encoder, text = build().encoder, TEXTS[name]
    words = [(at, at + len(word)) for word in ("dog", "cup", "bus", "car") if (at := text.rfind(word)) >= 0]
    assert words
    spans = tuple(AnswerSpan(start, end, "negative") for start, end in words)
    example = Example("Describe it.", text, tiny.picture(1), spans=(*spans, AnswerSpan(0, len(text), "sentence")))
    assert encoder.special_in(text) is None
    batch = encoder.batch([example])
    assert batch.spans is not None
    *places, whole = batch.spans.places[0].tolist()
    for (start, end), (first, last) in zip(words, places, strict=True):
        assert encoder.tokenizer.decode(batch.labels[0, first:last]).strip() == text[start:end]
    assert whole == [0, batch.labels.shape[1]]
    said = encoder.tokenizer.decode(batch.labels[0], skip_special_tokens=True, clean_up_tokenization_spaces=False)
    assert said.strip() == text.strip()


@every_family
def test_every_special_token_is_found_wherever_it_stands(build: Build) -> None:
    encoder = build().encoder
    tokens = {token.content for token in encoder.tokenizer.added_tokens_decoder.values() if token.special}
    assert len(tokens) >= 4
    for token in tokens | {encoder.tokenizer.eos_token, *encoder.placeholders}:
        assert [encoder.special_in(text) for text in (token, f"A cat{token}s", f"{token} A")] == [token] * 3
        spans = (AnswerSpan(0, 1, "positive"),)
        with pytest.raises(InputError, match=r"leave (?:it|that) out"):
            encoder.encode(Example("Describe it.", f"A cat {token} there", spans=spans))
