"""Mining: from pictures without any annotation to weighted spans.

    captions/   what the model says about each picture
    phrases/    the objects that each caption names, and where
    relevance/  how well each phrase fits the picture (and relevance2/ by a second scorer)
    spans.jsonl what training reads; see `unsee.mining.weighted_spans`

The first three are stages (see `unsee.mining.stages`): JSON Lines in shards, row by row about the same pictures.
Whatever stops the program, the same command goes on from the last whole shard and ends with the same files, in one
process or several: these take turns with the shards of a stage. A picture that cannot be read is left out and listed in
`skipped.jsonl`. Selection takes no time and is always done anew, so thresholds may change in a finished run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from unsee.data.pictures import reason
from unsee.errors import InputError
from unsee.metrics.lexicon import Phrase
from unsee.mining.advice import few_spans
from unsee.mining.captioning import Captioning
from unsee.mining.captions import passed_over, pictures_in, read_captions
from unsee.mining.extraction import Extracting
from unsee.mining.mined import KINDS, Left, check_rows
from unsee.mining.options import Mining
from unsee.mining.relevance import Scoring
from unsee.mining.selection import agreed, select
from unsee.mining.stages import Row, Stage
from unsee.mining.weighted_spans import CaptionRow, write_spans
from unsee.system import processes
from unsee.system.files import write_json, write_jsonl
from unsee.system.launch import check_launch
from unsee.system.lock import locked


def mine(mining: Mining) -> dict[str, Any]:
    """Do what has not been done yet.

    Returns:
        What `summary.json` holds: counts (of what was passed over by reason), thresholds, and where the spans are; the
        same in every process.

    Raises:
        InputError: something given cannot be used, the folder holds another run, or another process is at work there.
    """
    check_launch()
    processes.join()
    with processes.as_one():
        mining.check()  # before a lock file is put there, and again when nobody else can change it
    with locked(mining.out):
        with processes.as_one():
            mining.check()
            run = _Run(mining)
        return run.finish()


class _Run:
    """The stages of one run; helping models are loaded by the first shard that needs them."""

    def __init__(self, mining: Mining) -> None:
        self._mining = mining
        sources = read_captions(mining.captions, mining.images) if mining.captions else pictures_in(mining.images)
        self._passed_over = Counter[str]() if mining.captions else passed_over(mining.images)
        if not mining.images.is_dir():
            raise InputError(f"--images {mining.images}: no such folder")
        self._sources = sources[: mining.limit]
        if not any((mining.images / source.image).is_file() for source in self._sources):
            first = mining.images / self._sources[0].image
            raise InputError(f"{mining.captions}: none of its pictures is in --images {mining.images}, such as {first}")
        self._captions, self._phrases, self._relevance, self._relevance2 = (
            Stage(mining.out / name, len(self._sources), mining.shard_size, kind, Left) for name, kind in KINDS.items()
        )

    def finish(self) -> dict[str, Any]:
        mining = self._mining
        captioning, extracting = Captioning(mining, self._sources), Extracting(mining, self._captions)
        first, second = Scoring(mining, mining.scorer, self._phrases, self._relevance), None
        if mining.second_scorer is not None:
            second = Scoring(mining, mining.second_scorer, self._phrases, self._relevance2)
        # What is wrong with a stage should be known before anything is written, and before one has worked for hours.
        captions_missing = processes.agreed(bool(self._captions.missing()))
        with processes.as_one():
            extracting.check()
            first.check(mining.thresholds, "--thresholds")
            if second is not None:
                second.check(mining.second_thresholds, "--second-thresholds")
            if captions_missing:
                captioning.check()
        _make(self._captions, captioning.how, captioning.rows, "captioning", ("phrases", "relevance", "relevance2"))
        _make(self._phrases, extracting.how, extracting.rows, "finding phrases", ("relevance", "relevance2"))
        _make(self._relevance, first.how, first.rows, "scoring")
        if second is not None:
            _make(self._relevance2, second.how, second.rows, "scoring again")
        with processes.as_one():
            summary = self._select(first, second) if processes.is_main() else {}
        return processes.agreed(summary)

    def _select(self, first: Scoring, second: Scoring | None) -> dict[str, Any]:
        mining, counts = self._mining, Counter[str]()
        thresholds = first.thresholds(mining.thresholds, "--thresholds")
        others = second.thresholds(mining.second_thresholds, "--second-thresholds") if second else None
        skipped: list[Row] = []
        every: list[float] = []  # score of a phrase
        rows: list[CaptionRow] = []
        seconds = iter(self._relevance2) if second else None
        stages = zip(self._captions, self._phrases, self._relevance, strict=True)
        for number, (captioned, named, scored) in enumerate(stages, start=1):
            again = next(seconds) if seconds else None
            why = next((row["skipped"] for row in (scored, again) if row and "skipped" in row), None)
            if why is not None:
                skipped.append({"image": captioned["image"], "reason": why})
                continue
            for row in (scored, again):
                if row is not None:
                    check_rows(captioned, named, row, f"{mining.out}, picture {number}")
            counts["truncated"] += bool(captioned.get("truncated"))
            told = _scored(named["phrases"], scored["scores"], again["scores"] if again else scored["scores"])
            phrases, scores = [phrase for phrase, _, _ in told], [score for _, score, _ in told]
            every += scores
            roles = [thresholds.role(score) for score in scores]
            if others:
                roles = agreed(roles, [None if score is None else others.role(score) for _, _, score in told])
            spans, sentence = select(captioned["caption"], phrases, scores, thresholds, mining.conflict, roles)
            counts.update(
                phrases=len(named["phrases"]),
                too_long_phrases=len(named["phrases"]) - sum(None not in entry for entry in told),
                dropped_phrases=named["dropped"],
                sentences=int(sentence.role is not None),
            )
            counts.update(span.role for span in spans)
            if spans or sentence.role:
                image = mining.images / captioned["image"]
                rows.append(CaptionRow(image, captioned["question"], captioned["caption"], spans, sentence, first.unit))
        write_jsonl(mining.out / "skipped.jsonl", skipped)
        write_spans(mining.out / "spans.jsonl", rows)
        passed = self._passed_over + Counter(reason(str(row["reason"])) for row in skipped)
        summary: dict[str, Any] = {
            "captions": len(self._sources) - len(skipped),
            "skipped": len(skipped),
            "passed_over": dict(sorted(passed.items())),
            "truncated": counts["truncated"],
            **{name: counts[name] for name in _COUNTED},
            "rows": len(rows),
            "thresholds": asdict(thresholds),
            "second_thresholds": asdict(others) if others else None,
            "advice": few_spans(counts["negative"], len(self._sources) - len(skipped), every, thresholds),
            "conflict": mining.conflict,
            "aggregator": mining.aggregator,
        }
        write_json(mining.out / "summary.json", summary)
        return summary


def _make(
    stage: Stage,
    how: Callable[[], Row],
    work: Callable[[int, int], Iterable[Row]],
    doing: str,
    unfit: Sequence[str] = (),
) -> None:
    """`Stage.run`, of which not every process can say alike how its rows are made."""
    with processes.as_one():
        made_from = how()
    stage.run(made_from, work, doing, unfit)


_COUNTED = ("phrases", "dropped_phrases", "too_long_phrases", "positive", "negative", "sentences")


def _scored(
    phrases: Sequence[Row], first: Sequence[float | None], second: Sequence[float | None]
) -> list[tuple[Phrase, float, float | None]]:
    """The phrases that the first scorer reads to their end, with what both say."""
    told = zip(phrases, first, second, strict=True)
    return [(Phrase(**row), score, other) for row, score, other in told if score is not None]
