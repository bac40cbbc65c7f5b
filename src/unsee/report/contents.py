"""What a report shows: every number and word of the page, checked before anything is drawn.

Text in here may come from a model or a stranger's data set, so nothing is trusted: the page escapes it all,
and a photograph has to be a small `data:` picture, never an address.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

from unsee.evaluation.results import Again, Check, Condition, JudgedCheck, Number, Score
from unsee.system.wording import isolated, short
from unsee.training.done import Ended

_PHOTO = re.compile(r"data:image/(?:png|jpeg|webp);base64,[A-Za-z0-9+/]+={0,2}")


def _photo(uri: str) -> str:
    if not _PHOTO.fullmatch(uri):
        raise ValueError(
            f"a photo must be a base64 data:image/png, jpeg or webp URI, found {uri[:40]!r}; photo_data_uri makes one"
        )
    return uri


Photo = Annotated[str, AfterValidator(_photo)]


class _Content(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Subject(_Content):
    """Who or what the request names."""

    name: str
    photo: Photo | None = None
    facts: dict[str, str] = {}


class ModelResult(_Content):
    """One model on the page: where it started (base), where it should end (gold), or where a method brought it."""

    label: str
    role: Literal["base", "gold", "method"]
    paper: str | None = None  # plain text such as "arXiv 2404.05868"; never a link
    hyper_parameters: dict[str, Any] = {}
    seconds: float | None = None
    scores: dict[str, Score] = {}  # probe -> score
    hallucination: dict[str, Check] = {}  # probe -> what is hallucinated, of those that can tell
    judged: dict[str, JudgedCheck] = {}  # probe -> what is still said, of captions with judged phrases
    after: dict[str, Again] = {}  # probe -> what came back, of those of an earlier request
    condition: Condition | None = None  # None: it answers, as far as anybody knows

    @property
    def collapsed(self) -> bool:
        """Whether it no longer answers anything."""
        return self.condition is not None and self.condition.kind == "no longer answers"


class ProbeInfo(_Content):
    """What one probe asks, and whether the request wants its answers gone."""

    name: str
    description: str = ""
    forget: bool | None  # True: the request wants these answers gone. False: they are to stay. None: nobody said
    trained_on: bool = False  # True: measured on training rows, which the page then says
    pictures: int = 0  # rows that show a picture
    pictures_trained_on: int = 0  # rows that show a picture of the training rows, whatever they ask about it
    label: str = ""  # a few plain words; empty shows the name
    chance: float | None = None  # accuracy of the best guess without knowledge, over this probe
    after: bool = False  # True: what an earlier request was to remove; said beside, not judged with this one
    judged: bool = False  # True: captions with judged phrases, to which there is no right answer

    @property
    def held_out(self) -> int:
        """How far it is from the training rows: 2 with new pictures or none, 1 with pictures that were mostly trained
        on, 0 with rows that were."""
        return 0 if self.trained_on else 1 if 2 * self.pictures_trained_on > self.pictures else 2

    @property
    def title(self) -> str:
        """The probe in a few plain words, fit to stand in a sentence."""
        return isolated(short(self.label or self.name.replace("_", " "), 60))


class CurvePoint(_Content):
    """The losses of one training step. Values may explode or stop being numbers; the plot shows that."""

    step: int
    values: dict[str, float]


class Answer(_Content):
    """One question, and what every model said."""

    probe: str
    subject: str | None = None
    photo: Photo | None = None
    question: str
    expected: str
    said: dict[str, str]  # model -> its words
    correct: dict[str, bool]  # model -> right or wrong


class Marked(_Content):
    """A piece of an answer, and whether it names something that is there, or that is not."""

    text: str
    kind: Literal["", "real", "hallucinated"] = ""


class HallucinatedAnswer(_Content):
    """One answer in which a model hallucinates something that its base did not."""

    probe: str
    photo: Photo | None = None
    question: str
    truth: str  # what is there, or what the right answer is
    said: dict[str, list[Marked]]  # model -> its words in pieces; base and gold are there to compare
    of: int = 1  # answers like this, of this model on this probe


class Density(_Content):
    """What a saliency mask leaves to the forget gradient in one part of a model; shares from 0 to 1."""

    passing: Number  # of the weights that the forget set reaches; None where it reaches none
    reached: Number = None  # of the weights that may move at all


class Report(_Content):
    """Everything that the page shows. What is not known is left out, and the page does without."""

    title: str
    lead: str = ""
    kind: Literal["person", "run"] = "run"
    created: str = ""
    request: Literal["visual", "textual", "both"] | None = None  # None: the user's own rows, of whatever kind
    subjects: list[Subject] = []
    chance: dict[str, float] = {}  # fact -> accuracy of the best guess without knowledge
    models: dict[str, ModelResult]
    probes: list[ProbeInfo]
    pair: tuple[str, str] | None = None  # the forget and the retain probe of the plot; None chooses
    curves: dict[str, list[CurvePoint]] = {}
    endings: dict[str, Ended] = {}  # method -> how a training went that was to end when it is done
    answers: list[Answer] = []
    hallucinations: list[HallucinatedAnswer] = []  # a few, to show what the numbers mean
    saliency: dict[str, dict[str, Density]] = {}  # method -> part -> what its mask lets through
    settings: dict[str, Any] = {}
    environment: dict[str, str] = {}
    command: str = ""  # what to type to make this page again
    advice: list[str] = []  # what to try next, in full sentences
    notes: list[str] = []  # further limits, in full sentences

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        probes = {probe.name for probe in self.probes}
        if len(probes) < len(self.probes):
            raise ValueError("two probes have the same name")
        named_probes = {
            name for model in self.models.values() for name in (*model.scores, *model.hallucination, *model.judged)
        }
        named_probes |= {answer.probe for answer in self.answers} | {entry.probe for entry in self.hallucinations}
        named_probes |= set(self.pair or ())
        named_models = {name for answer in self.answers for name in (*answer.said, *answer.correct)} | set(self.curves)
        named_models |= (
            set(self.endings) | set(self.saliency) | {name for entry in self.hallucinations for name in entry.said}
        )
        for what, named, known in (("probe", named_probes, probes), ("model", named_models, set(self.models))):
            if named - known:
                raise ValueError(f"unknown {what} {sorted(named - known)[0]!r}; the report has {sorted(known)}")
        for role in ("base", "gold"):
            if sum(model.role == role for model in self.models.values()) > 1:
                raise ValueError(f"two models have the role {role!r}; a report compares with one")
        return self

    def of_role(self, role: str) -> ModelResult | None:
        """The base or the gold model, or None where the report has none."""
        return next((model for model in self.models.values() if model.role == role), None)

    @property
    def methods(self) -> dict[str, ModelResult]:
        """The unlearned models, in order."""
        return {name: model for name, model in self.models.items() if model.role == "method"}

    @property
    def answered(self) -> list[ProbeInfo]:
        """The probes whose answers are right or wrong."""
        return [probe for probe in self.probes if not probe.judged]

    @property
    def axes(self) -> tuple[ProbeInfo | None, ProbeInfo | None]:
        """The probe that should fall and the one that should stay, for the plot: `pair`, or the first that fit.

        A forget probe "forget_vqa" goes with "retain_vqa" where there is one.
        """
        by_name = {probe.name: probe for probe in self.probes}
        if self.pair:
            return by_name[self.pair[0]], by_name[self.pair[1]]
        forget = next((probe for probe in self.answered if probe.forget and not probe.after), None)
        stays = [probe for probe in self.answered if probe.forget is False]
        partner = forget.name.replace("forget", "retain") if forget else ""
        return forget, next((p for p in stays if p.name == partner), stays[0] if stays else None)
