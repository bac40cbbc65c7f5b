"""Thresholds that fit a scorer, from scores with a few labels or from scores alone.

With labels: as in the paper (arXiv 2402.09801, section 3.2), which reads its thresholds off 200 labelled captions so
that at most 2 % of the phrases above the positive one are hallucinated, and at most 2 % of those below the negative one
are real. Without: the share of phrases at either end that is to be used.

The sentence threshold serves to balance the sets, as in the paper: as many captions lie above it as there are phrases
below the negative threshold, half of all captions at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from pydantic import BaseModel

from unsee.errors import InputError
from unsee.mining.mined import read_mined
from unsee.mining.selection import Thresholds
from unsee.mining.weighted_spans import Unit
from unsee.system.files import numbered_jsonl
from unsee.system.typed import read_typed

Numbers = np.ndarray[Any, np.dtype[np.float64]]
Labels = Mapping[tuple[str, str], bool]  # (image, phrase in lower case) -> whether it is there


@dataclass(frozen=True)
class Scored:
    """The scores of a run.

    Attributes:
        unit: of the scores.
        captions: for each caption its image, and phrase and score of each of its phrases.
    """

    unit: Unit
    captions: list[tuple[str, list[tuple[str, float]]]]

    def scores(self) -> list[float]:
        """Of all phrases."""
        return [score for _, phrases in self.captions for _, score in phrases]

    def labelled(self, labels: Labels) -> tuple[list[float], list[float]]:
        """The scores of phrases that are known to be real, and of those known to be hallucinated."""
        real: list[float] = []
        hallucinated: list[float] = []
        for image, phrases in self.captions:
            for text, score in phrases:
                label = labels.get((image, text.lower()))
                if label is not None:
                    (real if label else hallucinated).append(score)
        return real, hallucinated


class _Described(BaseModel):
    """What `stage.json` says of scores, as far as it is needed."""

    unit: Unit


def read_scored(run: Path, stage: str = "relevance") -> Scored:
    """The scores of a mining run, as far as it has come.

    Raises:
        InputError: there are no scores, or a file of the run is not as mining wrote it.
    """
    how = run / stage / "stage.json"
    if not how.is_file():
        raise InputError(
            f"{run}: holds no scores ({stage}/stage.json); give the --out of an unsee mine that has scored"
        )
    unit = read_typed(how, _Described).unit
    captions = []
    for _, named, scored in read_mined(run, stage):
        told = zip(named["phrases"], scored["scores"], strict=True)
        captions.append((scored["image"], [(phrase["text"], score) for phrase, score in told if score is not None]))
    if not any(phrases for _, phrases in captions):
        raise InputError(f"{run}: no phrase has been scored yet")
    return Scored(unit, captions)


def read_labels(path: Path) -> dict[tuple[str, str], bool]:
    """Labels of phrases.

    Args:
        path: JSON Lines of image (as in the run's files), phrase, and real, which is true or false.

    Raises:
        InputError: the file cannot be read, or a row lacks something.
    """
    labels = {}
    for number, row in numbered_jsonl(path):
        image, phrase, real = row.get("image"), row.get("phrase"), row.get("real")
        if not isinstance(image, str) or not isinstance(phrase, str) or not isinstance(real, bool):
            raise InputError(
                f'{path}, line {number}: a row is {{"image": text, "phrase": text, "real": true or false}}'
            )
        labels[image, phrase.lower()] = real
    return labels


def from_labels(scored: Scored, labels: Labels, error: float = 0.02) -> Thresholds:
    """The widest thresholds beyond which at most a share of `error` of the labelled phrases is taken wrongly.

    Raises:
        InputError: no label matches a phrase of the run, or one kind is missing among those that do.
    """
    real, hallucinated = (np.array(scores) for scores in scored.labelled(labels))
    if not len(real) or not len(hallucinated):
        raise InputError(
            f"labels: {len(real)} real and {len(hallucinated)} hallucinated ones match phrases of the run; "
            "both are needed"
        )
    positive, negative = _limit(real, hallucinated, error), -_limit(-hallucinated, -real, error)
    if negative > positive:  # the kinds hardly overlap: anything between them separates them
        positive = negative = (positive + negative) / 2
    return _with_sentence(scored, positive, negative)


def _limit(wanted: Numbers, unwanted: Numbers, error: float) -> float:
    """The lowest limit above which at most a share of `error` is unwanted; the highest score where there is none."""
    scores = np.concatenate([wanted, unwanted])
    order = np.argsort(-scores, kind="stable")
    ranked, wrong = scores[order], (order >= len(wanted)).cumsum()
    last = np.append(ranked[1:] != ranked[:-1], True)  # equal scores fall on the same side
    fits = np.flatnonzero(last & (wrong <= error * np.arange(1, len(scores) + 1)))
    if not len(fits):
        return float(ranked[0])
    at = int(fits[-1])
    return float((ranked[at] + ranked[at + 1]) / 2 if at + 1 < len(ranked) else np.nextafter(ranked[at], -np.inf))


def from_quantiles(scored: Scored, share: float = 0.1) -> Thresholds:
    """Thresholds beyond which a share of the phrases lies on either side.

    Raises:
        InputError: the share is not above 0 and at most 0.5.
    """
    if not 0 < share <= 0.5:
        raise InputError(f"share {share:g}: a share of the phrases at either end, above 0 and at most 0.5")
    low, high = np.quantile(scored.scores(), [share, 1 - share])
    return _with_sentence(scored, float(high), float(low))


def from_groups(scored: Scored) -> Thresholds:
    """Thresholds from the two groups into which the scores fall apart, without labels and without a share.

    The split is Otsu's (1979): the one with the greatest variance between the groups. What is nearer to the mean of the
    lower group is hallucinated; what is above the mean of the upper one is real. The rest is left alone, because what
    is there scores in a narrow band whose lower half reaches into what only looks like it.

    Raises:
        InputError: all scores are the same.
    """
    scores = np.sort(np.array(scored.scores()))
    if scores[0] == scores[-1]:
        raise InputError(f"all {len(scores)} phrases score {scores[0]:g}: there are no two groups")
    below = np.arange(1, len(scores))  # size of the lower group
    sums = scores.cumsum()
    low, high = sums[:-1] / below, (sums[-1] - sums[:-1]) / (len(scores) - below)
    best = int(np.argmax(below * (len(scores) - below) * (high - low) ** 2))
    return _with_sentence(scored, float(high[best]), float(low[best] + high[best]) / 2)


def _with_sentence(scored: Scored, positive: float, negative: float) -> Thresholds:
    means = [fmean(score for _, score in phrases) for _, phrases in scored.captions if phrases]
    below = sum(score < negative for score in scored.scores())
    sentence = float(np.quantile(means, 1 - min(0.5, max(below, 1) / len(means))))
    positive, negative, sentence = (float(f"{value:.6g}") for value in (positive, negative, sentence))
    return Thresholds(positive, negative, sentence, unit=scored.unit)


def shares(scored: Scored, thresholds: Thresholds, labels: Labels | None = None) -> dict[str, float]:
    """What thresholds come to: shares of phrases and captions, and how many labels are taken wrongly."""
    scores = np.array(scored.scores())
    means = np.array([fmean(score for _, score in phrases) for _, phrases in scored.captions if phrases])
    fractions = {
        "positive_share": float((scores > thresholds.positive).mean()),
        "negative_share": float((scores < thresholds.negative).mean()),
        "sentence_share": float((means > thresholds.sentence).mean()),
    }
    return fractions | dict(_errors(scored, thresholds, labels)) if labels else fractions


def _errors(scored: Scored, thresholds: Thresholds, labels: Labels) -> Iterator[tuple[str, float]]:
    real, hallucinated = (np.array(scores) for scores in scored.labelled(labels))
    above, below = (real > thresholds.positive).sum(), (real < thresholds.negative).sum()
    wrong_above, right_below = (hallucinated > thresholds.positive).sum(), (hallucinated < thresholds.negative).sum()
    yield "labelled", float(len(real) + len(hallucinated))
    yield "positive_wrong", float(wrong_above / max(1, above + wrong_above))
    yield "negative_wrong", float(below / max(1, below + right_below))
    yield "auc", auc(real.tolist(), hallucinated.tolist())


def auc(real: Sequence[float], hallucinated: Sequence[float]) -> float:
    """How often a real phrase scores above a hallucinated one; ties count half."""
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(real, hallucinated).statistic / (len(real) * len(hallucinated)))
