"""What came out of `unsee demo hallucination`: figures and the page, from the files that the demo leaves behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, cast

from markupsafe import Markup

from unsee.evaluation.records import Record, read_records
from unsee.metrics.chair import Chair, chair, cut_words, parse_synonyms
from unsee.metrics.pope import YesNo, official_answer, pope
from unsee.mining.calibration import Scored, read_scored
from unsee.mining.selection import Thresholds, read_thresholds
from unsee.report.hallucination import ModelRow, Picture, Pictures, Role, Said, pieces
from unsee.report.photo import photo_data_uri
from unsee.report.plots.histogram import histogram
from unsee.system.files import read_text
from unsee.world.scenes.captions import CaptionWorld
from unsee.world.scenes.scenes import draw_scene

PICTURES = 6  # of the page's sample; of each kind of failure it shows half as many
SEED = 0  # of what is drawn for the page
ROLES: dict[str, Role] = {"base": "base", "gold": "gold"}  # all others are methods


class Outcome:
    """Records of all models of a demo, held against the truth about the pictures.

    Args:
        world: whose pictures they are.
        out: folder of the demo.
    """

    def __init__(self, world: CaptionWorld, out: Path) -> None:
        self._world, self._out = world, out
        self._shown = [frozenset(scene.objects) for scene in world.held_out]
        self._lexicon = parse_synonyms(read_text(out / "data" / "objects.txt"))
        self._read = cache(self._records)

    def captions(self, model: str) -> list[str]:
        """What a model says about each held-out picture."""
        return [record.said for record in self._read(model, "captions")]

    def numbers(self, model: str) -> dict[str, float]:
        """The figures of a model, as `summary.json` has them; shares in [0, 1]."""
        return self._numbers(self.captions(model), model)

    def merely_shorter(self, model: str) -> dict[str, float]:
        """The figures of the base if all its captions lost the same share of their words, and so got a model's length.

        A method that only made captions shorter would look like this. Questions are answered as by the base.
        """
        base, words = self.captions("base"), [len(text.split()) for text in self.captions("base")]
        share = sum(len(text.split()) for text in self.captions(model)) / sum(words)
        shortened = [cut_words(text, round(share * count)) for text, count in zip(base, words, strict=True)]
        return self._numbers(shortened, "base")

    def _numbers(self, texts: Sequence[str], answering: str) -> dict[str, float]:
        plain, matched = self._chair(texts), self._chair(_cut(texts, self.captions("base")))
        asked = self._read(answering, "questions")
        answers = pope([official_answer(row.said) for row in asked], [cast(YesNo, row.expected) for row in asked])
        return {
            "chair_s": plain.chair_s,
            "chair_i": plain.chair_i,
            "chair_s_matched": matched.chair_s,
            "chair_i_matched": matched.chair_i,
            "recall": plain.recall,
            "mean_words": plain.mean_words,
            "pope_f1": answers.f1,
        }

    def labels(self) -> dict[str, float]:
        """Precision and recall of the phrases that were taken for hallucinated, against the truth about the
        pictures."""
        hallucinated = taken = both = 0
        for truth, role in self._judged():
            hallucinated += not truth
            taken += role == "negative"
            both += not truth and role == "negative"
        return {"precision": both / max(1, taken), "recall": both / max(1, hallucinated)}

    def mined(self) -> dict[str, Any]:
        """Figures about the mining, for the page."""
        judged = list(self._judged())
        above = [truth for truth, role in judged if role == "positive"]
        labels, thresholds = self.labels(), self._thresholds()
        return {
            "captions": len(self._scored().captions),
            "objects named in them": len(judged),
            "taken for hallucinated, below": thresholds.negative,
            "of these really hallucinated": f"{100 * labels['precision']:.1f} %",
            "of all that is hallucinated found": f"{100 * labels['recall']:.1f} %",
            "taken for real, above": thresholds.positive,
            "of these really there": f"{100 * sum(above) / max(1, len(above)):.1f} %",
            "unit": "100 x cosine",
        }

    def plot(self) -> Markup:
        """The scores of all phrases by the truth about them, and the thresholds."""
        scores = self._scored().scores()
        groups = {
            kind: [score for score, (truth, _) in zip(scores, self._judged(), strict=True) if truth == (kind == "real")]
            for kind in ("real", "hallucinated")
        }
        return histogram({kind: group for kind, group in groups.items() if group}, self._thresholds())

    def row(self, model: str, label: str, note: str) -> ModelRow:
        """A model's row in the page's table."""
        return ModelRow(model, label, note, ROLES.get(model, "method"), **self.numbers(model))

    def control(self, model: str, label: str, note: str) -> ModelRow:
        """The row of the base, merely made as short as a model."""
        return ModelRow("base_cut", label, note, "control", **self.merely_shorter(model))

    def pictures(self, labels: Mapping[str, str]) -> list[Pictures]:
        """Some pictures with what each model says: where the first method fails, then a sample that nobody chose."""
        method = next(name for name in labels if name not in ("base", "gold"))
        after, before = self.captions(method), self.captions("base")
        everything = range(len(after))
        lost = [n for n in everything if set(self._missing(after[n], n)) - set(self._missing(before[n], n))]
        kinds = {
            f"{labels[method]} still hallucinates": (
                [n for n in everything if self._hallucinated(after[n], n)],
                PICTURES // 2,
            ),
            f"{labels[method]} no longer names what is there": (lost, PICTURES // 2),
            "A fair sample": (everything, PICTURES),
        }
        return [
            Pictures(title, [self._picture(n, labels) for n in _drawn(numbers, most)], len(numbers), of=len(everything))
            for title, (numbers, most) in kinds.items()
        ]

    def _picture(self, number: int, labels: Mapping[str, str]) -> Picture:
        said = []
        for model, label in labels.items():
            text = self.captions(model)[number]
            marked = pieces(text, self._shown[number], self._lexicon)
            said.append(Said(label, model, marked, self._missing(text, number)))
        scene = self._world.held_out[number]
        return Picture(photo_data_uri(draw_scene(scene)), scene.objects, said)

    def _hallucinated(self, caption: str, number: int) -> list[str]:
        return [m.category for m in self._lexicon.mentions(caption) if m.category not in self._shown[number]]

    def _missing(self, caption: str, number: int) -> list[str]:
        return sorted(self._shown[number] - {mention.category for mention in self._lexicon.mentions(caption)})

    def _chair(self, captions: Sequence[str]) -> Chair:
        return chair(captions, self._shown, self._lexicon)

    def _judged(self) -> Iterator[tuple[bool, str | None]]:
        """Of every phrase that was scored, whether it is there and what it was taken for."""
        thresholds = self._thresholds()
        for image, phrases in self._scored().captions:
            shown = self._world.unlabelled[int(Path(image).stem)].objects
            for text, score in phrases:
                yield text.lower() in shown, thresholds.role(score)

    def _scored(self) -> Scored:
        return read_scored(self._out / "mining")

    def _thresholds(self) -> Thresholds:
        return read_thresholds(self._out / "mining" / "thresholds.json")

    def _records(self, model: str, probe: str) -> list[Record]:
        """Of a model that was only measured, or of a run, which has those of its one method beside the base's."""
        folder = self._out / "records" / model
        if not folder.is_dir():
            (folder,) = (entry for entry in (self._out / "runs" / model / "records").iterdir() if entry.name != "base")
        return read_records(folder / f"{probe}.jsonl")


def _cut(captions: Sequence[str], lengths: Sequence[str]) -> list[str]:
    """Each caption cut to as many words as its counterpart has."""
    return [cut_words(text, len(other.split())) for text, other in zip(captions, lengths, strict=True)]


def _drawn(numbers: Sequence[int], most: int) -> list[int]:
    """At most so many of the numbers, each as likely as any other."""
    return sorted(Random(SEED).sample(numbers, min(most, len(numbers))))
