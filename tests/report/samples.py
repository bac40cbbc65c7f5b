"""Reports to draw, small and complete, with numbers chosen by hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from io import BytesIO
from typing import Literal

from PIL import Image

from unsee.evaluation.results import CaptionCheck, Check, Interval, YesNoCheck
from unsee.report import Answer, CurvePoint, ModelResult, ProbeInfo, Report, Score, Subject, photo_data_uri
from unsee.report.contents import Density, HallucinatedAnswer, Marked
from unsee.training.done import Asked, Ended, Look

VOID = {"meta", "img", "br", "link", "input"}


def picture(width: int = 64, height: int = 64) -> bytes:
    file = BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, "png")
    return file.getvalue()


def score(value: float | None, half: float = 0.05, n: int = 60) -> Score:
    """A score with an interval of `half` to each side."""
    if value is None:
        return Score(score=None)
    return Score(score=value, low=max(0.0, value - half), high=min(1.0, value + half), n=n)


def model(
    role: Literal["base", "gold", "method"], label: str, half: float = 0.05, **scores: float | None
) -> ModelResult:
    return ModelResult(label=label, role=role, scores={name: score(value, half) for name, value in scores.items()})


def against_base(base: ModelResult, found: ModelResult, half: float = 0.0) -> ModelResult:
    """The same model with its changes against the base, row by row, with an interval of `half` to each side."""
    scores = dict(found.scores)
    for name, one in found.scores.items():
        before = base.scores[name].score
        if one.score is not None and before is not None:
            change = one.score - before
            bounds = {"change": change, "change_low": change - half, "change_high": change + half}
            scores[name] = one.model_copy(update={**bounds, **{f"known_{key}": value for key, value in bounds.items()}})
    return found.model_copy(update={"scores": scores})


def caption_check(
    share: float | None,
    base: float = 0.1,
    half: float = 0.05,
    recall: float | None = 0.9,
    more: bool = False,
    lexicon: str = "coco",
) -> CaptionCheck:
    """A check with this share of captions that hallucinate, at equal length as well, where the base has `base`."""
    change = None if share is None else share - base
    bounds = (None, None) if change is None else (change - half, change + half)
    return CaptionCheck(
        hallucinates_more=more,
        chair_s=share,
        chair_i=0.05,
        chair_s_matched=share,
        chair_i_matched=0.05,
        base_chair_s_matched=base,
        recall=recall,
        mean_words=8.5,
        captions=60,
        change=Score(score=change, low=bounds[0], high=bounds[1], n=60),
        subjects=60,
        lexicon=lexicon,
    )


def yes_no_check(
    share: float, base: float = 0.1, half: float = 0.05, undecided: float = 0.0, more: bool = False
) -> YesNoCheck:
    """A check with this share of false yes, where the base has `base`."""
    change = share - base
    return YesNoCheck(
        hallucinates_more=more,
        accuracy=0.8,
        precision=0.75,
        recall=0.9,
        f1=0.82,
        yes_ratio=0.55,
        false_yes=share,
        undecided=undecided,
        questions=120,
        expected_yes=0.5,
        change=Score(score=change, low=change - half, high=change + half, n=60),
        subjects=60,
    )


def judged(
    method: Sequence[float],
    *,
    base: Sequence[float] = (0.98, 0.98),
    gold: Sequence[float] | None = (0.08, 0.98),
    half: float = 0.05,
    paired: float = 0.0,
) -> Report:
    """A report on one method, "m", with two probes: (forget_vqa, retain_vqa) of each model.

    `half` is that of each score's interval, `paired` that of the changes against the base.
    """
    scores = {"base": base, "gold": gold, "m": method}
    roles: dict[str, Literal["base", "gold", "method"]] = {"base": "base", "gold": "gold", "m": "method"}
    models = {
        name: model(roles[name], name.upper(), half, forget_vqa=pair[0], retain_vqa=pair[1])
        for name, pair in scores.items()
        if pair is not None
    }
    return Report(
        title="t",
        kind="person",
        request="visual",
        models={name: against_base(models["base"], one, paired) for name, one in models.items()},
        probes=[ProbeInfo(name="forget_vqa", forget=True), ProbeInfo(name="retain_vqa", forget=False)],
    )


def ended(retain: str) -> Ended:
    """A training that was done at step 20."""
    return Ended(
        asked=Asked(forget=0.05, keep={retain: 0.95}),
        rows={"forget": 50, retain: 48},
        held_out={"forget": "picture", retain: ""},
        looks=[Look(step=10 * n, right={"forget": 1.0 - 0.5 * n, retain: 1.0 - 0.02 * n}) for n in range(3)],
        step=20,
        kept=20,
        why="reached",
    )


def full(text: str = "") -> Report:
    """A report that uses every field, with `text` inside every one of them, names and keys included."""
    x, photo = text, photo_data_uri(picture())
    forget, retain, base, gold, one, two = (f"{name}{x}" for name in ("forget", "retain", "base", "gold", "one", "two"))
    models = {
        base: model("base", f"Base{x}", **{forget: 0.98, retain: 0.97}),
        gold: model("gold", f"Gold{x}", **{forget: 0.08, retain: 0.97}),
        one: model("method", f"One{x}", **{forget: 0.05, retain: 0.96}),
        two: model("method", f"Two{x}", **{forget: 0.50, retain: 0.20}),
    }
    extra = {
        "paper": f"paper{x}",
        "hyper_parameters": {f"beta{x}": f"value{x}", "deep": {f"key{x}": [1, x]}},
        "seconds": 3.0,
    }
    models[one] = models[one].model_copy(update=extra)
    means = {"mean_answer_probability": Interval(score=0.9, low=0.8, high=1.0, n=12), f"metric{x}": Interval(score=2.0)}
    models[base].scores[forget] = models[base].scores[forget].model_copy(update={"left_out": 3, "metrics": means})
    hallucinated: dict[str, dict[str, Check]] = {
        base: {retain: caption_check(0.1, half=0.0, lexicon=f"words{x}"), forget: yes_no_check(0.1, half=0.0)},
        one: {retain: caption_check(0.1, lexicon=f"words{x}"), forget: yes_no_check(0.2)},
        two: {retain: caption_check(0.6, more=True, lexicon=f"words{x}"), forget: yes_no_check(0.4, more=True)},
    }
    for name, checks in hallucinated.items():
        models[name].hallucination.update(checks)
    hallucinations = [
        HallucinatedAnswer(
            probe=probe,
            photo=photo,
            question=f"question{x}",
            truth=f"truth{x}",
            said={base: [], two: [Marked(text=f"said{x}"), Marked(text=f"hallucinated{x}", kind="hallucinated")]},
            of=31,
        )
        for probe in (forget, retain)
    ]
    answers = [
        Answer(
            probe=probe,
            subject=subject,
            photo=shown,
            question=f"question{x}",
            expected=f"expected{x}",
            said=dict.fromkeys(models, f"said{x}"),
            correct={base: True, gold: probe == retain, one: probe == retain, two: False},
        )
        for probe in (forget, retain)
        for subject, shown in ((f"Ada{x}", photo), (f"Ada{x}", None), (f"Ben{x}", photo), (None, None))
    ]
    return Report(
        title=f"title{x}",
        lead=f"lead{x}",
        kind="person",
        created=f"today{x}",
        request="visual",
        subjects=[Subject(name=f"Ada{x}", photo=photo, facts={f"city{x}": f"Oslo{x}"})],
        chance={f"city{x}": 0.05, f"year{x}": 0.1},
        models=models,
        probes=[
            ProbeInfo(name=forget, label=f"label{x}", description=f"about{x}", forget=True, chance=0.05),
            ProbeInfo(name=retain, forget=False, trained_on=True),
        ],
        curves={
            one: [CurvePoint(step=i, values={f"forget{x}": -2.0 * i, f"retain{x}": 1.0 / (i + 1)}) for i in range(9)]
        },
        endings={one: ended(f"retain{x}")},
        answers=answers,
        hallucinations=hallucinations,
        saliency={one: {f"vision{x}": Density(passing=0.4, reached=0.9)}},
        settings={f"train{x}": {f"lr{x}": f"slow{x}"}},
        environment={f"torch{x}": f"2.9{x}"},
        command=f"unsee demo{x}",
        notes=[f"note{x}"],
    )


class Page(HTMLParser):
    """The tags, attributes, texts and script of a page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.scripts: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif not self.open or self.open[-1] != "style":
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", self.text)


def cells(html: str) -> str:
    """The words of a page with a space between those of different elements."""
    return Page(html.replace("<", " <")).words
