"""The first stage of mining: what is said about each picture."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from functools import cached_property

from unsee.data.example import Example
from unsee.errors import InputError
from unsee.mining.captions import Source, generate
from unsee.mining.options import Mining
from unsee.mining.stages import Row
from unsee.vlm.generate import Said
from unsee.vlm.load import LoadedModel
from unsee.vlm.pretrained import fingerprint


class Captioning:
    """Rows with image, question and caption, or with the reason why a picture was skipped."""

    def __init__(self, mining: Mining, sources: Sequence[Source]) -> None:
        self._mining, self._sources = mining, sources

    def check(self) -> None:
        """InputError when the model cannot be used; it is loaded for that, and stays loaded for the captions."""
        if self._mining.model is not None:
            _ = self._captioner

    def how(self) -> Row:
        """What the rows depend on."""
        mining, listing = self._mining, hashlib.sha256()
        for source in self._sources:
            listing.update(repr((source.image, source.caption, source.question)).encode("utf-8", "backslashreplace"))
        how: Row = {"pictures": len(self._sources), "listing": listing.hexdigest(), "prompt": mining.prompt}
        if mining.model is None:
            return {**how, "captions": str(mining.captions)}
        weights = {"model": mining.model, "fingerprint": fingerprint(mining.model), "dtype": mining.dtype}
        return {**how, **weights, **asdict(mining.decoding)}

    def rows(self, start: int, end: int) -> Iterator[Row]:
        sources = self._sources[start:end]
        if self._mining.model is None:
            for source in sources:
                question = source.question or self._mining.prompt
                yield {"image": source.image, "question": question, "caption": source.caption}
            return
        for at in range(0, len(sources), self._mining.batch_size):
            yield from self._batch(sources[at : at + self._mining.batch_size])

    def _batch(self, sources: Sequence[Source]) -> Iterator[Row]:
        captioner = self._captioner  # what is wrong with it is no fault of a picture
        rows: list[Row] = []
        examples = []
        for source in sources:
            example = Example(self._mining.prompt, "", self._mining.images / source.image, id=source.image)
            try:
                captioner.encoder.check_row(example, self._mining.decoding.max_new_tokens)
                captioner.encoder.encode(example)
            except InputError as error:
                rows.append({"image": source.image, "skipped": str(error)})
            else:
                rows.append({"image": source.image, "question": self._mining.prompt})
                examples.append(example)
        captions = iter(generate(captioner, examples, self._mining.decoding) if examples else [])
        for row in rows:
            yield row if "skipped" in row else {**row, **_caption(next(captions))}

    @cached_property
    def _captioner(self) -> LoadedModel:
        from unsee.vlm import Encoder, load

        mining = self._mining
        loaded = load(str(mining.model), parts=(), dtype=mining.dtype, trust_remote_code=mining.trust_remote_code)
        loaded.model.eval()
        loaded.encoder.check([Example(mining.prompt, "")], "--prompt", new_tokens=mining.decoding.max_new_tokens)
        # Every picture is shown once: there is no use in keeping more than a batch of them.
        old = loaded.encoder
        encoder = Encoder(loaded.processor, old.end_of_turn_ids, mining.batch_size, limits=old.limits)
        return replace(loaded, encoder=encoder)


def _caption(caption: Said) -> Row:
    """A row says so where its caption was cut."""
    return {"caption": caption.text, **({"truncated": True} if caption.truncated else {})}
