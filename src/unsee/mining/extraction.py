"""The second stage of mining: the objects that each caption names."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import asdict
from functools import cached_property

from unsee.metrics.lexicon import Extractor, lexicon
from unsee.metrics.words import without_half_word
from unsee.mining.options import Mining
from unsee.mining.stages import Row, Stage
from unsee.vlm.pretrained import fingerprint


class Extracting:
    """Rows with the object phrases of each caption.

    Args:
        mining: what is to be done.
        captions: the finished first stage.
    """

    def __init__(self, mining: Mining, captions: Stage) -> None:
        self._mining, self._captions = mining, captions

    def check(self) -> None:
        """InputError when the extractor cannot be had; a language model is not loaded for that."""
        if self._mining.extractor == "llm":
            from unsee.mining.extractors import check_language_model

            check_language_model(str(self._mining.extractor_model))
        else:
            _ = self._extractor

    def how(self) -> Row:
        """What the rows depend on."""
        mining = self._mining
        how: Row = {"extractor": mining.extractor, "after": self._captions.digest()}
        if mining.extractor == "lexicon":
            names = sorted(lexicon(mining.lexicons).names)
            digest = hashlib.sha256("\n".join(names).encode("utf-8", "backslashreplace")).hexdigest()
            return {**how, "lexicons": list(mining.lexicons), "names": digest}
        if mining.extractor == "llm":
            return {**how, "model": mining.extractor_model, "fingerprint": fingerprint(str(mining.extractor_model))}
        pipeline = mining.extractor_model
        return {**how, "pipeline": os.path.realpath(pipeline) if pipeline and os.path.isdir(pipeline) else pipeline}

    def rows(self, start: int, end: int) -> Iterator[Row]:
        rows = self._captions.read(start, end)
        # Half a word at the end of a caption that was cut is no phrase: "car" may have become "cardigan".
        captions = [
            without_half_word(row["caption"]) if row.get("truncated") else row["caption"]
            for row in rows
            if "skipped" not in row
        ]
        extractions = iter(self._extractor.extract(captions))
        for row in rows:
            if "skipped" in row:
                yield {"image": row["image"], "skipped": row["skipped"]}
                continue
            extraction = next(extractions)
            phrases = [asdict(phrase) for phrase in extraction.phrases]
            yield {"image": row["image"], "phrases": phrases, "dropped": extraction.dropped}

    @cached_property
    def _extractor(self) -> Extractor:
        mining = self._mining
        if mining.extractor == "lexicon":
            return lexicon(mining.lexicons)
        from unsee.mining.extractors import language_model, noun_phrases

        if mining.extractor == "spacy":
            return noun_phrases(mining.extractor_model)
        return language_model(str(mining.extractor_model), mining.batch_size)
