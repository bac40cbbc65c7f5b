"""Proposed thresholds: what they promise holds for the scores that they were read off."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from unsee.errors import InputError
from unsee.mining.calibration import (
    Scored,
    auc,
    from_groups,
    from_labels,
    from_quantiles,
    read_labels,
    shares,
)


def scored(real: list[float], hallucinated: list[float]) -> tuple[Scored, dict[tuple[str, str], bool]]:
    """One caption a phrase."""
    kinds = [(f"{n}.png", f"thing {n}", score, n < len(real)) for n, score in enumerate([*real, *hallucinated])]
    labels = {(image, text): is_real for image, text, _, is_real in kinds}
    return Scored("cosine_100", [(image, [(text, score)]) for image, text, score, _ in kinds]), labels


def test_labels_that_scores_tell_apart_give_thresholds_between_them() -> None:
    found, labels = scored([30.0, 31.0, 32.0], [20.0, 21.0])
    limits = from_labels(found, labels)
    assert 21 < limits.negative <= limits.positive < 30


def test_beyond_the_thresholds_hardly_any_label_is_taken_wrongly() -> None:
    random = np.random.default_rng(0)
    real, hallucinated = random.normal(29, 2, 600).tolist(), random.normal(25, 2, 400).tolist()
    found, labels = scored(real, hallucinated)
    limits = from_labels(found, labels, error=0.02)
    told = shares(found, limits, labels)
    assert told["positive_wrong"] <= 0.02
    assert told["negative_wrong"] <= 0.02
    assert limits.negative < 27 < limits.positive
    # No wider thresholds would do: half a point further in, more than 2 % are taken wrongly.
    assert np.mean([n > limits.positive - 0.5 for n in hallucinated]) * 400 > 0.02 * sum(
        n > limits.positive - 0.5 for n in [*real, *hallucinated]
    )
    assert told["labelled"] == 1000


def test_quantiles_take_the_asked_share_at_either_end() -> None:
    found, _ = scored(np.linspace(0, 100, 1001).tolist(), [])
    limits = from_quantiles(found, 0.1)
    assert (limits.negative, limits.positive) == pytest.approx((10, 90))
    told = shares(found, limits)
    assert told["positive_share"] == told["negative_share"] == pytest.approx(0.1, abs=0.001)
    assert told["sentence_share"] == pytest.approx(told["negative_share"], abs=0.002)  # sets of equal size
    with pytest.raises(InputError, match=r"share 0\.7"):
        from_quantiles(found, 0.7)


def test_auc_counts_ties_half() -> None:
    assert auc([3, 2], [1, 2]) == 0.875  # 3>1, 3>2, 2>1 and half of 2=2


def test_labels_of_one_kind_are_not_enough(tmp_path: Path) -> None:
    found, labels = scored([30.0], [20.0])
    with pytest.raises(InputError, match="1 real and 0 hallucinated"):
        from_labels(found, dict.fromkeys(list(labels)[:1], True))
    (tmp_path / "l.jsonl").write_text(json.dumps({"image": "0.png", "phrase": "Thing 0", "real": "yes"}))
    with pytest.raises(InputError, match="line 1: a row is"):
        read_labels(tmp_path / "l.jsonl")


def test_two_groups_of_scores_give_thresholds_without_labels_or_shares() -> None:
    found, _ = scored([88.0, 90.0, 92.0], [40.0, 50.0])  # means 90 and 45
    limits = from_groups(found)
    assert (limits.positive, limits.negative) == (90.0, 67.5)


def test_two_groups_are_found_whatever_share_is_hallucinated() -> None:
    random = np.random.default_rng(1)
    for hallucinated_share in (0.05, 0.25, 0.6):
        count = int(1000 * hallucinated_share)
        real, hallucinated = random.normal(89, 3, 1000 - count).tolist(), random.normal(50, 12, count).tolist()
        found, labels = scored(real, hallucinated)
        told = shares(found, from_groups(found), labels)
        assert told["negative_wrong"] <= 0.02
        assert told["negative_share"] >= 0.85 * hallucinated_share
        assert told["positive_wrong"] <= 0.02


def test_scores_that_are_all_the_same_have_no_two_groups() -> None:
    with pytest.raises(InputError, match="all 3 phrases score 30: there are no two groups"):
        from_groups(scored([30.0, 30.0], [30.0])[0])
