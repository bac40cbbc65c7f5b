"""The third stage of mining: how well each phrase fits the picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import cache, cached_property

from PIL import Image

from unsee.data.pictures import decode
from unsee.errors import InputError
from unsee.mining.options import Mining
from unsee.mining.scorer import Scorer
from unsee.mining.selection import PUBLISHED, Thresholds
from unsee.mining.stages import Row, Stage
from unsee.mining.weighted_spans import Unit
from unsee.vlm.pretrained import fingerprint


class Scoring:
    """Rows with a score for each phrase.

    Args:
        mining: what is to be done.
        source: folder or hub id of the scorer.
        phrases: the finished second stage.
        stage: this stage, for what is kept beside its rows.
    """

    def __init__(self, mining: Mining, source: str, phrases: Stage, stage: Stage) -> None:
        self._mining, self._source, self._phrases, self._stage = mining, source, phrases, stage

    def check(self, given: Thresholds | None, option: str) -> None:
        """InputError when there is no such scorer, or thresholds were given that do not fit its scores.

        Nothing is loaded for that: a wrong scorer is known before anything is captioned.
        """
        if self._detects:
            from unsee.mining.detector import check_detector

            check_detector(self._source)
        if given is not None or self.unit == PUBLISHED.unit:
            self.thresholds(given, option)

    def how(self) -> Row:
        """What the rows depend on, the content of the stage before among it."""
        mining, after = self._mining, self._phrases.digest()
        same = {"scorer": self._source, "fingerprint": fingerprint(self._source), "dtype": mining.dtype, "after": after}
        windows = {"aggregator": mining.aggregator, "template": mining.template, "grid": asdict(mining.grid)}
        return {**same, "unit": self.unit, **({} if self._detects else windows)}

    @cached_property
    def _detects(self) -> bool:
        from unsee.mining.detector import is_detector

        return is_detector(self._source)

    @cached_property
    def unit(self) -> Unit:
        """What scores are."""
        from unsee.mining.scorer import outline, unit_of

        return "probability" if self._detects else unit_of(outline(self._source))

    def thresholds(self, given: Thresholds | None, option: str) -> Thresholds:
        """The given ones if they fit, else those published."""
        if given is None:
            if self.unit != PUBLISHED.unit:
                raise InputError(
                    f"scores of {self._source} are probabilities, for which no thresholds are published; everything is "
                    f"scored, so run: unsee mine calibrate {self._mining.out}, then this again with {option}"
                )
            return PUBLISHED
        if given.unit is None:
            return replace(given, unit=self.unit)
        if given.unit != self.unit:
            raise InputError(f"{option}: its unit is {given.unit}, but scores of {self._source} are of {self.unit}")
        return given

    def rows(self, start: int, end: int) -> Iterator[Row]:
        rows = self._phrases.read(start, end)
        images = self._mining.images
        fits = cache(self._scorer_fits)
        skipped = {place: row["skipped"] for place, row in enumerate(rows) if "skipped" in row}
        order: list[int] = []

        def pictures() -> Iterator[tuple[Image.Image, list[str]]]:
            for place, row in enumerate(rows):
                if place in skipped:
                    continue
                try:
                    picture = decode(images / row["image"])
                    self._scorer.check(picture)
                except InputError as error:  # also of a caption without objects: the person should know
                    skipped[place] = str(error)
                    continue
                if asked := [text for text in _texts(row) if fits(text)]:
                    order.append(place)
                    yield picture, asked

        # Scores come a little later than pictures go, so they find their places by their number.
        by_place = {order[number]: scores for number, scores in enumerate(self._scorer.scores(pictures()))}
        for place, row in enumerate(rows):
            if place in skipped:
                yield {"image": row["image"], "skipped": skipped[place]}
            else:
                scores = iter(by_place.get(place, []))  # null for what the scorer would not read to its end
                yield {
                    "image": row["image"],
                    "scores": [_rounded(next(scores)) if fits(text) else None for text in _texts(row)],
                }

    def _scorer_fits(self, text: str) -> bool:
        return self._scorer.fits(text)

    @cached_property
    def _scorer(self) -> Scorer:
        from unsee.mining.detector import detector
        from unsee.mining.scorer import dual_encoder
        from unsee.vlm.load import DTYPES

        mining = self._mining
        dtype = DTYPES[mining.dtype]
        scorer: Scorer = (
            detector(self._source, dtype)
            if self._detects
            else dual_encoder(self._source, mining.grid, mining.aggregator, mining.template, mining.windows, dtype)
        )
        named = {text for row in self._phrases for text in _texts(row)}
        scorer.prepare(sorted(filter(scorer.fits, named)), self._stage.folder / "embeddings")
        return scorer


def _texts(row: Row) -> list[str]:
    """The phrases of a caption as they are scored."""
    return [phrase["text"].lower() for phrase in row.get("phrases", ())]


def _rounded(score: float) -> float:
    """To six digits: more say nothing, and differ from machine to machine."""
    return float(f"{score:.6g}")
