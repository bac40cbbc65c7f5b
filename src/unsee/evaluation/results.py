"""What was measured of one model, as `scores.json` holds it; see `unsee.evaluation.run_scores` for the whole of it.

A number that does not exist (no example passed the gate, a division by zero) is None, here and in JSON, which has no
NaN.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from unsee.metrics import bootstrap
from unsee.system.files import finite

Number = Annotated[float | None, BeforeValidator(finite)]

# What the same things are called in the files of earlier versions.
_MORE = AliasChoices("hallucinates_more", "invents_more")
_HALLUCINATED = AliasChoices("hallucinated", "invented")


class Interval(BaseModel):
    """A mean with its 95 % interval and the number of examples that it is over. None where nothing was measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    score: Number
    low: Number = None
    high: Number = None
    n: int = 0

    @classmethod
    def of(cls, mean: bootstrap.Score) -> Interval:
        """That of a mean whose missing numbers are NaN."""
        return Interval(score=mean.score, low=mean.low, high=mean.high, n=mean.n)


class Score(Interval):
    """Share of right answers on one probe, from 0 to 1, with its 95 % interval. None where nothing was measured.

    `score` is over what the base knew, `ungated` over everything; see `unsee.evaluation.criteria`. The changes are
    against the base on the same rows.
    """

    left_out: int = 0  # examples that the base model did not know, so they cannot be forgotten
    alone: int = 0  # examples among the n of which nothing tells whether the base knew them
    ungated: Number = None
    ungated_low: Number = None
    ungated_high: Number = None
    known_change: Number = None
    known_change_low: Number = None
    known_change_high: Number = None
    change: Number = None
    change_low: Number = None
    change_high: Number = None
    truncated: Number = None  # share of the answers that were cut off before their end; None where that is not known
    metrics: dict[str, Interval] = {}  # of `unsee.evaluation.registry`, over what the base knew

    @property
    def mean_answer_probability(self) -> Number:
        """How likely the expected answers are, per token, in the mean."""
        metric = self.metrics.get("mean_answer_probability")
        return metric.score if metric is not None else None

    def counted(self, forget: bool | None) -> Score:
        """The score that the rule looks at: over everything for what is to stay, else over what the base knew."""
        if forget is not False or self.ungated is None:
            return self
        return Score(score=self.ungated, low=self.ungated_low, high=self.ungated_high, n=self.n + self.left_out)

    def beside(self, forget: bool | None) -> Number:
        """The share that `counted` is not, where the two are over different rows."""
        return (self.score if forget is False else self.ungated) if self.left_out else None

    def against(self, base: Score, forget: bool) -> Score:
        """The change against the base over what counts, with its interval.

        Where it was not taken row by row, the bounds are those that the two intervals allow, which is wider.
        """
        known = (self.known_change, self.known_change_low, self.known_change_high)
        change, low, high = known if forget else (self.change, self.change_low, self.change_high)
        if change is not None:
            return Score(score=change, low=low, high=high)
        now, before = self.counted(forget), base.counted(forget)
        return Score(
            score=_less(now.score, before.score), low=_less(now.low, before.high), high=_less(now.high, before.low)
        )


def _less(value: float | None, other: float | None) -> float | None:
    return None if value is None or other is None else value - other


class CaptionCheck(BaseModel):
    """What one model hallucinates in its captions; shares from 0 to 1. See `unsee.evaluation.hallucination`.

    Attributes:
        hallucinates_more: surely more than the base.
        chair_s: share of captions that name an object which is not there.
        chair_i: share of mentions that are of objects which are not there.
        chair_s_matched: `chair_s` with every caption cut to the length of the base's caption of the same picture.
        chair_i_matched: `chair_i` likewise.
        base_chair_s_matched: of the base, with its captions cut to the length of this model's.
        recall: share of the objects that are there which the captions name.
        mean_words: mean length of the captions, in words.
        captions: how many.
        truncated: share of the captions that were cut at `max_new_tokens`, so that they might have named more; None
            where records do not say. Half a word at the cut names nothing.
        change: of `chair_s_matched` against `base_chair_s_matched`, with its 95 % interval.
        subjects: over how many the interval is.
        lexicon: what objects may be called: "coco", "objects" for what the rows list, or names of files.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["captions"] = "captions"
    hallucinates_more: bool = Field(default=False, validation_alias=_MORE)
    chair_s: Number
    chair_i: Number
    chair_s_matched: Number
    chair_i_matched: Number
    base_chair_s_matched: Number
    recall: Number
    mean_words: Number
    captions: int
    truncated: Number = None
    change: Interval
    subjects: int
    lexicon: str


class YesNoCheck(BaseModel):
    """How one model answers by yes or no; shares from 0 to 1. See `unsee.evaluation.hallucination`.

    Accuracy, precision, recall, F1 and the share of yes among the *answers* are POPE's, with its official parser, to
    which whatever does not deny is a yes. A false yes is more: the answer has to say yes as a reader would take it, so
    that "I do not know" is no hallucination.

    Attributes:
        hallucinates_more: surely more than the base.
        false_yes: share of the questions to be answered by no that are answered by yes.
        undecided: share of answers that are neither yes nor no to a reader.
        questions: how many.
        truncated: share of the answers that were cut at `max_new_tokens`; None where records do not say.
        expected_yes: share of questions to be answered by yes.
        change: of `false_yes` against the base, with its 95 % interval.
        subjects: over how many the interval is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["yes_no"] = "yes_no"
    hallucinates_more: bool = Field(default=False, validation_alias=_MORE)
    accuracy: Number
    precision: Number
    recall: Number
    f1: Number
    yes_ratio: Number
    false_yes: Number
    undecided: Number
    questions: int
    truncated: Number = None
    expected_yes: Number
    change: Interval
    subjects: int


Check = Annotated[CaptionCheck | YesNoCheck, Field(discriminator="kind")]


class Tally(BaseModel):
    """Of phrases judged alike, how many captions say. A phrase counts once per caption.

    Attributes:
        judged: how many there are.
        said: of these, in the model's captions.
        said_matched: in its captions cut to the length of the base's captions of the same pictures.
        base_said_matched: in the base's captions, cut to the length of this model's.
        unknown: not said in captions that were cut off, which might have said them yet.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    judged: int
    said: int
    said_matched: int
    base_said_matched: int
    unknown: int = 0


class JudgedCheck(BaseModel):
    """What one model's captions still say, by the labels of their rows. See `unsee.evaluation.judged`.

    Attributes:
        hallucinated: of the phrases judged hallucinated.
        real: of the phrases judged real.
        mean_words: mean length of the captions, in words (runs of non-space).
        captions: how many.
        sentences: labels that are a stretch of text without its phrases, which hardly any other caption repeats.
        truncated: how many of the captions were cut off; None where records do not say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hallucinated: Tally = Field(validation_alias=_HALLUCINATED)
    real: Tally
    mean_words: Number
    captions: int
    sentences: int = 0
    truncated: int | None = None


class Again(BaseModel):
    """Of the rows that base had right before an earlier request and not after it, how many are right again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    removed: int
    again: int


class Condition(BaseModel):
    """What is wrong with a model as a whole, and a sentence that says so with figures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["unmoved", "no longer answers", "answers alike"]
    sentence: str
