"""AccF, AccR, RLF and RLR from records, worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from unsee.benchmarks.umu.score import contraharmonic, harmonic, paired, published_scores

OPTIONS = ("Riga", "Oslo", "Lima", "Bonn")


def rows(*said: str | None, expected: str = "Oslo", **values: Any) -> list[dict[str, Any]]:
    return [{"id": f"1/{number}", "said": text, "expected": expected, **values} for number, text in enumerate(said)]


def chosen(*letters: str | None) -> list[dict[str, Any]]:
    """Right is B, Oslo."""
    return [{**row, "said": "?", "chosen": row["said"], "choices": OPTIONS} for row in rows(*letters)]


def numbers(**records: list[dict[str, Any]]) -> dict[str, float | None]:
    return dict(published_scores(records, None, "geometric").numbers)


def test_a_fact_is_forgotten_where_both_modalities_are_wrong() -> None:
    # Facts: right in both, by name alone, about the picture alone, in neither.
    seen, told = rows("Oslo", "Riga", "Oslo", "Riga"), rows("In Oslo.", "Oslo", "no", "Lima")
    scores = published_scores({"forget_cloze_vqa": seen, "forget_cloze_qa": told}, None, "geometric")
    assert scores.numbers["AccF_cloze"] == 3 / 4  # one of the four is wrong in both
    assert scores.splits["wrong in both"] == {"forget_cloze": 1 / 4}
    assert scores.splits["right in both"] == {"forget_cloze": 1 / 4}
    # Accuracies of 2/4 and 2/4, and 3/4: their mean is 7/12.
    assert scores.splits["mean of three"] == {"AccF_cloze": pytest.approx(7 / 12)}
    assert scores.tasks["forget_cloze_qa"]["cloze"] == 1 / 2


def test_a_fact_is_retained_where_both_modalities_are_right() -> None:
    records = {
        "retain_classification_vqa": chosen("B", "B. Oslo", "A"),
        "retain_classification_qa": chosen("B", "C", "B"),
    }
    scores = published_scores(records, None, "geometric")
    assert scores.numbers["AccR_classification"] == 1 / 3
    # Accuracies of 2/3 and 2/3, and 1/3: their mean is 5/9.
    assert scores.splits["mean of three"] == {"AccR_classification": pytest.approx(5 / 9)}
    assert (
        numbers(celebrity_classification_vqa=chosen("B"), celebrity_classification_qa=chosen("B"))[
            "AccR_celebrity_classification"
        ]
        == 1
    )


def test_the_most_likely_option_says_it_where_no_letter_is_said() -> None:
    def likely(*best: int) -> list[dict[str, Any]]:
        rows = chosen(*[None] * len(best))
        for row, option in zip(rows, best, strict=True):
            row |= {"choice_log_probs": [-1.0 * (place != option) for place in range(4)], "choice_tokens": [1] * 4}
        return rows

    # Oslo is option 1: right in both, in the first, in neither.
    records = {"forget_classification_vqa": likely(1, 1, 0), "forget_classification_qa": likely(1, 0, 2)}
    scores = published_scores(records, None, "geometric")
    assert scores.numbers["AccF_classification"] is None
    assert scores.splits["most likely option"] == {"AccF_classification": pytest.approx(2 / 3)}


def test_rouge_of_two_modalities() -> None:
    # (0.6² + 0.2²) / 0.8 = 0.5 and 2 * 0.6 * 0.2 / 0.8 = 0.3; where both are 0, both means are 0.
    assert contraharmonic([(0.6, 0.2), (0.0, 0.0)]) == pytest.approx(0.25)
    assert harmonic([(0.6, 0.2), (0.0, 0.0)]) == pytest.approx(0.15)
    # ROUGE-L F1 of "Ada lives in Oslo" against itself is 1; of "Ada" 2 * 1 * 1/4 / (1 + 1/4) = 0.4.
    seen, told = rows("Ada lives in Oslo", expected="Ada lives in Oslo"), rows("Ada", expected="Ada lives in Oslo")
    found = numbers(
        **{
            f"{name}_generation_{kind}": side
            for name in ("forget", "retain")
            for kind, side in (("vqa", seen), ("qa", told))
        }
    )
    assert found["RLF"] == pytest.approx((1 + 0.16) / 1.4)
    assert found["RLR"] == pytest.approx(0.8 / 1.4)
    assert found["RLR_celebrity"] is None


def test_facts_are_matched_by_id_whatever_their_order() -> None:
    seen, told = rows("Oslo", "Riga"), rows("Riga", "Oslo")
    straight = {"retain_cloze_vqa": seen, "retain_cloze_qa": told}
    assert numbers(**straight)["AccR_cloze"] == 0
    crossed = {"retain_cloze_vqa": seen, "retain_cloze_qa": [{**row, "id": f"1/{1 - n}"} for n, row in enumerate(told)]}
    assert numbers(**crossed)["AccR_cloze"] == 1 / 2


def test_what_is_asked_in_one_modality_alone_says_nothing_about_both() -> None:
    assert numbers(forget_cloze_vqa=rows("Oslo"))["AccF_cloze"] is None
    assert numbers(forget_cloze_vqa=rows("Oslo", "Oslo"), forget_cloze_qa=rows("no"))["AccF_cloze"] == 1
    assert paired({"forget_cloze_vqa": rows("Oslo"), "forget_cloze_qa": []}, "forget_cloze", lambda _: 1.0) == []


def test_nothing_is_said_where_no_letter_was_asked_for() -> None:
    asked = {"forget_classification_vqa": chosen(None, "B"), "forget_classification_qa": chosen("B", "B")}
    assert numbers(**asked)["AccF_classification"] is None
