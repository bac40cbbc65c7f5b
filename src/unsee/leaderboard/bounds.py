"""How far one model is from another: bounds over people that hold where these are few and where nothing varies.

Facts of one person may go or stay together, so a person is one observation, however many questions there are. A person
of whom none was met tells nothing either: with n people alike, one in `1 - alpha ** (1 / n)` of all people may be
otherwise without having been seen. What is claimed to be the same has to hold against such people too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from unsee.leaderboard.statistics import Estimate, Floats, Seed, mean_of

ALPHA = 0.05
_FLIPS = 9999


@dataclass(frozen=True)
class Spread:
    """What bounds are made from.

    Attributes:
        mean: difference of two models, in [-1, 1].
        square: mean square of each person's difference.
        people: how many it rests on; of equal weight, if theirs are not.
        worlds: difference in each world, or under each seed where they share their people.
    """

    mean: float
    square: float
    people: float
    worlds: tuple[float, ...]

    def reversed(self) -> Spread:
        """The other model less the one."""
        return replace(self, mean=-self.mean, worlds=tuple(-difference for difference in self.worlds))


@dataclass(frozen=True)
class Differences:
    """One model less another, person by person.

    Attributes:
        values: mean difference of each person, in [-1, 1]; shape (people,).
        weights: of each person in the mean over worlds of the mean over answers; they sum to 1.
        worlds: the world of each person, as a number.
        seeds: difference under each seed, where all seeds have the same people; empty where each has its own.
    """

    values: Floats
    weights: Floats
    worlds: NDArray[np.int64]
    seeds: tuple[float, ...] = ()

    @property
    def spread(self) -> Spread:
        """The moments that bounds take."""
        mean, square = float(self.weights @ self.values), float(self.weights @ self.values**2)
        sums = np.bincount(self.worlds, weights=self.weights * self.values)
        worlds = sums / np.bincount(self.worlds, weights=self.weights)
        return Spread(mean, square, 1 / float((self.weights**2).sum()), self.seeds or tuple(worlds.tolist()))


def differences(row: Sequence[Seed], rival: Sequence[Seed], crossed: bool = False) -> Differences:
    """Row less rival, who were asked the same of the same people of the same worlds.

    Args:
        row: for each seed its people with their answers.
        rival: the same of another.
        crossed: whether all seeds have the same people; all that is said of one is then one observation.
    """
    if crossed:
        seeds = tuple(mean_of([own]) - mean_of([other]) for own, other in zip(row, rival, strict=True))
        return replace(differences([_pooled(row)], [_pooled(rival)]), seeds=seeds)
    values, weights, worlds = [], [], []
    for world, (own, other) in enumerate(zip(row, rival, strict=True)):
        answers = sum(map(len, own.values()))
        for person, right in own.items():
            values.append((sum(right) - sum(other[person])) / len(right))
            weights.append(len(right) / answers / len(row))
            worlds.append(world)
    return Differences(np.array(values), np.array(weights), np.array(worlds))


def _pooled(seeds: Sequence[Seed]) -> Seed:
    return {person: [value for people in seeds for value in people[person]] for person in seeds[0]}


def people_needed(margin: float, alpha: float = ALPHA) -> int:
    """The number of people below which no difference can be shown to be under a margin, whatever they answer.

    If nobody differs at all, 1 - alpha ** (1 / n) is the share of people who may (Clopper-Pearson); it has to be below
    the margin. 59 people for a margin of 0.05, 29 for 0.10.
    """
    return math.floor(math.log(alpha) / math.log1p(-margin)) + 1


def upper(found: Spread, alpha: float = ALPHA) -> float:
    """Upper bound of the difference, one-sided, at level 1 - alpha: the largest of three.

    - Student's t over people, with one more who differs as far as can be. Without that one, two people who happen to
      cancel, or none who differs, would count as certainty.
    - Student's t over worlds, where there are several: each has had a training of its own.
    - Clopper and Pearson's bound, as if the difference so far came from people who differ altogether. It is the only
      one that holds where such people are rare (Clopper & Pearson 1934; simulated in `experiments/error_rates.py`).
    """
    return min(1.0, max(_over_people(found, alpha), _over_worlds(found, alpha), _of_rare_people(found, alpha)))


def lower(found: Spread, alpha: float = ALPHA) -> float:
    """Lower bound of the difference, one-sided, at level 1 - alpha; see `upper`."""
    return -upper(found.reversed(), alpha)


def interval(found: Spread, level: float = 0.95) -> Estimate:
    """The difference between its two bounds."""
    alpha = (1 - level) / 2
    return Estimate(found.mean, lower(found, alpha), upper(found, alpha))


def _over_people(moments: Spread, alpha: float) -> float:
    count = moments.people + 1
    mean, square = ((moments.people * each + 1) / count for each in (moments.mean, moments.square))
    return mean + _student(count, alpha) * math.sqrt(max(0.0, square - mean**2) / (count - 1))


def _over_worlds(moments: Spread, alpha: float) -> float:
    count = len(moments.worlds)
    if count < 2:
        return -1.0
    return moments.mean + _student(count, alpha) * float(np.std(moments.worlds)) / math.sqrt(count - 1)


def _student(count: float, alpha: float) -> float:
    """Quantile of Student's t about the mean of so many."""
    from scipy.special import stdtrit  # here, so that `unsee --help` does not wait for scipy

    return float(stdtrit(count - 1, 1 - alpha))


def _of_rare_people(moments: Spread, alpha: float) -> float:
    from scipy.special import betaincinv

    differ = moments.people * max(0.0, moments.mean)
    return min(0.0, moments.mean) + float(betaincinv(differ + 1, max(moments.people - differ, 1e-9), 1 - alpha))


def p_value(found: Differences, seed: int = 0) -> float:
    """Two-sided p-value that two models do not differ: lots decide for each person which answers are whose.

    Exact whatever the answers are distributed like, up to the number of lots drawn; never 0. With four people who all
    differ alike it is 1/8, and no data could make it less.
    """
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(_FLIPS, len(found.values)))
    drawn = np.abs(signs @ (found.weights * found.values))
    as_far = int((drawn >= abs(float(found.weights @ found.values)) - 1e-12).sum())
    return (as_far + 1) / (_FLIPS + 1)
