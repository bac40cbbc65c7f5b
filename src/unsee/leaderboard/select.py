"""Which configuration of a row goes on to the reported worlds: one rule for all.

The distance to gold, over all probes:

    0.5 * mean over forget probes of |score - gold|  +  0.5 * mean over the other probes of max(0, kept - score)

with kept = min(gold, base): forgetting more than gold is a miss as much as forgetting less, and what neither gold nor
base knows is nobody's loss. It is averaged over the development seeds. The smallest wins; ties go to fewer steps, then
to the smaller learning rate.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from statistics import fmean

from unsee.leaderboard.grids import Configuration

TIE = 1e-9

Scores = Mapping[str, float]  # probe -> share of right answers, as `unsee.evaluation.criteria` counts them


def distance(scores: Scores, base: Scores, gold: Scores, targets: Collection[str]) -> float:
    """How far a model is from gold: 0 is gold's forgetting with nothing lost, 1 the opposite in everything.

    Args:
        scores: of the model; probes without a score are not there.
        base: of the model before.
        gold: of the target.
        targets: the probes whose answers are to go.
    """
    gaps = [abs(scores[probe] - gold[probe]) for probe in targets]
    losses = [max(0.0, min(gold[p], base[p]) - scores[p]) for p in scores if p not in targets]
    return 0.5 * fmean(gaps) + 0.5 * (fmean(losses) if losses else 0.0)


def choose(distances: Mapping[int, Sequence[float]], configurations: Sequence[Configuration]) -> int:
    """The place of the selected configuration.

    Args:
        distances: by place, for each development seed; infinite where the training failed.
        configurations: in the order of their places.
    """
    means = [fmean(distances[place]) if distances.get(place) else math.inf for place in range(len(configurations))]
    best = min(means)
    tied = [place for place, mean in enumerate(means) if mean <= best + TIE]
    return min(tied, key=lambda place: (configurations[place].max_steps, configurations[place].learning_rate, place))
